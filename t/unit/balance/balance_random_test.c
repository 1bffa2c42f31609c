/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_random_test.c: shares by weight where nobody is busy, nearly even loads where all are, and that
 * somebody is found whoever is left out.  What is drawn by lot is judged by six standard deviations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"

#include "balance/endpoint_room.h"

enum { PICKS = 60000 };

static void
expect_shares(const struct crowd *crowd, const double *shares)
{
	int counts[CROWD_MAX] = { 0 };

	for (int i = 0; i < PICKS; i++)
		counts[crowd_pick(crowd, i % CROWD_THREADS, &any_key)]++;
	for (size_t i = 0; i < crowd->count; i++) {
		if (shares[i] == 0)
			assert_int_equal(counts[i], 0);
		else
			assert_true(off_by(counts[i], PICKS * shares[i]) < 36);
	}
}

static void
idle_ones_are_drawn_by_their_shares(void **state)
{
	struct crowd *crowd = crowd_new(&balance_random, (const int[]){ 1, 2, 0, 5, 2 }, 5);

	(void)state;
	expect_shares(crowd, (const double[]){ 0.1, 0.2, 0, 0.5, 0.2 });
	machine_set_weight(crowd_machine(crowd, 2), 10);
	expect_shares(crowd, (const double[]){ 0.05, 0.1, 0.5, 0.25, 0.1 });
	crowd_agent(crowd, 2, 0);
	crowd_agent(crowd, 3, 20);
	expect_shares(crowd, (const double[]){ 1 / 6.0, 2 / 6.0, 0, 1 / 6.0, 2 / 6.0 });
	crowd_free(&crowd);
	crowd = crowd_new(&balance_random, NULL, 2);
	crowd_agent(crowd, 0, 1);	/* shares of 2: none is drawn too often by one */
	crowd_agent(crowd, 1, 1);
	expect_shares(crowd, (const double[]){ 0.5, 0.5 });
	crowd_free(&crowd);
}

static void
a_slow_start_counts(void **state)
{
	struct crowd *crowd = crowd_new(&balance_random, NULL, 4);

	(void)state;
	crowd_down(crowd, 1);
	expect_shares(crowd, (const double[]){ 1 / 3.0, 0, 1 / 3.0, 1 / 3.0 });
	crowd_ramp(crowd, 1, 50);
	expect_shares(crowd, (const double[]){ 2 / 7.0, 1 / 7.0, 2 / 7.0, 2 / 7.0 });
	crowd_ramp(crowd, 1, 100);
	expect_shares(crowd, (const double[]){ 0.25, 0.25, 0.25, 0.25 });
	crowd_free(&crowd);
}

/* One lot would leave some with twice the average. */
static void
of_two_the_less_loaded_one_is_taken(void **state)
{
	enum { SERVERS = 100, EACH = 100 };
	struct crowd *crowd = crowd_new(&balance_random, NULL, SERVERS);
	int most = 0, least = EACH;

	(void)state;
	for (int i = 0; i < SERVERS * EACH; i++)
		assert_true(crowd_take(crowd, 0, &any_key) >= 0);
	for (size_t i = 0; i < SERVERS; i++) {
		int connections = endpoint_load(crowd->endpoints[i]).connections;

		most = connections > most ? connections : most;
		least = connections < least ? connections : least;
	}
	printf("# of %d sessions at %d servers each has %d to %d\n", SERVERS * EACH, SERVERS, least, most);
	assert_in_range(most, EACH, EACH + 6);
	crowd_free(&crowd);
	crowd = crowd_new(&balance_random, NULL, 2);
	endpoint_take(crowd->endpoints[0]);
	for (int i = 0; i < 100; i++)		/* of two servers both are drawn */
		assert_int_equal(crowd_pick(crowd, 0, &any_key), 1);
	crowd_free(&crowd);
}

static void
the_last_one_is_found(void **state)
{
	enum { LAST = 637 };
	struct crowd *crowd = crowd_new(&balance_random, NULL, CROWD_MAX);
	struct balance_key key = { 0 };
	const struct endpoint *tried[1];

	(void)state;
	for (size_t i = 0; i < CROWD_MAX; i++)
		if (i != LAST)
			crowd_fill(crowd, i);
	for (int i = 0; i < 100; i++)
		assert_int_equal(crowd_pick(crowd, 0, &any_key), LAST);
	tried[0] = crowd->endpoints[LAST];
	key.tried = tried;
	key.tried_count = 1;
	assert_int_equal(crowd_pick(crowd, 0, &key), -1);
	key = (struct balance_key){ .full_too = true, .keeps_promise = crowd_keeps_promise,
		.promise = crowd->endpoints[5] };
	for (int i = 0; i < 100; i++)
		assert_int_equal(crowd_pick(crowd, 0, &key), 5);
	crowd_free(&crowd);
}

static void
all_down_is_none_but_for_a_panic(void **state)
{
	struct crowd *crowd = crowd_new(&balance_random, (const int[]){ 1, 1, 0 }, 3);

	(void)state;
	crowd_down(crowd, 0);
	crowd_down(crowd, 1);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd->roster->may_panic = true;
	expect_shares(crowd, (const double[]){ 0.5, 0.5, 0 });
	machine_set_weight(crowd_machine(crowd, 2), 1);		/* unknown: up */
	expect_shares(crowd, (const double[]){ 0, 0, 1 });
	crowd_free(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_ones_are_drawn_by_their_shares),
		cmocka_unit_test(a_slow_start_counts),
		cmocka_unit_test(of_two_the_less_loaded_one_is_taken),
		cmocka_unit_test(the_last_one_is_found),
		cmocka_unit_test(all_down_is_none_but_for_a_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
