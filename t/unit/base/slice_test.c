/* SPDX-License-Identifier: BSD-2-Clause */
/* slice_test.c: comparing, words and numbers at their boundaries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"

#define assert_slice(s, text) assert_true(slice_equals((s), (text)))

static void
comparing(void **state)
{
	struct slice s = slice_of("StLs");

	(void)state;
	assert_true(slice_equals_nocase(s, "STLS"));
	assert_false(slice_equals(s, "STLS"));
	assert_false(slice_equals_nocase(s, "STL"));
	assert_false(slice_equals_nocase(s, "STLS "));
	assert_true(slice_has_prefix_nocase(s, "stl"));
	assert_true(slice_has_prefix_nocase(s, ""));
	assert_true(slice_has_prefix(slice_of("rounds=5"), "rounds="));
	assert_true(slice_has_prefix(slice_of(NULL), ""));
	assert_false(slice_has_prefix(slice_of("Rounds=5"), "rounds="));
	assert_false(slice_has_prefix(slice_of("round"), "rounds="));
	assert_false(slice_has_prefix_nocase(s, "stls2"));
	assert_false(slice_equals_nocase(slice_of("@["), "`{"));	/* 0x20 apart, but no letters */
	assert_false(slice_equals(slice_make("a\0b", 3), "a"));
	assert_slice(slice_of(NULL), "");
}

static void
trimming_and_cutting(void **state)
{
	(void)state;
	assert_slice(slice_trim(slice_of(" \t a b\r\n")), "a b");
	assert_slice(slice_trim(slice_of(" \r\n ")), "");
	assert_slice(slice_from(slice_of("abc"), 1), "bc");
	assert_slice(slice_from(slice_of("abc"), 3), "");
	assert_slice(slice_from(slice_of("abc"), 9), "");
}

static void
words(void **state)
{
	struct slice rest = slice_of("  A01 LOGIN\tx  ");

	(void)state;
	assert_slice(slice_word(&rest), "A01");
	assert_slice(rest, " LOGIN\tx  ");
	assert_slice(slice_word(&rest), "LOGIN");
	assert_slice(slice_word(&rest), "x");
	assert_slice(slice_word(&rest), "");
	assert_int_equal(rest.len, 0);
	assert_slice(slice_word(&rest), "");
}

static void
parts(void **state)
{
	struct slice rest = slice_of("a,,b c");

	(void)state;
	assert_slice(slice_take(&rest, ','), "a");
	assert_slice(rest, ",b c");
	assert_slice(slice_take(&rest, ','), "");
	assert_slice(slice_take(&rest, ','), "b c");
	assert_int_equal(rest.len, 0);
	assert_slice(slice_take(&rest, ','), "");
}

static void
numbers(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(slice_to_number(slice_of("0"), 0, &n));
	assert_int_equal(n, 0);
	assert_true(slice_to_number(slice_of("65535"), 65535, &n));
	assert_int_equal(n, 65535);
	assert_false(slice_to_number(slice_of("65536"), 65535, &n));
	assert_true(slice_to_number(slice_of("18446744073709551615"), UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_false(slice_to_number(slice_of("18446744073709551616"), UINT64_MAX, &n));
	assert_false(slice_to_number(slice_of("99999999999999999999999"), UINT64_MAX, &n));
	assert_false(slice_to_number(slice_of("7"), 3, &n));
	assert_false(slice_to_number(slice_of(""), 9, &n));
	assert_false(slice_to_number(slice_of("-1"), 9, &n));
	assert_false(slice_to_number(slice_of("+1"), 9, &n));
	assert_false(slice_to_number(slice_of("1 "), 9, &n));
	assert_true(n == UINT64_MAX);
}

static void
printable_utf_8(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} good[] = { { "", 0 }, { "J\xc3\xb6rg ~", 7 }, { "\xf0\x9f\x93\xa7", 4 } },
	    bad[] = { { "a\0b", 3 }, { "a\n", 2 }, { "\x7f", 1 }, { "\xc2\x85", 2 }, { "a\xc3", 2 },
		    { "\xff", 1 }, { "\xc0\xaf", 2 }, { "\xed\xa0\x80", 3 } };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(slice_is_printable(slice_make(good[i].text, good[i].len)));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(slice_is_printable(slice_make(bad[i].text, bad[i].len)));
	assert_int_equal(slice_printable(slice_of("\xc3\xb6x")), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparing),
		cmocka_unit_test(trimming_and_cutting),
		cmocka_unit_test(words),
		cmocka_unit_test(parts),
		cmocka_unit_test(numbers),
		cmocka_unit_test(printable_utf_8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
