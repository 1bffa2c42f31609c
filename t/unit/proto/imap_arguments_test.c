/* SPDX-License-Identifier: BSD-2-Clause */
/* imap_arguments_test.c: strings, ID lists and status lines; slices end where their memory ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/imap.h"
#include "proto/mail_string.h"

/* The text in memory of just its size, so that a sanitizer sees what is read behind it. */
struct exact {
	char *memory;
	struct slice rest;
};

static struct exact
make_exact(const char *text, size_t len)
{
	struct exact exact = { .memory = xmalloc(len + (len == 0)) };

	memcpy(exact.memory, text, len);
	exact.rest = slice_make(exact.memory, len);
	return exact;
}

static void
astrings(void **state)
{
	static const struct {
		const char *in, *out, *rest;		/* out NULL: refused */
	} rows[] = {
		{ "alice x", "alice", " x" },
		{ "a]b", "a]b", "" },
		{ "a(b", "a", "(b" },
		{ "a\"b", "a", "\"b" },
		{ "\"\"", "", "" },
		{ "\"a b\" x", "a b", " x" },
		{ "\"\\\"\\\\\"", "\"\\", "" },
		{ "\"\xc3\xb6\"", "\xc3\xb6", "" },
		{ "{3}\r\na\"bx", "a\"b", "x" },
		{ "{3+}\nabc", "abc", "" },
		{ "{0}\r\n", "", "" },
		{ "", NULL, "" },
		{ " a", NULL, "" },
		{ "(", NULL, "" },
		{ "\xc3\xb6", NULL, "" },
		{ "\"", NULL, "" },
		{ "\"a", NULL, "" },
		{ "\"a\\", NULL, "" },
		{ "\"a\\\"", NULL, "" },
		{ "\"\\n\"", NULL, "" },
		{ "\"a\rb\"", NULL, "" },
		{ "{", NULL, "" },
		{ "{}", NULL, "" },
		{ "{+}\r\n", NULL, "" },
		{ "{3}", NULL, "" },
		{ "{3}\r", NULL, "" },
		{ "{3}\r\n", NULL, "" },
		{ "{3}\r\nab", NULL, "" },
		{ "{3}x\nabc", NULL, "" },
		{ "{18446744073709551617}\r\na", NULL, "" },
		{ "{1 }\r\na", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exact in = make_exact(rows[i].in, strlen(rows[i].in));
		struct buf out = { 0 };
		bool is_good = imap_take_astring(&in.rest, &out);

		if (is_good != (rows[i].out != NULL) ||
		    (is_good && !slice_equals(buf_slice(&out), rows[i].out)) ||
		    (is_good && !slice_equals(in.rest, rows[i].rest)))
			fail_msg("\"%s\": \"%.*s\"", rows[i].in, SLICE_ARGS(buf_slice(&out)));
		buf_clear(&out);
		xfree(in.memory);
	}
}

static void
id_lists(void **state)
{
	static const struct {
		const char *in;
		bool is_good;
	} rows[] = {
		{ "NIL", true },
		{ "nil", true },
		{ "()", true },
		{ "(\"a\" \"b\")", true },
		{ "(\"a\" NIL)", true },
		{ "(\"a\" \"b\" \"c\" \"\")", true },
		{ "(\"a\" {2}\r\nbc)", true },
		{ "(\"(\" \")\")", true },
		{ "", false },
		{ "(", false },
		{ ")", false },
		{ "(\"a\"", false },
		{ "(\"a\")", false },
		{ "(\"a\" \"b\"", false },
		{ "(\"a\" b)", false },
		{ "( \"a\" \"b\")", false },
		{ "(\"a\" \"b\" )", false },
		{ "(\"a\" \"b\"\"c\" \"d\")", false },
		{ "(NIL NIL)", false },
		{ "((\"a\" \"b\"))", false },
		{ "\"a\"", false },
		{ "NI", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exact in = make_exact(rows[i].in, strlen(rows[i].in));
		struct xclient told = { 0 };

		if ((imap_take_id(&in.rest, &told) && in.rest.len == 0) != rows[i].is_good)
			fail_msg("\"%s\"", rows[i].in);
		xfree(in.memory);
	}
}

static void
ids_tell_of_a_client(void **state)
{
	struct slice rest = slice_of("(\"name\" \"x\" \"X-Originating-IP\" {12+}\r\n2001:db8::77"
				     " \"x-originating-port\" \"47\\\"11\" \"x-proxy-ttl\" NIL)");
	struct xclient told = { 0 };
	char host[ADDR_TEXT_MAX];

	(void)state;
	assert_true(imap_take_id(&rest, &told));
	assert_string_equal(addr_host(&told.client.addr, host), "2001:db8::77");
	assert_true(told.client.is_bad);
	assert_false(told.has_hops);
}

static void
status_lines(void **state)
{
	static const struct {
		const char *in, *word, *code, *text;
	} rows[] = {
		{ "OK [A B] c d", "OK", "A B", "c d" },
		{ "OK", "OK", "", "" },
		{ "OK ", "OK", "", "" },
		{ "NO text [X]", "NO", "", "text [X]" },
		{ "NO [X", "NO", "", "[X" },
		{ "NO []", "NO", "", "" },
		{ "NO [X]", "NO", "X", "" },
		{ "", "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exact in = make_exact(rows[i].in, strlen(rows[i].in));
		struct imap_status status;

		imap_split_status(in.rest, &status);
		assert_true(slice_equals(status.word, rows[i].word));
		assert_true(slice_equals(status.code, rows[i].code));
		assert_true(slice_equals(status.text, rows[i].text));
		xfree(in.memory);
	}
}

static void
capabilities(void **state)
{
	struct buf words = { 0 };

	(void)state;
	assert_true(imap_take_capabilities(slice_of("capability IMAP4rev1  A=b C\"D \x80 E"), &words));
	assert_true(slice_equals(buf_slice(&words), "IMAP4rev1 A=b E"));
	assert_false(imap_take_capabilities(slice_of("CAPABILITYX Y"), &words));
	assert_true(slice_equals(buf_slice(&words), "IMAP4rev1 A=b E"));
	assert_true(imap_take_capabilities(slice_of("CAPABILITY A Unauthenticate UNAUTHENTICATED"), &words));
	assert_true(slice_equals(buf_slice(&words), "A UNAUTHENTICATED"));
	assert_true(imap_take_capabilities(slice_of("CAPABILITY"), &words));
	assert_int_equal(buf_len(&words), 0);
}

static void
noise(void **state)
{
	(void)state;
	srandom(23);
	for (int round = 0; round < 20000; round++) {
		char text[40];
		size_t len = (size_t)random() % sizeof(text);
		struct buf out = { 0 };
		struct xclient told = { 0 };
		struct exact in;
		struct slice rest;

		for (size_t i = 0; i < len; i++)
			text[i] = "\"\\{}()+ 012ab\r\n\nNIL"[random() % 19];
		in = make_exact(text, len);
		rest = in.rest;
		while (rest.len > 0 && (imap_take_astring(&rest, &out) || mail_string_take_blank(&rest)))
			continue;
		rest = in.rest;
		imap_take_id(&rest, &told);
		assert_true(buf_len(&out) <= len);
		buf_clear(&out);
		xfree(in.memory);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(astrings),
		cmocka_unit_test(id_lists),
		cmocka_unit_test(ids_tell_of_a_client),
		cmocka_unit_test(status_lines),
		cmocka_unit_test(capabilities),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("imap_arguments", tests, NULL, NULL);
}
