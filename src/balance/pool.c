/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c: from a pool as configured to one that can be picked from, and the
 * table of what outlives it.  The table has one reference to each service and
 * endpoint: who is left with only that one is forgotten.
 */
#include "balance/pool.h"

#include <string.h>

#include "balance/adhoc.h"
#include "balance/balance.h"
#include "base/digest.h"
#include "base/secret.h"
#include "base/spare.h"
#include "base/xalloc.h"
#include "conf/conf.h"

#define BALANCER_POINTER(name) [BALANCER_##name] = &balance_##name
static const struct balancer *const balancers[] = { BALANCERS(BALANCER_POINTER) };

struct endpoint_table {
	struct map *services;		/* struct service by its name */
	struct map *endpoints;		/* struct endpoint by its name */
	struct adhoc_table *adhoc;
	int threads;
};

struct endpoint_table *
endpoint_table_new(int threads)
{
	struct endpoint_table *table = xcalloc(1, sizeof(*table));

	table->services = map_new();
	table->endpoints = map_new();
	table->adhoc = adhoc_table_new(threads);
	table->threads = threads;
	return table;
}

static void
put_endpoint(const char *name, void *value, void *arg)
{
	struct endpoint *e = value;

	(void)name;
	(void)arg;
	endpoint_put(&e);
}

static void
put_service(const char *name, void *value, void *arg)
{
	struct service *service = value;

	(void)name;
	(void)arg;
	service_put(&service);
}

void
endpoint_table_free(struct endpoint_table **table)
{
	if (*table == NULL)
		return;
	adhoc_table_free(&(*table)->adhoc);
	map_each((*table)->endpoints, put_endpoint, NULL);
	map_free(&(*table)->endpoints);
	map_each((*table)->services, put_service, NULL);
	map_free(&(*table)->services);
	xfree(*table);
	*table = NULL;
}

static struct endpoint *
find_or_make(struct endpoint_table *table, const struct pool *pool, const struct server *server)
{
	struct endpoint *made = endpoint_new(pool->service, server->conf.title, table->threads);
	struct endpoint *known = map_get(table->endpoints, slice_of(made->name));

	if (known != NULL) {
		endpoint_put(&made);
		return endpoint_get(known);
	}
	map_set(table->endpoints, slice_of(made->name), made);
	return endpoint_get(made);
}

struct unused {
	const char **names;
	size_t count;
};

/* Nobody but this thread can add to the references, through the table. */
static void
collect_unused_endpoint(const char *name, void *value, void *arg)
{
	const struct endpoint *e = value;
	struct unused *unused = arg;

	(void)name;
	if (atomic_load(&e->references) == 1)
		unused->names[unused->count++] = e->name;
}

static void
collect_unused_service(const char *name, void *value, void *arg)
{
	const struct service *service = value;
	struct unused *unused = arg;

	(void)name;
	if (atomic_load(&service->references) == 1)
		unused->names[unused->count++] = service->name;
}

/* An endpoint refers to its service: that one is looked at later. */
void
endpoint_table_forget_unused(struct endpoint_table *table)
{
	size_t most = map_count(table->endpoints) + map_count(table->services);
	struct unused unused = { .names = xcalloc(most, sizeof(unused.names[0])) };

	map_each(table->endpoints, collect_unused_endpoint, &unused);
	for (size_t i = 0; i < unused.count; i++) {
		struct endpoint *e = map_remove(table->endpoints, slice_of(unused.names[i]));

		endpoint_put(&e);
	}
	unused.count = 0;
	map_each(table->services, collect_unused_service, &unused);
	for (size_t i = 0; i < unused.count; i++) {
		struct service *service = map_remove(table->services, slice_of(unused.names[i]));

		service_put(&service);
	}
	xfree(unused.names);
}

void
endpoint_table_sweep(struct endpoint_table *table, int64_t now)
{
	if (adhoc_sweep(table->adhoc, now))
		endpoint_table_forget_unused(table);
}

const struct conf_list *
pool_servers(const struct pool *pool)
{
	return pool->farm != NULL ? &pool->farm->servers : &pool->servers;
}

static void
open_service(struct pool *pool)
{
	struct slice name = slice_of(pool->conf.title);
	struct service *service = map_get(pool->table->services, name);

	if (service == NULL) {
		service = service_new(pool->conf.title);
		map_set(pool->table->services, name, service);
	}
	pool->service = service_get(service);
	pool->era = service_era(service);
}

static void
open_endpoints(struct pool *pool)
{
	const struct conf_list *servers = pool_servers(pool);

	pool->endpoints = xcalloc(servers->count, sizeof(struct endpoint *));
	for (size_t i = 0; i < servers->count && !spare_is_used(); i++)
		pool->endpoints[pool->endpoint_count++] = find_or_make(pool->table, pool, servers->items[i]);
}

static void
open_states(struct pool *pool)
{
	if (pool->balancer->new_state == NULL)
		return;
	pool->states = xcalloc((size_t)pool->table->threads, sizeof(struct balance_state *));
	for (int i = 0; i < pool->table->threads; i++)
		pool->states[i] = pool->balancer->new_state(pool, i);
}

/* All that is more than a trusted authority. */
static bool
complete_tls(struct pool *pool, struct conf_problems *problems)
{
	const struct server_tls *tls = pool->options.server_tls;
	bool ok = tls->certificate == NULL ||
	    tls_client_show(pool->tls_client, tls->certificate, &tls->conf, problems);

	for (size_t i = 0; i < tls->pin.count; i++) {
		if (tls_client_pin(pool->tls_client, tls->pin.items[i]))
			continue;
		conf_error_at_value(problems, &tls->conf, "pin", i,
		    "pin: %s is no SHA-256 in base64, which has 44 characters", tls->pin.items[i]);
		ok = false;
	}
	return ok;
}

static bool
open_tls(struct pool *pool, struct conf_problems *problems)
{
	const struct server_tls *tls = pool->options.server_tls;
	struct error error;

	if (tls == NULL || tls->mode == SERVER_TLS_OFF)
		return true;
	pool->tls_client = tls_client_load(tls->verify, tls->ca, &error);
	if (pool->tls_client == NULL)
		conf_error_at_value(problems, &tls->conf, "ca", 0, "%s", error.text);
	if (pool->tls_client != NULL && !complete_tls(pool, problems))
		tls_client_free(&pool->tls_client);
	return pool->tls_client != NULL;
}

static bool
open_master(struct pool *pool, struct conf_problems *problems)
{
	const char *path = pool->options.master_password_file;
	struct error error;

	if (path == NULL)
		return true;
	pool->master_password = secret_read(path, &error);
	if (pool->master_password == NULL)
		conf_error_at_value(problems, &pool->conf, "master_password_file", 0, "%s",
		    error.text);
	return pool->master_password != NULL;
}

bool
pool_open(struct pool *pool, struct endpoint_table *table, struct conf_problems *problems)
{
	bool has_tls = open_tls(pool, problems), has_master = open_master(pool, problems);

	if (!has_tls || !has_master) {
		tls_client_free(&pool->tls_client);
		secret_free(&pool->master_password);
		return false;
	}
	pool->table = table;
	pool->balancer = balancers[pool->options.balance];
	pool->is_bound = pool->balancer->binds;
	open_service(pool);
	open_endpoints(pool);
	open_states(pool);
	return true;
}

struct addr
pool_server_addr(const struct pool *pool, const struct server *server)
{
	struct addr addr = server->address.addr;

	if (addr_port(&addr) == 0)
		addr_set_port(&addr, (uint16_t)pool->port);
	return addr;
}

void
pool_commit(struct pool *pool)
{
	const struct conf_list *servers = pool_servers(pool);

	service_set_era(pool->service, pool->era);
	service_set_close_spread(pool->service, (int)pool->options.close_spread.ms);
	for (size_t i = 0; i < pool->endpoint_count; i++) {
		const struct server *server = servers->items[i];
		struct endpoint *e = pool->endpoints[i];
		struct addr addr = pool_server_addr(pool, server);

		endpoint_set_addr(e, &addr);
		endpoint_set_weight(e, (int)server->weight);
		endpoint_set_max_connections(e, (int)pool->options.max_connections);
	}
}

void
pool_drop(struct pool *pool)
{
	service_set_era(pool->service, pool->era + 1);
	service_set_close_spread(pool->service, (int)pool->options.close_spread.ms);
}

void
pool_close(struct pool *pool)
{
	if (pool->table == NULL)
		return;
	for (int i = 0; pool->states != NULL && i < pool->table->threads; i++)
		xfree(pool->states[i]);
	xfree(pool->states);
	pool->states = NULL;
	for (size_t i = 0; i < pool->endpoint_count; i++)
		endpoint_put(&pool->endpoints[i]);
	xfree(pool->endpoints);
	pool->endpoints = NULL;
	pool->endpoint_count = 0;
	service_put(&pool->service);
	tls_client_free(&pool->tls_client);
	secret_free(&pool->master_password);
	pool->table = NULL;
}

struct endpoint *
pool_find(const struct pool *pool, const char *server)
{
	for (size_t i = 0; i < pool->endpoint_count; i++)
		if (strcmp(pool->endpoints[i]->server, server) == 0)
			return pool->endpoints[i];
	return NULL;
}

struct endpoint *
pool_adhoc(const struct pool *pool, const struct addr *addr)
{
	return adhoc_get(pool->table->adhoc, pool->service, addr);
}

struct endpoint *
pool_pick(const struct pool *pool, int worker, const struct balance_key *key)
{
	return pool->balancer->pick(pool, pool->states != NULL ? pool->states[worker] : NULL, key);
}
