/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c: one dial a server, up to its login.  What sessions see later
 * counts as well, so that a server that is not there now is not asked again.
 */
#include "daemon/probe.h"

#include "base/log.h"
#include "base/xalloc.h"
#include "proto/proto.h"
#include "session/back_plan.h"
#include "session/listener_settings.h"
#include "session/offer.h"

struct probe {
	struct list node;
	struct loop *loop;
	struct back back;
	struct back_plan plan;
	struct back_plan_tls tls;
	struct endpoint *endpoint;	/* one reference */
};

static void
end(struct probe *probe)
{
	list_remove(&probe->node);
	back_close(&probe->back);
	endpoint_put(&probe->endpoint);
	loop_defer(probe->loop, xfree, probe);
}

static void
on_back(struct back *back, enum back_event event, void *owner)
{
	struct probe *probe = owner;
	char reason[BACK_REASON_MAX];

	if (event == BACK_EVENT_READY) {
		offer_learn(probe->endpoint, back);
		stream_write(&back->stream, slice_of(probe->plan.order.proto->dial_farewell));
	} else
		log_write(LOG_NOTICE, "%s does not tell what it can do: %s while %s", probe->endpoint->name,
		    back_reason(back, reason), back_doing(back));
	end(probe);
}

static void
start(struct list *probes, struct loop *loop, const struct listener_settings *l, const struct pool *pool,
    struct endpoint *endpoint)
{
	struct probe *probe = xcalloc(1, sizeof(*probe));
	size_t next_source = 0;		/* any of them will do */

	probe->loop = loop;
	probe->endpoint = endpoint_get(endpoint);
	list_append(probes, &probe->node);
	probe->plan.order.proto = l->proto;
	back_plan_server(&probe->plan, &probe->tls, pool, endpoint, &next_source);
	probe->plan.order.hostname = l->hostname;
	probe->plan.order.until_login = true;
	probe->plan.deadline = loop_now(loop) + pool->options.login_timeout.ms;
	back_start(&probe->back, loop, &probe->plan, on_back, probe);
}

static bool
is_asked(const struct list *probes, const struct endpoint *endpoint)
{
	list_each(node, probes)
		if (list_entry(node, struct probe, node)->endpoint == endpoint)
			return true;
	return endpoint_capabilities_hash(endpoint) != 0;
}

static void
ask_pool(struct list *probes, struct loop *loop, const struct listener_settings *l, const struct pool *pool)
{
	for (size_t i = 0; i < pool->endpoint_count; i++)
		if (!is_asked(probes, pool->endpoints[i]) && endpoint_weight(pool->endpoints[i]) > 0)
			start(probes, loop, l, pool, pool->endpoints[i]);
}

void
probes_start(struct list *probes, struct loop *loop, const struct conf_list *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		if (l->proto->dial_farewell == NULL || l->announced != NULL)
			continue;
		for (size_t j = 0; j <= l->route.count; j++)
			ask_pool(probes, loop, l, listener_pool(l, j));
	}
}

void
probes_cancel(struct list *probes)
{
	list_each(node, probes)
		end(list_entry(node, struct probe, node));
}
