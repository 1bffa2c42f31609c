/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_fit.c: what cannot be had with a protocol that has no port of its own,
 * or whose servers are told nothing by the proxy: there, connected is ready.
 */
#include "session/pool_fit.h"

#include "balance/balance.h"
#include "balance/pool.h"
#include "base/buf.h"
#include "base/log.h"
#include "proto/proto.h"

enum { WHERE_MAX = 256 };

struct way {				/* a pool's way of logging in, or of telling who the client is */
	const char *directive;
	const struct choice *choices;
	unsigned known;			/* of the pool's protocol */
	int value;
};
enum { WAYS = 2 };

static bool
has_way(unsigned ways, int way)
{
	return (ways & PROTO_WAY(way)) != 0;
}

static void
list_ways(const struct pool *pool, const struct proto *proto, struct way out[WAYS])
{
	out[0] = (struct way){ "login", login_choices, proto->logins, pool->options.login };
	out[1] = (struct way){ "forward", forward_choices, proto->forwards, pool->options.forward };
}

bool
pool_fit_knows_users(const struct proto *proto)
{
	return proto->has_login || proto->is_bound;
}

/* What a farm or a `default` block says for pools of several protocols holds where it can. */
static void
forget_inherited(struct conf_context *context, struct pool *pool, const char *directive)
{
	enum conf_origin origin = conf_origin(&pool->conf, directive);

	if (origin == CONF_ORIGIN_DEFAULT_BLOCK || origin == CONF_ORIGIN_INHERITED)
		conf_unset(context, &pool->conf, directive);
}

void
pool_fit_prepare(struct conf_context *context, struct pool *pool, const struct proto *proto)
{
	struct way ways[WAYS];

	list_ways(pool, proto, ways);
	for (size_t i = 0; i < WAYS; i++)
		if (!has_way(ways[i].known, ways[i].value))
			forget_inherited(context, pool, ways[i].directive);
	if (!pool_fit_knows_users(proto) && pool->options.balance == BALANCER_user)
		forget_inherited(context, pool, "balance");
}

static void
check_way(struct conf_problems *problems, const struct pool *pool, const struct way *way)
{
	struct buf known = { 0 };
	const char *written = "";

	if (has_way(way->known, way->value))
		return;
	for (const struct choice *c = way->choices; c->word != NULL; c++) {
		if (has_way(way->known, c->value))
			buf_printf(&known, "%s %s", buf_len(&known) > 0 ? "," : "", c->word);
		if (c->value == way->value)
			written = c->word;
	}
	conf_error_at(problems, &pool->conf, way->directive, "%s has no `%s %s`, only%.*s", pool->protocol,
	    way->directive, written, SLICE_ARGS(buf_slice(&known)));
	buf_clear(&known);
}

static void
check_users(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	struct way ways[WAYS];

	list_ways(pool, proto, ways);
	for (size_t i = 0; i < WAYS; i++)
		check_way(problems, pool, &ways[i]);
	if (!pool_fit_knows_users(proto) && pool->options.balance == BALANCER_user)
		conf_error_at(problems, &pool->conf, "balance",
		    "balance user has no meaning with %s, which knows no users", proto->name);
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

void
pool_fit_warn(const struct conf_list *pools)
{
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];
		const struct proto *proto = pool->conf.broken ? NULL : proto_find(pool->protocol);
		char where[WHERE_MAX];

		if (proto == NULL || proto->forward_none_warning == NULL ||
		    pool->options.forward != FORWARD_NONE)
			continue;
		log_write(LOG_WARNING, "%s: pool %s has `forward none`: %s",
		    conf_where_text(conf_where(&pool->conf, "forward"), where, sizeof(where)),
		    pool->conf.title, proto->forward_none_warning);
	}
}
