/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_roundrobin_test.c: smooth turns by weight, workers out of step, and no bursts after a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_fixture.h"

static const char *
turns(const struct fixture *f, int worker, int count)
{
	static char text[64];		/* of the latest call */

	for (int i = 0; i < count; i++) {
		int picked = fixture_pick(f, worker, &any_user);

		text[i] = (char)(picked >= 0 ? 'a' + picked : '-');
	}
	text[count] = '\0';
	return text;
}

static int
count_turns(const struct fixture *f, int server, int count)
{
	int found = 0;

	while (count-- > 0)
		found += fixture_pick(f, 0, &any_user) == server;
	return found;
}

static void
is_smooth(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 5, 1, 1 }, 3);
	assert_string_equal(turns(&f, 0, 14), "abaacaaabaacaa");
	fixture_close(&f);
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 1, 1, 1 }, 3);
	assert_string_equal(turns(&f, 0, 9), "abcabcabc");
	fixture_close(&f);
}

static void
shares_by_weight(void **state)
{
	static const int weights[] = { 1, 2, 3, 0, 94, 256 };
	enum { SERVERS = sizeof(weights) / sizeof(weights[0]), ROUNDS = 50, ROUND = 356 };
	struct fixture f;
	int taken[SERVERS] = { 0 };

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, weights, SERVERS);
	for (int i = 0; i < ROUNDS * ROUND; i++)
		taken[fixture_pick(&f, 0, &any_user)]++;
	for (int i = 0; i < SERVERS; i++)
		assert_in_range(taken[i] + 2, weights[i] * ROUNDS, weights[i] * ROUNDS + 4);
	fixture_close(&f);
}

static void
workers_are_out_of_step(void **state)
{
	struct fixture f;
	int taken[4] = { 0 };

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 3, 2, 2, 1 }, 4);
	for (int worker = 0; worker < 8; worker++)
		taken[fixture_pick(&f, worker, &any_user)]++;
	assert_int_equal(taken[0], 3);
	assert_int_equal(taken[1], 2);
	assert_int_equal(taken[2], 2);
	assert_int_equal(taken[3], 1);
	fixture_close(&f);
}

static void
absence_saves_up_no_turns(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 1, 1, 1, 1 }, 4);
	machine_set_weight(f.pool.endpoints[1]->machine, 0);
	assert_int_equal(count_turns(&f, 1, 1000), 0);
	machine_set_weight(f.pool.endpoints[1]->machine, 1);
	assert_in_range(count_turns(&f, 1, 8), 2, 3);
	fixture_close(&f);
}

static void
a_raised_weight_saves_up_no_turns(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 1, 100, 100 }, 3);
	turns(&f, 0, 60);
	machine_set_weight(f.pool.endpoints[0]->machine, 100);
	assert_in_range(count_turns(&f, 0, 30), 9, 12);
	machine_set_weight(f.pool.endpoints[0]->machine, 1);
	assert_in_range(count_turns(&f, 0, 402), 1, 3);
	fixture_close(&f);
}

static void
one_failure_costs_no_turns(void **state)
{
	struct fixture f;
	const struct endpoint *tried[1];
	const struct balance_key key = { .tried = tried, .tried_count = 1 };
	int taken[3] = { 0 };

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 1, 1, 1 }, 3);
	tried[0] = f.pool.endpoints[0];
	for (int i = 0; i < 600; i++) {
		int picked = fixture_pick(&f, 0, &any_user);

		if (picked == 0)		/* it fails; the next one has the session */
			picked = fixture_pick(&f, 0, &key);
		taken[picked]++;
	}
	assert_int_equal(taken[0], 0);
	assert_in_range(taken[1], 290, 310);
	fixture_close(&f);
}

static void
nothing_usable_is_none(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, BALANCER_roundrobin, (const int[]){ 0, 0 }, 2);
	assert_string_equal(turns(&f, 3, 3), "---");
	machine_set_weight(f.pool.endpoints[1]->machine, 1);
	assert_string_equal(turns(&f, 3, 3), "bbb");
	fixture_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_smooth),
		cmocka_unit_test(shares_by_weight),
		cmocka_unit_test(workers_are_out_of_step),
		cmocka_unit_test(absence_saves_up_no_turns),
		cmocka_unit_test(a_raised_weight_saves_up_no_turns),
		cmocka_unit_test(one_failure_costs_no_turns),
		cmocka_unit_test(nothing_usable_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
