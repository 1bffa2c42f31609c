/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_trace.h: traces over reloads. */
#ifndef ADMIN_COMMANDS_TRACE_H
#define ADMIN_COMMANDS_TRACE_H

struct cockpit;

void traces_free(struct cockpit *cockpit);	/* the workers' threads have ended, calls are cancelled */

#endif
