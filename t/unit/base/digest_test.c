/* SPDX-License-Identifier: BSD-2-Clause */
/* digest_test.c: digests against the examples of their standards; comparing and wiping secrets. */
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
digests_of_two_texts(void **state)
{
	static const uint8_t md5[] = { 0x90, 0x01, 0x50, 0x98 }, sha1[] = { 0xa9, 0x99, 0x3e, 0x36 };
	static const uint8_t sha256[] = { 0xba, 0x78, 0x16, 0xbf }, sha512[] = { 0xdd, 0xaf, 0x35, 0xa1 };
	static const struct {
		enum digest_kind kind;
		size_t size;
		const uint8_t *begin;
	} rows[] = {
		{ DIGEST_MD5, 16, md5 }, { DIGEST_SHA1, 20, sha1 },
		{ DIGEST_SHA256, 32, sha256 }, { DIGEST_SHA512, 64, sha512 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t out[DIGEST_SIZE_MAX];

		assert_int_equal(digest_size(rows[i].kind), rows[i].size);
		assert_true(digest_both(rows[i].kind, slice_of("a"), slice_of("bc"), out));
		assert_memory_equal(out, rows[i].begin, 4);
	}
}

/* RFC 4231, test case 2. */
static void
hmac_example(void **state)
{
	static const uint8_t begin[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e };
	uint8_t out[DIGEST_SIZE_MAX];

	(void)state;
	assert_true(digest_hmac(DIGEST_SHA256, slice_of("Jefe"),
	    slice_of("what do ya want for nothing?"), out));
	assert_memory_equal(out, begin, sizeof(begin));
}

/* RFC 6070, test case 3. */
static void
pbkdf2_example(void **state)
{
	static const uint8_t all[] = {
		0x4b, 0x00, 0x79, 0x01, 0xb7, 0x65, 0x48, 0x9a, 0xbe, 0xad,
		0x49, 0xd9, 0x26, 0xf7, 0x21, 0xd0, 0x65, 0xa4, 0x29, 0xc1,
	};
	uint8_t out[DIGEST_SIZE_MAX];

	(void)state;
	assert_true(digest_pbkdf2(DIGEST_SHA1, slice_of("password"), slice_of("salt"), 4096, out));
	assert_memory_equal(out, all, sizeof(all));
}

static void
comparing(void **state)
{
	(void)state;
	assert_true(secret_equals("secret", "secret", 6));
	assert_false(secret_equals("secret", "secreT", 6));
	assert_true(secret_equals("", "x", 0));
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

static void
marks_tell_texts_and_makers_apart(void **state)
{
	struct digest_marker *marker = digest_marker_new(), *other = digest_marker_new();
	uint8_t first[DIGEST_MARK_SIZE], again[DIGEST_MARK_SIZE], changed[DIGEST_MARK_SIZE];
	char text[200] = "a text";

	(void)state;
	digest_mark(marker, slice_make(text, sizeof(text)), first);
	digest_mark(marker, slice_make(text, sizeof(text)), again);
	assert_memory_equal(first, again, sizeof(first));
	digest_mark(other, slice_make(text, sizeof(text)), again);
	assert_memory_not_equal(first, again, sizeof(first));
	digest_mark(marker, slice_make(text, sizeof(text) - 1), changed);
	assert_memory_not_equal(first, changed, sizeof(first));
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] ^= 1;
		digest_mark(marker, slice_make(text, sizeof(text)), changed);
		assert_memory_not_equal(first, changed, sizeof(first));
		text[i] ^= 1;
	}
	digest_mark(marker, slice_make("", 0), changed);
	assert_memory_not_equal(first, changed, sizeof(first));
	digest_marker_free(&marker);
	digest_marker_free(&other);
	digest_marker_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_examples),
		cmocka_unit_test(digests_of_two_texts),
		cmocka_unit_test(hmac_example),
		cmocka_unit_test(pbkdf2_example),
		cmocka_unit_test(comparing),
		cmocka_unit_test(wiping),
		cmocka_unit_test(marks_tell_texts_and_makers_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
