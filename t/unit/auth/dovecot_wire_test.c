/* SPDX-License-Identifier: BSD-2-Clause */
/* dovecot_wire_test.c: lines read and written, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/dovecot_wire.h"

static void
lines_have_a_command_and_perhaps_an_id(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		enum dovecot_command command;
		uint32_t id;
		const char *parameters;
	} rows[] = {
		{ "OK\t7\tuser=bob\tproxy", true, DOVECOT_OK, 7, "user=bob\tproxy" },
		{ "FAIL\t4294967295", true, DOVECOT_FAIL, 4294967295, "" },
		{ "CONT\t3\t", true, DOVECOT_CONT, 3, "" },
		{ "PASS\t1\tuser=x", true, DOVECOT_PASS, 1, "user=x" },
		{ "NOTFOUND\t5", true, DOVECOT_NOTFOUND, 5, "" },
		{ "VERSION\t1\t2", true, DOVECOT_VERSION, 0, "1\t2" },
		{ "DONE", true, DOVECOT_DONE, 0, "" },
		{ "CUID\t1", true, DOVECOT_OTHER, 0, "1" },
		{ "SOME-THING_NEW\tx", true, DOVECOT_OTHER, 0, "x" },
		{ "OK\t4294967296", false, 0, 0, NULL },
		{ "OK\t0", false, 0, 0, NULL },
		{ "OK\t-1", false, 0, 0, NULL },
		{ "OK", false, 0, 0, NULL },
		{ "ok\t1", false, 0, 0, NULL },
		{ "", false, 0, 0, NULL },
		{ "\tOK\t1", false, 0, 0, NULL },
		{ "OK 1", false, 0, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dovecot_line line;

		assert_int_equal(dovecot_line_read(slice_of(rows[i].text), &line), rows[i].is_good);
		if (!rows[i].is_good)
			continue;
		assert_int_equal(line.command, rows[i].command);
		assert_int_equal(line.id, rows[i].id);
		assert_true(slice_equals(line.parameters, rows[i].parameters));
	}
}

static struct dovecot_line
line_of(const char *text)
{
	struct dovecot_line line;

	assert_true(dovecot_line_read(slice_of(text), &line));
	return line;
}

static void
handshakes_tell_version_and_mechanisms(void **state)
{
	struct dovecot_line good = line_of("VERSION\t1\t99"), bad = line_of("VERSION\t2\t0");
	struct dovecot_line plain = line_of("MECH\tPLAIN\tplaintext");
	struct dovecot_line apop = line_of("MECH\tAPOP\tx\tprivate");
	struct buf out = { 0 };

	(void)state;
	assert_true(dovecot_version_is_ours(&good));
	assert_false(dovecot_version_is_ours(&bad));
	assert_true(slice_equals(dovecot_mechanism(&plain), "PLAIN"));
	assert_true(slice_equals(dovecot_mechanism(&apop), ""));
	dovecot_write_handshake(false, 4711, &out);
	dovecot_write_handshake(true, 4711, &out);
	assert_true(slice_equals(buf_slice(&out), "VERSION\t1\t2\nCPID\t4711\nVERSION\t1\t2\n"));
	buf_clear(&out);
}

static void
words_are_unescaped(void **state)
{
	static const char text[] =
	    "OK\t1\tuser=a\001tb\0011c\tproxy\treason=x\001n\001ry\treason=z\t\001x=\001";
	struct dovecot_line line = line_of(text);
	struct dovecot_line nul = line_of("OK\t1\tuser=root\0010x");
	struct buf words = { 0 };

	(void)state;
	assert_true(dovecot_read_words(&line, &words));
	assert_string_equal(dovecot_word(&words, "user"), "a\tb\1c");
	assert_string_equal(dovecot_word(&words, "proxy"), "");
	assert_string_equal(dovecot_word(&words, "reason"), "z");
	assert_string_equal(dovecot_word(&words, "x"), "\1");
	assert_null(dovecot_word(&words, "use"));
	assert_null(dovecot_word(&words, "userx"));
	assert_false(dovecot_read_words(&nul, &words));
	buf_clear(&words);
	assert_null(dovecot_word(&words, "user"));
}

static void
messages_are_base64(void **state)
{
	struct dovecot_line good = line_of("CONT\t1\tVXNlcm5hbWU6"), none = line_of("CONT\t1\t");
	struct dovecot_line bad = line_of("CONT\t1\tVXNl cm5");
	struct buf message = { 0 };

	(void)state;
	assert_true(dovecot_read_message(&good, &message));
	assert_true(slice_equals(buf_slice(&message), "Username:"));
	buf_clear(&message);
	assert_true(dovecot_read_message(&none, &message));
	assert_int_equal(buf_len(&message), 0);
	assert_false(dovecot_read_message(&bad, &message));
	buf_clear(&message);
}

static void
questions_tell_of_the_client(void **state)
{
	static const char external[] =
	    "AUTH\t1\tEXTERNAL\tservice=imap\tlip=192.0.2.1\tlport=993"
	    "\trip=2001:db8::1\trport=4711\tsession=s\001tid\tlocal_name=mail\001n.example\tsecured"
	    "\tvalid-client-cert\tcert_username=al=ice\tresp=AXg=\n";
	static const char others[] =
	    "AUTH\t2\tPLAIN\tservice=lmtp\tsession=s\tresp=\n"
	    "AUTH\t3\tLOGIN\tservice=lmtp\tsession=s\nPASS\t4\tbob\001t@x\tservice=lmtp\tsession=s\n"
	    "CANCEL\t4294967295\nCONT\t6\t\n";
	struct addr client, local;
	struct dovecot_facts facts = {
		.service = "imap", .client = &client, .local = &local, .session = "s\tid",
		.name = "mail\n.example", .is_secured = true, .certificate_user = "al=ice",
	};
	const struct addr nowhere = { .sa.sa_family = AF_UNIX };
	const struct slice initial = slice_of("\1x"), nothing = slice_of("");
	struct buf out = { 0 };

	(void)state;
	assert_true(addr_parse(slice_of("2001:db8::1"), 4711, &client));
	assert_true(addr_parse(slice_of("192.0.2.1"), 993, &local));
	assert_true(dovecot_write_auth(1, "EXTERNAL", &facts, &initial, &out));
	assert_true(slice_equals(buf_slice(&out), external));
	buf_clear(&out);
	facts = (struct dovecot_facts){
		.service = "lmtp", .client = &nowhere, .local = &nowhere, .session = "s",
	};
	assert_true(dovecot_write_auth(2, "PLAIN", &facts, &nothing, &out));
	assert_true(dovecot_write_auth(3, "LOGIN", &facts, NULL, &out));
	assert_true(dovecot_write_pass(4, "bob\t@x", &facts, &out));
	dovecot_write_cancel(4294967295, &out);
	assert_true(dovecot_write_cont(6, slice_of(""), &out));
	assert_true(slice_equals(buf_slice(&out), others));
	buf_clear(&out);
}

static void
what_is_too_long_is_not_written(void **state)
{
	static char text[DOVECOT_LINE_MAX + 1];
	const struct addr nowhere = { .sa.sa_family = AF_UNIX };
	const struct dovecot_facts facts = {
		.service = "imap", .client = &nowhere, .local = &nowhere, .session = "s",
	};
	struct slice longest = slice_make(text, DOVECOT_RESPONSE_MAX);
	struct slice longer = slice_make(text, DOVECOT_RESPONSE_MAX + 1);
	struct buf out = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_true(dovecot_write_auth(1, "PLAIN", &facts, &longest, &out));
	assert_true(buf_len(&out) <= DOVECOT_LINE_MAX);
	buf_clear(&out);
	assert_false(dovecot_write_auth(1, "PLAIN", &facts, &longer, &out));
	assert_false(dovecot_write_cont(1, longer, &out));
	assert_false(dovecot_write_pass(1, text, &facts, &out));
	assert_int_equal(buf_len(&out), 0);
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_a_command_and_perhaps_an_id),
		cmocka_unit_test(handshakes_tell_version_and_mechanisms),
		cmocka_unit_test(words_are_unescaped),
		cmocka_unit_test(messages_are_base64),
		cmocka_unit_test(questions_tell_of_the_client),
		cmocka_unit_test(what_is_too_long_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
