/* SPDX-License-Identifier: BSD-2-Clause */
/* holders_test.c: one address with a large part is noticed once; many that have little each are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/xalloc.h"
#include "session/holders.h"

enum { MANY = 20000 };

static struct addr
address(uint32_t number)
{
	struct addr addr = { 0 };

	addr.in.sin_family = AF_INET;
	addr.in.sin_addr.s_addr = number;
	return addr;
}

static bool
come(struct holders *holders, struct holder *holder, uint32_t number, int all)
{
	struct addr addr = address(number);
	int has = holders_enter(holders, holder, &addr, 42);

	return holders_notice(holders, holder, has, all);
}

static void
one_with_a_large_part_is_noticed_once(void **state)
{
	struct holders *holders = xcalloc(1, sizeof(*holders));
	struct holder *all = xcalloc(MANY, sizeof(*all));
	int noticed = 0, at = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		/* a quarter is of one address */
		bool is_told = come(holders, &all[i], i % 4 == 0 ? 7 : 1000 + (uint32_t)i, i + 1);

		noticed += is_told;
		if (is_told)
			at = i;
	}
	assert_int_equal(noticed, 1);
	assert_in_range(at, 4 * (HOLDERS_LEAST - 1) - 3, 4 * HOLDERS_LEAST);
	for (int i = 0; i < MANY; i++)
		holders_leave(holders, &all[i]);
	for (int i = 0; i < MANY; i++)
		holders_leave(holders, &all[i]);
	for (int row = 0; row < HOLDERS_ROWS; row++)
		for (int i = 0; i < HOLDERS_CELLS; i++)
			assert_int_equal(holders->cells[row][i], 0);
	xfree(all);
	xfree(holders);
}

static void
neither_few_nor_a_small_part_are(void **state)
{
	struct holders *holders = xcalloc(1, sizeof(*holders));
	struct holder holder = { 0 };

	(void)state;
	for (int i = 1; i < HOLDERS_LEAST; i++)
		assert_false(come(holders, &holder, 7, i));
	for (uint32_t i = 0; i < MANY; i++) {
		assert_false(come(holders, &holder, 8 + i % 200, (int)i + HOLDERS_LEAST));
		assert_false(come(holders, &holder, 100000 + i, 2 * (int)i + HOLDERS_LEAST));
	}
	xfree(holders);
}

static void
networks_of_ipv6_are_one_client(void **state)
{
	struct holders *holders = xcalloc(1, sizeof(*holders));
	struct holder holder = { 0 };
	struct addr addr;

	(void)state;
	assert_true(addr_parse(slice_of("2001:db8::1"), 0, &addr));
	assert_int_equal(holders_enter(holders, &holder, &addr, 1), 1);
	assert_true(addr_parse(slice_of("2001:db8::2"), 0, &addr));
	assert_int_equal(holders_enter(holders, &holder, &addr, 1), 2);
	assert_true(addr_parse(slice_of("2001:db8:0:1::1"), 0, &addr));
	assert_int_equal(holders_enter(holders, &holder, &addr, 1), 1);
	xfree(holders);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_with_a_large_part_is_noticed_once),
		cmocka_unit_test(neither_few_nor_a_small_part_are),
		cmocka_unit_test(networks_of_ipv6_are_one_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
