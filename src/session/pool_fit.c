/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_fit.c: what cannot be had with a protocol that has no port of its own,
 * or whose servers are told nothing by the proxy: there, connected is ready.
 */
#include "session/pool_fit.h"

#include "balance/balance.h"
#include "balance/pool.h"
#include "proto/proto.h"

struct misfit {
	const char *directive, *words;
};
enum { MISFITS_MAX = 3 };

/* Which directives are about users or logins, and say so to a protocol that has none. */
static size_t
find_misfits(const struct pool *pool, const struct proto *proto, struct misfit out[MISFITS_MAX])
{
	const struct pool_options *options = &pool->options;
	size_t count = 0;

	if (pool_fit_knows_users(proto))
		return 0;
	if (options->balance == BALANCER_user)
		out[count++] = (struct misfit){ "balance", "balance user" };
	if (options->login != LOGIN_NONE)
		out[count++] = (struct misfit){ "login", "login" };
	if (options->forward == FORWARD_ID)
		out[count++] = (struct misfit){ "forward", "forward id" };
	return count;
}

bool
pool_fit_knows_users(const struct proto *proto)
{
	return proto->dial != NULL;
}

void
pool_fit_prepare(struct conf_context *context, struct pool *pool, const struct proto *proto)
{
	struct misfit misfits[MISFITS_MAX];
	size_t count = find_misfits(pool, proto, misfits);

	for (size_t i = 0; i < count; i++) {
		enum conf_origin origin = conf_origin(&pool->conf, misfits[i].directive);

		if (origin == CONF_ORIGIN_DEFAULT_BLOCK || origin == CONF_ORIGIN_INHERITED)
			conf_unset(context, &pool->conf, misfits[i].directive);
	}
}

static void
check_users(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	struct misfit misfits[MISFITS_MAX];
	size_t count = find_misfits(pool, proto, misfits);

	for (size_t i = 0; i < count; i++)
		conf_error_at(problems, &pool->conf, misfits[i].directive,
		    "%s has no meaning with %s, which knows no users", misfits[i].words, proto->name);
}

/* On a farm with affinity all pools must send a user to the same server. */
static void
check_affinity(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	if (pool_fit_knows_users(proto) && pool->farm != NULL && pool->farm->affinity.ms > 0 &&
	    pool->options.balance != BALANCER_user)
		conf_error_at(problems, &pool->conf, "balance",
		    "balance must be user: farm %s binds users to servers (affinity)",
		    pool->farm->conf.title);
}

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
	check_users(problems, pool, proto);
	check_affinity(problems, pool, proto);
	check_server_tls(problems, pool, proto);
	check_ports(problems, pool, proto);
}
