/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_leastconn_test.c: the fewest connections for the weight, and who is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_fixture.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_by_weight),
		cmocka_unit_test(leaves_out_weightless_full_and_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
