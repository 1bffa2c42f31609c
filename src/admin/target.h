/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.h: what a command means by a name, in the configuration at hand.  Where there is no such thing the
 * call has failed, in HAProxy's words, and must not be touched any more.  Nothing is counted: what is found
 * stays until the callback that asks returns.
 */
#ifndef ADMIN_TARGET_H
#define ADMIN_TARGET_H

#include "admin/call.h"
#include "admin/cockpit.h"
#include "balance/endpoint.h"
#include "balance/pool.h"

/*
 * Frontends (listeners) and backends (pools) share one row of numbers, HAProxy's iid, from 1 on in the order
 * of the file, listeners first; servers of a pool are numbered from 1 on.
 */
struct listener_settings;

struct listener_settings *target_listener(struct admin_call *call, const char *name);	/* or #iid */
struct pool *target_pool(struct admin_call *call, const char *name);			/* or #iid */
/* "imap/d03" or "#4/#1"; *pool (or NULL) is its pool. */
struct endpoint *target_endpoint(struct admin_call *call, const char *name, struct pool **pool);
/*
 * A server with all its services: "d03" where one farm or pool alone has such a server, else "farm/d03".
 * What begins with a pool's name means an endpoint: look for that first.
 */
struct machine *target_machine(struct admin_call *call, const char *name);

/* The same without a call: NULL where there is none. */
struct pool *find_pool(const struct root *root, struct slice name);
struct listener_settings *find_listener(const struct root *root, struct slice name);

#endif
