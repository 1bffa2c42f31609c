/* SPDX-License-Identifier: BSD-2-Clause */
/* departure.c: who is to leave, and when. */
#include "session/departure.h"

#include "auth/users.h"
#include "balance/balance.h"
#include "base/hash.h"
#include "base/random.h"
#include "session/relay.h"

enum {
	STEPS = 1000,
	RETURN_MS = 10 * 60 * 1000	/* strays may come back so long behind their time */
};

static uint64_t
who_of(struct slice key)
{
	return hash_bytes(key.data, key.len, 1);
}

/* Of a session that relays, as it was when it was placed; but for a `destuser`, whom nobody remembers. */
static struct slice
key_of(const struct session *s)
{
	if (s->identity.user == NULL || s->worker->snapshot == NULL)
		return slice_make("", 0);
	return users_key(s->worker->snapshot->users, s->identity.user);
}

static bool
binds(const struct endpoint *e)
{
	struct roster *roster = service_roster(e->service);
	bool does = roster != NULL && roster->balancer->binds;

	roster_put(&roster);
	return does;
}

/* Its endpoint, where it is up to us whether it stays there; else NULL. */
static struct endpoint *
left_endpoint(const struct session *s)
{
	bool may_stay = s->phase == FRONT_RELAY &&
	    (s->relay->leave_at == 0 || s->relay->departs != DEPARTS_NOT);

	return may_stay ? relay_endpoint(s) : NULL;
}

static void
tell(struct session *s, int64_t at_ms, enum relay_departure departs)
{
	s->relay->departs = (uint8_t)departs;
	relay_leave_at(s, at_ms);
}

static void
stay(struct session *s)
{
	s->relay->departs = DEPARTS_NOT;
	s->relay->leave_at = 0;
}

/* Sessions of pools whose users are free: number `first` and those behind it, of `count`. */
static int
spread(struct worker *worker, bool quiet, int first, int count)
{
	int64_t now = loop_now(worker->loop);
	double part = (double)(random_number() % STEPS) / STEPS;

	list_each(node, &worker->sessions) {
		struct session *s = list_entry(node, struct session, node);
		struct endpoint *e = left_endpoint(s);
		struct leaving_order order = { 0 };

		if (e != NULL)
			endpoint_read_leaving(e, &order);
		if (order.kind != LEAVING_ALL || binds(e) || ((relay_look(s) & RELAY_QUIET) != 0) != quiet)
			continue;
		if (order.until > now)
			tell(s, now + (int64_t)((double)(order.until - now) * (first + part) / count),
			    DEPARTS_DRAINED);
		else
			tell(s, now, DEPARTS_DRAINED);
		first++;
	}
	return first;
}

/* False: it waits for its number. */
static bool
review(struct session *s)
{
	int64_t now = loop_now(s->worker->loop), at;
	struct endpoint *e = left_endpoint(s);
	struct leaving_order order;

	if (e == NULL)
		return true;
	endpoint_read_leaving(e, &order);
	if (order.kind != LEAVING_ALL) {
		if (s->relay->departs == DEPARTS_DRAINED)
			stay(s);
		return true;
	}
	if (!binds(e))
		return false;
	at = leaving_time(&order, who_of(key_of(s)));
	tell(s, at > now ? at : now, DEPARTS_DRAINED);
	return true;
}

void
departure_review(struct worker *worker)
{
	int count = 0, first;

	list_each(node, &worker->sessions)
		count += !review(list_entry(node, struct session, node));
	if (count == 0)
		return;
	first = spread(worker, true, 0, count);
	spread(worker, false, first, count);
}

void
departure_come(struct session *s)
{
	struct endpoint *e = relay_endpoint(s);
	struct leaving_order order = { 0 };
	int64_t at;

	if (e != NULL)
		endpoint_read_leaving(e, &order);
	if (order.kind != LEAVING_ALL)
		return;
	at = binds(e) ? leaving_time(&order, who_of(key_of(s))) : order.until;
	/* who comes later was let in as there is no other server */
	if (at <= loop_now(s->worker->loop))
		return;
	s->relay->departs = DEPARTS_DRAINED;
	s->relay->leave_at = at;
}

static bool
is_stray(const struct session *s, struct endpoint *e)
{
	struct roster *roster = service_roster(e->service);
	struct balance_key key = { .user = key_of(s), .full_too = true };
	struct endpoint *wanted = NULL;
	bool is_here;

	if (roster != NULL && key.user.len > 0)
		wanted = roster_pick(roster, s->worker->index, &key);
	is_here = wanted == NULL || wanted == e;
	endpoint_put(&wanted);
	roster_put(&roster);
	return !is_here;
}

bool
departure_is_due(struct endpoint *bound, struct slice key, const struct affinity_binding *binding,
    int64_t now)
{
	struct leaving_order order;
	int64_t at;

	endpoint_read_leaving(bound, &order);
	if (order.kind == LEAVING_NOT)
		return false;
	at = leaving_time(&order, who_of(key));
	if (order.kind == LEAVING_ALL)
		return now >= at;
	return now >= at && now < order.until + RETURN_MS && !binding->is_held;
}

/* The same users on all workers, in all pools. */
static bool
is_chosen_user(const struct session *s, double share)
{
	enum { SHIFT = 16, SCALE = 1 << 16 };

	return (double)((who_of(key_of(s)) >> SHIFT) % SCALE) < share * SCALE;
}

static void
choose(struct session *s, struct departure_part *part, bool quiet, const int64_t *spread_ms)
{
	int64_t now = loop_now(s->worker->loop), at = now;
	struct leaving_order order;

	if (relay_endpoint(s) != part->endpoint || ((relay_look(s) & RELAY_QUIET) != 0) != quiet)
		return;
	if (part->is_bound && !is_stray(s, part->endpoint))
		return;
	part->strays++;
	part->quiet += quiet;
	if (part->is_bound ? !is_chosen_user(s, part->share) : part->chosen >= part->quota)
		return;
	part->chosen++;
	if (spread_ms == NULL)
		return;
	endpoint_read_leaving(part->endpoint, &order);
	if (order.kind == LEAVING_STRAYS)
		at = leaving_time(&order, who_of(key_of(s)));
	else if (part->quota > 0)
		at = now + *spread_ms * (part->chosen - 1) / part->quota;
	tell(s, at > now ? at : now, DEPARTS_SHARED);
}

void
departure_choose(struct worker *worker, struct departure_part *part, const int64_t *spread_ms)
{
	for (int pass = 0; pass < 2; pass++) {
		list_each(node, &worker->sessions) {
			struct session *s = list_entry(node, struct session, node);

			if (s->phase == FRONT_RELAY && s->relay->leave_at == 0)
				choose(s, part, pass == 0, spread_ms);
		}
	}
}
