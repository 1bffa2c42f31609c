/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_user_test.c: where users go: by weight, the same on every proxy, and nowhere else without need. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "crowd.h"
#include "pool_fixture.h"

#include "balance/endpoint_room.h"

enum { USERS = 10000 };

static int
pick_user(const struct fixture *f, int number)
{
	char name[32];
	struct balance_key key = { 0 };

	snprintf(name, sizeof(name), "user%d@example.com", number);
	key.user = slice_of(name);
	return fixture_pick(f, 0, &key);
}

static void
spreads_by_weight(void **state)
{
	static const int weights[] = { 1, 1, 2, 4, 0, 100 };
	enum { SERVERS = sizeof(weights) / sizeof(weights[0]), TOTAL = 108 };
	struct fixture f;
	int users[SERVERS] = { 0 };

	(void)state;
	fixture_open(&f, BALANCER_user, weights, SERVERS);
	assert_true(f.pool.is_bound);
	for (int i = 0; i < USERS; i++)
		users[pick_user(&f, i)]++;
	for (int i = 0; i < SERVERS; i++) {
		int expected = USERS * weights[i] / TOTAL;

		printf("# weight %d: %d users, %d expected\n", weights[i], users[i], expected);
		/* more than four standard deviations from the mean is no chance */
		assert_true((users[i] - expected) * (users[i] - expected) <= 16 * expected);
	}
	fixture_close(&f);
}

static void
only_the_users_of_a_leaving_server_move(void **state)
{
	enum { SERVERS = 10, LEAVING = 3 };
	static const int weights[SERVERS] = { 1, 1, 1, 3, 1, 1, 2, 1, 1, 1 };
	static int before[USERS];	/* constant size, large for a stack */
	struct fixture f;
	int moved_to[SERVERS] = { 0 }, moved = 0;

	(void)state;
	fixture_open(&f, BALANCER_user, weights, SERVERS);
	for (int i = 0; i < USERS; i++)
		before[i] = pick_user(&f, i);
	machine_set_weight(f.pool.endpoints[LEAVING]->machine, 0);
	for (int i = 0; i < USERS; i++) {
		int after = pick_user(&f, i);

		if (before[i] != LEAVING) {
			assert_int_equal(after, before[i]);
			continue;
		}
		moved_to[after]++;
		moved++;
	}
	assert_int_equal(moved_to[LEAVING], 0);
	for (int i = 0; i < SERVERS; i++) {
		printf("# of %d users of d03, d%02d gets %d\n", moved, i, moved_to[i]);
		assert_true(i == LEAVING || moved_to[i] > moved / 20);
	}
	fixture_close(&f);
}

static void
more_weight_draws_users_and_drives_none_about(void **state)
{
	static int before[USERS];	/* constant size, large for a stack */
	struct fixture f;

	(void)state;
	fixture_open(&f, BALANCER_user, (const int[]){ 1, 1, 1, 1 }, 4);
	for (int i = 0; i < USERS; i++)
		before[i] = pick_user(&f, i);
	machine_set_weight(f.pool.endpoints[2]->machine, 2);
	for (int i = 0; i < USERS; i++) {
		int after = pick_user(&f, i);

		assert_true(after == before[i] || after == 2);
	}
	fixture_close(&f);
}

static void
releases_and_machines_agree(void **state)
{
	/* proxies of several releases serve one cluster: these never change */
	static const char servers[] = "gdggacbcgbggfbeg";
	struct fixture f;
	char found[sizeof(servers)] = { 0 };

	(void)state;
	fixture_open(&f, BALANCER_user, (const int[]){ 1, 2, 1, 3, 1, 1, 4, 1 }, 8);
	for (int i = 0; i < (int)sizeof(servers) - 1; i++)
		found[i] = (char)('a' + pick_user(&f, i));
	assert_string_equal(found, servers);
	fixture_close(&f);
}

static void
neither_fullness_nor_a_try_sends_elsewhere(void **state)
{
	struct fixture f;
	const struct endpoint *tried[1];
	struct balance_key key = { .user = SLICE_LITERAL("bob"), .tried = tried };
	struct endpoint *best;

	(void)state;
	fixture_open(&f, BALANCER_user, (const int[]){ 1, 1, 1 }, 3);
	best = pick_of(&f.pool, 0, &key);
	endpoint_set_max_connections(best, 1);
	assert_true(endpoint_take(best));
	assert_ptr_equal(pick_of(&f.pool, 1, &key), best);
	tried[0] = best;
	key.tried_count = 1;
	assert_ptr_equal(pick_of(&f.pool, 2, &key), best);
	endpoint_release(best);
	for (size_t i = 0; i < 3; i++)
		machine_set_weight(f.pool.endpoints[i]->machine, 0);
	assert_null(pick_of(&f.pool, 0, &key));
	fixture_close(&f);
}

/* As for a weight of 0: its own users only, and they come back. */
static void
a_server_that_is_down_loses_its_own_users_only(void **state)
{
	struct fixture f;
	int before[100];

	(void)state;
	fixture_open(&f, BALANCER_user, (const int[]){ 1, 2, 1 }, 3);
	for (int i = 0; i < 100; i++)
		before[i] = pick_user(&f, i);
	endpoint_set_health(f.pool.endpoints[1], HEALTH_DOWN, "");
	for (int i = 0; i < 100; i++) {
		assert_int_not_equal(pick_user(&f, i), 1);
		assert_true(before[i] == 1 || pick_user(&f, i) == before[i]);
	}
	endpoint_set_health(f.pool.endpoints[1], HEALTH_UP, "");
	for (int i = 0; i < 100; i++)
		assert_int_equal(pick_user(&f, i), before[i]);
	fixture_close(&f);
}

/* Neither is the same on every proxy; nor is what a client was promised. */
static void
neither_agents_nor_slow_starts_move_anybody(void **state)
{
	enum { COUNT = 5, NAMES = 100 };
	struct crowd *crowd = crowd_new(&balance_user, NULL, COUNT);
	int homes[NAMES];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < NAMES; i++) {
			char name[16];
			struct balance_key key = { .keeps_promise = crowd_keeps_promise };
			int home;

			snprintf(name, sizeof(name), "user%d", i);
			key.user = slice_of(name);
			home = crowd_pick(crowd, i % CROWD_THREADS, &key);
			assert_true(home >= 0 && (round == 0 || home == homes[i]));
			homes[i] = home;
		}
		crowd_agent(crowd, 1, 0);
		crowd_ramp(crowd, 2, 1);
	}
	crowd_free(&crowd);
}

static void
a_panic_keeps_users_at_home(void **state)
{
	struct crowd *crowd = crowd_new(&balance_user, NULL, 3);
	const struct balance_key key = { .user = SLICE_LITERAL("bob") };
	int home = crowd_pick(crowd, 0, &key);

	(void)state;
	crowd->roster->may_panic = true;
	for (size_t i = 0; i < 3; i++)
		crowd_down(crowd, i);
	assert_int_equal(crowd_pick(crowd, 0, &key), home);
	crowd_free(&crowd);
}

static void
nobody_panics_to_where_no_address_is_known(void **state)
{
	static const int weights[] = { 1, 1, 1 };
	struct balance_key key = { .user = slice_of("bob"), .down_too = true };
	struct fixture f;
	int home;

	(void)state;
	fixture_open(&f, BALANCER_user, weights, 3);
	home = fixture_pick(&f, 0, &key);
	for (int i = 0; i < 3; i++)
		endpoint_set_health(f.pool.endpoints[i], HEALTH_DOWN, "");
	assert_int_equal(fixture_pick(&f, 0, &key), home);
	endpoint_set_health(f.pool.endpoints[home], HEALTH_UNRESOLVED, "");
	assert_int_not_equal(fixture_pick(&f, 0, &key), home);
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_panics_to_where_no_address_is_known),
		cmocka_unit_test(spreads_by_weight),
		cmocka_unit_test(only_the_users_of_a_leaving_server_move),
		cmocka_unit_test(more_weight_draws_users_and_drives_none_about),
		cmocka_unit_test(neither_agents_nor_slow_starts_move_anybody),
		cmocka_unit_test(a_panic_keeps_users_at_home),
		cmocka_unit_test(releases_and_machines_agree),
		cmocka_unit_test(neither_fullness_nor_a_try_sends_elsewhere),
		cmocka_unit_test(a_server_that_is_down_loses_its_own_users_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
