/* SPDX-License-Identifier: BSD-2-Clause */
/* random_test.c: bytes fill exactly what was asked for, and differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static void
fills_what_was_asked_for(void **state)
{
	uint8_t bytes[302] = { 0 }, seen[300] = { 0 };

	(void)state;
	/* each byte is other than 0 in some round */
	for (int round = 0; round < 40; round++) {
		random_bytes(bytes + 1, 300);
		for (int i = 0; i < 300; i++)
			seen[i] |= bytes[i + 1];
	}
	for (int i = 0; i < 300; i++)
		assert_int_not_equal(seen[i], 0);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[301], 0);
}

static void
numbers_differ(void **state)
{
	(void)state;
	assert_true(random_number() != random_number());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_what_was_asked_for),
		cmocka_unit_test(numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
