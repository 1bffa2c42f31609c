/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation.c: opens what a configuration names, hands it to the workers,
 * and gives it back when none of them uses it any more.
 */
#include "daemon/generation.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "access/access.h"
#include "access/country_tally.h"
#include "access/penalty.h"
#include "access/screen_memory.h"
#include "auth/auth.h"
#include "balance/discovery.h"
#include "balance/member.h"
#include "base/spare.h"
#include "base/thread_pool.h"
#include "base/xalloc.h"
#include "daemon/descriptors.h"
#include "daemon/log_block.h"
#include "daemon/privileges.h"
#include "daemon/sharing.h"
#include "net/stream.h"
#include "net/stream_memory.h"
#include "proto/proto.h"
#include "session/listener_kept.h"
#include "session/pool_fit.h"
#include "state/affinity.h"
#include "state/cluster_block.h"
#include "state/cluster_members.h"
#include "state/limiter.h"

enum {
	HASHING_THREADS_MAX = 4, HASHING_JOBS_MAX = 4096,
	RATES_MAX = 1 << 20		/* of clients, about 100 octets each */
};

void
assets_init(struct assets *assets, int threads)
{
	*assets = (struct assets){ .threads = threads };
	assets->endpoints = endpoint_table_new(threads);
	assets->hashing = thread_pool_new(threads < HASHING_THREADS_MAX ? threads : HASHING_THREADS_MAX,
	    HASHING_JOBS_MAX, loop_post);
	assets->penalty = penalty_new(&counter_memory);
	assets->limiter = limiter_new(RATES_MAX);
	assets->screened = screen_memory_new();
	assets->countries = country_tally_new();
	list_init(&assets->generations);
}

static void
close_farms(struct generation *g)
{
	for (size_t i = 0; i < g->root->farms.count; i++) {
		struct farm *farm = g->root->farms.items[i];

		affinity_put(&farm->bindings);
	}
}

static void
close_access(struct generation *g)
{
	if (g->root->geo != NULL)
		geo_close(g->root->geo);
	for (size_t i = 0; i < g->root->accesses.count; i++)
		access_close(g->root->accesses.items[i]);
	for (size_t i = 0; i < g->root->listeners.count; i++)
		listener_settings_close(g->root->listeners.items[i]);
}

static void
generation_free(struct generation *g)
{
	close_farms(g);
	for (size_t i = 0; i < g->root->pools.count; i++)
		pool_close(g->root->pools.items[i]);
	endpoint_table_forget_unused(g->assets->endpoints);
	for (size_t i = 0; i < g->root->listeners.count; i++) {
		struct listener_settings *settings = g->root->listeners.items[i];

		listener_put(&settings->listener);
	}
	for (size_t i = 0; i < g->root->tls.count; i++) {
		struct tls_settings *settings = g->root->tls.items[i];

		tls_context_free(&settings->context);
	}
	close_access(g);
	for (size_t i = 0; i < g->root->auths.count; i++)
		auth_close(g->root->auths.items[i]);
	for (int i = 0; i < LOG_STREAMS; i++)
		log_sink_close(&g->sinks[i]);
	list_remove(&g->node);
	xfree(g->orders);
	xfree(g->snapshot.shares);
	if (g->snapshot.conf != g->assets->started)
		conf_free(&g->snapshot.conf);
	xfree(g);
}

void
assets_clear(struct assets *assets)
{
	health_free(&assets->health);
	list_each(node, &assets->generations)
		generation_free(list_entry(node, struct generation, node));
	endpoint_table_free(&assets->endpoints);
	socket_table_free(&assets->sockets);
	thread_pool_free(&assets->hashing);
	penalty_free(&assets->penalty);
	limiter_free(&assets->limiter);
	screen_memory_free(&assets->screened);
	country_tally_free(&assets->countries);
	cluster_free(&assets->cluster);
	conf_free(&assets->started);
}

static void
on_unused(struct snapshot *snapshot)
{
	generation_free(list_entry(snapshot, struct generation, snapshot));
}

static void
fill_snapshot(struct generation *g)
{
	const struct root *root = g->root;
	const struct log_block *access = log_block_of(&root->logs, LOG_STREAM_ACCESS);

	g->snapshot.pools = root->pools;
	g->snapshot.listeners = root->listeners;
	g->snapshot.auths = root->auths;
	g->snapshot.nameservers = root->nameservers;
	g->snapshot.users = root->users;
	g->snapshot.hashing = g->assets->hashing;
	g->snapshot.penalty = g->assets->penalty;
	g->snapshot.limiter = g->assets->limiter;
	g->snapshot.screened = g->assets->screened;
	g->snapshot.countries = g->assets->countries;
	g->snapshot.geo = root->geo;
	g->snapshot.hash_unknown_users = access->unknown_user == LOG_UNKNOWN_USER_HASH;
	g->snapshot.mask_addresses = access->address == LOG_ADDRESS_MASKED;
	g->snapshot.events = access->events;
	g->snapshot.control = g->assets->control;
	g->snapshot.on_unused = on_unused;
	g->snapshot.workers = g->assets->threads;
	g->snapshot.shares = xcalloc_aligned((size_t)g->assets->threads * sizeof(g->snapshot.shares[0]));
}

static bool
load_tls(struct generation *g, struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < g->root->tls.count && !spare_is_used(); i++) {
		struct tls_settings *settings = g->root->tls.items[i];

		if (settings->conf.broken)
			continue;
		settings->context = tls_context_load(settings, problems);
		ok &= settings->context != NULL;
		ok &= conf_has_memory(problems, &settings->conf);
	}
	return ok;
}

/* Databases and files of names. */
static bool
open_access(struct generation *g, const struct generation *before, struct conf_problems *problems)
{
	struct condition_scope scope = { .geo = g->root->geo, .listeners = &g->root->listeners };
	bool ok = true;

	if (g->root->geo != NULL && !g->root->geo->conf.broken)
		ok = geo_open(g->root->geo, before != NULL ? before->root->geo : NULL, problems);
	for (size_t i = 0; i < g->root->accesses.count && !spare_is_used(); i++) {
		struct access *access = g->root->accesses.items[i];

		if (!access->conf.broken)
			ok &= access_open(access, &scope, problems);
		ok &= conf_has_memory(problems, &access->conf);
	}
	scope.has_recipients = true;
	for (size_t i = 0; i < g->root->listeners.count; i++)
		ok &= listener_settings_open(g->root->listeners.items[i], &scope, problems);
	return ok;
}

static bool
open_auths(struct generation *g, const struct generation *before, struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < g->root->auths.count && !spare_is_used(); i++) {
		struct auth *auth = g->root->auths.items[i];

		if (auth->conf.broken)
			continue;
		auth_keep(auth, before != NULL ? &before->root->auths : NULL, g->assets->threads);
		ok &= auth_open(auth, before != NULL ? &before->root->auths : NULL, problems);
		ok &= conf_has_memory(problems, &auth->conf);
	}
	return ok;
}

static bool
open_pools(struct generation *g, struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < g->root->pools.count && !spare_is_used(); i++) {
		struct pool *pool = g->root->pools.items[i];

		if (pool->conf.broken)
			continue;
		ok &= pool_open(pool, g->assets->endpoints, problems);
		ok &= conf_has_memory(problems, &pool->conf);
	}
	return ok;
}

static struct affinity *
find_bindings(const struct generation *g, const char *name)
{
	for (size_t i = 0; g != NULL && i < g->root->farms.count; i++) {
		const struct farm *farm = g->root->farms.items[i];

		if (strcmp(farm->conf.title, name) == 0)
			return farm->bindings;
	}
	return NULL;
}

static int64_t
count_sessions(void)
{
	return atomic_load_explicit(&worker_process()->sessions, memory_order_relaxed);
}

/* There is one or not from the start on: what a reload says of it needs a restart. */
static bool
open_cluster(struct generation *g, struct conf_problems *problems)
{
	const struct cluster_block *block = g->root->cluster;
	struct assets *assets = g->assets;
	struct cluster_settings settings;
	bool is_good;

	if (block == NULL || block->conf.broken || assets->cluster != NULL)
		return true;
	is_good = cluster_block_read(block, &settings, problems);
	if (settings.name == NULL)
		settings.name = g->root->hostname;
	settings.nameservers = g->root->nameservers;
	if (is_good && assets->control != NULL && assets->started == g->snapshot.conf) {
		assets->cluster = cluster_new(&settings, assets->threads);
		cluster_join(assets->cluster, assets->control);
		assets->sharing = sharing_new(assets);
		g->snapshot.penalty = assets->penalty;
		assets->members = cluster_members_new(assets->cluster, GATEPOST_VERSION, count_sessions);
	}
	cluster_settings_clear(&settings);
	return is_good;
}

static struct affinity *
new_bindings(const struct assets *assets, const struct farm *farm)
{
	if (assets->cluster != NULL)
		return affinity_new_shared(assets->cluster, farm->conf.title, farm->affinity.ms);
	return affinity_new(&affinity_memory, farm->affinity.ms);
}

/* Who is bound to which server outlives the reload. */
static bool
open_farms(struct generation *g, const struct generation *before, struct conf_problems *problems)
{
	bool ok = true;

	for (size_t i = 0; i < g->root->farms.count; i++) {
		struct farm *farm = g->root->farms.items[i];
		struct affinity *kept = find_bindings(before, farm->conf.title);

		if (farm->affinity.ms == 0)
			continue;
		farm->bindings = kept != NULL ? affinity_get(kept) : new_bindings(g->assets, farm);
		if (farm->flush_script == NULL || access(farm->flush_script, X_OK) == 0)
			continue;
		conf_error_at_value(problems, &farm->conf, "flush_script", 0, "%s cannot be run: %s",
		    farm->flush_script, strerror(errno));
		ok = false;
	}
	return ok;
}

static const struct pool *
find_pool(const struct generation *g, const char *name)
{
	for (size_t i = 0; g != NULL && i < g->root->pools.count; i++) {
		const struct pool *pool = g->root->pools.items[i];

		if (strcmp(pool->conf.title, name) == 0)
			return pool;
	}
	return NULL;
}

static const struct affinity *
bindings_of(const struct pool *pool)
{
	return pool->farm != NULL ? pool->farm->bindings : NULL;
}

/* Nobody knows by the new bindings where the sessions of the old ones are: they are to go. */
static void
begin_eras(struct generation *g, const struct generation *before)
{
	for (size_t i = 0; i < g->root->pools.count; i++) {
		struct pool *pool = g->root->pools.items[i];
		const struct pool *kept = find_pool(before, pool->conf.title);

		if (kept != NULL && bindings_of(kept) != bindings_of(pool))
			pool->era++;
	}
}

static struct listener *
find_listener(const struct generation *g, const char *name)
{
	for (size_t i = 0; g != NULL && i < g->root->listeners.count; i++) {
		const struct listener_settings *settings = g->root->listeners.items[i];

		if (strcmp(settings->conf.title, name) == 0)
			return settings->listener;
	}
	return NULL;
}

static void
open_listeners(struct generation *g, const struct generation *before)
{
	for (size_t i = 0; i < g->root->listeners.count; i++) {
		struct listener_settings *settings = g->root->listeners.items[i];
		struct listener *kept = find_listener(before, settings->conf.title);

		if (settings->conf.broken || settings->proto == NULL)
			continue;
		settings->listener = kept != NULL ? listener_get(kept) :
		    listener_new(settings->conf.title, g->assets->threads);
		settings->front_tls.alpn = settings->proto->alpn;
		settings->front_tls.ticket_tag = settings->listener->tag;
		if (settings->tls != NULL)
			settings->front_tls.context = settings->tls->context;
	}
}

static bool
claim_binds(struct generation *g, const struct listener_settings *settings, const struct conf_list *binds,
    struct conf_problems *problems)
{
	bool ok = true;

	g->orders = xrealloc(g->orders, (g->order_count + binds->count + 1) * sizeof(g->orders[0]));
	for (size_t i = 0; i < binds->count; i++) {
		const struct bind_settings *bind = binds->items[i];
		struct listen_spec spec = bind_spec(bind);
		struct error error;
		int number = socket_claim(g->assets->sockets, &spec, &settings->tcp, &error);

		if (number < 0) {
			conf_error_at(problems, &bind->conf, NULL, "%s%s", error.text,
			    privileges_port_hint(addr_port(&spec.addr)));
			ok = false;
			continue;
		}
		g->orders[g->order_count++] = (struct gate_order){
			.socket = number, .settings = settings, .is_tls = bind_is_tls(bind),
			.backlog = spec.backlog,
		};
	}
	return ok;
}

static bool
claim_sockets(struct generation *g, struct conf_problems *problems)
{
	size_t count = g->assets->sockets != NULL ? g->root->listeners.count : 0;
	bool ok = true;

	for (size_t i = 0; i < count && !spare_is_used(); i++) {
		const struct listener_settings *settings = g->root->listeners.items[i];

		ok &= claim_binds(g, settings, &settings->bind, problems);
		ok &= claim_binds(g, settings, &settings->bind_tls, problems);
		ok &= conf_has_memory(problems, &settings->conf);
	}
	return ok;
}

struct generation *
generation_prepare(struct assets *assets, struct conf *conf, const struct generation *before,
    struct conf_problems *problems)
{
	struct generation *g = xcalloc(1, sizeof(*g));
	bool ok;

	g->assets = assets;
	g->snapshot.conf = conf;
	g->root = conf_root(conf);
	fill_snapshot(g);
	/* all of it, whatever fails but memory: the operator wants to see every problem at once */
	ok = load_tls(g, problems);
	ok &= open_access(g, before, problems);
	ok &= open_auths(g, before, problems);
	ok &= open_pools(g, problems);
	ok &= open_cluster(g, problems);
	ok &= open_farms(g, before, problems);
	begin_eras(g, before);
	open_listeners(g, before);
	ok &= claim_sockets(g, problems);
	ok &= log_blocks_open(&g->root->logs, assets->in_background, g->sinks, problems);
	ok &= conf_has_memory(problems, NULL);
	if (ok)
		return g;
	generation_undo(&g);
	return NULL;
}

void
generation_warn(const struct generation *g)
{
	for (size_t i = 0; i < g->root->tls.count; i++) {
		const struct tls_settings *settings = g->root->tls.items[i];

		if (settings->context != NULL)
			tls_context_warn(settings->context);
	}
	pool_fit_warn(&g->root->pools);
	listener_settings_warn(&g->root->listeners);
}

void
generation_undo(struct generation **generation)
{
	struct generation *g = *generation;

	*generation = NULL;
	if (g == NULL)
		return;
	if (g->assets->sockets != NULL)
		sockets_undo(g->assets->sockets);
	generation_free(g);
}

static struct gate *
make_gate(const struct gate_order *order, struct worker *worker, int fd)
{
	struct gate *gate = xcalloc(1, sizeof(*gate));

	gate->worker = worker;
	gate->fd = fd;
	gate->socket = order->socket;
	gate->settings = order->settings;
	gate->is_tls = order->is_tls;
	gate->backlog = order->backlog;
	return gate;
}

static struct worker_change *
make_change(struct generation *g, struct worker *worker)
{
	struct worker_change *change = xcalloc(1, sizeof(*change));

	change->snapshot = &g->snapshot;
	list_init(&change->gates);
	change->orders = xcalloc(g->order_count + 1, sizeof(change->orders[0]));
	change->order_count = g->order_count;
	for (size_t i = 0; i < g->order_count; i++) {
		int fd;

		change->orders[i] = g->orders[i];
		while ((fd = socket_take(g->assets->sockets, g->orders[i].socket, worker->index)) >= 0)
			list_append(&change->gates, &make_gate(&g->orders[i], worker, fd)->node);
	}
	return change;
}

/* As many sessions as there may be files open for; told once for each wish. */
static void
bound_sessions(struct generation *g, const struct generation *before)
{
	int64_t wanted = g->root->max_connections;
	int64_t carried = descriptors_reserve(wanted, g->assets->threads, root_binds(g->root));

	g->snapshot.max_connections = carried;
	if (carried != wanted && (before == NULL || before->root->max_connections != wanted))
		log_write(LOG_WARNING,
		    "max_connections is lowered from %lld to %lld by the limit of open files",
		    (long long)wanted, (long long)carried);
}

static void
commit_pools(struct generation *g, const struct generation *before)
{
	for (size_t i = 0; i < g->root->farms.count; i++) {
		const struct farm *farm = g->root->farms.items[i];

		if (farm->bindings != NULL)
			affinity_set_retention(farm->bindings, farm->affinity.ms);
	}
	for (size_t i = 0; i < g->root->pools.count; i++)
		pool_commit(g->root->pools.items[i]);
	for (size_t i = 0; before != NULL && i < before->root->pools.count; i++) {
		struct pool *pool = before->root->pools.items[i];

		/* a server that left its pool keeps its sessions: only a dropped pool sends them away */
		if (find_pool(g, pool->conf.title) == NULL)
			pool_drop(pool);
	}
}

static void
commit_listeners(const struct generation *g)
{
	for (size_t i = 0; i < g->root->listeners.count; i++) {
		const struct listener_settings *settings = g->root->listeners.items[i];

		listener_orders_configure(&settings->listener->orders, settings->max_connections);
	}
	listener_orders_configure(worker_process_orders(), g->root->max_connections);
}

static void
commit_health(struct generation *g)
{
	const struct health_view view = {
		.pools = &g->root->pools,
		.listeners = &g->root->listeners,
		.hostname = g->root->hostname,
		.tells_events = (g->snapshot.events & LOG_EVENT_health) != 0,
	};

	health_commit(g->assets->health, &view);
}

void
generation_commit(struct generation *g, const struct generation *before)
{
	generation_warn(g);
	if ((g->root->cluster != NULL) != (g->assets->cluster != NULL))
		log_write(LOG_WARNING, "cluster has come or gone: that needs a restart");
	bound_sessions(g, before);
	commit_pools(g, before);
	commit_listeners(g);
	stream_set_memory_limit(g->root->relay_memory.bytes);
	list_append(&g->assets->generations, &g->node);
	discovery_commit(endpoint_table_discovery(g->assets->endpoints), &g->root->pools,
	    &g->root->nameservers);
	commit_health(g);
}

void
generation_follow(struct generation *g)
{
	bool is_new = false;

	for (size_t i = 0; i < g->root->pools.count; i++)
		is_new |= pool_follow(g->root->pools.items[i]);
	if (is_new)
		commit_health(g);
}

void
generation_move(struct generation *g, const struct pool *pool, struct endpoint *e, const struct addr *addr,
    const char *why)
{
	members_move(pool, e, addr, why);
	commit_health(g);
}

void
generation_serve(struct generation *g, struct worker **workers)
{
	for (int i = 0; i < g->assets->threads; i++)
		worker_commit(workers[i], make_change(g, workers[i]));
	sockets_commit(g->assets->sockets);
}
