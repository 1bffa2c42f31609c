/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_test.c: what EHLO tells, what is kept of it, and which command wants a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/capability.h"
#include "proto/command.h"
#include "proto/reply.h"
#include "proto/smtp.h"

static struct dialogue dialogue;
static struct identity identity;

static int
open_smtp(void **state)
{
	(void)state;
	dialogue_init(&dialogue, &proto_smtp, &identity, "mx.example");
	dialogue.mechanisms = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	dialogue.secrets_allowed = true;
	return 0;
}

static int
open_submission(void **state)
{
	(void)state;
	dialogue_init(&dialogue, &proto_submission, &identity, "mail.example");
	dialogue.mechanisms = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	dialogue.secrets_allowed = true;
	return 0;
}

static int
wipe(void **state)
{
	(void)state;
	dialogue_wipe(&dialogue);
	xfree(identity.helo);
	xfree(identity.origin);
	identity = (struct identity){ 0 };
	return 0;
}

static void
expect_said(const char *out)
{
	if (!slice_equals(buf_slice(&dialogue.out), out))
		fail_msg("said \"%.*s\"", SLICE_ARGS(buf_slice(&dialogue.out)));
	buf_clear(&dialogue.out);
}

/* One command that is all of the input. */
static void
expect(const char *in, enum step step, const char *name, const char *out)
{
	size_t used;
	const char *was_name;
	enum step was = command_run(&dialogue, slice_of(in), &used, &was_name);

	if (was != step)
		fail_msg("\"%s\": step %d", in, was);
	assert_int_equal(used, step == STEP_MEDIATE || step == STEP_MORE ? 0 : strlen(in));
	assert_true(slice_equals(slice_of(was_name), name));
	expect_said(out);
}

static void
expect_ehlo(const char *offer, bool starttls, bool auth, const char *wanted)
{
	struct buf list = { 0 }, out = { 0 };

	capability_pass(slice_of(offer), &proto_smtp, &list);
	smtp_write_ehlo(&out, "mx.example", buf_slice(&list), starttls ? SMTP_OFFERS_STARTTLS : 0,
	    auth ? mechanisms_of_kind(CREDENTIAL_PASSWORD) : 0);
	if (!slice_equals(buf_slice(&out), wanted))
		fail_msg("\"%s\": \"%.*s\"", offer, SLICE_ARGS(buf_slice(&out)));
	buf_clear(&out);
	buf_clear(&list);
}

static void
ehlo(void **state)
{
	(void)state;
	expect_ehlo("", false, false, "250-mx.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n");
	expect_ehlo("8BITMIME\nCHUNKING\nDSN\nSIZE 1000\nSMTPUTF8\n", true, true,
	    "250-mx.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-CHUNKING\r\n250-DSN\r\n"
	    "250-SIZE 1000\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n");
	/* what is not known is not passed, whoever wants it */
	expect_ehlo("AUTH PLAIN\nAUTH=PLAIN\nBINARYMIME\nBURL imap\nDSN\nDSNX\nETRN\nFUTURERELEASE 1 2\n"
		    "PIPELINING\nREQUIRETLS\nSIZE\nSTARTTLS\nVRFY\nXCLIENT NAME ADDR\nXFORWARD NAME\n",
	    false, true,
	    "250-mx.example\r\n250-PIPELINING\r\n250-DSN\r\n250-SIZE\r\n250-AUTH PLAIN LOGIN\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n");
}

static void
own_capabilities(void **state)
{
	static const char all[] = "8BITMIME\nAUTH PLAIN\nAUTH=LOGIN\nENHANCEDSTATUSCODES\nPIPELINING\n"
				  "SIZE 5\nSTARTTLS\nXCLIENT NAME\nXFORWARD NAME\nXVERP\n";
	struct buf list = { 0 };

	(void)state;
	capability_pass(slice_of(all), &proto_smtp, &list);
	assert_true(slice_equals(buf_slice(&list), "8BITMIME\nSIZE 5\n"));
	buf_clear(&list);
}

static void
names(void **state)
{
	char line[300] = "EHLO ";

	(void)state;
	expect("EHLO client.example\r\n", STEP_REPLIED, "EHLO",
	    "250-mx.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n");
	assert_string_equal(identity.helo, "client.example");
	assert_true(identity.is_extended);
	expect("helo  [IPv6:2001:db8::1] \r\n", STEP_REPLIED, "HELO", "250 mx.example\r\n");
	assert_string_equal(identity.helo, "[IPv6:2001:db8::1]");
	assert_false(identity.is_extended);
	/* a name that is refused changes nothing */
	expect("EHLO a b\r\n", STEP_BAD, "EHLO", "501 5.5.4 Invalid arguments.\r\n");
	expect("EHLO \xc3\xa4\r\n", STEP_BAD, "EHLO", "501 5.5.4 Invalid arguments.\r\n");
	assert_string_equal(identity.helo, "[IPv6:2001:db8::1]");
	assert_false(identity.is_extended);
	memset(line + 5, 'x', 256);
	memcpy(line + 5 + 256, "\r\n", 3);
	expect(line, STEP_BAD, "EHLO", "501 5.5.4 Invalid arguments.\r\n");
	memcpy(line + 5 + 255, "\r\n", 3);
	expect(line, STEP_REPLIED, "EHLO",
	    "250-mx.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n");
	assert_int_equal(strlen(identity.helo), 255);
	dialogue_tls_started(&dialogue);
	assert_null(identity.helo);
	expect("MAIL FROM:<>\r\n", STEP_BAD, "MAIL", "503 5.5.1 Send EHLO first.\r\n");
}

static void
mail_wants_a_server(void **state)
{
	(void)state;
	expect("MAIL FROM:<a@example.org>\r\n", STEP_BAD, "MAIL", "503 5.5.1 Send EHLO first.\r\n");
	expect("HELO a\r\n", STEP_REPLIED, "HELO", "250 mx.example\r\n");
	expect("MAIL\r\n", STEP_BAD, "MAIL", "501 5.5.4 Invalid arguments.\r\n");
	expect("MAIL FROM:<a@example.org>\r\n", STEP_MEDIATE, "MAIL", "");
	dialogue.secrets_allowed = false;
	expect("MAIL FROM:<a@example.org>\r\n", STEP_BAD, "MAIL", "530 5.7.0 Send STARTTLS first.\r\n");
	expect("QUIT\r\n", STEP_QUIT, "QUIT", "221 2.0.0 Goodbye.\r\n");
}

static void
logs_name_no_arguments(void **state)
{
	(void)state;
	expect("XCLIENT LOGIN=root\r\n", STEP_BAD, "XCLIENT", "550 5.7.0 This command is not for you.\r\n");
	expect("AUTH PLAIN AGEAYg==\r\n", STEP_BAD, "AUTH", "502 5.5.1 This command is not served here.\r\n");
}

#define GREETING "220 mx.example ESMTP ready\r\n"

static void
expect_client(const char *client, const char *local)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(&identity.client, text), client);
	assert_string_equal(addr_format(&identity.local, text), local);
}

static void
trusted_peers_tell_of_their_clients(void **state)
{
	(void)state;
	dialogue.is_trusted = true;
	identity.hops = 5;
	expect("EHLO proxy.example\r\n", STEP_REPLIED, "EHLO",
	    "250-mx.example\r\n250-PIPELINING\r\n"
	    "250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT SESSION TTL\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n");
	expect("XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=4711 PROTO=ESMTP HELO=a+2Bb "
	       "DESTADDR=192.0.2.1 DESTPORT=25 SESSION=x+3D1 TTL=3\r\n", STEP_REPLIED, "XCLIENT", GREETING);
	expect_client("[2001:db8::7]:4711", "192.0.2.1:25");
	assert_string_equal(identity.helo, "a+b");
	assert_true(identity.is_extended);
	assert_string_equal(identity.origin, "x=1");
	assert_int_equal(identity.hops, 3);
	/* all begins anew */
	expect("MAIL FROM:<>\r\n", STEP_BAD, "MAIL", "503 5.5.1 Send EHLO first.\r\n");
	expect("XCLIENT ADDR=198.51.100.7 TTL=9\r\n", STEP_REPLIED, "XCLIENT", GREETING);
	expect_client("198.51.100.7:0", "192.0.2.1:25");
	assert_null(identity.helo);
	assert_false(identity.is_extended);
	assert_int_equal(identity.hops, 3);
	/* nothing of what is wrong counts */
	expect("EHLO c.example\r\n", STEP_REPLIED, "EHLO",
	    "250-mx.example\r\n250-PIPELINING\r\n"
	    "250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT SESSION TTL\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n");
	expect("XCLIENT ADDR=203.0.113.9 LOGIN=root\r\n", STEP_BAD, "XCLIENT",
	    "501 5.5.4 Invalid arguments.\r\n");
	expect("XCLIENT\r\n", STEP_BAD, "XCLIENT", "501 5.5.4 Invalid arguments.\r\n");
	expect_client("198.51.100.7:0", "192.0.2.1:25");
	assert_string_equal(identity.helo, "c.example");
	expect("XFORWARD ADDR=203.0.113.9\r\n", STEP_BAD, "X", "550 5.7.0 This command is not for you.\r\n");
	expect("MAIL FROM:<>\r\n", STEP_MEDIATE, "MAIL", "");
}

/* An AUTH line of `length` octets, with its line end; its response is good base64, or not. */
static void
expect_auth_line(size_t length, enum step step, const char *out)
{
	struct buf line = { 0 };
	const char *name;
	size_t used;

	buf_append_text(&line, "AUTH PLAIN ");
	while (buf_len(&line) < length - 2)
		buf_append_text(&line, "A");
	buf_append_text(&line, "\r\n");
	assert_int_equal(command_run(&dialogue, buf_slice(&line), &used, &name), step);
	assert_int_equal(used, length);
	expect_said(out);
	buf_clear(&line);
}

static void
auth_lines_may_be_long(void **state)
{
	(void)state;
	expect("HELO a\r\n", STEP_REPLIED, "HELO", "250 mail.example\r\n");
	expect("AUTH PLAIN\r\n", STEP_BAD, "AUTH", "503 5.5.1 Send EHLO first.\r\n");
	expect("EHLO a\r\n", STEP_REPLIED, "EHLO",
	    "250-mail.example\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES\r\n");
	expect_auth_line(12288, STEP_BAD, "501 5.5.2 Invalid authentication data.\r\n");
	expect_auth_line(12289, STEP_FATAL, "500 5.5.2 Command is too long.\r\n");
}

static void
login_outcomes(void **state)
{
	struct dial dial = { 0 };

	(void)state;
	buf_append_text(&dial.last, "535 5.7.8 No such user here");
	proto_submission.login_refused(&dialogue, &dial);
	expect_said("535 5.7.8 Authentication failed.\r\n");
	proto_submission.login_ok(&dialogue, &dial);
	expect_said("235 2.7.0 Authentication succeeded.\r\n");
	reply_write_judgement(&dialogue, REPLY_REFUSED, NULL, "Not from there");
	expect_said("535 5.7.0 Not from there\r\n");
	reply_write(&dialogue, REPLY_UNAVAILABLE);
	expect_said("454 4.7.0 Temporary authentication failure.\r\n");
	dial_wipe(&dial);
}

/* RFC 3463: the class of the enhanced code is that of the reply. */
static void
enhanced_codes(void **state)
{
	const struct proto *both[] = { &proto_smtp, &proto_submission };

	(void)state;
	for (int i = 0; i < 2; i++)
		for (int reply = REPLY_GREETING + 1; reply < REPLY_COUNT; reply++) {
			const char *text = both[i]->replies[reply];

			if (reply == REPLY_CODED)	/* the code is not ours */
				continue;
			assert_true(text[0] == text[4]);
			assert_true(text[3] == ' ' && text[5] == '.' && text[7] == '.');
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ehlo),
		cmocka_unit_test(own_capabilities),
		cmocka_unit_test_setup_teardown(names, open_smtp, wipe),
		cmocka_unit_test_setup_teardown(mail_wants_a_server, open_smtp, wipe),
		cmocka_unit_test_setup_teardown(logs_name_no_arguments, open_smtp, wipe),
		cmocka_unit_test_setup_teardown(trusted_peers_tell_of_their_clients, open_smtp, wipe),
		cmocka_unit_test_setup_teardown(auth_lines_may_be_long, open_submission, wipe),
		cmocka_unit_test_setup_teardown(login_outcomes, open_submission, wipe),
		cmocka_unit_test(enhanced_codes),
	};

	return cmocka_run_group_tests_name("smtp", tests, NULL, NULL);
}
