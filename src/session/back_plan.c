/* SPDX-License-Identifier: BSD-2-Clause */
/* back_plan.c: what a dial takes from its pool: from which address, with which header and TLS. */
#include "session/back_plan.h"

static enum proxy_version
proxy_version(enum forward_way forward)
{
	switch (forward) {
	case FORWARD_PROXY:
		return PROXY_VERSION_1;
	case FORWARD_PROXY_V2:
		return PROXY_VERSION_2;
	default:
		return PROXY_VERSION_NONE;
	}
}

/* The pool's source addresses in turn, those of the server's family; NULL: the kernel chooses. */
static const struct addr *
pick_source(const struct address_list *sources, int family, size_t *next)
{
	for (size_t i = 0; i < sources->count; i++) {
		const struct addr *source = &sources->items[(*next)++ % sources->count].addr;

		if (source->sa.sa_family == family)
			return source;
	}
	return NULL;
}

static void
fill_tls(struct back_plan *plan, struct back_plan_tls *tls, const struct pool *pool,
    struct endpoint *endpoint)
{
	const struct server_tls *settings = pool->options.server_tls;

	if (settings == NULL || pool->tls_client == NULL)
		return;
	tls->back.client = pool->tls_client;
	tls->back.name = settings->name != NULL ? settings->name : endpoint_host(endpoint, tls->name);
	tls->back.alpn = plan->order.proto->alpn;
	tls->back.server = endpoint->machine->hash;
	plan->tls = &tls->back;
	plan->implicit_tls = settings->mode == SERVER_TLS_IMPLICIT;
}

void
back_plan_server(struct back_plan *plan, struct back_plan_tls *tls, const struct pool *pool,
    struct endpoint *endpoint, size_t *next_source)
{
	const struct pool_options *options = &pool->options;
	int mode = options->server_tls != NULL ? options->server_tls->mode : SERVER_TLS_OFF;

	plan->order.forward = (enum forward_way)options->forward;
	plan->order.starttls = mode == SERVER_TLS_STARTTLS;
	plan->order.needs_tls = mode != SERVER_TLS_OFF;
	plan->proxy.version = proxy_version(plan->order.forward);
	plan->to = endpoint_addr(endpoint);
	plan->source = pick_source(&options->source, plan->to.sa.sa_family, next_source);
	plan->connect_timeout_ms = options->connect_timeout.ms;
	fill_tls(plan, tls, pool, endpoint);
}
