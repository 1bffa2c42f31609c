/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h: the one kind of table that threads share: entries by name, in
 * shards with a mutex each, that vanish by themselves when their time is up,
 * or before it where names that anybody makes up would fill the memory.
 * A shard is held for a few instructions, never across I/O.
 */
#ifndef STATE_TABLE_H
#define STATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define TABLE_FOREVER INT64_MAX

struct table;
struct table_entry;

/* clear (or NULL) releases what a value holds, when its entry vanishes; it runs with the shard locked. */
struct table *table_new(size_t value_size, void (*clear)(void *value));
/* The same; whose room a new entry takes is told below. */
struct table *table_new_lru(size_t value_size, void (*clear)(void *value));
void table_free(struct table **table);			/* nobody uses it any more */
/*
 * About so many entries at most; 0, as at first: any number.  Beyond it a new one takes the place of one that
 * would soon expire, with table_new_lru of the one of its shard that was unlocked longest ago, or until 0;
 * but never of one that lives TABLE_FOREVER.  From any thread.
 */
void table_set_limit(struct table *table, size_t limit);

/*
 * Finds the entry and locks its shard; NULL, and nothing locked, where there is none (or its time is up) and
 * `create` is false.  A new entry's value is zero.  now: monotonic ms, for what has expired.
 */
struct table_entry *table_lock(struct table *table, struct slice name, int64_t now, bool create);
/* Locks the shard of an entry that lives TABLE_FOREVER, found before. */
void table_relock(struct table *table, struct table_entry *entry);
void *table_value(struct table_entry *entry);
/* While it is locked. */
struct slice table_name(const struct table *table, const struct table_entry *entry);
/* Until when the locked entry lives, for table_unlock by those who only look. */
int64_t table_expires(const struct table_entry *entry);
/* Unlocks; the entry lives until `expires`: TABLE_FOREVER until that is changed, in the past no longer. */
void table_unlock(struct table *table, struct table_entry *entry, int64_t expires);
size_t table_count(struct table *table);		/* expired ones that were not met yet too */

/*
 * Visits some entries, each with its shard locked, and gives the cursor that goes on: from 0 until it is 0
 * again, what is there all the while is visited at least once.  `visit` calls nothing of the table; an
 * entry's time is up at `expires`.
 */
uint64_t table_walk(struct table *table, uint64_t cursor, int64_t now,
    void (*visit)(struct slice name, void *value, int64_t expires, void *arg), void *arg);

#endif
