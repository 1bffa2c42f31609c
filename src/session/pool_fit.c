/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_fit.c: what cannot be had with a protocol whose servers are told
 * nothing by the proxy: there, connected is ready.
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

void
pool_fit_check(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	check_server_tls(problems, pool, proto);
}
