/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_room.c: counting connections and handing them on.  Taking one is
 * lock-free; giving room and joining its queue happen under the endpoint's
 * lock, so that nobody joins the queue just after the last room was given.
 * For the service's queue, see waiter_count, room is counted in the one
 * order of all atomics: who joins it sees the room, or is seen.
 */
#include "balance/endpoint_room.h"

#include "balance/endpoint.h"

static int
read_relaxed(const atomic_int *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

/* A connection and its reference. */
static bool
count_in(struct endpoint *e)
{
	int connections = read_relaxed(&e->connections), max;

	do {
		max = read_relaxed(&e->max_connections);
		if (max != 0 && connections + read_relaxed(&e->others) >= max)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&e->connections, &connections, connections + 1,
	    memory_order_relaxed, memory_order_relaxed));
	endpoint_get(e);
	return true;
}

static void
count_dialling(struct endpoint *e, int more)
{
	atomic_fetch_add(&e->dialling, more);
}

bool
endpoint_take(struct endpoint *e)
{
	/* without the lock, one may dial too many for each other thread that does the same just now */
	if (endpoint_is_held(e) || !count_in(e))
		return false;
	count_dialling(e, 1);
	return true;
}

bool
endpoint_take_or_wait(struct endpoint *e, struct loop *loop, const struct waiter_duty *duty, void *owner,
    struct waiter **slot)
{
	bool is_taken;

	pthread_mutex_lock(&e->lock);
	is_taken = endpoint_take(e);
	if (!is_taken)
		waiter_add(&e->queue, loop, duty, owner, slot);
	pthread_mutex_unlock(&e->lock);
	return is_taken;
}

/* Hands a connection on to the oldest in the queue, who dials, or counts it off.  Under the lock. */
static bool
pass_on(struct endpoint *e)
{
	int max = read_relaxed(&e->max_connections);
	int all = read_relaxed(&e->connections) + read_relaxed(&e->others);
	bool is_one_too_many = max != 0 && all > max;

	if (!is_one_too_many && !endpoint_is_held(e) && waiter_wake_one(&e->queue, e)) {
		count_dialling(e, 1);
		return true;
	}
	atomic_fetch_sub(&e->connections, 1);
	return false;
}

/* was_dialling: 1, or 0. */
static void
give_back(struct endpoint *e, int was_dialling)
{
	bool is_passed_on;

	pthread_mutex_lock(&e->lock);
	count_dialling(e, -was_dialling);
	is_passed_on = pass_on(e);
	pthread_mutex_unlock(&e->lock);
	if (is_passed_on)
		return;
	service_serve(e->service, e);
	endpoint_put(&e);
}

void
endpoint_release(struct endpoint *e)
{
	give_back(e, 0);
}

void
endpoint_give_up(struct endpoint *e)
{
	give_back(e, 1);
}

void
endpoint_let_in_locked(struct endpoint *e)
{
	while (waiter_count(&e->queue) > 0 && !endpoint_is_held(e) && count_in(e)) {
		struct endpoint *reference = e;

		if (!pass_on(e))	/* who waited has just given up */
			endpoint_put(&reference);
	}
}

void
endpoint_set_max_connections(struct endpoint *e, int max)
{
	pthread_mutex_lock(&e->machine->lock);
	if (e->configured_max != max)
		e->bounded = (struct standing){ 0 };
	e->configured_max = max;
	endpoint_refresh_locked(e);
	pthread_mutex_unlock(&e->machine->lock);
	endpoint_let_in(e);
}

void
endpoint_bound(struct endpoint *e, int max, const char *why)
{
	pthread_mutex_lock(&e->machine->lock);
	if (max == e->configured_max)
		e->bounded = (struct standing){ 0 };
	else
		standing_set(&e->bounded, max, why);
	endpoint_refresh_locked(e);
	pthread_mutex_unlock(&e->machine->lock);
	endpoint_let_in(e);
}

void
endpoint_let_in(struct endpoint *e)
{
	pthread_mutex_lock(&e->lock);
	endpoint_let_in_locked(e);
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
}
