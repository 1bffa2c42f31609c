/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host.h: a host that an auth source gave, by its address or by a name that
 * is looked up then: the server of the pool that it is, or else where it is.
 */
#ifndef SESSION_HOST_H
#define SESSION_HOST_H

#include "session/leg.h"

/*
 * `on_located`, perhaps before this returns: way->server is the host, and has_host is no more; or way->host
 * is its address, with a port.  Or else it ends in leg_give_up, at the deadline at the latest.
 */
void host_locate(struct leg *leg, int64_t deadline, void (*on_located)(struct leg *leg));
void host_cancel(struct leg *leg, struct leg_way *way);		/* fine where nothing is looked up */

#endif
