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

/* RFC 3720 appendix B.4, and the check value of the catalogues. */
static void
crc32c_has_its_known_answers(void **state)
{
	static const uint8_t zeros[32];
	uint8_t rising[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rising); i++)
		rising[i] = (uint8_t)i;
	assert_true(hash_crc32c("", 0) == 0);
	assert_true(hash_crc32c("123456789", 9) == UINT32_C(0xe3069283));
	assert_true(hash_crc32c(zeros, sizeof(zeros)) == UINT32_C(0x8a9136aa));
	assert_true(hash_crc32c(rising, sizeof(rising)) == UINT32_C(0x46dd794e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_never_change),
		cmocka_unit_test(depends_on_seed_and_content),
		cmocka_unit_test(crc32c_has_its_known_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
