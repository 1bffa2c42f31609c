/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waiter.h: the one way to park: somebody waits on a list, is handed what
 * they wait for by another thread, and may vanish at any time before.  What
 * was handed to one who is gone comes back.
 */
#ifndef NET_WAITER_H
#define NET_WAITER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "net/loop.h"

struct waiter;

struct waiter_list {
	pthread_mutex_t lock;			/* held for a few instructions only */
	struct list waiters;			/* oldest first */
	int count;
	void (*unclaimed)(void *owner);		/* what was handed out found nobody; on the waiter's loop */
	void *owner;
};

void waiter_list_init(struct waiter_list *list, void (*unclaimed)(void *owner), void *owner);
/* Nobody may wait any more, and nothing handed out may be under way. */
void waiter_list_clear(struct waiter_list *list);

/*
 * Waits at the end of the list.  on_wake(owner) is called on `loop`, once, and
 * ends the waiter: *slot is NULL by then.  *slot must stay in place meanwhile.
 * Who vanishes cancels: it need not be found by a number, as its loop's thread
 * alone ends it.  There is no deadline here: one of a login spans several
 * waits, so whoever waits has a timer of that loop, and cancels when it fires;
 * what was handed out in the same moment comes back like any other.
 */
void waiter_add(struct waiter_list *list, struct loop *loop, void (*on_wake)(void *owner), void *owner,
    struct waiter **slot);
/* On the waiter's own loop; fine with *slot NULL.  False: a wake is under way, and goes to unclaimed. */
bool waiter_cancel(struct waiter **slot);
/* Hands out to the oldest; false: nobody waits.  From any thread. */
bool waiter_wake_one(struct waiter_list *list);
int waiter_count(struct waiter_list *list);

#endif
