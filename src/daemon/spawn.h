/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.h: another process of gatepost, that finds a channel to this one (handover.h). */
#ifndef DAEMON_SPAWN_H
#define DAEMON_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct spawned {
	pid_t pid;
	int channel;
	int output;		/* what it writes to standard error; not blocking */
};

/*
 * The program that this process was started as, as a path that is good in any folder; xfree.  What that path
 * leads to may be another file later.
 */
char *spawn_find_self(void);
/* argv[0] is the path; it may open low ports if this process may. */
bool spawn(const char *const argv[], struct spawned *spawned, struct error *error);

#endif
