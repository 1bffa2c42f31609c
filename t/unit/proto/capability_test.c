/* SPDX-License-Identifier: BSD-2-Clause */
/* capability_test.c: lists stay sorted and single; intersections; what is the proxy's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/capability.h"

static void
add_all(struct buf *list, const char *const *entries)
{
	for (; *entries != NULL; entries++)
		capability_add(list, slice_of(*entries));
}

static void
expect(struct buf *list, const char *wanted)
{
	if (!slice_equals(buf_slice(list), wanted))
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARGS(buf_slice(list)), wanted);
	buf_clear(list);
}

static void
sorted_and_single(void **state)
{
	static const char *const entries[] = { "size 5242 Ab", "STARTTLS", "auth PLAIN", "starttls",
		"SIZE 5242 Ab", "8BITMIME", "SIZES", "SIZE", "size 5242 ab", NULL };
	static const char *const bad[] = { "", "A\x01", "\x80", " A", "A\nB", "A\r", NULL };
	struct buf list = { 0 };

	(void)state;
	add_all(&list, entries);
	add_all(&list, bad);
	expect(&list, "8BITMIME\nAUTH PLAIN\nSIZE\nSIZE 5242 Ab\nSIZE 5242 ab\nSIZES\nSTARTTLS\n");
}

static void
values_keep_their_case(void **state)
{
	static const char *const entries[] = { "rights=kxTen", "RIGHTS=KXTEN", "utf8=accept", NULL };
	struct buf list = { 0 };

	(void)state;
	add_all(&list, entries);
	capability_intersect(&list, slice_of("RIGHTS=KXTEN\nUTF8=ONLY\n"));
	expect(&list, "RIGHTS=kxTen\n");
}

static void
any_order_gives_the_same(void **state)
{
	static const char *const words[] = { "IDLE", "ID", "MOVE", "ENABLE", "LITERAL+", "IMAP4rev1",
		"UIDPLUS", "A", "Z" };
	enum { COUNT = sizeof(words) / sizeof(words[0]) };

	(void)state;
	srandom(2);
	for (int round = 0; round < 200; round++) {
		struct buf list = { 0 };

		for (int i = 0; i < 60; i++)
			capability_add(&list, slice_of(words[random() % COUNT]));
		for (int i = 0; i < COUNT; i++)
			capability_add(&list, slice_of(words[i]));
		expect(&list, "A\nENABLE\nID\nIDLE\nIMAP4REV1\nLITERAL+\nMOVE\nUIDPLUS\nZ\n");
	}
}

static void
has(void **state)
{
	const struct slice list = slice_of("AUTH PLAIN\nIDLE\nSIZE 5\n");

	(void)state;
	assert_true(capability_has(list, "AUTH"));
	assert_true(capability_has(list, "idle"));
	assert_true(capability_has(list, "SIZE"));
	assert_false(capability_has(list, "ID"));
	assert_false(capability_has(list, "IDLEX"));
	assert_false(capability_has(list, "PLAIN"));
	assert_false(capability_has(list, ""));
	assert_false(capability_has(slice_of(NULL), "IDLE"));
}

static void
intersection(void **state)
{
	struct buf list = { 0 };

	(void)state;
	capability_intersect(&list, slice_of("A\n"));
	expect(&list, "");
	buf_append_text(&list, "A\nB 1\nC\n");
	capability_intersect(&list, slice_of("B 2\nC\nD\n"));
	expect(&list, "B 1\nC\n");
	buf_append_text(&list, "A\n");
	capability_intersect(&list, slice_of(""));
	expect(&list, "");
}

static void
the_smaller_bound_is_kept(void **state)
{
	static const struct {
		const char *one, *other, *common;
	} rows[] = {
		{ "SIZE 1000\n", "SIZE 200\n", "SIZE 200\n" },
		{ "SIZE 200\n", "SIZE 1000\n", "SIZE 200\n" },
		{ "SIZE 200\n", "SIZE\n", "SIZE 200\n" },
		{ "SIZE\n", "SIZE 200\n", "SIZE 200\n" },
		{ "SIZE 0\n", "SIZE 200\n", "SIZE 200\n" },
		{ "SIZE 200\n", "SIZE 0\n", "SIZE 200\n" },
		{ "SIZE 0\n", "SIZE\n", "SIZE 0\n" },
		{ "SIZE\n", "SIZE 0\n", "SIZE\n" },
		{ "SIZE 9\n", "SIZE 10\n", "SIZE 9\n" },
		{ "SIZE 18446744073709551615\n", "SIZE 18446744073709551614\n",
		    "SIZE 18446744073709551614\n" },
		{ "SIZE 5\n", "SIZE 7\nSIZE 3\n", "SIZE 3\n" },
		{ "SIZE x\n", "SIZE y\n", "SIZE\n" },
		{ "SIZE\n", "SIZE y\n", "SIZE\n" },
		{ "LIMITS MAILMAX=5 RCPTMAX=20\n", "LIMITS rcptmax=10 RCPTDOMAINMAX=1\n",
		    "LIMITS MAILMAX=5 RCPTMAX=10 RCPTDOMAINMAX=1\n" },
		{ "EXPIRE NEVER\n", "EXPIRE 30\n", "EXPIRE 30\n" },
		{ "EXPIRE 30\n", "EXPIRE never\n", "EXPIRE 30\n" },
		{ "EXPIRE NEVER\n", "EXPIRE NEVER\n", "EXPIRE NEVER\n" },
		{ "LIMITS RCPTMAX=20\n", "LIMITS\n", "LIMITS RCPTMAX=20\n" },
		{ "LIMITS RCPTMAX=x\n", "LIMITS MAILMAX=y\n", "LIMITS\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf list = { 0 };

		buf_append_text(&list, rows[i].one);
		capability_intersect(&list, slice_of(rows[i].other));
		expect(&list, rows[i].common);
	}
}

static void
plain_arguments_are_in_both(void **state)
{
	static const struct {
		const char *one, *other, *common;
	} rows[] = {
		{ "SIEVE a b c\n", "SIEVE c x a\n", "SIEVE a c\n" },
		{ "SIEVE ab b\n", "SIEVE a abc B\n", "SIEVE b\n" },
		{ "SIEVE a b c\n", "SIEVE a b\nSIEVE b c\n", "SIEVE b\n" },
		{ "SIEVE a\n", "SIEVE\n", "SIEVE\n" },
		{ "SIEVE\n", "SIEVE a\n", "SIEVE\n" },
		{ "BURL imap imap://a\n", "BURL imap imap://b\n", "BURL imap\n" },
		{ "FUTURERELEASE 600 2030-01-01\n", "FUTURERELEASE 500 2031-01-01\n", "FUTURERELEASE 500\n" },
		{ "DSN\nMT-PRIORITY MIXER\n", "DSN\nMT-PRIORITY MIXER\n", "DSN\nMT-PRIORITY MIXER\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf list = { 0 };

		buf_append_text(&list, rows[i].one);
		capability_intersect(&list, slice_of(rows[i].other));
		expect(&list, rows[i].common);
	}
}

static void
own_words(void **state)
{
	static const char all[] = "AUTH\nAUTH=\nAUTH=PLAIN\nAUTHX\nIDLE\nSTARTTLS\nSTARTTLSX\n";
	static const char *const own[] = { "STARTTLS", "AUTH=*", NULL };
	const struct proto proto = { .capability_own = own }, none = { 0 };
	struct buf list = { 0 }, passed = { 0 };

	(void)state;
	buf_append_text(&list, all);
	capability_pass(buf_slice(&list), &none, &passed);
	expect(&passed, all);
	capability_pass(buf_slice(&list), &proto, &passed);
	expect(&passed, "AUTH\nAUTHX\nIDLE\nSTARTTLSX\n");
	buf_clear(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorted_and_single),
		cmocka_unit_test(values_keep_their_case),
		cmocka_unit_test(any_order_gives_the_same),
		cmocka_unit_test(has),
		cmocka_unit_test(intersection),
		cmocka_unit_test(the_smaller_bound_is_kept),
		cmocka_unit_test(plain_arguments_are_in_both),
		cmocka_unit_test(own_words),
	};

	return cmocka_run_group_tests_name("capability", tests, NULL, NULL);
}
