/* SPDX-License-Identifier: BSD-2-Clause */
/* digest_test.c: SHA-256 against FIPS 180-4's examples, and wiping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/xalloc.h"

static void
sha256_examples(void **state)
{
	static const uint8_t of_abc[] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
		0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
		0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
		0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	uint8_t out[DIGEST_SHA256_SIZE];

	(void)state;
	digest_sha256("abc", 3, out);
	assert_memory_equal(out, of_abc, sizeof(of_abc));
	digest_sha256(NULL, 0, out);
	assert_int_equal(out[0], 0xe3);
	assert_int_equal(out[DIGEST_SHA256_SIZE - 1], 0x55);
}

static void
wiping(void **state)
{
	char text[] = "secret!", *copy = xstrdup("secret");

	(void)state;
	secret_wipe(text, 6);
	assert_memory_equal(text, "\0\0\0\0\0\0!", 8);
	secret_wipe(NULL, 0);
	secret_free(&copy);
	assert_null(copy);
	secret_free(&copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_examples),
		cmocka_unit_test(wiping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
