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

enum answer
pop3_read_status(struct dial *dial, struct slice line)
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
	enum answer answer = pop3_read_status(dial, line);
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

/* A server that is older than CAPA is taken to have what such servers have. */
static void
learn_floor(struct dial *dial)
{
	for (struct slice rest = slice_of(dial->order.proto->capability_floor); rest.len > 0;)
		dial_learn(dial, capability_next(&rest));
}

static enum answer
begin_list(struct dial *dial, enum answer status)
{
	if (status == ANSWER_REFUSED) {
		learn_floor(dial);
		return ANSWER_OK;
	}
	if (status != ANSWER_OK)
		return status;
	dial->notes |= NOTE_LISTED;
	dial->has_list = true;
	return ANSWER_MORE;
}

/* How many lines there are is bounded in dial.c. */
static enum answer
read_capa(struct dial *dial, struct slice line)
{
	if ((dial->notes & NOTE_LISTED) == 0)
		return begin_list(dial, pop3_read_status(dial, line));
	if (slice_equals(line, ".")) {
		dial->notes &= ~(unsigned)NOTE_LISTED;
		return ANSWER_OK;
	}
	dial_learn(dial, slice_trim(line));
	return ANSWER_MORE;
}

/* Dovecot says +OK to those whom it does not believe, too. */
static enum answer
read_xclient(struct dial *dial, struct slice line)
{
	enum answer answer = pop3_read_status(dial, line);
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

const char *
pop3_refuses_plain(const struct dial *dial)
{
	if (is_login_disabled(dial))
		return "server allows no login here";
	if (!dial_needs_mechanism(dial) && !is_plain(dial->order.credentials))
		return "user or password do not fit in USER and PASS";
	return NULL;
}

const struct dial_step pop3_dial[] = {
	/* while ...                 if                 reply, flags, and what is sent */
	{ "reading greeting",        NULL,              read_greeting, 0, .send = NULL },
	{ "asking for capabilities", NULL,              read_capa, 0, .send = send_capa },
	{ "asking for TLS",          dial_wants_tls,    pop3_read_status, DIAL_STARTS_TLS,
	    .send = dial_send_starttls },
	{ "asking for capabilities", dial_began_tls,    read_capa, 0, .send = send_capa },
	{ "telling the address",     xclient_is_wanted, read_xclient, DIAL_INFORMS, .send = xclient_send },
	{ "asking for UTF-8",        wants_utf8,        pop3_read_status, 0, .command = "UTF8" },
	DIAL_SASL_STEPS(NULL),
	{ "sending the user",        dial_is_plain,     pop3_read_status, DIAL_ASKS, .command = "USER %u" },
	{ "sending the password",    dial_is_plain,     dial_read_login, DIAL_TELLS, .command = "PASS %p" },
	{ 0 }
};

void
pop3_write_login_ok(struct dialogue *d, const struct dial *dial)
{
	struct slice text;

	if (!take_status(buf_slice(&dial->last), "+OK", &text) || text.len == 0)
		text = slice_of("Logged in.");
	reply_write_words(d, "+OK %r\r\n", text);
}

/* A reason with a code is about a mailbox; any other words would tell the names that exist from others. */
void
pop3_write_login_refused(struct dialogue *d, const struct dial *dial)
{
	struct slice text;

	if (take_status(buf_slice(&dial->last), "-ERR", &text) && has_code(text, NULL) &&
	    !has_code(text, "AUTH"))
		reply_write_words(d, "-ERR %r\r\n", text);
	else
		reply_write(d, REPLY_AUTH_FAILED);
}
