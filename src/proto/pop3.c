/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pop3.c: POP3 as clients speak it before the login (RFC 1939 with APOP, CAPA
 * RFC 2449, STLS RFC 2595, AUTH RFC 5034, UTF8 RFC 6856), and POP3's row.  After the
 * login the relay does not look at the bytes.
 */
#include "proto/pop3.h"

#include <assert.h>
#include <string.h>

#include "proto/answer_code.h"
#include "proto/capability.h"
#include "proto/command.h"
#include "proto/reply.h"
#include "proto/xclient.h"

enum {
	DIGEST_MAX = 32,		/* octets of APOP's, in hexadecimal */
	COMMAND_MAX = CREDENTIAL_MAX + sizeof("PASS \r\n"),	/* RFC 2449's 255 are too few for passwords */
	APOP_MAX = COMMAND_MAX + 1 + DIGEST_MAX
};

static void
write_capabilities(const struct dialogue *d, struct buf *out)
{
	capability_write(d->offer, "", "\r\n", out);
	buf_append_text(out, "RESP-CODES\r\nAUTH-RESP-CODE\r\n");
	if (d->tls_offered)
		buf_append_text(out, "STLS\r\n");
	if (dialogue_takes_passwords(d))
		buf_append_text(out, "USER\r\n");
	sasl_write_offer(dialogue_mechanisms(d), "SASL ", "\r\n", out);
}

/* What clients from before CAPA ask for by a bare AUTH. */
static enum step
list_mechanisms(struct dialogue *d)
{
	buf_append_text(&d->out, "+OK Mechanisms follow.\r\n");
	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++)
		if ((dialogue_mechanisms(d) & MECHANISM_BIT(i)) != 0)
			buf_printf(&d->out, "%s\r\n", mechanism_facts[i].name);
	return command_say(d, ".\r\n", STEP_REPLIED);
}

static enum step
run_auth(struct dialogue *d, struct slice args)
{
	return slice_trim(args).len == 0 ? list_mechanisms(d) : command_auth(d, args);
}

static bool
is_digest(struct slice text)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (size_t i = 0; i < text.len; i++)
		if (memchr(digits, text.data[i], sizeof(digits) - 1) == NULL)
			return false;
	return text.len == DIGEST_MAX;
}

/* "name digest", where blanks may be in the name as in USER's. */
static enum step
run_apop(struct dialogue *d, struct slice args)
{
	struct slice rest = slice_trim(args), name;
	const char *blank = rest.len > 0 ? memrchr(rest.data, ' ', rest.len) : NULL;

	credentials_wipe(&d->credentials);
	d->phase = d->phase_again;
	if (buf_len(&d->timestamp) == 0)
		return command_refuse(d, REPLY_UNKNOWN);
	if (blank == NULL)
		return command_refuse(d, REPLY_SYNTAX);
	name = slice_trim(slice_make(rest.data, (size_t)(blank - rest.data)));
	rest = slice_from(rest, (size_t)(blank - rest.data) + 1);
	if (name.len == 0 || !credential_is_valid(name) || !is_digest(rest))
		return command_refuse(d, REPLY_SYNTAX);
	buf_append_slice(&d->credentials.user, name);
	buf_append_slice(&d->credentials.challenge, buf_slice(&d->timestamp));
	buf_append_slice(&d->credentials.response, rest);
	return command_login(d, MECHANISM_APOP);
}

static const struct verb verbs[] = {
	/* name      legal in    flags                what it does, says, and how long it may be */
	{ "CAPA",    PHASE_ANY,  VERB_NO_ARG,         .says = "+OK Capabilities follow.\r\n%c.\r\n" },
	{ "STLS",    PHASE_ANY,  VERB_STARTS_TLS,     .run = command_starttls },
	{ "USER",    PHASE_ANY,  VERB_TAKES_PASSWORD, .run = command_user,
	    .says = "+OK Send the password.\r\n" },
	{ "PASS",    PHASE_USER, VERB_TAKES_PASSWORD, .run = command_password },
	{ "APOP",    PHASE_ANY,  VERB_LOGS_IN,        .run = run_apop, .max_line = APOP_MAX },
	{ "AUTH",    PHASE_ANY,  VERB_NEEDS_TLS | VERB_SECRET, .run = run_auth, .max_line = SASL_LINE_MAX },
	{ "UTF8",    PHASE_ANY,  VERB_NO_ARG,         .capability = "UTF8", .wish = POP3_WISH_UTF8,
	    .says = "+OK UTF-8 it is.\r\n" },
	/* not before the login by RFC 1939, but clients say it, and other proxies answer */
	{ "NOOP",    PHASE_ANY,  VERB_NO_ARG,         .says = "+OK\r\n" },
	{ "XCLIENT", PHASE_ANY,  0,                   .run = xclient_run, .says = "+OK Updated\r\n" },
	{ "QUIT",    PHASE_ANY,  VERB_NO_ARG,         .says = "+OK Goodbye.\r\n", .step = STEP_QUIT },
	{ 0 }
};

/* Codes of RFC 3206; [AUTH] is any refusal that concerns the user, [SYS/TEMP] is worth another try. */
static const char *const replies[] = {
	[REPLY_NONE]            = NULL,
	[REPLY_GREETING]        = "+OK %x%h ready.%a\r\n",
	[REPLY_UNKNOWN]         = "-ERR Unknown command, or not before login.\r\n",
	[REPLY_NOT_NOW]         = "-ERR Send USER first.\r\n",
	[REPLY_SYNTAX]          = "-ERR Invalid command or arguments.\r\n",
	[REPLY_NEED_TLS]        = "-ERR [AUTH] Start TLS before you log in.\r\n",
	[REPLY_NO_TLS]          = "-ERR TLS is not available, or runs already.\r\n",
	[REPLY_START_TLS]       = "+OK Begin TLS negotiation now.\r\n",
	[REPLY_NO_MECHANISM]    = "-ERR Unsupported authentication mechanism.\r\n",
	[REPLY_SASL_SYNTAX]     = "-ERR Invalid authentication data.\r\n",
	[REPLY_SASL_CANCELLED]  = "-ERR Authentication cancelled.\r\n",
	[REPLY_AUTH_FAILED]     = "-ERR [AUTH] Authentication failed.\r\n",
	[REPLY_REFUSED]         = "-ERR [AUTH] %r\r\n",
	[REPLY_WRONG]           = "-ERR [AUTH] %r\r\n",
	[REPLY_LATER]           = "-ERR [SYS/TEMP] %r\r\n",
	[REPLY_CODED]           = "-ERR [%k] %r\r\n",
	[REPLY_UNAVAILABLE]     = "-ERR [SYS/TEMP] Account is temporarily unavailable.\r\n",
	[REPLY_TOO_BIG]         = "-ERR Command is too long.\r\n",
	[REPLY_TOO_LONG]        = "-ERR Command is too long.\r\n",
	[REPLY_TOO_MANY_ERRORS] = "-ERR Too many invalid commands.\r\n",
	[REPLY_BANNED]          = "-ERR [SYS/TEMP] Too many failed logins from %i.\r\n",
	[REPLY_PACED]           = "-ERR [LOGIN-DELAY] Too many logins from %i.\r\n",
	[REPLY_CROWDED_USER]    = "-ERR [IN-USE] Too many sessions of this user.\r\n",
	[REPLY_TLS_SPENT]       = "-ERR [SYS/TEMP] Too many new TLS sessions from %i.\r\n",
	[REPLY_DENIED]          = "-ERR %r\r\n",
	[REPLY_DENIED_LOGIN]    = "-ERR [AUTH] %r\r\n",
	[REPLY_CROWDED]         = "-ERR [SYS/TEMP] Too many connections from %i.\r\n",
	[REPLY_CROWDED_TLS]     = "-ERR [SYS/TEMP] Too many new TLS sessions from %i.\r\n",
	[REPLY_TIMEOUT]         = "-ERR [SYS/TEMP] Disconnected: time is up.\r\n",
	[REPLY_SHUTDOWN]        = "-ERR [SYS/TEMP] Please connect again.\r\n",
	[REPLY_UNAVAILABLE_BYE] = "-ERR [SYS/TEMP] Account is temporarily unavailable.\r\n",
	[REPLY_REFUSED_BYE]     = "-ERR Login was refused.\r\n",
	[REPLY_INJECTION]       = "-ERR Nothing may follow STLS.\r\n",
	[REPLY_FORBIDDEN]       = "-ERR This command does not pass here.\r\n",
	[REPLY_FOREIGN]         = "-ERR This is a POP3 server.\r\n",
};
static_assert(sizeof(replies) / sizeof(replies[0]) == REPLY_COUNT, "a text for each reply");

/* The proxy's own word, and what is between proxy and server only. */
static const char *const capability_own[] = {
	"RESP-CODES", "AUTH-RESP-CODE", "STLS", "USER", "SASL", "AUTH=*", "IMPLEMENTATION", "X*", NULL
};

const struct proto proto_pop3 = {
	PROTO_MAILBOX_FIELDS,
	.name = "pop3",
	.alpn = "pop3",
	.help = "Mail that is fetched (RFC 1939).",
	.trusted_help = "by XCLIENT, which is announced to them",
	.port = 110,
	.own_mechanisms = MECHANISM_BIT(MECHANISM_APOP),
	.forwards = PROTO_FORWARDS | PROTO_WAY(FORWARD_XCLIENT),
	.listener_defaults = PROTO_DEFAULTS(PROTO_MAILBOX_DEFAULTS, { "idle_timeout", "11m" }),
	.max_line = COMMAND_MAX,
	.sasl_prompt = "+ %s\r\n",
	.sasl_cancel = "*",
	.status_words = (const char *const[]){ "+OK", "-ERR", NULL },
	.frame = frame_line,
	.capability_floor = "TOP\nUIDL\n",
	.capability_own = capability_own,
	.write_capabilities = write_capabilities,
	.replies = replies,
	.take_code = code_take_pop3,
	.verbs = verbs,
	.dial = pop3_dial,
	.starttls_command = "STLS",
	.sasl_command = "AUTH",
	.max_dial_line = 255,		/* RFC 2449 section 4 */
	.take_challenge = dial_take_plus,
	.read_login = pop3_read_status,
	.refuses_plain = pop3_refuses_plain,
	.dial_farewell = "QUIT\r\n",
	.login_ok = pop3_write_login_ok,
	.login_refused = pop3_write_login_refused,
};
