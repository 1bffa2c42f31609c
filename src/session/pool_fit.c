/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool_fit.c: which protocol a pool's servers speak, by its listeners where it does not say, what goes by
 * that, and what cannot be had with it.
 */
#include "session/pool_fit.h"

#include <stdio.h>

#include "auth/auth.h"
#include "balance/balance.h"
#include "balance/check_settings.h"
#include "balance/pool.h"
#include "base/buf.h"
#include "base/log.h"
#include "session/listener_settings.h"

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

static bool
names_pool(const struct listener_settings *l, const struct pool *pool)
{
	for (size_t i = 0; i <= l->route.count; i++)
		if (listener_pool(l, i) == pool)
			return true;
	return false;
}

static const struct proto *
proto_of_users(const struct pool *pool, const struct conf_list *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		if (l->proto != NULL && names_pool(l, pool))
			return l->proto;
	}
	return NULL;
}

/* Whatever its servers speak, its listeners' mail goes by its recipients, and those are users. */
static bool
is_for_recipients(const struct pool *pool, const struct conf_list *listeners)
{
	bool is_named = false;

	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		if (l->proto == NULL || !names_pool(l, pool))
			continue;
		if (l->proto->fanout == NULL)
			return false;
		is_named = true;
	}
	return is_named;
}

/* NULL: there is no such protocol, or nobody says which. */
static const struct proto *
find_protocol(struct conf_context *context, struct pool *pool, const struct conf_list *listeners)
{
	const struct proto *proto = proto_find(pool->conf.title);

	if (proto == NULL)
		proto = proto_of_users(pool, listeners);
	if (proto != NULL)
		conf_set_default(context, &pool->conf, "protocol", proto->name);
	return pool->protocol != NULL ? proto_find(pool->protocol) : NULL;
}

/* A hash that may send somebody to the next server: a user of a bound pool belongs on one. */
static bool
may_overflow(const struct pool *pool)
{
	const struct balancer *balancer = pool_balancer(pool);

	return balancer->hashes && !balancer->binds;
}

static void
prepare_pool(struct conf_context *context, struct pool *pool, const struct proto *proto, bool has_recipients)
{
	struct pool_defaults defaults;
	struct way ways[WAYS];

	list_ways(pool, proto, ways);
	for (size_t i = 0; i < WAYS; i++)
		if (!has_way(ways[i].known, ways[i].value))
			pool_fit_forget(context, &pool->conf, ways[i].directive);
	if (!knows_users(proto) && !has_recipients && pool->options.balance == BALANCER_user)
		pool_fit_forget(context, &pool->conf, "balance");
	pool_fit_defaults(proto, pool->farm, &defaults);
	for (const struct proto_default *d = defaults.rows; d->directive != NULL; d++)
		conf_set_default(context, &pool->conf, d->directive, d->text);
	if (has_recipients)
		conf_set_default(context, &pool->conf, "balance", "user");
	if (!may_overflow(pool))
		pool_fit_forget(context, &pool->conf, "hash_balance_factor");
}

void
pool_fit_prepare(struct conf_context *context, const struct conf_list *pools,
    const struct conf_list *listeners)
{
	for (size_t i = 0; i < pools->count; i++) {
		const struct proto *proto = find_protocol(context, pools->items[i], listeners);

		if (proto != NULL)
			prepare_pool(context, pools->items[i], proto,
			    is_for_recipients(pools->items[i], listeners));
	}
}

static void
refuse_protocol(struct conf_problems *problems, const struct conf_block *conf, const char *protocol)
{
	struct buf names = { 0 };

	for (int i = 0; protocols[i] != NULL; i++)
		buf_printf(&names, "%s%s", i == 0 ? "" : protocols[i + 1] == NULL ? " or " : ", ",
		    protocols[i]->name);
	conf_error_at(problems, conf, "protocol", "there is no protocol %s: %.*s", protocol,
	    SLICE_ARGS(buf_slice(&names)));
	buf_clear(&names);
}

void
pool_fit_protocol(struct conf_problems *problems, const struct conf_block *conf, const char *protocol)
{
	if (protocol == NULL)
		conf_error_at(problems, conf, "protocol", "`protocol` is missing: the name %s is not one",
		    conf->title);
	else if (proto_find(protocol) == NULL)
		refuse_protocol(problems, conf, protocol);
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
check_users(struct conf_problems *problems, const struct pool *pool, const struct proto *proto,
    bool has_recipients)
{
	struct way ways[WAYS];

	list_ways(pool, proto, ways);
	for (size_t i = 0; i < WAYS; i++)
		check_way(problems, pool, &ways[i]);
	if (!knows_users(proto) && !has_recipients && pool->options.balance == BALANCER_user)
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
check_factor(struct conf_problems *problems, const struct pool *pool)
{
	const struct balancer *balancer = pool_balancer(pool);

	if (pool->options.hash_balance_factor == 0 || may_overflow(pool))
		return;
	if (balancer->binds)
		conf_error_at(problems, &pool->conf, "hash_balance_factor",
		    "hash_balance_factor would send users of pool %s to several servers: balance %s "
		    "has each on one",
		    pool->conf.title, balancer->name);
	else
		conf_error_at(problems, &pool->conf, "hash_balance_factor",
		    "hash_balance_factor has no meaning with balance %s, which is no hash", balancer->name);
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

static bool
is_checked_by_starttls(const struct pool *pool, const struct check_settings *settings)
{
	const struct server_tls *tls = pool->options.server_tls;

	if (settings->tls != CHECK_TLS_OF_POOL)
		return settings->tls == CHECK_TLS_STARTTLS;
	return tls != NULL && tls->mode == SERVER_TLS_STARTTLS;
}

/* Of one way to check: what pool and protocol have nothing for. */
static void
check_check(struct conf_problems *problems, const struct pool *pool, const struct proto *proto,
    const struct check_settings *settings)
{
	const struct server_tls *tls = pool->options.server_tls;
	const struct conf_block *conf = &settings->conf;

	if (settings->tls > CHECK_TLS_OFF && (tls == NULL || tls->mode == SERVER_TLS_OFF))
		conf_error_at(problems, conf, "tls",
		    "tls: pool %s has server_tls off, so that nobody says whom to believe",
		    pool->conf.title);
	else if (settings->tls == CHECK_TLS_STARTTLS && proto->dial == NULL)
		conf_error_at(problems, conf, "tls",
		    "tls starttls: %s, which pool %s speaks, has no STARTTLS", proto->name,
		    pool->conf.title);
	else if (settings->kind == CHECK_SEND_EXPECT && is_checked_by_starttls(pool, settings))
		conf_error_at(problems, conf, "kind",
		    "kind send_expect knows no STARTTLS, which pool %s has: say tls off or tls implicit",
		    pool->conf.title);
	if (settings->kind == CHECK_LOGIN && !proto->has_login)
		conf_error_at(problems, conf, "kind", "kind login: %s, which pool %s speaks, has no login",
		    proto->name, pool->conf.title);
}

static void
check_checks(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	const struct conf_list *checks = &pool->options.checks;

	for (size_t i = 0; i < checks->count; i++) {
		const struct check_settings *settings = checks->items[i];

		if (!settings->conf.broken && settings->kind != CHECK_NONE)
			check_check(problems, pool, proto, settings);
	}
}

/* Connects would go to port 0. */
static void
check_ports(struct conf_problems *problems, const struct pool *pool, const struct proto *proto)
{
	const struct conf_list *servers = pool_servers(pool);

	for (size_t i = 0; pool->port == 0 && i < servers->count; i++) {
		const struct server *server = servers->items[i];

		if (server->address.text != NULL && server->address.port == 0)
			conf_error_at_value(problems, &server->conf, "address", 0,
			    "address: %s lacks a port: %s has no default, and pool %s no `port`",
			    server->address.text, proto->name, pool->conf.title);
	}
}

/* Without any, all depends on the hosts that an auth source names; one that knows no users names none. */
static void
check_servers(struct conf_problems *problems, const struct pool *pool, const struct conf_list *listeners)
{
	if (pool_servers(pool)->count > 0)
		return;
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *l = listeners->items[i];

		if (l->pool != pool || auth_knows_users(&l->auth) || auth_knows_users(&l->lookup))
			continue;
		conf_error_at(problems, &pool->conf, NULL,
		    "pool %s needs a farm or a server: no `auth` of listener %s names hosts",
		    pool->conf.title, l->conf.title);
		return;
	}
}

/* Sessions that come back to us would come for ever. */
static void
check_loops(struct conf_problems *problems, const struct pool *pool, const struct conf_list *listeners)
{
	const struct conf_list *servers = pool_servers(pool);

	for (size_t i = 0; i < servers->count; i++) {
		const struct server *server = servers->items[i];
		char text[ADDR_TEXT_MAX];
		struct addr addr;

		if (server->conf.broken || server_has_name(server))
			continue;
		addr = pool_server_addr(pool, server);
		if (listeners_are_at(listeners, &addr))
			conf_error_at(problems, &server->conf, "address",
			    "server %s would be this proxy itself, which listens at %s",
			    server->conf.title, addr_format(&addr, text));
	}
}

static const struct pool *
first_of_farm(const struct conf_list *pools, const struct farm *farm)
{
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];

		if (pool->farm == farm && !pool->conf.broken)
			return pool;
	}
	return NULL;
}

/* The records of a service tell one port: another pool's sessions would meet servers of this one. */
static void
check_srv(struct conf_problems *problems, const struct pool *pool, const struct conf_list *pools)
{
	const struct pool *first = first_of_farm(pools, pool->farm);
	const struct conf_list *servers = pool_servers(pool);

	if (pool->farm == NULL || pool->protocol == NULL || first == NULL || first->protocol == NULL ||
	    (proto_find(pool->protocol) == proto_find(first->protocol) && pool->port == first->port))
		return;
	for (size_t i = 0; i < servers->count; i++) {
		const struct server *server = servers->items[i];

		if (server->srv == NULL || server->conf.broken)
			continue;
		conf_error_at(problems, &pool->conf, "farm",
		    "pools %s and %s, of another protocol or port, cannot share farm %s: srv %s tells one "
		    "port for both",
		    first->conf.title, pool->conf.title, pool->farm->conf.title, server->srv);
		return;
	}
}

static void
check_pool(struct conf_problems *problems, const struct pool *pool, const struct conf_list *listeners)
{
	const struct proto *proto = pool->protocol != NULL ? proto_find(pool->protocol) : NULL;

	pool_fit_protocol(problems, &pool->conf, pool->protocol);
	check_servers(problems, pool, listeners);
	check_loops(problems, pool, listeners);
	if (proto == NULL)
		return;
	check_users(problems, pool, proto, is_for_recipients(pool, listeners));
	check_affinity(problems, pool, proto);
	check_factor(problems, pool);
	check_server_tls(problems, pool, proto);
	check_checks(problems, pool, proto);
	check_ports(problems, pool, proto);
}

void
pool_fit_check(struct conf_context *context, const struct conf_list *pools, const struct conf_list *listeners)
{
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];

		if (pool->conf.broken)
			continue;
		check_pool(context->problems, pool, listeners);
		check_srv(context->problems, pool, pools);
	}
}

void
pool_fit_warn(const struct conf_list *pools)
{
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];
		const struct proto *proto = pool->conf.broken ? NULL : proto_find(pool->protocol);
		char where[CONF_WHERE_MAX];

		if (proto == NULL || proto->forward_none_warning == NULL ||
		    pool->options.forward != FORWARD_NONE)
			continue;
		log_write(LOG_WARNING, "%s: pool %s has `forward none`: %s",
		    conf_where_text(conf_where(&pool->conf, "forward"), where, sizeof(where)),
		    pool->conf.title, proto->forward_none_warning);
	}
}
