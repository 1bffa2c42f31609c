/* SPDX-License-Identifier: BSD-2-Clause */
/* reason.h: who wants a change, and why, as it is kept with what was changed and as the log has it. */
#ifndef ADMIN_REASON_H
#define ADMIN_REASON_H

#include "admin/call.h"
#include "balance/machine.h"

enum { REASON_MAX = STANDING_WHY_MAX };

/*
 * "by WHO", or, where the command ends with `reason TEXT…`, which is taken off the call's words,
 * "by WHO: TEXT".  Printable; returns out.
 */
const char *reason_take(struct admin_call *call, char out[REASON_MAX]);

#endif
