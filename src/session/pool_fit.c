/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_fit.c: what cannot be had with a protocol that has no port of its own,
 * or whose servers are told nothing by the proxy: there, connected is ready.
 */
#include "session/pool_fit.h"

#include "balance/pool.h"
#include "proto/proto.h"

static void
check_server_tls(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	const struct server_tls *tls = pool->options.server_tls;

	if (proto->dial == NULL && tls != NULL && tls->mode == SERVER_TLS_STARTTLS)
		conf_error_at(problems, &tls->conf, NULL,
		    "server_tls starttls: %s, which pool %s speaks, has no STARTTLS; say implicit or off",
		    proto->name, pool->conf.title);
}

/* Connects would go to port 0. */
static void
check_ports(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	const struct conf_list *servers = pool_servers(pool);

	for (size_t i = 0; pool->port == 0 && i < servers->count; i++) {
		const struct server *server = servers->items[i];

		if (addr_port(&server->address.addr) == 0)
			conf_error_at_value(problems, &server->conf, "address", 0,
			    "address: %s lacks a port: %s has no default, and pool %s no `port`",
			    server->address.text, proto->name, pool->conf.title);
	}
}

void
pool_fit_check(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	check_server_tls(problems, pool, proto);
	check_ports(problems, pool, proto);
}
