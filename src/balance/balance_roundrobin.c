/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_roundrobin.c: endpoints in turn, each as often as its weight says,
 * and evenly spread: of weights 5, 1, 1 the turns are a b a a c a a.
 *
 * Each worker has a virtual clock; one ROUND of it is as many picks as the usable weights add up to.  An
 * endpoint is due once a ROUND / weight; of those that are due the one whose time is up first has its turn.
 */
#include "balance/balance.h"
#include "base/xalloc.h"

#define ROUND (UINT64_C(1) << 48)

struct turn {
	uint64_t last;		/* when it was due at its last turn */
	bool is_away;		/* was not usable at the last pick */
};

struct balance_state {
	uint64_t now;		/* wraps around; times are compared by is_before */
	int skip;		/* turns to leave out, so that the workers do not run in step */
	struct turn turns[];
};

struct candidate {
	size_t i;		/* in tier->endpoints */
	uint64_t due, end;
};

static bool
is_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* When the endpoint is due: neither absence nor a weight that has grown saves up turns for a burst. */
static uint64_t
due_at(const struct turn *turn, uint64_t now, uint64_t share)
{
	uint64_t due = turn->last + share;

	if (turn->is_away)
		return now;
	return is_before(due, now - share) ? now - share : due;
}

/* Those that are due go first, by the end of their time; else it is whoever is due next. */
static bool
is_sooner(const struct candidate *a, const struct candidate *b, uint64_t now)
{
	bool a_is_due = !is_before(now, a->due), b_is_due = !is_before(now, b->due);

	if (a_is_due != b_is_due)
		return a_is_due;
	return a_is_due ? is_before(a->end, b->end) : is_before(a->due, b->due);
}

static struct endpoint *
take_turn(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct candidate best = { .i = SIZE_MAX };
	uint64_t weights = 0;

	for (size_t i = 0; i < tier->count; i++) {
		struct turn *turn = &state->turns[i];
		struct candidate candidate = { .i = i };
		int weight = endpoint_load(tier->endpoints[i]).share;
		uint64_t share;

		if (weight == 0 || !endpoint_is_usable(tier->endpoints[i], key)) {
			turn->is_away = true;
			continue;
		}
		share = ROUND / (uint64_t)weight;
		candidate.due = due_at(turn, state->now, share);
		candidate.end = candidate.due + share;
		turn->last = candidate.due - share;
		turn->is_away = false;
		weights += (uint64_t)weight;
		if (best.i == SIZE_MAX || is_sooner(&candidate, &best, state->now))
			best = candidate;
	}
	if (best.i == SIZE_MAX)
		return NULL;
	state->turns[best.i].last = best.due;
	if (is_before(state->now, best.due))	/* nobody was due: the clock need not wait */
		state->now = best.due;
	state->now += ROUND / weights;
	return tier->endpoints[best.i];
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	static const struct balance_key any = { .full_too = true };

	for (; state->skip > 0; state->skip--)
		take_turn(tier, state, &any);
	return take_turn(tier, state, key);
}

static struct balance_state *
new_state(const struct tier *tier, int worker)
{
	struct balance_state *state;

	state = xcalloc(1, sizeof(*state) + tier->count * sizeof(state->turns[0]));
	state->skip = worker;
	for (size_t i = 0; i < tier->count; i++)
		state->turns[i].is_away = true;		/* all are due now */
	return state;
}

const struct balancer balance_roundrobin = { .name = "roundrobin", .pick = pick, .new_state = new_state };
