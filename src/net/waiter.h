/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waiter.h: the one way to park: somebody waits on a list, is handed what
 * they wait for by another thread, and may vanish at any time before.  What
 * was handed to one who is gone comes back.
 */
#ifndef NET_WAITER_H
#define NET_WAITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/tally.h"
#include "net/loop.h"

struct waiter;

struct waiter_list {
	pthread_mutex_t lock;			/* held for a few instructions only */
	struct list waiters;			/* oldest first */
	atomic_int count;
	_Atomic uint64_t most;			/* tally_raise, under the lock */
	void (*unclaimed)(void *owner, void *gift);	/* it found nobody; on the waiter's loop */
	void *owner;
};

/* What a waiter has to say.  Constant. */
struct waiter_duty {
	/* On the waiter's loop, once, and ends the waiter: its slot is NULL by then. */
	void (*on_wake)(void *owner, void *gift);
	/*
	 * Does it take what is handed out?  If not, the next one is asked.  On the thread that hands out,
	 * under the list's lock: it may read of `owner` what does not change while it waits, and take the
	 * gift for it.  NULL: it takes everything.
	 */
	bool (*accepts)(void *owner, void *gift);
};

void waiter_list_init(struct waiter_list *list, void (*unclaimed)(void *owner, void *gift), void *owner);
/* Nobody may wait any more, and no gift may be under way. */
void waiter_list_clear(struct waiter_list *list);

/*
 * Waits at the end of the list; `owner` is on_wake's, and *slot must stay in place meanwhile.  Who vanishes
 * cancels: it need not be found by a number, as its loop's thread alone ends it.  There is no deadline here:
 * one of a login spans several waits, so whoever waits has a timer of that loop, and cancels when it fires;
 * what was handed out in the same moment comes back like any other.
 */
void waiter_add(struct waiter_list *list, struct loop *loop, const struct waiter_duty *duty, void *owner,
    struct waiter **slot);
/* On the waiter's own loop; fine with *slot NULL.  False: a wake is under way, and goes to unclaimed. */
bool waiter_cancel(struct waiter **slot);
bool waiter_is_woken(struct waiter *waiter);	/* likewise: is a wake under way? */
/*
 * Hands the gift to the oldest that accepts it; false: nobody does.  From any thread.  While it is under way
 * the gift must keep the list alive; without one (NULL) nothing comes back to the list.
 */
bool waiter_wake_one(struct waiter_list *list, void *gift);
/* All that wait now, without a gift. */
void waiter_wake_all(struct waiter_list *list);
/* Without a lock: who joins and then looks is seen by who gives room and then counts, or sees the room. */
int waiter_count(const struct waiter_list *list);

#endif
