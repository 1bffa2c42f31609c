/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leg.h: a session's way to one server, and then its hold on it: which
 * server (placement.c), taken (route.c), dialled (back.c), the user bound
 * there.  A session has none before it is routed, one mostly, and one for
 * each server where it speaks to several; each is told of by one callback.
 */
#ifndef SESSION_LEG_H
#define SESSION_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/credentials.h"
#include "net/resolve.h"
#include "session/back.h"
#include "session/back_plan.h"
#include "session/route.h"
#include "session/snapshot.h"
#include "state/affinity.h"

struct auth;
struct leg;
struct offer;
struct session;

enum leg_event {
	LEG_QUEUED,		/* waits for room at its server, perhaps once more; another one follows */
	LEG_PLACED,		/* with is_only_placed: way->choice is where, and nothing is dialled */
	LEG_READY,		/* logged in, and the user is bound there: the stream is the owner's */
	LEG_REFUSED,		/* login or client, in words that the back's dial has; nobody else is asked */
	LEG_UNAVAILABLE,	/* no server can be had: way->why */
	LEG_KICKED		/* only once settled: the user was moved to another server */
};

/* The one callback, perhaps before leg_start returns.  It may drop the leg and end the session. */
typedef void leg_callback(struct leg *leg, enum leg_event event);

/* What is needed until the server took the session, and wiped then. */
struct leg_way {
	struct snapshot *snapshot;		/* one reference: what the pool is of */
	struct pool *pool;

	/* The owner's to fill in, before leg_start; what is allocated becomes the leg's. */
	const char *hostname;			/* ours; the snapshot's */
	char *mailbox;				/* canonical: whose mail it is; NULL: nobody logged in */
	struct slice key;			/* what of it decides on the server */
	struct credentials credentials;		/* what the server is shown */
	const struct auth *source;		/* whose word it is where it goes; the snapshot's; or NULL */
	struct addr host;			/* where that sends it, with has_host; without family: */
	char *host_name;			/* what it is called; or NULL */
	uint16_t host_port;			/* 0: the pool's */
	char *server;				/* a server's name that it gave; or NULL */
	int64_t timeout_ms;			/* for its login; 0: the pool's */
	bool has_host;
	bool is_judged_by_server;		/* until its OK nobody knows that it is the user */
	bool wants_capabilities;		/* the client is to be told anew what the server can do */
	unsigned wishes;			/* of dial_order */
	struct offer *offer;			/* what the client was told: one reference; or NULL */

	struct leg *leg;
	struct resolve_question question;	/* about host_name */
	void (*on_located)(struct leg *leg);	/* behind it */
	struct loop_timer patience;		/* with its answer */
	struct affinity_request binding;
	struct endpoint *wanted;		/* what it asks for; one reference, or NULL */
	uint64_t replaces;			/* generation of a binding whose server is gone; 0: none */
	struct route route;
	struct back_plan plan;
	struct back_plan_tls tls;
	const char *why;			/* of LEG_UNAVAILABLE */
	unsigned changes;			/* of the service, before a server was looked for */
	bool is_redirected, is_placed_anew, was_kicked;
	bool is_only_placed;			/* the owner's too: another leg goes there */
	bool is_pinned;				/* by leg_start_at */
	struct endpoint *choice;		/* one reference; NULL: any of the pool's */
};

struct leg {
	struct leg *next;			/* of its session's */
	struct session *session;
	struct leg_way *way;			/* NULL once settled */
	struct back *back;			/* NULL: none is dialled yet, or at the moment */
	struct endpoint *endpoint;		/* taken, one reference; NULL before LEG_READY */
	unsigned era;				/* of the endpoint, when it was taken */
	struct affinity_lease *lease;		/* of a user who is bound; or NULL */
	leg_callback *on_event;
	void *owner;			/* for on_event, the owner's to set */
};

/* The last of the session's, with its way to be filled in; under the session's proto. */
struct leg *leg_new(struct session *s, struct snapshot *snapshot, struct pool *pool,
    leg_callback *on_event);
void leg_start(struct leg *leg);
void leg_start_at(struct leg *leg, struct endpoint *endpoint);	/* there and nowhere else */
void leg_settle(struct leg *leg);	/* after LEG_READY or LEG_PLACED: what it took is wiped */
void leg_drop(struct leg **gone);	/* in any state: closes, gives back, and no event comes */

/* One that is dialled and has gone down is given up, as if it had failed.  The leg may be gone behind it. */
void leg_look_at_server(struct leg *leg);

bool leg_is_queued(const struct leg *leg);	/* for room at its server */
const char *leg_doing(const struct leg *leg);	/* "waiting in the queue", "reading greeting" */
const struct endpoint *leg_endpoint(const struct leg *leg);	/* had, or about to be; NULL: none yet */
void leg_log(const struct leg *leg, int level, const char *format, ...)	/* session_log, with its server */
    __attribute__((format(printf, 3, 4)));

/* For placement.c.  The leg may be gone when these return.  leg_route takes the reference; NULL: any. */
void leg_route(struct leg *leg, struct endpoint *fixed);
void leg_await(struct leg *leg, const char *why);	/* for a server: then it is placed anew */
void leg_succeed(struct leg *leg);
void leg_give_up(struct leg *leg, const char *why);
void leg_drop_back(struct leg *leg);		/* closes it, if there is one */

#endif
