/* SPDX-License-Identifier: BSD-2-Clause */
/* seal_test.c: only the key opens what it sealed, unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/seal.h"

static const uint8_t key[SEAL_KEY_SIZE] = { 1, 2, 3 }, other[SEAL_KEY_SIZE] = { 1, 2, 4 };

static void
the_key_opens_it(void **state)
{
	static const char *const secrets[] = { "", "x", "a secret longer than one block of the cipher" };

	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		struct buf sealed = { 0 }, secret = { 0 };

		seal_make(key, slice_of(secrets[i]), &sealed);
		if (strlen(secrets[i]) > 1)
			assert_null(memmem(buf_data(&sealed), buf_len(&sealed), secrets[i], 8));
		assert_true(seal_open(key, buf_slice(&sealed), &secret));
		assert_true(slice_equals(buf_slice(&secret), secrets[i]));
		buf_wipe(&secret);
		buf_clear(&sealed);
	}
}

static void
nothing_else_does(void **state)
{
	struct buf sealed = { 0 }, again = { 0 }, secret = { 0 };

	(void)state;
	seal_make(key, slice_of("secret"), &sealed);
	seal_make(key, slice_of("secret"), &again);
	assert_int_equal(buf_len(&sealed), buf_len(&again));
	assert_memory_not_equal(buf_data(&sealed), buf_data(&again), buf_len(&again));
	assert_false(seal_open(other, buf_slice(&sealed), &secret));
	for (size_t i = 0; i < buf_len(&sealed); i++) {
		assert_false(seal_open(key, slice_make(buf_data(&sealed), i), &secret));
		buf_data(&sealed)[i] ^= 1;
		assert_false(seal_open(key, buf_slice(&sealed), &secret));
		buf_data(&sealed)[i] ^= 1;
	}
	assert_int_equal(buf_len(&secret), 0);
	assert_true(seal_open(key, buf_slice(&sealed), &secret));
	buf_wipe(&secret);
	buf_clear(&sealed);
	buf_clear(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_opens_it),
		cmocka_unit_test(nothing_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
