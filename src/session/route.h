/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route.h: which server a session goes to: picks, takes, waits in the queue,
 * and after a failure tries again as the pool's kind allows: the next server
 * (unbound), or the same after a second (bound: one user, one server).
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
/* It has come into a queue; the same may be done. */
typedef void route_queued_callback(struct route *route, void *owner);

struct route {
	/* The caller's to fill in; all else is zero, but for the deadline of a login that is routed again. */
	struct loop *loop;
	const struct pool *pool;
	struct slice user;			/* the key; outlives the route; empty: there is none */
	const struct addr *client;		/* outlives the route */
	struct endpoint *fixed;			/* no other will do, or NULL; the route takes the reference */
	route_callback *on_routed;
	route_queued_callback *on_queued;
	void *owner;

	int64_t deadline;			/* of the pool's login_timeout; 0 before the first try */
	struct endpoint *endpoint;		/* taken, or waited for */
	struct waiter *waiter;
	struct loop_timer timer;
	struct endpoint *tried[ROUTE_TRIED_MAX];	/* one reference each */
	int tried_count;
	int retries;
	bool is_queued, is_dialling;
	const char *why;			/* "no server is usable", "the queue took too long" */
};

/* Answers through on_routed, perhaps before it returns. */
void route_start(struct route *route);
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
