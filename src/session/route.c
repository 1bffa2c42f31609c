/* SPDX-License-Identifier: BSD-2-Clause */
/* route.c: the way to a server: pick, take, queue, try again. */
#include "session/route.h"

#include <assert.h>

enum { RETRY_DELAY_MS = 1000 };		/* between two tries of a bound pool at the same server */

static void choose(struct route *route);

static void
answer(struct route *route, struct endpoint *endpoint)
{
	loop_timer_stop(route->loop, &route->timer);
	route->is_dialling = endpoint != NULL;
	if (endpoint != NULL && route->deadline == 0)
		route->deadline = loop_now(route->loop) + route->pool->options.login_timeout.ms;
	route->on_routed(route, endpoint, route->owner);
}

static void
give_up(struct route *route, const char *why)
{
	route->why = why;
	answer(route, NULL);
}

/* What was taken goes back, with its reference; a place in the queue, with ours. */
static void
drop_endpoint(struct route *route)
{
	if (route->endpoint == NULL)
		return;
	if (route->is_queued) {
		waiter_cancel(&route->waiter);
		endpoint_put(&route->endpoint);
	} else if (route->is_dialling) {
		endpoint_give_up(route->endpoint);
	} else {
		endpoint_release(route->endpoint);
	}
	route->is_queued = route->is_dialling = false;
	route->endpoint = NULL;
}

static void
on_slot(void *owner, void *gift)
{
	struct route *route = owner;
	struct endpoint *waited = route->endpoint;

	(void)gift;
	/* the connection that was handed over has a reference of its own */
	endpoint_put(&waited);
	route->is_queued = false;
	answer(route, route->endpoint);
}

static const struct waiter_duty slot_duty = { .on_wake = on_slot };

static void
on_time(struct loop_timer *timer)
{
	struct route *route = loop_owner(timer, struct route, timer);

	if (route->is_queued) {
		drop_endpoint(route);
		give_up(route, "the queue took too long");
	} else {
		choose(route);
	}
}

/*
 * For how long to queue from now on: no longer than the login may take once a server was tried.  Where it is
 * a sick server that is waited for, the time in which it would have been tried again comes in addition.
 */
static int64_t
queue_until(const struct route *route, const struct endpoint *endpoint)
{
	int64_t until = loop_now(route->loop) + route->pool->options.queue_timeout.ms;
	int64_t retries = route->pool->options.retries - route->retries;

	if (endpoint_is_held(endpoint) && retries > 0)
		until += retries * RETRY_DELAY_MS;
	return route->deadline != 0 && route->deadline < until ? route->deadline : until;
}

static void
take_or_wait(struct route *route, struct endpoint *endpoint)
{
	int64_t until = queue_until(route, endpoint);

	route->endpoint = endpoint;
	if (endpoint_take_or_wait(endpoint, route->loop, &slot_duty, route, &route->waiter)) {
		answer(route, endpoint);
		return;
	}
	endpoint_get(endpoint);
	route->is_queued = true;
	if (until <= loop_now(route->loop)) {
		drop_endpoint(route);
		give_up(route, "the server is full");
		return;
	}
	loop_timer_set(route->loop, &route->timer, until);
	route->on_queued(route, route->owner);
}

/* To wait there; or somebody who is dead, rather than nobody. */
static struct endpoint *
pick_full(const struct route *route, struct balance_key *key)
{
	int worker = loop_index(route->loop);
	struct endpoint *endpoint;

	key->full_too = key->alive_only = true;
	endpoint = pool_pick(route->pool, worker, key);
	if (endpoint != NULL)
		return endpoint;
	key->alive_only = false;
	endpoint = pool_pick(route->pool, worker, key);
	if (endpoint != NULL)
		endpoint_reopen(endpoint);
	return endpoint;
}

static void
pick(struct route *route)
{
	struct balance_key key = { .user = route->user, .client = route->client,
		.tried = (const struct endpoint *const *)route->tried, .tried_count = route->tried_count,
		.full_too = route->pool->is_bound };
	int worker = loop_index(route->loop);
	struct endpoint *endpoint = pool_pick(route->pool, worker, &key);

	if (endpoint == NULL && !key.full_too)
		endpoint = pick_full(route, &key);
	if (endpoint == NULL)
		give_up(route, route->tried_count > 0 ? "all servers failed" : "no server is usable");
	else
		take_or_wait(route, endpoint);
	endpoint_put(&endpoint);
}

static void
choose(struct route *route)
{
	if (route->fixed == NULL)
		pick(route);
	else if (endpoint_is_down(route->fixed))
		give_up(route, "the user's server is down");
	else
		take_or_wait(route, route->fixed);
}

void
route_start(struct route *route)
{
	loop_timer_init(&route->timer, on_time);
	choose(route);
}

/* Another server at once. */
static void
try_next(struct route *route, struct endpoint *failed)
{
	if (route->retries++ >= route->pool->options.retries || route->tried_count == ROUTE_TRIED_MAX) {
		give_up(route, "too many servers failed");
		return;
	}
	route->tried[route->tried_count++] = endpoint_get(failed);
	choose(route);
}

/* The same server in a second: a bound pool's user belongs there. */
static void
try_same(struct route *route)
{
	if (route->retries++ < route->pool->options.retries)
		loop_timer_set(route->loop, &route->timer, loop_now(route->loop) + RETRY_DELAY_MS);
	else
		give_up(route, "the user's server cannot be had");
}

static void
try_again(struct route *route, bool may_repeat)
{
	struct endpoint *failed;

	assert(route->endpoint != NULL && !route->is_queued);
	failed = endpoint_get(route->endpoint);
	drop_endpoint(route);
	if (loop_now(route->loop) >= route->deadline)
		give_up(route, "the login took too long");
	else if (!route->pool->is_bound && route->fixed == NULL)
		try_next(route, failed);
	else if (may_repeat)
		try_same(route);
	else
		give_up(route, "the user's server puts it off");
	endpoint_put(&failed);
}

void
route_report(struct route *route, enum endpoint_result result, int64_t took_ms, const char *why)
{
	route->is_dialling = false;
	endpoint_report(route->endpoint, loop_index(route->loop), result, took_ms, why);
}

void
route_again(struct route *route)
{
	try_again(route, true);
}

void
route_elsewhere(struct route *route)
{
	try_again(route, false);
}

static void
forget_tried(struct route *route)
{
	while (route->tried_count > 0)
		endpoint_put(&route->tried[--route->tried_count]);
}

void
route_cancel(struct route *route)
{
	if (route->loop == NULL)
		return;
	drop_endpoint(route);
	forget_tried(route);
	endpoint_put(&route->fixed);
	loop_timer_stop(route->loop, &route->timer);
	route->loop = NULL;
}

struct endpoint *
route_claim(struct route *route)
{
	struct endpoint *endpoint = route->endpoint;

	assert(endpoint != NULL && !route->is_queued);
	route->endpoint = NULL;
	endpoint_put(&route->fixed);
	forget_tried(route);
	return endpoint;
}
