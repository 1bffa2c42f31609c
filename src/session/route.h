/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route.h: which server a session goes to: picks, takes, waits in a queue,
 * and after a failure tries again as the pool's kind allows: the next server
 * (unbound), or the same after a second (bound: one user, one server).  Who
 * may go to any server waits in the service's queue, who belongs to one in
 * that one's; where none takes sessions, the latter wait to choose anew.
 */
#ifndef SESSION_ROUTE_H
#define SESSION_ROUTE_H

#include "balance/balance.h"
#include "balance/endpoint_report.h"
#include "net/loop.h"
#include "net/waiter.h"

enum { ROUTE_TRIED_MAX = 8 };		/* servers one session tries before it is told to come later */

struct route;
/*
 * endpoint NULL: none can be had, and route->why tells.  Otherwise it is taken, and held until it is claimed,
 * cancelled or tried again.  The callback may cancel the route, and end its session.
 */
typedef void route_callback(struct route *route, struct endpoint *endpoint, void *owner);
/*
 * on_queued: it has come into a queue; the same may be done.  on_anew: it waited where no server took
 * sessions, and that has changed: ends the route, and begins another one.
 */
typedef void route_queued_callback(struct route *route, void *owner);

/* Can this server do what the client was promised?  From any thread, while the route lives. */
typedef bool route_promise(struct endpoint *endpoint, void *promise);

struct route {
	/* The caller's to fill in; all else is zero, but for the times of one that is routed again. */
	struct loop *loop;
	const struct pool *pool;
	struct slice user;			/* the key; outlives the route; empty: there is none */
	const struct addr *client;		/* outlives the route */
	struct endpoint *fixed;			/* no other will do, or NULL; the route takes the reference */
	route_promise *keeps_promise;		/* asked where the pool is not bound; or NULL */
	void *promise;
	int64_t timeout_ms;			/* for the login, from the first try; 0: the pool's */
	route_callback *on_routed;
	route_queued_callback *on_queued, *on_anew;
	void *owner;

	int64_t deadline;			/* of the login; 0 before the first try */
	int64_t queue_until;			/* over all queues since the last try; 0: it was in none */
	int64_t queued_at, queued_ms;		/* loop_now, or 0; and all in all before that */
	struct endpoint *endpoint;		/* taken, or waited for; NULL in the service's queues */
	struct waiter *waiter;
	struct loop_timer timer;
	struct endpoint *tried[ROUTE_TRIED_MAX];	/* one reference each */
	int tried_count;
	int retries;
	unsigned changes;			/* see service_wake: before it looked for a server */
	bool is_queued, is_hopeful;		/* is_hopeful: it waits to choose anew */
	bool is_dialling;			/* it was answered, and nothing was reported yet */
	bool is_once;				/* no server is tried twice */
	bool is_promise_void;			/* nobody keeps it: better any server than none */
	const char *why;			/* "no server is usable", "the queue took too long" */
};

/* Answers through on_routed, perhaps before it returns. */
void route_start(struct route *route);
/*
 * The same for whom a look at the service found no server that takes sessions, since `changes` were counted:
 * waits for another change, and ends in on_anew, or in on_routed with this `why`.
 */
void route_await(struct route *route, unsigned changes, const char *why);
/* What came of the endpoint that was answered, as for endpoint_report: before any of the next three. */
void route_report(struct route *route, enum endpoint_result result, int64_t took_ms, const char *why);
/* The endpoint failed: gives it back and answers anew, perhaps before it returns. */
void route_again(struct route *route);
/* The same, but no server is tried twice. */
void route_elsewhere(struct route *route);
/* Nothing more will be answered; an endpoint that is held goes back.  Fine on a zero route. */
void route_cancel(struct route *route);
/* The connection becomes the caller's: endpoint_release ends it. */
struct endpoint *route_claim(struct route *route);

#endif
