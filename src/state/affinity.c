/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity.c: requests and leases, whichever engine keeps the bindings. */
#include "state/affinity.h"

#include "base/xalloc.h"
#include "state/affinity_engine.h"

static struct affinity *
new_at(const struct affinity_engine *engine, int64_t retention_ms, const struct affinity_place *place)
{
	struct affinity *affinity = xcalloc(1, sizeof(*affinity));

	affinity->engine = engine;
	atomic_init(&affinity->references, 1);
	atomic_init(&affinity->retention_ms, retention_ms);
	affinity->store = engine->start(affinity, place);
	return affinity;
}

struct affinity *
affinity_new(const struct affinity_engine *engine, int64_t retention_ms)
{
	return new_at(engine, retention_ms, NULL);
}

struct affinity *
affinity_new_shared(struct cluster *cluster, const char *farm, int64_t retention_ms)
{
	return new_at(&affinity_redis, retention_ms, &(struct affinity_place){ cluster, farm });
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
	a->engine->stop(a->store);
	xfree(a);
}

void
affinity_set_retention(struct affinity *affinity, int64_t retention_ms)
{
	atomic_store_explicit(&affinity->retention_ms, retention_ms, memory_order_relaxed);
}

size_t
affinity_count(struct affinity *affinity)
{
	return affinity->engine->count(affinity->store);
}

bool
affinity_peek_now(struct affinity *affinity, struct slice user, int64_t now, struct affinity_binding *binding)
{
	return affinity->engine->peek_now(affinity->store, user, now, binding);
}

void
affinity_answer(struct affinity_request *request, enum affinity_answer answer)
{
	loop_timer_stop(request->loop, &request->timer);
	affinity_put(&request->affinity);
	request->on_answer(request, answer);
}

static void
on_deadline(struct loop_timer *timer)
{
	struct affinity_request *request = loop_owner(timer, struct affinity_request, timer);

	request->affinity->engine->cancel(request);
	if (request->again_at != 0 && loop_now(request->loop) < request->deadline)
		request->again(request);
	else
		affinity_answer(request, AFFINITY_LATER);
}

void
affinity_wait(struct affinity_request *request)
{
	int64_t at = request->deadline;

	if (request->again_at != 0 && request->again_at < at)
		at = request->again_at;
	if (!loop_timer_is_set(&request->timer) || request->again_at != 0)
		loop_timer_set(request->loop, &request->timer, at);
}

/* The engine to be asked. */
static const struct affinity_engine *
begin(struct affinity *affinity, struct affinity_request *request)
{
	request->affinity = affinity_get(affinity);
	request->binding = (struct affinity_binding){ 0 };
	request->lease = NULL;
	request->kicked = 0;
	request->waiter = NULL;
	request->work = NULL;
	request->again_at = 0;
	loop_timer_init(&request->timer, on_deadline);
	return affinity->engine;
}

void
affinity_peek(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->peek(request);
}

void
affinity_open(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->open(request);
}

void
affinity_move(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->move(request);
}

void
affinity_kick(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->kick(request);
}

void
affinity_hold(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->hold(request);
}

void
affinity_pin(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->pin(request);
}

void
affinity_list(struct affinity *affinity, struct affinity_request *request)
{
	begin(affinity, request)->list(request);
}

void
affinity_cancel(struct affinity_request *request)
{
	if (request->affinity == NULL)
		return;
	request->affinity->engine->cancel(request);
	loop_timer_stop(request->loop, &request->timer);
	affinity_put(&request->affinity);
}

static void
lease_put(struct affinity_lease *lease)
{
	if (atomic_fetch_sub_explicit(&lease->references, 1, memory_order_acq_rel) == 1)
		xfree(lease);
}

struct affinity_lease *
affinity_lease_new(const struct affinity_request *request)
{
	struct affinity_lease *lease = xcalloc(1, sizeof(*lease));

	lease->affinity = affinity_get(request->affinity);
	lease->loop = request->loop;
	lease->on_kick = request->on_kick;
	lease->owner = request->owner;
	atomic_init(&lease->references, 1);
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

bool
affinity_lease_kick(struct affinity_lease *lease)
{
	if (atomic_exchange_explicit(&lease->is_kicked, true, memory_order_acq_rel))
		return false;
	atomic_fetch_add_explicit(&lease->references, 1, memory_order_relaxed);
	loop_post(lease->loop, on_kick_posted, lease);
	return true;
}

bool
affinity_is_kicked(const struct affinity_lease *lease)
{
	return lease != NULL && atomic_load_explicit(&lease->is_kicked, memory_order_acquire);
}

void
affinity_close(struct affinity_lease **lease)
{
	struct affinity_lease *l = *lease;

	*lease = NULL;
	if (l == NULL)
		return;
	l->affinity->engine->close(l);
	l->owner = NULL;
	affinity_put(&l->affinity);
	lease_put(l);
}
