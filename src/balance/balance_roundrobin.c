/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_roundrobin.c: endpoints in turn, each as often as its share says,
 * and evenly spread: of weights 5, 1, 1 the turns are a b a a c a a.
 *
 * Each worker has a virtual clock; one ROUND of it is as many picks as the shares add up to.  An endpoint is
 * due once a period, ROUND / share; of those that are due the one whose period ends first has its turn.  Who
 * cannot use it stands aside, and a few of these are looked at again at each pick.  Neither absence nor a
 * share that has grown saves up turns for a burst.
 */
#include "balance/balance.h"
#include "balance/turn_heap.h"
#include "base/xalloc.h"

#define ROUND (UINT64_C(1) << 48)

enum { SECOND_LOOKS = 4 };

struct turn {
	uint64_t share;		/* 0: has no turns, since it has no share or is down */
	uint64_t period;
	uint64_t due;
};

struct balance_state {
	uint64_t now;		/* wraps around */
	uint64_t shares;	/* of those in the heaps */
	unsigned changes;	/* the service's, when the shares were read */
	bool is_made, is_down;	/* nobody of the tier is up: all have their turns */
	int skip;		/* turns to leave out, so that the workers do not run in step */
	struct turn_heap waiting;	/* by when they are due */
	struct turn_heap due;		/* by when their period ends */
	size_t *aside;			/* not in the heaps: were full or tried, or broke a promise */
	size_t aside_count, next_look;
	struct turn turns[];		/* as tier->endpoints */
};

static void
enlist(struct balance_state *state, size_t i)
{
	const struct turn *turn = &state->turns[i];

	if (time_is_before(state->now, turn->due))
		turn_heap_push(&state->waiting, turn->due, i);
	else
		turn_heap_push(&state->due, turn->due + turn->period, i);
}

static void
set_share(struct turn *turn, uint64_t now, uint64_t share)
{
	uint64_t period = share > 0 ? ROUND / share : 0;

	if (turn->share == 0)
		turn->due = now;
	else
		turn->due += period - turn->period;
	if (time_is_before(turn->due, now - period))
		turn->due = now - period;
	turn->share = share;
	turn->period = period;
}

static void
read_shares(const struct tier *tier, struct balance_state *state)
{
	unsigned changes = service_changes(tier->endpoints[0]->service);

	if (state->is_made && state->changes == changes)
		return;
	state->is_made = true;
	state->changes = changes;
	state->is_down = tier_is_down(tier);
	state->shares = state->aside_count = state->waiting.count = state->due.count = 0;
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];
		bool has_turns = state->is_down || !endpoint_is_down(e);

		set_share(&state->turns[i], state->now, has_turns ? (uint64_t)endpoint_load(e).share : 0);
		state->shares += state->turns[i].share;
		if (state->turns[i].share > 0)
			enlist(state, i);
	}
}

/* Moves on who has become due; where nobody is, the clock need not wait. */
static void
ripen(struct balance_state *state)
{
	if (state->due.count == 0 && state->waiting.count > 0 &&
	    time_is_before(state->now, state->waiting.entries[0].time))
		state->now = state->waiting.entries[0].time;
	while (state->waiting.count > 0 && !time_is_before(state->now, state->waiting.entries[0].time))
		enlist(state, turn_heap_pop(&state->waiting));
}

static void
stand_aside(struct balance_state *state, size_t i)
{
	state->aside[state->aside_count++] = i;
	state->shares -= state->turns[i].share;
}

static void
look_again(const struct tier *tier, struct balance_state *state, const struct balance_key *key, size_t most)
{
	for (; most > 0 && state->aside_count > 0; most--) {
		size_t at = state->next_look < state->aside_count ? state->next_look : 0;
		size_t i = state->aside[at];
		struct turn *turn = &state->turns[i];

		state->next_look = at + 1;
		if (!endpoint_is_usable(tier->endpoints[i], key))
			continue;
		state->next_look = at;
		state->aside[at] = state->aside[--state->aside_count];
		state->shares += turn->share;
		if (time_is_before(turn->due, state->now))
			turn->due = state->now;
		enlist(state, i);
	}
}

/* SIZE_MAX: nobody in the heaps is usable, and all stand aside now. */
static size_t
next_usable(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	uint64_t began = state->now;

	for (ripen(state); state->due.count > 0; ripen(state)) {
		size_t i = turn_heap_pop(&state->due);

		if (endpoint_is_usable(tier->endpoints[i], key))
			return i;
		stand_aside(state, i);
	}
	state->now = began;
	return SIZE_MAX;
}

static struct endpoint *
take_turn(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	size_t i;

	look_again(tier, state, key, SECOND_LOOKS);
	i = next_usable(tier, state, key);
	if (i == SIZE_MAX) {
		look_again(tier, state, key, state->aside_count);
		i = next_usable(tier, state, key);
	}
	if (i == SIZE_MAX)
		return NULL;
	state->now += ROUND / state->shares;
	state->turns[i].due += state->turns[i].period;
	enlist(state, i);
	return tier->endpoints[i];
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	static const struct balance_key any = { .full_too = true, .down_too = true };

	read_shares(tier, state);
	if (state->is_down && !key->down_too)
		return NULL;
	for (; state->skip > 0; state->skip--)
		take_turn(tier, state, &any);
	return take_turn(tier, state, key);
}

static struct balance_state *
new_state(const struct tier *tier, int worker)
{
	const size_t turn_size = sizeof(struct turn) + 2 * sizeof(struct turn_heap_entry) + sizeof(size_t);
	struct balance_state *state = xcalloc(1, sizeof(*state) + tier->count * turn_size);

	state->skip = worker;
	state->waiting.entries = (struct turn_heap_entry *)&state->turns[tier->count];
	state->due.entries = state->waiting.entries + tier->count;
	state->aside = (size_t *)(state->due.entries + tier->count);
	return state;
}

const struct balancer balance_roundrobin = { .name = "roundrobin", .pick = pick, .new_state = new_state };
