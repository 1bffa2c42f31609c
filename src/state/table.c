/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.c: chained hashing in shards.  Each call looks at a bucket more than
 * its own, so that what expired is met sooner or later without a timer.
 */
#include "state/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/random.h"
#include "base/xalloc.h"

enum {
	SHARDS = 64,			/* a power of 2 */
	BUCKETS_FIRST = 16,
	WALK_BUCKETS = 64,		/* that one call looks at, at most */
	CANDIDATES = 8			/* of which one makes room */
};

struct table_entry {
	struct table_entry *next;
	struct list used;		/* in the shard's list, where the table keeps one */
	uint64_t hash;
	int64_t expires;
	size_t name_len;
	_Alignas(void *) char data[];	/* the value, then the name */
};

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct table_entry **buckets;
	size_t bucket_count, count;
	size_t sweep;			/* the bucket to look at next */
	struct list used;		/* entries that may make room, who was used longest ago first */
};

struct table {
	struct shard shards[SHARDS];
	size_t value_size;
	void (*clear)(void *value);
	bool is_lru;
	atomic_size_t shard_limit;	/* 0: none */
	uint64_t seed;			/* names come from outside: nobody may choose colliding ones */
};

struct table *
table_new(size_t value_size, void (*clear)(void *value))
{
	struct table *table = xcalloc_aligned(sizeof(*table));

	table->value_size = (value_size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
	table->clear = clear;
	atomic_init(&table->shard_limit, 0);
	table->seed = random_number();
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &table->shards[i];

		pthread_mutex_init(&shard->lock, NULL);
		list_init(&shard->used);
		shard->bucket_count = BUCKETS_FIRST;
		shard->buckets = xcalloc(BUCKETS_FIRST, sizeof(struct table_entry *));
	}
	return table;
}

struct table *
table_new_lru(size_t value_size, void (*clear)(void *value))
{
	struct table *table = table_new(value_size, clear);

	table->is_lru = true;
	return table;
}

static void
entry_free(struct table *table, struct table_entry *entry)
{
	list_remove(&entry->used);
	if (table->clear != NULL)
		table->clear(entry->data);
	xfree(entry);
}

void
table_free(struct table **table)
{
	struct table *t = *table;

	*table = NULL;
	if (t == NULL)
		return;
	for (int i = 0; i < SHARDS; i++) {
		struct shard *shard = &t->shards[i];

		for (size_t k = 0; k < shard->bucket_count; k++)
			while (shard->buckets[k] != NULL) {
				struct table_entry *entry = shard->buckets[k];

				shard->buckets[k] = entry->next;
				entry_free(t, entry);
			}
		xfree(shard->buckets);
		pthread_mutex_destroy(&shard->lock);
	}
	xfree(t);
}

void
table_set_limit(struct table *table, size_t limit)
{
	size_t share = limit / SHARDS + (limit % SHARDS > 0);

	atomic_store_explicit(&table->shard_limit, share, memory_order_relaxed);
}

static struct shard *
shard_of(struct table *table, uint64_t hash)
{
	/* the high bits: the low ones choose the bucket */
	return &table->shards[hash >> 32 & (SHARDS - 1)];
}

static struct table_entry **
bucket_of(struct shard *shard, uint64_t hash)
{
	return &shard->buckets[hash & (shard->bucket_count - 1)];
}

/* Removes what has expired from one bucket. */
static void
sweep(struct table *table, struct shard *shard, struct table_entry **bucket, int64_t now)
{
	while (*bucket != NULL) {
		struct table_entry *entry = *bucket;

		if (entry->expires > now) {
			bucket = &entry->next;
			continue;
		}
		*bucket = entry->next;
		shard->count--;
		entry_free(table, entry);
	}
}

/* The entry of a few that would expire first.  They are met where the sweep goes on: in no order. */
static struct table_entry **
find_soonest(struct shard *shard)
{
	struct table_entry **chosen = NULL;
	int candidates = 0;

	for (int i = 0; i < WALK_BUCKETS && candidates < CANDIDATES; i++) {
		struct table_entry **bucket = bucket_of(shard, shard->sweep++);

		for (; *bucket != NULL; bucket = &(*bucket)->next) {
			if ((*bucket)->expires == TABLE_FOREVER)
				continue;
			candidates++;
			if (chosen == NULL || (*bucket)->expires < (*chosen)->expires)
				chosen = bucket;
		}
	}
	return chosen;
}

static struct table_entry **
find_least_used(struct shard *shard)
{
	struct table_entry *entry, **bucket;

	if (list_is_empty(&shard->used))
		return NULL;
	entry = list_entry(shard->used.next, struct table_entry, used);
	for (bucket = bucket_of(shard, entry->hash); *bucket != entry;)
		bucket = &(*bucket)->next;
	return bucket;
}

static void
make_room(struct table *table, struct shard *shard)
{
	struct table_entry **chosen = table->is_lru ? find_least_used(shard) : find_soonest(shard), *gone;

	if (chosen == NULL)
		return;
	gone = *chosen;
	*chosen = gone->next;
	shard->count--;
	entry_free(table, gone);
}

static bool
is_full(const struct table *table, const struct shard *shard)
{
	size_t limit = atomic_load_explicit(&table->shard_limit, memory_order_relaxed);

	return limit > 0 && shard->count >= limit;
}

static void
grow(struct shard *shard)
{
	struct table_entry **before = shard->buckets;
	size_t count = shard->bucket_count;

	shard->bucket_count = count * 2;
	shard->buckets = xcalloc(shard->bucket_count, sizeof(struct table_entry *));
	for (size_t i = 0; i < count; i++)
		while (before[i] != NULL) {
			struct table_entry *entry = before[i], **bucket = bucket_of(shard, entry->hash);

			before[i] = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	xfree(before);
}

static struct table_entry *
find(const struct table *table, struct table_entry *entry, uint64_t hash, struct slice name)
{
	for (; entry != NULL; entry = entry->next)
		if (entry->hash == hash && entry->name_len == name.len &&
		    memcmp(entry->data + table->value_size, name.data, name.len) == 0)
			return entry;
	return NULL;
}

static struct table_entry *
add(struct table *table, struct shard *shard, uint64_t hash, struct slice name)
{
	struct table_entry *entry = xcalloc(1, sizeof(*entry) + table->value_size + name.len), **bucket;

	/* one more than needed, so that a lower limit is reached some day */
	for (int i = 0; i < 2 && is_full(table, shard); i++)
		make_room(table, shard);
	if (shard->count >= shard->bucket_count)
		grow(shard);
	bucket = bucket_of(shard, hash);
	entry->hash = hash;
	entry->name_len = name.len;
	memcpy(entry->data + table->value_size, name.data, name.len);
	entry->next = *bucket;
	*bucket = entry;
	shard->count++;
	return entry;
}

struct table_entry *
table_lock(struct table *table, struct slice name, int64_t now, bool create)
{
	uint64_t hash = hash_bytes(name.data, name.len, table->seed);
	struct shard *shard = shard_of(table, hash);
	struct table_entry *entry;

	pthread_mutex_lock(&shard->lock);
	sweep(table, shard, bucket_of(shard, hash), now);
	sweep(table, shard, bucket_of(shard, shard->sweep++), now);
	entry = find(table, *bucket_of(shard, hash), hash, name);
	if (entry == NULL && create)
		entry = add(table, shard, hash, name);
	if (entry == NULL)
		pthread_mutex_unlock(&shard->lock);
	return entry;
}

void
table_relock(struct table *table, struct table_entry *entry)
{
	pthread_mutex_lock(&shard_of(table, entry->hash)->lock);
}

struct slice
table_name(const struct table *table, const struct table_entry *entry)
{
	return slice_make(entry->data + table->value_size, entry->name_len);
}

void *
table_value(struct table_entry *entry)
{
	return entry->data;
}

int64_t
table_expires(const struct table_entry *entry)
{
	return entry->expires;
}

void
table_unlock(struct table *table, struct table_entry *entry, int64_t expires)
{
	struct shard *shard = shard_of(table, entry->hash);

	entry->expires = expires;
	if (table->is_lru) {
		list_remove(&entry->used);
		if (expires != TABLE_FOREVER)
			list_append(expires == 0 ? shard->used.next : &shard->used, &entry->used);
	}
	pthread_mutex_unlock(&shard->lock);
}

size_t
table_count(struct table *table)
{
	size_t count = 0;

	for (int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&table->shards[i].lock);
		count += table->shards[i].count;
		pthread_mutex_unlock(&table->shards[i].lock);
	}
	return count;
}

uint64_t
table_walk(struct table *table, uint64_t cursor, int64_t now,
    void (*visit)(struct slice name, void *value, int64_t expires, void *arg), void *arg)
{
	/* the shard, and a bucket of it: they only ever split, and the new half comes later */
	struct shard *shard = &table->shards[cursor >> 32 & (SHARDS - 1)];
	size_t bucket = cursor & UINT32_MAX, end;
	bool is_last;

	pthread_mutex_lock(&shard->lock);
	end = bucket + WALK_BUCKETS < shard->bucket_count ? bucket + WALK_BUCKETS : shard->bucket_count;
	for (; bucket < end; bucket++) {
		sweep(table, shard, &shard->buckets[bucket], now);
		for (struct table_entry *entry = shard->buckets[bucket]; entry != NULL; entry = entry->next)
			visit(slice_make(entry->data + table->value_size, entry->name_len), entry->data,
			    entry->expires, arg);
	}
	is_last = end == shard->bucket_count;
	pthread_mutex_unlock(&shard->lock);
	if (!is_last)
		return (cursor & ~(uint64_t)UINT32_MAX) | end;
	shard++;
	return shard == &table->shards[SHARDS] ? 0 : (uint64_t)(shard - table->shards) << 32;
}
