/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap.c: IMAP as clients speak it before login (RFC 9051, RFC 3501, ID RFC
 * 2971, SASL-IR RFC 4959, LITERAL+ RFC 7888), and IMAP's row.
 */
#include "proto/imap.h"

#include <assert.h>

#include "proto/answer_code.h"
#include "proto/capability.h"
#include "proto/command.h"
#include "proto/dial.h"
#include "proto/mail_string.h"
#include "proto/reply.h"

enum {
	COMMAND_MAX = 8192,
	LITERALS_MAX = 4096,
	/* 30 names of 30 octets and values of 1,024: in quotes, each octet escaped; or as literals */
	ID_MAX = 65536,
	ID_LITERALS_MAX = 30 * (30 + 1024)
};

static enum step
run_id(struct dialogue *d, struct slice args)
{
	struct xclient told = { 0 };

	if (!imap_take_id(&args, &told) || args.len > 0)
		return command_refuse(d, REPLY_SYNTAX);
	if (d->is_trusted)
		xclient_apply(&told, d);
	return STEP_REPLIED;
}

static enum step
run_login(struct dialogue *d, struct slice args)
{
	struct credentials *c = &d->credentials;
	bool is_good;

	credentials_wipe(c);
	is_good = imap_take_astring(&args, &c->user) && mail_string_take_blank(&args) &&
	    imap_take_astring(&args, &c->password) && args.len == 0;
	is_good = is_good && credential_is_valid(buf_slice(&c->user)) &&
	    credential_is_valid(buf_slice(&c->password));
	if (!is_good) {
		credentials_wipe(c);
		return command_refuse(d, REPLY_SYNTAX);
	}
	if (buf_len(&c->user) == 0) {
		credentials_wipe(c);
		return command_refuse(d, REPLY_AUTH_FAILED);
	}
	return command_login(d, MECHANISM_NONE);
}

static enum step
run_authenticate(struct dialogue *d, struct slice args)
{
	struct buf mechanism = { 0 };
	bool is_good = imap_take_astring(&args, &mechanism);
	enum step step;

	if (is_good && args.len == 0)
		step = command_authenticate(d, buf_slice(&mechanism), NULL);
	else if (is_good && mail_string_take_blank(&args))
		step = command_authenticate(d, buf_slice(&mechanism), &args);
	else
		step = command_refuse(d, REPLY_SYNTAX);
	buf_clear(&mechanism);
	return step;
}

static const struct verb verbs[] = {
	/* name           legal in     flags                what it does, says, and how long it may be */
	{ "CAPABILITY",   PHASE_ANY,   VERB_NO_ARG | VERB_CAPABILITIES,
	    .says = "* CAPABILITY %c\r\n%t OK Capability completed.\r\n" },
	{ "NOOP",         PHASE_ANY,   VERB_NO_ARG,         .says = "%t OK NOOP completed.\r\n" },
	{ "ID",           PHASE_ANY,   VERB_NEEDS_ARG,      .run = run_id,
	    .says = "* ID (\"name\" \"gatepost\")\r\n%t OK ID completed.\r\n",
	    .max_line = ID_MAX, .max_literals = ID_LITERALS_MAX },
	{ "STARTTLS",     PHASE_START, VERB_STARTS_TLS,     .run = command_starttls },
	{ "LOGIN",        PHASE_START, VERB_TAKES_PASSWORD, .run = run_login },
	{ "AUTHENTICATE", PHASE_START, VERB_LOGS_IN,        .run = run_authenticate,
	    .max_line = SASL_LINE_MAX },
	{ "LOGOUT",       PHASE_ANY,   VERB_NO_ARG,
	    .says = "* BYE Logging out\r\n%t OK Logout completed.\r\n", .step = STEP_QUIT },
	{ 0 }
};

static const char *const replies[] = {
	[REPLY_NONE]            = NULL,
	[REPLY_GREETING]        = "* OK [CAPABILITY %c] %h ready.\r\n",
	[REPLY_UNKNOWN]         = "%t BAD Unknown command, or not before login.\r\n",
	[REPLY_NOT_NOW]         = "%t BAD Command is not allowed now.\r\n",
	[REPLY_SYNTAX]          = "%t BAD Invalid command or arguments.\r\n",
	[REPLY_NEED_TLS]        = "%t NO [PRIVACYREQUIRED] Start TLS before you log in.\r\n",
	[REPLY_NO_TLS]          = "%t BAD TLS is not available, or runs already.\r\n",
	[REPLY_START_TLS]       = "%t OK Begin TLS negotiation now.\r\n",
	[REPLY_NO_MECHANISM]    = "%t NO Unsupported authentication mechanism.\r\n",
	[REPLY_SASL_SYNTAX]     = "%t BAD Invalid authentication data.\r\n",
	[REPLY_SASL_CANCELLED]  = "%t BAD Authentication cancelled.\r\n",
	[REPLY_AUTH_FAILED]     = "%t NO [AUTHENTICATIONFAILED] Authentication failed.\r\n",
	[REPLY_REFUSED]         = "%t NO [CONTACTADMIN] %r\r\n",
	[REPLY_WRONG]           = "%t NO [AUTHENTICATIONFAILED] %r\r\n",
	[REPLY_LATER]           = "%t NO [UNAVAILABLE] %r\r\n",
	[REPLY_CODED]           = "%t NO [%k] %r\r\n",
	[REPLY_UNAVAILABLE]     = "%t NO [UNAVAILABLE] Account is temporarily unavailable.\r\n",
	[REPLY_TOO_BIG]         = "%t NO [TOOBIG] Literal is too big.\r\n",
	[REPLY_TOO_LONG]        = "* BYE Command is too long.\r\n",
	[REPLY_TOO_MANY_ERRORS] = "* BYE Too many invalid commands.\r\n",
	[REPLY_BANNED]          = "* BYE [LIMIT] Too many failed logins from %i.\r\n",
	[REPLY_PACED]           = "%t NO [LIMIT] Too many logins from %i.\r\n",
	[REPLY_CROWDED_USER]    = "%t NO [LIMIT] Too many sessions of this user.\r\n",
	[REPLY_TLS_SPENT]       = "%t NO [LIMIT] Too many new TLS sessions from %i.\r\n",
	[REPLY_DENIED]          = "* BYE %r\r\n",
	[REPLY_DENIED_LOGIN]    = "%t NO [AUTHORIZATIONFAILED] %r\r\n",
	[REPLY_CROWDED]         = "* BYE [LIMIT] Too many connections from %i.\r\n",
	[REPLY_CROWDED_TLS]     = "* BYE [LIMIT] Too many new TLS sessions from %i.\r\n",
	[REPLY_TIMEOUT]         = "* BYE Disconnected: time is up.\r\n",
	[REPLY_SHUTDOWN]        = "* BYE [UNAVAILABLE] Please connect again.\r\n",
	[REPLY_UNAVAILABLE_BYE] = "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n",
	[REPLY_REFUSED_BYE]     = "* BYE Login was refused.\r\n",
	[REPLY_INJECTION]       = "* BYE Nothing may follow STARTTLS.\r\n",
	[REPLY_FORBIDDEN]       = "* BYE This command does not pass here.\r\n",
	[REPLY_FOREIGN]         = "* BYE This is an IMAP server.\r\n",
};
static_assert(sizeof(replies) / sizeof(replies[0]) == REPLY_COUNT, "a text for each reply");

/* What is said before login only, or never passed on; the rest of a server's list holds after login too. */
static const char *const capability_own[] = {
	"IMAP4REV1", "SASL-IR", "ID", "STARTTLS", "LOGINDISABLED", "AUTH=*", "LOGIN-REFERRALS", NULL
};

static void
write_capabilities(const struct dialogue *d, struct buf *out)
{
	unsigned offered = dialogue_mechanisms(d);

	buf_append_text(out, "IMAP4rev1 SASL-IR ID");
	capability_write(d->offer, " ", "", out);
	if (d->tls_offered)
		buf_append_text(out, " STARTTLS");
	if (offered != 0) {
		buf_append_text(out, " ");
		sasl_list(offered, "AUTH=", out);
	}
	if (!dialogue_takes_passwords(d))
		buf_append_text(out, " LOGINDISABLED");
}

const struct proto proto_imap = {
	PROTO_MAILBOX_FIELDS,
	.name = "imap",
	.alpn = "imap",
	.help = "Mailboxes (RFC 9051). Clients in IDLE speak every 29 minutes.",
	.trusted_help = "by ID: x-originating-ip, -port, x-connected-ip, -port, x-session-id, x-proxy-ttl",
	.port = 143,
	.is_tagged = true,
	.forwards = PROTO_FORWARDS | PROTO_WAY(FORWARD_ID),
	.listener_defaults = PROTO_DEFAULTS(PROTO_MAILBOX_DEFAULTS, { "idle_timeout", "35m" }),
	.max_line = COMMAND_MAX,
	.max_literals = LITERALS_MAX,
	.sasl_prompt = "+ %s\r\n",
	.quotes_mail = true,
	.sasl_cancel = "*",
	.frame = frame_literals,
	.literal_prompt = "+ OK\r\n",
	.capability_floor = "IDLE\n",
	.capability_own = capability_own,
	.write_capabilities = write_capabilities,
	.replies = replies,
	.take_code = code_take_imap,
	.verbs = verbs,
	.dial = imap_dial,
	.sasl_command = "AUTHENTICATE",
	.sasl_initial = "SASL-IR",
	.take_challenge = dial_take_plus,
	.read_login = imap_read_login,
	.refuses_plain = imap_refuses_plain,
	.dial_farewell = "Z LOGOUT\r\n",
	.login_ok = imap_write_login_ok,
	.login_refused = imap_write_login_refused,
	.filter = &imap_relay,
};
