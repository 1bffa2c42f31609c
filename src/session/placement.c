/* SPDX-License-Identifier: BSD-2-Clause */
/* placement.c: the answer's word, the living binding, the balancer; and never one user on two servers. */
#include "session/placement.h"

#include <string.h>

#include "auth/auth.h"
#include "balance/endpoint.h"
#include "balance/quorum.h"
#include "session/departure.h"
#include "session/host.h"
#include "session/session.h"

static struct affinity *
bindings_of(const struct leg *leg)
{
	const struct leg_way *way = leg->way;

	return way->mailbox != NULL && way->pool->farm != NULL ? way->pool->farm->bindings : NULL;
}

static struct endpoint *
pick(const struct leg *leg)
{
	struct balance_key key = { .user = leg->way->key, .full_too = true };

	return pool_pick(leg->way->pool, leg->session->worker->index, &key);
}

bool
placement_keeps(const struct pool *pool, const struct endpoint *endpoint)
{
	if (endpoint == NULL)
		return false;
	/* where the pool is not vital its health is no reason to leave */
	return pool_may_use(pool, endpoint) ||
	    (!pool->options.vital && !endpoint_is_in_maintenance(endpoint));
}

bool
placement_may_replace(const struct pool *pool, const struct endpoint *endpoint)
{
	return quorum_agrees(endpoint, pool->options.check_quorum);
}

static bool
is_there(const struct leg_way *way, const struct endpoint *endpoint)
{
	return placement_keeps(way->pool, endpoint);
}

/* Who is kicked on the way is placed once more: nobody has told the client anything yet. */
static void
come_again(struct leg *leg)
{
	struct leg_way *way = leg->way;

	if (leg->endpoint != NULL || way->is_only_placed || way->is_pinned || way->was_kicked) {
		leg_give_up(leg, "the user was moved meanwhile");
		return;
	}
	way->was_kicked = true;
	way->replaces = 0;
	leg_drop_back(leg);
	placement_again(leg);
}

static void
on_kick(void *owner)
{
	struct leg *leg = owner;

	if (leg->way != NULL)
		come_again(leg);
	else
		leg->on_event(leg, LEG_KICKED);
}

static void on_bound(struct affinity_request *request, enum affinity_answer answer);
static void on_peeked(struct affinity_request *request, enum affinity_answer answer);

static int64_t
login_deadline(const struct leg *leg)
{
	const struct leg_way *way = leg->way;

	if (way->route.deadline != 0)
		return way->route.deadline;
	return loop_now(leg->session->worker->loop) +
	    (way->timeout_ms > 0 ? way->timeout_ms : way->pool->options.login_timeout.ms);
}

/* About the bindings of the farm. */
static void
prepare_request(struct leg *leg, void (*on_answer)(struct affinity_request *, enum affinity_answer))
{
	leg->way->binding = (struct affinity_request){
		.loop = leg->session->worker->loop,
		.user = leg->way->key,
		.deadline = login_deadline(leg),
		.on_answer = on_answer,
		.on_kick = on_kick,
		.owner = leg,
	};
}

static void
peek(struct leg *leg)
{
	prepare_request(leg, on_peeked);
	/* the dial itself would bring the user to the server */
	leg->way->binding.is_patient = leg->way->is_judged_by_server;
	affinity_peek(bindings_of(leg), &leg->way->binding);
}

/* Takes the reference. */
static void
ask(struct leg *leg, struct endpoint *wanted)
{
	endpoint_put(&leg->way->wanted);
	leg->way->wanted = wanted;
	prepare_request(leg, on_bound);
	leg->way->binding.wanted = wanted->server;
	leg->way->binding.replaces = leg->way->replaces;
	affinity_open(bindings_of(leg), &leg->way->binding);
}

static const char not_agreed[] = "the user's server is down for this proxy, and not by `check_quorum`";

/* For the server where it is bound, which was just found not to be there; NULL: there is none any more. */
static bool
has_to_wait(const struct leg_way *way, const struct endpoint *bound)
{
	return bound != NULL && way->server == NULL && !placement_may_replace(way->pool, bound);
}

/* The user lives elsewhere: there, once; a second time somebody else is faster than we. */
static void
redirect(struct leg *leg)
{
	struct leg_way *way = leg->way;
	struct endpoint *endpoint = pool_find(way->pool, way->binding.binding.server);
	bool is_usable = is_there(way, endpoint);

	leg_drop_back(leg);
	route_cancel(&way->route);
	if (way->is_redirected || !is_usable) {
		bool may_pass = !is_usable && has_to_wait(way, endpoint);

		endpoint_put(&endpoint);
		if (may_pass)
			leg_await(leg, not_agreed);
		else
			leg_give_up(leg, "the user's binding has changed meanwhile");
		return;
	}
	way->is_redirected = true;
	way->replaces = 0;
	if (way->is_judged_by_server)
		leg_route(leg, endpoint);
	else
		ask(leg, endpoint);
}

static void
count_rebind(const struct leg *leg)
{
	const struct leg_way *way = leg->way;

	if (way->binding.replaces != 0 && way->wanted != NULL)
		tally_add(&way->wanted->counters[leg->session->worker->index].rebinds, 1);
}

static void
on_bound(struct affinity_request *request, enum affinity_answer answer)
{
	struct leg *leg = request->owner;

	switch (answer) {
	case AFFINITY_HERE:
		leg->lease = request->lease;
		count_rebind(leg);
		if (leg->back != NULL)
			leg_succeed(leg);
		else
			leg_route(leg, endpoint_get(leg->way->wanted));
		break;
	case AFFINITY_ELSEWHERE:
		redirect(leg);
		break;
	case AFFINITY_LATER:
		leg_give_up(leg, "the user's sessions on the old server do not end");
		break;
	case AFFINITY_BOUND:
	case AFFINITY_UNBOUND:
		break;
	}
}

/* Why there is no server. */
struct refusal {
	const char *why;
	bool may_pass;		/* once a server takes sessions */
};

static const char no_such_server[] = "the pool has no server of the name that the auth source gave";

/* Where auth source or else balancer want the user, one reference; NULL: nowhere. */
static struct endpoint *
find_new(const struct leg *leg, struct refusal *refusal)
{
	const struct leg_way *way = leg->way;
	struct endpoint *endpoint;

	if (way->server == NULL) {
		*refusal = (struct refusal){ "no server is usable", true };
		return pick(leg);
	}
	endpoint = pool_find(way->pool, way->server);
	if (endpoint == NULL)
		*refusal = (struct refusal){ no_such_server, false };
	else
		*refusal = (struct refusal){ "the server that the auth source gave is down", true };
	if (!is_there(way, endpoint))
		endpoint_put(&endpoint);
	return endpoint;
}

/* To another server, if this one is to be left and there is one.  Takes the reference to `bound`. */
static struct endpoint *
stay_or_leave(struct leg *leg, struct endpoint *bound, const struct affinity_binding *binding)
{
	struct leg_way *way = leg->way;
	struct endpoint *other;

	if (way->server != NULL ||
	    !departure_is_due(bound, way->key, binding, loop_now(leg->session->worker->loop)))
		return bound;
	other = pick(leg);
	if (other == NULL || other == bound) {
		endpoint_put(&other);
		return bound;
	}
	endpoint_put(&bound);
	way->replaces = binding->generation;
	return other;
}

/*
 * Where a user who is bound belongs, one reference; NULL: nowhere that can be had.  The auth source's word
 * wins over a living binding: the sessions elsewhere are kicked first.
 */
static struct endpoint *
find_bound(struct leg *leg, const struct affinity_binding *binding, struct refusal *refusal)
{
	struct leg_way *way = leg->way;
	struct endpoint *endpoint = pool_find(way->pool, binding->server);
	bool is_gone, may_leave;

	if (is_there(way, endpoint) && (way->server == NULL || strcmp(way->server, binding->server) == 0))
		return stay_or_leave(leg, endpoint, binding);
	is_gone = endpoint == NULL;
	may_leave = !has_to_wait(way, endpoint);
	endpoint_put(&endpoint);
	if (is_gone && way->snapshot != leg->session->worker->snapshot) {
		/* perhaps a server of the newer configuration: not ours to replace */
		refusal->why = "the user's server is not of the configuration that the client came under";
		return NULL;
	}
	if (!may_leave) {
		*refusal = (struct refusal){ not_agreed, true };
		return NULL;
	}
	way->replaces = binding->generation;
	return find_new(leg, refusal);
}

static void
on_peeked(struct affinity_request *request, enum affinity_answer answer)
{
	struct leg *leg = request->owner;
	struct refusal refusal = { "nobody can say now where the user is bound", false };
	struct endpoint *wanted = NULL;

	leg->way->replaces = 0;
	if (answer == AFFINITY_BOUND)
		wanted = find_bound(leg, &request->binding, &refusal);
	else if (answer == AFFINITY_UNBOUND)
		wanted = find_new(leg, &refusal);
	if (wanted == NULL && refusal.may_pass)
		leg_await(leg, refusal.why);
	else if (wanted == NULL)
		leg_give_up(leg, refusal.why);
	else if (leg->way->is_judged_by_server)
		leg_route(leg, wanted);
	else
		ask(leg, wanted);
}

/* Why the host cannot be where the session goes; NULL: it can. */
static const char *
find_objection(const struct leg_way *way)
{
	if (listeners_are_at(&way->snapshot->listeners, &way->host))
		return "the host that the auth source gave is this proxy itself";
	if (!auth_allows_host(way->source, &way->host))
		return "the host that the auth source gave is not among its allow_hosts";
	return NULL;
}

static void
place_at_host(struct leg *leg)
{
	const struct leg_way *way = leg->way;
	const char *why = find_objection(way);

	if (why != NULL)
		leg_give_up(leg, why);
	else
		leg_route(leg, pool_adhoc(way->pool, &way->host));
}

static void
place_in_pool(struct leg *leg)
{
	struct leg_way *way = leg->way;
	struct endpoint *endpoint;

	if (bindings_of(leg) != NULL) {
		peek(leg);
	} else if (way->server == NULL) {
		leg_route(leg, NULL);
	} else {
		endpoint = pool_find(way->pool, way->server);
		if (endpoint == NULL)
			leg_give_up(leg, no_such_server);
		else
			leg_route(leg, endpoint);
	}
}

static void
place(struct leg *leg)
{
	if (leg->way->has_host)
		place_at_host(leg);
	else
		place_in_pool(leg);
}

void
placement_start(struct leg *leg)
{
	struct leg_way *way = leg->way;

	if (leg->session->identity.hops <= 1) {
		leg_give_up(leg, "the session has come through too many proxies: they loop");
		return;
	}
	way->is_redirected = false;
	way->changes = service_changes(way->pool->service);
	if (way->has_host)
		host_locate(leg, login_deadline(leg), place);
	else
		place(leg);
}

static void
let_go(struct leg *leg)
{
	affinity_cancel(&leg->way->binding);
	affinity_close(&leg->lease);
	route_cancel(&leg->way->route);
}

void
placement_again(struct leg *leg)
{
	let_go(leg);
	placement_start(leg);
}

bool
placement_anew(struct leg *leg)
{
	struct leg_way *way = leg->way;
	const struct endpoint *fixed = way->route.fixed;
	const char *why = way->route.why;
	bool is_replaced;

	if (fixed == NULL || way->is_pinned || pool_may_use(way->pool, fixed))
		return false;
	is_replaced = bindings_of(leg) != NULL && !is_there(way, fixed) && !way->is_placed_anew;
	let_go(leg);
	if (is_replaced) {
		way->is_placed_anew = true;
		placement_start(leg);
	} else {
		leg_await(leg, why);
	}
	return true;
}

void
placement_confirm(struct leg *leg)
{
	struct affinity *bindings = leg->way->has_host ? NULL : bindings_of(leg);

	if (bindings != NULL && leg->lease == NULL)
		ask(leg, endpoint_get(leg->way->route.endpoint));
	else if (affinity_is_kicked(leg->lease))
		come_again(leg);
	else
		leg_succeed(leg);
}
