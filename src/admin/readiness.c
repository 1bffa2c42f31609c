/* SPDX-License-Identifier: BSD-2-Clause */
/* readiness.c: looks at control's phase, the listeners and the pools. */
#include "admin/readiness.h"

#include "balance/endpoint.h"
#include "balance/pool.h"
#include "session/listener_kept.h"
#include "session/listener_settings.h"
#include "session/worker.h"

/* One that is full is usable: it has sessions, and others wait in its queue. */
static bool
is_usable(const struct pool *pool, const struct endpoint *e)
{
	return endpoint_weight(e) > 0 && pool_may_use(pool, e);
}

/* A pool without servers is one whose hosts `auth` names. */
static bool
has_server(const struct pool *pool)
{
	for (size_t i = 0; i < pool->endpoint_count; i++)
		if (is_usable(pool, pool->endpoints[i]))
			return true;
	return pool->endpoint_count == 0 && pool_servers(pool)->count == 0;
}

bool
readiness_read(const struct cockpit *cockpit, struct buf *reasons)
{
	const struct control *control = cockpit->control;
	const struct root *root = cockpit_root(cockpit);
	size_t before = buf_len(reasons);

	if (control->phase != DRAIN_NONE)
		buf_append_text(reasons, "gatepost is stopping\n");
	if (control->is_starting)
		buf_append_text(reasons, "gatepost is starting: servers are checked first\n");
	for (size_t i = 0; i < root->listeners.count; i++) {
		const struct listener_settings *settings = root->listeners.items[i];

		if (atomic_load(&settings->listener->orders.is_disabled))
			buf_printf(reasons, "listener %s: closed by an operator\n", settings->conf.title);
	}
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		if (!has_server(pool))
			buf_printf(reasons, "pool %s: no server takes sessions\n", pool->conf.title);
	}
	return buf_len(reasons) == before;
}
