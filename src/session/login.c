/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.c: from complete credentials to a server that took them: asks who
 * decides, routes, dials, and tells the client the outcome.
 */
#include "session/session.h"

#include <string.h>

#include "balance/endpoint.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/reply.h"

static void on_back(struct back *back, enum back_event event, void *owner);

/* The login failed for good; the client may try again. */
static void
fail(struct session *s)
{
	struct login *login = s->login;

	route_cancel(&login->route);
	dialogue_login_over(&login->dialogue);
	xfree(login->user);
	login->user = NULL;
	front_resume(s);
}

static void
refuse(struct session *s, const char *why)
{
	tally_add(&s->listener->counters[s->worker->index].failed_logins, 1);
	session_log(s, LOG_INFO, "login refused: %s", why);
	session_event(s, SESSION_EVENT_LOGIN_FAILED, why);
	session_drop_back(s);
	/* like a bad command: a connection is good for so many guesses and no more */
	front_count_error(s);
	if (!s->has_ended)
		fail(s);
}

static void
tell_unavailable(struct session *s, const char *why)
{
	session_log(s, LOG_WARNING, "no server: %s", why);
	if (!s->proto->has_login) {
		session_end(s, END_NO_SERVER);
		return;
	}
	session_event(s, SESSION_EVENT_LOGIN_FAILED, why);
	if (s->settings->unavailable == UNAVAILABLE_BYE) {
		session_end(s, END_NO_SERVER);
		return;
	}
	reply_write(&s->login->dialogue, REPLY_UNAVAILABLE);
	fail(s);
}

static void
fill_order(struct session *s, struct dial_order *order)
{
	const struct pool_options *options = &s->settings->pool->options;
	int tls = options->server_tls != NULL ? options->server_tls->mode : SERVER_TLS_OFF;

	order->proto = s->proto;
	order->identity = &s->identity;
	order->credentials = options->login == LOGIN_PASSWORD ? &s->login->dialogue.credentials : NULL;
	order->forward = (enum forward_way)options->forward;
	order->starttls = tls == SERVER_TLS_STARTTLS;
	order->needs_tls = tls != SERVER_TLS_OFF;
	order->wants_capabilities = s->login->dialogue.asked_capabilities;
	order->until_login = false;
}

/* The pool's source addresses in turn, those of the server's family; NULL: the kernel chooses. */
static const struct addr *
pick_source(struct session *s, int family)
{
	const struct address_list *sources = &s->settings->pool->options.source;

	for (size_t i = 0; i < sources->count; i++) {
		const struct addr *source = &sources->items[s->worker->next_source++ % sources->count].addr;

		if (source->sa.sa_family == family)
			return source;
	}
	return NULL;
}

static void
fill_plan(struct session *s, struct endpoint *endpoint)
{
	struct login *login = s->login;
	const struct pool *pool = s->settings->pool;

	memset(&login->plan, 0, sizeof(login->plan));
	fill_order(s, &login->plan.order);
	login->plan.to = endpoint_addr(endpoint);
	login->plan.source = pick_source(s, login->plan.to.sa.sa_family);
	login->plan.connect_timeout_ms = pool->options.connect_timeout.ms;
	login->plan.deadline = login->route.deadline;
	if (pool->tls_client == NULL)
		return;
	login->tls.client = pool->tls_client;
	login->tls.name = pool->options.server_tls->name != NULL ? pool->options.server_tls->name :
	    addr_host(&login->plan.to, login->tls_name);
	login->tls.alpn = s->proto->alpn;
	login->plan.tls = &login->tls;
	login->plan.implicit_tls = pool->options.server_tls->mode == SERVER_TLS_IMPLICIT;
}

static void
on_routed(struct route *route, struct endpoint *endpoint, void *owner)
{
	struct session *s = owner;

	if (endpoint == NULL) {
		tell_unavailable(s, route->why);
		return;
	}
	fill_plan(s, endpoint);
	s->back = xcalloc(1, sizeof(*s->back));
	back_start(s->back, s->worker->loop, &s->login->plan, on_back, s);
}

static void
succeed(struct session *s)
{
	struct login *login = s->login;

	s->identity.user = login->user;
	login->user = NULL;
	s->endpoint = route_claim(&login->route);
	tally_add(&s->endpoint->counters[s->worker->index].sessions, 1);
	if (s->proto->has_login) {
		endpoint_learn(s->endpoint, buf_slice(&s->back->dial->capabilities));
		s->proto->login_ok(&login->dialogue, s->back->dial);
		front_flush(s);
		tally_add(&s->listener->counters[s->worker->index].logins, 1);
		session_event(s, SESSION_EVENT_LOGIN, NULL);
	}
	back_forget_dial(s->back);
	relay_begin(s);
}

static void
try_again(struct session *s)
{
	char reason[BACK_REASON_MAX];

	tally_add(&s->login->route.endpoint->counters[s->worker->index].connect_failures, 1);
	session_log(s, LOG_WARNING, "server failed: %s while %s", back_reason(s->back, reason),
	    back_doing(s->back));
	session_drop_back(s);
	route_again(&s->login->route);
}

static void
on_back(struct back *back, enum back_event event, void *owner)
{
	struct session *s = owner;

	switch (event) {
	case BACK_EVENT_READY:
		succeed(s);
		break;
	case BACK_EVENT_REFUSED:
		tally_add(&s->login->route.endpoint->counters[s->worker->index].refused, 1);
		endpoint_learn(s->login->route.endpoint, buf_slice(&back->dial->capabilities));
		s->proto->login_refused(&s->login->dialogue, back->dial);
		refuse(s, "refused by the server");
		break;
	case BACK_EVENT_LATER:
	case BACK_EVENT_FAILED:
		try_again(s);
		break;
	}
}

void
login_route(struct session *s)
{
	struct slice key = { "", 0 };

	session_enter(s, FRONT_ROUTE);
	if (s->login->user != NULL)
		key = users_key(s->snapshot->users, s->login->user);
	s->login->route = (struct route){
		.loop = s->worker->loop,
		.pool = s->settings->pool,
		.user = key,
		.on_routed = on_routed,
		.owner = s,
	};
	route_start(&s->login->route);
}

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct session *s = loop_owner(request, struct login, auth)->session;
	enum auth_verdict verdict = answer->verdict;

	/* the server judges nothing where it is not told the password */
	if (verdict == AUTH_BY_SERVER && s->settings->pool->options.login != LOGIN_PASSWORD)
		verdict = AUTH_REFUSED;
	switch (verdict) {
	case AUTH_OK:
	case AUTH_BY_SERVER:
		if (answer->user != NULL) {
			xfree(s->login->user);
			s->login->user = xstrdup(answer->user);
		}
		login_route(s);
		break;
	case AUTH_REFUSED:
		reply_write(&s->login->dialogue, REPLY_AUTH_FAILED);
		refuse(s, "refused by the auth source");
		break;
	case AUTH_LATER:
		tell_unavailable(s, "the auth source cannot say");
		break;
	}
}

void
login_begin(struct session *s)
{
	struct login *login = s->login;

	session_enter(s, FRONT_AUTH);
	login->user = users_canonical(s->snapshot->users, buf_slice(&login->dialogue.credentials.user));
	login->session = s;
	login->auth = (struct auth_request){
		.loop = s->worker->loop,
		.chain = &s->settings->auth,
		.credentials = &login->dialogue.credentials,
		.identity = &s->identity,
		.user = login->user,
		.hashing = s->snapshot->hashing,
		.on_verdict = on_verdict,
	};
	auth_start(&login->auth);
}

void
login_cancel(struct session *s)
{
	if (s->login == NULL)
		return;
	auth_cancel(&s->login->auth);
	session_drop_back(s);
	route_cancel(&s->login->route);
}
