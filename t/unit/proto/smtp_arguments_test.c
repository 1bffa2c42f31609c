/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_arguments_test.c: paths, chunks, names, xtext and headers; slices end where their memory ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/smtp.h"

/* A copy in memory of just its size, so that a sanitizer sees what is read behind it; to be freed. */
static char *
exact(const char *text, size_t len)
{
	char *memory = xmalloc(len + (len == 0));

	memcpy(memory, text, len);
	return memory;
}

static void
try_path(const char *in, const char *keyword, const char *path, const char *rest)
{
	size_t len = strlen(in);
	char *memory = exact(in, len);
	struct slice args = slice_make(memory, len), found = slice_of("untouched");
	bool taken = smtp_take_path(&args, keyword, &found);

	if (taken != (path != NULL))
		fail_msg("\"%s\" is %staken", in, taken ? "" : "not ");
	if (!slice_equals(found, taken ? path : "untouched") || !slice_equals(args, taken ? rest : in))
		fail_msg("\"%s\": \"%.*s\", then \"%.*s\"", in, SLICE_ARGS(found), SLICE_ARGS(args));
	xfree(memory);
}

static void
paths(void **state)
{
	static const struct {
		const char *in, *path, *rest;		/* path NULL: refused */
	} rows[] = {
		{ "FROM:<>", "", "" },
		{ "from:<a@b>", "a@b", "" },
		{ "FROM:<a@b> SIZE=3", "a@b", " SIZE=3" },
		{ "FROM:<a@b> ", "a@b", " " },
		{ "FROM:  <a@b>", "a@b", "" },
		{ "  FROM:<a@b>", "a@b", "" },
		{ "FROM:<\"a b\"@x> X", "\"a b\"@x", " X" },
		{ "FROM:<\"a>b\"@x>", "\"a>b\"@x", "" },
		{ "FROM:<\"a\\\">\"@x>", "\"a\\\">\"@x", "" },
		{ "FROM:<a\\>b@x>", "a\\>b@x", "" },
		{ "FROM:<\"\"@x>", "\"\"@x", "" },
		{ "FROM:<@a.org,@b.org:c@d>", "@a.org,@b.org:c@d", "" },
		{ "FROM:<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "" },
		{ "FROM:<postmaster>", "postmaster", "" },
		{ "FROM:<\xc3\xb6@\xc3\xa4.example> SMTPUTF8", "\xc3\xb6@\xc3\xa4.example", " SMTPUTF8" },
		{ "FROM:a@b", "a@b", "" },
		{ "FROM: a@b SIZE=3", "a@b", " SIZE=3" },
		{ "FROM:\"a b\"@x SIZE=3", "\"a b\"@x", " SIZE=3" },
		{ "", NULL, NULL },
		{ "FROM", NULL, NULL },
		{ "FROM:", NULL, NULL },
		{ "FROM: ", NULL, NULL },
		{ "FROM :<a@b>", NULL, NULL },
		{ "FROM<a@b>", NULL, NULL },
		{ "FRO:<a@b>", NULL, NULL },
		{ "TO:<a@b>", NULL, NULL },
		{ "FROM:<", NULL, NULL },
		{ "FROM:<a@b", NULL, NULL },
		{ "FROM:<a@b SIZE=3", NULL, NULL },
		{ "FROM:<a@b >", NULL, NULL },
		{ "FROM:<<a@b>>", NULL, NULL },
		{ "FROM:<a@b>>", NULL, NULL },
		{ "FROM:<a@b>SIZE=3", NULL, NULL },
		{ "FROM:<a@b><c@d>", NULL, NULL },
		{ "FROM:a@b>", NULL, NULL },
		{ "FROM:a<b@c>", NULL, NULL },
		{ "FROM:>", NULL, NULL },
		{ "FROM:<\"a@b>", NULL, NULL },
		{ "FROM:\"a@b", NULL, NULL },
		{ "FROM:<a@b\\", NULL, NULL },
		{ "FROM:<a@b\\>", NULL, NULL },
		{ "FROM:a\\", NULL, NULL },
		{ "FROM:<a\t@b>", NULL, NULL },
		{ "FROM:\t<a@b>", NULL, NULL },
		{ "FROM:<a@b> SIZE=3\rRCPT TO:<c@d>", NULL, NULL },
		{ "FROM:<a@b> \x7f", NULL, NULL },
		{ "FROM:<\"a\x01\"@b>", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		try_path(rows[i].in, "FROM", rows[i].path, rows[i].rest);
	try_path("TO:<a@b> NOTIFY=NEVER", "TO", "a@b", " NOTIFY=NEVER");
	try_path("to: a@b", "TO", "a@b", "");
	try_path("TOO:<a@b>", "TO", NULL, NULL);
}

static void
nul_is_refused(void **state)
{
	const char with_nul[] = "FROM:<a\0b@c>";
	struct slice args = slice_make(with_nul, sizeof(with_nul) - 1), path;
	uint64_t octets;
	bool is_last;

	(void)state;
	assert_false(smtp_take_path(&args, "FROM", &path));
	assert_false(smtp_take_chunk(slice_make("5\0", 2), &octets, &is_last));
	assert_false(smtp_helo_is_valid(slice_make("a\0b", 3)));
	assert_false(smtp_is_header(slice_make("a\0:", 3)));
}

static void
chunks(void **state)
{
	static const struct {
		const char *in;
		bool is_good;
		uint64_t octets;
		bool is_last;
	} rows[] = {
		{ "0", true, 0, false },
		{ "86 LAST", true, 86, true },
		{ "0 last", true, 0, true },
		{ "  12   LAST ", true, 12, true },
		{ "007", true, 7, false },
		{ "18446744073709551615", true, UINT64_MAX, false },
		{ "00018446744073709551615 LAST", true, UINT64_MAX, true },
		{ "18446744073709551616", false, 0, false },
		{ "99999999999999999999", false, 0, false },
		{ "184467440737095516150", false, 0, false },
		{ "", false, 0, false },
		{ " ", false, 0, false },
		{ "LAST", false, 0, false },
		{ "-1", false, 0, false },
		{ "+1", false, 0, false },
		{ "0x10", false, 0, false },
		{ "1LAST", false, 0, false },
		{ "1 LASTING", false, 0, false },
		{ "1 LAST LAST", false, 0, false },
		{ "1 2", false, 0, false },
		{ "1\tLAST", false, 0, false },
		{ "1\r", false, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].in);
		char *memory = exact(rows[i].in, len);
		uint64_t octets = 0;
		bool is_last = false;

		if (smtp_take_chunk(slice_make(memory, len), &octets, &is_last) != rows[i].is_good)
			fail_msg("\"%s\" is %s", rows[i].in, rows[i].is_good ? "refused" : "taken");
		if (rows[i].is_good && (octets != rows[i].octets || is_last != rows[i].is_last))
			fail_msg("\"%s\" is misread", rows[i].in);
		xfree(memory);
	}
}

static void
names_in_helo(void **state)
{
	char longest[256];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(smtp_helo_is_valid(slice_of("mail.example.org")));
	assert_true(smtp_helo_is_valid(slice_of("[IPv6:2001:db8::1]")));
	assert_true(smtp_helo_is_valid(slice_of("under_score")));
	assert_true(smtp_helo_is_valid(slice_make(longest, 255)));
	assert_false(smtp_helo_is_valid(slice_make(longest, 256)));
	assert_false(smtp_helo_is_valid(slice_of("")));
	assert_false(smtp_helo_is_valid(slice_of("a b")));
	assert_false(smtp_helo_is_valid(slice_of("a\tb")));
	assert_false(smtp_helo_is_valid(slice_of("a\r\nMAIL")));
	assert_false(smtp_helo_is_valid(slice_of("\xc3\xb6")));
	assert_false(smtp_helo_is_valid(slice_of("a\x7f")));
}

static void
xtext(void **state)
{
	const char all[] = "a!~+=\0 \r\n\x7f\xc3\xb6[]";
	struct buf out = { 0 };

	(void)state;
	smtp_write_xtext(&out, slice_make(all, sizeof(all) - 1));
	assert_true(slice_equals(buf_slice(&out), "a!~+2B+3D+00+20+0D+0A+7F+C3+B6[]"));
	smtp_write_xtext(&out, slice_of(""));
	assert_int_equal(buf_len(&out), 32);
	buf_clear(&out);
}

static void
xtext_is_read(void **state)
{
	static const char *const bad[] = { "a=b", "a b", "+", "+4", "+4x", "+2b", "\x7f", "\xc3\xb6", NULL };
	struct buf out = { 0 };

	(void)state;
	assert_true(smtp_read_xtext(slice_of("a+2B+3D+00+C3~"), &out));
	assert_int_equal(buf_len(&out), 6);
	assert_memory_equal(buf_data(&out), "a+=\0\xc3~", 6);
	for (size_t i = 0; bad[i] != NULL; i++) {
		char *copy = exact(bad[i], strlen(bad[i]));

		assert_false(smtp_read_xtext(slice_make(copy, strlen(bad[i])), &out));
		xfree(copy);
	}
	buf_clear(&out);
}

static void
headers(void **state)
{
	static const char *const good[] = { "Subject: x", "Host: y", "X-A_b.c:", "a:b", "http://x/", NULL };
	static const char *const bad[] = { "", ":", ": x", "MAIL FROM:<a>", "RCPT TO:<a>", "EHLO [IPv6:::1]",
		"NOOP", " a: b", "GET http://x/", "\xc3\xb6: x", "a\t: b", NULL };

	(void)state;
	for (size_t i = 0; good[i] != NULL; i++)
		if (!smtp_is_header(slice_of(good[i])))
			fail_msg("\"%s\" is one", good[i]);
	for (size_t i = 0; bad[i] != NULL; i++)
		if (smtp_is_header(slice_of(bad[i])))
			fail_msg("\"%s\" is none", bad[i]);
}

static void
beginnings(void **state)
{
	static const char *const verbs[] = { "", "a", "Z", " 1", "\t.", "\r" };
	static const char *const others[] = { ".", "1 NOOP", "<a@b>", "\x16\x03\x01", "\xc3\xb6", "[", "@",
		"`", "{" };

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		assert_false(smtp_is_no_verb(slice_of(verbs[i])));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(smtp_is_no_verb(slice_of(others[i])));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(nul_is_refused),
		cmocka_unit_test(chunks),
		cmocka_unit_test(names_in_helo),
		cmocka_unit_test(xtext),
		cmocka_unit_test(xtext_is_read),
		cmocka_unit_test(headers),
		cmocka_unit_test(beginnings),
	};

	return cmocka_run_group_tests_name("smtp_arguments", tests, NULL, NULL);
}
