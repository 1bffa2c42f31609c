/* SPDX-License-Identifier: BSD-2-Clause */
/* slot.c: which server a delivery shares with others, and what comes of it until it is left or lost. */
#include "session/slot.h"

#include "balance/balance.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/offer.h"
#include "session/plan.h"
#include "session/relay.h"

struct stream *
slot_stream(const struct slot *slot)
{
	return &slot->leg->back->stream;
}

static struct endpoint_counters *
counters_at(const struct slot *slot)
{
	return &slot->leg->endpoint->counters[slot->fan->session->worker->index];
}

bool
slot_is_needed(const struct slot *slot)
{
	const struct fan *fan = slot->fan;

	for (unsigned i = 0; i < fan->delivery_count; i++)
		if (fan->deliveries[i] != NULL && fan->deliveries[i]->slot == slot)
			return true;
	return slot->is_there && fan_fanout(fan)->server_is_needed(fan->state, slot->number);
}

/* The one whose blocks decide how the client is read: any will do. */
static void
choose_sink(struct fan *fan)
{
	struct stream *front = &fan->session->front;

	for (unsigned k = 0; front->sink == NULL && k < FANOUT_SERVERS_MAX; k++)
		if (fan->slots[k] != NULL && fan->slots[k]->is_there)
			stream_set_sink(front, slot_stream(fan->slots[k]));
}

void
slot_close(struct slot *slot, bool politely)
{
	struct fan *fan = slot->fan;
	const char *farewell = NULL;

	fan->slots[slot->number] = NULL;
	for (unsigned i = 0; i < fan->delivery_count; i++)
		if (fan->deliveries[i] != NULL && fan->deliveries[i]->slot == slot)
			fan->deliveries[i]->slot = NULL;
	if (slot->is_there && politely)
		farewell = fan->session->proto->dial_farewell;
	if (farewell != NULL && stream_kept(slot_stream(slot)) == 0)
		stream_write(slot_stream(slot), slice_of(farewell));
	leg_drop(&slot->leg);
	endpoint_put(&slot->endpoint);
	buf_clear(&slot->out);
	loop_defer(fan_loop(fan), xfree, slot);
	choose_sink(fan);
}

void
slot_write(struct slot *slot, struct slice data)
{
	if (stream_kept(slot_stream(slot)) == 0)
		slot->since = loop_now(fan_loop(slot->fan));
	tally_add(&counters_at(slot)->bytes_up, data.len);
	slot->kept = stream_write(slot_stream(slot), data);
}

void
slot_flush(struct slot *slot)
{
	if (buf_len(&slot->out) == 0)
		return;
	slot_write(slot, buf_slice(&slot->out));
	buf_clear(&slot->out);
}

/* The user's, as it was placed; of a pool that goes by no binding, the balancer's by the user. */
static struct endpoint *
find_endpoint(const struct delivery *d)
{
	const struct balance_key key = { .user = d->leg->way->key, .full_too = true };

	if (d->endpoint != NULL)
		return endpoint_get(d->endpoint);
	return d->pool->is_bound ? pool_pick(d->pool, d->session->worker->index, &key) : NULL;
}

bool
slot_is_outdated(const struct slot *slot)
{
	const struct endpoint *e = slot->leg->endpoint;

	return slot->era != service_era(slot->service) ||
	    (slot->is_there && (slot->leg->era != endpoint_era(e) || endpoint_is_in_maintenance(e)));
}

/* May one that goes to this endpoint (NULL: to any of the service's) share the slot? */
static bool
leads_to(const struct slot *slot, const struct service *service, const struct endpoint *endpoint)
{
	const struct endpoint *there = slot->endpoint != NULL ? slot->endpoint : slot->leg->endpoint;

	if (slot_is_outdated(slot))
		return false;
	if (endpoint != NULL)
		return there == endpoint;
	return slot->service == service &&
	    (there == NULL || (!endpoint_is_down(there) && endpoint_weight(there) > 0));
}

static struct slot *
find(struct fan *fan, const struct service *service, const struct endpoint *endpoint)
{
	for (unsigned k = 0; k < FANOUT_SERVERS_MAX; k++)
		if (fan->slots[k] != NULL && leads_to(fan->slots[k], service, endpoint))
			return fan->slots[k];
	return NULL;
}

/* A number that is free, or can be made so; FANOUT_SERVERS_MAX: none. */
static unsigned
find_number(struct fan *fan)
{
	unsigned k = 0;

	while (k < FANOUT_SERVERS_MAX && fan->slots[k] != NULL)
		k++;
	if (k < FANOUT_SERVERS_MAX)
		return k;
	for (k = 0; k < FANOUT_SERVERS_MAX && slot_is_needed(fan->slots[k]); k++)
		continue;
	if (k < FANOUT_SERVERS_MAX) {
		fan_fanout(fan)->server_gone(fan->state, k);
		slot_close(fan->slots[k], true);
	}
	return k;
}

static void on_leg(struct leg *leg, enum leg_event event);

/* NULL: there are too many. */
static struct slot *
begin(struct fan *fan, struct delivery *d, const struct endpoint *endpoint)
{
	unsigned number = find_number(fan);
	struct slot *slot;

	if (number == FANOUT_SERVERS_MAX)
		return NULL;
	slot = xcalloc(1, sizeof(*slot));
	slot->fan = fan;
	slot->number = number;
	slot->endpoint = endpoint != NULL ? endpoint_get((struct endpoint *)endpoint) : NULL;
	slot->service = d->pool->service;
	slot->era = d->pool->era;
	slot->leg = leg_new(fan->session, d->snapshot, d->pool, on_leg);
	slot->leg->owner = slot;
	slot->leg->way->hostname = d->leg->way->hostname;
	slot->leg->way->timeout_ms = d->leg->way->timeout_ms;
	/* its certificate is to bear this */
	if (d->leg->way->host_name != NULL)
		slot->leg->way->host_name = xstrdup(d->leg->way->host_name);
	slot->leg->way->offer = offer_hold(fan->session->relay->offer);
	fan->slots[number] = slot;
	return slot;
}

/* Its server is there, and it is told of the recipient. */
static void
hand_over(struct fan *fan, struct delivery *d)
{
	struct slot *slot = d->slot;
	char *there = d->there;

	d->there = NULL;
	delivery_settle(d);
	fan_fanout(fan)->placed(fan->state, d->recipient, slot->number, slice_of(there));
	xfree(there);
}

void
slot_take(struct fan *fan, struct delivery *d)
{
	struct endpoint *endpoint = find_endpoint(d);
	struct slot *slot = NULL;
	bool is_new;

	if (endpoint != NULL || !d->pool->is_bound)
		slot = find(fan, d->pool->service, endpoint);
	is_new = slot == NULL && (endpoint != NULL || !d->pool->is_bound);
	if (is_new)
		slot = begin(fan, d, endpoint);
	d->slot = slot;
	if (slot == NULL) {
		fan_unplace(fan, d, endpoint == NULL ? "no server is usable" :
		    "the message would go to too many servers");
	} else if (slot->is_there) {
		hand_over(fan, d);
	} else if (is_new && endpoint != NULL) {
		leg_start_at(slot->leg, endpoint);
	} else if (is_new) {
		leg_start(slot->leg);
	}
	endpoint_put(&endpoint);
}

void
slot_lose(struct slot *slot, const char *why)
{
	struct fan *fan = slot->fan;
	bool was_needed = slot_is_needed(slot);

	leg_log(slot->leg, was_needed ? LOG_WARNING : LOG_DEBUG, "server lost: %s while relaying", why);
	fan_fanout(fan)->server_gone(fan->state, slot->number);
	slot_close(slot, false);
	fan_settle(fan);
}

static size_t
on_server(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct slot *slot = owner;
	struct fan *fan = slot->fan;
	char reason[STREAM_REASON_MAX];
	struct endpoint_counters *at = counters_at(slot);
	size_t used = data.len;

	switch (event) {
	case STREAM_CONNECTED:
	case STREAM_TLS_READY:
	case STREAM_MOVED:
		break;
	case STREAM_DATA:
		used = fan_fanout(fan)->server(fan->state, slot->number, data);
		tally_add(&at->bytes_down, used);
		/* a reply that trickles in is none */
		if (used > 0)
			slot->since = loop_now(fan_loop(fan));
		fan_settle(fan);
		break;
	case STREAM_DRAINED:
		slot->since = loop_now(fan_loop(fan));
		fan->session->last_data = slot->since;
		fan_adjust(fan);
		break;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		slot_lose(slot, stream_reason(stream, reason));
		break;
	}
	return used;
}

static void
open_leg(struct slot *slot)
{
	struct fan *fan = slot->fan;
	struct leg *leg = slot->leg;
	struct stream *stream = &leg->back->stream;
	bool is_single = plan_proto(fan->session, leg->way->pool)->fanout == NULL;

	fan_fanout(fan)->server_came(fan->state, slot->number, buf_slice(&leg->back->dial->capabilities),
	    is_single);
	slot->is_there = true;
	slot->since = loop_now(fan_loop(fan));
	leg_settle(leg);
	stream_set_owner(stream, on_server, slot);
	stream_set_sink(stream, &fan->session->front);
	stream_set_patience(stream, &fan->session->relay->tcp);
	stream_resume(stream);
	choose_sink(fan);
	for (unsigned i = 0; i < fan->delivery_count; i++)
		if (fan->deliveries[i] != NULL && fan->deliveries[i]->slot == slot)
			hand_over(fan, fan->deliveries[i]);
}

static void
give_up(struct slot *slot)
{
	struct fan *fan = slot->fan;

	for (unsigned i = 0; i < fan->delivery_count; i++)
		if (fan->deliveries[i] != NULL && fan->deliveries[i]->slot == slot)
			fan_unplace(fan, fan->deliveries[i], NULL);
	slot_close(slot, false);
}

static void
on_leg(struct leg *leg, enum leg_event event)
{
	struct slot *slot = leg->owner;
	struct fan *fan = slot->fan;
	char words[BACK_REASON_MAX];

	switch (event) {
	case LEG_QUEUED:
	case LEG_PLACED:
	case LEG_KICKED:
		return;
	case LEG_READY:
		open_leg(slot);
		break;
	case LEG_REFUSED:
		leg_log(leg, LOG_NOTICE, "the server refuses the client: %s", back_reason(leg->back, words));
		give_up(slot);
		break;
	case LEG_UNAVAILABLE:
		leg_log(leg, LOG_WARNING, "no server: %s", leg->way->why);
		give_up(slot);
		break;
	}
	fan_settle(fan);
}

int64_t
slot_due(const struct slot *slot)
{
	int timeout = slot->fan->session->relay->reply_timeout_ms;

	return slot->since + (slot_is_needed(slot) && timeout > 0 ? timeout : SLOT_IDLE_MS);
}

bool
slot_is_silent(struct slot *slot, int64_t now)
{
	const struct fan *fan = slot->fan;
	int timeout = fan->session->relay->reply_timeout_ms;
	size_t kept = stream_kept(slot_stream(slot));

	if (timeout == 0 || now < slot->since + timeout)
		return false;
	if (kept == 0)
		return fan_fanout(fan)->server_owes(fan->state, slot->number);
	if (kept >= slot->kept)
		return true;
	slot->kept = kept;
	slot->since = now;
	return false;
}

