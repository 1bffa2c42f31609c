/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * roster_test.c: which tier a session is for, panic, who is referred to, and
 * that a roster may be replaced while other threads pick from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "crowd.h"

#include "balance/endpoint_report.h"
#include "balance/endpoint_room.h"

/* Servers 0 and 1 first, 2 their backup, 3 the backup of all three. */
static struct crowd *
open_tiers(const struct balancer *balancer)
{
	static const int tiers[] = { -7, -7, 0, 30 };
	struct crowd *crowd = crowd_new(balancer, NULL, 4);
	struct roster_member members[4];

	roster_put(&crowd->roster);
	for (size_t i = 0; i < 4; i++)		/* in no order */
		members[3 - i] = (struct roster_member){ crowd->endpoints[i], tiers[i] };
	crowd->roster = roster_new(balancer, members, 4, CROWD_THREADS);
	return crowd;
}

static void
tiers_are_sorted(void **state)
{
	struct crowd *crowd = open_tiers(&balance_first);
	const struct roster *roster = crowd->roster;

	(void)state;
	assert_int_equal(roster->tier_count, 3);
	assert_int_equal(roster->tiers[0].count, 2);
	assert_ptr_equal(roster->tiers[0].endpoints[0], crowd->endpoints[1]);	/* the file's order */
	assert_ptr_equal(roster->tiers[0].endpoints[1], crowd->endpoints[0]);
	assert_ptr_equal(roster->tiers[1].endpoints[0], crowd->endpoints[2]);
	assert_ptr_equal(roster->tiers[2].endpoints[0], crowd->endpoints[3]);
	assert_ptr_equal(roster->tiers[1].roster, roster);
	assert_int_equal(roster->count, 4);
	crowd_free(&crowd);
}

static void
backups_are_for_those_who_are_down(const struct balancer *balancer)
{
	struct crowd *crowd = open_tiers(balancer);

	for (int i = 0; i < 20; i++)
		assert_in_range(crowd_pick(crowd, i % CROWD_THREADS, &any_key), 0, 1);
	crowd_down(crowd, 0);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 1);
	machine_set_admin(crowd_machine(crowd, 1), ADMIN_MAINTENANCE, "");
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 2);
	machine_set_weight(crowd_machine(crowd, 2), 0);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 3);
	crowd_down(crowd, 3);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd_up(crowd, 0);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 0);
	crowd_free(&crowd);
}

/* They wait for room there; a backup may not have what the others serve. */
static void
who_is_full_is_not_down(const struct balancer *balancer)
{
	struct crowd *crowd = open_tiers(balancer);
	struct balance_key key = { .full_too = true };

	crowd_fill(crowd, 0);
	crowd_fill(crowd, 1);
	if (!balancer->binds)
		assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	assert_in_range(crowd_pick(crowd, 0, &key), 0, 1);
	crowd_down(crowd, 0);
	if (!balancer->binds)
		assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	assert_int_equal(crowd_pick(crowd, 0, &key), 1);
	crowd_down(crowd, 1);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 2);
	crowd_free(&crowd);
}

/* A backup is better than an error. */
static void
who_was_tried_is_as_good_as_down(const struct balancer *balancer)
{
	struct crowd *crowd = open_tiers(balancer);
	const struct endpoint *tried[] = { crowd->endpoints[0], crowd->endpoints[1], crowd->endpoints[2] };
	struct balance_key key = { .tried = tried, .tried_count = 2 };

	assert_int_equal(crowd_pick(crowd, 0, &key), 2);
	key.tried_count = 3;
	assert_int_equal(crowd_pick(crowd, 0, &key), 3);
	crowd_free(&crowd);
}

/* The agent wants nobody: that is no weight, but to hashes, which must agree. */
static void
without_shares_a_tier_is_as_good_as_down(const struct balancer *balancer)
{
	struct crowd *crowd = open_tiers(balancer);

	crowd_agent(crowd, 0, 0);
	crowd_agent(crowd, 1, 0);
	if (balancer->hashes)
		assert_in_range(crowd_pick(crowd, 0, &any_key), 0, 1);
	else
		assert_int_equal(crowd_pick(crowd, 0, &any_key), 2);
	crowd_free(&crowd);
}

static void
a_panic_is_for_all_who_are_down(const struct balancer *balancer)
{
	struct crowd *crowd = open_tiers(balancer);

	for (size_t i = 0; i < 4; i++)
		crowd_down(crowd, i);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd->roster->may_panic = true;
	for (int i = 0; i < 8; i++)
		assert_in_range(crowd_pick(crowd, 0, &any_key), 0, 1);
	machine_set_weight(crowd_machine(crowd, 0), 0);		/* an operator's word counts even now */
	machine_set_admin(crowd_machine(crowd, 1), ADMIN_DRAIN, "");
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 2);
	crowd_up(crowd, 3);					/* over: somebody is up */
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 3);
	crowd_fill(crowd, 3);
	if (!balancer->binds)
		assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd_free(&crowd);
}

static void
with_every_balancer(void (*test)(const struct balancer *balancer))
{
#define BALANCER_POINTER(name) &balance_##name
	static const struct balancer *const balancers[] = { BALANCERS(BALANCER_POINTER) };

	for (size_t i = 0; i < sizeof(balancers) / sizeof(balancers[0]); i++)
		test(balancers[i]);
}

static void
every_balancer_heeds_tiers(void **state)
{
	(void)state;
	with_every_balancer(backups_are_for_those_who_are_down);
	with_every_balancer(who_is_full_is_not_down);
	with_every_balancer(without_shares_a_tier_is_as_good_as_down);
	who_was_tried_is_as_good_as_down(&balance_roundrobin);
	who_was_tried_is_as_good_as_down(&balance_leastconn);
	who_was_tried_is_as_good_as_down(&balance_source);
	who_was_tried_is_as_good_as_down(&balance_random);
	who_was_tried_is_as_good_as_down(&balance_first);
}

static void
every_balancer_panics(void **state)
{
	(void)state;
	with_every_balancer(a_panic_is_for_all_who_are_down);
}

static bool
may_have(const struct crowd *crowd, size_t i)
{
	return roster_may_pick(crowd->roster, crowd->endpoints[i], &any_key);
}

static void
kill_by_tries(struct endpoint *e)
{
	const struct endpoint_outcome outcome = { .result = ENDPOINT_LOST, .why = "" };

	endpoint_set_observed(e, 10);
	while (!endpoint_is_dead(e)) {
		assert_true(endpoint_take(e));
		endpoint_report(e, 0, &outcome);
		endpoint_release(e);
	}
}

/* Whoever waits may have the servers that a pick would choose, and no others. */
static void
who_waits_may_have_whom_a_pick_chooses(const struct balancer *balancer)
{
	struct crowd *crowd = open_tiers(balancer);

	assert_true(may_have(crowd, 0) && may_have(crowd, 1));
	assert_false(may_have(crowd, 2) || may_have(crowd, 3));
	for (size_t i = 0; i < 2; i++)
		crowd_agent(crowd, i, 0);
	/* hashes know no share */
	assert_int_equal(may_have(crowd, 0), balancer->hashes);
	assert_int_equal(may_have(crowd, 2), !balancer->hashes);
	assert_int_equal(crowd_pick(crowd, 0, &any_key) == 2, !balancer->hashes);
	for (size_t i = 0; i < 2; i++) {
		crowd_agent(crowd, i, 100);
		kill_by_tries(crowd->endpoints[i]);
	}
	assert_true(may_have(crowd, 2));
	assert_false(may_have(crowd, 3));
	if (!balancer->binds)	/* who is bound waits at the server, dead or not */
		assert_int_equal(crowd_pick(crowd, 0, &any_key), 2);
	crowd_free(&crowd);
}

static void
every_balancer_agrees_with_the_queue(void **state)
{
	(void)state;
	with_every_balancer(who_waits_may_have_whom_a_pick_chooses);
}

static void
an_empty_roster_has_nobody(void **state)
{
	struct roster *roster = roster_new(&balance_roundrobin, NULL, 0, CROWD_THREADS);

	(void)state;
	assert_int_equal(roster->tier_count, 0);
	assert_null(roster_pick(roster, 0, &any_key));
	roster->may_panic = true;
	assert_null(roster_pick(roster, 0, &any_key));
	assert_null(roster_find(roster, "d000"));
	roster_put(&roster);
}

static int
references(const struct crowd *crowd, size_t i)
{
	return atomic_load(&crowd->endpoints[i]->references);
}

static void
references_are_given_and_given_back(void **state)
{
	struct crowd *crowd = crowd_new(&balance_random, NULL, 2);
	struct roster *roster = roster_get(crowd->roster);
	struct endpoint *found;

	(void)state;
	assert_int_equal(references(crowd, 1), 2);
	found = roster_find(roster, "d001");
	assert_ptr_equal(found, crowd->endpoints[1]);
	assert_int_equal(references(crowd, 1), 3);
	endpoint_put(&found);
	assert_null(roster_find(roster, "d00"));
	crowd_down(crowd, 0);
	found = roster_pick(roster, 0, &any_key);
	assert_int_equal(references(crowd, 1), 3);
	roster_put(&crowd->roster);
	assert_int_equal(references(crowd, 1), 3);
	roster_put(&roster);
	assert_null(roster);
	assert_int_equal(references(crowd, 0), 1);
	assert_int_equal(references(crowd, 1), 2);	/* who was picked lives on */
	endpoint_put(&found);
	roster_put(&roster);				/* fine with NULL */
	crowd_free(&crowd);
}

struct picking {
	struct crowd *crowd;
	int worker;
	atomic_int picks;
	atomic_bool is_over;
};

static void *
pick_on(void *arg)
{
	struct picking *picking = arg;

	while (!atomic_load(&picking->is_over)) {
		struct roster *roster = service_roster(picking->crowd->service);
		struct endpoint *e = roster_pick(roster, picking->worker, &any_key);

		roster_put(&roster);
		if (e != NULL && endpoint_take(e))
			endpoint_release(e);
		endpoint_put(&e);
		atomic_fetch_add(&picking->picks, 1);
	}
	return NULL;
}

/* As a reload does, or names that resolve anew; weights and health change meanwhile. */
static void
replace_on(struct crowd *crowd, const struct balancer *balancer, unsigned turn)
{
	struct roster_member members[8];
	size_t count = 0;

	for (size_t i = 0; i < crowd->count; i++)
		if (i != turn % crowd->count)
			members[count++] = (struct roster_member){ crowd->endpoints[i], (int)(i % 2) };
	service_set_roster(crowd->service, roster_new(balancer, members, count, CROWD_THREADS));
	machine_set_weight(crowd_machine(crowd, turn % crowd->count), (int)(turn % 3));
	endpoint_set_health(crowd->endpoints[turn / 2 % crowd->count],
	    turn % 2 != 0 ? HEALTH_UP : HEALTH_DOWN, "");
}

static void
is_replaced_under_picks(const struct balancer *balancer)
{
	enum { WORKERS = 2, TURNS = 300, PICKS = 300 };
	struct crowd *crowd = crowd_new(balancer, NULL, 8);
	struct picking picking[WORKERS];
	pthread_t threads[WORKERS];
	unsigned turns = 0;

	replace_on(crowd, balancer, turns++);
	for (int i = 0; i < WORKERS; i++) {
		picking[i] = (struct picking){ .crowd = crowd, .worker = i };
		assert_int_equal(pthread_create(&threads[i], NULL, pick_on, &picking[i]), 0);
	}
	while (turns < TURNS || atomic_load(&picking[0].picks) < PICKS ||
	    atomic_load(&picking[1].picks) < PICKS)
		replace_on(crowd, balancer, turns++);
	for (int i = 0; i < WORKERS; i++) {
		atomic_store(&picking[i].is_over, true);
		pthread_join(threads[i], NULL);
	}
	service_set_roster(crowd->service, NULL);
	for (size_t i = 0; i < crowd->count; i++) {
		assert_int_equal(references(crowd, i), 2);	/* the crowd's, and its own roster's */
		assert_int_equal(endpoint_load(crowd->endpoints[i]).connections, 0);
	}
	crowd_free(&crowd);
}

static void
may_be_replaced_under_picks(void **state)
{
	(void)state;
	with_every_balancer(is_replaced_under_picks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tiers_are_sorted),
		cmocka_unit_test(every_balancer_heeds_tiers),
		cmocka_unit_test(every_balancer_panics),
		cmocka_unit_test(every_balancer_agrees_with_the_queue),
		cmocka_unit_test(an_empty_roster_has_nobody),
		cmocka_unit_test(references_are_given_and_given_back),
		cmocka_unit_test(may_be_replaced_under_picks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
