/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * satchel.c: Satchel, which nobody speaks: a protocol whole, for tests, to see what one more costs.
 *
 * A client sends commands, one a line: a word, and what belongs to it behind a blank; strings are quoted or
 * counted, as IMAP's are.  The server says "YES text", "NO text", or "LATER text", where it
 * cannot now; lists have a line "- entry" for each of theirs before that.  It greets so, too.
 * WHAT lists what there is to be had, GUARD begins TLS.  Users log in by NAME and WORD, or by AUTH, as in
 * POP3; challenges are "+ base64".  LONG asks for long texts, XCLIENT tells of the client, as Dovecot has it.
 */
#include <assert.h>

#include "proto/capability.h"
#include "proto/command.h"
#include "proto/dial.h"
#include "proto/mail_string.h"
#include "proto/reply.h"
#include "proto/xclient.h"

enum {
	COMMAND_MAX = CREDENTIAL_MAX + sizeof("WORD \r\n"),
	ECHO_MAX = 2048			/* octets of a counted string */
};

enum { WISH_LONG = 1 };

static void
write_capabilities(const struct dialogue *d, struct buf *out)
{
	capability_write(d->offer, "- ", "\r\n", out);
	if (d->tls_offered)
		buf_append_text(out, "- GUARD\r\n");
	if (dialogue_takes_passwords(d))
		buf_append_text(out, "- NAME\r\n");
	sasl_write_offer(dialogue_mechanisms(d), "- SASL ", "\r\n", out);
}

static enum step
run_echo(struct dialogue *d, struct slice args)
{
	struct buf text = { 0 };
	bool is_good = mail_string_take(&args, &text) && args.len == 0;

	if (is_good)
		reply_write_words(d, "YES %q\r\n", buf_slice(&text));
	buf_clear(&text);
	return is_good ? STEP_REPLIED : command_refuse(d, REPLY_SYNTAX);
}

static const struct verb verbs[] = {
	/* name      legal in    flags                what it does, says, and how long it may be */
	{ "WHAT",    PHASE_ANY,  VERB_NO_ARG,         .says = "%cYES That is all.\r\n" },
	{ "GUARD",   PHASE_ANY,  VERB_STARTS_TLS,     .run = command_starttls },
	{ "NAME",    PHASE_ANY,  VERB_TAKES_PASSWORD, .run = command_user, .says = "YES And the word?\r\n" },
	{ "WORD",    PHASE_USER, VERB_TAKES_PASSWORD, .run = command_password },
	{ "AUTH",    PHASE_ANY,  VERB_LOGS_IN,        .run = command_auth, .max_line = SASL_LINE_MAX },
	{ "LONG",    PHASE_ANY,  VERB_NO_ARG,         .says = "YES At length.\r\n", .capability = "LONG",
	    .wish = WISH_LONG },
	{ "ECHO",    PHASE_ANY,  VERB_NEEDS_ARG,      .run = run_echo, .max_literals = ECHO_MAX },
	{ "PING",    PHASE_ANY,  0,                   .says = "YES Pong.\r\n" },
	{ "HELP",    PHASE_ANY,  0,                   .says = "YES Ask WHAT at %h.\r\n" },
	{ "XCLIENT", PHASE_ANY,  0,                   .run = xclient_run, .says = "YES So be it.\r\n" },
	{ "X",       PHASE_ANY,  VERB_PREFIX,         .says = "NO Not here.\r\n", .step = STEP_BAD },
	{ "BYE",     PHASE_ANY,  VERB_NO_ARG,         .says = "YES Farewell.\r\n", .step = STEP_QUIT },
	{ 0 }
};

static const char *const replies[] = {
	[REPLY_NONE]            = NULL,
	[REPLY_GREETING]        = "YES %h\r\n",
	[REPLY_UNKNOWN]         = "NO Unknown, or not before login.\r\n",
	[REPLY_NOT_NOW]         = "NO Say NAME first.\r\n",
	[REPLY_SYNTAX]          = "NO That makes no sense.\r\n",
	[REPLY_NEED_TLS]        = "NO Say GUARD first.\r\n",
	[REPLY_NO_TLS]          = "NO There is no TLS, or it runs.\r\n",
	[REPLY_START_TLS]       = "YES On guard.\r\n",
	[REPLY_TLS_SPENT]       = "LATER Too many guards.\r\n",
	[REPLY_NO_MECHANISM]    = "NO Mechanism is not offered.\r\n",
	[REPLY_SASL_SYNTAX]     = "NO Not what the mechanism wants.\r\n",
	[REPLY_SASL_CANCELLED]  = "NO As you like.\r\n",
	[REPLY_AUTH_FAILED]     = "NO Wrong name or word.\r\n",
	[REPLY_REFUSED]         = "NO %r\r\n",
	[REPLY_WRONG]           = "NO %r\r\n",
	[REPLY_LATER]           = "LATER %r\r\n",
	[REPLY_CODED]           = "NO %k %r\r\n",
	[REPLY_UNAVAILABLE]     = "LATER No server is to be had.\r\n",
	[REPLY_PACED]           = "LATER Too many logins.\r\n",
	[REPLY_CROWDED_USER]    = "LATER You are here too often.\r\n",
	[REPLY_TOO_BIG]         = "NO Too much.\r\n",
	[REPLY_TOO_LONG]        = "NO Too long.\r\n",
	[REPLY_TOO_MANY_ERRORS] = "NO Too many errors.\r\n",
	[REPLY_BANNED]          = "NO Too many failed logins.\r\n",
	[REPLY_DENIED]          = "NO %r\r\n",
	[REPLY_DENIED_LOGIN]    = "NO %r\r\n",
	[REPLY_CROWDED]         = "LATER Too many connections.\r\n",
	[REPLY_CROWDED_TLS]     = "LATER Too many guards.\r\n",
	[REPLY_TIMEOUT]         = "LATER Time is up.\r\n",
	[REPLY_SHUTDOWN]        = "LATER Please come again.\r\n",
	[REPLY_UNAVAILABLE_BYE] = "LATER No server is to be had.\r\n",
	[REPLY_REFUSED_BYE]     = "NO Farewell.\r\n",
	[REPLY_INJECTION]       = "NO Nothing may follow GUARD.\r\n",
	[REPLY_FORBIDDEN]       = "NO That does not pass.\r\n",
	[REPLY_FOREIGN]         = "NO This is Satchel.\r\n",
};
static_assert(sizeof(replies) / sizeof(replies[0]) == REPLY_COUNT, "a text for each reply");

static enum answer
read_status(struct dial *dial, struct slice line)
{
	struct slice word = slice_word(&line);

	(void)dial;
	if (slice_equals(word, "YES"))
		return ANSWER_OK;
	if (slice_equals(word, "LATER"))
		return ANSWER_LATER;
	return slice_equals(word, "NO") ? ANSWER_REFUSED : ANSWER_GARBLED;
}

static enum answer
read_list(struct dial *dial, struct slice line)
{
	if (!slice_has_prefix(line, "- "))
		return read_status(dial, line);
	dial_learn(dial, slice_trim(slice_from(line, 2)));
	return ANSWER_MORE;
}

static bool
wants_long(const struct dial *dial)
{
	return (dial->order.wishes & WISH_LONG) != 0;
}

static const char *
refuses_plain(const struct dial *dial)
{
	return dial_has(dial, "NAME") ? NULL : "server offers no NAME";
}

static const struct dial_step dial[] = {
	/* while ...                 if                 reply, flags, and what is sent */
	{ "reading greeting",        NULL,              read_status, 0, .send = NULL },
	{ "asking for capabilities", NULL,              read_list, 0, .command = "WHAT" },
	{ "asking for TLS",          dial_wants_tls,    read_status, DIAL_STARTS_TLS,
	    .send = dial_send_starttls },
	{ "asking for capabilities", dial_began_tls,    read_list, 0, .command = "WHAT" },
	{ "telling the address",     xclient_is_wanted, read_status, DIAL_INFORMS, .send = xclient_send },
	{ "asking for long texts",   wants_long,        read_status, 0, .command = "LONG" },
	DIAL_SASL_STEPS(NULL),
	{ "sending the name",        dial_is_plain,     read_status, DIAL_ASKS, .command = "NAME %u" },
	{ "sending the word",        dial_is_plain,     dial_read_login, DIAL_TELLS, .command = "WORD %p" },
	{ 0 }
};

static void
write_login_ok(struct dialogue *d, const struct dial *from)
{
	struct slice text = buf_slice(&from->last);

	slice_word(&text);
	reply_write_words(d, "YES %r\r\n", slice_trim(text));
}

static const char *const capability_own[] = { "GUARD", "NAME", "SASL", "AUTH=*", "X*", NULL };

PROTO_DECLARE(satchel)

const struct proto proto_satchel = {
	PROTO_MAILBOX_FIELDS,
	.name = "satchel",
	.alpn = "satchel",
	.help = "An example for tests.",
	.trusted_help = "by XCLIENT",
	.port = 1999,
	.forwards = PROTO_FORWARDS | PROTO_WAY(FORWARD_XCLIENT),
	.listener_defaults = PROTO_DEFAULTS(PROTO_MAILBOX_DEFAULTS, { "idle_timeout", "7m" }),
	.max_line = COMMAND_MAX,
	.sasl_prompt = "+ %s\r\n",
	.sasl_cancel = "*",
	.frame = frame_literals,
	.literal_prompt = "+\r\n",
	.capability_floor = "BAGS\nLONG\n",
	.capability_own = capability_own,
	.write_capabilities = write_capabilities,
	.replies = replies,
	.verbs = verbs,
	.dial = dial,
	.starttls_command = "GUARD",
	.sasl_command = "AUTH",
	.max_dial_line = 200,
	.take_challenge = dial_take_plus,
	.read_login = read_status,
	.refuses_plain = refuses_plain,
	.dial_farewell = "BYE\r\n",
	.login_ok = write_login_ok,
	.login_refused = reply_write_refusal,
};
