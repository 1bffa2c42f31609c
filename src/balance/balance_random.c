/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_random.c: of two endpoints drawn by their shares, pick the one with fewer connections for its
 * share: nearly as even as asking all, and those who do not know of each other (workers, proxies) do not all
 * run to the same idle one.
 *
 * Each worker has the sums of the shares up to each endpoint, and makes them anew when one has changed.
 */
#include "balance/balance.h"
#include "balance/least_loaded.h"
#include "base/random.h"
#include "base/xalloc.h"

enum { DRAWS = 16 };		/* for two that are usable; then all are looked at */

struct ticket {
	uint64_t end;		/* those before it, and its own share */
	struct endpoint *e;
};

struct balance_state {
	uint64_t random;
	unsigned changes;	/* the service's, when the tickets were made */
	bool is_made, is_down;	/* nobody of the tier is up: the tickets are of all */
	size_t count;
	struct ticket tickets[];
};

static void
make_tickets(const struct tier *tier, struct balance_state *state)
{
	unsigned changes = service_changes(tier->endpoints[0]->service);
	uint64_t end = 0;

	if (state->is_made && state->changes == changes)
		return;
	state->is_made = true;
	state->changes = changes;
	state->is_down = tier_is_down(tier);
	state->count = 0;
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];
		int share = endpoint_load(e).share;

		if (share == 0 || (endpoint_is_down(e) && !state->is_down))
			continue;
		end += (uint64_t)share;
		state->tickets[state->count++] = (struct ticket){ end, e };
	}
}

/* splitmix64: an attacker may know it, who then chooses among servers that all serve alike. */
static uint64_t
next_random(struct balance_state *state)
{
	uint64_t z = state->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static struct endpoint *
draw(struct balance_state *state)
{
	/* the sum of the shares is so far below 2^64 that the remainder's chances are even */
	uint64_t drawn = next_random(state) % state->tickets[state->count - 1].end;
	size_t from = 0, n = state->count;

	while (n > 1) {
		size_t half = n / 2;

		from += state->tickets[from + half - 1].end <= drawn ? half : 0;
		n -= half;
	}
	return state->tickets[from].e;
}

static struct endpoint *
less_loaded(struct endpoint *a, struct endpoint *b)
{
	struct load load_a = endpoint_load(a), load_b = endpoint_load(b);

	return load_is_less(&load_b, &load_a) ? b : a;
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct endpoint *best = NULL;
	size_t from;

	make_tickets(tier, state);
	if (state->count == 0 || (state->is_down && !key->down_too))
		return NULL;
	for (int i = 0; i < DRAWS; i++) {
		struct endpoint *e = draw(state);

		if (e == best || !endpoint_is_usable(e, key))
			continue;
		if (best != NULL)
			return less_loaded(best, e);
		best = e;
	}
	from = next_random(state) % tier->count;
	return best != NULL ? best : least_loaded(tier, &from, key);
}

static struct balance_state *
new_state(const struct tier *tier, int worker)
{
	struct balance_state *state = xcalloc(1, sizeof(*state) + tier->count * sizeof(state->tickets[0]));

	(void)worker;
	state->random = random_number();
	return state;
}

const struct balancer balance_random = { .name = "random", .pick = pick, .new_state = new_state };
