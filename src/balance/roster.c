/* SPDX-License-Identifier: BSD-2-Clause */
/* roster.c: endpoints sorted into tiers, and which tier a session is for. */
#include "balance/roster.h"

#include <string.h>

#include "balance/balance.h"
#include "base/xalloc.h"

/* The next tier behind `after`; false: there is none. */
static bool
next_tier(const struct roster_member *members, size_t count, int64_t after, int *tier)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (members[i].tier <= after || (found && members[i].tier >= *tier))
			continue;
		*tier = members[i].tier;
		found = true;
	}
	return found;
}

static void
fill_tier(struct roster *roster, struct tier *tier, const struct roster_member *members, size_t count,
    int number)
{
	tier->roster = roster;
	tier->endpoints = roster->endpoints + roster->count;
	for (size_t i = 0; i < count; i++) {
		if (members[i].tier != number)
			continue;
		roster->endpoints[roster->count++] = endpoint_get(members[i].endpoint);
		tier->count++;
	}
	if (roster->balancer->new_state == NULL)
		return;
	tier->states = xcalloc((size_t)roster->threads, sizeof(struct balance_state *));
	for (int i = 0; i < roster->threads; i++)
		tier->states[i] = roster->balancer->new_state(tier, i);
}

struct roster *
roster_new(const struct balancer *balancer, const struct roster_member *members, size_t count, int threads)
{
	struct roster *roster = xcalloc(1, sizeof(*roster));
	int64_t after = INT64_MIN;

	atomic_init(&roster->references, 1);
	roster->balancer = balancer;
	roster->threads = threads;
	roster->endpoints = xcalloc(count, sizeof(struct endpoint *));
	roster->tiers = xcalloc(count, sizeof(roster->tiers[0]));
	for (int tier = 0; next_tier(members, count, after, &tier); after = tier)
		fill_tier(roster, &roster->tiers[roster->tier_count++], members, count, tier);
	return roster;
}

struct roster *
roster_get(struct roster *roster)
{
	atomic_fetch_add_explicit(&roster->references, 1, memory_order_relaxed);
	return roster;
}

void
roster_put(struct roster **roster)
{
	struct roster *gone = *roster;

	*roster = NULL;
	if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < gone->tier_count; i++) {
		for (int j = 0; gone->tiers[i].states != NULL && j < gone->threads; j++)
			xfree(gone->tiers[i].states[j]);
		xfree(gone->tiers[i].states);
	}
	for (size_t i = 0; i < gone->count; i++)
		endpoint_put(&gone->endpoints[i]);
	xfree(gone->tiers);
	xfree(gone->endpoints);
	xfree(gone);
}

struct endpoint *
roster_find(const struct roster *roster, const char *server)
{
	for (size_t i = 0; i < roster->count; i++)
		if (strcmp(roster->endpoints[i]->server, server) == 0)
			return endpoint_get(roster->endpoints[i]);
	return NULL;
}

bool
tier_is_down(const struct tier *tier)
{
	for (size_t i = 0; i < tier->count; i++)
		if (endpoint_load(tier->endpoints[i]).share > 0 && !endpoint_is_down(tier->endpoints[i]))
			return false;
	return true;
}

/* Would the balancer choose it, if it had room?  Hashes go by the weight alone. */
static bool
would_do(const struct roster *roster, struct endpoint *e, const struct balance_key *key)
{
	struct balance_key full_too = *key;

	full_too.full_too = true;
	return endpoint_is_usable(e, &full_too) && (roster->balancer->hashes || endpoint_load(e).share > 0);
}

/*
 * Backups are for those who are down, or dead to whoever tries: is there anybody else?  The balancer is not
 * asked: its turn would go to nobody.
 */
static bool
is_alive(const struct roster *roster, const struct tier *tier, const struct balance_key *key)
{
	struct balance_key alive_only = *key;

	alive_only.alive_only = true;
	for (size_t i = 0; i < tier->count; i++)
		if (would_do(roster, tier->endpoints[i], &alive_only))
			return true;
	return false;
}

/* Who only looks has no turn, and a balancer without memory for it. */
static struct endpoint *
pick_to_look(const struct roster *roster, const struct tier *tier, const struct balance_key *key)
{
	struct balance_state *state = NULL;
	struct endpoint *e;

	if (roster->balancer->new_state != NULL)
		state = roster->balancer->new_state(tier, 0);
	e = roster->balancer->pick(tier, state, key);
	xfree(state);
	return e;
}

static struct endpoint *
pick_of_tier(const struct roster *roster, const struct tier *tier, int worker, const struct balance_key *key)
{
	if (worker == ROSTER_TO_LOOK)
		return pick_to_look(roster, tier, key);
	return roster->balancer->pick(tier, tier->states != NULL ? tier->states[worker] : NULL, key);
}

static struct endpoint *
pick(const struct roster *roster, int worker, const struct balance_key *key)
{
	for (size_t i = 0; i < roster->tier_count; i++) {
		const struct tier *tier = &roster->tiers[i];
		struct endpoint *e = pick_of_tier(roster, tier, worker, key);

		if (e != NULL)
			return endpoint_get(e);
		if (!key->full_too && is_alive(roster, tier, key))
			break;
	}
	return NULL;
}

static bool
is_anybody_up(const struct roster *roster)
{
	for (size_t i = 0; i < roster->count; i++)
		if (endpoint_weight(roster->endpoints[i]) > 0 && !endpoint_is_down(roster->endpoints[i]))
			return true;
	return false;
}

bool
roster_panics(const struct roster *roster)
{
	return roster->may_panic && !is_anybody_up(roster);
}

struct endpoint *
roster_pick(const struct roster *roster, int worker, const struct balance_key *key)
{
	struct endpoint *e = pick(roster, worker, key);
	struct balance_key panic = *key;

	if (e != NULL || !roster_panics(roster))
		return e;
	panic.down_too = true;
	return pick(roster, worker, &panic);
}

bool
roster_has(const struct roster *roster, const struct endpoint *e)
{
	for (size_t i = 0; i < roster->count; i++)
		if (roster->endpoints[i] == e)
			return true;
	return false;
}

static bool
has_member(const struct tier *tier, const struct endpoint *e)
{
	for (size_t i = 0; i < tier->count; i++)
		if (tier->endpoints[i] == e)
			return true;
	return false;
}

bool
roster_may_pick(const struct roster *roster, struct endpoint *e, const struct balance_key *key)
{
	struct balance_key offered = *key;

	/* it would not be offered, did the roster not panic */
	offered.down_too = endpoint_is_down(e);
	if (!would_do(roster, e, &offered))
		return false;
	for (size_t i = 0; i < roster->tier_count; i++) {
		if (has_member(&roster->tiers[i], e))
			return true;
		if (is_alive(roster, &roster->tiers[i], &offered))
			break;
	}
	return false;
}
