/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_memory.c: the bindings of a farm in this process's memory.  An
 * entry that anybody holds lives for ever; the last one to leave sets its
 * end.  While sessions of an older generation live, the entry is blocked and
 * logins wait.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "net/waiter.h"
#include "state/affinity_engine.h"
#include "state/table.h"

struct memory {
	struct table *bindings;			/* of struct binding */
	struct waiter_list blocked;		/* who waits for kicked sessions, of any user, to go */
	_Atomic uint64_t generations;		/* of all users: one that is remembered never comes again */
	_Atomic uint64_t frozen;		/* the serial of the freeze; 0: it is not */
	struct affinity_heir heir;		/* of the first freeze, and of all others */
	char *heir_name;
};

struct binding {
	char *server;
	uint64_t generation;
	int64_t since;				/* clock_ms, that it has the server */
	struct list leases;			/* of all generations */
	int old_leases;				/* of those before this one: kicked, and to be gone */
	int64_t held_until;			/* loop_now: nobody gets in before, an operator says */
	int64_t moving_until;			/* and so does a move, which has this mark */
	uint64_t moving;
	char *pin;				/* the server; NULL: none */
};

static void
binding_clear(void *value)
{
	struct binding *binding = value;

	xfree(binding->server);
	xfree(binding->pin);
}

/* A waiter has a reference; one that left with its wake under way gives it back here. */
static void
on_unclaimed(void *owner, void *gift)
{
	struct affinity *affinity = gift;

	(void)owner;
	affinity_put(&affinity);
}

static void *
start(struct affinity *affinity, const struct affinity_place *place)
{
	struct memory *memory = xcalloc(1, sizeof(*memory));

	(void)place;
	memory->bindings = table_new(sizeof(struct binding), binding_clear);
	atomic_init(&memory->generations, 0);
	atomic_init(&memory->frozen, 0);
	waiter_list_init(&memory->blocked, on_unclaimed, affinity);
	return memory;
}

static void
stop(void *store)
{
	struct memory *memory = store;

	table_free(&memory->bindings);
	waiter_list_clear(&memory->blocked);
	xfree(memory->heir_name);
	xfree(memory);
}

static struct memory *
memory_of(const struct affinity *affinity)
{
	assert(affinity->engine == &affinity_memory);
	return affinity->store;
}

/* Who only looked, or was sent elsewhere, makes no binding live longer. */
static void
unlock_unchanged(struct memory *memory, struct table_entry *entry)
{
	table_unlock(memory->bindings, entry, table_expires(entry));
}

static bool
is_empty(const struct binding *binding)
{
	return binding->leases.next == NULL || list_is_empty(&binding->leases);
}

static int64_t
held_until(const struct binding *binding)
{
	return binding->held_until > binding->moving_until ? binding->held_until : binding->moving_until;
}

/* Unlocks; what nobody holds lives for the retention from now on, and what an operator said longer. */
static void
unlock(struct affinity *affinity, struct table_entry *entry, int64_t now)
{
	struct binding *binding = table_value(entry);
	int64_t retention = atomic_load_explicit(&affinity->retention_ms, memory_order_relaxed);
	int64_t until = binding->server != NULL ? now + retention : now;

	if (held_until(binding) > until)
		until = held_until(binding);
	if (!is_empty(binding) || binding->pin != NULL)
		until = TABLE_FOREVER;
	table_unlock(memory_of(affinity)->bindings, entry, until);
}

/* False: it has no server. */
static bool
tell(const struct binding *binding, int64_t now, struct affinity_binding *out)
{
	bool is_at_pin = binding->pin != NULL && is_empty(binding);
	const char *server = is_at_pin ? binding->pin : binding->server;

	out->held_ms = held_until(binding) > now ? held_until(binding) - now : 0;
	out->is_pinned = binding->pin != NULL;
	out->sessions = 0;
	if (server == NULL)
		return false;
	snprintf(out->server, sizeof(out->server), "%s", server);
	out->generation = binding->generation;
	out->is_held = !is_empty(binding);
	out->since = server == binding->server ? binding->since : 0;
	out->is_blocked = binding->old_leases > 0;
	if (out->is_held)
		list_each(node, &binding->leases)
			out->sessions++;
	return true;
}

static bool
peek_now(void *store, struct slice user, int64_t now, struct affinity_binding *out)
{
	struct memory *memory = store;
	struct table_entry *entry = table_lock(memory->bindings, user, now, false);
	bool is_bound;

	if (entry == NULL)
		return false;
	is_bound = tell(table_value(entry), now, out);
	unlock_unchanged(memory, entry);
	return is_bound;
}

/* Tells every session of the binding to go; those told before are not told again.  The shard is locked. */
static int
kick_all(struct binding *binding)
{
	int count = 0;

	list_each(node, &binding->leases)
		count += affinity_lease_kick(list_entry(node, struct affinity_lease, node));
	return count;
}

static void
set_server(struct memory *memory, struct binding *binding, const char *server)
{
	xfree(binding->server);
	binding->server = xstrdup(server);
	binding->generation = atomic_fetch_add_explicit(&memory->generations, 1, memory_order_relaxed) + 1;
	binding->since = clock_ms();
}

/* A new generation on another server; who held an older one has to go before anybody gets in. */
static int
rebind(struct memory *memory, struct binding *binding, const char *server)
{
	int kicked = kick_all(binding);

	set_server(memory, binding, server);
	binding->old_leases = 0;
	list_each(node, &binding->leases)
		binding->old_leases++;
	return kicked;
}

/*
 * Waits until the sessions of older generations are gone, or a hold ends.  The shard is locked: no wake is
 * missed.
 */
static void
wait_unblocked(struct affinity_request *request, const struct binding *binding,
    const struct waiter_duty *duty)
{
	struct memory *memory = memory_of(affinity_get(request->affinity));

	request->again_at = held_until(binding) > loop_now(request->loop) && request->again != NULL ?
	    held_until(binding) : 0;
	waiter_add(&memory->blocked, request->loop, duty, request, &request->waiter);
	affinity_wait(request);
}

static void
give_back(struct affinity_request *request)
{
	struct affinity *affinity = request->affinity;

	affinity_put(&affinity);
}

static void
cancel(struct affinity_request *request)
{
	if (request->waiter != NULL && waiter_cancel(&request->waiter))
		give_back(request);
}

static void on_peek_unblocked(void *owner, void *gift);

static const struct waiter_duty peek_duty = { .on_wake = on_peek_unblocked };

static void
peek(struct affinity_request *request)
{
	struct memory *memory = memory_of(request->affinity);
	int64_t now = loop_now(request->loop);
	struct table_entry *entry = table_lock(memory->bindings, request->user, now, false);
	bool is_bound = false, waits = false;

	if (entry != NULL) {
		struct binding *binding = table_value(entry);

		is_bound = tell(binding, now, &request->binding);
		waits = request->is_patient && (binding->old_leases > 0 || held_until(binding) > now);
		request->again = peek;
		if (waits)
			wait_unblocked(request, binding, &peek_duty);
		unlock_unchanged(memory, entry);
	}
	if (!waits)
		affinity_answer(request, is_bound ? AFFINITY_BOUND : AFFINITY_UNBOUND);
}

static void
on_peek_unblocked(void *owner, void *gift)
{
	(void)gift;
	give_back(owner);
	peek(owner);
}

static void try_open(struct affinity_request *request);

static void
on_open_unblocked(void *owner, void *gift)
{
	(void)gift;
	give_back(owner);
	try_open(owner);
}

static const struct waiter_duty open_duty = { .on_wake = on_open_unblocked };

static struct affinity_lease *
lease_new(struct table_entry *entry, const struct affinity_request *request)
{
	struct binding *binding = table_value(entry);
	struct affinity_lease *lease = affinity_lease_new(request);

	lease->place = entry;
	lease->generation = binding->generation;
	list_append(&binding->leases, &lease->node);
	return lease;
}

static uint64_t
frozen(const struct memory *memory)
{
	return atomic_load_explicit(&memory->frozen, memory_order_acquire);
}

/* The other process knows only of users who have sessions here, and that they are on this server. */
static bool
is_another_process_asked(const struct memory *memory, const struct binding *binding,
    const struct affinity_request *request)
{
	return frozen(memory) != 0 && (binding->server == NULL || is_empty(binding) ||
	    (request->replaces != 0 && request->replaces == binding->generation));
}

/* Which server it is, by the pin, the binding that there is, or else the wish. */
static void
settle(struct memory *memory, struct binding *binding, struct affinity_request *request)
{
	const char *server = binding->pin != NULL ? binding->pin : request->wanted;
	bool is_replaced = request->replaces != 0 && request->replaces == binding->generation;

	if (binding->leases.next == NULL)
		list_init(&binding->leases);
	if (binding->server == NULL)
		set_server(memory, binding, server);
	else if (binding->pin != NULL && strcmp(binding->pin, binding->server) == 0)
		return;
	else if (is_replaced || (binding->pin != NULL && is_empty(binding)))
		request->kicked = rebind(memory, binding, server);
}

/* What the binding says to the wish; the shard is locked.  False: the request waits. */
static bool
bind(struct affinity_request *request, struct table_entry *entry, enum affinity_answer *result)
{
	struct memory *memory = memory_of(request->affinity);
	struct binding *binding = table_value(entry);
	int64_t now = loop_now(request->loop);

	if (is_another_process_asked(memory, binding, request)) {
		*result = AFFINITY_LATER;
		return true;
	}
	if (held_until(binding) <= now)
		settle(memory, binding, request);
	(void)tell(binding, now, &request->binding);
	if (held_until(binding) <= now && strcmp(binding->server, request->wanted) != 0) {
		*result = AFFINITY_ELSEWHERE;
		return true;
	}
	if (binding->old_leases > 0 || held_until(binding) > now) {
		wait_unblocked(request, binding, &open_duty);
		return false;
	}
	request->lease = lease_new(entry, request);
	*result = AFFINITY_HERE;
	return true;
}

static void
try_open(struct affinity_request *request)
{
	int64_t now = loop_now(request->loop);
	struct affinity *affinity = request->affinity;
	struct memory *memory = memory_of(affinity);
	struct table_entry *entry = table_lock(memory->bindings, request->user, now, true);
	enum affinity_answer result = AFFINITY_LATER;
	bool is_decided, was_new = ((struct binding *)table_value(entry))->server == NULL;

	request->again = try_open;
	is_decided = bind(request, entry, &result);
	if (is_decided && (result == AFFINITY_HERE || (was_new && result == AFFINITY_ELSEWHERE)))
		unlock(affinity, entry, now);
	else
		unlock_unchanged(memory, entry);
	if (is_decided)
		affinity_answer(request, result);
}

/* Those who wait for other users look in vain and wait again: moves are rare. */
static void
wake_all(struct memory *memory)
{
	for (int n = waiter_count(&memory->blocked); n > 0; n--)
		waiter_wake_one(&memory->blocked, memory->blocked.owner);
}

static void
leave(struct memory *memory, struct binding *binding, struct affinity_lease *lease)
{
	list_remove(&lease->node);
	if (lease->generation != binding->generation && --binding->old_leases == 0)
		wake_all(memory);
}

static void
tell_heir(struct memory *memory, struct table_entry *entry)
{
	const struct binding *binding = table_value(entry);
	uint64_t serial = frozen(memory);

	if (serial != 0 && is_empty(binding))
		memory->heir.on_released(memory->heir.owner, serial, memory->heir_name,
		    table_name(memory->bindings, entry));
}

static void
close_lease(struct affinity_lease *lease)
{
	struct memory *memory = memory_of(lease->affinity);

	table_relock(memory->bindings, lease->place);
	leave(memory, table_value(lease->place), lease);
	tell_heir(memory, lease->place);
	unlock(lease->affinity, lease->place, loop_now(lease->loop));
}

static void on_move_unblocked(void *owner, void *gift);

static const struct waiter_duty move_duty = { .on_wake = on_move_unblocked };

static void
on_move_unblocked(void *owner, void *gift)
{
	struct affinity_request *request = owner;
	struct memory *memory = memory_of(request->affinity);
	struct table_entry *entry;
	uint64_t mine = request->binding.generation;
	bool is_over = true;

	(void)gift;
	give_back(request);
	entry = table_lock(memory->bindings, request->user, loop_now(request->loop), false);
	if (entry != NULL) {
		const struct binding *binding = table_value(entry);

		(void)tell(binding, loop_now(request->loop), &request->binding);
		is_over = binding->old_leases == 0;
		if (!is_over)
			wait_unblocked(request, binding, &move_duty);
		unlock_unchanged(memory, entry);
	}
	if (is_over)
		affinity_answer(request,
		    request->binding.generation == mine ? AFFINITY_BOUND : AFFINITY_ELSEWHERE);
}

static void
set_pin(struct binding *binding, const char *server)
{
	xfree(binding->pin);
	binding->pin = server != NULL ? xstrdup(server) : NULL;
}

static void
move(struct affinity_request *request)
{
	struct memory *memory = memory_of(request->affinity);
	int64_t now = loop_now(request->loop);
	struct table_entry *entry = table_lock(memory->bindings, request->user, now, false);
	struct binding *binding;
	bool is_over;

	if (entry == NULL) {
		affinity_answer(request, AFFINITY_UNBOUND);
		return;
	}
	if (frozen(memory) != 0) {
		unlock_unchanged(memory, entry);
		affinity_answer(request, AFFINITY_LATER);
		return;
	}
	binding = table_value(entry);
	if (binding->pin != NULL)
		set_pin(binding, request->wanted);
	if (binding->server == NULL && held_until(binding) <= now) {
		unlock(request->affinity, entry, now);
		affinity_answer(request, AFFINITY_UNBOUND);
		return;
	}
	if (binding->leases.next == NULL)
		list_init(&binding->leases);
	request->again = NULL;
	request->kicked = rebind(memory, binding, request->wanted);
	(void)tell(binding, now, &request->binding);
	is_over = binding->old_leases == 0;
	if (!is_over)
		wait_unblocked(request, binding, &move_duty);
	unlock(request->affinity, entry, now);
	if (is_over)
		affinity_answer(request, AFFINITY_BOUND);
}

static void
kick(struct affinity_request *request)
{
	struct memory *memory = memory_of(request->affinity);
	int64_t now = loop_now(request->loop);
	struct table_entry *entry = table_lock(memory->bindings, request->user, now, false);

	bool is_bound = false;

	if (entry != NULL) {
		if (!is_empty(table_value(entry)))
			request->kicked = kick_all(table_value(entry));
		is_bound = tell(table_value(entry), now, &request->binding);
		unlock_unchanged(memory, entry);
	}
	affinity_answer(request, is_bound ? AFFINITY_BOUND : AFFINITY_UNBOUND);
}

/* What an operator says of a user; NULL: another process is to be asked. */
static struct table_entry *
lock_for_orders(struct affinity_request *request)
{
	struct memory *memory = memory_of(request->affinity);

	if (frozen(memory) == 0)
		return table_lock(memory->bindings, request->user, loop_now(request->loop), true);
	affinity_answer(request, AFFINITY_LATER);
	return NULL;
}

static void
finish_order(struct affinity_request *request, struct table_entry *entry)
{
	int64_t now = loop_now(request->loop);
	bool is_bound = tell(table_value(entry), now, &request->binding);

	unlock(request->affinity, entry, now);
	affinity_answer(request, is_bound ? AFFINITY_BOUND : AFFINITY_UNBOUND);
}

/* The later move has the hold; an earlier one releases nothing any more. */
static void
hold_for_move(const struct affinity_request *request, struct binding *binding, int64_t until)
{
	struct memory *memory = memory_of(request->affinity);

	if (request->hold_ms > 0) {
		if (until > binding->moving_until)
			binding->moving_until = until;
		binding->moving =
		    atomic_fetch_add_explicit(&memory->generations, 1, memory_order_relaxed) + 1;
	} else if (request->hold == binding->moving) {
		binding->moving_until = 0;
		binding->moving = 0;
	}
}

static void
hold(struct affinity_request *request)
{
	struct table_entry *entry = lock_for_orders(request);
	int64_t until = loop_now(request->loop) + request->hold_ms;
	struct binding *binding;

	if (entry == NULL)
		return;
	binding = table_value(entry);
	if (request->is_move)
		hold_for_move(request, binding, until);
	else if (request->hold_ms > 0)
		binding->held_until = until > binding->held_until ? until : binding->held_until;
	else if (request->hold == 0 || request->hold == (uint64_t)binding->held_until)
		binding->held_until = 0;
	if (request->hold_ms == 0)
		wake_all(memory_of(request->affinity));
	request->hold = request->is_move ? binding->moving : (uint64_t)binding->held_until;
	finish_order(request, entry);
}

static void
pin(struct affinity_request *request)
{
	struct table_entry *entry = lock_for_orders(request);

	if (entry == NULL)
		return;
	set_pin(table_value(entry), request->wanted);
	finish_order(request, entry);
}

struct visit {
	struct affinity_request *request;
	int64_t now;
};

static void
visit(struct slice name, void *value, int64_t expires, void *arg)
{
	const struct visit *visit = arg;
	struct affinity_request *request = visit->request;

	(void)expires;
	if (tell(value, visit->now, &request->binding))
		request->on_binding(request, name, &request->binding, request->binding.sessions);
}

static void
list(struct affinity_request *request)
{
	struct memory *memory = memory_of(request->affinity);
	struct visit each = { request, loop_now(request->loop) };

	request->cursor = table_walk(memory->bindings, request->cursor, each.now, visit, &each);
	affinity_answer(request, AFFINITY_BOUND);
}

static size_t
count(void *store)
{
	const struct memory *memory = store;

	return table_count(memory->bindings);
}

bool
affinity_is_local(const struct affinity *affinity)
{
	return affinity->engine == &affinity_memory;
}

void
affinity_freeze(struct affinity *affinity, uint64_t serial, const struct affinity_heir *heir)
{
	struct memory *memory = memory_of(affinity);

	if (memory->heir_name == NULL) {
		memory->heir = *heir;
		memory->heir_name = xstrdup(heir->name);
	}
	atomic_store_explicit(&memory->frozen, serial, memory_order_release);
}

void
affinity_thaw(struct affinity *affinity)
{
	atomic_store_explicit(&memory_of(affinity)->frozen, 0, memory_order_release);
}

const struct affinity_engine affinity_memory = {
	.name = "memory",
	.start = start,
	.stop = stop,
	.peek = peek,
	.peek_now = peek_now,
	.open = try_open,
	.move = move,
	.kick = kick,
	.hold = hold,
	.pin = pin,
	.list = list,
	.cancel = cancel,
	.close = close_lease,
	.count = count,
};
