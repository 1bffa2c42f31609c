/* SPDX-License-Identifier: BSD-2-Clause */
/* dial_test.c: the columns of dial steps, with a protocol of its own; imap_dial_test.c has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/dial.h"

static enum answer
read_code(struct dial *dial, struct slice line)
{
	(void)dial;
	switch (line.len > 0 ? line.data[0] : '\0') {
	case '1': return ANSWER_MORE;
	case '2': return ANSWER_OK;
	case '4': return ANSWER_LATER;
	case '5': return ANSWER_REFUSED;
	default: return ANSWER_GARBLED;
	}
}

static bool
never(const struct dial *dial)
{
	(void)dial;
	return false;
}

static void
send_a(struct dial *dial)
{
	buf_append_text(&dial->out, "A\r\n");
}

static void
send_b(struct dial *dial)
{
	buf_append_text(&dial->out, "B\r\n");
}

static void
send_c(struct dial *dial)
{
	buf_append_text(&dial->out, "C\r\n");
}

static void
send_nothing(struct dial *dial)
{
	dial_fail(dial, "first");
	dial_fail(dial, "second");
}

static const struct dial_step steps[] = {
	{ "greeting", NULL, NULL, read_code, 0, NULL },
	{ "never", never, send_nothing, read_code, 0, NULL },
	{ "doing a", NULL, send_a, read_code, DIAL_PIPELINED, NULL },
	{ "doing b", NULL, send_b, read_code, DIAL_PIPELINED, NULL },
	{ "never again", never, send_nothing, read_code, DIAL_PIPELINED, NULL },
	{ "doing c", NULL, send_c, read_code, DIAL_LOGIN | DIAL_SECRET | DIAL_FORWARD, NULL },
	{ 0 }
};

static const struct dial_step failing_steps[] = {
	{ "failing", NULL, send_nothing, read_code, 0, NULL },
	{ 0 }
};

static const struct proto fake = { .name = "fake", .frame = frame_line, .dial = steps };
static const struct proto failing = { .name = "failing", .frame = frame_line, .dial = failing_steps };
static const struct proto without = { .name = "without", .frame = frame_line };

static struct credentials credentials;
static struct dial dial;

static enum dial_result
start(const struct proto *proto, bool until_login, bool needs_tls)
{
	const struct dial_order order = {
		.proto = proto,
		.credentials = &credentials,
		.until_login = until_login,
		.needs_tls = needs_tls,
	};

	dial_init(&dial, &order);
	return dial_start(&dial);
}

static enum dial_result
feed(const char *text, const char *sent)
{
	size_t used;
	enum dial_result result = dial_feed(&dial, slice_of(text), &used);

	if (!slice_equals(buf_slice(&dial.out), sent))
		fail_msg("\"%s\": sent \"%.*s\"", text, SLICE_ARGS(buf_slice(&dial.out)));
	buf_consume(&dial.out, buf_len(&dial.out));
	return result;
}

static enum answer
read_challenge(struct dial *d, struct slice line)
{
	if (slice_has_prefix(line, "+ "))
		return dial_take_challenge(d, slice_from(line, 2));
	return read_code(d, line);
}

static const struct dial_step token_steps[] = {
	{ "logging in", NULL, dial_write_initial, read_challenge, DIAL_LOGIN | DIAL_FORWARD, NULL },
	{ 0 }
};
static const struct proto with_token = { .name = "token", .frame = frame_line, .dial = token_steps };

static int
wipe(void **state)
{
	(void)state;
	dial_wipe(&dial);
	return 0;
}

static void
pipelined_steps(void **state)
{
	(void)state;
	assert_int_equal(start(&fake, false, false), DIAL_MORE);
	assert_string_equal(dial_doing(&dial), "greeting");
	assert_int_equal(feed("200\r\n", "A\r\nB\r\nC\r\n"), DIAL_MORE);
	assert_string_equal(dial_doing(&dial), "doing a");
	assert_int_equal(feed("100 x\r\n200 a\r\n", ""), DIAL_MORE);
	assert_string_equal(dial_doing(&dial), "doing b");
	assert_int_equal(buf_len(&dial.last), 0);
	assert_int_equal(feed("200 b\n200 c\r\nrest", ""), DIAL_READY);
	assert_true(slice_equals(buf_slice(&dial.last), "200 c"));
}

static void
until_login(void **state)
{
	(void)state;
	assert_int_equal(start(&fake, true, true), DIAL_MORE);
	assert_int_equal(feed("200\r\n", "A\r\nB\r\n"), DIAL_MORE);
	assert_int_equal(feed("200\r\n", ""), DIAL_MORE);
	assert_int_equal(feed("200\r\n", ""), DIAL_READY);
}

static void
secrets_need_tls(void **state)
{
	(void)state;
	assert_int_equal(start(&fake, false, true), DIAL_MORE);
	assert_int_equal(feed("200\r\n", "A\r\nB\r\n"), DIAL_FAILED);
	assert_string_equal(dial.why, "no TLS for credentials");
}

static void
refusals(void **state)
{
	(void)state;
	start(&fake, false, false);
	assert_int_equal(feed("500\r\n", ""), DIAL_FAILED);
	dial_wipe(&dial);
	start(&fake, false, false);
	assert_int_equal(feed("421 busy\r\n", ""), DIAL_LATER);
	assert_true(slice_equals(buf_slice(&dial.last), "421 busy"));
	dial_wipe(&dial);
	start(&fake, false, false);
	feed("200\r\n", "A\r\nB\r\nC\r\n");
	assert_int_equal(feed("200\r\n200\r\n535 no\r\n", ""), DIAL_REFUSED);
	assert_true(slice_equals(buf_slice(&dial.last), "535 no"));
	dial_wipe(&dial);
	start(&fake, false, false);
	feed("200\r\n", "A\r\nB\r\nC\r\n");
	assert_int_equal(feed("200\r\n500 b\r\n", ""), DIAL_FAILED);
	assert_string_equal(dial.why, "command refused");
}

static void
early_replies(void **state)
{
	(void)state;
	start(&fake, false, false);
	assert_int_equal(feed("200\r\n2", "A\r\nB\r\nC\r\n"), DIAL_MORE);
	assert_int_equal(feed("200 a\r\n", ""), DIAL_FAILED);
	assert_string_equal(dial.why, "reply before its command");
	dial_wipe(&dial);
	/* what needs no answer may come early */
	start(&fake, false, false);
	assert_int_equal(feed("200\r\n100\r\n", "A\r\nB\r\nC\r\n"), DIAL_MORE);
	assert_int_equal(feed("200 a\r\n200 b\r\n200 c\r\n", ""), DIAL_READY);
}

static void
the_first_reason_counts(void **state)
{
	(void)state;
	assert_int_equal(start(&failing, false, false), DIAL_FAILED);
	assert_string_equal(dial.why, "first");
	assert_int_equal(start(&without, false, false), DIAL_READY);
	assert_string_equal(dial_doing(&dial), "connecting");
}

static void
start_with(const char *mechanism, enum credential_kind kind)
{
	credentials = (struct credentials){ .mechanism = mechanism, .kind = kind };
	buf_append_text(&credentials.user, "bob");
	buf_append_text(&credentials.password, "x");
	assert_int_equal(start(&with_token, false, false), DIAL_MORE);
}

/* A server tells why it refuses a token before it does, and wants an answer in between. */
static void
error_of_a_token(void **state)
{
	(void)state;
	start_with("XOAUTH2", CREDENTIAL_TOKEN);
	assert_int_equal(feed("+ e30=\r\n", "dXNlcj1ib2IBYXV0aD1CZWFyZXIgeAEB\r\n\r\n"), DIAL_MORE);
	assert_true(slice_equals(buf_slice(&dial.token_error), "{}"));
	assert_int_equal(feed("5 no\r\n", ""), DIAL_REFUSED);
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	start_with("OAUTHBEARER", CREDENTIAL_TOKEN);
	assert_int_equal(feed("+ e30=\r\n", "bixhPWJvYiwBYXV0aD1CZWFyZXIgeAEB\r\nAQ==\r\n"), DIAL_MORE);
	assert_int_equal(feed("+ e30=\r\n", ""), DIAL_FAILED);
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	start_with("PLAIN", CREDENTIAL_PASSWORD);
	assert_int_equal(feed("+ e30=\r\n", "AGJvYgB4\r\n"), DIAL_FAILED);
	credentials_wipe(&credentials);
}

static void
only_known_mechanisms_are_kept(void **state)
{
	(void)state;
	start_with("PLAIN", CREDENTIAL_PASSWORD);
	dial_learn_mechanisms(&dial, slice_of("GSSAPI plain X OAUTHBEARER Y PLAIN NTLM"));
	assert_true(slice_equals(buf_slice(&dial.capabilities), "AUTH=OAUTHBEARER\nAUTH=PLAIN\n"));
	credentials_wipe(&credentials);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pipelined_steps, wipe),
		cmocka_unit_test_teardown(until_login, wipe),
		cmocka_unit_test_teardown(secrets_need_tls, wipe),
		cmocka_unit_test_teardown(refusals, wipe),
		cmocka_unit_test_teardown(early_replies, wipe),
		cmocka_unit_test_teardown(the_first_reason_counts, wipe),
		cmocka_unit_test_teardown(error_of_a_token, wipe),
		cmocka_unit_test_teardown(only_known_mechanisms_are_kept, wipe),
	};

	return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
