/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c: a name is looked up once for a leg: what is checked of its address holds for what is dialled. */
#include "session/host.h"

#include <string.h>
#include <strings.h>

#include "balance/endpoint.h"
#include "balance/pool.h"
#include "balance/roster.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "session/session.h"

static const char not_found[] = "the host that the auth source gave cannot be found";

static void
take_server(struct leg_way *way, const char *server)
{
	xfree(way->server);
	way->server = xstrdup(server);
	way->has_host = false;
}

/* Of the pool's servers the one that has this address; NULL: none. */
static const char *
find_server(const struct leg_way *way, const struct roster *roster, const struct addr *addr)
{
	struct addr wanted = *addr;

	addr_set_port(&wanted, way->host_port);
	for (size_t i = 0; i < roster->count; i++) {
		struct addr known = endpoint_addr(roster->endpoints[i]);

		if (way->host_port == 0)	/* its server may have a port of its own */
			addr_set_port(&known, 0);
		if (addr_equals(&known, &wanted))
			return roster->endpoints[i]->server;
	}
	return NULL;
}

/* Of several addresses that of a server, or else the lowest, as with `resolve first`. */
static void
take_address(struct leg_way *way, const struct resolve_address *addresses, size_t count)
{
	struct roster *roster = service_roster(way->pool->service);
	const struct resolve_address *best = NULL;
	const char *server = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *found = find_server(way, roster, &addresses[i].addr);
		bool is_first = best == NULL || addr_compare(&addresses[i].addr, &best->addr) < 0;

		if (found != NULL ? server == NULL || is_first : server == NULL && is_first) {
			best = &addresses[i];
			server = found;
		}
	}
	way->host = best->addr;
	addr_set_port(&way->host, way->host_port != 0 ? way->host_port : (uint16_t)way->pool->port);
	if (server != NULL)
		take_server(way, server);
	roster_put(&roster);
}

/* The server that the configuration knows by this name; NULL: none. */
static const char *
find_namesake(const struct leg_way *way)
{
	const struct conf_list *servers = pool_servers(way->pool);
	uint16_t port = way->host_port;

	for (size_t i = 0; i < servers->count; i++) {
		const struct server *server = servers->items[i];
		uint16_t own = server->address.port != 0 ? server->address.port : (uint16_t)way->pool->port;

		if (server_has_name(server) && !server_is_many(server) && (port == 0 || port == own) &&
		    strcasecmp(server->address.host, way->host_name) == 0)
			return server->conf.title;
	}
	return NULL;
}

static void
on_answer(struct resolve_question *question, const struct resolve_result *result)
{
	struct leg *leg = loop_owner(question, struct leg_way, question)->leg;
	struct leg_way *way = leg->way;

	loop_timer_stop(leg->session->worker->loop, &way->patience);
	if (result->status != RESOLVE_OK) {
		leg_log(leg, LOG_WARNING, "%s: %s: %s", way->host_name, resolve_status_text(result->status),
		    result->text);
		leg_give_up(leg, not_found);
		return;
	}
	take_address(way, result->addresses, result->count);
	way->on_located(leg);
}

/* A resolver that a reload replaced answers no more, and others may take longer than a login has. */
static void
on_impatience(struct loop_timer *timer)
{
	struct leg *leg = loop_owner(timer, struct leg_way, patience)->leg;

	resolve_cancel(&leg->way->question);
	leg_give_up(leg, not_found);
}

static void
ask(struct leg *leg, int64_t deadline)
{
	struct leg_way *way = leg->way;
	struct worker *worker = leg->session->worker;

	loop_timer_init(&way->patience, on_impatience);
	loop_timer_set(worker->loop, &way->patience, deadline);
	way->question = (struct resolve_question){
		.kind = RESOLVE_ADDRESS,
		.name = way->host_name,
		.on_answer = on_answer,
	};
	resolve_start(worker->resolver, &way->question);
}

void
host_locate(struct leg *leg, int64_t deadline, void (*on_located)(struct leg *leg))
{
	struct leg_way *way = leg->way;
	bool is_known = way->host.sa.sa_family != AF_UNSPEC;
	const struct resolve_address own = { .addr = way->host };
	const char *namesake = is_known ? NULL : find_namesake(way);

	way->on_located = on_located;
	if (!is_known && namesake == NULL) {
		ask(leg, deadline);
		return;
	}
	if (is_known)
		take_address(way, &own, 1);
	else
		take_server(way, namesake);
	on_located(leg);
}

void
host_cancel(struct leg *leg, struct leg_way *way)
{
	resolve_cancel(&way->question);
	loop_timer_stop(leg->session->worker->loop, &way->patience);
}
