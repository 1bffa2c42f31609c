/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_signing_test.c: what is signed is opened once, in its time and as it was. */
#include "../net/tape.h"

#include "state/cluster_signing.h"

enum { NOW = 1000 * 1000, MINUTE = 60 * 1000 };

static const uint8_t key[DIGEST_SHA256_SIZE] = { 1 }, other_key[DIGEST_SHA256_SIZE] = { 2 };

static bool
opens(struct signing *signing, const struct buf *text, int64_t now)
{
	struct slice message = buf_slice(text);

	return signing_open(signing, &message, now) && slice_equals(message, "ask\none");
}

static void
what_is_signed_is_opened_once(void **state)
{
	struct signing *one = signing_new(key, "c", "1"), *two = signing_new(key, "c", "2");
	struct buf first = { 0 }, second = { 0 };

	(void)state;
	signing_write(one, slice_of("ask\none"), NOW, &first);
	signing_write(one, slice_of("ask\none"), NOW, &second);
	assert_true(signing_is_signed(buf_slice(&first)));
	assert_true(opens(two, &first, NOW + 1));
	assert_false(opens(two, &first, NOW + 1));
	assert_true(opens(two, &second, NOW + 1));
	assert_false(opens(two, &first, NOW + 1));
	buf_clear(&first);
	buf_clear(&second);
	signing_free(&one);
	signing_free(&two);
}

static void
nothing_else_is_opened(void **state)
{
	struct signing *one = signing_new(key, "c", "1"), *elsewhere = signing_new(key, "d", "2");
	struct signing *stranger = signing_new(other_key, "c", "2"), *two = signing_new(key, "c", "2");
	struct buf text = { 0 };
	struct slice message = slice_of("ask\none");

	(void)state;
	signing_write(one, slice_of("ask\none"), NOW, &text);
	assert_false(opens(elsewhere, &text, NOW));
	assert_false(opens(stranger, &text, NOW));
	assert_false(opens(two, &text, NOW + 2 * MINUTE));
	assert_false(opens(two, &text, NOW - 2 * MINUTE));
	assert_false(signing_is_signed(message));
	assert_false(signing_open(two, &message, NOW));
	for (size_t i = 0; i < buf_len(&text); i++) {
		char *bytes = (char *)buf_data(&text);

		bytes[i] ^= 1;
		assert_false(opens(two, &text, NOW));
		bytes[i] ^= 1;
	}
	for (size_t len = 0; len < buf_len(&text); len++) {
		message = slice_make(buf_data(&text), len);
		assert_false(signing_open(two, &message, NOW));
	}
	assert_true(opens(two, &text, NOW));
	buf_clear(&text);
	signing_free(&one);
	signing_free(&elsewhere);
	signing_free(&stranger);
	signing_free(&two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_signed_is_opened_once),
		cmocka_unit_test(nothing_else_is_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
