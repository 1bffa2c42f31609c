/* SPDX-License-Identifier: BSD-2-Clause */
/* listener_orders_test.c: whose bound counts, the file's or the operator's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/listener_orders.h"

static void
an_operators_bound_counts_until_the_file_has_another(void **state)
{
	struct listener_orders orders = { 0 };

	(void)state;
	listener_orders_init(&orders);
	assert_int_equal(listener_orders_max(&orders, 7), 7);
	listener_orders_configure(&orders, 7);
	listener_orders_bound(&orders, 0, "by bob");
	listener_orders_configure(&orders, 7);
	assert_int_equal(listener_orders_max(&orders, 7), 0);
	assert_string_equal(orders.bounded.why, "by bob");
	listener_orders_bound(&orders, 7, "by bob");
	assert_string_equal(orders.bounded.why, "");
	listener_orders_bound(&orders, 9, "by bob");
	listener_orders_configure(&orders, 8);
	assert_int_equal(listener_orders_max(&orders, 8), 8);
	assert_string_equal(orders.bounded.why, "");
}

static void
who_disabled_it_is_kept(void **state)
{
	struct listener_orders orders = { 0 };

	(void)state;
	listener_orders_init(&orders);
	assert_false(listener_orders_disable(&orders, false, "by bob"));
	assert_true(listener_orders_disable(&orders, true, "by bob"));
	assert_false(listener_orders_disable(&orders, true, "by ann"));
	assert_string_equal(orders.disabled.why, "by bob");
	listener_orders_configure(&orders, 8);
	assert_true(listener_orders_disable(&orders, false, "by ann"));
	assert_string_equal(orders.disabled.why, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_operators_bound_counts_until_the_file_has_another),
		cmocka_unit_test(who_disabled_it_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
