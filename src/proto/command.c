/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.c: the engine of the client's side.  What a verb's columns say is
 * judged here, for a literal already before it is asked for, so that refused
 * credentials are never sent at all.
 */
#include "proto/command.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "base/xalloc.h"
#include "proto/capability.h"
#include "proto/reply.h"

/* A command as far as the engine reads it. */
struct command {
	const struct verb *verb;	/* NULL: not known */
	struct slice rest;		/* behind the verb, with the blank */
};

/* What a browser can be made to send here with a victim's cookies in it. */
static const char *const http_methods[] = {
	"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", NULL
};

static const char doing_wait[] = "waiting for a command";

void
dialogue_init(struct dialogue *d, const struct proto *proto, struct identity *identity,
    const char *hostname)
{
	*d = (struct dialogue){
		.proto = proto,
		.identity = identity,
		.hostname = hostname,
		.phase = PHASE_START,
		.phase_again = PHASE_START,
		.doing = doing_wait,
	};
}

static void
forget(struct dialogue *d)
{
	credentials_wipe(&d->credentials);
	buf_wipe(&d->scratch);
	buf_wipe(&d->token_error);
	buf_wipe(&d->refusal);
	d->sasl = (struct sasl){ 0 };
	d->frame = (struct frame){ 0 };
	d->phase = d->phase_again;
	d->doing = doing_wait;
}

void
dialogue_wipe(struct dialogue *d)
{
	forget(d);
	buf_clear(&d->timestamp);
	buf_clear(&d->out);
}

void
dialogue_greet(struct dialogue *d)
{
	reply_write(d, REPLY_GREETING);
}

void
dialogue_begin_again(struct dialogue *d)
{
	d->phase_again = PHASE_START;
	forget(d);
	if (d->identity == NULL)
		return;
	xfree(d->identity->helo);
	d->identity->helo = NULL;
	d->identity->is_extended = false;
}

/* Likewise what a peer told of its client. */
static void
forget_told(struct dialogue *d)
{
	if (!d->has_told)
		return;
	d->has_told = false;
	d->identity->client = d->told_from;
	d->identity->local = d->told_at;
	d->identity->hops = HOPS_MAX;
	xfree(d->identity->origin);
	d->identity->origin = NULL;
}

void
dialogue_tls_started(struct dialogue *d)
{
	forget_told(d);
	/* what a client called itself before TLS may be another's word (RFC 3207 section 4.2) */
	dialogue_begin_again(d);
	d->tag[0] = '\0';
	d->tls_offered = false;
	d->secrets_allowed = true;
	d->asked_capabilities = false;
	d->wishes = 0;
	if (d->proto->greets_after_tls)
		dialogue_greet(d);
}

unsigned
dialogue_mechanisms(const struct dialogue *d)
{
	bool has_certificate = d->identity != NULL && d->identity->certificate_user != NULL;
	unsigned mechanisms = d->secrets_allowed ? d->mechanisms & mechanisms_of_sasl() : 0;

	return has_certificate ? mechanisms : mechanisms & ~mechanisms_of_kind(CREDENTIAL_CERTIFICATE);
}

bool
dialogue_takes_passwords(const struct dialogue *d)
{
	return (dialogue_mechanisms(d) & mechanisms_of_kind(CREDENTIAL_PASSWORD)) != 0;
}

void
dialogue_challenge(struct dialogue *d, struct slice challenge)
{
	reply_write_challenge(d, challenge);
	d->doing = "authenticating";
}

/* RFC 7628 section 3.2.3: the error comes as a challenge, the refusal behind the client's answer to it. */
static void
challenge_with_error(struct dialogue *d)
{
	static const char unsaid[] = "{\"status\":\"invalid_token\"}";
	struct buf refusal = d->out, error = d->token_error;

	d->out = d->token_error = (struct buf){ 0 };
	forget(d);
	d->refusal = refusal;
	dialogue_challenge(d, buf_len(&error) > 0 ? buf_slice(&error) : slice_of(unsaid));
	buf_wipe(&error);
}

void
dialogue_login_over(struct dialogue *d, bool is_refused)
{
	if (is_refused && credentials_kind(&d->credentials) == CREDENTIAL_TOKEN)
		challenge_with_error(d);
	else
		forget(d);
}

enum step
command_say(struct dialogue *d, const char *words, enum step step)
{
	buf_append_text(&d->out, words);
	return step;
}

enum step
command_refuse(struct dialogue *d, enum reply reply)
{
	reply_write(d, reply);
	switch (reply) {
	case REPLY_INJECTION:
		d->doing = "starting TLS";
		return STEP_INJECTION;
	case REPLY_FOREIGN:
		d->doing = "reading another protocol";
		return STEP_FATAL;
	case REPLY_TOO_LONG:
		d->doing = "reading an endless command";
		return STEP_FATAL;
	default:
		return STEP_BAD;
	}
}

/* Is this not text at all, or HTTP?  Then whoever sends it must not be answered as if it were a client. */
static bool
is_foreign(struct slice first_word)
{
	for (size_t i = 0; i < first_word.len; i++)
		if ((unsigned char)first_word.data[i] < ' ' || (unsigned char)first_word.data[i] >= 0x7f)
			return first_word.data[i] != '\t' && first_word.data[i] != '\r';
	for (int i = 0; http_methods[i] != NULL; i++)
		if (slice_equals_nocase(first_word, http_methods[i]))
			return true;
	return false;
}

/* RFC 9051: one or more ASTRING-CHAR but "+". */
static bool
is_tag(struct slice word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.data[i] <= ' ' || word.data[i] > '~' || strchr("(){%*\"\\+", word.data[i]) != NULL)
			return false;
	return word.len > 0;
}

static struct slice
up_to_blank(struct slice s)
{
	const char *blank = s.len > 0 ? memchr(s.data, ' ', s.len) : NULL;

	return blank != NULL ? slice_make(s.data, (size_t)(blank - s.data)) : s;
}

static bool
is_known(const struct dialogue *d, const struct verb *verb)
{
	return verb->capability == NULL || capability_has(d->offer, verb->capability);
}

static const struct verb *
find_verb(const struct dialogue *d, struct slice name)
{
	for (const struct verb *verb = d->proto->verbs; verb->name != NULL; verb++) {
		bool is_start = (verb->flags & VERB_PREFIX) != 0;

		if (!is_known(d, verb))
			continue;
		if (is_start ? slice_has_prefix_nocase(name, verb->name)
			     : slice_equals_nocase(name, verb->name))
			return verb;
	}
	return NULL;
}

static struct slice
without_line_end(struct slice line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static struct slice
without_trailing_blanks(struct slice line)
{
	while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
		line.len--;
	return line;
}

/* Sets the tag and finds the verb; REPLY_NONE, or why the command cannot even be answered by name. */
static enum reply
read_head(struct dialogue *d, struct slice line, struct command *command)
{
	struct slice word = up_to_blank(line);

	d->tag[0] = '\0';
	if (is_foreign(word) || (d->proto->is_foreign != NULL && d->proto->is_foreign(line)))
		return REPLY_FOREIGN;
	if (d->proto->is_tagged) {
		if (word.len >= sizeof(d->tag) || !is_tag(word))
			return REPLY_SYNTAX;
		memcpy(d->tag, word.data, word.len);
		d->tag[word.len] = '\0';
		line = slice_from(line, word.len + 1);
		word = up_to_blank(line);
	}
	command->verb = find_verb(d, word);
	command->rest = slice_from(line, word.len);
	return command->verb != NULL ? REPLY_NONE : REPLY_UNKNOWN;
}

static enum reply
judge(const struct dialogue *d, const struct command *command, bool is_last)
{
	const struct verb *verb = command->verb;

	if ((verb->phases & d->phase) == 0)
		return REPLY_NOT_NOW;
	if ((verb->flags & VERB_NEEDS_TLS) != 0 && !d->secrets_allowed)
		return REPLY_NEED_TLS;
	if ((verb->flags & VERB_PASSWORD) != 0 && !dialogue_takes_passwords(d))
		return REPLY_NO_MECHANISM;
	if ((verb->flags & VERB_NO_ARG) != 0 && command->rest.len > 0)
		return REPLY_SYNTAX;
	if ((verb->flags & VERB_NEEDS_ARG) != 0 && command->rest.len < 2)
		return REPLY_SYNTAX;
	if ((verb->flags & VERB_LAST_IN_PIPELINE) != 0 && !is_last)
		return REPLY_INJECTION;
	return REPLY_NONE;
}

static enum reply
read_command(struct dialogue *d, struct slice line, bool is_last, struct command *command)
{
	enum reply reply;

	*command = (struct command){ 0 };
	reply = read_head(d, line, command);
	d->is_idle = command->verb != NULL && (command->verb->flags & VERB_IDLES) != 0;
	return reply != REPLY_NONE ? reply : judge(d, command, is_last);
}

/* What the verb does, and what its row says then. */
static enum step
run_verb(struct dialogue *d, const struct verb *verb, struct slice args)
{
	enum step step = verb->run != NULL ? verb->run(d, args) : STEP_REPLIED;

	if (step != STEP_REPLIED)
		return step;
	d->wishes |= verb->wish;
	if ((verb->flags & VERB_CAPABILITIES) != 0)
		d->asked_capabilities = true;
	if (verb->says != NULL)
		reply_write_words(d, verb->says, slice_of(NULL));
	return verb->step != 0 ? verb->step : STEP_REPLIED;
}

static enum step
run_line(struct dialogue *d, struct slice line, bool is_last, const char **name)
{
	struct command command;
	enum reply reply;

	if (d->proto->trims_lines)
		line = without_trailing_blanks(line);
	reply = read_command(d, line, is_last, &command);
	if (command.verb != NULL)
		*name = command.verb->name;
	if (reply != REPLY_NONE)
		return command_refuse(d, reply);
	assert(command.verb != NULL);
	return run_verb(d, command.verb, slice_from(command.rest, 1));
}

static void
raise_limit(size_t *limit, size_t other)
{
	if (other > *limit)
		*limit = other;
}

/* Too much by the protocol's limits; some verbs have others. */
static enum frame_result
frame_again(struct dialogue *d, struct slice in, struct frame_limits *limits)
{
	struct command command = { 0 };

	if (read_head(d, in, &command) == REPLY_NONE) {
		raise_limit(&limits->max_line, command.verb->max_line);
		raise_limit(&limits->max_literals, command.verb->max_literals);
	}
	return d->proto->frame(&d->frame, in, limits);
}

static enum frame_result
find_frame(struct dialogue *d, struct slice in)
{
	struct frame_limits limits = { d->proto->max_line, d->proto->max_literals };
	struct frame before = d->frame;
	enum frame_result result = d->proto->frame(&d->frame, in, &limits);

	if (result != FRAME_TOO_LONG && result != FRAME_LITERAL_TOO_BIG)
		return result;
	d->frame = before;
	return frame_again(d, in, &limits);
}

/* A literal is announced: prompts for it (STEP_MORE), or refuses the command before more of it is sent. */
static enum step
admit_literal(struct dialogue *d, struct slice line, bool is_too_big, const char **name)
{
	struct command command;
	enum reply reply = read_command(d, line, true, &command);

	if (command.verb != NULL)
		*name = command.verb->name;
	if (reply != REPLY_NONE || is_too_big)
		return command_refuse(d, reply != REPLY_NONE ? reply : REPLY_TOO_BIG);
	if (d->proto->literal_prompt == NULL)
		return command_refuse(d, REPLY_SYNTAX);
	buf_append_text(&d->out, d->proto->literal_prompt);
	return STEP_MORE;
}

static enum step
run_command(struct dialogue *d, struct slice in, size_t *used, const char **name)
{
	enum step step = STEP_MORE;

	while (step == STEP_MORE) {
		enum frame_result result = find_frame(d, in);
		struct slice line = slice_make(in.data, d->frame.scanned);
		bool is_too_big;

		switch (result) {
		case FRAME_MORE:
			return STEP_MORE;
		case FRAME_PROMPT:
		case FRAME_LITERAL_TOO_BIG:
			is_too_big = result == FRAME_LITERAL_TOO_BIG;
			step = admit_literal(d, without_line_end(line), is_too_big, name);
			break;
		case FRAME_TOO_LONG:
			*used = in.len;
			return command_refuse(d, REPLY_TOO_LONG);
		case FRAME_COMPLETE:
			*used = line.len;
			return run_line(d, without_line_end(line), line.len == in.len, name);
		}
	}
	*used = d->frame.scanned;
	return step;
}

/* The client has given its last word for its certificate, or its last one but for challenges to come. */
static enum step
begin_login(struct dialogue *d)
{
	if (credentials_kind(&d->credentials) == CREDENTIAL_CERTIFICATE)
		buf_append_text(&d->credentials.user, d->identity->certificate_user);
	d->doing = "logging in";
	return STEP_LOGIN;
}

static enum step
end_round(struct dialogue *d, enum sasl_result result, struct buf *challenge)
{
	enum step step = STEP_REPLIED;

	switch (result) {
	case SASL_CHALLENGE:
		dialogue_challenge(d, buf_slice(challenge));
		break;
	case SASL_DONE:
	case SASL_ASK:
		step = begin_login(d);
		break;
	case SASL_RESPONSE:
		step = STEP_RESPONSE;
		break;
	case SASL_MALFORMED:
	case SASL_UNKNOWN:
		d->doing = doing_wait;
		step = command_refuse(d, result == SASL_UNKNOWN ? REPLY_NO_MECHANISM : REPLY_SASL_SYNTAX);
		break;
	}
	buf_clear(challenge);
	buf_wipe(&d->scratch);
	return step;
}

enum step
command_starttls(struct dialogue *d, struct slice args)
{
	(void)args;
	if (!d->tls_offered)
		return command_refuse(d, REPLY_NO_TLS);
	if (d->tls_is_spent)
		return command_refuse(d, REPLY_TLS_SPENT);
	reply_write(d, REPLY_START_TLS);
	d->doing = "starting TLS";
	return STEP_STARTTLS;
}

/* Of this name, where it is offered; MECHANISM_NONE: it is not. */
static enum mechanism
find_offered(const struct dialogue *d, struct slice name)
{
	enum mechanism mechanism = mechanism_find(name);

	return (dialogue_mechanisms(d) & MECHANISM_BIT(mechanism)) != 0 ? mechanism : MECHANISM_NONE;
}

enum step
command_authenticate(struct dialogue *d, struct slice name, const struct slice *initial)
{
	enum mechanism mechanism = find_offered(d, name);
	struct buf challenge = { 0 };
	struct slice response;
	enum sasl_result result;

	/* a name that was said before is gone with the credentials */
	d->phase = d->phase_again;
	d->sasl = (struct sasl){ .hostname = d->hostname, .is_led = d->is_led };
	if (initial == NULL) {
		result = sasl_start(&d->sasl, mechanism, NULL, &d->credentials, &challenge);
		return end_round(d, result, &challenge);
	}
	if (!slice_equals(*initial, "=") && (initial->len == 0 || !base64_decode(*initial, &d->scratch))) {
		buf_wipe(&d->scratch);
		return command_refuse(d, REPLY_SASL_SYNTAX);
	}
	response = buf_slice(&d->scratch);
	result = sasl_start(&d->sasl, mechanism, &response, &d->credentials, &challenge);
	return end_round(d, result, &challenge);
}

enum step
command_auth(struct dialogue *d, struct slice args)
{
	struct slice mechanism = slice_word(&args);
	struct slice initial = slice_trim(args);

	return command_authenticate(d, mechanism, initial.len > 0 ? &initial : NULL);
}

enum step
command_login(struct dialogue *d, enum mechanism mechanism)
{
	d->credentials.mechanism = mechanism;
	return begin_login(d);
}

/* Every name is good at this point, so that nobody learns which ones exist. */
enum step
command_user(struct dialogue *d, struct slice args)
{
	struct slice name = slice_trim(args);

	credentials_wipe(&d->credentials);
	d->phase = d->phase_again;
	if (name.len == 0 || !credential_is_valid(name))
		return command_refuse(d, REPLY_SYNTAX);
	buf_append_slice(&d->credentials.user, name);
	d->phase = PHASE_USER;
	return STEP_REPLIED;
}

/* Any other blanks belong to it (RFC 1939 section 7). */
enum step
command_password(struct dialogue *d, struct slice args)
{
	if (!credential_is_valid(args))
		return command_refuse(d, REPLY_SYNTAX);
	buf_append_slice(&d->credentials.password, args);
	return command_login(d, MECHANISM_NONE);
}

/* The client has answered to the error of its token, whatever it said. */
static enum step
refuse_at_last(struct dialogue *d)
{
	buf_append_slice(&d->out, buf_slice(&d->refusal));
	forget(d);
	return STEP_REPLIED;
}

static enum frame_result
find_response(struct dialogue *d, struct slice in)
{
	const struct frame_limits limits = { d->proto->max_response, d->proto->max_response };

	return (d->proto->sasl_frame != NULL ? d->proto->sasl_frame : frame_line)(&d->frame, in, &limits);
}

/* The base64 within; false: the line is not even of the form that it has to be. */
static bool
take_response(const struct dialogue *d, struct slice line, struct slice *base64)
{
	*base64 = line;
	return d->proto->take_response == NULL || d->proto->take_response(line, base64);
}

/* A line of the client within a SASL exchange.  Nobody is prompted for a literal: then it is malformed. */
static enum step
run_response(struct dialogue *d, struct slice in, size_t *used)
{
	enum frame_result result = find_response(d, in);
	struct buf challenge = { 0 };
	struct slice line;
	bool is_cancel;

	if (result == FRAME_MORE)
		return STEP_MORE;
	if (result == FRAME_TOO_LONG) {
		*used = in.len;
		return command_refuse(d, REPLY_TOO_LONG);
	}
	*used = d->frame.scanned;
	if (buf_len(&d->refusal) > 0)
		return refuse_at_last(d);
	if (!take_response(d, without_line_end(slice_make(in.data, d->frame.scanned)), &line)) {
		forget(d);
		return command_refuse(d, REPLY_SASL_SYNTAX);
	}
	is_cancel = slice_equals(line, d->proto->sasl_cancel);
	if (!is_cancel && base64_decode(line, &d->scratch))
		return end_round(d, sasl_step(&d->sasl, buf_slice(&d->scratch), &d->credentials, &challenge),
		    &challenge);
	forget(d);
	return command_refuse(d, is_cancel ? REPLY_SASL_CANCELLED : REPLY_SASL_SYNTAX);
}

enum step
command_run(struct dialogue *d, struct slice in, size_t *used, const char **name)
{
	enum step step;

	*used = 0;
	*name = NULL;
	d->is_idle = false;
	if (in.len == 0)
		return STEP_MORE;
	if (d->sasl.mechanism != MECHANISM_NONE || buf_len(&d->refusal) > 0) {
		step = run_response(d, in, used);
	} else if (is_foreign(slice_make(in.data, 1)) && in.data[0] != '\n') {
		/* a TLS record or other binary data may never bring a line's end */
		d->tag[0] = '\0';
		*used = in.len;
		step = command_refuse(d, REPLY_FOREIGN);
	} else {
		step = run_command(d, in, used, name);
	}
	if (step == STEP_MEDIATE)
		*used = 0;
	if (step != STEP_MORE)
		d->frame = (struct frame){ 0 };
	return step;
}
