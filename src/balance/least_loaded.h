/* SPDX-License-Identifier: BSD-2-Clause */
/* least_loaded.h: who has the fewest connections for its share. */
#ifndef BALANCE_LEAST_LOADED_H
#define BALANCE_LEAST_LOADED_H

#include "balance/balance.h"

bool load_is_less(const struct load *a, const struct load *b);		/* of shares that are not 0 */
/*
 * The least loaded of those that are usable and have a share; of equal ones the first from *from on, which
 * then stands behind it.  A walk over all of the tier.
 */
struct endpoint *least_loaded(const struct tier *tier, size_t *from, const struct balance_key *key);

#endif
