/* SPDX-License-Identifier: BSD-2-Clause */
/* sieve.c: ManageSieve as clients speak it before login (RFC 5804), and its row. */
#include "proto/sieve.h"

#include <assert.h>

#include "proto/answer_code.h"
#include "proto/capability.h"
#include "proto/command.h"
#include "proto/mail_string.h"
#include "proto/reply.h"
#include "proto/xclient.h"

enum {
	COMMAND_MAX = 4096,		/* a NOOP whose tag is quoted, each octet escaped, is half of it */
	LITERALS_MAX = 4096,
	TAG_MAX = 1024			/* octets: a client that wants more back is none */
};

/* Line ends in a tag that goes back to the client would be lines of ours. */
static bool
is_tag(struct slice tag)
{
	for (size_t i = 0; i < tag.len; i++)
		if ((unsigned char)tag.data[i] < ' ' || tag.data[i] == 0x7f)
			return false;
	return tag.len <= TAG_MAX;
}

/* RFC 5804 section 2.13: a tag comes back, so that the client knows where it is. */
static enum step
run_noop(struct dialogue *d, struct slice args)
{
	bool has_tag = args.len > 0;
	struct buf tag = { 0 };
	bool is_good = true;

	if (has_tag)
		is_good = mail_string_take(&args, &tag) && args.len == 0 && is_tag(buf_slice(&tag));
	if (is_good) {
		buf_append_text(&d->out, "OK ");
		if (has_tag) {
			buf_append_text(&d->out, "(TAG ");
			mail_string_write_quoted(&d->out, buf_slice(&tag));
			buf_append_text(&d->out, ") ");
		}
		buf_append_text(&d->out, "\"NOOP completed.\"\r\n");
	}
	buf_clear(&tag);
	return is_good ? STEP_REPLIED : command_refuse(d, REPLY_SYNTAX);
}

/* A string; a bare word is of clients that do not know better, and nothing is lost. */
static bool
take_mechanism(struct slice *args, struct buf *mechanism)
{
	if (args->len > 0 && (args->data[0] == '"' || args->data[0] == '{'))
		return mail_string_take(args, mechanism);
	buf_append_slice(mechanism, slice_word(args));
	return buf_len(mechanism) > 0;
}

static enum step
run_authenticate(struct dialogue *d, struct slice args)
{
	struct buf mechanism = { 0 };
	struct slice initial;
	bool is_good = take_mechanism(&args, &mechanism);
	enum step step;

	if (is_good && args.len == 0) {
		step = command_authenticate(d, buf_slice(&mechanism), NULL);
	} else if (is_good && mail_string_take_blank(&args) && sieve_take_response(args, &initial)) {
		/* the engine knows an empty response by the sign that other protocols have for it */
		if (initial.len == 0)
			initial = slice_of("=");
		step = command_authenticate(d, buf_slice(&mechanism), &initial);
	} else {
		step = command_refuse(d, REPLY_SYNTAX);
	}
	buf_clear(&mechanism);
	return step;
}

static const struct verb verbs[] = {
	/* name           legal in   flags            what it does, says, and how long it may be */
	{ "AUTHENTICATE", PHASE_ANY, VERB_LOGS_IN,    .run = run_authenticate, .max_line = SASL_LINE_MAX,
	    .max_literals = SASL_LINE_MAX },
	{ "STARTTLS",     PHASE_ANY, VERB_STARTS_TLS, .run = command_starttls },
	{ "CAPABILITY",   PHASE_ANY, VERB_NO_ARG,     .says = "%cOK \"Capability completed.\"\r\n" },
	{ "NOOP",         PHASE_ANY, 0,               .run = run_noop },
	{ "XCLIENT",      PHASE_ANY, 0,               .run = xclient_run, .says = "OK \"Updated\"\r\n" },
	{ "LOGOUT",       PHASE_ANY, VERB_NO_ARG,
	    .says = "OK \"Logout completed.\"\r\n", .step = STEP_QUIT },
	{ 0 }
};

static const char *const replies[] = {
	[REPLY_NONE]            = NULL,
	[REPLY_GREETING]        = "%cOK \"%h ready.\"\r\n",
	[REPLY_UNKNOWN]         = "NO \"Unknown command, or not before login.\"\r\n",
	[REPLY_NOT_NOW]         = "NO \"Command is not allowed now.\"\r\n",
	[REPLY_SYNTAX]          = "NO \"Invalid command or arguments.\"\r\n",
	[REPLY_NEED_TLS]        = "NO (ENCRYPT-NEEDED) \"Start TLS before you log in.\"\r\n",
	[REPLY_NO_TLS]          = "NO \"TLS is not available, or runs already.\"\r\n",
	[REPLY_START_TLS]       = "OK \"Begin TLS negotiation now.\"\r\n",
	[REPLY_NO_MECHANISM]    = "NO \"Unsupported authentication mechanism.\"\r\n",
	[REPLY_SASL_SYNTAX]     = "NO \"Invalid authentication data.\"\r\n",
	[REPLY_SASL_CANCELLED]  = "NO \"Authentication cancelled.\"\r\n",
	[REPLY_AUTH_FAILED]     = "NO \"Authentication failed.\"\r\n",
	[REPLY_REFUSED]         = "NO %q\r\n",
	[REPLY_WRONG]           = "NO %q\r\n",
	[REPLY_LATER]           = "NO (TRYLATER) %q\r\n",
	[REPLY_CODED]           = "NO (%k) %q\r\n",
	[REPLY_UNAVAILABLE]     = "NO (TRYLATER) \"Account is temporarily unavailable.\"\r\n",
	[REPLY_TOO_BIG]         = "NO \"Literal is too big.\"\r\n",
	[REPLY_TOO_LONG]        = "BYE \"Command is too long.\"\r\n",
	[REPLY_TOO_MANY_ERRORS] = "BYE \"Too many invalid commands.\"\r\n",
	[REPLY_BANNED]          = "BYE (TRYLATER) \"Too many failed logins from %i.\"\r\n",
	[REPLY_PACED]           = "NO (TRYLATER) \"Too many logins from %i.\"\r\n",
	[REPLY_CROWDED_USER]    = "NO (TRYLATER) \"Too many sessions of this user.\"\r\n",
	[REPLY_TLS_SPENT]       = "NO (TRYLATER) \"Too many new TLS sessions from %i.\"\r\n",
	[REPLY_DENIED]          = "BYE %q\r\n",
	[REPLY_DENIED_LOGIN]    = "NO %q\r\n",
	[REPLY_CROWDED]         = "BYE (TRYLATER) \"Too many connections from %i.\"\r\n",
	[REPLY_CROWDED_TLS]     = "BYE (TRYLATER) \"Too many new TLS sessions from %i.\"\r\n",
	[REPLY_TIMEOUT]         = "BYE \"Disconnected: time is up.\"\r\n",
	[REPLY_SHUTDOWN]        = "BYE (TRYLATER) \"Please connect again.\"\r\n",
	[REPLY_UNAVAILABLE_BYE] = "BYE (TRYLATER) \"Account is temporarily unavailable.\"\r\n",
	[REPLY_REFUSED_BYE]     = "BYE \"Login was refused.\"\r\n",
	[REPLY_INJECTION]       = "BYE \"Nothing may follow STARTTLS.\"\r\n",
	[REPLY_FORBIDDEN]       = "BYE \"This command does not pass here.\"\r\n",
	[REPLY_FOREIGN]         = "BYE \"This is a ManageSieve server.\"\r\n",
};
static_assert(sizeof(replies) / sizeof(replies[0]) == REPLY_COUNT, "a text for each reply");

/*
 * The proxy's own word, or what holds after login only.  UNAUTHENTICATE would have a client come back as
 * another user, at a server that is not theirs.
 */
static const char *const capability_own[] = {
	"IMPLEMENTATION", "SASL", "AUTH=*", "STARTTLS", "VERSION", "XCLIENT", "OWNER", "UNAUTHENTICATE", NULL
};

/* RFC 5804 section 1.7: these are nothing without words behind them; servers had none in common then. */
static bool
needs_words(struct slice name)
{
	return slice_equals(name, "NOTIFY") || slice_equals(name, "LANGUAGE") ||
	    slice_equals(name, "MAXREDIRECTS");
}

static void
write_offered(struct buf *out, struct slice entry)
{
	struct slice name = slice_word(&entry);

	mail_string_take_blank(&entry);
	if (entry.len == 0 && needs_words(name))
		return;
	mail_string_write_quoted(out, name);
	if (entry.len > 0 || slice_equals(name, "SIEVE")) {
		buf_append_text(out, " ");
		sieve_write_string(out, entry, false);
	}
	buf_append_text(out, "\r\n");
}

static void
write_capabilities(const struct dialogue *d, struct buf *out)
{
	buf_append_text(out, "\"IMPLEMENTATION\" \"gatepost\"\r\n\"SASL\" \"");
	sasl_list(dialogue_mechanisms(d), "", out);
	buf_append_text(out, "\"\r\n");
	for (struct slice rest = d->offer; rest.len > 0;)
		write_offered(out, capability_next(&rest));
	if (!capability_has(d->offer, "SIEVE"))
		write_offered(out, slice_of("SIEVE"));
	if (d->tls_offered)
		buf_append_text(out, "\"STARTTLS\"\r\n");
	if (d->is_trusted)
		buf_append_text(out, "\"XCLIENT\"\r\n");
	buf_append_text(out, "\"VERSION\" \"1.0\"\r\n");
}

const struct proto proto_sieve = {
	PROTO_MAILBOX_FIELDS,
	.name = "sieve",
	.alpn = "managesieve",
	.help = "Filters of mail that comes in, written by its users (ManageSieve, RFC 5804).",
	.trusted_help = "by XCLIENT, which is announced to them",
	.port = 4190,
	.forwards = PROTO_FORWARDS | PROTO_WAY(FORWARD_XCLIENT),
	.listener_defaults = PROTO_DEFAULTS(PROTO_MAILBOX_DEFAULTS, { "idle_timeout", "35m" }),
	.max_line = COMMAND_MAX,
	.max_literals = LITERALS_MAX,
	.sasl_prompt = "\"%s\"\r\n",
	.sasl_cancel = "*",
	.greets_after_tls = true,
	.sasl_frame = frame_literals,
	.take_response = sieve_take_response,
	.write_response = sieve_write_response,
	.frame = frame_literals,
	.capability_floor = "SIEVE fileinto\n",
	.capability_own = capability_own,
	.write_capabilities = write_capabilities,
	.replies = replies,
	.take_code = code_take_sieve,
	.verbs = verbs,
	.dial = sieve_dial,
	.take_challenge = sieve_take_challenge,
	.read_login = sieve_read_status,
	.dial_farewell = "LOGOUT\r\n",
	.login_ok = sieve_write_login_ok,
	.login_refused = sieve_write_login_refused,
	.filter = &sieve_relay,
};
