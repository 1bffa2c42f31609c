/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rendezvous.c: a server's hash h, a fraction of 1, is drawn anew for each key, and the smallest
 * -log2(h) / weight wins.  The logarithm is one of integers: a libm's last bit may differ from machine to
 * machine.  It takes its time, so most servers are ruled out by a bound of it.
 */
#include "balance/rendezvous.h"

#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum { FRACTION_BITS = 32, MANTISSA_BITS = 31 };

struct place {
	struct endpoint *e;
	uint64_t hash, weight;
};

struct balance_state {
	unsigned changes;		/* the service's, when the places were made */
	bool is_made;
	size_t count;
	struct place places[];		/* of who has a weight */
};

struct score {
	uint64_t distance;		/* -log2 of the hash */
	uint64_t weight;
};

/* h as mantissa / 2^(zeros + 1), 1 <= mantissa < 2 with MANTISSA_BITS behind the point; h is not 0. */
static uint64_t
mantissa_of(uint64_t h, uint64_t *zeros)
{
	*zeros = (uint64_t)__builtin_clzll(h);
	return h << *zeros >> (63 - MANTISSA_BITS);
}

/* -log2(h / 2^64) with FRACTION_BITS behind the point. */
static uint64_t
negative_log2(uint64_t h)
{
	uint64_t zeros, mantissa = mantissa_of(h, &zeros), fraction = 0;

	/* log2 bit by bit: squaring doubles the logarithm, and what reaches 2 is a 1 before the point */
	for (int i = 0; i < FRACTION_BITS; i++) {
		uint64_t square = mantissa * mantissa >> MANTISSA_BITS;
		uint64_t bit = square >> (MANTISSA_BITS + 1);

		mantissa = square >> bit;
		fraction = fraction << 1 | bit;
	}
	return ((zeros + 1) << FRACTION_BITS) - fraction;
}

/* Never more than negative_log2: a concave curve is below its tangent, here that at 2, where winners are. */
static uint64_t
lower_bound(uint64_t h)
{
	const uint64_t slope = UINT64_C(3098164009);	/* 1 / (2 ln 2), with 32 bits behind the point */
	uint64_t zeros, mantissa = mantissa_of(h, &zeros);
	uint64_t below_two = ((UINT64_C(2) << MANTISSA_BITS) - mantissa) << (FRACTION_BITS - MANTISSA_BITS);

	return (zeros << FRACTION_BITS) + (below_two * slope >> 32);
}

/* a before b; 0: they are equal. */
static int64_t
compare(const struct score *a, const struct score *b)
{
	return (int64_t)(a->distance * b->weight - b->distance * a->weight);
}

static void
make_places(const struct tier *tier, struct balance_state *state)
{
	unsigned changes = service_changes(tier->endpoints[0]->service);

	if (state->is_made && state->changes == changes)
		return;
	state->is_made = true;
	state->changes = changes;
	state->count = 0;
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];
		int weight = endpoint_weight(e);

		if (weight > 0)
			state->places[state->count++] =
			    (struct place){ e, e->machine->hash, (uint64_t)weight };
	}
}

struct endpoint *
rendezvous_pick(const struct tier *tier, struct balance_state *state, struct slice key,
    bool (*will_do)(struct endpoint *e, void *arg), void *arg)
{
	const struct place *best = NULL;
	struct score best_score = { 0 };

	make_places(tier, state);
	for (size_t i = 0; i < state->count; i++) {
		const struct place *place = &state->places[i];
		uint64_t hash = hash_bytes(key.data, key.len, place->hash) | 1;
		struct score score = { lower_bound(hash), place->weight };
		int64_t order;

		if (best != NULL && compare(&score, &best_score) > 0)
			continue;
		score.distance = negative_log2(hash);
		order = best != NULL ? compare(&score, &best_score) : -1;
		if (order > 0 || (order == 0 && strcmp(place->e->server, best->e->server) > 0))
			continue;
		if (!will_do(place->e, arg))
			continue;
		best = place;
		best_score = score;
	}
	return best != NULL ? best->e : NULL;
}

struct balance_state *
rendezvous_new(const struct tier *tier, int worker)
{
	struct balance_state *state = xcalloc(1, sizeof(*state) + tier->count * sizeof(state->places[0]));

	(void)worker;
	return state;
}
