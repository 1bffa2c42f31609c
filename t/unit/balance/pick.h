/* SPDX-License-Identifier: BSD-2-Clause */
/* pick.h: who is picked of a pool, without a reference. */
#ifndef T_UNIT_BALANCE_PICK_H
#define T_UNIT_BALANCE_PICK_H

#include "balance/balance.h"

static inline struct endpoint *
pick_of(const struct pool *pool, int worker, const struct balance_key *key)
{
	struct endpoint *e = pool_pick(pool, worker, key);
	struct endpoint *picked = e;

	endpoint_put(&e);
	return picked;
}

#endif
