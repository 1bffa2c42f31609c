/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_leastconn_test.c: the fewest connections for the share, turns of equal ones, who is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"
#include "pool_fixture.h"

#include "balance/endpoint_room.h"

static void
take_and_release_all(struct fixture *f, int sessions, int *taken)
{
	memset(taken, 0, FIXTURE_SERVERS * sizeof(*taken));
	for (int i = 0; i < sessions; i++) {
		int picked = fixture_pick(f, 0, &any_user);

		assert_true(picked >= 0);
		assert_true(endpoint_take(f->pool.endpoints[picked]));
		taken[picked]++;
	}
	for (size_t i = 0; i < f->pool.endpoint_count; i++)
		for (int n = 0; n < taken[i]; n++)
			endpoint_release(f->pool.endpoints[i]);
}

static void
shares_by_weight(void **state)
{
	struct fixture f;
	int taken[FIXTURE_SERVERS];

	(void)state;
	fixture_open(&f, BALANCER_leastconn, (const int[]){ 1, 2, 5 }, 3);
	take_and_release_all(&f, 800, taken);
	assert_int_equal(taken[0], 100);
	assert_int_equal(taken[1], 200);
	assert_int_equal(taken[2], 500);
	fixture_close(&f);
}

static void
leaves_out_weightless_full_and_tried(void **state)
{
	struct fixture f;
	const struct endpoint *tried[1];
	struct balance_key key = { .tried = tried, .tried_count = 1 };

	(void)state;
	fixture_open(&f, BALANCER_leastconn, (const int[]){ 0, 1, 1, 1 }, 4);
	assert_false(f.pool.is_bound);
	endpoint_set_max_connections(f.pool.endpoints[1], 1);
	assert_int_equal(fixture_pick(&f, 0, &any_user), 1);
	assert_true(endpoint_take(f.pool.endpoints[1]));
	tried[0] = f.pool.endpoints[2];
	assert_int_equal(fixture_pick(&f, 0, &key), 3);
	machine_set_weight(f.pool.endpoints[3]->machine, 0);
	assert_int_equal(fixture_pick(&f, 0, &key), -1);
	key.full_too = true;
	assert_int_equal(fixture_pick(&f, 0, &key), 1);
	endpoint_release(f.pool.endpoints[1]);
	fixture_close(&f);
}

/* Short sessions never meet another one. */
static void
equal_ones_take_turns(void **state)
{
	struct crowd *crowd = crowd_new(&balance_leastconn, (const int[]){ 1, 3, 1 }, 3);

	(void)state;
	for (int i = 0; i < 9; i++)
		assert_int_equal(crowd_pick(crowd, 0, &any_key), i % 3);
	for (int i = 0; i < 9; i++)		/* the workers do not run in step */
		assert_int_equal(crowd_pick(crowd, 1, &any_key), (i + 1) % 3);
	assert_int_equal(crowd_pick(crowd, 3, &any_key), 0);
	crowd_free(&crowd);
}

static void
agents_slow_starts_and_weights_count_at_once(void **state)
{
	struct crowd *crowd = crowd_new(&balance_leastconn, (const int[]){ 4, 4, 4, 4 }, 4);
	int taken[4] = { 0 };

	(void)state;
	crowd_agent(crowd, 0, 50);
	crowd_agent(crowd, 1, 0);
	crowd_ramp(crowd, 2, 25);
	for (int i = 0; i < 70; i++)
		taken[crowd_take(crowd, 0, &any_key)]++;
	assert_int_equal(taken[0], 20);
	assert_int_equal(taken[1], 0);
	assert_int_equal(taken[2], 10);
	machine_set_weight(crowd_machine(crowd, 3), 256);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 3);
	machine_set_weight(crowd_machine(crowd, 3), 1);
	assert_int_not_equal(crowd_pick(crowd, 0, &any_key), 3);
	crowd_free(&crowd);
}

static void
all_down_is_none_but_for_a_panic(void **state)
{
	struct crowd *crowd = crowd_new(&balance_leastconn, NULL, 2);
	const struct balance_key promised = { .keeps_promise = crowd_keeps_promise,
		.promise = crowd->endpoints[1] };

	(void)state;
	endpoint_take(crowd->endpoints[1]);
	assert_int_equal(crowd_pick(crowd, 0, &promised), 1);
	crowd_down(crowd, 0);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 1);
	crowd_down(crowd, 1);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd->roster->may_panic = true;
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 0);
	crowd_free(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_by_weight),
		cmocka_unit_test(leaves_out_weightless_full_and_tried),
		cmocka_unit_test(equal_ones_take_turns),
		cmocka_unit_test(agents_slow_starts_and_weights_count_at_once),
		cmocka_unit_test(all_down_is_none_but_for_a_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
