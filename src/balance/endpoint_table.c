/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_table.c: three maps, and who is in use: an endpoint refers to its service and its machine. */
#include "balance/endpoint_table.h"

#include "balance/adhoc.h"
#include "balance/discovery.h"
#include "base/map.h"
#include "base/xalloc.h"

struct endpoint_table {
	struct map *services;		/* by name */
	struct map *machines;		/* by "farm NAME/SERVER" or "pool NAME/SERVER" */
	struct map *endpoints;		/* by name */
	struct adhoc_table *adhoc;
	struct discovery *discovery;
	int threads;
	bool is_shared;
};

struct endpoint_table *
endpoint_table_new(int threads)
{
	struct endpoint_table *table = xcalloc(1, sizeof(*table));

	table->services = map_new();
	table->machines = map_new();
	table->endpoints = map_new();
	table->adhoc = adhoc_table_new(threads);
	table->discovery = discovery_new();
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
put_machine(const char *name, void *value, void *arg)
{
	struct machine *machine = value;

	(void)name;
	(void)arg;
	machine_put(&machine);
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
	struct endpoint_table *gone = *table;

	*table = NULL;
	if (gone == NULL)
		return;
	adhoc_table_free(&gone->adhoc);
	discovery_free(&gone->discovery);
	map_each(gone->endpoints, put_endpoint, NULL);
	map_free(&gone->endpoints);
	map_each(gone->machines, put_machine, NULL);
	map_free(&gone->machines);
	map_each(gone->services, put_service, NULL);
	map_free(&gone->services);
	xfree(gone);
}

int
endpoint_table_threads(const struct endpoint_table *table)
{
	return table->threads;
}

struct adhoc_table *
endpoint_table_adhoc(struct endpoint_table *table)
{
	return table->adhoc;
}

struct discovery *
endpoint_table_discovery(struct endpoint_table *table)
{
	return table->discovery;
}

struct service *
endpoint_table_service(struct endpoint_table *table, const char *name)
{
	struct service *service = map_get(table->services, slice_of(name));

	if (service == NULL) {
		service = service_new(name);
		map_set(table->services, slice_of(name), service);
	}
	return service_get(service);
}

struct machine *
endpoint_table_machine(struct endpoint_table *table, bool is_farm, const char *farm, const char *name)
{
	char *key = xasprintf("%s %s/%s", is_farm ? "farm" : "pool", farm, name);
	struct machine *machine = map_get(table->machines, slice_of(key));

	if (machine == NULL) {
		machine = machine_new(farm, name);
		map_set(table->machines, slice_of(key), machine);
	}
	xfree(key);
	return machine_get(machine);
}

/* A pool that has another farm now has other machines under the same names. */
struct endpoint *
endpoint_table_endpoint(struct endpoint_table *table, struct service *service, struct machine *machine)
{
	struct endpoint *made = endpoint_new(service, machine, table->threads);
	struct endpoint *known = map_get(table->endpoints, slice_of(made->name));

	if (known != NULL && known->machine == machine) {
		endpoint_put(&made);
		return endpoint_get(known);
	}
	atomic_store(&made->awaits_others, table->is_shared);
	known = map_remove(table->endpoints, slice_of(made->name));
	endpoint_put(&known);
	map_set(table->endpoints, slice_of(made->name), made);
	return endpoint_get(made);
}

struct endpoint *
endpoint_table_find(const struct endpoint_table *table, struct slice name)
{
	return map_get(table->endpoints, name);
}

struct each {
	void (*each)(struct endpoint *e, void *arg);
	void *arg;
};

static void
pass_endpoint(const char *name, void *value, void *arg)
{
	const struct each *each = arg;

	(void)name;
	each->each(value, each->arg);
}

void
endpoint_table_each(struct endpoint_table *table, void (*each)(struct endpoint *e, void *arg), void *arg)
{
	struct each visitor = { each, arg };

	map_each(table->endpoints, pass_endpoint, &visitor);
}

size_t
endpoint_table_count(const struct endpoint_table *table)
{
	return map_count(table->endpoints);
}

struct unused {
	const char **names;
	size_t count;
};

/* Nobody but this thread can add to the references, through the table. */
static void
collect(struct unused *unused, const char *name, const atomic_int *references)
{
	if (atomic_load(references) == 1)
		unused->names[unused->count++] = name;
}

static void
collect_endpoint(const char *name, void *value, void *arg)
{
	const struct endpoint *e = value;

	collect(arg, name, &e->references);
}

static void
collect_machine(const char *name, void *value, void *arg)
{
	const struct machine *machine = value;

	collect(arg, name, &machine->references);
}

static void
collect_service(const char *name, void *value, void *arg)
{
	const struct service *service = value;

	collect(arg, name, &service->references);
}

static void
forget(struct map *map, void (*collect_one)(const char *name, void *value, void *arg),
    void (*put)(const char *name, void *value, void *arg))
{
	struct unused unused = { .names = xcalloc(map_count(map), sizeof(unused.names[0])) };

	map_each(map, collect_one, &unused);
	for (size_t i = 0; i < unused.count; i++) {
		/* the name may be the map's, or of what is put */
		char *name = xstrdup(unused.names[i]);

		put(name, map_remove(map, slice_of(name)), NULL);
		xfree(name);
	}
	xfree(unused.names);
}

static void
await_others(struct endpoint *e, void *arg)
{
	atomic_store(&e->awaits_others, *(const bool *)arg);
}

void
endpoint_table_share(struct endpoint_table *table, bool is_shared)
{
	table->is_shared = is_shared;
	endpoint_table_each(table, await_others, &is_shared);
}

/* An endpoint refers to its machine and service: these are looked at later. */
void
endpoint_table_forget_unused(struct endpoint_table *table)
{
	forget(table->endpoints, collect_endpoint, put_endpoint);
	forget(table->machines, collect_machine, put_machine);
	forget(table->services, collect_service, put_service);
}

void
endpoint_table_sweep(struct endpoint_table *table, int64_t now)
{
	adhoc_sweep(table->adhoc, now);
	endpoint_table_forget_unused(table);
}
