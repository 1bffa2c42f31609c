/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_fit.c: what cannot be had with a protocol that has no port of its own,
 * or whose servers are told nothing by the proxy: there, connected is ready.
 */
#include "session/pool_fit.h"

#include <stdio.h>

#include "balance/balance.h"
#include "balance/pool.h"
#include "base/buf.h"
#include "base/log.h"

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

/* Or else `balance user` has nobody to go by. */
static bool
knows_users(const struct proto *proto)
{
	return proto->has_login || proto->is_bound;
}

void
pool_fit_forget(struct conf_context *context, struct conf_block *block, const char *directive)
{
	enum conf_origin origin = conf_origin(block, directive);

	if (origin == CONF_ORIGIN_DEFAULT_BLOCK || origin == CONF_ORIGIN_INHERITED)
		conf_unset(context, block, directive);
}

/* On a farm with affinity all pools must send a user to the same server. */
static bool
is_balanced_by_user(const struct proto *proto, const struct farm *farm)
{
	return knows_users(proto) && farm != NULL && farm->affinity.ms > 0;
}

void
pool_fit_defaults(const struct proto *proto, const struct farm *farm, struct pool_defaults *out)
{
	bool is_bound = proto->is_bound || is_balanced_by_user(proto, farm);

	*out = (struct pool_defaults){
		.rows = {
			{ "queue_timeout", proto->default_queue_timeout },
			{ "balance", is_bound ? "user" : "leastconn" },
			{ "login", proto->has_login ? "password" : "none" },
			{ proto->port != 0 ? "port" : NULL, out->port },
		},
	};
	snprintf(out->port, sizeof(out->port), "%u", proto->port);
}

void
pool_fit_prepare(struct conf_context *context, struct pool *pool, const struct proto *proto)
{
	struct pool_defaults defaults;
	struct way ways[WAYS];

	list_ways(pool, proto, ways);
	for (size_t i = 0; i < WAYS; i++)
		if (!has_way(ways[i].known, ways[i].value))
			pool_fit_forget(context, &pool->conf, ways[i].directive);
	if (!knows_users(proto) && pool->options.balance == BALANCER_user)
		pool_fit_forget(context, &pool->conf, "balance");
	pool_fit_defaults(proto, pool->farm, &defaults);
	for (const struct proto_default *d = defaults.rows; d->directive != NULL; d++)
		conf_set_default(context, &pool->conf, d->directive, d->text);
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
	if (!knows_users(proto) && pool->options.balance == BALANCER_user)
		conf_error_at(problems, &pool->conf, "balance",
		    "balance user has no meaning with %s, which knows no users", proto->name);
}

static void
check_affinity(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	if (is_balanced_by_user(proto, pool->farm) && pool->options.balance != BALANCER_user)
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
