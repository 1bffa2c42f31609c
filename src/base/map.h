/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.h: a hash table from names to pointers.  Names are copied; values
 * belong to the caller.  Not safe for several threads.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

#include "base/slice.h"

struct map;

struct map *map_new(void);
void map_free(struct map **map);
void *map_get(const struct map *map, struct slice name);		/* NULL where there is none */
void map_set(struct map *map, struct slice name, void *value);		/* replaces */
void *map_remove(struct map *map, struct slice name);	/* the value that was there, or NULL */
size_t map_count(const struct map *map);
/* Calls each(name, value, arg) for all, in no order; the map must not change meanwhile. */
void map_each(const struct map *map, void (*each)(const char *name, void *value, void *arg), void *arg);

#endif
