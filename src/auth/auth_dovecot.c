/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_dovecot.c: the source that asks Dovecot's auth server.  Passwords,
 * tokens and certificates are told in one message, or in LOGIN's two; any
 * other mechanism is the server's own: its messages go through.
 */
#include <stdio.h>
#include <string.h>

#include "auth/auth_source.h"
#include "auth/dovecot_client.h"
#include "base/sasl_message.h"
#include "base/xalloc.h"

/* A login or a lookup, until the verdict. */
struct question {
	struct dovecot_request dovecot;
	struct auth_request *request;
	bool is_played;			/* LOGIN, for a server without PLAIN */
	int messages;			/* of the server's */
	struct buf token_error;
};

struct resource {
	struct dovecot_sockets *logins, *lookups;	/* lookups NULL: there are none */
};

static struct dovecot_facts
facts_of(const struct auth_request *request)
{
	const struct identity *identity = request->identity;
	const struct auth_scene *scene = request->scene;
	bool is_certificate = request->credentials != NULL &&
	    credentials_kind(request->credentials) == CREDENTIAL_CERTIFICATE;

	return (struct dovecot_facts){
		.service = scene != NULL ? scene->protocol : "gatepost",
		.client = &identity->client,
		.local = &identity->local,
		.session = identity_session(identity),
		.name = scene != NULL ? scene->sni : NULL,
		.is_secured = identity->tls_version != NULL || (scene != NULL && scene->is_trusted),
		.certificate_user = is_certificate ? identity->certificate_user : NULL,
	};
}

static struct question *
question_of(struct dovecot_request *request)
{
	return (struct question *)request;
}

/* Overwrites what may be secret, frees. */
static void
drop(struct question *question, struct loop *loop)
{
	buf_wipe(&question->token_error);
	loop_defer(loop, xfree, question);
}

static void
conclude(struct question *question, const struct auth_answer *answer)
{
	struct loop *loop = question->request->loop;

	auth_answer(question->request, answer);
	drop(question, loop);
}

static void
put_off(struct question *question, const char *why)
{
	const struct auth_answer answer = {
		.verdict = AUTH_LATER, .why = why, .has_no_reply = question->dovecot.has_no_reply,
	};

	dovecot_cancel(&question->dovecot);
	conclude(question, &answer);
}

static void
let_in(struct question *question, const struct buf *words)
{
	struct auth_request *request = question->request;
	struct auth_answer answer;
	struct auth_fields fields;
	struct error error;

	if (!auth_fields_take(buf_data(words), buf_len(words), &fields, &error)) {
		put_off(question, error.text);
		return;
	}
	fields.nopassword = NULL;	/* whatever the password was, it was right */
	auth_fields_judge(&fields, request, &answer);
	conclude(question, &answer);
}

/* Codes of FAIL, beside the old flags; a FAIL without any is a wrong password or an unknown user. */
static const struct {
	const char *code, *flag;	/* NULL: there was none */
	enum auth_verdict verdict;
	bool is_right;			/* as auth_answer has it */
	const char *why;
} codes[] = {
	{ "temp_fail",      "temp",          AUTH_LATER,   false, "it cannot say now" },
	{ "user_disabled",  "user_disabled", AUTH_REFUSED, true,  "the user is disabled" },
	{ "pass_expired",   "pass_expired",  AUTH_REFUSED, true,  "the password has expired" },
	{ "authz_fail",     "authz",         AUTH_REFUSED, true,  "may not act as that user" },
	{ "invalid_base64", NULL,            AUTH_LATER,   false, "it takes our base64 for none" },
};

static void
refuse(struct question *question, const struct buf *words)
{
	struct auth_request *request = question->request;
	struct loop *loop = request->loop;
	const char *code = dovecot_word(words, "code"), *reason = dovecot_word(words, "reason");
	struct auth_answer answer = {
		.verdict = AUTH_REFUSED,
		.user = dovecot_word(words, "user"),
		.reason = reason != NULL && auth_reason_is_safe(reason) ? reason : NULL,
		.token_error = buf_len(&question->token_error) > 0 ? buf_data(&question->token_error) : NULL,
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if ((code == NULL || strcmp(code, codes[i].code) != 0) &&
		    (codes[i].flag == NULL || dovecot_word(words, codes[i].flag) == NULL))
			continue;
		answer.verdict = codes[i].verdict;
		answer.is_right = codes[i].is_right;
		answer.why = codes[i].why;
		conclude(question, &answer);
		return;
	}
	request->cancel = NULL;
	auth_refuse(request, &answer);
	drop(question, loop);
}

static void
cancel(struct auth_request *request)
{
	struct question *question = request->work;

	dovecot_cancel(&question->dovecot);
	drop(question, request->loop);
}

static void
respond(struct auth_request *request)
{
	struct question *question = request->work;

	request->respond = NULL;
	dovecot_continue(&question->dovecot, buf_slice(&request->credentials->response));
}

static void
challenge(struct question *question, const struct buf *message)
{
	const struct auth_answer answer = { .verdict = AUTH_CHALLENGE, .challenge = buf_slice(message) };

	question->request->respond = respond;
	auth_answer(question->request, &answer);
}

static bool
is_exchange(const struct credentials *credentials)
{
	switch (credentials_kind(credentials)) {
	case CREDENTIAL_PASSWORD:
	case CREDENTIAL_TOKEN:
	case CREDENTIAL_CERTIFICATE:
		return false;
	default:
		return true;
	}
}

/* The server's message is the `count`th. */
static void
answer_message(struct question *question, const struct buf *message)
{
	const struct credentials *credentials = question->request->credentials;
	bool is_token = credentials_kind(credentials) == CREDENTIAL_TOKEN;
	int count = ++question->messages;

	if (is_exchange(credentials)) {
		challenge(question, message);
	} else if (question->is_played && count <= 2) {
		dovecot_continue(&question->dovecot,
		    buf_slice(count == 1 ? &credentials->user : &credentials->password));
	} else if (is_token && count == 1) {
		buf_append_slice(&question->token_error, buf_slice(message));
		buf_append(&question->token_error, "", 1);
		dovecot_continue(&question->dovecot, sasl_answer_refusal(credentials));
	} else {
		put_off(question, "it asks for more than the mechanism has");
	}
}

static void
on_message(struct question *question, const struct dovecot_line *line)
{
	struct buf message = { 0 };

	if (dovecot_read_message(line, &message))
		answer_message(question, &message);
	else
		put_off(question, "its message is not base64");
	buf_wipe(&message);
}

static void
on_words(struct question *question, const struct dovecot_line *line)
{
	struct buf words = { 0 };

	if (!dovecot_read_words(line, &words))
		put_off(question, "its reply holds a NUL");
	else if (line->command == DOVECOT_FAIL)
		refuse(question, &words);
	else
		let_in(question, &words);
	buf_wipe(&words);
}

static void
on_line(struct dovecot_request *request, const struct dovecot_line *line)
{
	struct question *question = question_of(request);

	if (line == NULL)
		put_off(question, request->why);
	else if (line->command == DOVECOT_CONT)
		on_message(question, line);
	else if (line->command == DOVECOT_OK || line->command == DOVECOT_FAIL)
		on_words(question, line);
	else
		put_off(question, "its reply is one to a lookup");
}

static bool
is_listed(unsigned mechanisms, enum mechanism mechanism)
{
	return (mechanisms & MECHANISM_BIT(mechanism)) != 0;
}

/* By which mechanism such a server is told; MECHANISM_NONE: by none. */
static enum mechanism
choose(const struct credentials *credentials, unsigned mechanisms)
{
	if (credentials_kind(credentials) != CREDENTIAL_PASSWORD)
		return is_listed(mechanisms, credentials->mechanism) ? credentials->mechanism :
		    MECHANISM_NONE;
	if (is_listed(mechanisms, MECHANISM_PLAIN))
		return MECHANISM_PLAIN;
	/* LOGIN has no room for whom to act as */
	if (is_listed(mechanisms, MECHANISM_LOGIN) && buf_len(&credentials->authzid) == 0)
		return MECHANISM_LOGIN;
	return MECHANISM_NONE;
}

/* What the mechanism begins with; false: the server does. */
static bool
write_initial(const struct credentials *credentials, enum mechanism mechanism, struct buf *out)
{
	if (mechanism == MECHANISM_LOGIN)
		return false;
	if (is_exchange(credentials)) {
		buf_append_slice(out, buf_slice(&credentials->response));
		return credentials->has_initial || buf_len(out) > 0;
	}
	if (mechanism == MECHANISM_EXTERNAL)
		buf_append_slice(out, buf_slice(&credentials->authzid));
	else
		sasl_write_initial(credentials, out);
	return true;
}

static bool
write_login(struct dovecot_request *dovecot, unsigned mechanisms, struct buf *out)
{
	struct question *question = question_of(dovecot);
	const struct credentials *credentials = question->request->credentials;
	struct dovecot_facts facts = facts_of(question->request);
	enum mechanism mechanism = choose(credentials, mechanisms);
	struct buf message = { 0 };
	struct slice initial;
	bool has_initial, ok;

	if (mechanism == MECHANISM_NONE)
		return false;
	question->is_played = mechanism == MECHANISM_LOGIN;
	has_initial = write_initial(credentials, mechanism, &message);
	initial = buf_slice(&message);
	ok = dovecot_write_auth(dovecot->id, mechanism_facts[mechanism].name, &facts,
	    has_initial ? &initial : NULL, out);
	buf_wipe(&message);
	return ok;
}

static void
on_lookup_line(struct dovecot_request *dovecot, const struct dovecot_line *line)
{
	struct question *question = question_of(dovecot);
	struct auth_request *request = question->request;
	struct loop *loop = request->loop;

	if (line == NULL) {
		put_off(question, dovecot->why);
	} else if (line->command == DOVECOT_PASS) {
		on_words(question, line);
	} else if (line->command == DOVECOT_NOTFOUND) {
		request->cancel = NULL;
		auth_pass_on(request, request->asked);
		drop(question, loop);
	} else {
		put_off(question, "it cannot look users up");
	}
}

static bool
write_lookup(struct dovecot_request *dovecot, unsigned mechanisms, struct buf *out)
{
	const struct auth_request *request = question_of(dovecot)->request;
	struct dovecot_facts facts = facts_of(request);

	(void)mechanisms;
	return dovecot_write_pass(dovecot->id, request->user, &facts, out);
}

static const struct dovecot_request_kind login = { write_login, on_line };
static const struct dovecot_request_kind lookup = { write_lookup, on_lookup_line };

static void
ask(struct auth_request *request, const struct auth *auth, const struct dovecot_request_kind *kind)
{
	const struct resource *resource = auth->resource;
	bool is_lookup = kind == &lookup;
	const struct dovecot_settings settings = {
		.sockets = is_lookup ? resource->lookups : resource->logins, .is_master = is_lookup,
	};
	struct question *question = xcalloc(1, sizeof(*question));

	question->request = request;
	question->dovecot.kind = kind;
	question->dovecot.timeout_ms = auth->timeout.ms;
	request->work = question;
	request->cancel = cancel;
	dovecot_ask(dovecot_client_get(request->clients, &settings), &question->dovecot);
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	static const struct auth_answer foreign = {
		.verdict = AUTH_LATER, .why = "the exchange is not the server's",
	};

	/* who answers our challenge has proved nothing to the server */
	if (is_exchange(request->credentials) && buf_len(&request->credentials->challenge) > 0) {
		auth_answer(request, &foreign);
		return;
	}
	ask(request, auth, &login);
}

static void
look_up(struct auth_request *request, const struct auth *auth)
{
	ask(request, auth, &lookup);
}

static bool
can_look_up(const struct auth *auth)
{
	return auth->lookup_socket.count > 0;
}

static unsigned
mechanisms_of_dovecot(const struct auth *auth)
{
	const unsigned at_first = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN);
	const struct resource *resource = auth->resource;
	unsigned listed = mechanisms_of_sasl();

	if (resource != NULL)
		listed = dovecot_sockets_mechanisms(resource->logins);
	return listed != 0 ? listed : at_first;
}

static const struct resource *
find_before(const struct auth *auth, const struct conf_list *before)
{
	for (size_t i = 0; before != NULL && i < before->count; i++) {
		const struct auth *other = before->items[i];

		if (other->source == auth->source && other->resource != NULL &&
		    strcmp(other->conf.title, auth->conf.title) == 0)
			return other->resource;
	}
	return NULL;
}

static struct dovecot_sockets *
open_sockets(const struct auth *auth, const struct address_list *addresses, struct dovecot_sockets *before)
{
	if (addresses->count == 0)
		return NULL;
	if (before != NULL && dovecot_sockets_are(before, auth->conf.title, addresses))
		return dovecot_sockets_get(before);
	return dovecot_sockets_new(auth->conf.title, addresses);
}

static bool
open_dovecot(struct auth *auth, const struct conf_list *before, struct conf_problems *problems)
{
	const struct resource *old = find_before(auth, before);
	struct resource *resource = xcalloc(1, sizeof(*resource));

	(void)problems;
	resource->logins = open_sockets(auth, &auth->socket, old != NULL ? old->logins : NULL);
	resource->lookups = open_sockets(auth, &auth->lookup_socket, old != NULL ? old->lookups : NULL);
	auth->resource = resource;
	return true;
}

static void
close_dovecot(struct auth *auth)
{
	struct resource *resource = auth->resource;

	auth->resource = NULL;
	if (resource == NULL)
		return;
	dovecot_sockets_put(&resource->logins);
	dovecot_sockets_put(&resource->lookups);
	xfree(resource);
}

static bool
is_away(const struct auth *auth)
{
	const struct resource *resource = auth->resource;

	return dovecot_sockets_are_away(resource->logins);
}

static void
warm(const struct auth *auth, struct auth_clients *clients)
{
	const struct resource *resource = auth->resource;

	(void)dovecot_client_get(clients, &(struct dovecot_settings){ .sockets = resource->logins });
	if (resource->lookups != NULL)
		(void)dovecot_client_get(clients,
		    &(struct dovecot_settings){ .sockets = resource->lookups, .is_master = true });
}

const struct auth_source auth_dovecot = {
	.name = "dovecot",
	.knows_users = true,
	.leads_exchanges = true,
	.gives_passwords = true,
	.takes = (const char *const[]){ "socket", "lookup_socket", "timeout", NULL },
	.needs = 1,
	.timeout = "30s",
	.mechanisms = mechanisms_of_dovecot,
	.start = start,
	.lookup = look_up,
	.can_look_up = can_look_up,
	.is_away = is_away,
	.open = open_dovecot,
	.close = close_dovecot,
	.warm = warm,
};
