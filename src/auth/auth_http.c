/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_http.c: the source that asks by HTTP, as nginx does.  Of several URLs
 * the one that worked last is asked first; one that failed rests.  Whatever
 * is no clear answer is none.
 */
#include <stdio.h>
#include <string.h>

#include "auth/auth_http_message.h"
#include "auth/auth_source.h"
#include "base/log.h"
#include "base/passing_code.h"
#include "base/xalloc.h"
#include "net/http_client.h"

enum {
	URLS_MAX = 16,
	REST_MS = 10000,
	WAIT_MIN_S = 1, WAIT_CAP_S = 30, WAITS_MAX = 10,
	ERROR_WAIT_CAP_S = 60
};

struct target {
	struct http_url url;
	int64_t rests_until;		/* it failed; 0: it works */
};

/* A worker's, for a block, or several that name the same. */
struct asker {
	struct auth_client client;
	struct auth_clients *clients;
	struct loop *loop;
	struct http_client *http;
	struct target *targets;
	size_t count;
	size_t first;			/* the one that worked last */
	size_t pending;			/* questions */
};

struct question {
	struct auth_request *request;
	const struct auth *auth;
	struct asker *asker;
	struct http_request http;
	struct loop_timer wait;
	int64_t deadline;
	size_t target;			/* which is asked */
	unsigned tried;			/* bits */
	int waits;
};

static struct auth_client *
open_asker(struct auth_clients *clients, const char *key, const void *settings)
{
	const struct auth *auth = settings;
	struct asker *asker = xcalloc(1, sizeof(*asker));
	struct error error;

	(void)key;
	asker->clients = clients;
	asker->loop = auth_clients_loop(clients);
	asker->http = http_client_new(asker->loop, auth->ca);
	asker->targets = xcalloc(auth->url.count, sizeof(asker->targets[0]));
	for (size_t i = 0; i < auth->url.count; i++)
		if (http_url_parse(auth->url.items[i], &asker->targets[asker->count].url, &error))
			asker->count++;
	return &asker->client;
}

static void
close_asker(struct auth_client *client)
{
	struct asker *asker = (struct asker *)client;

	http_client_free(&asker->http);
	for (size_t i = 0; i < asker->count; i++)
		http_url_clear(&asker->targets[i].url);
	xfree(asker->targets);
	xfree(asker);
}

static bool
is_idle(const struct auth_client *client)
{
	return ((const struct asker *)client)->pending == 0;
}

static const struct auth_client_kind asker_kind = {
	.open = open_asker, .close = close_asker, .is_idle = is_idle
};

/* The block's resource is the key: its URLs, and who vouches for them. */
static struct asker *
find_asker(const struct auth *auth, struct auth_clients *clients)
{
	return (struct asker *)auth_client_get(clients, &asker_kind, auth->resource, auth);
}

static void
warm(const struct auth *auth, struct auth_clients *clients)
{
	(void)find_asker(auth, clients);
}

/* Puts the question out of the request's sight. */
static struct auth_request *
detach(struct question *question)
{
	struct auth_request *request = question->request;

	http_cancel(&question->http);
	loop_timer_stop(question->asker->loop, &question->wait);
	question->asker->pending--;
	request->cancel = NULL;
	request->work = NULL;
	return request;
}

static void
cancel(struct auth_request *request)
{
	struct question *question = request->work;

	detach(question);
	xfree(question);
}

/* Says and frees. */
static void
conclude(struct question *question, const struct auth_answer *answer)
{
	struct auth_request *request = detach(question);

	if (answer->verdict == AUTH_REFUSED)
		auth_refuse(request, answer);
	else
		auth_answer(request, answer);
	xfree(question);
}

static void
tell_later(struct question *question, const char *why, bool has_reply)
{
	const struct target *target = &question->asker->targets[question->target];
	char text[HTTP_FAILURE_MAX + 256];

	snprintf(text, sizeof(text), "%.200s: %s", target->url.text, why);
	conclude(question, &(struct auth_answer){ .verdict = AUTH_LATER, .why = text,
	    .has_no_reply = !has_reply });
}

static void
give_up(struct question *question, const char *why)
{
	tell_later(question, why, true);
}

/* The untried one that is asked next: the first, then in order, those that rest last. */
static bool
choose(const struct question *question, size_t *chosen)
{
	const struct asker *asker = question->asker;
	int64_t now = loop_now(asker->loop);
	bool is_found = false;

	for (size_t k = 0; k < asker->count; k++) {
		size_t i = k == 0 ? asker->first : k <= asker->first ? k - 1 : k;

		if ((question->tried >> i & 1) != 0)
			continue;
		if (now >= asker->targets[i].rests_until) {
			*chosen = i;
			return true;
		}
		if (!is_found)
			*chosen = i;
		is_found = true;
	}
	return is_found;
}

static void on_reply(struct http_request *http, const struct http_reply *reply);

static void
send_question(struct question *question)
{
	struct asker *asker = question->asker;
	struct auth_request *request = question->request;
	const struct target *target = &asker->targets[question->target];
	const struct stream *client = request->scene != NULL ? request->scene->client : NULL;
	int64_t left = question->deadline - loop_now(asker->loop);
	struct buf headers = { 0 };
	struct tls_peer peer = { 0 };
	bool is_asked = client != NULL && tls_peer_read(client, question->auth->pass_client_cert, &peer);

	auth_http_write(request, question->auth, target->url.host, is_asked ? &peer : NULL, &headers);
	tls_peer_clear(&peer);
	left /= (int64_t)(asker->count - (size_t)__builtin_popcount(question->tried));
	question->tried |= 1U << question->target;
	question->http = (struct http_request){
		.url = &target->url,
		.secret = "Auth-Pass:",
		.headers = buf_slice(&headers),
		.timeout_ms = left > 0 ? left : 1,
		.resolver = auth_clients_resolver(asker->clients),
		.on_reply = on_reply,
	};
	http_start(asker->http, &question->http);
	buf_wipe(&headers);
}

/* From the begin: each time anew it has all of `timeout`, and all URLs. */
static void
ask(struct question *question)
{
	question->deadline = loop_now(question->asker->loop) + question->auth->timeout.ms;
	question->tried = 0;
	(void)choose(question, &question->target);
	send_question(question);
}

static void
on_waited(struct loop_timer *timer)
{
	ask(loop_owner(timer, struct question, wait));
}

/* The source wants to be asked again. */
static void
wait(struct question *question, const struct auth_http_reply *reply)
{
	struct loop *loop = question->asker->loop;
	int64_t wait_s = reply->wait_s < WAIT_MIN_S ? WAIT_MIN_S : reply->wait_s;

	if (wait_s > WAIT_CAP_S)
		wait_s = WAIT_CAP_S;
	if (++question->waits > WAITS_MAX) {
		give_up(question, "it says WAIT again and again");
		return;
	}
	loop_timer_set(loop, &question->wait, loop_now(loop) + wait_s * 1000);
}

static void
accept_user(struct question *question, const struct auth_http_reply *reply)
{
	const struct auth_answer answer = {
		.verdict = AUTH_OK,
		.user = reply->user,
		.host = reply->server,
		.port = reply->server != NULL ? reply->port : 0,
		.pool = reply->pool,
		.pass = reply->pass,
	};

	if (reply->user == NULL && *question->request->user == '\0') {
		give_up(question, "it vouches for a user without a name");
		return;
	}
	conclude(question, &answer);
}

/* "451", "421 4.7.0", "LIMIT", "-ERR [LOGIN-DELAY] ...": in a mail protocol's words it passes. */
static bool
is_for_now(const char *code)
{
	static const char reply[] = "-ERR [";
	struct slice word = slice_of(code), rest;

	if (slice_has_prefix_nocase(word, reply)) {
		rest = slice_from(word, sizeof(reply) - 1);
		word = slice_take(&rest, ']');
	}
	return passing_code_is(word) ||
	    (code[0] == '4' && strspn(code, "0123456789") == 3 && (code[3] == ' ' || code[3] == '\0'));
}

static void
refuse_user(struct question *question, const struct auth_http_reply *reply)
{
	int64_t wait_s = reply->wait_s < ERROR_WAIT_CAP_S ? reply->wait_s : ERROR_WAIT_CAP_S;
	const struct auth_answer answer = {
		.verdict = is_for_now(reply->code) ? AUTH_LATER : AUTH_REFUSED,
		.why = reply->text,
		.reason = reply->text,
		.code = *reply->code != '\0' ? reply->code : NULL,
		.token_error = reply->token_error,
		.wait_ms = wait_s > 0 ? wait_s * 1000 : 0,
		.ends_session = wait_s <= 0,
	};

	conclude(question, &answer);
}

static void
judge(struct question *question, const struct auth_http_reply *reply)
{
	switch (reply->status) {
	case AUTH_HTTP_MISSING:
		give_up(question, "the reply has no Auth-Status");
		break;
	case AUTH_HTTP_GARBAGE:
		give_up(question, reply->garbage);
		break;
	case AUTH_HTTP_OK:
		accept_user(question, reply);
		break;
	case AUTH_HTTP_WAIT:
		wait(question, reply);
		break;
	case AUTH_HTTP_ERROR:
		refuse_user(question, reply);
		break;
	}
}

/* It rests, and the next one is asked. */
static void
fail_over(struct question *question, const char *why)
{
	struct asker *asker = question->asker;
	struct target *target = &asker->targets[question->target];
	int64_t now = loop_now(asker->loop);

	if (target->rests_until == 0)
		log_write(LOG_WARNING, "auth %s: %s: %s", question->auth->conf.title, target->url.text, why);
	target->rests_until = now + REST_MS;
	if (now < question->deadline && choose(question, &question->target))
		send_question(question);
	else
		tell_later(question, why, false);
}

static void
prefer(struct question *question)
{
	struct target *target = &question->asker->targets[question->target];

	if (target->rests_until != 0)
		log_write(LOG_NOTICE, "auth %s: %s: it works again", question->auth->conf.title,
		    target->url.text);
	target->rests_until = 0;
	question->asker->first = question->target;
}

static void
on_reply(struct http_request *http, const struct http_reply *reply)
{
	struct question *question = loop_owner(http, struct question, http);
	struct auth_http_reply heard;
	char why[64];

	if (reply->failure != NULL) {
		fail_over(question, reply->failure);
		return;
	}
	auth_http_read(reply->headers, &heard);
	if (heard.status == AUTH_HTTP_MISSING && reply->status >= 500) {
		snprintf(why, sizeof(why), "it fails with status %d", reply->status);
		fail_over(question, why);
	} else {
		prefer(question);
		judge(question, &heard);
	}
	auth_http_reply_clear(&heard);
}

static void
begin(struct auth_request *request, const struct auth *auth)
{
	struct question *question = xcalloc(1, sizeof(*question));

	question->request = request;
	question->auth = auth;
	question->asker = find_asker(auth, request->clients);
	question->asker->pending++;
	loop_timer_init(&question->wait, on_waited);
	request->work = question;
	request->cancel = cancel;
	ask(question);
}

/* To act as another one needs a master user, of whom the protocol cannot tell. */
static bool
wants_another(const struct credentials *credentials)
{
	struct slice user = buf_slice(&credentials->user), other = buf_slice(&credentials->authzid);

	return credentials_kind(credentials) != CREDENTIAL_CERTIFICATE && other.len != 0 &&
	    (other.len != user.len || memcmp(other.data, user.data, user.len) != 0);
}

/* Behind some services an empty password counts as good: to LDAP it is a bind without any. */
static bool
shows_nothing(const struct credentials *credentials)
{
	enum credential_kind kind = credentials_kind(credentials);

	return (kind == CREDENTIAL_PASSWORD || kind == CREDENTIAL_TOKEN) &&
	    buf_len(&credentials->password) == 0;
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	const struct auth_answer refusal = {
		.verdict = AUTH_REFUSED, .why = "it would act as another user",
	};

	if (wants_another(request->credentials))
		auth_refuse(request, &refusal);
	else if (shows_nothing(request->credentials))
		auth_refuse(request, &(struct auth_answer){ .verdict = AUTH_REFUSED });
	else
		begin(request, auth);
}

/* All that can be asked for where it is written; by itself what all such servers know. */
static unsigned
mechanisms(const struct auth *auth)
{
	unsigned known = MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN);

	if (auth->mechanisms.count == 1 && strcmp(auth->mechanisms.items[0], "auto") == 0)
		return known;
	return known | MECHANISM_BIT(MECHANISM_CRAM_MD5) | MECHANISM_BIT(MECHANISM_APOP) |
	    MECHANISM_BIT(MECHANISM_EXTERNAL) | MECHANISM_BIT(MECHANISM_XOAUTH2) |
	    MECHANISM_BIT(MECHANISM_OAUTHBEARER);
}

static bool
check_urls(const struct auth *auth, struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < auth->url.count; i++) {
		struct http_url url;
		struct error error;

		if (http_url_parse(auth->url.items[i], &url, &error)) {
			http_url_clear(&url);
			continue;
		}
		conf_error_at_value(problems, &auth->conf, "url", i, "%s", error.text);
		ok = false;
	}
	if (auth->url.count > URLS_MAX) {
		conf_error_at(problems, &auth->conf, "url", "there may be %d at most", URLS_MAX);
		ok = false;
	}
	return ok;
}

static bool
check_ca(const struct auth *auth, struct conf_problems *problems)
{
	struct error error;
	struct tls_client *client = auth->ca != NULL ? tls_client_load(true, auth->ca, &error) : NULL;

	if (client == NULL && auth->ca != NULL) {
		conf_error_at(problems, &auth->conf, "ca", "%s", error.text);
		return false;
	}
	tls_client_free(&client);
	return true;
}

static bool
open_http(struct auth *auth, const struct conf_list *before, struct conf_problems *problems)
{
	struct buf key = { 0 };
	bool ok;

	(void)before;
	if (!http_is_there()) {
		conf_error_at(problems, &auth->conf, "source",
		    "this gatepost was built without libcurl: it has no source http");
		return false;
	}
	ok = check_urls(auth, problems);
	if (!check_ca(auth, problems) || !ok)
		return false;
	for (size_t i = 0; i < auth->url.count; i++)
		buf_printf(&key, "%s ", auth->url.items[i]);
	buf_append_text(&key, auth->ca != NULL ? auth->ca : "");
	auth->resource = xstrndup(buf_data(&key), buf_len(&key));
	buf_clear(&key);
	return true;
}

static void
close_http(struct auth *auth)
{
	xfree(auth->resource);
	auth->resource = NULL;
}

const struct auth_source auth_http = {
	.name = "http",
	.knows_users = true,
	.gives_passwords = true,
	.takes = (const char *const[]){
		"url", "header", "ca", "escape", "pass_client_cert", "timeout", NULL,
	},
	.needs = 1,
	.timeout = "5s",
	.mechanisms = mechanisms,
	.start = start,
	.lookup = begin,
	.open = open_http,
	.close = close_http,
	.warm = warm,
};
