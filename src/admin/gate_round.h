/* SPDX-License-Identifier: BSD-2-Clause */
/* gate_round.h: has all workers open or close a listener's gates, and answers when they have. */
#ifndef ADMIN_GATE_ROUND_H
#define ADMIN_GATE_ROUND_H

#include "admin/cockpit.h"

struct admin_call;
struct listener;

/* The listener's orders say whether its gates are to be open; `why`: should they have to be closed again. */
void gate_round_start(struct admin_call *call, struct listener *listener, const char *why);
void gate_rounds_close(struct cockpit *cockpit);	/* the workers' threads have ended */

#endif
