/* SPDX-License-Identifier: BSD-2-Clause */
/* listener_orders.c: bounds that overrule the file's until that has others. */
#include "session/listener_orders.h"

void
listener_orders_init(struct listener_orders *orders)
{
	atomic_init(&orders->max_connections, LISTENER_AS_CONFIGURED);
}

void
listener_orders_configure(struct listener_orders *orders, int64_t max_connections)
{
	if (orders->configured_max != max_connections) {
		atomic_store(&orders->max_connections, LISTENER_AS_CONFIGURED);
		orders->bounded = (struct standing){ 0 };
	}
	orders->configured_max = max_connections;
}

void
listener_orders_bound(struct listener_orders *orders, int64_t max_connections, const char *why)
{
	if (orders->configured_max == max_connections)
		orders->bounded = (struct standing){ 0 };
	else
		standing_set(&orders->bounded, (int)max_connections, why);
	atomic_store(&orders->max_connections, max_connections);
}

bool
listener_orders_disable(struct listener_orders *orders, bool is_disabled, const char *why)
{
	if (atomic_exchange(&orders->is_disabled, is_disabled) == is_disabled)
		return false;
	standing_set(&orders->disabled, is_disabled, is_disabled ? why : "");
	return true;
}

int64_t
listener_orders_max(const struct listener_orders *orders, int64_t configured)
{
	int64_t max = atomic_load_explicit(&orders->max_connections, memory_order_relaxed);

	return max == LISTENER_AS_CONFIGURED ? configured : max;
}
