/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity.h: which server a user is bound to, over all pools of a farm, for
 * as long as any session of the user lives and some time longer.  Binding is
 * one step, never read and then write.  Each binding has a generation: a
 * rebind or a move makes a new one, kicks the sessions of those before, and
 * nobody gets in until they are gone.
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

struct affinity *affinity_new(int64_t retention_ms);
struct affinity *affinity_get(struct affinity *affinity);	/* leases have their own references */
void affinity_put(struct affinity **affinity);
void affinity_set_retention(struct affinity *affinity, int64_t retention_ms);	/* after the last session */

struct affinity_binding {
	char server[AFFINITY_SERVER_MAX];
	uint64_t generation;
};

/* Looks without writing; false: the user is not bound. */
bool affinity_peek(struct affinity *affinity, struct slice user, int64_t now,
    struct affinity_binding *binding);

enum affinity_answer {
	AFFINITY_HERE,		/* bound to `wanted`: request->lease holds it */
	AFFINITY_ELSEWHERE,	/* bound to another server: request->binding tells; nothing is held */
	AFFINITY_LATER		/* the sessions of an old binding did not go in time */
};

/* A wish to be bound.  Embedded in its owner; what it points to outlives the answer or the cancel. */
struct affinity_request {
	struct loop *loop;
	struct slice user;
	const char *wanted;
	uint64_t replaces;	/* not 0: the generation whose server is down; its sessions are kicked */
	int64_t deadline;	/* as loop_now: how long to wait for kicked sessions to go */
	/* Called once, perhaps before affinity_open returns; may end the session. */
	void (*on_answer)(struct affinity_request *request, enum affinity_answer answer);
	/* Of the lease, on `loop`, once: the session is to end.  Never within affinity_open. */
	void (*on_kick)(void *owner);
	void *owner;			/* of on_kick */

	struct affinity_binding binding;	/* the answer */
	struct affinity_lease *lease;
	struct affinity *affinity;		/* while it waits */
	struct waiter *waiter;
	struct loop_timer timer;
};

void affinity_open(struct affinity *affinity, struct affinity_request *request);
/* No answer will come; fine when none is awaited. */
void affinity_cancel(struct affinity_request *request);

/* True from the moment the lease was kicked, before on_kick comes: asked before a client is told OK. */
bool affinity_is_kicked(const struct affinity_lease *lease);
void affinity_close(struct affinity_lease **lease);		/* on its own loop; fine with NULL */

/*
 * Binds the user to another server and kicks whoever is there; false: the user is not bound.  New logins wait
 * until the kicked sessions are gone.  From any thread.
 */
bool affinity_move(struct affinity *affinity, struct slice user, const char *to, int64_t now);
/* Kicks the user's sessions and keeps the binding; the number that were kicked. */
int affinity_kick(struct affinity *affinity, struct slice user, int64_t now);
size_t affinity_count(struct affinity *affinity);

#endif
