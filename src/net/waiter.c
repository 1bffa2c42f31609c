/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waiter.c: a waiter that was woken belongs to the message under way to its
 * loop; cancelling it then only marks it, and the message gives back what was
 * handed out.
 */
#include "net/waiter.h"

#include <assert.h>

#include "base/xalloc.h"

struct waiter {
	struct list node;		/* in the list; under its lock */
	bool is_woken;			/* under the list's lock */
	bool is_cancelled;		/* its loop's thread alone looks at it */
	struct waiter_list *list;
	struct loop *loop;
	void (*on_wake)(void *owner);
	void *owner;
	struct waiter **slot;
};

void
waiter_list_init(struct waiter_list *list, void (*unclaimed)(void *owner), void *owner)
{
	*list = (struct waiter_list){ .unclaimed = unclaimed, .owner = owner };
	pthread_mutex_init(&list->lock, NULL);
	list_init(&list->waiters);
}

void
waiter_list_clear(struct waiter_list *list)
{
	assert(list->count == 0);
	pthread_mutex_destroy(&list->lock);
}

void
waiter_add(struct waiter_list *list, struct loop *loop, void (*on_wake)(void *owner), void *owner,
    struct waiter **slot)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));

	*waiter = (struct waiter){ .list = list, .loop = loop, .on_wake = on_wake, .owner = owner,
		.slot = slot };
	*slot = waiter;
	pthread_mutex_lock(&list->lock);
	list_append(&list->waiters, &waiter->node);
	list->count++;
	pthread_mutex_unlock(&list->lock);
}

bool
waiter_cancel(struct waiter **slot)
{
	struct waiter *waiter = *slot;
	bool is_woken;

	if (waiter == NULL)
		return true;
	*slot = NULL;
	pthread_mutex_lock(&waiter->list->lock);
	is_woken = waiter->is_woken;
	if (!is_woken) {
		list_remove(&waiter->node);
		waiter->list->count--;
	}
	pthread_mutex_unlock(&waiter->list->lock);
	if (is_woken)
		waiter->is_cancelled = true;
	else
		xfree(waiter);
	return !is_woken;
}

static void
on_message(struct loop *loop, void *arg)
{
	struct waiter *waiter = arg;

	(void)loop;
	if (waiter->is_cancelled) {
		waiter->list->unclaimed(waiter->list->owner);
	} else {
		*waiter->slot = NULL;
		waiter->on_wake(waiter->owner);
	}
	xfree(waiter);
}

bool
waiter_wake_one(struct waiter_list *list)
{
	struct waiter *waiter = NULL;

	pthread_mutex_lock(&list->lock);
	if (!list_is_empty(&list->waiters)) {
		waiter = list_entry(list->waiters.next, struct waiter, node);
		list_remove(&waiter->node);
		list->count--;
		waiter->is_woken = true;
		/* under the lock: who finds it woken knows that the message comes before any of its own */
		loop_post(waiter->loop, on_message, waiter);
	}
	pthread_mutex_unlock(&list->lock);
	return waiter != NULL;
}

int
waiter_count(struct waiter_list *list)
{
	int count;

	pthread_mutex_lock(&list->lock);
	count = list->count;
	pthread_mutex_unlock(&list->lock);
	return count;
}
