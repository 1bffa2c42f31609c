/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * adhoc.c: endpoints by name, under one lock, which adhoc_get needs for a
 * look at the map.  Who has no reference but the table's is not in use, and
 * can only be again through adhoc_get.
 */
#include "balance/adhoc.h"

#include <pthread.h>

#include "base/map.h"
#include "base/xalloc.h"

enum { IN_USE = -1 };

struct entry {
	struct endpoint *endpoint;	/* one reference */
	int64_t idle_since;		/* the first sweep that found it so; or IN_USE */
};

struct adhoc_table {
	pthread_mutex_t lock;
	struct map *entries;		/* struct entry by the endpoint's name */
	int threads;
};

struct adhoc_table *
adhoc_table_new(int threads)
{
	struct adhoc_table *table = xcalloc(1, sizeof(*table));

	pthread_mutex_init(&table->lock, NULL);
	table->entries = map_new();
	table->threads = threads;
	return table;
}

static void
entry_free(struct entry *entry)
{
	endpoint_put(&entry->endpoint);
	xfree(entry);
}

static void
free_each(const char *name, void *value, void *arg)
{
	(void)name;
	(void)arg;
	entry_free(value);
}

void
adhoc_table_free(struct adhoc_table **table)
{
	struct adhoc_table *t = *table;

	*table = NULL;
	if (t == NULL)
		return;
	map_each(t->entries, free_each, NULL);
	map_free(&t->entries);
	pthread_mutex_destroy(&t->lock);
	xfree(t);
}

static struct endpoint *
make(const struct adhoc_table *table, struct service *service, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];
	struct machine *machine = machine_new("", addr_format(addr, text));
	struct endpoint *made = endpoint_new(service, machine, table->threads);

	made->is_adhoc = true;
	endpoint_set_addr(made, addr);
	machine_set_weight(machine, 1);
	machine_put(&machine);
	return made;
}

/* Of the table, which is locked; NULL: it is full. */
static struct entry *
find_or_add(struct adhoc_table *table, struct endpoint *made)
{
	struct slice name = slice_of(made->name);
	struct entry *entry = map_get(table->entries, name);

	if (entry != NULL || map_count(table->entries) >= ADHOC_MAX)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->endpoint = endpoint_get(made);
	map_set(table->entries, name, entry);
	return entry;
}

/* Under the lock. */
static struct endpoint *
take(struct entry *entry)
{
	if (entry == NULL)
		return NULL;
	entry->idle_since = IN_USE;
	return endpoint_get(entry->endpoint);
}

static struct endpoint *
find(struct adhoc_table *table, const struct service *service, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX], *name = xasprintf("%s/%s", service->name, addr_format(addr, text));
	struct endpoint *found;

	pthread_mutex_lock(&table->lock);
	found = take(map_get(table->entries, slice_of(name)));
	pthread_mutex_unlock(&table->lock);
	xfree(name);
	return found;
}

struct endpoint *
adhoc_get(struct adhoc_table *table, struct service *service, const struct addr *addr)
{
	struct endpoint *found = find(table, service, addr), *made;

	if (found != NULL)
		return found;
	made = make(table, service, addr);
	pthread_mutex_lock(&table->lock);
	found = take(find_or_add(table, made));		/* another thread's, perhaps */
	pthread_mutex_unlock(&table->lock);
	if (found == NULL)
		return made;
	endpoint_put(&made);
	return found;
}

struct sweep {
	int64_t now;
	struct entry **gone;
	size_t count;
};

static void
look_at(const char *name, void *value, void *arg)
{
	struct entry *entry = value;
	struct sweep *sweep = arg;

	(void)name;
	if (atomic_load(&entry->endpoint->references) > 1)
		entry->idle_since = IN_USE;
	else if (entry->idle_since == IN_USE)
		entry->idle_since = sweep->now;
	else if (sweep->now - entry->idle_since >= ADHOC_KEPT_MS)
		sweep->gone[sweep->count++] = entry;
}

bool
adhoc_sweep(struct adhoc_table *table, int64_t now)
{
	struct sweep sweep = { .now = now };

	pthread_mutex_lock(&table->lock);
	sweep.gone = xcalloc(map_count(table->entries), sizeof(struct entry *));
	map_each(table->entries, look_at, &sweep);
	for (size_t i = 0; i < sweep.count; i++)
		map_remove(table->entries, slice_of(sweep.gone[i]->endpoint->name));
	pthread_mutex_unlock(&table->lock);
	for (size_t i = 0; i < sweep.count; i++)
		entry_free(sweep.gone[i]);
	xfree(sweep.gone);
	return sweep.count > 0;
}

struct visit {
	void (*each)(struct endpoint *e, void *arg);
	void *arg;
};

static void
visit_entry(const char *name, void *value, void *arg)
{
	const struct entry *entry = value;
	const struct visit *visit = arg;

	(void)name;
	visit->each(entry->endpoint, visit->arg);
}

void
adhoc_each(struct adhoc_table *table, void (*each)(struct endpoint *e, void *arg), void *arg)
{
	struct visit visit = { each, arg };

	pthread_mutex_lock(&table->lock);
	map_each(table->entries, visit_entry, &visit);
	pthread_mutex_unlock(&table->lock);
}

size_t
adhoc_count(struct adhoc_table *table)
{
	size_t count;

	pthread_mutex_lock(&table->lock);
	count = map_count(table->entries);
	pthread_mutex_unlock(&table->lock);
	return count;
}
