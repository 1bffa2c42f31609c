/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_roundrobin.c: endpoints in turn, each as often as its share says,
 * and evenly spread: of weights 5, 1, 1 the turns are a b a a c a a.
 *
 * Each worker has a virtual clock; one ROUND of it is as many picks as the shares add up to.  An endpoint is
 * due once a period, ROUND / share; of those that are due the one whose period ends first has its turn.  Who
 * cannot use it begins a new period: neither absence nor a share that has grown saves up turns for a burst.
 */
#include "balance/balance.h"
#include "balance/turn_heap.h"
#include "base/xalloc.h"

#define ROUND (UINT64_C(1) << 48)

enum { PASSED_MAX = 16 };	/* that could not use their turn at one pick; then all are looked at */

struct turn {
	uint64_t period;	/* 0: has none, no share or is down */
	uint64_t due;
};

struct balance_state {
	uint64_t now;		/* wraps around */
	uint64_t step;		/* of the clock, at a pick */
	unsigned changes;	/* the service's, when the periods were made */
	bool is_made, is_down;	/* nobody of the tier is up: all have their turns */
	int skip;		/* turns to leave out, so that the workers do not run in step */
	struct turn_heap waiting;	/* by when they are due */
	struct turn_heap due;		/* by when their period ends */
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
enlist_all(const struct tier *tier, struct balance_state *state)
{
	state->waiting.count = state->due.count = 0;
	for (size_t i = 0; i < tier->count; i++)
		if (state->turns[i].period > 0)
			enlist(state, i);
}

static void
set_period(struct turn *turn, uint64_t now, uint64_t period)
{
	if (turn->period == 0)
		turn->due = now;
	else
		turn->due += period - turn->period;
	if (period > 0 && time_is_before(turn->due, now - period))
		turn->due = now - period;
	turn->period = period;
}

static void
make_periods(const struct tier *tier, struct balance_state *state)
{
	unsigned changes = service_changes(tier->endpoints[0]->service);
	uint64_t shares = 0;

	if (state->is_made && state->changes == changes)
		return;
	state->is_made = true;
	state->changes = changes;
	state->is_down = tier_is_down(tier);
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];
		uint64_t share = (uint64_t)endpoint_load(e).share;

		if (endpoint_is_down(e) && !state->is_down)
			share = 0;
		set_period(&state->turns[i], state->now, share > 0 ? ROUND / share : 0);
		shares += share;
	}
	state->step = shares > 0 ? ROUND / shares : 0;
	enlist_all(tier, state);
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

/* Who was not looked at for long, since others could not use theirs either, has saved up no turns. */
static void
give_turn(struct balance_state *state, size_t i)
{
	struct turn *turn = &state->turns[i];

	if (time_is_before(state->now, turn->due))
		state->now = turn->due;
	if (time_is_before(turn->due, state->now - turn->period))
		turn->due = state->now - turn->period;
	turn->due += turn->period;
	state->now += state->step;
}

/* Those that are due go first, by the end of their period; else it is whoever is due next. */
static bool
is_sooner(const struct turn *a, const struct turn *b, uint64_t now)
{
	bool a_is_due = !time_is_before(now, a->due), b_is_due = !time_is_before(now, b->due);

	if (a_is_due != b_is_due)
		return a_is_due;
	return a_is_due ? time_is_before(a->due + a->period, b->due + b->period)
			: time_is_before(a->due, b->due);
}

/* SIZE_MAX: nobody can use it. */
static size_t
find_in_all(const struct tier *tier, const struct balance_state *state, const struct balance_key *key)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < tier->count; i++) {
		const struct turn *turn = &state->turns[i];

		if (turn->period == 0 ||
		    (best != SIZE_MAX && !is_sooner(turn, &state->turns[best], state->now)))
			continue;
		if (endpoint_is_usable(tier->endpoints[i], key))
			best = i;
	}
	return best;
}

/* Where nobody can use a turn, all keep theirs. */
static struct endpoint *
take_turn(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	size_t passed[PASSED_MAX], count = 0, taken = SIZE_MAX;
	uint64_t began = state->now;

	for (ripen(state); state->due.count > 0 && count < PASSED_MAX; ripen(state)) {
		taken = turn_heap_pop(&state->due);
		if (endpoint_is_usable(tier->endpoints[taken], key))
			break;
		passed[count++] = taken;
		taken = SIZE_MAX;
	}
	if (taken == SIZE_MAX)
		state->now = began;
	if (count == PASSED_MAX)
		taken = find_in_all(tier, state, key);
	if (taken != SIZE_MAX)
		give_turn(state, taken);
	for (size_t n = 0; n < count && taken != SIZE_MAX; n++)
		state->turns[passed[n]].due = state->now;
	if (count == PASSED_MAX) {
		enlist_all(tier, state);
	} else {
		for (size_t n = 0; n < count; n++)
			enlist(state, passed[n]);
		if (taken != SIZE_MAX)
			enlist(state, taken);
	}
	return taken != SIZE_MAX ? tier->endpoints[taken] : NULL;
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	static const struct balance_key any = { .full_too = true, .down_too = true };

	make_periods(tier, state);
	if (state->is_down && !key->down_too)
		return NULL;
	for (; state->skip > 0; state->skip--)
		take_turn(tier, state, &any);
	return take_turn(tier, state, key);
}

static struct balance_state *
new_state(const struct tier *tier, int worker)
{
	const size_t turn_size = sizeof(struct turn) + 2 * sizeof(struct turn_heap_entry);
	struct balance_state *state = xcalloc(1, sizeof(*state) + tier->count * turn_size);

	state->skip = worker;
	state->waiting.entries = (struct turn_heap_entry *)&state->turns[tier->count];
	state->due.entries = state->waiting.entries + tier->count;
	return state;
}

const struct balancer balance_roundrobin = { .name = "roundrobin", .pick = pick, .new_state = new_state };
