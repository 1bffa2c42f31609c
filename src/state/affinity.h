/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity.h: which server a user is bound to, over all pools of a farm, for
 * as long as any session of the user lives and some time longer.  Binding is
 * one step, never read and then write.  Each binding has a generation: a
 * rebind or a move makes a new one, kicks the sessions of those before, and
 * nobody gets in until they are gone.  Where the bindings are kept is an
 * engine's matter (affinity_engine.h), so that every answer may come later.
 */
#ifndef STATE_AFFINITY_H
#define STATE_AFFINITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/loop.h"

enum { AFFINITY_SERVER_MAX = 256 };	/* of a server's name, with its NUL */

struct affinity;		/* the bindings of one farm */
struct affinity_lease;		/* one session's hold on a binding */
struct affinity_engine;
struct cluster;
struct waiter;

extern const struct affinity_engine affinity_memory;	/* this process alone */
extern const struct affinity_engine affinity_redis;	/* all proxies of a cluster */

struct affinity *affinity_new(const struct affinity_engine *engine, int64_t retention_ms);
/* Bindings that proxies share, under the farm's name; those of this process live as long as `cluster`. */
struct affinity *affinity_new_shared(struct cluster *cluster, const char *farm, int64_t retention_ms);
struct affinity *affinity_get(struct affinity *affinity);	/* leases have their own references */
void affinity_put(struct affinity **affinity);
void affinity_set_retention(struct affinity *affinity, int64_t retention_ms);	/* after the last session */

struct affinity_binding {
	char server[AFFINITY_SERVER_MAX];
	uint64_t generation;
	bool is_held;		/* by a session, or a login under way */
	int64_t since;		/* clock_ms; 0: not known */
	int sessions;		/* of all proxies, as far as they have told */
	int64_t held_ms;	/* an operator's hold: how long nobody gets in yet; also where UNBOUND */
	bool is_pinned;		/* to a server, by an operator; while it is held perhaps not this one */
	bool is_blocked;	/* nobody gets in: sessions of an older generation are not gone yet */
};

enum affinity_answer {
	AFFINITY_HERE,		/* bound to `wanted`: request->lease holds it */
	AFFINITY_ELSEWHERE,	/* bound to another server: request->binding tells; nothing is held */
	AFFINITY_LATER,		/* not in time: kicked sessions do not go, or the engine cannot say */
	AFFINITY_BOUND,		/* nobody asked for a lease: request->binding tells */
	AFFINITY_UNBOUND
};

/* A question or a wish.  Embedded in its owner; what it points to outlives the answer or the cancel. */
struct affinity_request {
	struct loop *loop;
	struct slice user;
	const char *wanted;	/* by affinity_open, _move and _pin: the server */
	int64_t hold_ms;	/* by affinity_hold */
	uint64_t hold;		/* likewise: which one to release, 0: any; then which one there is */
	bool is_move;		/* likewise: a move's own, beside what operators say */
	bool is_patient;	/* by affinity_peek: waits until nobody is blocked any more */
	uint64_t replaces;	/* not 0: the generation whose server is down; its sessions are kicked */
	int64_t deadline;	/* as loop_now: how long to wait for the answer */
	/* Called once, perhaps before the function that asks returns; may end the session. */
	void (*on_answer)(struct affinity_request *request, enum affinity_answer answer);
	/* Of the lease, on `loop`, once: the session is to end.  Never within affinity_open. */
	void (*on_kick)(void *owner);
	void *owner;			/* of on_kick */
	/* By affinity_list, for each binding before the answer; calls nothing of these here. */
	void (*on_binding)(struct affinity_request *request, struct slice user,
	    const struct affinity_binding *binding, int sessions);
	uint64_t cursor;		/* of affinity_list: 0 to begin, and when all was told */

	struct affinity_binding binding;	/* the answer */
	struct affinity_lease *lease;
	int kicked;			/* sessions that were told to go */

	struct affinity *affinity;		/* while it waits, as all that follows */
	struct waiter *waiter;
	void *work;				/* the engine's own, as what follows */
	void (*again)(struct affinity_request *request);
	int64_t again_at;			/* 0: not by itself */
	struct loop_timer timer;
};

/* Looks without writing: BOUND, UNBOUND, LATER.  Who is pinned is there, unless sessions are elsewhere. */
void affinity_peek(struct affinity *affinity, struct affinity_request *request);
/* Wishes to be bound: HERE, ELSEWHERE or LATER. */
void affinity_open(struct affinity *affinity, struct affinity_request *request);
/*
 * Binds the user to `wanted` and kicks whoever is there; new logins wait until the kicked sessions are gone.
 * BOUND: they are; LATER: not yet; ELSEWHERE: another move came meanwhile; UNBOUND: nothing was to be moved.
 * Who is on hold is bound in any case.
 */
void affinity_move(struct affinity *affinity, struct affinity_request *request);
/* Kicks the user's sessions and keeps the binding: BOUND, UNBOUND or LATER. */
void affinity_kick(struct affinity *affinity, struct affinity_request *request);
/*
 * For hold_ms from now on nobody of the user gets in, who is there stays; a longer hold stays as it is.
 * 0: the hold ends.  BOUND, UNBOUND or LATER; in binding what holds now, in `hold` its mark.  The hold of a
 * move is another one, that ends by its mark only; one that comes later takes it over.
 */
void affinity_hold(struct affinity *affinity, struct affinity_request *request);
/*
 * From now on the user belongs on `wanted` (NULL: where it was so far), whoever wishes something else and
 * whether it is up or not; with sessions elsewhere, once they are gone.  A move takes the pin along.
 */
void affinity_pin(struct affinity *affinity, struct affinity_request *request);
/*
 * Tells some of the bindings, and where the next ones are: BOUND, or LATER.  From the first cursor to the
 * last, what is there all the while is told at least once.
 */
void affinity_list(struct affinity *affinity, struct affinity_request *request);
/* No answer will come; fine when none is awaited.  What was done is not undone. */
void affinity_cancel(struct affinity_request *request);

/* True from the moment the lease was kicked, before on_kick comes: asked before a client is told OK. */
bool affinity_is_kicked(const struct affinity_lease *lease);
void affinity_close(struct affinity_lease **lease);		/* on its own loop; fine with NULL */

size_t affinity_count(struct affinity *affinity);	/* the bindings that this process knows of */
/* As affinity_peek, at once and at any time: what this process knows.  False: the user is not bound. */
bool affinity_peek_now(struct affinity *affinity, struct slice user, int64_t now,
    struct affinity_binding *binding);

bool affinity_is_local(const struct affinity *affinity);	/* affinity_memory keeps them */

/*
 * Another process keeps the bindings from now on: here nobody is bound, rebound or moved any more, who is not
 * bound hears LATER; but a user with sessions here may have more of them.  on_released comes when the last of
 * these is gone, from any thread and with locks held; `serial`, not 0, is that freeze's.  Only where they
 * are local: elsewhere all processes share them.
 */
struct affinity_heir {
	const char *name;	/* for on_released; it and what follows are the same at every freeze */
	void (*on_released)(void *owner, uint64_t serial, const char *name, struct slice user);
	void *owner;
};
void affinity_freeze(struct affinity *affinity, uint64_t serial, const struct affinity_heir *heir);
void affinity_thaw(struct affinity *affinity);		/* the other process has failed */

#endif
