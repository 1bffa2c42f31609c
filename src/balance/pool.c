/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c: from a pool as configured to one that can be picked from. */
#include "balance/pool.h"

#include <string.h>

#include "balance/adhoc.h"
#include "balance/balance.h"
#include "balance/check_settings.h"
#include "balance/discovery.h"
#include "balance/endpoint_report.h"
#include "balance/endpoint_table.h"
#include "balance/member.h"
#include "balance/roster.h"
#include "base/digest.h"
#include "base/secret.h"
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
	members_open(pool);
	pool->roster = members_roster(pool);
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

bool
server_has_name(const struct server *server)
{
	const struct address *address = &server->address;

	return server->srv != NULL || (address->host != NULL && address->addr.sa.sa_family == AF_UNSPEC);
}

bool
server_is_many(const struct server *server)
{
	return server->srv != NULL || (server_has_name(server) && server->resolve == SERVER_RESOLVE_ALL);
}

/* Of a service, the domain: whose hosts it has is not to be believed (RFC 6125). */
const char *
server_host(const struct server *server)
{
	const char *host = server->srv;

	if (host == NULL)
		return server_has_name(server) ? server->address.host : NULL;
	while (*host == '_' && strchr(host, '.') != NULL)
		host = strchr(host, '.') + 1;
	return host;
}

void
pool_commit(struct pool *pool)
{
	service_set_era(pool->service, pool->era);
	service_set_close_spread(pool->service, (int)pool->options.close_spread.ms);
	members_commit(pool);
	service_set_roster(pool->service, pool->roster);
	pool->roster = NULL;
}

static bool
has_news(const struct pool *pool)
{
	const struct conf_list *servers = pool_servers(pool);

	for (size_t i = 0; i < servers->count; i++) {
		const struct findings *findings =
		    discovery_find(endpoint_table_discovery(pool->table), pool, servers->items[i]);

		if (findings != NULL && findings->is_new)
			return true;
	}
	return false;
}

bool
pool_follow(struct pool *pool)
{
	struct pool before = *pool;

	if (!has_news(pool))
		return false;
	members_open(pool);
	members_commit(pool);
	service_set_roster(pool->service, members_roster(pool));
	members_close(&before);
	return true;
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
	members_close(pool);
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
	struct endpoint *e = adhoc_get(endpoint_table_adhoc(pool->table), pool->service, addr);

	endpoint_set_observed(e, pool->options.observe ? (int)pool->options.error_limit : 0);
	return e;
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
	bool may;

	if (e->is_adhoc)
		return true;
	roster = service_roster(pool->service);
	may = roster_has(roster, e) && (!endpoint_is_down(e) ||
	    (endpoint_takes_in_panic(e) && !endpoint_is_in_maintenance(e) && roster_panics(roster)));
	roster_put(&roster);
	return may;
}
