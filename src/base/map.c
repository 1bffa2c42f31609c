/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c: open addressing with linear probing, at most three quarters full;
 * removal closes the gap, so there are no tombstones.  Each map has its own
 * random seed, for names may come from clients.
 */
#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/xalloc.h"

enum { MAP_SIZE_FIRST = 16 };		/* a power of two, as all sizes */

struct entry {
	char *name;			/* NULL: the slot is free */
	size_t len;
	uint64_t hash;
	void *value;
};

struct map {
	struct entry *slots;
	size_t size, count;
	uint64_t seed;
};

/* The slot that holds the name, or the free one where it would go. */
static struct entry *
find_slot(const struct map *map, struct slice name, uint64_t hash)
{
	for (size_t i = hash & (map->size - 1);; i = (i + 1) & (map->size - 1)) {
		struct entry *slot = &map->slots[i];

		if (slot->name == NULL)
			return slot;
		if (slot->hash == hash && slot->len == name.len &&
		    (name.len == 0 || memcmp(slot->name, name.data, name.len) == 0))
			return slot;
	}
}

static void
resize(struct map *map, size_t size)
{
	struct entry *old = map->slots;
	size_t old_size = map->size;

	map->slots = xcalloc(size, sizeof(*map->slots));
	map->size = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].name != NULL)
			*find_slot(map, slice_make(old[i].name, old[i].len), old[i].hash) = old[i];
	xfree(old);
}

struct map *
map_new(void)
{
	struct map *map = xcalloc(1, sizeof(*map));

	map->seed = random_number();
	resize(map, MAP_SIZE_FIRST);
	return map;
}

void
map_free(struct map **map)
{
	struct map *m = *map;

	*map = NULL;
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->size; i++)
		xfree(m->slots[i].name);
	xfree(m->slots);
	xfree(m);
}

void *
map_get(const struct map *map, struct slice name)
{
	/* a free slot's value is NULL */
	return find_slot(map, name, hash_bytes(name.data, name.len, map->seed))->value;
}

void
map_set(struct map *map, struct slice name, void *value)
{
	uint64_t hash = hash_bytes(name.data, name.len, map->seed);
	struct entry *slot = find_slot(map, name, hash);

	if (slot->name == NULL) {
		if ((map->count + 1) * 4 > map->size * 3) {
			resize(map, map->size * 2);
			slot = find_slot(map, name, hash);
		}
		*slot = (struct entry){ .len = name.len, .hash = hash };
		slot->name = xstrndup(name.data, name.len);
		map->count++;
	}
	slot->value = value;
}

void *
map_remove(struct map *map, struct slice name)
{
	size_t mask = map->size - 1;
	struct entry *gap = find_slot(map, name, hash_bytes(name.data, name.len, map->seed));
	void *value = gap->value;

	if (gap->name == NULL)
		return NULL;
	xfree(gap->name);
	map->count--;
	for (size_t i = (size_t)(gap - map->slots) + 1;; i++) {
		struct entry *slot = &map->slots[i & mask];
		size_t from_gap = (i - (size_t)(gap - map->slots)) & mask;

		if (slot->name == NULL)
			break;
		/* an entry may go back to the gap unless its home lies behind that */
		if (((i - slot->hash) & mask) >= from_gap) {
			*gap = *slot;
			gap = slot;
		}
	}
	*gap = (struct entry){ 0 };
	return value;
}

size_t
map_count(const struct map *map)
{
	return map->count;
}

void
map_each(const struct map *map, void (*each)(const char *name, void *value, void *arg), void *arg)
{
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].name != NULL)
			each(map->slots[i].name, map->slots[i].value, arg);
}
