/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * background.h: the way into the background: the caller of gatepost gets its
 * prompt back when the service is ready, or its errors and their status.
 */
#ifndef DAEMON_BACKGROUND_H
#define DAEMON_BACKGROUND_H

#include <stdbool.h>

#include "base/error.h"

/* Standard descriptors that are closed get /dev/null, before anything else could get their numbers. */
void background_fill_standard(void);

/*
 * Forks.  The parent never returns: it exits as the child tells.  The child
 * has a session of its own, works in /, and still has the standard error of
 * its parent.
 */
bool background_enter(struct error *error);
/* The child is ready: its parent exits with 0, nothing of the terminal is kept.  No-op in the foreground. */
void background_ready(void);

#endif
