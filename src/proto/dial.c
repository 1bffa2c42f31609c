/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dial.c: the engine of the server's side.  A server is not trusted: what it
 * may send before a reply is bounded, and a reply to a command that was not
 * sent yet ends the dial.
 */
#include "proto/dial.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "proto/capability.h"
#include "proto/sasl.h"

/* Of a server, before the reply that a step waits for. */
enum {
	LINE_MAX_OCTETS = 8192,
	LITERALS_MAX_OCTETS = 16384,
	REPLY_MAX_LINES = 64,
	REPLY_MAX_OCTETS = 65536
};

void
dial_init(struct dial *dial, const struct dial_order *order)
{
	*dial = (struct dial){ .order = *order, .steps = order->proto->dial };
}

void
dial_wipe(struct dial *dial)
{
	buf_wipe(&dial->out);
	buf_wipe(&dial->initial);
	buf_clear(&dial->capabilities);
	/* a server may repeat what it was told */
	buf_wipe(&dial->capabilities_after);
	buf_wipe(&dial->untagged);
	buf_wipe(&dial->last);
	buf_wipe(&dial->token_error);
}

void
dial_fail(struct dial *dial, const char *why)
{
	if (dial->failed)
		return;
	dial->failed = true;
	snprintf(dial->why, sizeof(dial->why), "%s", why);
}

bool
dial_logs_in(const struct dial *dial)
{
	return dial->order.credentials != NULL && dial->order.login != LOGIN_XCLIENT;
}

bool
dial_has(const struct dial *dial, const char *capability)
{
	return capability_has(buf_slice(&dial->capabilities), capability);
}

bool
dial_wants_tls(const struct dial *dial)
{
	return dial->order.starttls && !dial->tls_active;
}

bool
dial_began_tls(const struct dial *dial)
{
	return dial->order.starttls && dial->tls_active;
}

/* A name with a line end in it would be more than one command. */
static void
write_command(struct dial *dial, const char *command)
{
	const struct credentials *c = dial->order.credentials;

	for (const char *percent = strchr(command, '%'); percent != NULL; percent = strchr(command, '%')) {
		struct slice words = buf_slice(percent[1] == 'u' ? &c->user : &c->password);

		if (!credential_is_valid(words))
			dial_fail(dial, "user or password fit in no command");
		buf_append(&dial->out, command, (size_t)(percent - command));
		buf_append_slice(&dial->out, words);
		command = percent + 2;
	}
	buf_append_text(&dial->out, command);
}

void
dial_send_command(struct dial *dial, const char *command)
{
	const char *tag = dial->steps[dial->sending].tag;

	if (tag != NULL)
		buf_printf(&dial->out, "%s ", tag);
	write_command(dial, command);
	buf_append_text(&dial->out, "\r\n");
}

void
dial_send_starttls(struct dial *dial)
{
	const char *command = dial->order.proto->starttls_command;
	char why[sizeof(dial->why)];

	if (command == NULL)
		command = "STARTTLS";
	snprintf(why, sizeof(why), "server offers no %s", command);
	if (!dial_has(dial, command))
		dial_fail(dial, why);
	dial_send_command(dial, command);
}

void
dial_learn(struct dial *dial, struct slice entry)
{
	struct slice names = entry, word = slice_word(&names);

	dial->has_list = true;
	if (slice_has_prefix_nocase(entry, "AUTH="))
		names = slice_from(entry, strlen("AUTH="));
	else if (!slice_equals_nocase(word, "SASL") && !slice_equals_nocase(word, "AUTH")) {
		capability_add(&dial->capabilities, entry);
		return;
	}
	for (word = slice_word(&names); word.len > 0; word = slice_word(&names))
		dial->mechanisms |= MECHANISM_BIT(mechanism_find(word)) & ~MECHANISM_BIT(MECHANISM_NONE);
}

void
dial_forget(struct dial *dial)
{
	buf_clear(&dial->capabilities);
	dial->mechanisms = 0;
	dial->has_list = false;
}

static const char *
mechanism_name(const struct dial *dial)
{
	return mechanism_facts[dial->order.credentials->mechanism].name;
}

bool
dial_needs_mechanism(const struct dial *dial)
{
	const struct credentials *c = dial->order.credentials;

	return credentials_kind(c) != CREDENTIAL_PASSWORD || buf_len(&c->authzid) > 0;
}

static void
write_response(struct dial *dial, struct slice base64)
{
	if (dial->order.proto->write_response != NULL) {
		dial->order.proto->write_response(&dial->out, base64);
	} else {
		buf_append_slice(&dial->out, base64);
		buf_append_text(&dial->out, "\r\n");
	}
}

void
dial_write_initial(struct dial *dial)
{
	write_response(dial, buf_slice(&dial->initial));
}

/* Does the server take the initial response in the command's line, and does it fit there? */
static bool
is_initial_taken(const struct dial *dial)
{
	const struct proto *proto = dial->order.proto;

	if (proto->sasl_initial != NULL && !dial_has(dial, proto->sasl_initial))
		return false;
	return proto->max_dial_line == 0 || strlen(proto->sasl_command) + strlen("  \r\n") +
	    strlen(mechanism_name(dial)) + buf_len(&dial->initial) <= proto->max_dial_line;
}

static void
choose_sasl(struct dial *dial)
{
	struct buf message = { 0 };

	sasl_write_initial(dial->order.credentials, &message);
	base64_encode(buf_slice(&message), &dial->initial);
	buf_wipe(&message);
	dial->way = is_initial_taken(dial) ? DIAL_AT_ONCE : DIAL_IN_TURNS;
}

void
dial_choose_login(struct dial *dial)
{
	const struct proto *proto = dial->order.proto;
	const char *why = NULL;
	char text[sizeof(dial->why)];

	if ((dial->mechanisms & MECHANISM_BIT(dial->order.credentials->mechanism)) != 0) {
		choose_sasl(dial);
		return;
	}
	dial->way = DIAL_PLAIN;
	if (proto->refuses_plain != NULL)
		why = proto->refuses_plain(dial);
	if (why == NULL && (proto->refuses_plain == NULL || dial_needs_mechanism(dial))) {
		snprintf(text, sizeof(text), "server offers no SASL %s", mechanism_name(dial));
		why = text;
	}
	if (why != NULL)
		dial_fail(dial, why);
}

bool
dial_is_plain(const struct dial *dial)
{
	return dial->way == DIAL_PLAIN;
}

bool
dial_is_at_once(const struct dial *dial)
{
	return dial->way == DIAL_AT_ONCE;
}

bool
dial_is_in_turns(const struct dial *dial)
{
	return dial->way == DIAL_IN_TURNS;
}

static void
write_sasl_command(struct dial *dial)
{
	const char *tag = dial->steps[dial->sending].tag;

	buf_printf(&dial->out, "%s%s%s %s", tag != NULL ? tag : "", tag != NULL ? " " : "",
	    dial->order.proto->sasl_command, mechanism_name(dial));
}

void
dial_send_at_once(struct dial *dial)
{
	write_sasl_command(dial);
	buf_append_text(&dial->out, " ");
	dial_write_initial(dial);
}

void
dial_send_in_turns(struct dial *dial)
{
	write_sasl_command(dial);
	buf_append_text(&dial->out, "\r\n");
}

bool
dial_take_plus(struct dial *dial, struct slice line, struct slice *base64)
{
	(void)dial;
	*base64 = slice_trim(slice_from(line, 1));
	return slice_equals(line, "+") || slice_has_prefix(line, "+ ");
}

enum answer
dial_read_go_ahead(struct dial *dial, struct slice line)
{
	struct slice challenge;
	enum answer answer;

	if (dial->order.proto->take_challenge(dial, line, &challenge))
		return ANSWER_OK;
	answer = dial->order.proto->read_login(dial, line);
	return answer == ANSWER_OK ? ANSWER_GARBLED : answer;
}

/* The error of a token is answered, and the final reply comes then; there is no other challenge. */
static enum answer
take_error(struct dial *dial, struct slice challenge)
{
	const struct credentials *c = dial->order.credentials;
	struct buf base64 = { 0 };

	if (credentials_kind(c) != CREDENTIAL_TOKEN || buf_len(&dial->token_error) > 0 ||
	    !base64_decode(challenge, &dial->token_error) || buf_len(&dial->token_error) == 0)
		return ANSWER_GARBLED;
	base64_encode(sasl_answer_refusal(c), &base64);
	write_response(dial, buf_slice(&base64));
	buf_clear(&base64);
	return ANSWER_MORE;
}

enum answer
dial_read_login(struct dial *dial, struct slice line)
{
	struct slice challenge;

	if (dial->order.proto->take_challenge(dial, line, &challenge))
		return take_error(dial, challenge);
	return dial->order.proto->read_login(dial, line);
}

static bool
holds(struct slice text, struct slice secret)
{
	return secret.len > 0 && memmem(text.data, text.len, secret.data, secret.len) != NULL;
}

/* Some servers repeat a command that they do not like: a password would come into the log. */
bool
dial_holds_secret(const struct dial *dial, struct slice text)
{
	const struct credentials *c = dial->order.credentials;
	struct buf encoded = { 0 };
	bool is_found;

	if (c == NULL || text.len == 0)
		return false;
	base64_encode(buf_slice(&c->password), &encoded);
	is_found = holds(text, buf_slice(&c->password)) || holds(text, buf_slice(&encoded)) ||
	    holds(text, buf_slice(&dial->initial));
	buf_wipe(&encoded);
	return is_found;
}

bool
dial_reason(const struct dial *dial, char *out, size_t size)
{
	struct slice last = buf_slice(&dial->last);
	bool has_secret = dial_holds_secret(dial, last);

	if (dial->why[0] != '\0' && (!dial->was_refused || has_secret))
		snprintf(out, size, "%s", dial->why);
	else if (dial->why[0] != '\0')
		snprintf(out, size, "%s: %.*s", dial->why, SLICE_ARGS(last));
	else if (has_secret)
		snprintf(out, size, "words of the server with the password in them");
	else
		snprintf(out, size, "%.*s", SLICE_ARGS(last));
	return out[0] != '\0';
}

static enum dial_result
end_failed(struct dial *dial, const char *why)
{
	dial_fail(dial, why);
	return DIAL_FAILED;
}

static bool
is_end(const struct dial *dial, const struct dial_step *step)
{
	bool until_login = dial->order.until_login || !dial_logs_in(dial);

	return step->doing == NULL || (until_login && (step->flags & DIAL_LOGIN) != 0);
}

static bool
send_step(struct dial *dial, const struct dial_step *step)
{
	size_t before = buf_len(&dial->out);

	if ((step->flags & DIAL_SECRET) != 0 && dial->order.needs_tls && !dial->tls_active)
		dial_fail(dial, "no TLS for credentials");
	else if (step->send != NULL)
		step->send(dial);
	else if (step->command != NULL)
		dial_send_command(dial, step->command);
	/* what must not be sent is not */
	if (dial->failed)
		buf_truncate(&dial->out, before);
	return !dial->failed;
}

/* Sends the next wanted step, and with it those that need not wait; DIAL_READY when there is none left. */
static enum dial_result
send_steps(struct dial *dial)
{
	bool waits = false;

	while (!waits) {
		const struct dial_step *step = &dial->steps[dial->sending];

		if (is_end(dial, step))
			return dial->sent >> dial->reading != 0 ? DIAL_MORE : DIAL_READY;
		if (step->is_wanted == NULL || step->is_wanted(dial)) {
			if (!send_step(dial, step))
				return DIAL_FAILED;
			assert(dial->sending < 32);
			if ((step->flags & DIAL_DECIDES) == 0)
				dial->sent |= UINT32_C(1) << dial->sending;
			waits = (step->flags & (DIAL_PIPELINED | DIAL_DECIDES)) == 0;
		}
		dial->sending++;
	}
	return DIAL_MORE;
}

/* Goes to the step whose reply comes next, sending what is to be sent first. */
static enum dial_result
go_on(struct dial *dial)
{
	enum dial_result result = DIAL_MORE;

	if (dial->sent >> dial->reading == 0)
		result = send_steps(dial);
	if (result == DIAL_MORE)
		while ((dial->sent >> dial->reading & 1) == 0)
			dial->reading++;
	return result;
}

enum dial_result
dial_start(struct dial *dial)
{
	return dial->steps != NULL ? go_on(dial) : DIAL_READY;
}

enum dial_result
dial_tls_started(struct dial *dial)
{
	dial->tls_active = true;
	dial->frame = (struct frame){ 0 };
	dial_forget(dial);
	return go_on(dial);
}

const char *
dial_doing(const struct dial *dial)
{
	const char *doing = dial->steps != NULL ? dial->steps[dial->reading].doing : NULL;

	return doing != NULL ? doing : "connecting";
}

static enum dial_result
end_step(struct dial *dial, size_t behind)
{
	const struct dial_step *step = &dial->steps[dial->reading];
	size_t pending = buf_len(&dial->out);
	enum dial_result result;

	dial->sent &= ~(UINT32_C(1) << dial->reading);
	dial->lines = 0;
	dial->octets = 0;
	if ((step->flags & DIAL_STARTS_TLS) != 0)
		return behind == 0 ? DIAL_TLS : end_failed(dial, "plaintext behind STARTTLS");
	result = go_on(dial);
	if (buf_len(&dial->out) > pending)
		dial->early = behind;
	return result;
}

static void
keep_last(struct dial *dial, struct slice line)
{
	buf_wipe(&dial->last);
	buf_append_slice(&dial->last, line);
}

static struct slice
without_line_end(struct slice line)
{
	line.len -= line.len > 1 && line.data[line.len - 2] == '\r' ? 2 : 1;
	return line;
}

/* One line with its literals and line end; `behind` bytes of input follow it. */
static enum dial_result
take_line(struct dial *dial, struct slice whole, size_t behind)
{
	const struct dial_step *step = &dial->steps[dial->reading];
	struct slice line = without_line_end(whole);
	bool is_early = dial->early > 0;
	enum answer answer;

	dial->octets += line.len;
	dial->early = dial->early > whole.len ? dial->early - whole.len : 0;
	if (memchr(line.data, '\0', line.len) != NULL)
		return end_failed(dial, "NUL in a reply");
	answer = step->read(dial, line);
	if (dial->failed)
		return DIAL_FAILED;
	if (answer == ANSWER_MORE) {
		if (++dial->lines > REPLY_MAX_LINES || dial->octets > REPLY_MAX_OCTETS)
			return end_failed(dial, "too much before a reply");
		return DIAL_MORE;
	}
	if (answer != ANSWER_OK || (step->flags & DIAL_FORWARD) != 0)
		keep_last(dial, line);
	if (answer == ANSWER_LATER)
		return DIAL_LATER;
	if (is_early)
		return end_failed(dial, "reply before its command");
	if (answer == ANSWER_OK)
		return end_step(dial, behind);
	if (answer == ANSWER_REFUSED && ((step->flags & DIAL_LOGIN) != 0 || dial->refuses_client))
		return DIAL_REFUSED;
	dial->was_refused = answer == ANSWER_REFUSED;
	return end_failed(dial, answer == ANSWER_REFUSED ? "command refused" : "garbled reply");
}

enum dial_result
dial_feed(struct dial *dial, struct slice in, size_t *used)
{
	static const struct frame_limits limits = { LINE_MAX_OCTETS, LITERALS_MAX_OCTETS };
	enum dial_result result = DIAL_MORE;

	*used = 0;
	while (result == DIAL_MORE) {
		struct slice rest = slice_from(in, *used);
		enum frame_result found = dial->order.proto->frame(&dial->frame, rest, &limits);
		struct slice line = slice_make(rest.data, dial->frame.scanned);

		if (found == FRAME_MORE)
			break;
		if (found == FRAME_PROMPT)
			continue;
		if (found != FRAME_COMPLETE)
			return end_failed(dial, "endless reply");
		*used += line.len;
		dial->frame = (struct frame){ 0 };
		result = take_line(dial, line, in.len - *used);
	}
	return result;
}
