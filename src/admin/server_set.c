/* SPDX-License-Identifier: BSD-2-Clause */
/* server_set.c: names, and the machines and endpoints they stand for. */
#include "admin/server_set.h"

#include <string.h>

#include "base/xalloc.h"

/* "d03" is d03, and each d03@ADDRESS. */
static bool
is_named(const char *server, const char *name)
{
	size_t length = strlen(name);

	return strncmp(server, name, length) == 0 && (server[length] == '\0' || server[length] == '@');
}

static bool
has_machine(const struct server_set *set, const struct machine *machine)
{
	for (size_t i = 0; i < set->machine_count; i++)
		if (set->machines[i] == machine)
			return true;
	return false;
}

static void
add_machine(struct server_set *set, struct machine *machine)
{
	if (has_machine(set, machine))
		return;
	set->machines = xrealloc(set->machines, (set->machine_count + 1) * sizeof(set->machines[0]));
	set->machines[set->machine_count++] = machine;
}

static void
add_endpoint(struct server_set *set, struct endpoint *e)
{
	set->endpoints = xrealloc(set->endpoints, (set->endpoint_count + 1) * sizeof(set->endpoints[0]));
	set->endpoints[set->endpoint_count++] = e;
}

static bool
find_services(const struct root *root, const char *name, struct server_set *set)
{
	const char *slash = strchr(name, '/');
	const struct pool *pool;

	if (slash == NULL)
		return false;
	pool = find_pool(root, slice_make(name, (size_t)(slash - name)));
	for (size_t i = 0; pool != NULL && i < pool->endpoint_count; i++)
		if (is_named(pool->endpoints[i]->server, slash + 1))
			add_endpoint(set, pool->endpoints[i]);
	set->is_service = set->endpoint_count > 0;
	return set->is_service;
}

static bool
is_meant(const struct machine *machine, const char *name)
{
	const char *slash = strchr(name, '/');
	size_t farm = slash != NULL ? (size_t)(slash - name) : 0;

	if (slash == NULL)
		return is_named(machine->name, name);
	return strlen(machine->farm) == farm && memcmp(machine->farm, name, farm) == 0 &&
	    is_named(machine->name, slash + 1);
}

/* Servers of the same name in two farms are not one. */
static const struct machine *
find_machines(const struct root *root, const char *name, struct server_set *set)
{
	const struct machine *other = NULL;

	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++) {
			struct endpoint *e = pool->endpoints[j];

			if (!is_meant(e->machine, name))
				continue;
			add_machine(set, e->machine);
			add_endpoint(set, e);
			if (strcmp(e->machine->farm, set->machines[0]->farm) != 0)
				other = e->machine;
		}
	}
	return other;
}

/* NULL: it is clear, or there is none. */
static const struct machine *
find(const struct root *root, const char *name, struct server_set *set)
{
	*set = (struct server_set){ .name = name };
	return find_services(root, name, set) ? NULL : find_machines(root, name, set);
}

static void
fail_unclear(struct admin_call *call, const struct server_set *set, const struct machine *other)
{
	call_fail(call, "%s is a server of %s and of %s: say which.", set->name, set->machines[0]->farm,
	    other->farm);
}

bool
server_set_find(struct admin_call *call, const char *name, struct server_set *set)
{
	const struct machine *other = find(cockpit_root(call->cockpit), name, set);

	if (other == NULL && set->endpoint_count > 0)
		return true;
	if (other != NULL)
		fail_unclear(call, set, other);
	else
		call_fail(call, "No such server.");
	server_set_clear(set);
	return false;
}

bool
server_set_is_clear(struct admin_call *call, const char *name)
{
	struct server_set set;
	const struct machine *other = find(cockpit_root(call->cockpit), name, &set);

	if (other != NULL)
		fail_unclear(call, &set, other);
	server_set_clear(&set);
	return other == NULL;
}

static bool
is_drained(struct endpoint *e)
{
	struct machine_facts machine;
	struct endpoint_facts facts;

	machine_read(e->machine, &machine);
	endpoint_read(e, &facts);
	return machine.admin.state != ADMIN_READY || machine.agent_admin.state != ADMIN_READY ||
	    facts.admin.state != ADMIN_READY;
}

void
server_set_find_drained(const struct cockpit *cockpit, struct server_set *set)
{
	const struct root *root = cockpit_root(cockpit);

	*set = (struct server_set){ .name = "" };
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; j < pool->endpoint_count; j++)
			if (is_drained(pool->endpoints[j]))
				add_endpoint(set, pool->endpoints[j]);
	}
}

void
server_set_clear(struct server_set *set)
{
	xfree(set->machines);
	xfree(set->endpoints);
	*set = (struct server_set){ 0 };
}

bool
server_set_admin(const struct server_set *set, enum admin_state state, const char *why)
{
	bool is_new = false;

	for (size_t i = 0; i < set->machine_count; i++)
		is_new |= machine_set_admin(set->machines[i], state, why);
	for (size_t i = 0; set->is_service && i < set->endpoint_count; i++)
		is_new |= endpoint_set_admin(set->endpoints[i], state, why);
	return is_new;
}
