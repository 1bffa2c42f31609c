/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_test.c: bounds, the queue over several threads, and what an endpoint learns. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../base/counters.h"

#include "balance/balance.h"
#include "balance/endpoint_room.h"
#include "net/loop.h"

enum { DEADLINE_S = 60 };		/* a lost wake-up ends the program, not the machine's patience */

static struct endpoint *
make(int threads)
{
	struct service *service = service_new("imap");
	struct machine *machine = machine_new("dovecot", "d03");
	struct endpoint *e = endpoint_new(service, machine, threads);

	machine_put(&machine);
	service_put(&service);
	return e;
}

static void
takes_up_to_the_bound(void **state)
{
	struct endpoint *e = make(1);

	(void)state;
	assert_string_equal(e->name, "imap/d03");
	assert_string_equal(e->server, "d03");
	for (int i = 0; i < 10; i++)
		assert_true(endpoint_take(e));
	endpoint_set_max_connections(e, 3);
	assert_false(endpoint_take(e));
	for (int i = 0; i < 8; i++)
		endpoint_release(e);
	assert_int_equal(endpoint_load(e).connections, 2);
	assert_true(endpoint_take(e));
	assert_false(endpoint_take(e));
	for (int i = 0; i < 3; i++)
		endpoint_release(e);
	endpoint_put(&e);
	assert_null(e);
}

static void
a_connection_keeps_the_endpoint(void **state)
{
	struct endpoint *e = make(2), *known = e;

	(void)state;
	assert_true(endpoint_take(e));
	endpoint_put(&e);
	assert_int_equal(atomic_load(&known->references), 1);
	endpoint_release(known);	/* frees it: the sanitizer sees whether it was too early or never */
}

static void
usable_depends_on_the_key(void **state)
{
	struct endpoint *e = make(1);
	const struct endpoint *const tried[] = { e };
	struct balance_key key = { 0 };

	(void)state;
	assert_false(endpoint_is_usable(e, &key));	/* weight 0 until it is set */
	machine_set_weight(e->machine, 7);
	assert_int_equal(endpoint_load(e).share, 7 * ENDPOINT_SHARE_ONE);
	assert_true(endpoint_is_usable(e, &key));
	endpoint_set_health(e, HEALTH_DOWN, "");
	assert_false(endpoint_is_usable(e, &key));
	endpoint_set_health(e, HEALTH_UP, "");
	endpoint_set_max_connections(e, 1);
	assert_true(endpoint_take(e));
	assert_false(endpoint_is_usable(e, &key));
	key.full_too = true;
	assert_true(endpoint_is_usable(e, &key));
	key.tried = tried;
	key.tried_count = 1;
	assert_false(endpoint_is_usable(e, &key));
	endpoint_release(e);
	endpoint_put(&e);
}

static void
counters_have_lines_of_their_own(void **state)
{
	struct endpoint *e = make(3);

	(void)state;
	assert_int_equal((uintptr_t)&e->counters[0] % 64, 0);
	assert_int_equal(sizeof(e->counters[0]) % 64, 0);
	tally_add(&e->counters[2].refused, 1);
	endpoint_put(&e);
}

static void
each_counter_is_read_by_its_name(void **state)
{
	static const char *const names[] = { ENDPOINT_COUNTERS(COUNTER_NAME) };
	struct endpoint *e = make(2);
	_Atomic uint64_t *const threads[] = { &e->counters[0].sessions, &e->counters[1].sessions };

	(void)state;
	assert_string_equal(endpoint_metrics.of, "endpoint");
	expect_counters(&endpoint_metrics, e, threads, names, sizeof(names) / sizeof(names[0]));
	assert_true(endpoint_take(e));
	assert_int_equal(metric_of(&endpoint_metrics, "connections", e, 2), 1);
	endpoint_release(e);
	endpoint_put(&e);
}

static void
learns_capabilities(void **state)
{
	struct endpoint *e = make(1);
	const struct addr here = endpoint_addr(e);
	struct buf out = { 0 };
	uint64_t first;

	(void)state;
	assert_int_equal(endpoint_capabilities_hash(e), 0);
	endpoint_learn(e, &here, slice_of("IMAP4rev1 IDLE"), 0);
	first = endpoint_capabilities_hash(e);
	assert_int_not_equal(first, 0);
	endpoint_learn(e, &here, slice_of("IMAP4rev1 IDLE"), 0);
	assert_int_equal(endpoint_capabilities_hash(e), first);
	endpoint_learn(e, &here, slice_of("IMAP4rev1"), 0);
	assert_int_not_equal(endpoint_capabilities_hash(e), first);
	first = endpoint_capabilities_hash(e);
	endpoint_learn(e, &here, slice_of("IMAP4rev1"), 2);
	assert_int_not_equal(endpoint_capabilities_hash(e), first);
	buf_append_text(&out, "* ");
	assert_int_equal(endpoint_capabilities(e, &out), 2);
	assert_true(slice_equals(buf_slice(&out), "* IMAP4rev1"));
	buf_clear(&out);
	endpoint_put(&e);
}

/* Nor does a dial count that was under way to the old one. */
static void
another_address_is_another_machine(void **state)
{
	struct endpoint *e = make(1);
	struct addr addr, other;

	(void)state;
	addr_parse(slice_of("192.0.2.1"), 143, &addr);
	addr_parse(slice_of("192.0.2.2"), 143, &other);
	endpoint_set_addr(e, &addr);
	endpoint_learn(e, &addr, slice_of("IDLE"), 0);
	endpoint_set_addr(e, &addr);
	assert_int_not_equal(endpoint_capabilities_hash(e), 0);
	endpoint_set_addr(e, &other);
	assert_int_equal(endpoint_capabilities_hash(e), 0);
	endpoint_learn(e, &addr, slice_of("IDLE"), 0);
	assert_int_equal(endpoint_capabilities_hash(e), 0);
	endpoint_learn(e, &other, slice_of("MOVE"), 0);
	assert_int_not_equal(endpoint_capabilities_hash(e), 0);
	endpoint_put(&e);
}

static void
keeps_an_address(void **state)
{
	struct endpoint *e = make(1);
	struct addr addr, found;

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.7"), 143, &addr));
	endpoint_set_addr(e, &addr);
	found = endpoint_addr(e);
	assert_true(addr_equals(&found, &addr));
	endpoint_put(&e);
}

/* Somebody in the queue, on one thread. */
struct guest {
	struct endpoint *e;
	struct waiter *waiter;
	int turn;		/* when it came, from 1; 0: not yet */
};

static int turns;		/* of the test that runs: guests have nothing else in common */

static void
on_guest(void *owner, void *gift)
{
	struct guest *guest = owner;

	(void)gift;
	guest->turn = ++turns;
}

static const struct waiter_duty guest_duty = { .on_wake = on_guest };

static void
stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Lets all messages arrive that are under way, and those that these cause. */
static void
settle(struct loop *loop)
{
	for (int i = 0; i < 3; i++) {
		loop_post(loop, stop, NULL);
		loop_run(loop);
	}
}

static bool
arrive(struct guest *guest, struct endpoint *e, struct loop *loop)
{
	guest->e = e;
	return endpoint_take_or_wait(e, loop, &guest_duty, guest, &guest->waiter);
}

static void
room_goes_to_the_oldest(void **state)
{
	struct loop *loop = loop_new(0);
	struct endpoint *e = make(1);
	struct guest guests[4] = { 0 };

	(void)state;
	turns = 0;
	endpoint_set_max_connections(e, 1);
	assert_true(arrive(&guests[0], e, loop));
	assert_false(arrive(&guests[1], e, loop));
	assert_false(arrive(&guests[2], e, loop));
	assert_false(arrive(&guests[3], e, loop));
	assert_int_equal(endpoint_load(e).connections, 4);
	endpoint_release(e);
	assert_false(endpoint_take(e));		/* nobody overtakes */
	settle(loop);
	assert_int_equal(guests[1].turn, 1);
	assert_int_equal(guests[2].turn, 0);
	endpoint_release(e);
	endpoint_release(e);
	settle(loop);
	assert_int_equal(guests[2].turn, 2);
	assert_int_equal(guests[3].turn, 3);
	endpoint_release(e);
	assert_int_equal(endpoint_load(e).connections, 0);
	endpoint_put(&e);
	loop_free(&loop);
}

static void
what_is_not_claimed_goes_on(void **state)
{
	struct loop *loop = loop_new(0);
	struct endpoint *e = make(1);
	struct guest guests[3] = { 0 };

	(void)state;
	turns = 0;
	endpoint_set_max_connections(e, 1);
	assert_true(arrive(&guests[0], e, loop));
	assert_false(arrive(&guests[1], e, loop));
	assert_false(arrive(&guests[2], e, loop));
	endpoint_release(e);
	waiter_cancel(&guests[1].waiter);	/* its wake is under way */
	settle(loop);
	assert_int_equal(guests[1].turn, 0);
	assert_int_equal(guests[2].turn, 1);
	endpoint_release(e);
	assert_int_equal(endpoint_load(e).connections, 0);
	endpoint_put(&e);
	loop_free(&loop);
}

static void
the_last_unclaimed_connection_frees(void **state)
{
	struct loop *loop = loop_new(0);
	struct endpoint *e = make(1);
	struct guest guests[2] = { 0 };

	(void)state;
	endpoint_set_max_connections(e, 1);
	assert_true(arrive(&guests[0], e, loop));
	assert_false(arrive(&guests[1], e, loop));
	endpoint_release(e);
	waiter_cancel(&guests[1].waiter);
	endpoint_put(&e);		/* only the wake under way keeps it now */
	settle(loop);
	loop_free(&loop);
}

static void
an_operators_bound_holds_until_the_pool_has_another(void **state)
{
	struct endpoint *e = make(1);
	struct endpoint_facts facts;

	(void)state;
	endpoint_set_max_connections(e, 2);
	endpoint_bound(e, 5, "by bob");
	endpoint_set_max_connections(e, 2);
	assert_int_equal(atomic_load(&e->max_connections), 5);
	endpoint_read(e, &facts);
	assert_string_equal(facts.bounded.why, "by bob");
	endpoint_bound(e, 0, "by bob");
	assert_int_equal(atomic_load(&e->max_connections), 0);
	endpoint_set_max_connections(e, 3);
	assert_int_equal(atomic_load(&e->max_connections), 3);
	endpoint_read(e, &facts);
	assert_string_equal(facts.bounded.why, "");
	endpoint_put(&e);
}

static void
a_raised_bound_lets_in_as_many(void **state)
{
	struct loop *loop = loop_new(0);
	struct endpoint *e = make(1);
	struct guest guests[6] = { 0 };

	(void)state;
	turns = 0;
	endpoint_set_max_connections(e, 1);
	for (int i = 0; i < 6; i++)
		assert_int_equal(arrive(&guests[i], e, loop), i == 0);
	endpoint_set_max_connections(e, 3);
	settle(loop);
	assert_int_equal(turns, 2);
	endpoint_set_max_connections(e, 2);
	endpoint_release(e);		/* there is one too many: nobody follows */
	settle(loop);
	assert_int_equal(turns, 2);
	endpoint_release(e);
	settle(loop);
	assert_int_equal(turns, 3);
	endpoint_set_max_connections(e, 0);
	settle(loop);
	assert_int_equal(turns, 5);
	assert_int_equal(endpoint_load(e).connections, 4);
	for (int i = 0; i < 4; i++)
		endpoint_release(e);
	endpoint_put(&e);
	loop_free(&loop);
}

static void
say_max_connections(struct endpoint *e, int max)
{
	struct agent_word word = AGENT_WORD_NONE;

	word.max_connections = max;
	machine_obey_agent(e->machine, &word);
}

static void
of_pool_and_agent_the_smaller_bound_counts(void **state)
{
	static const int rows[][3] = { { 0, 0, 0 }, { 5, 0, 5 }, { 0, 5, 5 }, { 3, 5, 3 }, { 5, 3, 3 } };
	struct endpoint *e = make(1);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		endpoint_set_max_connections(e, rows[i][0]);
		say_max_connections(e, rows[i][1]);
		assert_int_equal(atomic_load(&e->max_connections), rows[i][2]);
		endpoint_set_max_connections(e, rows[i][0] + 1);
		endpoint_set_max_connections(e, rows[i][0]);
		assert_int_equal(atomic_load(&e->max_connections), rows[i][2]);
	}
	machine_obey_agent(e->machine, &AGENT_WORD_NONE);
	assert_int_equal(atomic_load(&e->max_connections), 3);
	machine_forget_agent(e->machine);
	assert_int_equal(atomic_load(&e->max_connections), 5);
	endpoint_put(&e);
}

static void
an_agent_that_allows_more_lets_in_as_many(void **state)
{
	struct loop *loop = loop_new(0);
	struct endpoint *e = make(1);
	struct guest guests[6] = { 0 };

	(void)state;
	turns = 0;
	say_max_connections(e, 1);
	for (int i = 0; i < 6; i++)
		assert_int_equal(arrive(&guests[i], e, loop), i == 0);
	say_max_connections(e, 3);
	settle(loop);
	assert_int_equal(turns, 2);
	machine_forget_agent(e->machine);
	settle(loop);
	assert_int_equal(turns, 5);
	for (int i = 0; i < 6; i++)
		endpoint_release(e);
	endpoint_put(&e);
	loop_free(&loop);
}

static void
an_agent_sets_the_share_and_no_weight(void **state)
{
	static const struct {
		int set, percent, weight, share;
	} rows[] = {
		/*   set percent weight  share */
		{ 4,     75,    -1,  3 * ENDPOINT_SHARE_ONE                },
		{ 4,     -1,    -1,  3 * ENDPOINT_SHARE_ONE                },	/* not said: as before */
		{ 4,     -1,     6,  6 * ENDPOINT_SHARE_ONE                },
		{ 8,     -1,    -1,  6 * ENDPOINT_SHARE_ONE                },
		{ 8,     50,    -1,  4 * ENDPOINT_SHARE_ONE                },
		{ 1,  25600,    -1,  ENDPOINT_SHARE_MAX                    },
		{ 256, 25600,   -1,  ENDPOINT_SHARE_MAX                    },
		{ 4,      0,    -1,  0                                     },
		{ 4,     -1,     0,  0                                     },
		{ 0,     -1,     9,  0                                     },	/* the operator's 0 */
	};
	struct endpoint *e = make(1);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_word word = AGENT_WORD_NONE;

		machine_set_weight(e->machine, rows[i].set);
		word.percent = rows[i].percent;
		word.weight = rows[i].weight;
		machine_obey_agent(e->machine, &word);
		assert_int_equal(endpoint_load(e).share, rows[i].share);
		assert_int_equal(endpoint_weight(e), rows[i].set);
	}
	endpoint_put(&e);
}

/* One connection is given back by one thread just when another asks for it; nobody else comes to help. */
struct race {
	struct endpoint *e;
	struct waiter *waiter;
	atomic_int asking, served;	/* the number of the round */
};

static void
on_served(void *owner, void *gift)
{
	struct race *race = owner;

	(void)gift;
	endpoint_release(race->e);
	atomic_fetch_add(&race->served, 1);
}

static const struct waiter_duty served_duty = { .on_wake = on_served };

static void
ask(struct loop *loop, void *arg)
{
	struct race *race = arg;

	atomic_fetch_add(&race->asking, 1);
	if (endpoint_take_or_wait(race->e, loop, &served_duty, race, &race->waiter))
		on_served(race, race->e);
}

static void *
run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void
no_room_is_missed_while_joining_the_queue(void **state)
{
	enum { ROUNDS = 5000 };
	struct race race = { .e = make(1) };
	struct loop *loop = loop_new(0);
	pthread_t thread;

	(void)state;
	endpoint_set_max_connections(race.e, 1);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
	for (int round = 1; round <= ROUNDS; round++) {
		assert_true(endpoint_take(race.e));
		loop_post(loop, ask, &race);
		while (atomic_load(&race.asking) < round)
			;
		endpoint_release(race.e);
		while (atomic_load(&race.served) < round)
			sched_yield();
	}
	loop_post(loop, stop, NULL);
	pthread_join(thread, NULL);
	endpoint_put(&race.e);
	loop_free(&loop);
}

/* Several threads, each with guests who come, wait, give up at times, hold a connection and leave again. */
enum { THREADS = 2, GUESTS = 12, VISITS = 200, MAX_LOW = 2, MAX_HIGH = 5 };

struct house {
	struct endpoint *e;
	atomic_int inside, most_inside, staying;	/* staying: guests with visits left */
};

struct crowd {			/* of one thread */
	struct house *house;
	struct loop *loop;
	pthread_t thread;
	struct visitor {
		struct crowd *crowd;
		struct waiter *waiter;
		int visits, given_up;
		bool is_patient;
	} visitors[GUESTS];
};

static void come(struct loop *loop, void *arg);

static void
leave(struct loop *loop, void *arg)
{
	struct visitor *visitor = arg;
	struct house *house = visitor->crowd->house;

	atomic_fetch_sub(&house->inside, 1);
	endpoint_release(house->e);
	if (++visitor->visits < VISITS)
		come(loop, visitor);
	else
		atomic_fetch_sub(&house->staying, 1);
}

static void
on_room(void *owner, void *gift)
{
	struct visitor *visitor = owner;
	struct house *house = visitor->crowd->house;
	int inside = atomic_fetch_add(&house->inside, 1) + 1, most = atomic_load(&house->most_inside);

	(void)gift;
	while (inside > most && !atomic_compare_exchange_weak(&house->most_inside, &most, inside))
		;
	loop_post(visitor->crowd->loop, leave, visitor);
}

static const struct waiter_duty room_duty = { .on_wake = on_room };

static void
give_up(struct loop *loop, void *arg)
{
	struct visitor *visitor = arg;

	if (visitor->waiter == NULL)
		return;			/* room came first */
	waiter_cancel(&visitor->waiter);
	visitor->given_up++;
	come(loop, visitor);
}

static void
come(struct loop *loop, void *arg)
{
	struct visitor *visitor = arg;

	if (endpoint_take_or_wait(visitor->crowd->house->e, loop, &room_duty, visitor, &visitor->waiter))
		on_room(visitor, visitor->crowd->house->e);
	else if (!visitor->is_patient && visitor->given_up < VISITS)
		loop_post(loop, give_up, visitor);
}

static void
stop_when_all_left(struct loop *loop, void *arg)
{
	struct crowd *crowd = arg;

	if (atomic_load(&crowd->house->staying) == 0 && atomic_load(&crowd->house->e->connections) == 0)
		loop_stop(loop);
	else
		loop_post(loop, stop_when_all_left, crowd);
}

static void *
run_crowd(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < GUESTS; i++) {
		crowd->visitors[i] = (struct visitor){ .crowd = crowd, .is_patient = i % 3 != 0 };
		come(crowd->loop, &crowd->visitors[i]);
	}
	loop_post(crowd->loop, stop_when_all_left, crowd);
	loop_run(crowd->loop);
	return NULL;
}

static void
nobody_is_forgotten_among_threads(void **state)
{
	static struct crowd crowds[THREADS];	/* constant size, large for a stack */
	struct house house = { .e = make(THREADS) };
	int given_up = 0;

	(void)state;
	atomic_store(&house.staying, THREADS * GUESTS);
	endpoint_set_max_connections(house.e, MAX_HIGH);
	for (int i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){ .house = &house, .loop = loop_new(i) };
		assert_int_equal(pthread_create(&crowds[i].thread, NULL, run_crowd, &crowds[i]), 0);
	}
	for (int i = 0; atomic_load(&house.staying) != 0; i++)	/* as reloads do */
		endpoint_set_max_connections(house.e, i % 2 == 0 ? MAX_LOW : MAX_HIGH);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(crowds[i].thread, NULL);
		for (int n = 0; n < GUESTS; n++)
			given_up += crowds[i].visitors[n].given_up;
	}
	print_message("# %d inside at most, %d times somebody gave up\n",
	    atomic_load(&house.most_inside), given_up);
	assert_in_range(atomic_load(&house.most_inside), MAX_LOW, MAX_HIGH);
	assert_true(given_up > 0);
	assert_int_equal(waiter_count(&house.e->queue), 0);
	for (int i = 0; i < THREADS; i++)
		loop_free(&crowds[i].loop);
	assert_int_equal(atomic_load(&house.e->references), 1);
	endpoint_put(&house.e);
}

struct away {
	struct endpoint *last;
	int count;
};

static void
on_away(struct endpoint *e, void *owner)
{
	struct away *away = owner;

	away->last = e;
	away->count++;
}

/* Once for each time that it comes into such a state; draining and coming back is none. */
static void
an_era_begins_when_sessions_are_to_go(void **state)
{
	struct away away = { 0 };
	const struct away_observer observer = { .on_away = on_away, .owner = &away };
	struct endpoint *e = make(1);

	(void)state;
	endpoint_observe_away(&observer);
	machine_set_admin(e->machine, ADMIN_DRAIN, "");
	assert_int_equal(endpoint_era(e), 0);
	machine_set_admin(e->machine, ADMIN_MAINTENANCE, "");
	assert_int_equal(endpoint_era(e), 1);
	assert_true(endpoint_is_in_maintenance(e));
	endpoint_set_admin(e, ADMIN_MAINTENANCE, "too");
	machine_set_admin(e->machine, ADMIN_READY, "");
	assert_int_equal(endpoint_era(e), 1);
	endpoint_set_admin(e, ADMIN_READY, "");
	assert_false(endpoint_is_in_maintenance(e));
	endpoint_set_health(e, HEALTH_DOWN, "");
	assert_int_equal(endpoint_era(e), 2);
	endpoint_set_health(e, HEALTH_UP, "");
	endpoint_set_on_down(e, false);
	/* who dials there is to look */
	endpoint_set_health(e, HEALTH_DOWN, "");
	assert_int_equal(endpoint_era(e), 2);
	assert_int_equal(away.count, 3);
	endpoint_send_away(e);
	assert_int_equal(endpoint_era(e), 3);
	assert_int_equal(away.count, 4);
	assert_ptr_equal(away.last, e);
	endpoint_observe_away(NULL);
	endpoint_send_away(e);
	assert_int_equal(away.count, 4);
	endpoint_put(&e);
}

/* Who waits at a server that goes down is told so, without a connection. */
static void
a_server_that_goes_down_has_no_queue(void **state)
{
	struct loop *loop = loop_new(0);
	struct endpoint *e = make(1);
	struct guest guests[2] = { 0 };

	(void)state;
	turns = 0;
	endpoint_set_max_connections(e, 1);
	assert_true(arrive(&guests[0], e, loop));
	assert_false(arrive(&guests[1], e, loop));
	endpoint_set_health(e, HEALTH_DOWN, "");
	settle(loop);
	assert_int_equal(guests[1].turn, 1);
	assert_int_equal(endpoint_load(e).connections, 1);
	endpoint_release(e);
	endpoint_put(&e);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_up_to_the_bound),
		cmocka_unit_test(a_connection_keeps_the_endpoint),
		cmocka_unit_test(usable_depends_on_the_key),
		cmocka_unit_test(counters_have_lines_of_their_own),
		cmocka_unit_test(each_counter_is_read_by_its_name),
		cmocka_unit_test(learns_capabilities),
		cmocka_unit_test(another_address_is_another_machine),
		cmocka_unit_test(keeps_an_address),
		cmocka_unit_test(room_goes_to_the_oldest),
		cmocka_unit_test(what_is_not_claimed_goes_on),
		cmocka_unit_test(the_last_unclaimed_connection_frees),
		cmocka_unit_test(an_operators_bound_holds_until_the_pool_has_another),
		cmocka_unit_test(a_raised_bound_lets_in_as_many),
		cmocka_unit_test(of_pool_and_agent_the_smaller_bound_counts),
		cmocka_unit_test(an_agent_that_allows_more_lets_in_as_many),
		cmocka_unit_test(an_agent_sets_the_share_and_no_weight),
		cmocka_unit_test(no_room_is_missed_while_joining_the_queue),
		cmocka_unit_test(nobody_is_forgotten_among_threads),
		cmocka_unit_test(an_era_begins_when_sessions_are_to_go),
		cmocka_unit_test(a_server_that_goes_down_has_no_queue),
	};

	alarm(DEADLINE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
