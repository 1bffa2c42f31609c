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
	const struct waiter_duty *duty;
	void *owner, *gift;
	struct waiter **slot;
};

void
waiter_list_init(struct waiter_list *list, void (*unclaimed)(void *owner, void *gift), void *owner)
{
	*list = (struct waiter_list){ .unclaimed = unclaimed, .owner = owner };
	pthread_mutex_init(&list->lock, NULL);
	list_init(&list->waiters);
}

void
waiter_list_clear(struct waiter_list *list)
{
	assert(waiter_count(list) == 0);
	pthread_mutex_destroy(&list->lock);
}

void
waiter_add(struct waiter_list *list, struct loop *loop, const struct waiter_duty *duty, void *owner,
    struct waiter **slot)
{
	struct waiter *waiter = xcalloc(1, sizeof(*waiter));

	*waiter = (struct waiter){ .list = list, .loop = loop, .duty = duty, .owner = owner, .slot = slot };
	*slot = waiter;
	pthread_mutex_lock(&list->lock);
	list_append(&list->waiters, &waiter->node);
	tally_raise(&list->most, (uint64_t)atomic_fetch_add(&list->count, 1) + 1);
	pthread_mutex_unlock(&list->lock);
}

/* Under the list's lock. */
static void
take_out(struct waiter *waiter)
{
	list_remove(&waiter->node);
	atomic_fetch_sub(&waiter->list->count, 1);
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
	if (!is_woken)
		take_out(waiter);
	pthread_mutex_unlock(&waiter->list->lock);
	if (is_woken)
		waiter->is_cancelled = true;
	else
		xfree(waiter);
	return !is_woken;
}

bool
waiter_is_woken(struct waiter *waiter)
{
	bool is_woken;

	pthread_mutex_lock(&waiter->list->lock);
	is_woken = waiter->is_woken;
	pthread_mutex_unlock(&waiter->list->lock);
	return is_woken;
}

static void
on_message(struct loop *loop, void *arg)
{
	struct waiter *waiter = arg;

	(void)loop;
	if (!waiter->is_cancelled) {
		*waiter->slot = NULL;
		waiter->duty->on_wake(waiter->owner, waiter->gift);
	} else if (waiter->gift != NULL) {
		waiter->list->unclaimed(waiter->list->owner, waiter->gift);
	}
	xfree(waiter);
}

/* Under the list's lock: who finds it woken knows that the message comes before any of its own. */
static void
wake(struct waiter *waiter, void *gift)
{
	take_out(waiter);
	waiter->is_woken = true;
	waiter->gift = gift;
	loop_post(waiter->loop, on_message, waiter);
}

static bool
accepts(const struct waiter *waiter, void *gift)
{
	return waiter->duty->accepts == NULL || waiter->duty->accepts(waiter->owner, gift);
}

bool
waiter_wake_one(struct waiter_list *list, void *gift)
{
	bool is_taken = false;

	pthread_mutex_lock(&list->lock);
	list_each(node, &list->waiters) {
		struct waiter *waiter = list_entry(node, struct waiter, node);

		if (!accepts(waiter, gift))
			continue;
		wake(waiter, gift);
		is_taken = true;
		break;
	}
	pthread_mutex_unlock(&list->lock);
	return is_taken;
}

void
waiter_wake_all(struct waiter_list *list)
{
	pthread_mutex_lock(&list->lock);
	list_each(node, &list->waiters)
		wake(list_entry(node, struct waiter, node), NULL);
	pthread_mutex_unlock(&list->lock);
}

int
waiter_count(const struct waiter_list *list)
{
	return atomic_load(&list->count);
}
