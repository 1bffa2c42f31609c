/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_trouble.h: what Redis refuses: in the log with what helps, each kind once a minute at most. */
#ifndef STATE_CLUSTER_TROUBLE_H
#define STATE_CLUSTER_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { CLUSTER_TROUBLES_MAX = 13 };

struct cluster_troubles {		/* zero at first */
	_Atomic int64_t silent_until[CLUSTER_TROUBLES_MAX];
};

/*
 * what: the script or command.  text: Redis' error, or why there is no answer; of the latter what the
 * connection has logged is not told again.  prefix: of our keys.  From any thread.
 */
void cluster_trouble(struct cluster_troubles *troubles, const char *what, struct slice text,
    const char *prefix);

#endif
