/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * adhoc.h: endpoints of no pool: hosts that an auth source named for its
 * users.  All sessions of a service at one address share one, it outlives
 * the last of them for a while, and reloads.  Nobody checks it, and no
 * balancer, binding or pool's queue knows it: it has room for all, while the
 * sessions that judge it (endpoint_set_observed) do not fail.
 */
#ifndef BALANCE_ADHOC_H
#define BALANCE_ADHOC_H

#include <stddef.h>
#include <stdint.h>

#include "balance/endpoint.h"

enum {
	ADHOC_MAX = 4096,		/* in one table: who answers for users may name any address */
	ADHOC_KEPT_MS = 10 * 60 * 1000	/* after its last session */
};

struct adhoc_table;

struct adhoc_table *adhoc_table_new(int threads);
/* No thread asks any more; those in use live on by their references. */
void adhoc_table_free(struct adhoc_table **table);

/*
 * One reference to the endpoint of this address and service, named "imap/192.0.2.1:143"; where the table is
 * full, to one of the caller alone.  From any thread.
 */
struct endpoint *adhoc_get(struct adhoc_table *table, struct service *service, const struct addr *addr);

/*
 * To be called from time to time, by one thread: what had no session at one call and got none until another
 * ADHOC_KEPT_MS later is forgotten; true: something was.  now: monotonic ms.
 */
bool adhoc_sweep(struct adhoc_table *table, int64_t now);
/* For all, under the table's lock: `each` looks at counters and no more. */
void adhoc_each(struct adhoc_table *table, void (*each)(struct endpoint *e, void *arg), void *arg);
size_t adhoc_count(struct adhoc_table *table);

#endif
