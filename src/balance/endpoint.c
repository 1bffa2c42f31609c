/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint.c: an endpoint's life, its address, what is known of it and whether it may be taken. */
#include "balance/endpoint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "balance/balance.h"
#include "balance/endpoint_room.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/xalloc.h"

#define COUNTER_ROW(field, text) METRIC_COUNTER(struct endpoint, field, text),
static const struct metric metrics[] = {
	METRIC_GAUGE(struct endpoint, connections, "Sessions at the server, those still dialling too."),
	METRIC_GAUGE(struct endpoint, others, "Sessions of the cluster's other proxies at the server."),
	METRIC_GAUGE(struct endpoint, others_up, "Other proxies that find the server up."),
	METRIC_GAUGE(struct endpoint, others_down, "Other proxies that find the server down."),
	METRIC_GAUGE(struct endpoint, dialling, "Sessions that the server has not taken yet, nor refused."),
	METRIC_GAUGE(struct endpoint, certificate_days,
	    "Days that the server's certificate is good for, by its checks; 0: no more; -1: none was seen."),
	ENDPOINT_COUNTERS(COUNTER_ROW)
};
const struct metric_table endpoint_metrics = { "endpoint", metrics, sizeof(metrics) / sizeof(metrics[0]) };

static int
read_relaxed(const atomic_int *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void
on_unclaimed(void *owner, void *gift)
{
	(void)owner;
	endpoint_give_up(gift);
}

struct endpoint *
endpoint_new(struct service *service, struct machine *machine, int threads)
{
	struct endpoint *e = xcalloc_aligned(sizeof(*e) + (size_t)threads * sizeof(e->counters[0]));

	e->name = xasprintf("%s/%s", service->name, machine->name);
	e->service = service_get(service);
	e->machine = machine_get(machine);
	e->server = machine->name;
	atomic_init(&e->references, 1);
	atomic_init(&e->certificate_days, -1);
	pthread_mutex_init(&e->lock, NULL);
	waiter_list_init(&e->queue, on_unclaimed, e);
	pthread_mutex_lock(&machine->lock);
	list_append(&machine->endpoints, &e->machine_node);
	endpoint_refresh_locked(e);
	pthread_mutex_unlock(&machine->lock);
	return e;
}

struct endpoint *
endpoint_get(struct endpoint *e)
{
	atomic_fetch_add_explicit(&e->references, 1, memory_order_relaxed);
	return e;
}

struct endpoint *
endpoint_get_living(struct endpoint *e)
{
	int references = read_relaxed(&e->references);

	while (references > 0 && !atomic_compare_exchange_weak_explicit(&e->references, &references,
	    references + 1, memory_order_relaxed, memory_order_relaxed))
		;
	return references > 0 ? e : NULL;
}

void
endpoint_put(struct endpoint **e)
{
	struct endpoint *gone = *e;

	*e = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	assert(read_relaxed(&gone->connections) == 0);
	pthread_mutex_lock(&gone->machine->lock);
	list_remove(&gone->machine_node);
	pthread_mutex_unlock(&gone->machine->lock);
	waiter_list_clear(&gone->queue);
	pthread_mutex_destroy(&gone->lock);
	buf_clear(&gone->capabilities);
	xfree(gone->host);
	xfree(gone->name);
	machine_put(&gone->machine);
	service_put(&gone->service);
	xfree(gone);
}

void
endpoint_set_addr(struct endpoint *e, const struct addr *addr)
{
	pthread_mutex_lock(&e->lock);
	if (!addr_equals(&e->addr, addr)) {
		atomic_store_explicit(&e->capabilities_hash, 0, memory_order_relaxed);
		window_move(&e->window, clock_ms());
		memset(e->sufferers, 0, sizeof(e->sufferers));
		atomic_store_explicit(&e->errors, 0, memory_order_relaxed);
		atomic_store(&e->dial_bound, 0);
		endpoint_let_in_locked(e);
	}
	e->addr = *addr;
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
}

struct addr
endpoint_addr(struct endpoint *e)
{
	struct addr addr;

	pthread_mutex_lock(&e->lock);
	addr = e->addr;
	pthread_mutex_unlock(&e->lock);
	return addr;
}

void
endpoint_set_host(struct endpoint *e, const char *host)
{
	pthread_mutex_lock(&e->lock);
	xfree(e->host);
	e->host = host != NULL ? xstrdup(host) : NULL;
	pthread_mutex_unlock(&e->lock);
}

const char *
endpoint_host(struct endpoint *e, char out[ENDPOINT_HOST_MAX])
{
	char text[ADDR_TEXT_MAX];

	pthread_mutex_lock(&e->lock);
	snprintf(out, ENDPOINT_HOST_MAX, "%s", e->host != NULL ? e->host : addr_host(&e->addr, text));
	pthread_mutex_unlock(&e->lock);
	return out;
}

int
endpoint_weight(const struct endpoint *e)
{
	return atomic_load(&e->weight);
}

bool
endpoint_is_down(const struct endpoint *e)
{
	return atomic_load(&e->flags) != 0;
}

bool
endpoint_takes_in_panic(const struct endpoint *e)
{
	return (atomic_load(&e->flags) & ENDPOINT_UNRESOLVED) == 0;
}

bool
endpoint_is_dead(const struct endpoint *e)
{
	return read_relaxed(&e->dial_bound) == WINDOW_CLOSED;
}

bool
endpoint_is_in_maintenance(const struct endpoint *e)
{
	return (atomic_load(&e->flags) & ENDPOINT_MAINTENANCE) != 0;
}

unsigned
endpoint_era(const struct endpoint *e)
{
	return atomic_load_explicit(&e->era, memory_order_relaxed);
}

static bool
may_dial(const struct endpoint *e)
{
	int bound = atomic_load(&e->dial_bound);

	return bound == 0 || atomic_load(&e->dialling) < bound;
}

bool
endpoint_is_held(const struct endpoint *e)
{
	return !may_dial(e);
}

bool
endpoint_has_room(const struct endpoint *e)
{
	int max = atomic_load(&e->max_connections);

	return (max == 0 || atomic_load(&e->connections) + read_relaxed(&e->others) < max) && may_dial(e);
}

struct load
endpoint_load(struct endpoint *e)
{
	struct load load = { .connections = read_relaxed(&e->connections) + read_relaxed(&e->others),
		.share = atomic_load(&e->share) };

	if (!endpoint_has_room(e))	/* else nobody waits, and the queue's lock is left alone */
		load.connections += waiter_count(&e->queue);
	return load;
}

bool
endpoint_is_usable(struct endpoint *e, const struct balance_key *key)
{
	int flags = read_relaxed(&e->flags);

	if (endpoint_weight(e) == 0 || (flags & ENDPOINT_UNRESOLVED) || (!key->down_too && flags != 0))
		return false;
	if (!key->full_too && !endpoint_has_room(e))
		return false;
	if (key->alive_only && endpoint_is_dead(e))
		return false;
	for (int i = 0; i < key->tried_count; i++)
		if (key->tried[i] == e)
			return false;
	return key->keeps_promise == NULL || key->keeps_promise(e, key->promise);
}

void
endpoint_learn(struct endpoint *e, const struct addr *there, struct slice capabilities, unsigned mechanisms)
{
	uint64_t hash = hash_bytes(capabilities.data, capabilities.len, mechanisms);

	hash += hash == 0;	/* 0 is "nothing yet" */
	if (hash == endpoint_capabilities_hash(e))
		return;
	pthread_mutex_lock(&e->lock);
	if (addr_equals(&e->addr, there)) {
		buf_clear(&e->capabilities);
		buf_append_slice(&e->capabilities, capabilities);
		e->mechanisms = mechanisms;
		atomic_store_explicit(&e->capabilities_hash, hash, memory_order_relaxed);
	}
	pthread_mutex_unlock(&e->lock);
}

uint64_t
endpoint_capabilities_hash(const struct endpoint *e)
{
	return atomic_load_explicit(&e->capabilities_hash, memory_order_relaxed);
}

unsigned
endpoint_capabilities(struct endpoint *e, struct buf *out)
{
	unsigned mechanisms;

	pthread_mutex_lock(&e->lock);
	buf_append_slice(out, buf_slice(&e->capabilities));
	mechanisms = e->mechanisms;
	pthread_mutex_unlock(&e->lock);
	return mechanisms;
}
