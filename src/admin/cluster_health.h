/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_health.h: what the cluster's other proxies say of servers. */
#ifndef ADMIN_CLUSTER_HEALTH_H
#define ADMIN_CLUSTER_HEALTH_H

#include "admin/call.h"

struct buf;
struct endpoint;
struct pool;

/* `show cluster health`.  There is a cluster. */
void show_cluster_health(struct admin_call *call);
/* Appends "; down here, up at lb2 lb3", and what that means for bound users; nothing where all agree. */
void cluster_health_differs(const struct cockpit *cockpit, const struct pool *pool, struct endpoint *e,
    struct buf *out);

#endif
