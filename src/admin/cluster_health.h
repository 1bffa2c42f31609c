/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_health.h: `show cluster health`: what the cluster's other proxies say of servers. */
#ifndef ADMIN_CLUSTER_HEALTH_H
#define ADMIN_CLUSTER_HEALTH_H

#include "admin/call.h"

/* There is a cluster. */
void show_cluster_health(struct admin_call *call);

#endif
