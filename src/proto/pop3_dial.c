/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pop3_dial.c: POP3 as a server is spoken to: capabilities, STLS, the
 * client's address by XCLIENT, the login by AUTH or else by USER and PASS;
 * and what the client is told of it.
 */
#include "proto/pop3.h"

#include <string.h>

#include "base/identity.h"
#include "proto/capability.h"
#include "proto/reply.h"
#include "proto/xclient.h"

/* In dial->notes. */
enum {
	NOTE_LISTED = 1,	/* of a list of capabilities the first line has come */
	NOTE_XCLIENT = 2	/* the greeting announced XCLIENT */
};

/* "+OK" or "-ERR"; *text is what the server says behind it. */
static bool
take_status(struct slice line, const char *status, struct slice *text)
{
	size_t len = strlen(status);

	if (!slice_has_prefix_nocase(line, status) || (line.len > len && line.data[len] != ' '))
		return false;
	*text = slice_trim(slice_from(line, len));
	return true;
}

/* Is it "[NAME]" or of its kind, "[NAME/…]" (RFC 2449 section 8)?  NULL: is there any code? */
static bool
has_code(struct slice text, const char *name)
{
	const char *end = text.len > 0 && text.data[0] == '[' ? memchr(text.data, ']', text.len) : NULL;
	struct slice code;

	if (end == NULL || name == NULL)
		return end != NULL;
	code = slice_make(text.data + 1, (size_t)(end - text.data) - 1);
	return slice_has_prefix_nocase(code, name) &&
	    (code.len == strlen(name) || code.data[strlen(name)] == '/');
}

static enum answer
read_status(struct dial *dial, struct slice line)
{
	struct slice text;

	(void)dial;
	if (take_status(line, "+OK", &text))
		return ANSWER_OK;
	if (!take_status(line, "-ERR", &text))
		return ANSWER_GARBLED;
	return has_code(text, "SYS/TEMP") ? ANSWER_LATER : ANSWER_REFUSED;
}

/* Dovecot greets those whose XCLIENT it believes by that word. */
static enum answer
read_greeting(struct dial *dial, struct slice line)
{
	enum answer answer = read_status(dial, line);
	struct slice text;

	if (take_status(line, "+OK", &text) && has_code(text, "XCLIENT"))
		dial->notes |= NOTE_XCLIENT;
	/* nobody was told of a user yet: the server has no time for anybody */
	return answer == ANSWER_REFUSED ? ANSWER_LATER : answer;
}

/* What a greeting before TLS announced may be false: no more comes of it than a command that is ignored. */
static void
send_capa(struct dial *dial)
{
	if ((dial->notes & NOTE_XCLIENT) != 0)
		capability_add(&dial->capabilities, slice_of("XCLIENT"));
	buf_append_text(&dial->out, "CAPA\r\n");
}

/* A server that is older than CAPA has no list. */
static enum answer
begin_list(struct dial *dial, enum answer status)
{
	if (status == ANSWER_REFUSED)
		return ANSWER_OK;
	if (status != ANSWER_OK)
		return status;
	dial->notes |= NOTE_LISTED;
	return ANSWER_MORE;
}

/* How many lines there are is bounded in dial.c. */
static enum answer
read_capa(struct dial *dial, struct slice line)
{
	if ((dial->notes & NOTE_LISTED) == 0)
		return begin_list(dial, read_status(dial, line));
	if (slice_equals(line, ".")) {
		dial->notes &= ~(unsigned)NOTE_LISTED;
		return ANSWER_OK;
	}
	dial_learn(dial, slice_trim(line));
	return ANSWER_MORE;
}

static void
send_stls(struct dial *dial)
{
	if (!dial_has(dial, "STLS"))
		dial_fail(dial, "server offers no STLS");
	buf_append_text(&dial->out, "STLS\r\n");
}

/* Dovecot says +OK to those whom it does not believe, too. */
static enum answer
read_xclient(struct dial *dial, struct slice line)
{
	enum answer answer = read_status(dial, line);
	struct slice text;
	bool is_ignored = take_status(line, "+OK", &text) &&
	    slice_has_prefix_nocase(text, "You are not from trusted IP");

	if (dial->order.forward == FORWARD_AUTO)
		return answer == ANSWER_REFUSED ? ANSWER_OK : answer;
	return is_ignored ? ANSWER_REFUSED : answer;
}

static bool
wants_utf8(const struct dial *dial)
{
	return (dial->order.wishes & POP3_WISH_UTF8) != 0;
}

static void
send_utf8(struct dial *dial)
{
	buf_append_text(&dial->out, "UTF8\r\n");
}

/* A name with a blank is two arguments of USER; CR, LF and NUL are none of any command. */
static bool
is_plain(const struct credentials *c)
{
	struct slice user = buf_slice(&c->user), rest = user;

	return slice_word(&rest).len == user.len && user.len > 0 && credential_is_valid(user) &&
	    credential_is_valid(buf_slice(&c->password));
}

/* Who has STLS and no USER wants TLS first; without STLS it may be a server that just does not list USER. */
static bool
is_login_disabled(const struct dial *dial)
{
	return dial_has(dial, "STLS") && !dial->tls_active && !dial_has(dial, "USER");
}

static bool
cannot_log_in(const struct dial *dial)
{
	return !dial_has_mechanism(dial) && (dial_needs_mechanism(dial) || is_login_disabled(dial) ||
	    !is_plain(dial->order.credentials));
}

static void
fail_login(struct dial *dial)
{
	if (is_login_disabled(dial))
		dial_fail(dial, "server allows no login here");
	if (dial_needs_mechanism(dial))
		dial_fail_mechanism(dial);
	dial_fail(dial, "user or password do not fit in USER and PASS");
}

static bool
wants_user(const struct dial *dial)
{
	return !dial_has_mechanism(dial);
}

static void
send_user(struct dial *dial)
{
	buf_printf(&dial->out, "USER %.*s\r\n", SLICE_ARGS(buf_slice(&dial->order.credentials->user)));
}

static void
send_pass(struct dial *dial)
{
	buf_printf(&dial->out, "PASS %.*s\r\n", SLICE_ARGS(buf_slice(&dial->order.credentials->password)));
}

static bool
is_challenge(struct slice line)
{
	return slice_equals(line, "+") || slice_has_prefix(line, "+ ");
}

static enum answer
read_go_ahead(struct dial *dial, struct slice line)
{
	enum answer answer = read_status(dial, line);

	if (is_challenge(line))
		return ANSWER_OK;
	return answer == ANSWER_OK ? ANSWER_GARBLED : answer;
}

static enum answer
read_login(struct dial *dial, struct slice line)
{
	if (is_challenge(line))
		return dial_take_challenge(dial, slice_trim(slice_from(line, 1)));
	return read_status(dial, line);
}

/* Columns of the steps that log in, by what their replies are. */
enum { ASKS = DIAL_LOGIN | DIAL_SECRET, TELLS = ASKS | DIAL_FORWARD };
enum { INFORMS = DIAL_SECRET | DIAL_PIPELINED };

const struct dial_step pop3_dial[] = {
	/* while ...                if                   send                read, flags, tag */
	{ "reading greeting",        NULL,                NULL,               read_greeting, 0, NULL },
	{ "asking for capabilities", NULL,                send_capa,          read_capa, 0, NULL },
	{ "asking for TLS", dial_wants_tls, send_stls, read_status, DIAL_STARTS_TLS, NULL },
	{ "asking for capabilities", dial_began_tls,      send_capa,          read_capa, 0, NULL },
	{ "telling the address",     xclient_is_wanted,   xclient_send,       read_xclient, INFORMS, NULL },
	{ "asking for UTF-8",        wants_utf8,          send_utf8,          read_status, 0, NULL },
	{ "choosing how to log in",  cannot_log_in,       fail_login,         read_login, DIAL_LOGIN, NULL },
	{ "logging in", dial_wants_sasl_at_once, dial_send_sasl_at_once, read_login, TELLS, NULL },
	{ "asking to authenticate", dial_wants_sasl_in_turns, dial_send_sasl, read_go_ahead, ASKS, NULL },
	{ "sending the credentials", dial_wants_sasl_in_turns, dial_write_initial, read_login, TELLS, NULL },
	{ "sending the user",        wants_user,          send_user,          read_status, ASKS, NULL },
	{ "sending the password",    wants_user,          send_pass,          read_login, TELLS, NULL },
	{ 0 }
};

static void
write_words(struct dialogue *d, const char *status, struct slice words)
{
	buf_printf(&d->out, "%s ", status);
	reply_write_text(&d->out, words);
	buf_append_text(&d->out, "\r\n");
}

void
pop3_write_login_ok(struct dialogue *d, const struct dial *dial)
{
	struct slice text;

	if (!take_status(buf_slice(&dial->last), "+OK", &text) || text.len == 0)
		text = slice_of("Logged in.");
	write_words(d, "+OK", text);
}

/* A reason with a code is about a mailbox; any other words would tell the names that exist from others. */
void
pop3_write_login_refused(struct dialogue *d, const struct dial *dial)
{
	struct slice text;

	if (take_status(buf_slice(&dial->last), "-ERR", &text) && has_code(text, NULL) &&
	    !has_code(text, "AUTH"))
		write_words(d, "-ERR", text);
	else
		reply_write(d, REPLY_AUTH_FAILED);
}
