/* SPDX-License-Identifier: BSD-2-Clause */
/* route.c: the way to a server: pick, take, queue, try again. */
#include "session/route.h"

#include <assert.h>

#include "balance/endpoint_room.h"
#include "balance/roster.h"
#include "base/hash.h"

enum { RETRY_DELAY_MS = 1000 };		/* between two tries of a bound pool at the same server */

static const char queue_is_over[] = "the queue took too long";

static void choose(struct route *route);

static struct endpoint_counters *
counters_at(const struct route *route, struct endpoint *endpoint)
{
	return &endpoint->counters[loop_index(route->loop)];
}

static void
count_try(struct route *route, struct endpoint *endpoint)
{
	struct endpoint_counters *counters = counters_at(route, endpoint);
	int connections = atomic_load_explicit(&endpoint->connections, memory_order_relaxed);

	tally_add(&counters->tries, 1);
	tally_raise(&counters->most_connections, (uint64_t)connections);
	if (route->queued_at != 0)
		route->queued_ms += loop_now(route->loop) - route->queued_at;
	route->queued_at = 0;
}

static void
answer(struct route *route, struct endpoint *endpoint)
{
	loop_timer_stop(route->loop, &route->timer);
	if (endpoint != NULL)
		count_try(route, endpoint);
	route->is_dialling = endpoint != NULL;
	if (endpoint != NULL)
		route->queue_until = 0;
	if (endpoint != NULL && route->deadline == 0)
		route->deadline = loop_now(route->loop) +
		    (route->timeout_ms > 0 ? route->timeout_ms : route->pool->options.login_timeout.ms);
	route->on_routed(route, endpoint, route->owner);
}

static void
give_up(struct route *route, const char *why)
{
	route->why = why;
	answer(route, NULL);
}

static void
leave_queue(struct route *route)
{
	waiter_cancel(&route->waiter);
	loop_timer_stop(route->loop, &route->timer);
	route->is_queued = false;
	route->is_hopeful = false;
}

/* What was taken goes back, with its reference; a place in the queue, with ours. */
static void
drop_endpoint(struct route *route)
{
	if (route->is_queued) {
		leave_queue(route);
		endpoint_put(&route->endpoint);
	} else if (route->endpoint != NULL) {
		if (route->is_dialling)
			endpoint_give_up(route->endpoint);
		else
			endpoint_release(route->endpoint);
		route->endpoint = NULL;
	}
	route->is_dialling = false;
}

static void
take(struct route *route, struct endpoint *endpoint)
{
	route->endpoint = endpoint;
	answer(route, endpoint);
}

/* The connection that was handed over has a reference of its own; without one the server is down. */
static void
on_slot(void *owner, void *gift)
{
	struct route *route = owner;

	route->is_queued = false;
	endpoint_put(&route->endpoint);
	if (gift != NULL)
		take(route, gift);
	else
		choose(route);
}

static void
on_gift(void *owner, void *gift)
{
	struct route *route = owner;

	route->is_queued = false;
	take(route, gift);
}

static void
anew(struct route *route)
{
	leave_queue(route);
	route->on_anew(route, route->owner);
}

static void
on_change(void *owner, void *gift)
{
	(void)gift;
	anew(owner);
}

static struct balance_key
key_of(const struct route *route)
{
	struct balance_key key = { .user = route->user, .client = route->client,
		.tried = (const struct endpoint *const *)route->tried, .tried_count = route->tried_count };

	if (!route->pool->is_bound && !route->is_promise_void) {
		key.keeps_promise = route->keeps_promise;
		key.promise = route->promise;
	}
	return key;
}

/* On the thread that hands it out, under the service's lock. */
static bool
accepts_gift(void *owner, void *gift)
{
	const struct route *route = owner;
	const struct balance_key key = key_of(route);

	return roster_may_pick(route->pool->service->roster, gift, &key) && endpoint_take(gift);
}

static const struct waiter_duty slot_duty = { .on_wake = on_slot };
static const struct waiter_duty gift_duty = { .on_wake = on_gift, .accepts = accepts_gift };
static const struct waiter_duty change_duty = { .on_wake = on_change };

/* Where it is a sick server that is waited for, the time in which it would have been tried again is added. */
static int64_t
patience(const struct route *route, const struct endpoint *endpoint)
{
	int64_t retries = route->pool->options.retries - route->retries;
	bool is_held = endpoint != NULL && endpoint_is_held(endpoint) && retries > 0;

	return route->pool->options.queue_timeout.ms + (is_held ? retries * RETRY_DELAY_MS : 0);
}

/*
 * Until when to queue, at this endpoint or (NULL) for any: no longer than the login may take once a server
 * was tried.
 */
static int64_t
queue_until(const struct route *route, const struct endpoint *endpoint)
{
	int64_t until = route->queue_until;

	if (until == 0)
		until = loop_now(route->loop) + patience(route, endpoint);
	return route->deadline != 0 && route->deadline < until ? route->deadline : until;
}

/* A pool that has no servers will have none: there, others name hosts. */
static bool
may_queue(const struct route *route, const struct endpoint *endpoint)
{
	return pool_servers(route->pool)->count > 0 && queue_until(route, endpoint) > loop_now(route->loop);
}

/* For as long as that, or only for a turn of the loop: it has just joined.  The owner may end the route. */
static void
stay(struct route *route, const char *why, const struct endpoint *endpoint, bool is_outdated)
{
	int64_t until = queue_until(route, endpoint);

	route->queue_until = until;
	if (route->queued_at == 0)
		route->queued_at = loop_now(route->loop);
	route->is_queued = true;
	route->why = why;
	loop_timer_set(route->loop, &route->timer, is_outdated ? loop_now(route->loop) : until);
	if (!waiter_is_woken(route->waiter))
		route->on_queued(route, route->owner);
}

/* What changed since it looked, and before it joined, has woken others only. */
static bool
is_outdated(const struct route *route)
{
	return service_changes(route->pool->service) != route->changes;
}

/* Its time is up before it began to wait, perhaps in another queue before. */
static void
give_up_full(struct route *route)
{
	give_up(route, route->pool->options.queue_timeout.ms == 0 ? "the server is full" : queue_is_over);
}

static void
take_or_wait(struct route *route, struct endpoint *endpoint)
{
	if (!may_queue(route, endpoint)) {
		if (endpoint_take(endpoint))
			take(route, endpoint);
		else
			give_up_full(route);
		return;
	}
	if (endpoint_take_or_wait(endpoint, route->loop, &slot_duty, route, &route->waiter)) {
		take(route, endpoint);
		return;
	}
	route->endpoint = endpoint_get(endpoint);
	stay(route, queue_is_over, endpoint, is_outdated(route));
}

static void
await_change(struct route *route, const char *why)
{
	if (!may_queue(route, NULL)) {
		give_up(route, why);
		return;
	}
	waiter_add(&route->pool->service->hopefuls, route->loop, &change_duty, route, &route->waiter);
	route->is_hopeful = true;
	stay(route, why, NULL, is_outdated(route));
}

static struct endpoint *
pick(const struct route *route, bool full_too)
{
	struct balance_key key = key_of(route);

	key.full_too = full_too;
	return pool_pick(route->pool, loop_index(route->loop), &key);
}

static void
choose_fixed(struct route *route)
{
	if (pool_may_use(route->pool, route->fixed))
		take_or_wait(route, route->fixed);
	else
		give_up(route, "the user's server is down");
}

static void
choose_bound(struct route *route)
{
	struct endpoint *endpoint = pick(route, true);

	if (endpoint == NULL)
		await_change(route, "no server is usable");
	else
		take_or_wait(route, endpoint);
	endpoint_put(&endpoint);
}

/* False: all are full. */
static bool
take_any(struct route *route)
{
	struct endpoint *endpoint;
	bool is_taken = false;

	while (!is_taken && (endpoint = pick(route, false)) != NULL) {
		is_taken = endpoint_take(endpoint);
		if (is_taken)
			take(route, endpoint);
		endpoint_put(&endpoint);
	}
	return is_taken;
}

/*
 * Where nobody is alive to be waited for, somebody who is dead, rather than nobody: one may try it, as if its
 * time were over.  True: it is taken.
 */
static bool
take_dead(struct route *route)
{
	struct balance_key key = key_of(route);
	int worker = loop_index(route->loop);
	struct endpoint *endpoint;
	bool is_taken = false;

	key.full_too = key.alive_only = true;
	endpoint = pool_pick(route->pool, worker, &key);
	if (endpoint != NULL) {
		endpoint_put(&endpoint);
		return false;
	}
	key.alive_only = false;
	endpoint = pool_pick(route->pool, worker, &key);
	if (endpoint != NULL) {
		endpoint_reopen(endpoint);
		is_taken = endpoint_take(endpoint);
	}
	if (is_taken)
		take(route, endpoint);
	endpoint_put(&endpoint);
	return is_taken;
}

/* Room that there is by now goes to those who came before, and then to this one. */
static void
join(struct route *route, const char *why, const struct endpoint *up)
{
	struct service *service = route->pool->service;
	struct endpoint *endpoint;
	bool goes_on = true;

	waiter_add(&service->queue, route->loop, &gift_duty, route, &route->waiter);
	while (goes_on && !waiter_is_woken(route->waiter) && (endpoint = pick(route, false)) != NULL) {
		goes_on = service_serve(service, endpoint);
		endpoint_put(&endpoint);
	}
	stay(route, why, up, false);
}

static bool
is_promised(const struct route *route)
{
	return route->keeps_promise != NULL && !route->is_promise_void;
}

static void
forget_tried(struct route *route)
{
	while (route->tried_count > 0)
		endpoint_put(&route->tried[--route->tried_count]);
}

/* Each has failed once: in a second perhaps one does not. */
static void
try_all_anew(struct route *route)
{
	int64_t at = loop_now(route->loop) + RETRY_DELAY_MS;

	if (route->is_once || at >= route->deadline) {
		give_up(route, "all servers failed");
		return;
	}
	forget_tried(route);
	loop_timer_set(route->loop, &route->timer, at);
}

static void
choose_later(struct route *route, const struct endpoint *up)
{
	bool may_wait = may_queue(route, up);

	if (up == NULL && is_promised(route)) {
		route->is_promise_void = true;
		choose(route);
	} else if (up == NULL && route->tried_count > 0) {
		try_all_anew(route);
	} else if (may_wait) {
		join(route, up != NULL ? queue_is_over : "no server is usable", up);
	} else if (up != NULL) {
		give_up_full(route);
	} else {
		give_up(route, "no server is usable");
	}
}

/* Nobody overtakes those who wait. */
static void
choose_any(struct route *route)
{
	bool is_first = waiter_count(&route->pool->service->queue) == 0;
	struct endpoint *up;

	if (is_first && (take_any(route) || take_dead(route)))
		return;
	up = pick(route, true);
	if (is_first || may_queue(route, up) || !(take_any(route) || take_dead(route)))
		choose_later(route, up);
	endpoint_put(&up);
}

static void
choose(struct route *route)
{
	route->changes = service_changes(route->pool->service);
	if (route->fixed != NULL)
		choose_fixed(route);
	else if (route->pool->is_bound)
		choose_bound(route);
	else
		choose_any(route);
}

/* Those who keep the promise, or were not tried yet, have no room: better another than none. */
static void
leave_in_vain(struct route *route)
{
	bool may_be_any = route->endpoint == NULL && !route->is_hopeful;
	bool was_choosy = is_promised(route) || (route->tried_count > 0 && !route->is_once);

	drop_endpoint(route);
	route->is_promise_void = true;
	if (!route->is_once)
		forget_tried(route);
	if (!may_be_any || !was_choosy || !take_any(route))
		give_up(route, route->why);
}

static void
on_time(struct loop_timer *timer)
{
	struct route *route = loop_owner(timer, struct route, timer);

	if (route->is_queued && loop_now(route->loop) >= queue_until(route, route->endpoint)) {
		leave_in_vain(route);
	} else if (route->is_hopeful) {
		anew(route);
	} else {
		/* after a second; or what it waited for has changed as it joined */
		if (route->is_queued)
			drop_endpoint(route);
		choose(route);
	}
}

void
route_start(struct route *route)
{
	loop_timer_init(&route->timer, on_time);
	choose(route);
}

void
route_await(struct route *route, unsigned changes, const char *why)
{
	loop_timer_init(&route->timer, on_time);
	route->changes = changes;
	await_change(route, why);
}

/* Another server at once. */
static void
try_next(struct route *route, struct endpoint *failed)
{
	if (route->retries++ >= route->pool->options.retries || route->tried_count == ROUTE_TRIED_MAX) {
		give_up(route, "too many servers failed");
		return;
	}
	tally_add(&counters_at(route, failed)->redispatches, 1);
	route->tried[route->tried_count++] = endpoint_get(failed);
	choose(route);
}

/* The same server in a second: a bound pool's user belongs there. */
static void
try_same(struct route *route, struct endpoint *failed)
{
	if (route->retries++ >= route->pool->options.retries) {
		give_up(route, "the user's server cannot be had");
		return;
	}
	tally_add(&counters_at(route, failed)->retries, 1);
	loop_timer_set(route->loop, &route->timer, loop_now(route->loop) + RETRY_DELAY_MS);
}

static void
try_again(struct route *route, bool may_repeat)
{
	struct endpoint *failed;

	assert(route->endpoint != NULL && !route->is_queued);
	failed = endpoint_get(route->endpoint);
	drop_endpoint(route);
	route->is_once = route->is_once || !may_repeat;
	if (loop_now(route->loop) >= route->deadline)
		give_up(route, "the login took too long");
	else if (!route->pool->is_bound && route->fixed == NULL)
		try_next(route, failed);
	else if (may_repeat)
		try_same(route, failed);
	else
		give_up(route, "the user's server puts it off");
	endpoint_put(&failed);
}

void
route_report(struct route *route, enum endpoint_result result, int64_t took_ms, const char *why)
{
	const struct endpoint_outcome outcome = {
		.result = result, .took_ms = took_ms, .why = why,
		.who = route->user.len > 0 ? hash_bytes(route->user.data, route->user.len, 1) : 0,
	};

	route->is_dialling = false;
	endpoint_report(route->endpoint, loop_index(route->loop), &outcome);
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
