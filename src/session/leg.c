/* SPDX-License-Identifier: BSD-2-Clause */
/* leg.c: from an order to a server that took the session: routes, dials, tries again, gives back. */
#include "session/leg.h"

#include <stdio.h>

#include "balance/endpoint.h"
#include "balance/endpoint_room.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "session/host.h"
#include "session/offer.h"
#include "session/placement.h"
#include "session/plan.h"
#include "session/session.h"

static struct loop *
loop_of(const struct leg *leg)
{
	return leg->session->worker->loop;
}

struct leg *
leg_new(struct session *s, struct snapshot *snapshot, struct pool *pool, leg_callback *on_event)
{
	struct leg *leg = xcalloc(1, sizeof(*leg));
	struct leg **end = &s->leg;

	while (*end != NULL)
		end = &(*end)->next;
	*end = leg;
	leg->session = s;
	leg->on_event = on_event;
	leg->way = xcalloc(1, sizeof(*leg->way));
	leg->way->leg = leg;
	leg->way->snapshot = snapshot;
	snapshot_get(snapshot, s->worker->index);
	leg->way->pool = pool;
	return leg;
}

void
leg_start(struct leg *leg)
{
	placement_start(leg);
}

void
leg_start_at(struct leg *leg, struct endpoint *endpoint)
{
	leg->way->is_pinned = true;
	leg_route(leg, endpoint_get(endpoint));
}

void
leg_drop_back(struct leg *leg)
{
	if (leg->back == NULL)
		return;
	back_close(leg->back);
	loop_defer(loop_of(leg), xfree, leg->back);
	leg->back = NULL;
}

/* Callbacks of what lies in it may still be under way. */
static void
free_way(struct leg *leg)
{
	struct leg_way *way = leg->way;

	leg->way = NULL;
	if (way == NULL)
		return;
	host_cancel(leg, way);
	affinity_cancel(&way->binding);
	endpoint_put(&way->wanted);
	endpoint_put(&way->choice);
	route_cancel(&way->route);
	offer_put(&way->offer);
	credentials_wipe(&way->credentials);
	xfree(way->mailbox);
	xfree(way->server);
	xfree(way->host_name);
	snapshot_put(way->snapshot, leg->session->worker->index);
	loop_defer(loop_of(leg), xfree, way);
}

void
leg_settle(struct leg *leg)
{
	if (leg->back != NULL)
		back_forget_dial(leg->back);
	free_way(leg);
}

void
leg_drop(struct leg **gone)
{
	struct leg *leg = *gone, **link;

	if (leg == NULL)
		return;
	for (link = &leg->session->leg; *link != leg; link = &(*link)->next)
		continue;
	*link = leg->next;
	if (gone != link)
		*gone = NULL;
	leg_drop_back(leg);
	free_way(leg);
	/* who waits for the user's sessions on this server to be gone is let in by this */
	affinity_close(&leg->lease);
	if (leg->endpoint != NULL)
		endpoint_release(leg->endpoint);
	loop_defer(loop_of(leg), xfree, leg);
}

void
leg_give_up(struct leg *leg, const char *why)
{
	leg->way->why = why;
	leg->on_event(leg, LEG_UNAVAILABLE);
}

void
leg_succeed(struct leg *leg)
{
	leg->endpoint = route_claim(&leg->way->route);
	leg->on_event(leg, LEG_READY);
}

/* The proxy that the session came through tries again.  If all did, a circle of them would hardly end. */
static bool
is_tried_again_elsewhere(const struct leg *leg, enum back_event event)
{
	return event == BACK_EVENT_LATER && leg->session->identity.hops < HOPS_MAX;
}

static void
try_again(struct leg *leg, enum back_event event)
{
	struct leg_way *way = leg->way;
	char reason[BACK_REASON_MAX];

	leg_log(leg, LOG_WARNING, "server failed: %s while %s", back_reason(leg->back, reason),
	    back_doing(leg->back));
	leg_drop_back(leg);
	affinity_cancel(&way->binding);
	if (is_tried_again_elsewhere(leg, event))
		route_elsewhere(&way->route);
	else
		route_again(&way->route);
}

void
leg_look_at_server(struct leg *leg)
{
	struct leg_way *way = leg->way;

	if (way == NULL || leg->back == NULL || leg->back->phase == BACK_READY ||
	    pool_may_use(way->pool, way->route.endpoint))
		return;
	leg_log(leg, LOG_WARNING, "server went down while %s", back_doing(leg->back));
	leg_drop_back(leg);
	affinity_cancel(&way->binding);
	route_again(&way->route);
}

/* A dial costs less where checks see the same; what misses once, they believe later. */
static void
learn(const struct leg *leg, const struct back *back)
{
	struct endpoint *e = leg->way->route.endpoint;

	if (endpoint_capabilities_hash(e) == 0 ||
	    !atomic_load_explicit(&e->is_checked, memory_order_relaxed))
		offer_learn(e, back);
}

/* A session that the server took. */
static void
count_session(const struct leg *leg)
{
	struct route *route = &leg->way->route;
	struct endpoint_counters *at = &route->endpoint->counters[leg->session->worker->index];
	int64_t connect_ms = back_connect_took(leg->back);

	atomic_store_explicit(&at->last_session_at, (uint64_t)clock_ms(), memory_order_relaxed);
	tally_mean_add(&at->times[ENDPOINT_TIME_QUEUE], (uint64_t)route->queued_ms);
	tally_mean_add(&at->times[ENDPOINT_TIME_CONNECT], (uint64_t)connect_ms);
	tally_mean_add(&at->times[ENDPOINT_TIME_LOGIN], (uint64_t)(back_took(leg->back) - connect_ms));
}

static void
count_tls(const struct leg *leg)
{
	struct endpoint_counters *at = &leg->way->route.endpoint->counters[leg->session->worker->index];
	struct tls_facts facts;

	if (!stream_has_tls(&leg->back->stream))
		return;
	tls_facts_read(&leg->back->stream, &facts);
	tally_add(&at->tls_sessions, 1);
	if (facts.resumed)
		tally_add(&at->tls_resumed, 1);
}

static void
report(struct leg *leg, enum back_event event)
{
	char reason[BACK_REASON_MAX], why[BACK_REASON_MAX + 64] = "";

	count_tls(leg);
	if (event == BACK_EVENT_READY)
		count_session(leg);
	else
		snprintf(why, sizeof(why), "%s while %s", back_reason(leg->back, reason),
		    back_doing(leg->back));
	route_report(&leg->way->route, back_result(leg->back, event), back_took(leg->back), why);
}

static void
on_back(struct back *back, enum back_event event, void *owner)
{
	struct leg *leg = owner;
	/* of one that was ready before, and waits for a binding, it was told */
	bool is_outcome = event == BACK_EVENT_READY || back->phase != BACK_READY;

	if (is_outcome)
		report(leg, event);
	switch (event) {
	case BACK_EVENT_READY:
		learn(leg, back);
		placement_confirm(leg);
		break;
	case BACK_EVENT_REFUSED:
		learn(leg, back);
		leg->on_event(leg, LEG_REFUSED);
		break;
	case BACK_EVENT_LATER:
	case BACK_EVENT_FAILED:
		try_again(leg, event);
		break;
	}
}

static void
on_routed(struct route *route, struct endpoint *endpoint, void *owner)
{
	struct leg *leg = owner;

	if (endpoint == NULL) {
		if (!placement_anew(leg))
			leg_give_up(leg, route->why);
		return;
	}
	leg->era = endpoint_era(endpoint);
	plan_fill(leg, endpoint);
	leg->back = xcalloc(1, sizeof(*leg->back));
	back_start(leg->back, loop_of(leg), &leg->way->plan, on_back, leg);
	trace_look_at_leg(leg);
}

static void
on_queued(struct route *route, void *owner)
{
	struct leg *leg = owner;

	(void)route;
	leg->on_event(leg, LEG_QUEUED);
}

static void
on_anew(struct route *route, void *owner)
{
	(void)route;
	placement_again(owner);
}

static bool
keeps_promise(struct endpoint *endpoint, void *promise)
{
	const struct leg_way *way = promise;

	return offer_is_kept(way->offer, endpoint, way->pool);
}

/* Time that was spent stays spent. */
static void
prepare_route(struct leg *leg, struct endpoint *fixed)
{
	struct leg_way *way = leg->way;

	way->route = (struct route){
		.loop = loop_of(leg),
		.pool = way->pool,
		.user = way->key,
		.client = &leg->session->identity.client,
		.fixed = fixed,
		.keeps_promise = way->offer != NULL ? keeps_promise : NULL,
		.promise = way,
		.timeout_ms = way->timeout_ms,
		.deadline = way->route.deadline,
		.queue_until = way->route.queue_until,
		.queued_at = way->route.queued_at,
		.queued_ms = way->route.queued_ms,
		.on_routed = on_routed,
		.on_queued = on_queued,
		.on_anew = on_anew,
		.owner = leg,
	};
}

void
leg_route(struct leg *leg, struct endpoint *fixed)
{
	if (leg->way->is_only_placed) {
		leg->way->choice = fixed;
		leg->on_event(leg, LEG_PLACED);
		return;
	}
	prepare_route(leg, fixed);
	route_start(&leg->way->route);
}

void
leg_await(struct leg *leg, const char *why)
{
	prepare_route(leg, NULL);
	route_await(&leg->way->route, leg->way->changes, why);
}

bool
leg_is_queued(const struct leg *leg)
{
	return leg->way != NULL && leg->way->route.is_queued;
}

const char *
leg_doing(const struct leg *leg)
{
	if (leg->back != NULL)
		return back_doing(leg->back);
	if (leg->way->question.lookup != NULL)
		return "looking up the server's name";
	if (leg_is_queued(leg))
		return "waiting in the queue";
	if (loop_timer_is_set(&leg->way->route.timer))
		return "waiting to try again";
	return "choosing a server";
}

const struct endpoint *
leg_endpoint(const struct leg *leg)
{
	if (leg->endpoint != NULL || leg->way == NULL)
		return leg->endpoint;
	return leg->way->route.endpoint;
}
