/* SPDX-License-Identifier: BSD-2-Clause */
/* drain.h: the way to the end: waiting, accepting nobody, telling sessions to go, stopping. */
#ifndef DAEMON_DRAIN_H
#define DAEMON_DRAIN_H

#include "daemon/control.h"

void drain_init(struct control *control);
void drain_begin(struct control *control);		/* a second call: sessions are told to go at once */
void drain_hand_over(struct control *control);		/* another process serves: only sessions are left */
/* Ends it when no worker has sessions, nor one before this process of which one after it hears through it. */
void drain_look_whether_over(struct control *control);
void drain_stop(struct control *control);		/* ends all at once; control's loop returns */
void drain_worker_empty(struct worker *worker);		/* for worker_new; the owner is the control */

#endif
