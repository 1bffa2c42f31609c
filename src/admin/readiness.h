/* SPDX-License-Identifier: BSD-2-Clause */
/* readiness.h: should clients be sent to this gatepost? */
#ifndef ADMIN_READINESS_H
#define ADMIN_READINESS_H

#include "admin/cockpit.h"
#include "base/buf.h"

/*
 * It accepts clients, does not stop, and every pool has a server that takes sessions.  False: `reasons` is
 * appended to, a line each.
 */
bool readiness_read(const struct cockpit *cockpit, struct buf *reasons);

#endif
