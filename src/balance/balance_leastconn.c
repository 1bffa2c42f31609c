/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_leastconn.c: pick the usable endpoint with the fewest connections for its share.  Equal ones take
 * turns, so that short sessions, which never meet another one, do not all go to the first.
 */
#include "balance/balance.h"
#include "balance/least_loaded.h"
#include "base/xalloc.h"

struct balance_state {
	size_t next;		/* in tier->endpoints */
};

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	return least_loaded(tier, &state->next, key);
}

static struct balance_state *
new_state(const struct tier *tier, int worker)
{
	struct balance_state *state = xcalloc(1, sizeof(*state));

	state->next = (size_t)worker % tier->count;
	return state;
}

const struct balancer balance_leastconn = { .name = "leastconn", .pick = pick, .new_state = new_state };
