/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c: from a pool as configured to one that can be picked from. */
#include "balance/pool.h"

#include <string.h>

#include "balance/adhoc.h"
#include "balance/balance.h"
#include "balance/check_settings.h"
#include "balance/endpoint_report.h"
#include "balance/endpoint_table.h"
#include "base/digest.h"
#include "base/secret.h"
#include "base/spare.h"
#include "base/xalloc.h"
#include "conf/conf.h"

#define BALANCER_POINTER(name) [BALANCER_##name] = &balance_##name
static const struct balancer *const balancers[] = { BALANCERS(BALANCER_POINTER) };

const struct conf_list *
pool_servers(const struct pool *pool)
{
	return pool->farm != NULL ? &pool->farm->servers : &pool->servers;
}

const struct balancer *
pool_balancer(const struct pool *pool)
{
	return balancers[pool->options.balance];
}

static void
open_service(struct pool *pool)
{
	pool->service = endpoint_table_service(pool->table, pool->conf.title);
	pool->service->users++;
	pool->era = service_era(pool->service);
}

static struct endpoint *
open_endpoint(const struct pool *pool, const struct server *server)
{
	const char *farm = pool->farm != NULL ? pool->farm->conf.title : pool->conf.title;
	struct machine *machine = endpoint_table_machine(pool->table, pool->farm != NULL, farm,
	    server->conf.title);
	struct endpoint *e = endpoint_table_endpoint(pool->table, pool->service, machine);

	machine_put(&machine);
	return e;
}

static void
open_endpoints(struct pool *pool)
{
	const struct conf_list *servers = pool_servers(pool);

	pool->endpoints = xcalloc(servers->count, sizeof(struct endpoint *));
	for (size_t i = 0; i < servers->count && !spare_is_used(); i++)
		pool->endpoints[pool->endpoint_count++] = open_endpoint(pool, servers->items[i]);
}

static struct roster *
make_roster(const struct pool *pool)
{
	const struct conf_list *servers = pool_servers(pool);
	struct roster_member *members = xcalloc(pool->endpoint_count, sizeof(members[0]));
	struct roster *roster;

	for (size_t i = 0; i < pool->endpoint_count; i++) {
		const struct server *server = servers->items[i];

		members[i] = (struct roster_member){ pool->endpoints[i], server->backup ? 1 : 0 };
	}
	roster = roster_new(pool->balancer, members, pool->endpoint_count,
	    endpoint_table_threads(pool->table));
	roster->may_panic = pool->options.panic;
	roster->hash_balance_factor = (int)pool->options.hash_balance_factor;
	xfree(members);
	return roster;
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

static void
close_checks(struct pool *pool)
{
	for (size_t i = 0; pool->check_passwords != NULL && i < pool->options.checks.count; i++)
		secret_free(&pool->check_passwords[i]);
	xfree(pool->check_passwords);
	pool->check_passwords = NULL;
}

static bool
open_checks(struct pool *pool, struct conf_problems *problems)
{
	const struct conf_list *checks = &pool->options.checks;
	bool ok = true;

	pool->check_passwords = xcalloc(checks->count, sizeof(char *));
	for (size_t i = 0; i < checks->count; i++) {
		const struct check_settings *settings = checks->items[i];
		struct error error;

		if (settings->password_file == NULL)
			continue;
		pool->check_passwords[i] = secret_read(settings->password_file, &error);
		if (pool->check_passwords[i] == NULL)
			conf_error_at_value(problems, &settings->conf, "password_file", 0, "%s", error.text);
		ok = ok && pool->check_passwords[i] != NULL;
	}
	return ok;
}

const char *
pool_check_password(const struct pool *pool, const struct check_settings *settings)
{
	for (size_t i = 0; i < pool->options.checks.count; i++)
		if (pool->options.checks.items[i] == settings)
			return pool->check_passwords[i];
	return NULL;
}

bool
pool_open(struct pool *pool, struct endpoint_table *table, struct conf_problems *problems)
{
	bool has_tls = open_tls(pool, problems), has_master = open_master(pool, problems);
	bool has_checks = open_checks(pool, problems);

	if (!has_tls || !has_master || !has_checks) {
		tls_client_free(&pool->tls_client);
		secret_free(&pool->master_password);
		close_checks(pool);
		return false;
	}
	pool->table = table;
	pool->balancer = pool_balancer(pool);
	pool->is_bound = pool->balancer->binds;
	open_service(pool);
	open_endpoints(pool);
	pool->roster = make_roster(pool);
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
		endpoint_set_on_down(e, pool->options.on_down == ON_DOWN_CLOSE);
		machine_configure(e->machine, (int)server->weight, (enum admin_state)server->state);
		endpoint_set_slow_start(e, (int)pool->options.slow_start.ms);
		endpoint_set_max_connections(e, (int)pool->options.max_connections);
		endpoint_set_observed(e, pool->options.observe ? (int)pool->options.error_limit : 0);
	}
	service_set_roster(pool->service, pool->roster);
	pool->roster = NULL;
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
	for (size_t i = 0; i < pool->endpoint_count; i++)
		endpoint_put(&pool->endpoints[i]);
	xfree(pool->endpoints);
	pool->endpoints = NULL;
	pool->endpoint_count = 0;
	roster_put(&pool->roster);
	/* its endpoints refer to it */
	if (--pool->service->users == 0)
		service_set_roster(pool->service, NULL);
	service_put(&pool->service);
	tls_client_free(&pool->tls_client);
	secret_free(&pool->master_password);
	close_checks(pool);
	pool->table = NULL;
}

struct endpoint *
pool_find(const struct pool *pool, const char *server)
{
	struct roster *roster = service_roster(pool->service);
	struct endpoint *e = roster_find(roster, server);

	roster_put(&roster);
	return e;
}

struct endpoint *
pool_adhoc(const struct pool *pool, const struct addr *addr)
{
	return adhoc_get(endpoint_table_adhoc(pool->table), pool->service, addr);
}

struct endpoint *
pool_pick(const struct pool *pool, int worker, const struct balance_key *key)
{
	struct roster *roster = service_roster(pool->service);
	struct endpoint *e = roster_pick(roster, worker, key);

	roster_put(&roster);
	return e;
}

bool
pool_may_use(const struct pool *pool, const struct endpoint *e)
{
	struct roster *roster;
	bool panics;

	if (!endpoint_is_down(e) || !pool->options.panic || endpoint_is_in_maintenance(e))
		return !endpoint_is_down(e);
	roster = service_roster(pool->service);
	panics = roster_panics(roster);
	roster_put(&roster);
	return panics;
}
