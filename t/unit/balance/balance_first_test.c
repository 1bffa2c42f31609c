/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_first_test.c: the file's order, room, and who is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"

#include "balance/endpoint_room.h"

static void
fills_one_behind_the_other(void **state)
{
	struct crowd *crowd = crowd_new(&balance_first, (const int[]){ 1, 256, 3 }, 3);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		crowd_bound(crowd, i, 2);
	for (int i = 0; i < 6; i++)
		assert_int_equal(crowd_take(crowd, i % CROWD_THREADS, &any_key), i / 2);
	assert_int_equal(crowd_take(crowd, 0, &any_key), -1);
	endpoint_release(crowd->endpoints[0]);
	assert_int_equal(crowd_take(crowd, 0, &any_key), 0);
	crowd_free(&crowd);
}

static void
leaves_out_who_wants_nobody(void **state)
{
	struct crowd *crowd = crowd_new(&balance_first, (const int[]){ 0, 1, 1, 1, 1 }, 5);
	const struct endpoint *tried[] = { crowd->endpoints[3] };
	const struct balance_key key = { .tried = tried, .tried_count = 1 };

	(void)state;
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 1);
	crowd_agent(crowd, 1, 0);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 2);
	crowd_agent(crowd, 1, 1);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 1);
	crowd_down(crowd, 1);
	machine_set_admin(crowd_machine(crowd, 2), ADMIN_DRAIN, "");
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 3);
	assert_int_equal(crowd_pick(crowd, 0, &key), 4);
	crowd_down(crowd, 3);
	crowd_down(crowd, 4);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	crowd_ramp(crowd, 3, 0);	/* a share is not asked for, as long as there is one */
	assert_int_equal(crowd_pick(crowd, 0, &any_key), 3);
	crowd_free(&crowd);
}

/* Who waits at one server is not served by another. */
static void
where_all_are_full_the_fewest_wait_together(void **state)
{
	struct crowd *crowd = crowd_new(&balance_first, NULL, 3);
	const struct balance_key key = { .full_too = true };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		crowd_bound(crowd, i, 5);
		for (int n = 0; n < 5; n++)
			endpoint_take(crowd->endpoints[i]);
	}
	crowd_bound(crowd, 1, 4);	/* lowered since */
	endpoint_release(crowd->endpoints[1]);
	assert_int_equal(crowd_pick(crowd, 0, &any_key), -1);
	assert_int_equal(crowd_pick(crowd, 0, &key), 1);
	endpoint_release(crowd->endpoints[2]);
	assert_int_equal(crowd_pick(crowd, 0, &key), 2);	/* it has room */
	crowd_free(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_one_behind_the_other),
		cmocka_unit_test(leaves_out_who_wants_nobody),
		cmocka_unit_test(where_all_are_full_the_fewest_wait_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
