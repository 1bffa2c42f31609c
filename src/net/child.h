/* SPDX-License-Identifier: BSD-2-Clause */
/* child.h: a program that runs beside a loop, for a while at most. */
#ifndef NET_CHILD_H
#define NET_CHILD_H

#include <sys/types.h>

#include "base/error.h"
#include "net/loop.h"

struct child {				/* embedded in its owner; zero but for these two */
	/* Once for each child_start that was true: as waitpid has it; it was killed where it is_late. */
	void (*on_end)(struct child *child, int status, bool is_late);
	struct loop *loop;

	struct loop_io io;		/* while it runs, as what follows */
	struct loop_timer timer;
	pid_t pid;
	int fd;
	bool is_late;
};

/*
 * argv[0] is the program's path; `more` (up to a NULL) comes to this process's environment.  It reads and
 * writes nothing but to standard error.
 */
bool child_start(struct child *child, const char *const *argv, char *const *more, int64_t timeout_ms,
    struct error *error);
void child_kill(struct child *child);	/* with all that it has started; fine where nothing runs */

#endif
