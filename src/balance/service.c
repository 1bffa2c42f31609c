/* SPDX-License-Identifier: BSD-2-Clause */
/* service.c: a few atomic numbers that a pool's sessions share, and the queue of those who want to. */
#include "balance/service.h"

#include "balance/endpoint.h"
#include "balance/endpoint_room.h"
#include "balance/roster.h"
#include "base/xalloc.h"

static void
on_unclaimed(void *owner, void *gift)
{
	(void)owner;
	endpoint_give_up(gift);
}

struct service *
service_new(const char *name)
{
	struct service *service = xcalloc(1, sizeof(*service));

	service->name = xstrdup(name);
	atomic_init(&service->references, 1);
	waiter_list_init(&service->queue, on_unclaimed, service);
	waiter_list_init(&service->hopefuls, NULL, service);
	pthread_mutex_init(&service->lock, NULL);
	return service;
}

struct service *
service_get(struct service *service)
{
	atomic_fetch_add_explicit(&service->references, 1, memory_order_relaxed);
	return service;
}

void
service_put(struct service **service)
{
	struct service *s = *service;

	*service = NULL;
	if (s == NULL || atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) > 1)
		return;
	roster_put(&s->roster);
	waiter_list_clear(&s->queue);
	waiter_list_clear(&s->hopefuls);
	pthread_mutex_destroy(&s->lock);
	xfree(s->name);
	xfree(s);
}

unsigned
service_era(const struct service *service)
{
	return atomic_load_explicit(&service->era, memory_order_relaxed);
}

void
service_set_era(struct service *service, unsigned era)
{
	atomic_store_explicit(&service->era, era, memory_order_relaxed);
}

int
service_close_spread(const struct service *service)
{
	return atomic_load_explicit(&service->close_spread_ms, memory_order_relaxed);
}

void
service_set_close_spread(struct service *service, int ms)
{
	atomic_store_explicit(&service->close_spread_ms, ms, memory_order_relaxed);
}

struct roster *
service_roster(struct service *service)
{
	struct roster *roster;

	pthread_mutex_lock(&service->lock);
	roster = service->roster != NULL ? roster_get(service->roster) : NULL;
	pthread_mutex_unlock(&service->lock);
	return roster;
}

/* Who waits at an endpoint that has left belongs to another one now. */
static void
wake_those_left(const struct roster *before, const struct roster *now)
{
	for (size_t i = 0; before != NULL && i < before->count; i++) {
		struct endpoint *e = before->endpoints[i];

		if (waiter_count(&e->queue) > 0 && (now == NULL || !roster_has(now, e)))
			waiter_wake_all(&e->queue);
	}
}

void
service_set_roster(struct service *service, struct roster *roster)
{
	struct roster *before, *now = roster != NULL ? roster_get(roster) : NULL;

	pthread_mutex_lock(&service->lock);
	before = service->roster;
	service->roster = roster;
	pthread_mutex_unlock(&service->lock);
	service_changed(service);
	service_wake(service);
	wake_those_left(before, now);
	roster_put(&now);
	roster_put(&before);
}

void
service_changed(struct service *service)
{
	atomic_fetch_add(&service->changes, 1);
}

unsigned
service_changes(const struct service *service)
{
	return atomic_load(&service->changes);
}

/* Under the lock.  Who waits is asked only of endpoints that anybody could be sent to. */
static bool
serve(struct service *service, struct endpoint *e, bool panics)
{
	bool is_given = false;

	if (endpoint_is_down(e) && !panics)
		return false;
	while (waiter_count(&service->queue) > 0 && endpoint_has_room(e) &&
	    waiter_wake_one(&service->queue, e))
		is_given = true;
	return is_given;
}

bool
service_serve(struct service *service, struct endpoint *e)
{
	bool is_given;

	if (waiter_count(&service->queue) == 0)
		return false;
	pthread_mutex_lock(&service->lock);
	is_given = service->roster != NULL &&
	    serve(service, e, endpoint_is_down(e) && roster_panics(service->roster));
	pthread_mutex_unlock(&service->lock);
	return is_given;
}

void
service_wake(struct service *service)
{
	const struct roster *roster;
	bool panics;

	waiter_wake_all(&service->hopefuls);
	if (waiter_count(&service->queue) == 0)
		return;
	pthread_mutex_lock(&service->lock);
	roster = service->roster;
	panics = roster != NULL && roster_panics(roster);
	for (size_t i = 0; roster != NULL && i < roster->count; i++)
		serve(service, roster->endpoints[i], panics);
	pthread_mutex_unlock(&service->lock);
}
