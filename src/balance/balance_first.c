/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_first.c: pick the first endpoint of the file that has room, so that the later ones may be idle, or
 * switched off.  A weight or share counts only where it is 0.  Where all are full, those who have to wait do
 * so where the fewest are.
 */
#include "balance/balance.h"
#include "balance/least_loaded.h"

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct balance_key with_room = *key;
	size_t from = 0;

	(void)state;
	with_room.full_too = false;
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];

		if (endpoint_is_usable(e, &with_room) && endpoint_load(e).share > 0)
			return e;
	}
	return key->full_too ? least_loaded(tier, &from, key) : NULL;
}

const struct balancer balance_first = { .name = "first", .pick = pick };
