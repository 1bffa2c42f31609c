/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener_orders.h: what operators said of a listener, over all reloads.  Control sets it; workers read the
 * atomics: a bound holds from the next client on, to be disabled takes worker_follow.
 */
#ifndef SESSION_LISTENER_ORDERS_H
#define SESSION_LISTENER_ORDERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "balance/machine.h"

enum { LISTENER_AS_CONFIGURED = -1 };

struct listener_orders {
	atomic_llong max_connections;	/* LISTENER_AS_CONFIGURED: nobody said anything */
	atomic_bool is_disabled;	/* its gates refuse clients */
	/* Control's own. */
	int64_t configured_max;
	struct standing bounded;	/* `state` is the bound; why "": as configured */
	struct standing disabled;	/* state 1: it is */
};

void listener_orders_init(struct listener_orders *orders);
/* What the file says counts where it is new. */
void listener_orders_configure(struct listener_orders *orders, int64_t max_connections);
/* Why is not "".  False: it was so. */
void listener_orders_bound(struct listener_orders *orders, int64_t max_connections, const char *why);
bool listener_orders_disable(struct listener_orders *orders, bool is_disabled, const char *why);
/* The bound in force. */
int64_t listener_orders_max(const struct listener_orders *orders, int64_t configured);

#endif
