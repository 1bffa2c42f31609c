/* SPDX-License-Identifier: BSD-2-Clause */
/* overload.h: once a second, and when a client has to wait for a place, stress (stress.h) is judged. */
#ifndef DAEMON_OVERLOAD_H
#define DAEMON_OVERLOAD_H

#include "daemon/control.h"

struct overload;

struct overload *overload_new(struct control *control);		/* looks from now on */
void overload_free(struct overload **overload);
void overload_worker_full(struct worker *worker);	/* for a worker's on_full; the owner is the control */

#endif
