/* SPDX-License-Identifier: BSD-2-Clause */
/* leaving.c: the order at an endpoint, and each user's time within it. */
#include "balance/leaving.h"

#include "balance/endpoint.h"
#include "balance/endpoint_state.h"

void
endpoint_set_leaving(struct endpoint *e, const struct leaving_order *order)
{
	pthread_mutex_lock(&e->machine->lock);
	e->leaving.from = order->from;
	e->leaving.until = order->until;
	atomic_store(&e->leaving.told, 0);
	atomic_store(&e->leaving.kind, (int)order->kind);
	endpoint_tell_away_locked(e);
	pthread_mutex_unlock(&e->machine->lock);
}

void
endpoint_read_leaving(struct endpoint *e, struct leaving_order *out)
{
	*out = (struct leaving_order){ .kind = LEAVING_NOT };
	if (atomic_load_explicit(&e->leaving.kind, memory_order_relaxed) == LEAVING_NOT)
		return;
	pthread_mutex_lock(&e->machine->lock);
	out->kind = (enum leaving_kind)atomic_load(&e->leaving.kind);
	out->from = e->leaving.from;
	out->until = e->leaving.until;
	pthread_mutex_unlock(&e->machine->lock);
}

void
endpoint_note_left(struct endpoint *e)
{
	atomic_fetch_add_explicit(&e->leaving.told, 1, memory_order_relaxed);
}

unsigned
endpoint_count_left(const struct endpoint *e)
{
	return atomic_load_explicit(&e->leaving.told, memory_order_relaxed);
}

int64_t
leaving_time(const struct leaving_order *order, uint64_t who)
{
	enum { STEPS = 1 << 16 };

	return order->from + (order->until - order->from) * (int64_t)(who % STEPS) / STEPS;
}
