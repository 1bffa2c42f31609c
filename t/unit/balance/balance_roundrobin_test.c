/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_roundrobin_test.c: smooth turns by weight, workers out of step, and no bursts after a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"
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

static void
count_picks(const struct crowd *crowd, const struct balance_key *key, int picks, int *counts)
{
	memset(counts, 0, crowd->count * sizeof(*counts));
	for (int i = 0; i < picks; i++) {
		int picked = crowd_pick(crowd, 0, key);

		assert_true(picked >= 0);
		counts[picked]++;
	}
}

static void
an_agents_percent_and_a_slow_start_count(void **state)
{
	struct crowd *crowd = crowd_new(&balance_roundrobin, (const int[]){ 2, 2, 4 }, 3);
	int counts[3];

	(void)state;
	crowd_agent(crowd, 0, 50);
	crowd_ramp(crowd, 2, 25);
	count_picks(crowd, &any_key, 4000, counts);
	assert_in_range(counts[0], 998, 1002);
	assert_in_range(counts[1], 1998, 2002);
	assert_in_range(counts[2], 998, 1002);
	crowd_agent(crowd, 0, 0);
	crowd_ramp(crowd, 2, 100);
	count_picks(crowd, &any_key, 6000, counts);
	assert_int_equal(counts[0], 0);
	assert_in_range(counts[1], 1998, 2002);
	crowd_free(&crowd);
}

/* Whoever is full passes: what remains is as even as before, and nobody has saved up turns. */
static void
full_ones_pass(void **state)
{
	struct crowd *crowd = crowd_new(&balance_roundrobin, (const int[]){ 1, 1, 4, 2, 1 }, 5);
	int counts[5];

	(void)state;
	crowd_fill(crowd, 2);
	count_picks(crowd, &any_key, 1000, counts);
	assert_int_equal(counts[2], 0);
	assert_in_range(counts[3], 390, 410);
	assert_in_range(counts[0], 190, 210);
	crowd_bound(crowd, 2, 0);
	count_picks(crowd, &any_key, 9, counts);
	assert_in_range(counts[2], 3, 5);
	count_picks(crowd, &any_key, 900, counts);
	assert_in_range(counts[2], 398, 402);
	crowd_free(&crowd);
}

/* What the others have left of each other's turns stays as smooth as without it. */
static void
a_full_one_does_not_hold_the_clock(void **state)
{
	struct crowd *crowd = crowd_new(&balance_roundrobin, (const int[]){ 5, 1, 1, 200 }, 4);
	char text[15] = { 0 };

	(void)state;
	crowd_fill(crowd, 3);
	for (int i = 0; i < 14; i++)
		text[i] = (char)('a' + crowd_pick(crowd, 0, &any_key));
	assert_string_equal(text, "abaacaaabaacaa");
	crowd_free(&crowd);
}

/* Each that has room has its turns, wherever it stands among many that have none, soon after it has. */
static void
few_among_many_full_ones_are_found(void **state)
{
	enum { WITH_ROOM = 4, EACH = 50, SOON = CROWD_MAX / 4 };
	static const int with_room[WITH_ROOM] = { 300, 400, 401, 999 };
	struct crowd *crowd = crowd_new(&balance_roundrobin, NULL, CROWD_MAX);
	static int counts[CROWD_MAX];

	(void)state;
	for (size_t i = 0; i < CROWD_MAX; i++)
		crowd_fill(crowd, i);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	for (int i = 0; i < WITH_ROOM; i++)
		crowd_bound(crowd, (size_t)with_room[i], 0);
	assert_true(crowd_pick(crowd, 0, &any_key) >= 0);
	count_picks(crowd, &any_key, SOON, counts);
	count_picks(crowd, &any_key, WITH_ROOM * EACH, counts);
	for (int i = 0; i < WITH_ROOM; i++)
		assert_in_range(counts[with_room[i]], EACH - 1, EACH + 1);
	for (size_t i = 0; i < CROWD_MAX; i++)
		crowd_bound(crowd, i, 0);
	count_picks(crowd, &any_key, SOON, counts);
	count_picks(crowd, &any_key, 2 * CROWD_MAX, counts);
	for (size_t i = 0; i < CROWD_MAX; i++)
		assert_in_range(counts[i], 1, 3);
	crowd_free(&crowd);
}

static void
a_promise_is_kept(void **state)
{
	struct crowd *crowd = crowd_new(&balance_roundrobin, NULL, 40);
	const struct balance_key promised = { .keeps_promise = crowd_keeps_promise,
		.promise = crowd->endpoints[33] };
	int counts[40];

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(crowd_pick(crowd, 0, &promised), 33);
	count_picks(crowd, &any_key, 400, counts);
	for (int i = 0; i < 40; i++)
		assert_in_range(counts[i], 9, 11);
	crowd_free(&crowd);
}

/* Those who wait are spread, too: asking whether all are full takes no turn. */
static void
waiting_ones_are_spread(void **state)
{
	const struct balance_key full_too = { .full_too = true };
	struct crowd *crowd = crowd_new(&balance_roundrobin, NULL, 2);
	int counts[2] = { 0 };

	(void)state;
	crowd_fill(crowd, 0);
	crowd_fill(crowd, 1);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
		counts[crowd_pick(crowd, 0, &full_too)]++;
	}
	assert_int_equal(counts[0], 50);
	crowd_free(&crowd);
}

static void
who_is_down_has_no_turn_but_in_a_panic(void **state)
{
	struct crowd *crowd = crowd_new(&balance_roundrobin, (const int[]){ 1, 1, 2 }, 3);
	int counts[3];

	(void)state;
	crowd_down(crowd, 2);
	count_picks(crowd, &any_key, 100, counts);
	assert_int_equal(counts[0], 50);
	assert_int_equal(counts[1], 50);
	crowd_down(crowd, 0);
	crowd_down(crowd, 1);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd->roster->may_panic = true;
	count_picks(crowd, &any_key, 400, counts);
	assert_int_equal(counts[0], 100);
	assert_int_equal(counts[2], 200);
	crowd_up(crowd, 1);
	count_picks(crowd, &any_key, 10, counts);
	assert_int_equal(counts[1], 10);
	crowd_free(&crowd);
}

/* Of a thousand, by many weights: each has its share in each round, and none twice in a row. */
static void
many_are_smooth(void **state)
{
	struct crowd *crowd;
	static int weights[CROWD_MAX], counts[CROWD_MAX];
	int total = 0, before = -1;

	(void)state;
	for (int i = 0; i < CROWD_MAX; i++)
		total += weights[i] = 1 + i % 5;
	crowd = crowd_new(&balance_roundrobin, weights, CROWD_MAX);
	memset(counts, 0, sizeof(counts));
	for (int i = 0; i < 3 * total; i++) {
		int picked = crowd_pick(crowd, 0, &any_key);

		assert_true(picked >= 0 && picked != before);
		counts[picked]++;
		before = picked;
	}
	for (int i = 0; i < CROWD_MAX; i++)
		assert_in_range(counts[i], 3 * weights[i] - 1, 3 * weights[i] + 1);
	crowd_free(&crowd);
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
		cmocka_unit_test(an_agents_percent_and_a_slow_start_count),
		cmocka_unit_test(full_ones_pass),
		cmocka_unit_test(a_full_one_does_not_hold_the_clock),
		cmocka_unit_test(few_among_many_full_ones_are_found),
		cmocka_unit_test(a_promise_is_kept),
		cmocka_unit_test(waiting_ones_are_spread),
		cmocka_unit_test(who_is_down_has_no_turn_but_in_a_panic),
		cmocka_unit_test(many_are_smooth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
