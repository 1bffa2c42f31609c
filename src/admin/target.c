/* SPDX-License-Identifier: BSD-2-Clause */
/* target.c: names and numbers of listeners, pools and servers. */
#include "admin/target.h"

#include <string.h>

#include "session/listener_settings.h"

/* The number behind `#`; 0: it is none. */
static size_t
number_of(struct slice name)
{
	uint64_t number;

	if (name.len < 2 || name.data[0] != '#' || !slice_to_number(slice_from(name, 1), UINT16_MAX, &number))
		return 0;
	return (size_t)number;
}

static void *
find_block(const struct conf_list *list, struct slice name, size_t first_number)
{
	size_t number = number_of(name);

	if (number > first_number && number - first_number <= list->count)
		return list->items[number - first_number - 1];
	for (size_t i = 0; i < list->count; i++) {
		const struct conf_block *block = list->items[i];

		if (slice_equals(name, block->title))
			return list->items[i];
	}
	return NULL;
}

struct listener_settings *
find_listener(const struct root *root, struct slice name)
{
	return find_block(&root->listeners, name, 0);
}

struct pool *
find_pool(const struct root *root, struct slice name)
{
	return find_block(&root->pools, name, root->listeners.count);
}

struct listener_settings *
target_listener(struct admin_call *call, const char *name)
{
	struct listener_settings *listener = find_listener(cockpit_root(call->cockpit), slice_of(name));

	if (listener == NULL)
		call_fail(call, "No such frontend.");
	return listener;
}

struct pool *
target_pool(struct admin_call *call, const char *name)
{
	struct pool *pool = find_pool(cockpit_root(call->cockpit), slice_of(name));

	if (pool == NULL)
		call_fail(call, "No such backend.");
	return pool;
}

static struct endpoint *
find_endpoint(const struct pool *pool, struct slice name)
{
	size_t number = number_of(name);

	if (number > 0 && number <= pool->endpoint_count)
		return pool->endpoints[number - 1];
	for (size_t i = 0; i < pool->endpoint_count; i++)
		if (slice_equals(name, pool->endpoints[i]->server))
			return pool->endpoints[i];
	return NULL;
}

struct endpoint *
target_endpoint(struct admin_call *call, const char *name, struct pool **found)
{
	struct slice server = slice_of(name != NULL ? name : ""), pool_name;
	struct endpoint *e;
	struct pool *pool;

	if (name == NULL || strchr(name, '/') == NULL) {
		call_fail(call, "Require 'backend/server'.");
		return NULL;
	}
	pool_name = slice_take(&server, '/');
	pool = find_pool(cockpit_root(call->cockpit), pool_name);
	if (pool == NULL) {
		call_fail(call, "No such backend.");
		return NULL;
	}
	e = find_endpoint(pool, server);
	if (e == NULL)
		call_fail(call, "No such server.");
	else if (found != NULL)
		*found = pool;
	return e;
}

/* Is it meant by "d03" or by "farm/d03"? */
static bool
is_meant(const struct machine *machine, const char *name)
{
	const char *slash = strchr(name, '/');
	size_t farm = slash != NULL ? (size_t)(slash - name) : 0;

	if (slash == NULL)
		return strcmp(machine->name, name) == 0;
	return strlen(machine->farm) == farm && memcmp(machine->farm, name, farm) == 0 &&
	    strcmp(machine->name, slash + 1) == 0;
}

struct machine *
target_machine(struct admin_call *call, const char *name)
{
	const struct root *root = cockpit_root(call->cockpit);
	struct machine *machine = NULL;

	for (size_t i = 0; name != NULL && i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++) {
			struct machine *candidate = pool->endpoints[j]->machine;

			if (candidate == machine || !is_meant(candidate, name))
				continue;
			if (machine != NULL) {
				call_fail(call, "%s is a server of %s and of %s: say which.", name,
				    machine->farm, candidate->farm);
				return NULL;
			}
			machine = candidate;
		}
	}
	if (machine == NULL)
		call_fail(call, "No such server.");
	return machine;
}
