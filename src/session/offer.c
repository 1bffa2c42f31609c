/* SPDX-License-Identifier: BSD-2-Clause */
/* offer.c: the lists of what is offered, one a listener, made anew when a server was seen to change. */
#include "session/offer.h"

#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/mechanism.h"
#include "base/xalloc.h"
#include "proto/capability.h"

struct offer {
	struct list node;				/* in its worker's offers; its own reference */
	const struct listener_settings *settings;	/* only compared once the offer left the worker */
	uint64_t hash;					/* of all that it was made from */
	int references;
	struct buf list;
	unsigned mechanisms;
};

static uint64_t
pool_hash(uint64_t hash, const struct pool *pool)
{
	for (size_t i = 0; i < pool->endpoint_count; i++)
		hash = hash * 31 + endpoint_capabilities_hash(pool->endpoints[i]);
	return hash;
}

static void
take_written(const struct string_list *capabilities, struct buf *list)
{
	for (size_t i = 0; i < capabilities->count; i++)
		if (capabilities->items[i][0] != '\0')
			capability_add(list, slice_of(capabilities->items[i]));
}

static uint64_t
hash_of(const struct listener_settings *settings)
{
	uint64_t hash = 0;

	for (size_t i = 0; i <= settings->route.count; i++)
		hash = pool_hash(hash, listener_pool(settings, i));
	return hash;
}

/* What all servers that were ever seen have in common, with the list; whether one was, now or before. */
static bool
take_learned(const struct pool *pool, bool learned, struct buf *list)
{
	struct buf one = { 0 };

	for (size_t i = 0; i < pool->endpoint_count; i++) {
		if (endpoint_capabilities_hash(pool->endpoints[i]) == 0)
			continue;
		if (!learned) {
			endpoint_capabilities(pool->endpoints[i], list);
		} else {
			endpoint_capabilities(pool->endpoints[i], &one);
			capability_intersect(list, buf_slice(&one));
			buf_clear(&one);
		}
		learned = true;
	}
	return learned;
}

static bool
take_all(const struct listener_settings *settings, struct buf *list)
{
	bool learned = false;

	for (size_t i = 0; i <= settings->route.count; i++)
		learned = take_learned(listener_pool(settings, i), learned, list);
	return learned;
}

/* Tokens that servers are shown must be such as all of them take. */
static unsigned
passed_on(const struct pool *pool, struct slice list)
{
	unsigned mechanisms = pool_mechanisms(pool);

	for (int i = 0; pool->options.login == LOGIN_PASSWORD && i < MECHANISM_COUNT; i++)
		if (mechanism_facts[i].kind == CREDENTIAL_TOKEN &&
		    !capability_has_mechanism(list, mechanism_facts[i].name))
			mechanisms &= ~MECHANISM_BIT(i);
	return mechanisms;
}

static struct offer *
offer_new(const struct listener_settings *settings, uint64_t hash)
{
	struct offer *offer = xcalloc(1, sizeof(*offer));

	offer->settings = settings;
	offer->hash = hash;
	offer->references = 1;
	if (!listener_learns(settings))
		take_written(&settings->capabilities, &offer->list);
	else if (!take_all(settings, &offer->list))
		buf_append_text(&offer->list, settings->proto->capability_floor);
	offer->mechanisms = ~0U;
	for (size_t i = 0; i <= settings->route.count; i++)
		offer->mechanisms &= passed_on(listener_pool(settings, i), buf_slice(&offer->list));
	capability_remove_own(&offer->list, settings->proto);
	return offer;
}

static void
forget(struct offer *offer)
{
	list_remove(&offer->node);
	offer_put(&offer);
}

struct offer *
offer_get(struct worker *worker, const struct listener_settings *settings)
{
	uint64_t hash = hash_of(settings);
	struct offer *offer;

	list_each(node, &worker->offers) {
		offer = list_entry(node, struct offer, node);
		if (offer->settings != settings)
			continue;
		if (offer->hash == hash) {
			offer->references++;
			return offer;
		}
		forget(offer);
		break;
	}
	offer = offer_new(settings, hash);
	list_append(&worker->offers, &offer->node);
	offer->references++;
	return offer;
}

void
offer_put(struct offer **offer)
{
	if (*offer != NULL && --(*offer)->references == 0) {
		buf_clear(&(*offer)->list);
		xfree(*offer);
	}
	*offer = NULL;
}

struct slice
offer_list(const struct offer *offer)
{
	return buf_slice(&offer->list);
}

unsigned
offer_mechanisms(const struct offer *offer)
{
	return offer->mechanisms;
}

void
offers_forget(struct worker *worker)
{
	list_each(node, &worker->offers)
		forget(list_entry(node, struct offer, node));
}
