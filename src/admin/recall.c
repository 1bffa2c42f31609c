/* SPDX-License-Identifier: BSD-2-Clause */
/* recall.c: a row for all that can be set, in the words of deviations.c. */
#include "admin/recall.h"

#include <inttypes.h>
#include <string.h>

#include "admin/target.h"
#include "balance/endpoint.h"
#include "balance/endpoint_room.h"
#include "balance/pool.h"
#include "daemon/descriptors.h"
#include "health/health.h"
#include "session/listener_kept.h"
#include "session/listener_settings.h"
#include "session/worker.h"

/* A setting, and what it is about: no more than one of these. */
struct recalled {
	struct cockpit *cockpit;
	const struct setting *setting;
	struct listener_orders *orders;
	const struct pool *pool;
	struct endpoint *endpoint;
};

struct endpoint *
recall_find_endpoint(const struct cockpit *cockpit, const char *name, const struct pool **pool)
{
	const struct conf_list *pools = &cockpit_root(cockpit)->pools;

	for (size_t i = 0; i < pools->count; i++) {
		*pool = pools->items[i];
		for (size_t j = 0; j < (*pool)->endpoint_count; j++)
			if (strcmp((*pool)->endpoints[j]->name, name) == 0)
				return (*pool)->endpoints[j];
	}
	*pool = NULL;
	return NULL;
}

/* One address of a name, which has been looked up then. */
static bool
is_address_of(const char *name, struct slice base)
{
	return strncmp(name, base.data, base.len) == 0 && name[base.len] == '@';
}

/* It has no address yet. */
static bool
is_awaited(const struct root *root, const char *name)
{
	struct slice rest = slice_of(name), server;
	const struct pool *pool = find_pool(root, slice_take(&rest, '/'));

	server = slice_take(&rest, '@');
	for (size_t i = 0; pool != NULL && i < pool->endpoint_count; i++)
		if (is_address_of(pool->endpoints[i]->server, server))
			return false;
	for (size_t i = 0; pool != NULL && i < pool_servers(pool)->count; i++) {
		const struct server *s = pool_servers(pool)->items[i];

		if (slice_equals(server, s->conf.title))
			return true;
	}
	return false;
}

static enum recall
find_service(struct recalled *r)
{
	const char *name = r->setting->subject;

	r->endpoint = recall_find_endpoint(r->cockpit, name, &r->pool);
	if (r->endpoint != NULL)
		return RECALL_DONE;
	return is_awaited(cockpit_root(r->cockpit), name) ? RECALL_LATER : RECALL_GONE;
}

static enum recall
find_orders(struct recalled *r)
{
	const struct listener_settings *settings = find_listener(cockpit_root(r->cockpit),
	    slice_of(r->setting->subject));

	if (settings == NULL)
		return RECALL_GONE;
	r->orders = &settings->listener->orders;
	return RECALL_DONE;
}

static enum recall
find_process(struct recalled *r)
{
	r->orders = worker_process_orders();
	return RECALL_DONE;
}

/* False: it is no number. */
static bool
read_number(const char *text, int64_t *number)
{
	uint64_t value;

	if (!slice_to_number(slice_of(text), INT32_MAX, &value))
		return false;
	*number = (int64_t)value;
	return true;
}

/* The bound; done: the configuration still has what it had. */
static enum recall
read_bound(const struct setting *setting, int64_t configured, int64_t *max)
{
	int64_t in_file;

	if (!read_number(setting->in_file, &in_file) || !read_number(setting->now, max))
		return RECALL_OVERRULED;
	if (*max == configured)
		return RECALL_NEEDLESS;
	return in_file == configured ? RECALL_DONE : RECALL_OVERRULED;
}

static enum recall
bound_listener(const struct recalled *r)
{
	int64_t max;
	enum recall read = read_bound(r->setting, r->orders->configured_max, &max);

	if (read == RECALL_DONE)
		listener_orders_bound(r->orders, max, r->setting->why);
	return read;
}

/* As many files as it takes may be open no more. */
static enum recall
bound_process(const struct recalled *r)
{
	const struct root *root = cockpit_root(r->cockpit);
	int64_t max;

	if (read_bound(r->setting, r->orders->configured_max, &max) == RECALL_DONE &&
	    descriptors_reserve(max, r->cockpit->control->assets.threads, root_binds(root)) != max)
		return RECALL_OVERRULED;
	return bound_listener(r);
}

static enum recall
close_listener(const struct recalled *r)
{
	(void)listener_orders_disable(r->orders, true, r->setting->why);
	return RECALL_DONE;
}

static enum recall
bound_service(const struct recalled *r)
{
	int64_t max;
	enum recall read = read_bound(r->setting, r->pool->options.max_connections, &max);

	if (read == RECALL_DONE)
		endpoint_bound(r->endpoint, (int)max, r->setting->why);
	return read;
}

/* The end of "192.0.2.7:143" or "[2001:db8::1]:143"; a unix socket's path has none. */
static bool
read_address(const char *text, struct addr *addr)
{
	const char *colon = strrchr(text, ':');
	uint64_t port = 0;

	return colon != NULL && slice_to_number(slice_of(colon + 1), UINT16_MAX, &port) &&
	    addr_parse(slice_make(text, (size_t)(colon - text)), (uint16_t)port, addr);
}

static enum recall
move_service(const struct recalled *r)
{
	const struct addr *configured = &r->endpoint->configured_addr;
	char text[ADDR_TEXT_MAX] = "";
	struct addr addr;

	if (configured->sa.sa_family != AF_UNSPEC)
		addr_format(configured, text);
	else if (*r->setting->in_file != '\0')
		return RECALL_LATER;
	if (strcmp(text, r->setting->now) == 0)
		return RECALL_NEEDLESS;
	if (strcmp(text, r->setting->in_file) != 0 || !read_address(r->setting->now, &addr))
		return RECALL_OVERRULED;
	generation_move(r->cockpit->control->current, r->pool, r->endpoint, &addr, r->setting->why);
	return RECALL_DONE;
}

static enum recall
end_checks(const struct recalled *r)
{
	health_set_checked(r->cockpit->control->assets.health, r->endpoint, false, r->setting->why);
	return RECALL_DONE;
}

static enum recall
end_agent(const struct recalled *r)
{
	health_set_asked(r->cockpit->control->assets.health, r->endpoint->machine, false,
	    r->setting->why);
	return RECALL_DONE;
}

static const struct row {
	const char *kind, *what;
	enum recall (*find)(struct recalled *recalled);
	enum recall (*set)(const struct recalled *recalled);
} rows[] = {
	{ "listener", "state",           find_orders,  close_listener },
	{ "listener", "max_connections", find_orders,  bound_listener },
	{ "process",  "max_connections", find_process, bound_process },
	{ "service",  "max_connections", find_service, bound_service },
	{ "service",  "address",         find_service, move_service },
	{ "service",  "checks",          find_service, end_checks },
	{ "service",  "agent",           find_service, end_agent },
};

enum recall
recall_set(struct cockpit *cockpit, const struct setting *setting)
{
	struct recalled recalled = { .cockpit = cockpit, .setting = setting };
	enum recall found;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].kind, setting->kind) != 0 || strcmp(rows[i].what, setting->what) != 0)
			continue;
		found = rows[i].find(&recalled);
		return found == RECALL_DONE ? rows[i].set(&recalled) : found;
	}
	return RECALL_GONE;
}
