/* SPDX-License-Identifier: BSD-2-Clause */
/* drain.h: the way to the end: waiting, accepting nobody, telling sessions to go, stopping. */
#ifndef DAEMON_DRAIN_H
#define DAEMON_DRAIN_H

#include "daemon/control.h"

void drain_init(struct control *control);
void drain_begin(struct control *control);		/* a second call: sessions are told to go at once */
void drain_stop(struct control *control);		/* ends all at once; control's loop returns */
void drain_worker_empty(struct worker *worker);		/* for worker_new; the owner is the control */

#endif
