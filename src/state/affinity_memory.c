/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity.c: the bindings of a farm in memory.  An entry that anybody holds
 * lives for ever; the last one to leave sets its end.  While sessions of an
 * older generation live, the entry is blocked and logins wait.
 */
#include "state/affinity.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/xalloc.h"
#include "net/waiter.h"
#include "state/table.h"

struct affinity {
	atomic_int references;
	_Atomic int64_t retention_ms;
	_Atomic uint64_t generations;		/* of all users: one that is remembered never comes again */
	struct table *bindings;			/* of struct binding */
	struct waiter_list blocked;		/* who waits for kicked sessions, of any user, to go */
};

struct binding {
	char *server;
	uint64_t generation;
	struct list leases;			/* of all generations */
	int old_leases;				/* of those before this one: kicked, and to be gone */
};

struct affinity_lease {
	struct list node;			/* in its binding's leases */
	struct affinity *affinity;
	struct table_entry *entry;
	struct loop *loop;
	void (*on_kick)(void *owner);
	void *owner;				/* NULL once closed; touched on `loop` only */
	uint64_t generation;
	atomic_int references;			/* the session's and that of a kick under way */
	atomic_bool is_kicked;
};

static void
binding_clear(void *value)
{
	struct binding *binding = value;

	xfree(binding->server);
}

/* A waiter has a reference; one that left with its wake under way gives it back here. */
static void
on_unclaimed(void *owner)
{
	struct affinity *affinity = owner;

	affinity_put(&affinity);
}

struct affinity *
affinity_new(int64_t retention_ms)
{
	struct affinity *affinity = xcalloc(1, sizeof(*affinity));

	atomic_init(&affinity->references, 1);
	atomic_init(&affinity->retention_ms, retention_ms);
	atomic_init(&affinity->generations, 0);
	affinity->bindings = table_new(sizeof(struct binding), binding_clear);
	waiter_list_init(&affinity->blocked, on_unclaimed, affinity);
	return affinity;
}

struct affinity *
affinity_get(struct affinity *affinity)
{
	atomic_fetch_add_explicit(&affinity->references, 1, memory_order_relaxed);
	return affinity;
}

void
affinity_put(struct affinity **affinity)
{
	struct affinity *a = *affinity;

	*affinity = NULL;
	if (a == NULL || atomic_fetch_sub_explicit(&a->references, 1, memory_order_acq_rel) > 1)
		return;
	table_free(&a->bindings);
	waiter_list_clear(&a->blocked);
	xfree(a);
}

void
affinity_set_retention(struct affinity *affinity, int64_t retention_ms)
{
	atomic_store_explicit(&affinity->retention_ms, retention_ms, memory_order_relaxed);
}

/* Who only looked, or was sent elsewhere, makes no binding live longer. */
static void
unlock_unchanged(struct affinity *affinity, struct table_entry *entry)
{
	table_unlock(affinity->bindings, entry, table_expires(entry));
}

/* Unlocks; an entry that nobody holds lives for the retention from now on. */
static void
unlock(struct affinity *affinity, struct table_entry *entry, int64_t now)
{
	struct binding *binding = table_value(entry);
	int64_t retention = atomic_load_explicit(&affinity->retention_ms, memory_order_relaxed);
	bool is_held = !list_is_empty(&binding->leases);

	table_unlock(affinity->bindings, entry, is_held ? TABLE_FOREVER : now + retention);
}

bool
affinity_peek(struct affinity *affinity, struct slice user, int64_t now, struct affinity_binding *out)
{
	struct table_entry *entry = table_lock(affinity->bindings, user, now, false);
	struct binding *binding;

	if (entry == NULL)
		return false;
	binding = table_value(entry);
	snprintf(out->server, sizeof(out->server), "%s", binding->server);
	out->generation = binding->generation;
	unlock_unchanged(affinity, entry);
	return true;
}

static void
lease_put(struct affinity_lease *lease)
{
	if (atomic_fetch_sub_explicit(&lease->references, 1, memory_order_acq_rel) == 1)
		xfree(lease);
}

static struct affinity_lease *
lease_new(struct affinity *affinity, struct table_entry *entry, const struct affinity_request *request)
{
	struct binding *binding = table_value(entry);
	struct affinity_lease *lease = xcalloc(1, sizeof(*lease));

	lease->affinity = affinity_get(affinity);
	lease->entry = entry;
	lease->loop = request->loop;
	lease->on_kick = request->on_kick;
	lease->owner = request->owner;
	lease->generation = binding->generation;
	atomic_init(&lease->references, 1);
	list_append(&binding->leases, &lease->node);
	return lease;
}

static void
on_kick_posted(struct loop *loop, void *arg)
{
	struct affinity_lease *lease = arg;

	(void)loop;
	if (lease->owner != NULL)
		lease->on_kick(lease->owner);
	lease_put(lease);
}

/* Tells every session of the binding to go; those told before are not told again.  The shard is locked. */
static int
kick_all(struct binding *binding)
{
	int count = 0;

	list_each(node, &binding->leases) {
		struct affinity_lease *lease = list_entry(node, struct affinity_lease, node);

		if (atomic_exchange_explicit(&lease->is_kicked, true, memory_order_acq_rel))
			continue;
		atomic_fetch_add_explicit(&lease->references, 1, memory_order_relaxed);
		loop_post(lease->loop, on_kick_posted, lease);
		count++;
	}
	return count;
}

static void
set_server(struct affinity *affinity, struct binding *binding, const char *server)
{
	xfree(binding->server);
	binding->server = xstrdup(server);
	binding->generation = atomic_fetch_add_explicit(&affinity->generations, 1, memory_order_relaxed) + 1;
}

/* A new generation on another server; who held an older one has to go before anybody gets in. */
static void
rebind(struct affinity *affinity, struct binding *binding, const char *server)
{
	set_server(affinity, binding, server);
	kick_all(binding);
	binding->old_leases = 0;
	list_each(node, &binding->leases)
		binding->old_leases++;
}

static void
answer(struct affinity_request *request, enum affinity_answer answer)
{
	loop_timer_stop(request->loop, &request->timer);
	affinity_put(&request->affinity);
	request->on_answer(request, answer);
}

static void
stop_waiting(struct affinity_request *request)
{
	struct affinity *affinity = request->affinity;

	if (request->waiter != NULL && waiter_cancel(&request->waiter))
		affinity_put(&affinity);
}

static void
on_deadline(struct loop_timer *timer)
{
	struct affinity_request *request = loop_owner(timer, struct affinity_request, timer);

	stop_waiting(request);
	answer(request, AFFINITY_LATER);
}

static void try_open(struct affinity_request *request);

static void
on_unblocked(void *owner)
{
	struct affinity_request *request = owner;
	struct affinity *affinity = request->affinity;

	affinity_put(&affinity);
	try_open(request);
}

/* Waits until the sessions of older generations are gone.  The shard is locked: no wake is missed. */
static void
wait_unblocked(struct affinity_request *request)
{
	affinity_get(request->affinity);
	waiter_add(&request->affinity->blocked, request->loop, on_unblocked, request, &request->waiter);
	if (!loop_timer_is_set(&request->timer))
		loop_timer_set(request->loop, &request->timer, request->deadline);
}

/* What the binding says to the wish; the shard is locked.  False: the request waits. */
static bool
bind(struct affinity_request *request, struct table_entry *entry, enum affinity_answer *result)
{
	struct binding *binding = table_value(entry);

	if (binding->server == NULL) {
		list_init(&binding->leases);
		set_server(request->affinity, binding, request->wanted);
	} else if (request->replaces != 0 && request->replaces == binding->generation) {
		rebind(request->affinity, binding, request->wanted);
	}
	snprintf(request->binding.server, sizeof(request->binding.server), "%s", binding->server);
	request->binding.generation = binding->generation;
	if (strcmp(binding->server, request->wanted) != 0) {
		*result = AFFINITY_ELSEWHERE;
		return true;
	}
	if (binding->old_leases > 0) {
		wait_unblocked(request);
		return false;
	}
	request->lease = lease_new(request->affinity, entry, request);
	*result = AFFINITY_HERE;
	return true;
}

static void
try_open(struct affinity_request *request)
{
	int64_t now = loop_now(request->loop);
	struct affinity *affinity = request->affinity;
	struct table_entry *entry = table_lock(affinity->bindings, request->user, now, true);
	enum affinity_answer result = AFFINITY_LATER;
	bool is_decided = bind(request, entry, &result);

	if (is_decided && result == AFFINITY_HERE)
		unlock(affinity, entry, now);
	else
		unlock_unchanged(affinity, entry);
	if (is_decided)
		answer(request, result);
}

void
affinity_open(struct affinity *affinity, struct affinity_request *request)
{
	request->affinity = affinity_get(affinity);
	request->lease = NULL;
	request->waiter = NULL;
	loop_timer_init(&request->timer, on_deadline);
	try_open(request);
}

void
affinity_cancel(struct affinity_request *request)
{
	if (request->affinity == NULL)
		return;
	stop_waiting(request);
	loop_timer_stop(request->loop, &request->timer);
	affinity_put(&request->affinity);
}

bool
affinity_is_kicked(const struct affinity_lease *lease)
{
	return lease != NULL && atomic_load_explicit(&lease->is_kicked, memory_order_acquire);
}

/* Those who wait for other users look in vain and wait again: moves are rare. */
static void
leave(struct affinity *affinity, struct binding *binding, struct affinity_lease *lease)
{
	list_remove(&lease->node);
	if (lease->generation == binding->generation || --binding->old_leases > 0)
		return;
	for (int n = waiter_count(&affinity->blocked); n > 0; n--)
		waiter_wake_one(&affinity->blocked);
}

void
affinity_close(struct affinity_lease **lease)
{
	struct affinity_lease *l = *lease;

	*lease = NULL;
	if (l == NULL)
		return;
	table_relock(l->affinity->bindings, l->entry);
	leave(l->affinity, table_value(l->entry), l);
	unlock(l->affinity, l->entry, loop_now(l->loop));
	l->owner = NULL;
	affinity_put(&l->affinity);
	lease_put(l);
}

bool
affinity_move(struct affinity *affinity, struct slice user, const char *to, int64_t now)
{
	struct table_entry *entry = table_lock(affinity->bindings, user, now, false);

	if (entry == NULL)
		return false;
	rebind(affinity, table_value(entry), to);
	unlock(affinity, entry, now);
	return true;
}

int
affinity_kick(struct affinity *affinity, struct slice user, int64_t now)
{
	struct table_entry *entry = table_lock(affinity->bindings, user, now, false);
	int count;

	if (entry == NULL)
		return 0;
	count = kick_all(table_value(entry));
	unlock_unchanged(affinity, entry);
	return count;
}

size_t
affinity_count(struct affinity *affinity)
{
	return table_count(affinity->bindings);
}
