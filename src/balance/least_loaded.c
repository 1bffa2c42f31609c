/* SPDX-License-Identifier: BSD-2-Clause */
/* least_loaded.c: loads compared, and the walk that finds the least. */
#include "balance/least_loaded.h"

bool
load_is_less(const struct load *a, const struct load *b)
{
	/* a/sa < b/sb, cross-multiplied */
	return (int64_t)a->connections * b->share < (int64_t)b->connections * a->share;
}

struct endpoint *
least_loaded(const struct tier *tier, size_t *from, const struct balance_key *key)
{
	struct endpoint *best = NULL;
	struct load best_load = { 0 };
	size_t next = *from < tier->count ? *from : 0;

	for (size_t n = 0; n < tier->count; n++) {
		struct endpoint *e = tier->endpoints[next];
		struct load load = endpoint_load(e);	/* atomics, read once */

		next = next + 1 < tier->count ? next + 1 : 0;
		if (load.share == 0 || (best != NULL && !load_is_less(&load, &best_load)) ||
		    !endpoint_is_usable(e, key))
			continue;
		best = e;
		best_load = load;
		*from = next;
	}
	return best;
}
