/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap_dial.c: IMAP as a server is spoken to: capabilities, STARTTLS, the
 * client's address by ID, the login in the way the server offers.  Secrets
 * and the address go out only once wanted TLS runs.
 */
#include "proto/imap.h"

#include <string.h>

#include "proto/dial.h"
#include "proto/mail_string.h"

enum {
	CAPABILITIES_MAX = 250		/* more than any server has; sorting thousands would take its time */
};

/* Replaces the list where the text is one. */
static void
learn(struct dial *dial, struct slice text)
{
	struct buf words = { 0 };
	struct slice rest;

	if (!imap_take_capabilities(text, &words))
		return;
	dial_forget(dial);
	rest = buf_slice(&words);
	for (int i = 0; i < CAPABILITIES_MAX && rest.len > 0; i++)
		dial_learn(dial, slice_word(&rest));
	buf_clear(&words);
}

static enum answer
read_greeting(struct dial *dial, struct slice line)
{
	struct imap_status status;

	if (!slice_has_prefix_nocase(line, "* "))
		return ANSWER_GARBLED;
	imap_split_status(slice_from(line, 2), &status);
	if (slice_equals_nocase(status.word, "BYE"))
		return ANSWER_LATER;
	/* already logged in, and not as anybody we know */
	if (slice_equals_nocase(status.word, "PREAUTH"))
		dial_fail(dial, "PREAUTH greeting");
	if (!slice_equals_nocase(status.word, "OK"))
		return ANSWER_GARBLED;
	learn(dial, status.code);
	return ANSWER_OK;
}

/* RFC 5530: no fault of the user's, and over some time. */
static bool
is_temporary(struct slice code)
{
	static const char *const words[] = { "UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG" };
	struct slice word = slice_word(&code);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equals_nocase(word, words[i]))
			return true;
	return false;
}

/* The tagged reply to the step's command; ANSWER_MORE for an untagged line, unless it is BYE. */
static enum answer
read_tagged(struct dial *dial, struct slice line, struct imap_status *status)
{
	struct slice tag = slice_word(&line);

	imap_split_status(line, status);
	if (slice_equals(tag, "*")) {
		if (slice_equals_nocase(status->word, "BYE"))
			return ANSWER_LATER;
		return slice_equals_nocase(status->word, "PREAUTH") ? ANSWER_GARBLED : ANSWER_MORE;
	}
	if (!slice_equals(tag, dial->steps[dial->reading].tag))
		return ANSWER_GARBLED;
	if (slice_equals_nocase(status->word, "OK"))
		return ANSWER_OK;
	if (slice_equals_nocase(status->word, "NO") || slice_equals_nocase(status->word, "BAD"))
		return is_temporary(status->code) ? ANSWER_LATER : ANSWER_REFUSED;
	return ANSWER_GARBLED;
}

static enum answer
read_command(struct dial *dial, struct slice line)
{
	struct imap_status status;
	enum answer answer = read_tagged(dial, line, &status);

	if (answer == ANSWER_MORE)
		learn(dial, slice_from(line, 2));
	if (answer == ANSWER_OK)
		learn(dial, status.code);
	return answer;
}

/* For commands that the login goes on without. */
static enum answer
never_mind(enum answer answer, struct slice line)
{
	bool is_refused = answer == ANSWER_REFUSED || (answer == ANSWER_LATER && line.data[0] != '*');

	return is_refused ? ANSWER_OK : answer;
}

static enum answer
read_id(struct dial *dial, struct slice line)
{
	struct imap_status status;

	return never_mind(read_tagged(dial, line, &status), line);
}

/* From the login on, untagged lines are the client's, but for capabilities, which it is told in our way. */
enum answer
imap_read_login(struct dial *dial, struct slice line)
{
	struct imap_status status;
	enum answer answer;

	answer = read_tagged(dial, line, &status);
	/* our command is not understood, which no other password will mend */
	if (answer == ANSWER_REFUSED && slice_equals_nocase(status.word, "BAD"))
		return ANSWER_LATER;
	if (answer == ANSWER_OK)
		imap_take_capabilities(status.code, &dial->capabilities_after);
	if (answer != ANSWER_MORE || imap_take_capabilities(slice_from(line, 2), &dial->capabilities_after))
		return answer;
	if (slice_equals_nocase(status.word, "OK") &&
	    imap_take_capabilities(status.code, &dial->capabilities_after))
		return answer;
	buf_append_slice(&dial->untagged, line);
	buf_append_text(&dial->untagged, "\r\n");
	return answer;
}

/* Logged in already: nothing that is said here undoes it. */
static enum answer
read_after(struct dial *dial, struct slice line)
{
	return never_mind(imap_read_login(dial, line), line);
}

static bool
wants_capability(const struct dial *dial)
{
	return buf_len(&dial->capabilities) == 0;
}

static bool
wants_id(const struct dial *dial)
{
	if (dial->order.identity == NULL)
		return false;
	if (dial->order.forward == FORWARD_AUTO)
		return dial_has(dial, "ID");
	return dial->order.forward == FORWARD_ID;
}

static void
write_pair(struct dial *dial, const char *name, struct slice value)
{
	struct buf *out = &dial->out;

	buf_printf(out, "%s\"%s\" ", buf_data(out)[buf_len(out) - 1] == '(' ? "" : " ", name);
	mail_string_write_quoted(out, value);
}

static void
send_id(struct dial *dial)
{
	buf_printf(&dial->out, "%s ID (", dial->steps[dial->sending].tag);
	xclient_tell(dial, dial->order.identity, XCLIENT_ID, NULL, write_pair);
	buf_append_text(&dial->out, ")\r\n");
}

/* LITERAL- (in IMAP4rev2 too) allows what a credential may be long. */
static bool
has_literals_at_once(const struct dial *dial)
{
	return dial_has(dial, "LITERAL+") || dial_has(dial, "LITERAL-") || dial_has(dial, "IMAP4REV2");
}

static bool
wants_login_at_once(const struct dial *dial)
{
	return dial_is_plain(dial) && has_literals_at_once(dial);
}

static bool
wants_login_in_turns(const struct dial *dial)
{
	return dial_is_plain(dial) && !has_literals_at_once(dial);
}

static void
send_login_at_once(struct dial *dial)
{
	const struct credentials *c = dial->order.credentials;

	buf_printf(&dial->out, "%s LOGIN {%zu+}\r\n", dial->steps[dial->sending].tag, buf_len(&c->user));
	buf_append_slice(&dial->out, buf_slice(&c->user));
	buf_printf(&dial->out, " {%zu+}\r\n", buf_len(&c->password));
	buf_append_slice(&dial->out, buf_slice(&c->password));
	buf_append_text(&dial->out, "\r\n");
}

static void
send_login(struct dial *dial)
{
	buf_printf(&dial->out, "%s LOGIN {%zu}\r\n", dial->steps[dial->sending].tag,
	    buf_len(&dial->order.credentials->user));
}

static void
send_user(struct dial *dial)
{
	buf_append_slice(&dial->out, buf_slice(&dial->order.credentials->user));
	buf_printf(&dial->out, " {%zu}\r\n", buf_len(&dial->order.credentials->password));
}

static void
send_password(struct dial *dial)
{
	buf_append_slice(&dial->out, buf_slice(&dial->order.credentials->password));
	buf_append_text(&dial->out, "\r\n");
}

static bool
wants_capability_after(const struct dial *dial)
{
	return dial->order.wants_capabilities && buf_len(&dial->capabilities_after) == 0;
}

const char *
imap_refuses_plain(const struct dial *dial)
{
	return dial_has(dial, "LOGINDISABLED") ? "server allows no login here" : NULL;
}

const struct dial_step imap_dial[] = {
	/* while ...                 if                      reply, flags, and what is sent */
	{ "reading greeting",        NULL,                   read_greeting, 0, .send = NULL },
	{ "asking for capabilities", wants_capability,       read_command, 0,
	    .command = "CAPABILITY", .tag = "C" },
	{ "asking for TLS",          dial_wants_tls,         read_command, DIAL_STARTS_TLS,
	    .send = dial_send_starttls, .tag = "S" },
	{ "asking for capabilities", dial_began_tls,         read_command, 0,
	    .command = "CAPABILITY", .tag = "T" },
	{ "telling the address",     wants_id,               read_id, DIAL_INFORMS,
	    .send = send_id, .tag = "I" },
	DIAL_SASL_STEPS("L"),
	{ "logging in",              wants_login_at_once,    dial_read_login, DIAL_TELLS,
	    .send = send_login_at_once, .tag = "L" },
	{ "asking to log in",        wants_login_in_turns,   dial_read_go_ahead, DIAL_ASKS,
	    .send = send_login, .tag = "L" },
	{ "sending the user",        wants_login_in_turns,   dial_read_go_ahead, DIAL_ASKS,
	    .send = send_user, .tag = "L" },
	{ "sending the password",    wants_login_in_turns,   dial_read_login, DIAL_TELLS,
	    .send = send_password, .tag = "L" },
	{ "asking for capabilities", wants_capability_after, read_after, 0,
	    .command = "CAPABILITY", .tag = "E" },
	{ 0 }
};
