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
	{ "greeting", NULL, read_code, 0, .send = NULL },
	{ "never", never, read_code, 0, .send = send_nothing },
	{ "doing a", NULL, read_code, DIAL_PIPELINED, .send = send_a },
	{ "doing b", NULL, read_code, DIAL_PIPELINED, .send = send_b },
	{ "never again", never, read_code, DIAL_PIPELINED, .send = send_nothing },
	{ "doing c", NULL, read_code, DIAL_LOGIN | DIAL_SECRET | DIAL_FORWARD, .send = send_c },
	{ 0 }
};

static const struct dial_step failing_steps[] = {
	{ "failing", NULL, read_code, 0, .send = send_nothing },
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

static void
announce_all(struct dial *d)
{
	d->mechanisms = ~0U;
}

static const struct dial_step token_steps[] = {
	{ "announcing", NULL, NULL, DIAL_DECIDES, .send = announce_all },
	DIAL_CHOICE,
	{ "logging in", NULL, dial_read_login, DIAL_LOGIN | DIAL_FORWARD, .send = dial_write_initial },
	{ 0 }
};
static const struct proto with_token = { .name = "token", .frame = frame_line, .dial = token_steps,
	.take_challenge = dial_take_plus, .read_login = read_code };

static int
wipe(void **state)
{
	(void)state;
	dial_wipe(&dial);
	return 0;
}

static const struct dial_step commands[] = {
	{ "greeting", NULL, read_code, 0, .send = NULL },
	{ "naming the user", NULL, read_code, 0, .command = "USER %u!", .tag = "a1" },
	{ "saying both", NULL, read_code, DIAL_TELLS, .command = "LOGIN %u %p" },
	{ 0 }
};
static const struct proto commanding = { .name = "commanding", .frame = frame_line, .dial = commands };

static void
commands_with_credentials(void **state)
{
	(void)state;
	credentials_wipe(&credentials);
	buf_append_text(&credentials.user, "b%pb");
	buf_append_text(&credentials.password, "100%");
	assert_int_equal(start(&commanding, false, false), DIAL_MORE);
	assert_int_equal(feed("2\r\n", "a1 USER b%pb!\r\n"), DIAL_MORE);
	assert_int_equal(feed("2\r\n", "LOGIN b%pb 100%\r\n"), DIAL_MORE);
	assert_int_equal(feed("2\r\n", ""), DIAL_READY);
	dial_wipe(&dial);
	/* a line end would be that of another command */
	buf_append_text(&credentials.user, "\r\nQUIT");
	assert_int_equal(start(&commanding, false, false), DIAL_MORE);
	assert_int_equal(feed("2\r\n", ""), DIAL_FAILED);
	assert_string_equal(dial.why, "user or password fit in no command");
	credentials_wipe(&credentials);
}

static const struct dial_step sasl_steps[] = {
	DIAL_SASL_STEPS("L"),
	{ "logging in", dial_is_plain, dial_read_login, DIAL_TELLS, .command = "LOGIN %u" },
	{ 0 }
};

static const char *
refuses_plain(const struct dial *d)
{
	return dial_has(d, "DISABLED") ? "disabled" : NULL;
}

static const struct proto with_sasl = { .name = "sasl", .frame = frame_line, .dial = sasl_steps,
	.sasl_command = "AUTH", .sasl_initial = "IR", .max_dial_line = 24,
	.take_challenge = dial_take_plus, .read_login = read_code, .refuses_plain = refuses_plain };

/* A server that announces this, for bob, perhaps in another's name: what it is sent first. */
static void
expect_login(const struct proto *proto, const char *announced, const char *authzid, const char *sent)
{
	struct slice words = slice_of(announced);
	const struct dial_order order = { .proto = proto, .credentials = &credentials };

	credentials_wipe(&credentials);
	credentials.mechanism = MECHANISM_PLAIN;
	buf_append_text(&credentials.user, "bob");
	buf_append_text(&credentials.authzid, authzid);
	dial_init(&dial, &order);
	for (struct slice word = slice_word(&words); word.len > 0; word = slice_word(&words))
		dial_learn(&dial, word);
	if (slice_has_prefix(slice_of(sent), "!")) {
		assert_int_equal(dial_start(&dial), DIAL_FAILED);
		assert_string_equal(dial.why, sent + 1);
	} else {
		assert_int_equal(dial_start(&dial), DIAL_MORE);
		assert_true(slice_equals(buf_slice(&dial.out), sent));
	}
	dial_wipe(&dial);
	credentials_wipe(&credentials);
}

static void
ways_to_log_in(void **state)
{
	struct proto without_plain = with_sasl, with_all = with_sasl;

	(void)state;
	without_plain.refuses_plain = NULL;
	with_all.sasl_initial = NULL;
	with_all.max_dial_line = 0;
	expect_login(&with_sasl, "AUTH=PLAIN IR", "", "L AUTH PLAIN AGJvYgA=\r\n");
	expect_login(&with_sasl, "AUTH=PLAIN IR", "alice", "L AUTH PLAIN\r\n");
	expect_login(&with_sasl, "AUTH=PLAIN", "", "L AUTH PLAIN\r\n");
	expect_login(&with_all, "AUTH=PLAIN", "alice", "L AUTH PLAIN YWxpY2UAYm9iAA==\r\n");
	expect_login(&with_sasl, "AUTH=LOGIN IR", "", "LOGIN bob\r\n");
	expect_login(&with_sasl, "", "alice", "!server offers no SASL PLAIN");
	expect_login(&with_sasl, "DISABLED", "alice", "!disabled");
	expect_login(&with_sasl, "DISABLED AUTH=PLAIN", "", "L AUTH PLAIN\r\n");
	expect_login(&without_plain, "", "", "!server offers no SASL PLAIN");
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
start_with(enum mechanism mechanism)
{
	credentials = (struct credentials){ .mechanism = mechanism };
	buf_append_text(&credentials.user, "bob");
	buf_append_text(&credentials.password, "x");
	assert_int_equal(start(&with_token, false, false), DIAL_MORE);
}

/* A server tells why it refuses a token before it does, and wants an answer in between. */
static void
error_of_a_token(void **state)
{
	(void)state;
	start_with(MECHANISM_XOAUTH2);
	assert_int_equal(feed("+ e30=\r\n", "dXNlcj1ib2IBYXV0aD1CZWFyZXIgeAEB\r\n\r\n"), DIAL_MORE);
	assert_true(slice_equals(buf_slice(&dial.token_error), "{}"));
	assert_int_equal(feed("5 no\r\n", ""), DIAL_REFUSED);
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	start_with(MECHANISM_OAUTHBEARER);
	assert_int_equal(feed("+ e30=\r\n", "bixhPWJvYiwBYXV0aD1CZWFyZXIgeAEB\r\nAQ==\r\n"), DIAL_MORE);
	assert_int_equal(feed("+ e30=\r\n", ""), DIAL_FAILED);
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	start_with(MECHANISM_PLAIN);
	assert_int_equal(feed("+ e30=\r\n", "AGJvYgB4\r\n"), DIAL_FAILED);
	credentials_wipe(&credentials);
}

static void
only_known_mechanisms_are_kept(void **state)
{
	(void)state;
	start_with(MECHANISM_PLAIN);
	dial_forget(&dial);
	dial_learn(&dial, slice_of("sasl KERBEROS_V4 plain X Y PLAIN APOP SKEY"));
	assert_int_equal(dial.mechanisms, MECHANISM_BIT(MECHANISM_PLAIN));
	dial_learn(&dial, slice_of("AUTH=OAUTHBEARER"));
	dial_learn(&dial, slice_of("AUTH=SCRAM"));
	dial_learn(&dial, slice_of("AUTH"));
	assert_int_equal(dial.mechanisms,
	    MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_OAUTHBEARER));
	dial_learn(&dial, slice_of("AUTHX PLAIN"));
	assert_true(slice_equals(buf_slice(&dial.capabilities), "AUTHX PLAIN\n"));
	dial_forget(&dial);
	assert_int_equal(buf_len(&dial.capabilities) + dial.mechanisms, 0);
	credentials_wipe(&credentials);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(commands_with_credentials, wipe),
		cmocka_unit_test(ways_to_log_in),
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
