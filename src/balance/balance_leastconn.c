/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_leastconn.c: pick the usable endpoint with the fewest
 * connections for its weight; the earlier one on a tie.  Keeps no state of its own.
 */
#include "balance/balance.h"

static bool
is_less_loaded(const struct load *a, const struct load *b)
{
	/* a/sa < b/sb, cross-multiplied: a usable endpoint's share is not 0 */
	return (int64_t)a->connections * b->share < (int64_t)b->connections * a->share;
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct endpoint *best = NULL;
	struct load best_load = { 0 };

	(void)state;
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];
		struct load load;

		if (!endpoint_is_usable(e, key))
			continue;
		load = endpoint_load(e);
		if (load.share == 0)
			continue;
		if (best == NULL || is_less_loaded(&load, &best_load)) {
			best = e;
			best_load = load;
		}
	}
	return best;
}

const struct balancer balance_leastconn = { .name = "leastconn", .pick = pick };
