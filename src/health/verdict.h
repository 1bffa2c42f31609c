/* SPDX-License-Identifier: BSD-2-Clause */
/* verdict.h: rise and fall: what checks that are good or not, one after the other, say of a server. */
#ifndef HEALTH_VERDICT_H
#define HEALTH_VERDICT_H

#include <stdbool.h>

#include "balance/endpoint_state.h"

/* Zero to begin with: nothing is known. */
struct verdict {
	enum health_state state;	/* UNKNOWN, UP or DOWN */
	int streak;			/* of checks that speak for another state */
};

/*
 * One more check.  From unknown, one that is good is enough to be up; down takes `fall` that failed, whatever
 * it was before, and up again `rise` that are good.  True: the state is another.
 */
bool verdict_add(struct verdict *verdict, bool is_good, int rise, int fall);
/* On the way to another state: passed of wanted checks; wanted 0: it is stable. */
void verdict_progress(const struct verdict *verdict, int rise, int fall, int *passed, int *wanted);

#endif
