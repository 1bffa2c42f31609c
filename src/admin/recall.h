/* SPDX-License-Identifier: BSD-2-Clause */
/* recall.h: what an operator has set in a process before this one, set again: deviations.c's. */
#ifndef ADMIN_RECALL_H
#define ADMIN_RECALL_H

#include "admin/cockpit.h"
#include "admin/state_file.h"

enum recall {
	RECALL_DONE,
	RECALL_OVERRULED,		/* the configuration has not what it had then */
	RECALL_NEEDLESS,		/* the configuration says the same now */
	RECALL_LATER,			/* the server has no address yet */
	RECALL_GONE			/* the configuration has no such thing */
};

enum recall recall_set(struct cockpit *cockpit, const struct setting *setting);
/* By its name; NULL: there is none now. */
struct endpoint *recall_find_endpoint(const struct cockpit *cockpit, const char *name,
    const struct pool **pool);

#endif
