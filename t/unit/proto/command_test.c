/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command_test.c: the columns of verbs with a protocol of its own, untagged
 * and with phases; then IMAP under any chunking and under noise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/command.h"
#include "proto/reply.h"

static enum step
run_auth(struct dialogue *d, struct slice args)
{
	return command_authenticate(d, args, NULL);
}

enum { ASKS_PASSWORD = VERB_NEEDS_ARG | VERB_NEEDS_TLS };

static const struct verb verbs[] = {
	{ "USER", PHASE_START | PHASE_USER, VERB_NEEDS_ARG | VERB_NEEDS_TLS, .run = command_user,
	    .says = "+OK\r\n" },
	{ "PASS", PHASE_USER, ASKS_PASSWORD, .run = command_password, .max_line = 100 },
	{ "STLS", PHASE_START, VERB_STARTS_TLS, .run = command_starttls },
	{ "AUTH", PHASE_START, VERB_LOGS_IN, .run = run_auth },
	{ "PASSWORD", PHASE_START, VERB_NEEDS_ARG | VERB_PASSWORD, .run = command_password },
	{ "MAIL", PHASE_START, VERB_NEEDS_ARG, .step = STEP_MEDIATE },
	{ "LIST", PHASE_START, VERB_NO_ARG | VERB_CAPABILITIES, .says = "%h: list\r\n" },
	{ "WISH", PHASE_ANY, VERB_NO_ARG, .capability = "WISHES", .wish = 4, .says = "+OK\r\n" },
	{ "QUIT", PHASE_ANY, VERB_NO_ARG, .says = "100%%\r\n", .step = STEP_QUIT },
	{ "XUSER", PHASE_START, VERB_NEEDS_ARG, .run = command_user, .says = "+OK\r\n" },
	{ "X", PHASE_ANY, VERB_PREFIX, .says = "extension\r\n", .step = STEP_BAD },
	{ 0 }
};

static const char *const replies[REPLY_COUNT] = {
	[REPLY_GREETING] = "+OK %h 100%%\r\n",
	[REPLY_UNKNOWN] = "unknown\r\n",
	[REPLY_NOT_NOW] = "not now\r\n",
	[REPLY_SYNTAX] = "syntax\r\n",
	[REPLY_NEED_TLS] = "need tls\r\n",
	[REPLY_START_TLS] = "go\r\n",
	[REPLY_SASL_SYNTAX] = "no base64\r\n",
	[REPLY_NO_MECHANISM] = "no mechanism\r\n",
	[REPLY_SASL_CANCELLED] = "cancelled\r\n",
	[REPLY_TOO_LONG] = "too long\r\n",
	[REPLY_INJECTION] = "injection\r\n",
	[REPLY_FOREIGN] = "foreign\r\n",
};

static bool
is_question(struct slice line)
{
	return line.len > 0 && line.data[line.len - 1] == '?';
}

static const struct proto fake = {
	.name = "fake",
	.has_login = true,
	.max_line = 40,
	.max_response = 50,
	.sasl_prompt = "334 %s\r\n",
	.sasl_cancel = "*",
	.frame = frame_line,
	.is_foreign = is_question,
	.replies = replies,
	.verbs = verbs,
};

/* The same, but for the end of lines. */
static struct proto trimming;

static struct dialogue dialogue;

static int
open_fake(void **state)
{
	(void)state;
	dialogue_init(&dialogue, &fake, NULL, "mail.example");
	dialogue.mechanisms = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	dialogue.secrets_allowed = true;
	dialogue.tls_offered = true;
	return 0;
}

static int
wipe(void **state)
{
	(void)state;
	dialogue_wipe(&dialogue);
	return 0;
}

/* One command: the step, how much is used, the verb's name for the log, what is said. */
static void
expect(const char *in, enum step step, size_t used, const char *name, const char *out)
{
	size_t was_used;
	const char *was_name;
	enum step was = command_run(&dialogue, slice_of(in), &was_used, &was_name);

	if (was != step || was_used != used || !slice_equals(buf_slice(&dialogue.out), out))
		fail_msg("\"%s\": step %d, used %zu, said \"%.*s\"", in, was, was_used,
		    SLICE_ARGS(buf_slice(&dialogue.out)));
	assert_true(slice_equals(slice_of(was_name), name));
	buf_clear(&dialogue.out);
}

static void
columns(void **state)
{
	(void)state;
	dialogue_greet(&dialogue);
	expect("", STEP_MORE, 0, "", "+OK mail.example 100%\r\n");
	expect("USE", STEP_MORE, 0, "", "");
	expect("USER", STEP_MORE, 0, "", "");
	expect("USER\r\n", STEP_BAD, 6, "USER", "syntax\r\n");
	expect("user \r\n", STEP_BAD, 7, "USER", "syntax\r\n");
	expect("PASS x\r\n", STEP_BAD, 8, "PASS", "not now\r\n");
	expect("YXXX\r\nUSER a\r\n", STEP_BAD, 6, "", "unknown\r\n");
	expect("USER bob\r\nPASS x\r\n", STEP_REPLIED, 10, "USER", "+OK\r\n");
	expect("STLS\r\n", STEP_BAD, 6, "STLS", "not now\r\n");
	expect("PASS  two words \r\n", STEP_LOGIN, 18, "PASS", "");
	assert_true(slice_equals(buf_slice(&dialogue.credentials.user), "bob"));
	assert_true(slice_equals(buf_slice(&dialogue.credentials.password), " two words "));
	dialogue_login_over(&dialogue, false);
	assert_int_equal(buf_len(&dialogue.credentials.password), 0);
	assert_null(dialogue.credentials.password.data);
	assert_null(dialogue.scratch.data);
	expect("PASS x\r\n", STEP_BAD, 8, "PASS", "not now\r\n");
	expect("GET / HTTP/1.1\r\n", STEP_FATAL, 16, "", "foreign\r\n");
	expect("USER who?\r\n", STEP_FATAL, 11, "", "foreign\r\n");
}

static void
rows_that_say(void **state)
{
	(void)state;
	expect("LIST x\r\n", STEP_BAD, 8, "LIST", "syntax\r\n");
	assert_false(dialogue.asked_capabilities);
	expect("LIST\r\n", STEP_REPLIED, 6, "LIST", "mail.example: list\r\n");
	assert_true(dialogue.asked_capabilities);
	expect("WISH\r\n", STEP_BAD, 6, "", "unknown\r\n");
	assert_int_equal(dialogue.wishes, 0);
	dialogue.offer = slice_of("WISHES\n");
	expect("WISH\r\n", STEP_REPLIED, 6, "WISH", "+OK\r\n");
	assert_int_equal(dialogue.wishes, 4);
	expect("QUIT\r\n", STEP_QUIT, 6, "QUIT", "100%\r\n");
	/* what is wrong is refused, and the name that was said before is gone */
	expect("USER bob\r\n", STEP_REPLIED, 10, "USER", "+OK\r\n");
	expect("USER  \r\n", STEP_BAD, 8, "USER", "syntax\r\n");
	expect("PASS x\r\n", STEP_BAD, 8, "PASS", "not now\r\n");
}

static void
trailing_blanks(void **state)
{
	(void)state;
	expect("STLS \r\n", STEP_BAD, 7, "STLS", "syntax\r\n");
	trimming = fake;
	trimming.trims_lines = true;
	dialogue.proto = &trimming;
	expect("USER \t\r\n", STEP_BAD, 8, "USER", "syntax\r\n");
	expect(" \r\n", STEP_BAD, 3, "", "unknown\r\n");
	expect(" STLS\r\n", STEP_BAD, 7, "", "unknown\r\n");
	expect("STLS \t \r\n", STEP_STARTTLS, 9, "STLS", "go\r\n");
}

static void
prefixes(void **state)
{
	(void)state;
	expect("X\r\n", STEP_BAD, 3, "X", "extension\r\n");
	expect("xclient ADDR=::1\r\n", STEP_BAD, 18, "X", "extension\r\n");
	expect("XUSE\r\n", STEP_BAD, 6, "X", "extension\r\n");
	expect("XUSER bob\r\n", STEP_REPLIED, 11, "XUSER", "+OK\r\n");
	expect("\r\n", STEP_BAD, 2, "", "unknown\r\n");
}

static void
secrets_need_tls(void **state)
{
	(void)state;
	dialogue.secrets_allowed = false;
	expect("USER bob\r\n", STEP_BAD, 10, "USER", "need tls\r\n");
	expect("AUTH PLAIN\r\n", STEP_BAD, 12, "AUTH", "need tls\r\n");
}

static void
nothing_behind_starttls(void **state)
{
	(void)state;
	expect("STLS x\r\n", STEP_BAD, 8, "STLS", "syntax\r\n");
	expect("STLS\r\nU", STEP_INJECTION, 6, "STLS", "injection\r\n");
	dialogue.frame = (struct frame){ 0 };
	expect("STLS\r\n", STEP_STARTTLS, 6, "STLS", "go\r\n");
	dialogue_tls_started(&dialogue);
	assert_true(dialogue.secrets_allowed);
	assert_false(dialogue.tls_offered);
}

static void
mediated_command_comes_again(void **state)
{
	(void)state;
	expect("MAIL", STEP_MORE, 0, "", "");
	expect("MAIL\r\n", STEP_BAD, 6, "MAIL", "syntax\r\n");
	expect("MAIL x\r", STEP_MORE, 0, "", "");
	expect("MAIL x\r\nDATA\r\n", STEP_MEDIATE, 0, "MAIL", "");
	assert_int_equal(dialogue.frame.scanned, 0);
	expect("MAIL x\r\nDATA\r\n", STEP_MEDIATE, 0, "MAIL", "");
}

static void
tls_forgets(void **state)
{
	struct identity identity = { .helo = xstrdup("mallory.example"), .is_extended = true };

	(void)state;
	expect("USER mallory\r\n", STEP_REPLIED, 14, "USER", "+OK\r\n");
	dialogue.asked_capabilities = true;
	dialogue.phase_again = PHASE_USER;
	dialogue.identity = &identity;
	expect("PAS", STEP_MORE, 0, "", "");
	dialogue_tls_started(&dialogue);
	assert_null(identity.helo);
	assert_false(identity.is_extended);
	assert_int_equal(dialogue.phase, PHASE_START);
	assert_int_equal(dialogue.frame.scanned, 0);
	assert_null(dialogue.scratch.data);
	assert_false(dialogue.asked_capabilities);
}

static void
failed_login_leads_back(void **state)
{
	(void)state;
	expect("USER bob\r\n", STEP_REPLIED, 10, "USER", "+OK\r\n");
	dialogue_login_over(&dialogue, false);
	assert_int_equal(dialogue.phase, PHASE_START);
	expect("AUTH LOGIN\r\n", STEP_REPLIED, 12, "AUTH", "334 VXNlcm5hbWU6\r\n");
	dialogue.phase_again = PHASE_USER;
	expect("*\r\n", STEP_BAD, 3, "", "cancelled\r\n");
	assert_int_equal(dialogue.phase, PHASE_USER);
	dialogue_login_over(&dialogue, false);
	assert_int_equal(dialogue.phase, PHASE_USER);
}

static void
lengths(void **state)
{
	char line[200];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "USER ", 5);
	memcpy(line + 38, "\r\n", 3);
	expect(line, STEP_REPLIED, 40, "USER", "+OK\r\n");
	/* PASS may be longer, by its column */
	memcpy(line, "PASS ", 5);
	memset(line + 38, 'x', 100);
	memcpy(line + 98, "\r\n", 3);
	expect(line, STEP_LOGIN, 100, "PASS", "");
	dialogue_login_over(&dialogue, false);
	expect("USER x\r\n", STEP_REPLIED, 8, "USER", "+OK\r\n");
	memcpy(line + 98, "xx\r\n", 5);
	expect(line, STEP_FATAL, 102, "", "too long\r\n");
	dialogue_login_over(&dialogue, false);
	memcpy(line, "USER ", 5);
	line[41] = '\0';
	expect(line, STEP_FATAL, 41, "", "too long\r\n");
}

static void
sasl(void **state)
{
	(void)state;
	expect("AUTH NONE\r\n", STEP_BAD, 11, "AUTH", "no mechanism\r\n");
	expect("AUTH LOGIN\r\n", STEP_REPLIED, 12, "AUTH", "334 VXNlcm5hbWU6\r\n");
	assert_string_equal(dialogue.doing, "authenticating");
	expect("Ym9", STEP_MORE, 0, "", "");
	expect("Ym9i\r\nUSER x\r\n", STEP_REPLIED, 6, "", "334 UGFzc3dvcmQ6\r\n");
	expect("*\r\n", STEP_BAD, 3, "", "cancelled\r\n");
	assert_null(dialogue.credentials.user.data);
	expect("AUTH LOGIN\r\n", STEP_REPLIED, 12, "AUTH", "334 VXNlcm5hbWU6\r\n");
	expect("Ym9\r\n", STEP_BAD, 5, "", "no base64\r\n");
	expect("USER x\r\n", STEP_REPLIED, 8, "USER", "+OK\r\n");
	dialogue_login_over(&dialogue, false);
	expect("AUTH PLAIN\r\n", STEP_REPLIED, 12, "AUTH", "334 \r\n");
	expect("AGFsaWNlAHdvbmRlcg==\n", STEP_LOGIN, 21, "", "");
	assert_string_equal(dialogue.doing, "logging in");
	assert_true(slice_equals(buf_slice(&dialogue.credentials.password), "wonder"));
	assert_null(dialogue.scratch.data);
	assert_int_equal(dialogue.sasl.mechanism, MECHANISM_NONE);
}

static void
mechanisms_that_are_not_offered(void **state)
{
	(void)state;
	expect("AUTH XOAUTH2\r\n", STEP_BAD, 14, "AUTH", "no mechanism\r\n");
	dialogue.mechanisms = MECHANISM_BIT(MECHANISM_XOAUTH2) | MECHANISM_BIT(MECHANISM_EXTERNAL);
	assert_int_equal(dialogue_mechanisms(&dialogue), MECHANISM_BIT(MECHANISM_XOAUTH2));
	expect("AUTH PLAIN\r\n", STEP_BAD, 12, "AUTH", "no mechanism\r\n");
	expect("AUTH EXTERNAL\r\n", STEP_BAD, 15, "AUTH", "no mechanism\r\n");
	expect("PASSWORD x\r\n", STEP_BAD, 12, "PASSWORD", "no mechanism\r\n");
	expect("AUTH XOAUTH2\r\n", STEP_REPLIED, 14, "AUTH", "334 \r\n");
	dialogue.secrets_allowed = false;
	assert_int_equal(dialogue_mechanisms(&dialogue), 0);
}

static const char token[] = "dXNlcj1ib2IBYXV0aD1CZWFyZXIgeAEB\r\n";	/* user=bob, auth=Bearer x */

static void
begin_with_token(void)
{
	dialogue.mechanisms = mechanisms_of_kind(CREDENTIAL_TOKEN);
	expect("AUTH XOAUTH2\r\n", STEP_REPLIED, 14, "AUTH", "334 \r\n");
	expect(token, STEP_LOGIN, strlen(token), "", "");
	assert_int_equal(credentials_kind(&dialogue.credentials), CREDENTIAL_TOKEN);
}

/* RFC 7628 section 3.2.3: the client answers the error, and hears the refusal then, whatever it says. */
static void
refused_token(void **state)
{
	static const char *const answers[] = { "\r\n", "AQ==\r\n", "*\r\n", "no base64\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		begin_with_token();
		buf_append_text(&dialogue.token_error, "{}");
		buf_append_text(&dialogue.out, "refused\r\n");
		dialogue_login_over(&dialogue, true);
		assert_true(slice_equals(buf_slice(&dialogue.out), "334 e30=\r\n"));
		buf_clear(&dialogue.out);
		assert_int_equal(buf_len(&dialogue.credentials.password), 0);
		expect(answers[i], STEP_REPLIED, strlen(answers[i]), "", "refused\r\n");
		expect("USER x\r\n", STEP_REPLIED, 8, "USER", "+OK\r\n");
		dialogue_login_over(&dialogue, false);
	}
	begin_with_token();
	buf_append_text(&dialogue.out, "later\r\n");
	dialogue_login_over(&dialogue, false);
	assert_true(slice_equals(buf_slice(&dialogue.out), "later\r\n"));
}

/* user bob, first of n,,n=bob,r=x; then c=biws */
static void
proof_in_rounds(void **state)
{
	(void)state;
	dialogue.mechanisms = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256);
	expect("AUTH SCRAM-SHA-256\r\n", STEP_REPLIED, 20, "AUTH", "334 \r\n");
	expect("biwsbj1ib2Iscj14\r\n", STEP_LOGIN, 18, "", "");
	assert_true(slice_equals(buf_slice(&dialogue.credentials.user), "bob"));
	dialogue_challenge(&dialogue, slice_of("x"));
	assert_true(slice_equals(buf_slice(&dialogue.out), "334 eA==\r\n"));
	buf_clear(&dialogue.out);
	expect("Yz1iaXdz\r\n", STEP_RESPONSE, 10, "", "");
	assert_true(slice_equals(buf_slice(&dialogue.credentials.response), "c=biws"));
	dialogue_challenge(&dialogue, slice_of("v"));
	buf_clear(&dialogue.out);
	expect("*\r\n", STEP_BAD, 3, "", "cancelled\r\n");
	expect("USER x\r\n", STEP_REPLIED, 8, "USER", "+OK\r\n");
}

static bool
is_over(enum step step)
{
	return step == STEP_QUIT || step == STEP_FATAL || step == STEP_INJECTION;
}

/* Feeds the text in pieces (0: random ones) and gathers all that is said and each step. */
static void
feed_imap(struct slice text, size_t piece, struct buf *said)
{
	struct buf in = { 0 };
	enum step step = STEP_REPLIED;

	dialogue_init(&dialogue, &proto_imap, NULL, "mail.example");
	dialogue.mechanisms = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	dialogue.secrets_allowed = true;
	for (size_t at = 0, n; at < text.len && !is_over(step); at += n) {
		n = piece > 0 ? piece : 1 + (size_t)random() % 30;
		n = n < text.len - at ? n : text.len - at;
		buf_append(&in, text.data + at, n);
		do {
			size_t used;
			const char *name;

			step = command_run(&dialogue, buf_slice(&in), &used, &name);
			assert_true((step == STEP_MORE) == (used == 0));
			buf_consume(&in, used);
			if (step != STEP_MORE)
				buf_printf(&dialogue.out, "%d\n", step);
			if (step == STEP_LOGIN) {
				buf_append_slice(&dialogue.out, buf_slice(&dialogue.credentials.user));
				buf_append_slice(&dialogue.out, buf_slice(&dialogue.credentials.password));
				dialogue_login_over(&dialogue, false);
			}
		} while (step != STEP_MORE && !is_over(step));
	}
	buf_append_slice(said, buf_slice(&dialogue.out));
	dialogue_wipe(&dialogue);
	buf_clear(&in);
}

static void
compare_pieces(struct slice text)
{
	struct buf whole = { 0 };

	feed_imap(text, text.len, &whole);
	for (size_t piece = 0; piece < 3; piece++) {
		struct buf said = { 0 };

		feed_imap(text, piece, &said);
		if (buf_len(&said) != buf_len(&whole) ||
		    (buf_len(&said) > 0 && memcmp(buf_data(&said), buf_data(&whole), buf_len(&said)) != 0))
			fail_msg("\"%.*s\" by %zu", SLICE_ARGS(text), piece);
		buf_clear(&said);
	}
	buf_clear(&whole);
}

/* Random commands; STARTTLS is left out, as what is behind it depends on the pieces, and by design. */
static void
same_in_any_pieces(void **state)
{
	static const char *const words[] = { "a ", "b ", "LOGIN ", "NOOP", "CAPABILITY", "AUTHENTICATE PLAIN",
		"AUTHENTICATE LOGIN ", "ID ", "NIL", "(\"a\" \"b\")", "\"x y\" ", "{3}\r\nabc", "{2+}\r\nab",
		" {5000}\r\n", "\r\n", "\r\n", "\r\n", "\n", "YWxp", "=", "*", "\"", "\\", "%", "{", "}", "(",
		")", " ", "\x80", "x", "y", "AGFsaWNlAHdvbmRlcg==", "~{1+}\r\n", "LOGOUT",
		"a LOGIN {1}\r\nx {1}\r\ny\r\n" };

	(void)state;
	srandom(17);
	for (int round = 0; round < 6000; round++) {
		struct buf text = { 0 };
		long count = 1 + random() % 20;

		for (long i = 0; i < count; i++)
			buf_append_text(&text, words[(size_t)random() % (sizeof(words) / sizeof(words[0]))]);
		compare_pieces(buf_slice(&text));
		buf_clear(&text);
	}
}

static void
noise(void **state)
{
	(void)state;
	srandom(19);
	for (int round = 0; round < 6000; round++) {
		char text[200];
		size_t len = 1 + (size_t)random() % (sizeof(text) - 1);

		for (size_t i = 0; i < len; i++)
			text[i] = random() % 8 == 0 ? (char)random()
						    : "a \"{}()*+=\\\r\n\r\n0123LOGINID"[random() % 26];
		compare_pieces(slice_make(text, len));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(columns, open_fake, wipe),
		cmocka_unit_test_setup_teardown(rows_that_say, open_fake, wipe),
		cmocka_unit_test_setup_teardown(trailing_blanks, open_fake, wipe),
		cmocka_unit_test_setup_teardown(prefixes, open_fake, wipe),
		cmocka_unit_test_setup_teardown(secrets_need_tls, open_fake, wipe),
		cmocka_unit_test_setup_teardown(nothing_behind_starttls, open_fake, wipe),
		cmocka_unit_test_setup_teardown(mediated_command_comes_again, open_fake, wipe),
		cmocka_unit_test_setup_teardown(tls_forgets, open_fake, wipe),
		cmocka_unit_test_setup_teardown(failed_login_leads_back, open_fake, wipe),
		cmocka_unit_test_setup_teardown(lengths, open_fake, wipe),
		cmocka_unit_test_setup_teardown(sasl, open_fake, wipe),
		cmocka_unit_test_setup_teardown(mechanisms_that_are_not_offered, open_fake, wipe),
		cmocka_unit_test_setup_teardown(refused_token, open_fake, wipe),
		cmocka_unit_test_setup_teardown(proof_in_rounds, open_fake, wipe),
		cmocka_unit_test(same_in_any_pieces),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
