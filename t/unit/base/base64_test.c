/* SPDX-License-Identifier: BSD-2-Clause */
/* base64_test.c: RFC 4648's examples, and everything that is not strict base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

static void
rfc_examples_both_ways(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct buf out = { 0 };

		buf_append_text(&out, ">");
		base64_encode(slice_of(pairs[i][0]), &out);
		assert_true(slice_equals(slice_from(buf_slice(&out), 1), pairs[i][1]));
		buf_truncate(&out, 1);
		assert_true(base64_decode(slice_of(pairs[i][1]), &out));
		assert_true(slice_equals(slice_from(buf_slice(&out), 1), pairs[i][0]));
		buf_clear(&out);
	}
}

static void
all_bytes_both_ways(void **state)
{
	char bytes[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf text = { 0 }, back = { 0 };

		base64_encode(slice_make(bytes, n), &text);
		assert_int_equal(buf_len(&text), (n + 2) / 3 * 4);
		assert_true(base64_decode(buf_slice(&text), &back));
		assert_int_equal(buf_len(&back), n);
		assert_memory_equal(buf_slice(&back).data, bytes, n);
		buf_clear(&text);
		buf_clear(&back);
	}
}

static void
refuses_what_is_not_strict(void **state)
{
	static const char *const bad[] = {
		"Zg", "Zg=", "Zg==Zg==", "Zm8=Zm9v", "=", "====", "Z===", "=Zm9", "Zm9v\n", "Zm 9", "Zh==",
		"Zm9=", "Zm9-", "Zm9_", "Zm9vZm\n=", "Zm9vZ=m9", "Zmv\xff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf out = { 0 };

		buf_append_text(&out, "kept");
		assert_false(base64_decode(slice_of(bad[i]), &out));
		assert_true(slice_equals(buf_slice(&out), "kept"));
		assert_null(memmem(out.data, out.size, "foo", 3));
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_examples_both_ways),
		cmocka_unit_test(all_bytes_both_ways),
		cmocka_unit_test(refuses_what_is_not_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
