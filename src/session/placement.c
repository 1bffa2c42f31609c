/* SPDX-License-Identifier: BSD-2-Clause */
/* placement.c: the answer's word, the living binding, the balancer; and never one user on two servers. */
#include "session/placement.h"

#include <string.h>

#include "balance/endpoint.h"
#include "base/xalloc.h"
#include "session/login.h"

static struct affinity *
bindings_of(const struct session *s)
{
	const struct pool *pool = s->login->pool;

	if (s->login->user == NULL || pool->farm == NULL)
		return NULL;
	return pool->farm->bindings;
}

static struct endpoint *
pick(const struct session *s)
{
	struct balance_key key = { .user = s->login->key, .full_too = true };

	return pool_pick(s->login->pool, s->worker->index, &key);
}

static bool
is_alive(const struct endpoint *endpoint)
{
	return endpoint != NULL && !endpoint_is_down(endpoint);
}

/* An endpoint of this session alone, under the settings of the pool. */
static struct endpoint *
make_endpoint(const struct session *s)
{
	const struct pool *pool = s->login->pool;
	char name[ADDR_TEXT_MAX];
	struct endpoint *made;

	made = endpoint_new(pool->service, addr_format(&s->login->host, name), s->snapshot->threads);
	endpoint_set_addr(made, &s->login->host);
	endpoint_set_weight(made, 1);
	return made;
}

/* A host that an endpoint has is that endpoint: its server is what the auth source wants. */
static void
find_host(struct login *login)
{
	const struct pool *pool = login->pool;
	bool has_port = addr_port(&login->host) != 0;

	if (!has_port)
		addr_set_port(&login->host, (uint16_t)pool->port);
	for (size_t i = 0; i < pool->endpoint_count; i++) {
		struct addr known = endpoint_addr(pool->endpoints[i]);

		if (!has_port)	/* its server may have a port of its own */
			addr_set_port(&known, (uint16_t)pool->port);
		if (!addr_equals(&known, &login->host))
			continue;
		xfree(login->server);
		login->server = xstrdup(pool->endpoints[i]->server);
		login->has_host = false;
		return;
	}
}

/* Takes the reference to `endpoint`, or NULL for the balancer's choice.  Time that was spent stays spent. */
static void
route(struct session *s, struct endpoint *endpoint)
{
	struct login *login = s->login;

	session_enter(s, FRONT_ROUTE);
	login->route = (struct route){
		.loop = s->worker->loop,
		.pool = login->pool,
		.user = login->key,
		.fixed = endpoint,
		.deadline = login->route.deadline,
		.on_routed = login_on_routed,
		.owner = s,
	};
	route_start(&login->route);
}

static void
on_kick(void *owner)
{
	struct session *s = owner;

	if (s->has_ended)
		return;
	if (s->login != NULL)
		login_unavailable(s, "the user was moved meanwhile");
	else
		session_end(s, END_KICKED);
}

static void on_bound(struct affinity_request *request, enum affinity_answer answer);

static int64_t
login_deadline(const struct session *s)
{
	const struct login *login = s->login;

	return login->route.deadline != 0 ? login->route.deadline :
	    loop_now(s->worker->loop) + login->pool->options.login_timeout.ms;
}

static void
ask(struct session *s, const char *wanted)
{
	struct login *login = s->login;

	login->binding = (struct affinity_request){
		.loop = s->worker->loop,
		.user = login->key,
		.wanted = wanted,
		.replaces = login->replaces,
		.deadline = login_deadline(s),
		.on_answer = on_bound,
		.on_kick = on_kick,
		.owner = s,
	};
	affinity_open(login->pool->farm->bindings, &login->binding);
}

/* The user lives elsewhere: there, once; a second time somebody else is faster than we. */
static void
redirect(struct session *s)
{
	struct login *login = s->login;
	struct endpoint *endpoint = pool_find(login->pool, login->binding.binding.server);

	session_drop_back(s);
	route_cancel(&login->route);
	if (login->is_redirected || !is_alive(endpoint)) {
		login_unavailable(s, "the user's binding has changed meanwhile");
		return;
	}
	login->is_redirected = true;
	login->replaces = 0;
	if (login->is_judged_by_server)
		route(s, endpoint_get(endpoint));
	else
		ask(s, endpoint->server);
}

static void
on_bound(struct affinity_request *request, enum affinity_answer answer)
{
	struct session *s = request->owner;

	switch (answer) {
	case AFFINITY_HERE:
		s->lease = request->lease;
		if (s->back != NULL)
			login_succeed(s);
		else
			route(s, endpoint_get(pool_find(s->login->pool, request->wanted)));
		break;
	case AFFINITY_ELSEWHERE:
		redirect(s);
		break;
	case AFFINITY_LATER:
		login_unavailable(s, "the user's sessions on the old server do not end");
		break;
	}
}

/* Where the auth source or else the balancer wants the user; NULL: nowhere, and `why` tells. */
static struct endpoint *
find_new(const struct session *s, const char **why)
{
	const struct login *login = s->login;
	struct endpoint *endpoint;

	if (login->server == NULL) {
		*why = "no server is usable";
		return pick(s);
	}
	endpoint = pool_find(login->pool, login->server);
	*why = endpoint == NULL ? "the pool has no server of the name that the auth source gave" :
	    "the server that the auth source gave is down";
	return is_alive(endpoint) ? endpoint : NULL;
}

/*
 * Where a user of a farm with affinity belongs; NULL: nowhere that can be had, and `why` tells.  The auth
 * source's word wins over a living binding: the sessions elsewhere are kicked first.
 */
static struct endpoint *
find_wanted(struct session *s, struct affinity *bindings, const char **why)
{
	struct login *login = s->login;
	struct affinity_binding binding;
	struct endpoint *endpoint;

	login->replaces = 0;
	if (!affinity_peek(bindings, login->key, loop_now(s->worker->loop), &binding))
		return find_new(s, why);
	endpoint = pool_find(login->pool, binding.server);
	if (is_alive(endpoint) && (login->server == NULL || strcmp(login->server, binding.server) == 0))
		return endpoint;
	if (endpoint == NULL && s->snapshot != s->worker->snapshot) {
		/* perhaps a server of the newer configuration: not ours to replace */
		*why = "the user's server is not of the configuration that the client came under";
		return NULL;
	}
	login->replaces = binding.generation;
	return find_new(s, why);
}

static void
place_bound(struct session *s, struct affinity *bindings)
{
	const char *why = NULL;
	struct endpoint *wanted = find_wanted(s, bindings, &why);

	if (wanted == NULL)
		login_unavailable(s, why);
	else if (s->login->is_judged_by_server)
		route(s, endpoint_get(wanted));
	else
		ask(s, wanted->server);
}

void
placement_start(struct session *s)
{
	struct login *login = s->login;
	struct affinity *bindings = bindings_of(s);
	struct endpoint *endpoint;

	session_enter(s, FRONT_ROUTE);
	if (s->identity.hops <= 1) {
		login_unavailable(s, "the session has come through too many proxies: they loop");
		return;
	}
	login->is_redirected = false;
	if (login->has_host)
		find_host(login);
	if (login->has_host && listeners_are_at(&s->snapshot->listeners, &login->host)) {
		login_unavailable(s, "the host that the auth source gave is this proxy itself");
	} else if (login->has_host) {
		route(s, make_endpoint(s));
	} else if (bindings != NULL) {
		place_bound(s, bindings);
	} else if (login->server == NULL) {
		route(s, NULL);
	} else {
		endpoint = pool_find(login->pool, login->server);
		if (endpoint == NULL)
			login_unavailable(s, "the pool has no server of the name that the auth source gave");
		else
			route(s, endpoint_get(endpoint));
	}
}

bool
placement_anew(struct session *s)
{
	struct login *login = s->login;
	const struct endpoint *fixed = login->route.fixed;

	if (login->is_placed_anew || bindings_of(s) == NULL || fixed == NULL || !endpoint_is_down(fixed))
		return false;
	login->is_placed_anew = true;
	placement_cancel(s);
	route_cancel(&login->route);
	placement_start(s);
	return true;
}

void
placement_confirm(struct session *s)
{
	struct affinity *bindings = s->login->has_host ? NULL : bindings_of(s);

	if (bindings != NULL && s->lease == NULL)
		ask(s, s->login->route.endpoint->server);
	else if (affinity_is_kicked(s->lease))
		login_unavailable(s, "the user was moved meanwhile");
	else
		login_succeed(s);
}

void
placement_cancel(struct session *s)
{
	if (s->login != NULL)
		affinity_cancel(&s->login->binding);
	affinity_close(&s->lease);
}
