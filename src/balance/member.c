/* SPDX-License-Identifier: BSD-2-Clause */
/* member.c: servers and what was found of their names, as endpoints with address, weight and tier. */
#include "balance/member.h"

#include "balance/discovery.h"
#include "balance/endpoint_report.h"
#include "balance/endpoint_room.h"
#include "balance/endpoint_table.h"
#include "balance/pool.h"
#include "balance/roster.h"
#include "base/spare.h"
#include "base/xalloc.h"

enum { TIER_BACKUP = UINT16_MAX + 1 };		/* behind all priorities */

static struct endpoint *
open_endpoint(const struct pool *pool, const char *name)
{
	const char *farm = pool->farm != NULL ? pool->farm->conf.title : pool->conf.title;
	struct machine *machine = endpoint_table_machine(pool->table, pool->farm != NULL, farm, name);
	struct endpoint *e = endpoint_table_endpoint(pool->table, pool->service, machine);

	machine_put(&machine);
	return e;
}

static void
add(struct pool *pool, const char *name, const struct member *member)
{
	struct member *added = &pool->members[pool->endpoint_count];

	*added = *member;
	if (added->addr.sa.sa_family != AF_UNSPEC && addr_port(&added->addr) == 0)
		addr_set_port(&added->addr, (uint16_t)pool->port);
	pool->endpoints[pool->endpoint_count++] = open_endpoint(pool, name);
}

static struct member
member_of(const struct server *server)
{
	return (struct member){
		.server = server, .weight = (int)server->weight, .tier = server->backup ? TIER_BACKUP : 0,
	};
}

/* One after another, the name's priorities are tiers: what they are counted from is each name's own. */
static int
rank_of(const struct findings *findings, size_t i)
{
	int rank = 0;

	for (size_t j = 1; j <= i; j++)
		rank += findings->items[j].priority != findings->items[j - 1].priority;
	return rank;
}

/* Relative to the others of its priority; 0 wants little, not nothing (RFC 2782). */
static int
weight_of(const struct findings *findings, size_t i)
{
	int weight = findings->items[i].weight, most = 0;

	for (size_t j = 0; j < findings->count; j++)
		if (findings->items[j].priority == findings->items[i].priority &&
		    findings->items[j].weight > most)
			most = findings->items[j].weight;
	if (most > MACHINE_WEIGHT_MAX)
		weight = (weight * MACHINE_WEIGHT_MAX + most / 2) / most;
	return weight > 0 ? weight : 1;
}

static bool
has_several_ports(const struct findings *findings, size_t i)
{
	struct addr addr = findings->items[i].addr;

	for (size_t j = 0; j < findings->count; j++) {
		struct addr other = findings->items[j].addr;

		addr_set_port(&other, addr_port(&addr));
		if (j != i && addr_equals(&other, &addr))
			return true;
	}
	return false;
}

/* "d03@10.1.0.13", and the port behind it only where the address alone is two servers. */
static void
add_found(struct pool *pool, const struct server *server, const struct findings *findings, size_t i)
{
	struct member member = member_of(server);
	char text[ADDR_TEXT_MAX], *name;

	member.addr = findings->items[i].addr;
	if (has_several_ports(findings, i))
		addr_format(&member.addr, text);
	else
		addr_host(&member.addr, text);
	if (server->srv != NULL) {
		member.tier += rank_of(findings, i);
		member.weight = weight_of(findings, i);
	}
	name = xasprintf("%s@%s", server->conf.title, text);
	add(pool, name, &member);
	xfree(name);
}

static void
add_server(struct pool *pool, const struct server *server, const struct findings *findings)
{
	struct member member = member_of(server);
	bool is_known = findings != NULL && findings->count > 0;

	if (is_known && server_is_many(server)) {
		for (size_t i = 0; i < findings->count && !spare_is_used(); i++)
			add_found(pool, server, findings, i);
		return;
	}
	if (is_known)
		member.addr = findings->items[findings->first].addr;
	else if (!server_has_name(server))
		member.addr = pool_server_addr(pool, server);
	add(pool, server->conf.title, &member);
}

static const struct findings *
find(const struct pool *pool, const struct server *server)
{
	return discovery_find(endpoint_table_discovery(pool->table), pool, server);
}

void
members_open(struct pool *pool)
{
	const struct conf_list *servers = pool_servers(pool);
	size_t room = servers->count;

	for (size_t i = 0; i < servers->count; i++) {
		const struct findings *findings = find(pool, servers->items[i]);

		room += findings != NULL ? findings->count : 0;
	}
	pool->endpoints = xcalloc(room, sizeof(struct endpoint *));
	pool->members = xcalloc(room, sizeof(struct member));
	pool->endpoint_count = 0;
	for (size_t i = 0; i < servers->count && !spare_is_used(); i++)
		add_server(pool, servers->items[i], find(pool, servers->items[i]));
}

struct roster *
members_roster(const struct pool *pool)
{
	struct roster_member *members = xcalloc(pool->endpoint_count, sizeof(members[0]));
	struct roster *roster;

	for (size_t i = 0; i < pool->endpoint_count; i++)
		members[i] = (struct roster_member){ pool->endpoints[i], pool->members[i].tier };
	roster = roster_new(pool->balancer, members, pool->endpoint_count,
	    endpoint_table_threads(pool->table));
	roster->may_panic = pool->options.panic;
	roster->hash_balance_factor = (int)pool->options.hash_balance_factor;
	xfree(members);
	return roster;
}

static void
move(struct endpoint *e, const struct addr *addr, bool is_bound)
{
	struct addr before = endpoint_addr(e);

	if (addr_equals(&before, addr))
		return;
	endpoint_set_addr(e, addr);
	/* else a user would be at two hosts under one server's name */
	if (before.sa.sa_family != AF_UNSPEC && is_bound)
		endpoint_send_away(e);
	if (addr->sa.sa_family != AF_UNSPEC)
		endpoint_set_health(e, HEALTH_UNKNOWN, "");
}

/* Nobody is sent to where there is no address, not even in between. */
static void
set_addr(struct endpoint *e, const struct member *member, bool is_bound)
{
	endpoint_set_host(e, server_host(member->server));
	if (e->moved.why[0] != '\0' && addr_equals(&e->configured_addr, &member->addr))
		return;
	e->moved = (struct standing){ 0 };
	e->configured_addr = member->addr;
	if (member->addr.sa.sa_family == AF_UNSPEC && server_has_name(member->server))
		endpoint_set_health(e, HEALTH_UNRESOLVED, "no address is known");
	move(e, &member->addr, is_bound);
}

void
members_move(const struct pool *pool, struct endpoint *e, const struct addr *addr, const char *why)
{
	if (addr_equals(&e->configured_addr, addr))
		e->moved = (struct standing){ 0 };
	else
		standing_set(&e->moved, 1, why);
	move(e, addr, pool->is_bound);
}

void
members_commit(const struct pool *pool)
{
	for (size_t i = 0; i < pool->endpoint_count; i++) {
		const struct member *member = &pool->members[i];
		struct endpoint *e = pool->endpoints[i];

		set_addr(e, member, pool->is_bound);
		endpoint_set_on_down(e, pool->options.on_down == ON_DOWN_CLOSE);
		machine_configure(e->machine, member->weight, (enum admin_state)member->server->state);
		endpoint_set_slow_start(e, (int)pool->options.slow_start.ms);
		endpoint_set_max_connections(e, (int)pool->options.max_connections);
		endpoint_set_observed(e, pool->options.observe ? (int)pool->options.error_limit : 0);
	}
}

void
members_close(struct pool *pool)
{
	for (size_t i = 0; i < pool->endpoint_count; i++)
		endpoint_put(&pool->endpoints[i]);
	xfree(pool->endpoints);
	xfree(pool->members);
	pool->endpoints = NULL;
	pool->members = NULL;
	pool->endpoint_count = 0;
}
