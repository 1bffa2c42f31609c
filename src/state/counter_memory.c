/* SPDX-License-Identifier: BSD-2-Clause */
/* counter_memory.c: the engine that keeps counters in this process: a table for each space. */
#include "base/xalloc.h"
#include "state/counter_engine.h"
#include "state/table.h"

struct memory {
	int spaces;
	struct table *tables[COUNTER_SPACES_MAX];
};

static void *
start(const size_t *limits, int spaces)
{
	struct memory *memory = xcalloc(1, sizeof(*memory));

	memory->spaces = spaces;
	for (int i = 0; i < spaces; i++) {
		memory->tables[i] = table_new(sizeof(int64_t), NULL);
		table_set_limit(memory->tables[i], limits[i]);
	}
	return memory;
}

static void
stop(void *store)
{
	struct memory *memory = store;

	for (int i = 0; i < memory->spaces; i++)
		table_free(&memory->tables[i]);
	xfree(memory);
}

static int64_t
look(void *store, int space, struct slice name, int64_t now)
{
	struct table *table = ((struct memory *)store)->tables[space];
	struct table_entry *entry = table_lock(table, name, now, false);
	int64_t value;

	if (entry == NULL)
		return 0;
	value = *(int64_t *)table_value(entry);
	table_unlock(table, entry, table_expires(entry));
	return value;
}

static int64_t
add(struct table *table, const struct counter_wish *wish, int64_t now)
{
	struct table_entry *entry = table_lock(table, wish->name, now, true);
	int64_t *value = table_value(entry), sum = ++*value;
	bool is_first = sum == 1;

	table_unlock(table, entry,
	    wish->keeps_time && !is_first ? table_expires(entry) : now + wish->window_ms);
	return sum;
}

static int64_t
take(struct table *table, const struct counter_wish *wish, int64_t now)
{
	struct table_entry *entry = table_lock(table, wish->name, now, false);
	int64_t left;

	if (entry == NULL)
		return 0;
	left = --*(int64_t *)table_value(entry);
	table_unlock(table, entry, left > 0 ? table_expires(entry) : now);
	return left;
}

static int64_t
set(struct table *table, const struct counter_wish *wish, int64_t now)
{
	struct table_entry *entry = table_lock(table, wish->name, now, wish->value != 0);
	int64_t *value, before;

	if (entry == NULL)
		return 0;
	value = table_value(entry);
	before = *value;
	*value = wish->value;
	table_unlock(table, entry, wish->value != 0 ? now + wish->window_ms : now);
	return before;
}

void
counter_memory_do(void *store, struct counter_wish *wish, int64_t now)
{
	struct memory *memory = store;

	if (wish->act == COUNTER_LOOK)
		wish->value = look(store, wish->space, wish->name, now);
	else if (wish->act == COUNTER_ADD)
		wish->value = add(memory->tables[wish->space], wish, now);
	else if (wish->act == COUNTER_TAKE)
		wish->value = take(memory->tables[wish->space], wish, now);
	else
		wish->value = set(memory->tables[wish->space], wish, now);
}

int64_t
counter_memory_left(void *store, const struct counter_wish *wish, int64_t now)
{
	struct table *table = ((struct memory *)store)->tables[wish->space];
	struct table_entry *entry = table_lock(table, wish->name, now, false);
	int64_t expires;

	if (entry == NULL)
		return 0;
	expires = table_expires(entry);
	table_unlock(table, entry, expires);
	return expires - now;
}

static void
ask(struct counter_request *request, void *store)
{
	for (int i = 0; i < request->count; i++)
		counter_memory_do(store, &request->wishes[i], request->now);
	counter_answer(request, true);
}

/* It never waits. */
static void
cancel(struct counter_request *request, void *store)
{
	(void)request;
	(void)store;
}

static void
visit(struct slice name, void *value, int64_t expires, void *arg)
{
	const struct counter_walk *wish = arg;

	wish->visit(name, *(int64_t *)value, expires - wish->now, wish->arg);
}

static uint64_t
walk(void *store, const struct counter_walk *wish, uint64_t cursor)
{
	struct counter_walk copy = *wish;

	return table_walk(((struct memory *)store)->tables[wish->space], cursor, wish->now, visit, &copy);
}

static size_t
count(void *store, int space)
{
	return table_count(((struct memory *)store)->tables[space]);
}

const struct counter_engine counter_memory = {
	.name = "memory",
	.start = start,
	.stop = stop,
	.ask = ask,
	.cancel = cancel,
	.look = look,
	.walk = walk,
	.count = count,
};
