/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sharing.h: what the proxies of a cluster share besides who is bound to which server: limits, failed logins
 * and bans, connections and checks of servers, keys of TLS tickets.  On control's loop.
 */
#ifndef DAEMON_SHARING_H
#define DAEMON_SHARING_H

#include <stdbool.h>
#include <stdint.h>

struct assets;
struct peers;
struct sharing;

enum { TICKETS_ROTATE_MS = 12 * 3600 * 1000 };

/* Before the workers' threads start: the assets' limiter and penalty are the cluster's from then on. */
struct sharing *sharing_new(struct assets *assets);
void sharing_free(struct sharing **sharing);	/* when these have ended, before the cluster is left */

const struct peers *sharing_peers(const struct sharing *sharing);
/* Are the keys of tickets the cluster's, so that nobody else needs to change them? */
bool sharing_keeps_tickets(const struct sharing *sharing, int64_t now);

#endif
