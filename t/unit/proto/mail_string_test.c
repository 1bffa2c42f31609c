/* SPDX-License-Identifier: BSD-2-Clause */
/* mail_string_test.c: strings of both forms, and what only looks like one; what is written reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mail_string.h"

static void
taken(void **state)
{
	static const struct {
		const char *in, *content, *rest;	/* content NULL: no string */
	} rows[] = {
		{ "\"\"", "", "" },
		{ "\"a b\" c", "a b", " c" },
		{ "\"a\\\"b\\\\c\"", "a\"b\\c", "" },
		{ "{0}\r\n", "", "" },
		{ "{3}\r\na\"b c", "a\"b", " c" },
		{ "{3+}\r\n\r\n\"x", "\r\n\"", "x" },
		{ "{1}\na", "a", "" },
		{ "", NULL, NULL },
		{ "a", NULL, NULL },
		{ "\"a", NULL, NULL },
		{ "\"a\\\"", NULL, NULL },
		{ "\"a\\b\"", NULL, NULL },
		{ "\"a\rb\"", NULL, NULL },
		{ "{}\r\n", NULL, NULL },
		{ "{+}\r\n", NULL, NULL },
		{ "{2}\r\na", NULL, NULL },
		{ "{1}a", NULL, NULL },
		{ "{1", NULL, NULL },
		{ "{18446744073709551616}\r\n", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice rest = slice_of(rows[i].in);
		struct buf out = { 0 };
		bool is_string = mail_string_take(&rest, &out);

		if (is_string != (rows[i].content != NULL))
			fail_msg("\"%s\"", rows[i].in);
		if (is_string) {
			assert_true(slice_equals(buf_slice(&out), rows[i].content));
			assert_true(slice_equals(rest, rows[i].rest));
		}
		buf_clear(&out);
	}
}

static void
blanks(void **state)
{
	struct slice rest = slice_of("  a");

	(void)state;
	assert_true(mail_string_take_blank(&rest));
	assert_true(mail_string_take_blank(&rest));
	assert_false(mail_string_take_blank(&rest));
	assert_true(slice_equals(rest, "a"));
}

static void
quoted(void **state)
{
	struct buf out = { 0 };

	(void)state;
	mail_string_write_quoted(&out, slice_of("a\"b\\c\r\n\x01\x7f\xc3\xb6"));
	assert_true(slice_equals(buf_slice(&out), "\"a\\\"b\\\\c\xc3\xb6\""));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(blanks),
		cmocka_unit_test(quoted),
	};

	return cmocka_run_group_tests_name("mail_string", tests, NULL, NULL);
}
