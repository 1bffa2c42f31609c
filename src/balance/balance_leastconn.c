/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_leastconn.c: pick the usable endpoint with the fewest
 * connections for its weight; the earlier one on a tie.  Keeps no state of its own.
 */
#include "balance/balance.h"

static bool
is_less_loaded(const struct load *a, const struct load *b)
{
	/* a/wa < b/wb, cross-multiplied: a usable endpoint's weight is not 0 */
	return (int64_t)a->connections * b->weight < (int64_t)b->connections * a->weight;
}

static struct endpoint *
pick(const struct pool *pool, struct balance_state *state, const struct balance_key *key)
{
	struct endpoint *best = NULL;
	struct load best_load = { 0 };

	(void)state;
	for (size_t i = 0; i < pool->endpoint_count; i++) {
		struct endpoint *e = pool->endpoints[i];
		struct load load;

		if (!endpoint_is_usable(e, key))
			continue;
		load = endpoint_load(e);
		if (best == NULL || is_less_loaded(&load, &best_load)) {
			best = e;
			best_load = load;
		}
	}
	return best;
}

const struct balancer balance_leastconn = { .name = "leastconn", .pick = pick };
