/* SPDX-License-Identifier: BSD-2-Clause */
/* offer.c: the lists of what is offered, one a listener, made anew when a server was seen to change. */
#include "session/offer.h"

#include <pthread.h>
#include <string.h>

#include "auth/auth.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "balance/roster.h"
#include "base/xalloc.h"
#include "proto/capability.h"
#include "session/back.h"
#include "session/plan.h"

enum {
	VERDICTS = 256,		/* remembered at once; servers mostly announce the same */
	VERDICT_PLACES = 8	/* where the one of a list may be */
};

/* Whether a list of capabilities has all that was offered, by its hash. */
struct verdict {
	uint64_t hash;			/* endpoint_capabilities_hash; 0: none */
	bool has_all;
	unsigned mechanisms;		/* that came with the list */
};

struct offer {
	struct list node;				/* in its worker's offers; its own reference */
	const struct listener_settings *settings;	/* only compared once the offer left the worker */
	uint64_t hash;					/* of all that it was made from */
	int references;
	struct buf list;
	unsigned mechanisms;
	struct buf promise;				/* the list without what the proxy does itself */
	unsigned promised_mechanisms;			/* those of them that clients are told */
	pthread_mutex_t lock;				/* of what follows */
	struct verdict verdicts[VERDICTS];
};

static uint64_t
pool_hash(uint64_t hash, const struct pool *pool)
{
	struct roster *roster = service_roster(pool->service);

	for (size_t i = 0; i < roster->count; i++)
		hash = hash * 31 + endpoint_capabilities_hash(roster->endpoints[i]);
	roster_put(&roster);
	return hash;
}

static uint64_t
hash_of(const struct listener_settings *settings)
{
	uint64_t hash = 0;

	/* a list that is written depends on no server */
	for (size_t i = 0; settings->announced == NULL && i <= settings->route.count; i++)
		hash = pool_hash(hash, listener_pool(settings, i));
	return hash;
}

/*
 * What all of the pool's servers that were ever seen announce, and those before; *learned tells whether one
 * was.  Returns the mechanisms of this pool's, or, where none was seen, those given.
 */
static unsigned
take_learned(const struct pool *pool, bool *learned, struct buf *list, unsigned unseen)
{
	struct roster *roster = service_roster(pool->service);
	unsigned mechanisms = 0;
	bool is_first = true;

	for (size_t i = 0; i < roster->count; i++) {
		struct buf one = { 0 };
		unsigned its;

		if (endpoint_capabilities_hash(roster->endpoints[i]) == 0)
			continue;
		its = endpoint_capabilities(roster->endpoints[i], &one);
		mechanisms = is_first ? its : mechanisms & its;
		is_first = false;
		if (*learned)
			capability_intersect(list, buf_slice(&one));
		else
			buf_append_slice(list, buf_slice(&one));
		buf_clear(&one);
		*learned = true;
	}
	roster_put(&roster);
	return is_first ? unseen : mechanisms;
}

/* In the words of an intersection, so that others can be compared with it. */
static void
promise(struct offer *offer)
{
	struct buf passed = { 0 };

	capability_pass(buf_slice(&offer->list), offer->settings->proto, &passed);
	buf_append_slice(&offer->promise, buf_slice(&passed));
	capability_intersect(&offer->promise, buf_slice(&passed));
	buf_clear(&passed);
	offer->promised_mechanisms = offer->mechanisms & auth_mechanisms(&offer->settings->auth) &
	    ~auth_answered(&offer->settings->auth);
}

static struct offer *
offer_new(const struct listener_settings *settings, uint64_t hash)
{
	struct offer *offer = xcalloc(1, sizeof(*offer));
	unsigned written = auth_written(&settings->auth), answered = auth_answered(&settings->auth);
	bool learned = false;

	offer->settings = settings;
	offer->hash = hash;
	offer->references = 1;
	offer->mechanisms = ~0U;
	for (size_t i = 0; i <= settings->route.count; i++) {
		const struct pool *pool = listener_pool(settings, i);
		unsigned announced = written;

		if (settings->announced == NULL)
			announced = take_learned(pool, &learned, &offer->list, written);
		offer->mechanisms &= plan_mechanisms(pool, announced) | answered;
	}
	if (!learned)
		buf_append_text(&offer->list,
		    settings->announced != NULL ? settings->announced : settings->proto->capability_floor);
	pthread_mutex_init(&offer->lock, NULL);
	promise(offer);
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

struct offer *
offer_hold(struct offer *offer)
{
	if (offer != NULL)
		offer->references++;
	return offer;
}

void
offer_put(struct offer **offer)
{
	if (*offer != NULL && --(*offer)->references == 0) {
		buf_clear(&(*offer)->list);
		buf_clear(&(*offer)->promise);
		pthread_mutex_destroy(&(*offer)->lock);
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

bool
offer_is_poorer(struct endpoint *endpoint, const struct back *back)
{
	const struct dial *dial = back->dial;
	struct buf known = { 0 }, seen = { 0 };
	unsigned mechanisms = endpoint_capabilities(endpoint, &known);
	size_t before = buf_len(&known);
	bool is_poorer = false;

	if (dial != NULL && dial->has_list && endpoint_capabilities_hash(endpoint) != 0) {
		capability_pass(buf_slice(&dial->capabilities), dial->order.proto, &seen);
		capability_intersect(&known, buf_slice(&seen));
		is_poorer = buf_len(&known) < before || (mechanisms & ~dial->mechanisms) != 0;
	}
	buf_clear(&seen);
	buf_clear(&known);
	return is_poorer;
}

static bool
is_same(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static struct verdict
judge(const struct offer *offer, struct endpoint *endpoint, uint64_t hash)
{
	struct verdict verdict = { .hash = hash };
	struct buf its = { 0 }, common = { 0 };

	verdict.mechanisms = endpoint_capabilities(endpoint, &its);
	buf_append_slice(&common, buf_slice(&offer->promise));
	capability_intersect(&common, buf_slice(&its));
	verdict.has_all = is_same(buf_slice(&common), buf_slice(&offer->promise));
	/* another list came meanwhile: this once it is judged by that one */
	if (endpoint_capabilities_hash(endpoint) != hash)
		verdict.hash = 0;
	buf_clear(&its);
	buf_clear(&common);
	return verdict;
}

/* Where the verdict on this list is, or is to be. */
static struct verdict *
place_of(struct offer *offer, uint64_t hash)
{
	for (uint64_t i = 0; i < VERDICT_PLACES; i++) {
		struct verdict *verdict = &offer->verdicts[(hash + i) % VERDICTS];

		if (verdict->hash == hash || verdict->hash == 0)
			return verdict;
	}
	return &offer->verdicts[hash % VERDICTS];
}

bool
offer_is_kept(struct offer *offer, struct endpoint *endpoint, const struct pool *pool)
{
	uint64_t hash = endpoint_capabilities_hash(endpoint);
	struct verdict *known, verdict;
	unsigned wanted = offer->promised_mechanisms;

	if (hash == 0)
		return true;
	pthread_mutex_lock(&offer->lock);
	known = place_of(offer, hash);
	verdict = *known;
	if (verdict.hash != hash) {
		verdict = judge(offer, endpoint, hash);
		*known = verdict;
	}
	pthread_mutex_unlock(&offer->lock);
	return verdict.has_all && (plan_mechanisms(pool, verdict.mechanisms) & wanted) == wanted;
}

void
offer_learn(struct endpoint *endpoint, const struct back *back)
{
	const struct dial *dial = back->dial;
	struct buf list = { 0 };

	/* one that was told HELO has announced nothing */
	if (dial == NULL || !dial->has_list)
		return;
	capability_pass(buf_slice(&dial->capabilities), dial->order.proto, &list);
	endpoint_learn(endpoint, &back->try->plan->to, buf_slice(&list), dial->mechanisms);
	buf_clear(&list);
}

void
offers_forget(struct worker *worker)
{
	list_each(node, &worker->offers)
		forget(list_entry(node, struct offer, node));
}
