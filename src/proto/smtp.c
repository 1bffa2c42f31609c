/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp.c: SMTP (RFC 5321), submission (RFC 6409) and LMTP (RFC 2033) as
 * clients speak them until a server is wanted: STARTTLS (RFC 3207), AUTH (RFC
 * 4954), and the three rows.  From MAIL on, or from the login on, the mediator
 * is spoken to, or the fan-out.
 */
#include "proto/smtp.h"

#include <assert.h>

#include "base/xalloc.h"
#include "proto/answer_code.h"
#include "proto/capability.h"
#include "proto/command.h"
#include "proto/reply.h"
#include "proto/xclient.h"

enum { COMMAND_MAX = 2048 };

enum {
	PHASE_HELO = 4,		/* without extensions */
	PHASE_EHLO = 8,
	PHASE_GREETED = PHASE_HELO | PHASE_EHLO
};

void
smtp_write_ehlo(struct buf *out, const char *hostname, struct slice offer, unsigned flags,
    unsigned mechanisms)
{
	buf_printf(out, "250-%s\r\n250-PIPELINING\r\n", hostname);
	capability_write(offer, "250-", "\r\n", out);
	if ((flags & SMTP_OFFERS_STARTTLS) != 0)
		buf_append_text(out, "250-STARTTLS\r\n");
	if ((flags & SMTP_TAKES_XCLIENT) != 0)
		buf_append_text(out,
		    "250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT SESSION TTL\r\n");
	sasl_write_offer(mechanisms, "250-AUTH ", "\r\n", out);
	buf_append_text(out, "250 ENHANCEDSTATUSCODES\r\n");
}

/* Takes the client's name; false: it is none. */
static bool
take_helo(struct dialogue *d, struct slice name, int phase)
{
	struct identity *identity = d->identity;

	name = slice_trim(name);
	if (!smtp_helo_is_valid(name))
		return false;
	xfree(identity->helo);
	identity->helo = xstrndup(name.data, name.len);
	identity->is_extended = phase == PHASE_EHLO;
	d->phase = phase;
	d->phase_again = phase;
	return true;
}

static enum step
run_ehlo(struct dialogue *d, struct slice args)
{
	unsigned flags = 0;

	if (!take_helo(d, args, PHASE_EHLO))
		return command_refuse(d, REPLY_SYNTAX);
	if (d->tls_offered)
		flags |= SMTP_OFFERS_STARTTLS;
	if (d->is_trusted)
		flags |= SMTP_TAKES_XCLIENT;
	smtp_write_ehlo(&d->out, d->hostname, d->offer, flags,
	    d->proto->has_login ? dialogue_mechanisms(d) : 0);
	return STEP_REPLIED;
}

static enum step
run_helo(struct dialogue *d, struct slice args)
{
	return take_helo(d, args, PHASE_HELO) ? STEP_REPLIED : command_refuse(d, REPLY_SYNTAX);
}

/* The octets that are announced come unasked, and they are no commands (RFC 3030 section 2). */
static enum step
run_bdat_without_mail(struct dialogue *d, struct slice args)
{
	(void)args;
	d->doing = "reading a chunk without a message";
	return command_say(d, "503 5.5.1 Send MAIL first; the connection ends here.\r\n", STEP_FATAL);
}

/* XCLIENT, XFORWARD and their like claim to be somebody else: they are not for clients. */
static const char not_for_you[] = "550 5.7.0 This command is not for you.\r\n";

/* As with Postfix, all begins anew: the peer greets in its client's name. */
static enum step
run_xclient(struct dialogue *d, struct slice args)
{
	struct xclient told;

	if (!d->is_trusted)
		return command_say(d, not_for_you, STEP_BAD);
	if (!xclient_take(args, XCLIENT_POSTFIX, &told))
		return command_refuse(d, REPLY_SYNTAX);
	dialogue_begin_again(d);
	xclient_apply(&told, d);
	reply_write(d, REPLY_GREETING);
	return STEP_REPLIED;
}

static const char no_mail[] = "503 5.5.1 Send MAIL first.\r\n";
static const char log_in_first[] = "530 5.7.0 Log in first.\r\n";
static const char not_served[] = "502 5.5.1 This command is not served here.\r\n";
static const char done[] = "250 2.0.0 OK\r\n";

/* Columns of EHLO and RSET. */
enum { GREETS = VERB_NEEDS_ARG | VERB_IDLES, RESETS = VERB_NO_ARG | VERB_IDLES };

#define SMTP_GREETINGS \
	{ "EHLO",     PHASE_ANY,     GREETS,          .run = run_ehlo }, \
	{ "HELO",     PHASE_ANY,     GREETS,          .run = run_helo, .says = "250 %h\r\n" }

#define SHARED_VERBS \
	{ "STARTTLS", PHASE_EHLO,    VERB_STARTS_TLS, .run = command_starttls }, \
	{ "RCPT",     PHASE_ANY,     0,               .says = no_mail, .step = STEP_BAD }, \
	{ "DATA",     PHASE_ANY,     0,               .says = no_mail, .step = STEP_BAD }, \
	{ "BDAT",     PHASE_ANY,     0,               .run = run_bdat_without_mail }, \
	{ "RSET",     PHASE_ANY,     RESETS,          .says = done }, \
	{ "NOOP",     PHASE_ANY,     VERB_IDLES,      .says = done }, \
	{ "HELP",     PHASE_ANY,     0,               .says = "214 2.0.0 See RFC 5321.\r\n" }, \
	{ "QUIT",     PHASE_ANY,     VERB_NO_ARG,     .says = "221 2.0.0 Goodbye.\r\n", \
	    .step = STEP_QUIT }, \
	{ "VRFY",     PHASE_ANY,     VERB_IDLES,      .says = not_served, .step = STEP_BAD }, \
	{ "EXPN",     PHASE_ANY,     0,               .says = not_served, .step = STEP_BAD }, \
	{ "ETRN",     PHASE_ANY,     VERB_IDLES,      .says = not_served, .step = STEP_BAD }, \
	{ "XCLIENT",  PHASE_ANY,     0,               .run = run_xclient }, \
	{ "X",        PHASE_ANY,     VERB_PREFIX,     .says = not_for_you, .step = STEP_BAD }

/* Columns of MAIL. */
enum { BEGINS_MAIL = VERB_NEEDS_ARG | VERB_NEEDS_TLS };

static const struct verb smtp_verbs[] = {
	/* name       legal in       flags            what it does, says, and how long it may be */
	SMTP_GREETINGS,
	SHARED_VERBS,
	{ "MAIL",     PHASE_GREETED, BEGINS_MAIL,     .step = STEP_MEDIATE },
	{ "AUTH",     PHASE_ANY,     VERB_SECRET,     .says = not_served, .step = STEP_BAD },
	{ 0 }
};

/* EHLO and HELO are no commands of it (RFC 2033 section 4.1). */
static const struct verb lmtp_verbs[] = {
	{ "LHLO",     PHASE_ANY,     GREETS,          .run = run_ehlo },
	SHARED_VERBS,
	{ "MAIL",     PHASE_EHLO,    BEGINS_MAIL,     .step = STEP_MEDIATE },
	{ "AUTH",     PHASE_ANY,     VERB_SECRET,     .says = not_served, .step = STEP_BAD },
	{ 0 }
};

static const struct verb submission_verbs[] = {
	SMTP_GREETINGS,
	SHARED_VERBS,
	{ "MAIL",     PHASE_GREETED, BEGINS_MAIL,     .says = log_in_first, .step = STEP_BAD },
	{ "AUTH",     PHASE_EHLO,    VERB_LOGS_IN,    .run = command_auth, .max_line = SASL_LINE_MAX },
	{ 0 }
};

#define SHARED_REPLIES(name, hello) \
	[REPLY_NONE]            = NULL, \
	[REPLY_GREETING]        = "220 %h " name " ready\r\n", \
	[REPLY_UNKNOWN]         = "500 5.5.1 Unknown command.\r\n", \
	[REPLY_NOT_NOW]         = "503 5.5.1 Send " hello " first.\r\n", \
	[REPLY_SYNTAX]          = "501 5.5.4 Invalid arguments.\r\n", \
	[REPLY_NEED_TLS]        = "530 5.7.0 Send STARTTLS first.\r\n", \
	[REPLY_NO_TLS]          = "503 5.5.1 TLS is not available, or runs already.\r\n", \
	[REPLY_START_TLS]       = "220 2.0.0 Begin TLS negotiation now.\r\n", \
	[REPLY_NO_MECHANISM]    = "504 5.5.4 Unsupported authentication mechanism.\r\n", \
	[REPLY_SASL_SYNTAX]     = "501 5.5.2 Invalid authentication data.\r\n", \
	[REPLY_SASL_CANCELLED]  = "501 5.7.0 Authentication cancelled.\r\n", \
	[REPLY_AUTH_FAILED]     = "535 5.7.8 Authentication failed.\r\n", \
	[REPLY_REFUSED]         = "535 5.7.0 %r\r\n", \
	[REPLY_WRONG]           = "535 5.7.0 %r\r\n", \
	[REPLY_CODED]           = "%k %r\r\n", \
	[REPLY_TOO_BIG]         = "500 5.5.2 Command is too long.\r\n", \
	[REPLY_TOO_LONG]        = "500 5.5.2 Command is too long.\r\n", \
	[REPLY_TOO_MANY_ERRORS] = "421 4.7.0 %h Error: too many errors\r\n", \
	[REPLY_BANNED]          = "421 4.7.0 %h Error: too many failed logins from %i\r\n", \
	[REPLY_PACED]           = "450 4.7.1 Error: too many AUTH commands from %i\r\n", \
	[REPLY_CROWDED_USER]    = "454 4.7.0 Error: too many sessions of this user.\r\n", \
	[REPLY_TLS_SPENT]       = "454 4.7.0 Error: too many new TLS sessions from %i\r\n", \
	[REPLY_DENIED]          = "554 5.7.1 %r\r\n", \
	[REPLY_DENIED_LOGIN]    = "535 5.7.1 %r\r\n", \
	[REPLY_CROWDED]         = "421 4.7.0 %h Error: too many connections from %i\r\n", \
	[REPLY_CROWDED_TLS]     = "421 4.7.0 %h Error: too many new TLS sessions from %i\r\n", \
	[REPLY_TIMEOUT]         = "421 4.4.2 %h Error: timeout exceeded\r\n", \
	[REPLY_SHUTDOWN]        = "421 4.3.2 Please connect again.\r\n", \
	[REPLY_UNAVAILABLE_BYE] = "421 4.3.2 No server is available now.\r\n", \
	[REPLY_REFUSED_BYE]     = "421 4.7.0 Login was refused.\r\n", \
	[REPLY_INJECTION]       = "554 5.5.0 Nothing may follow STARTTLS.\r\n", \
	[REPLY_FORBIDDEN]       = "554 5.7.0 This command does not pass here.\r\n", \
	[REPLY_FOREIGN]         = "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"

static const char *const smtp_replies[] = {
	SHARED_REPLIES("ESMTP", "EHLO"),
	[REPLY_LATER]           = "451 4.3.0 %r\r\n",
	[REPLY_UNAVAILABLE]     = "451 4.3.0 No server is available now.\r\n",
};
static_assert(sizeof(smtp_replies) / sizeof(smtp_replies[0]) == REPLY_COUNT, "a text for each reply");

static const char *const lmtp_replies[] = {
	SHARED_REPLIES("LMTP", "LHLO"),
	[REPLY_LATER]           = "451 4.3.0 %r\r\n",
	[REPLY_UNAVAILABLE]     = "451 4.3.0 No server is available now.\r\n",
};
static_assert(sizeof(lmtp_replies) / sizeof(lmtp_replies[0]) == REPLY_COUNT, "a text for each reply");

static const char *const submission_replies[] = {
	SHARED_REPLIES("ESMTP", "EHLO"),
	[REPLY_LATER]           = "454 4.7.0 %r\r\n",
	[REPLY_UNAVAILABLE]     = "454 4.7.0 Temporary authentication failure.\r\n",
};
static_assert(sizeof(submission_replies) / sizeof(submission_replies[0]) == REPLY_COUNT,
    "a text for each reply");

/* Anything else is the proxy's own word, between proxy and server only, or not known to be harmless. */
static const char *const capability_passed[] = { "SIZE", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING", NULL };

static void
write_login_ok(struct dialogue *d, const struct dial *dial)
{
	(void)dial;
	buf_append_text(&d->out, "235 2.7.0 Authentication succeeded.\r\n");
}

static bool
is_foreign(struct slice line)
{
	return smtp_is_no_verb(line) || smtp_is_header(line);
}

#define SHARED_DEFAULTS { "idle_timeout", "6m" }, { "max_errors", "20" }
#define SHARED_FIELDS \
	.trusted_help = "by XCLIENT, which is announced to them", \
	.forwards = PROTO_FORWARDS | PROTO_WAY(FORWARD_XCLIENT), \
	.max_line = COMMAND_MAX, \
	.max_response = SASL_LINE_MAX, \
	.trims_lines = true, \
	.sasl_prompt = "334 %s\r\n", \
	.data_command = "DATA", \
	.data_go_ahead = "354", \
	.chunk_command = "BDAT", \
	.sasl_cancel = "*", \
	.frame = frame_line, \
	.is_foreign = is_foreign, \
	.capability_floor = "8BITMIME\n", \
	.capability_passed = capability_passed, \
	.dial = smtp_dial, \
	.sasl_command = "AUTH", \
	.max_dial_line = 512,		/* RFC 5321 section 4.5.3.1.4 */ \
	.take_challenge = smtp_take_challenge, \
	.read_login = smtp_read_login, \
	.refuses_plain = smtp_refuses_plain, \
	.dial_farewell = "QUIT\r\n", \
	.take_code = code_take_smtp

#define SMTP_FIELDS \
	SHARED_FIELDS, \
	.alpn = "smtp", \
	.mail_name = "smtp", \
	.hello_command = "EHLO", \
	.forward_none_warning = "the servers see this proxy in place of the clients: " \
	    "keep it out of their mynetworks, or they relay for everybody", \
	.mediator = &smtp_mediator

/* As postscreen says it. */
static const struct proto_screen smtp_screen = {
	.teaser = "220-%h ESMTP\r\n",
	.early_bye = "521 5.5.1 Protocol error\r\n",
	.listed_bye = "521 5.7.1 %r\r\n",
	.early = "550 5.5.1 Protocol error\r\n",
	.listed = "550 5.7.1 %r\r\n",
};

const struct proto proto_smtp = {
	SMTP_FIELDS,
	.name = "smtp",
	.help = "Mail that comes in (RFC 5321), without logins.",
	.port = 25,
	.logins = PROTO_WAY(LOGIN_NONE),
	.listener_defaults = PROTO_DEFAULTS(SHARED_DEFAULTS, { "starttls", "optional" },
	    { "login_timeout", "5m" }, { "reply_timeout", "5m" }, { "bare_newline", "normalize" }),
	.default_queue_timeout = "0s",
	.replies = smtp_replies,
	.verbs = smtp_verbs,
	.screen = &smtp_screen,
};

/* Servers that have no LMTP take the mail of all their recipients at once, or not at all. */
static const char *const lmtp_also_served_by[] = { "smtp", NULL };

/*
 * What an MTA hands over was accepted long ago: it is mended, since a refusal makes a bounce.  An MTA waits
 * two minutes for the go-ahead to send data: it has to hear by then that a server is lost.
 */
const struct proto proto_lmtp = {
	SHARED_FIELDS,
	.name = "lmtp",
	.help = "Mail to mailboxes (RFC 2033), as MTAs deliver it: each recipient goes to its user's server. "
		"Its pools may speak smtp too, whose servers have one reply for all recipients. "
		"By forward auto only a server that announces XCLIENT is told of the client.",
	.port = 24,
	.is_bound = true,
	.hello_command = "LHLO",
	.tells_if_asked = true,
	.also_served_by = lmtp_also_served_by,
	.logins = PROTO_WAY(LOGIN_NONE),
	.listener_defaults = PROTO_DEFAULTS(SHARED_DEFAULTS, { "starttls", "off" },
	    { "login_timeout", "5m" }, { "reply_timeout", "100s" }, { "bare_newline", "normalize" }),
	.default_queue_timeout = "0s",
	.replies = lmtp_replies,
	.verbs = lmtp_verbs,
	.fanout = &lmtp_fanout,
};

const struct proto proto_submission = {
	SMTP_FIELDS,
	.name = "submission",
	.help = "Mail of users, who log in (RFC 6409).",
	.port = 587,
	.has_login = true,
	.logins = PROTO_WAY(LOGIN_PASSWORD) | PROTO_WAY(LOGIN_MASTER) | PROTO_WAY(LOGIN_TRUSTED) |
	    PROTO_WAY(LOGIN_XCLIENT) | PROTO_WAY(LOGIN_NONE),
	.listener_defaults = PROTO_DEFAULTS(SHARED_DEFAULTS, { "starttls", "required" },
	    { "login_timeout", "60s" }, { "reply_timeout", "5m" }, { "bare_newline", "reject" }),
	.default_queue_timeout = "10s",
	.replies = submission_replies,
	.verbs = submission_verbs,
	.login_ok = write_login_ok,
	.login_refused = reply_write_refusal,
};
