/* SPDX-License-Identifier: BSD-2-Clause */
/* hash_test.c: values are the same for ever, and depend on seed and content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

/* Proxies of different versions must choose the same server for a user. */
static void
values_never_change(void **state)
{
	(void)state;
	assert_true(hash_bytes("", 0, 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(hash_bytes(NULL, 0, 0) == UINT64_C(0x2d06800538d394c2));
	assert_true(hash_bytes("alice@example.org", 17, 42) == UINT64_C(0xdb23db4802a2da39));
}

static void
depends_on_seed_and_content(void **state)
{
	(void)state;
	assert_true(hash_bytes("d01", 3, 1) != hash_bytes("d01", 3, 2));
	assert_true(hash_bytes("d01", 3, 1) != hash_bytes("d02", 3, 1));
	assert_true(hash_bytes("d01", 3, 1) != hash_bytes("d01", 2, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_never_change),
		cmocka_unit_test(depends_on_seed_and_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
