/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limiter_redis.c: names that are to be told are listed by whoever counts them, and sent by control's loop,
 * several times a second, in batches of one slot.  Names are hashes there, in hex.
 *   P:{rate:SHARD}     a sorted set: a name, when (us) all that was taken is due; gone by then
 *   P:{here:SHARD}:c   a hash: a name, "INC COUNT UNTIL;" of each proxy
 *   P:{here:SHARD}:t   a sorted set: a name, until when (ms) the last of these holds
 */
#include <pthread.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/list.h"
#include "base/xalloc.h"
#include "state/limiter_state.h"

enum {
	SHARDS = 16, KEYS_MAX = 2,
	TELL_MS = 200, BATCH = 100, LISTED_MAX = 1 << 16,
	LEASE_MS = 60 * 1000, RENEW_MS = 20 * 1000,	/* of what is told of those who are present */
	SILENCE_MS = 5000,		/* of Redis: then what others had does not count any more */
	COUNT_MAX = 1000 * 1000,	/* present anywhere */
	HASH_SIZE = 16, NS_A_US = 1000, RATES_A_SHARD = 1 << 16, WALK_AT_ONCE = 32
};

/* What ends later than anything should was written before Redis' clock was set back. */
#define RATES \
	"local K, t = KEYS[1], redis.call('TIME')\n" \
	"local now = t[1] * 1000000 + t[2]\n" \
	"redis.call('ZREMRANGEBYSCORE', K, '-inf', now)\n" \
	"local out = {}\n" \
	"for h, step, n, unit in string.gmatch(ARGV[1], '(%x+) (%d+) (%d+) (%d+);') do\n" \
	"  local due = math.max(tonumber(redis.call('ZSCORE', K, h) or now), now)\n" \
	"  due = math.min(due + step * n, now + unit)\n" \
	"  redis.call('ZADD', K, due, h)\n" \
	"  out[#out + 1] = due - now\n" \
	"end\n" \
	"local over = redis.call('ZCARD', K) - tonumber(ARGV[2])\n" \
	"if over > 0 then redis.call('ZPOPMIN', K, over) end\n" \
	"local last = redis.call('ZRANGE', K, -1, -1, 'WITHSCORES')\n" \
	"local left = last[2] and math.min(math.max(last[2] - now, 0), 86400 * 1000000) or 0\n" \
	"redis.call('PEXPIRE', K, math.ceil(left / 1000) + 1000)\n" \
	"return out\n"
#define PRESENT \
	"local C, E, inc, lease = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])\n" \
	"local t = redis.call('TIME')\n" \
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n" \
	"local function drop(h) redis.call('HDEL', C, h) redis.call('ZREM', E, h) end\n" \
	"for _, h in ipairs(redis.call('ZRANGEBYSCORE', E, '-inf', now, 'LIMIT', 0, 200)) do drop(h) end\n" \
	"local out = {}\n" \
	"for h, n in string.gmatch(ARGV[3], '(%x+) (%d+);') do\n" \
	"  local keep, others, last = {}, 0, 0\n" \
	"  for i, c, u in string.gmatch(redis.call('HGET', C, h) or '', '(%x+) (%d+) (%d+);') do\n" \
	"    if i ~= inc and tonumber(u) > now and tonumber(u) <= now + lease then\n" \
	"      keep[#keep + 1] = i .. ' ' .. c .. ' ' .. u .. ';'\n" \
	"      others, last = others + math.min(c, 1000000), math.max(last, u)\n" \
	"    end\n" \
	"  end\n" \
	"  if n ~= '0' then\n" \
	"    last = now + lease\n" \
	"    keep[#keep + 1] = inc .. ' ' .. n .. ' ' .. string.format('%.0f', last) .. ';'\n" \
	"  end\n" \
	"  if #keep == 0 then drop(h) else\n" \
	"    redis.call('HSET', C, h, table.concat(keep))\n" \
	"    redis.call('ZADD', E, last, h)\n" \
	"  end\n" \
	"  out[#out + 1] = others\n" \
	"end\n" \
	"redis.call('PEXPIRE', C, 2 * lease)\n" \
	"redis.call('PEXPIRE', E, 2 * lease)\n" \
	"return out\n"

const struct cluster_script limiter_script_rates = { "rates", RATES, 1, false };
const struct cluster_script limiter_script_present = { "present", PRESENT, 2, false };

struct item {				/* a name that is to be told */
	struct list node;
	enum limiter_kind kind;
	uint8_t hash[HASH_SIZE];
	int64_t number;			/* what is told of it */
	size_t len;
	char name[];
};

struct limiter_sharing {
	struct limiter *limiter;
	struct cluster *cluster;
	struct loop *loop;
	pthread_mutex_t lock;
	struct list listed;		/* struct item, under the lock */
	size_t count;			/* of these */
	struct loop_timer timer;
	struct list batches;		/* under way */
	int64_t heard_at;
	int64_t renew_from;		/* what was told before it may be lost */
	unsigned misses;		/* as cluster_misses then */
	uint64_t cursor;
};

struct batch {
	struct cluster_call call;
	struct list node;
	struct limiter_sharing *sharing;
	enum limiter_kind kind;
	struct list items;		/* in the order of the answer */
	int count;
	char *keys[KEYS_MAX], number[16];
	struct buf records;
};

static struct item *
item_new(enum limiter_kind kind, struct slice name)
{
	struct item *item = xcalloc(1, sizeof(*item) + name.len);
	uint8_t digest[DIGEST_SHA256_SIZE];

	item->kind = kind;
	item->len = name.len;
	memcpy(item->name, name.data, name.len);
	digest_sha256(name.data, name.len, digest);
	memcpy(item->hash, digest, HASH_SIZE);
	return item;
}

/* It may be told later, at its next change. */
static void
unlist(struct limiter *limiter, const struct item *item, int64_t now)
{
	bool is_rate = item->kind == LIMITER_RATES;
	struct table *table = is_rate ? limiter->rates : limiter->present;
	struct slice name = slice_make(item->name, item->len);
	struct table_entry *entry = table_lock(table, name, now, false);
	struct limiter_present *present;

	if (entry == NULL)
		return;
	if (is_rate) {
		((struct limiter_due *)table_value(entry))->is_listed = false;
		table_unlock(table, entry, table_expires(entry));
		return;
	}
	present = table_value(entry);
	present->is_listed = false;
	present->told = present->others = 0;
	table_unlock(table, entry, present->count > 0 ? TABLE_FOREVER : -1);
}

void
limiter_list(struct limiter *limiter, enum limiter_kind kind, struct slice name)
{
	struct limiter_sharing *sharing = limiter->sharing;
	struct item *item = item_new(kind, name);
	bool is_full;

	pthread_mutex_lock(&sharing->lock);
	is_full = sharing->count >= LISTED_MAX;
	if (!is_full) {
		list_append(&sharing->listed, &item->node);
		sharing->count++;
	}
	pthread_mutex_unlock(&sharing->lock);
	if (!is_full)
		return;
	unlist(limiter, item, 0);
	xfree(item);
}

static void
batch_free(struct batch *batch)
{
	cluster_cancel(&batch->call);
	list_each(node, &batch->items)
		xfree(list_entry(node, struct item, node));
	list_remove(&batch->node);
	buf_clear(&batch->records);
	for (int i = 0; i < KEYS_MAX; i++)
		xfree(batch->keys[i]);
	xfree(batch);
}

/* What Redis says may be anything: its clock was set, or somebody has written there. */
static int64_t
clamp(int64_t number, int64_t max)
{
	if (number < 0)
		return 0;
	return number < max ? number : max;
}

/* What was taken here meanwhile is not in it yet. */
static void
hear_rate(struct limiter *limiter, const struct item *item, int64_t left_us, int64_t now)
{
	struct slice name = slice_make(item->name, item->len);
	struct table_entry *entry = table_lock(limiter->rates, name, now, false);
	struct limiter_due *due;
	int64_t unit, next;

	if (entry == NULL)
		return;
	due = table_value(entry);
	unit = due->rate.unit_ms * LIMITER_NS_A_MS;
	left_us = clamp(left_us, unit / NS_A_US);
	next = now * LIMITER_NS_A_MS + left_us * NS_A_US + due->untold * (unit / due->rate.limit);
	if (next > now * LIMITER_NS_A_MS + unit)
		next = now * LIMITER_NS_A_MS + unit;
	if (next > due->ns)
		due->ns = next;
	table_unlock(limiter->rates, entry, due->ns / LIMITER_NS_A_MS + 1);
}

static void
hear_present(struct limiter *limiter, const struct item *item, int64_t others, int64_t now)
{
	struct slice name = slice_make(item->name, item->len);
	struct table_entry *entry = table_lock(limiter->present, name, now, false);
	struct limiter_present *present;
	bool is_due;

	if (entry == NULL)
		return;
	present = table_value(entry);
	present->told = item->number;
	present->others = present->told != 0 ? clamp(others, COUNT_MAX) : 0;
	present->told_at = now;
	is_due = present->count != present->told &&
	    (present->told != 0 || present->count >= limiter_share_of(limiter, present->limit));
	present->is_listed = is_due;
	table_unlock(limiter->present, entry,
	    present->count > 0 || is_due || present->told != 0 ? TABLE_FOREVER : -1);
	if (is_due)
		limiter_list(limiter, LIMITER_PRESENT, name);
}

static void
on_reply(struct cluster_call *call, const struct redis_reply *reply)
{
	struct batch *batch = list_entry(call, struct batch, call);
	struct limiter_sharing *sharing = batch->sharing;
	int64_t now = loop_now(sharing->loop);
	bool is_good = reply != NULL && reply->type == REDIS_ARRAY && reply->count == (size_t)batch->count;
	size_t i = 0;

	if (is_good)
		sharing->heard_at = now;
	list_each(node, &batch->items) {
		const struct item *item = list_entry(node, struct item, node);
		int64_t number = is_good ? reply->elements[i++].number : 0;

		if (!is_good && item->kind == LIMITER_PRESENT)
			unlist(sharing->limiter, item, now);
		else if (is_good && item->kind == LIMITER_PRESENT)
			hear_present(sharing->limiter, item, number, now);
		else if (is_good)
			hear_rate(sharing->limiter, item, number, now);
	}
	batch_free(batch);
}

/* True: it is in the batch, with what is to be told now. */
static bool
write_item(struct limiter *limiter, struct item *item, struct buf *records, int64_t now)
{
	bool is_rate = item->kind == LIMITER_RATES;
	struct table *table = is_rate ? limiter->rates : limiter->present;
	struct table_entry *entry = table_lock(table, slice_make(item->name, item->len), now, false);
	const struct limiter_present *present;
	struct limiter_due *due;
	bool is_share;

	if (entry == NULL)
		return false;
	for (size_t i = 0; i < HASH_SIZE; i++)
		buf_printf(records, "%02x", item->hash[i]);
	if (is_rate) {
		due = table_value(entry);
		buf_printf(records, " %lld %d %lld;",
		    (long long)(due->rate.unit_ms * 1000 / due->rate.limit), due->untold,
		    (long long)(due->rate.unit_ms * 1000));
		due->untold = 0;
		due->is_listed = false;
	} else {
		present = table_value(entry);
		is_share = present->count >= limiter_share_of(limiter, present->limit);
		item->number = is_share ? present->count : 0;
		buf_printf(records, " %lld;", (long long)item->number);
	}
	table_unlock(table, entry, table_expires(entry));
	return true;
}

static struct batch *
batch_new(struct limiter_sharing *sharing, enum limiter_kind kind, int shard)
{
	struct batch *batch = xcalloc(1, sizeof(*batch));
	const char *prefix = cluster_prefix(sharing->cluster);

	batch->sharing = sharing;
	batch->kind = kind;
	batch->call.on_reply = on_reply;
	list_init(&batch->items);
	list_append(&sharing->batches, &batch->node);
	if (kind == LIMITER_RATES) {
		batch->keys[0] = xasprintf("%s:{rate:%d}", prefix, shard);
	} else {
		batch->keys[0] = xasprintf("%s:{here:%d}:c", prefix, shard);
		batch->keys[1] = xasprintf("%s:{here:%d}:t", prefix, shard);
	}
	return batch;
}

static bool
run(struct batch *batch)
{
	struct limiter_sharing *sharing = batch->sharing;
	bool is_rate = batch->kind == LIMITER_RATES;

	snprintf(batch->number, sizeof(batch->number), "%d", is_rate ? RATES_A_SHARD : LEASE_MS);
	if (is_rate)
		return cluster_run(sharing->cluster, sharing->loop, &batch->call, &limiter_script_rates,
		    (const struct slice[]){ slice_of(batch->keys[0]), buf_slice(&batch->records),
			slice_of(batch->number) }, 3);
	return cluster_run(sharing->cluster, sharing->loop, &batch->call, &limiter_script_present,
	    (const struct slice[]){ slice_of(batch->keys[0]), slice_of(batch->keys[1]),
		slice_of(cluster_incarnation(sharing->cluster)), slice_of(batch->number),
		buf_slice(&batch->records) }, 5);
}

static void
go(struct batch *batch)
{
	if (batch->count > 0 && run(batch))
		return;
	/* as if there were no answer */
	on_reply(&batch->call, NULL);
}

/* All that is listed, in batches. */
static void
tell(struct limiter_sharing *sharing, struct list *items, int64_t now)
{
	struct batch *batches[2][SHARDS] = { { NULL } };

	while (!list_is_empty(items)) {
		struct item *item = list_entry(items->next, struct item, node);
		int shard = item->hash[0] % SHARDS;
		struct batch **batch = &batches[item->kind][shard];

		list_remove(&item->node);
		if (*batch == NULL)
			*batch = batch_new(sharing, item->kind, shard);
		if (!write_item(sharing->limiter, item, &(*batch)->records, now)) {
			xfree(item);
			continue;
		}
		list_append(&(*batch)->items, &item->node);
		if (++(*batch)->count == BATCH) {
			go(*batch);
			*batch = NULL;
		}
	}
	for (int i = 0; i < 2 * SHARDS; i++)
		if (batches[i / SHARDS][i % SHARDS] != NULL)
			go(batches[i / SHARDS][i % SHARDS]);
}

struct renewal {
	struct limiter_sharing *sharing;
	struct list items;
	int64_t now;
};

static void
visit(struct slice name, void *value, int64_t expires, void *arg)
{
	struct renewal *renewal = arg;
	struct limiter_present *present = value;
	bool is_due;

	(void)expires;
	if (present->is_listed || present->limit == 0)
		return;
	/* it could not be told before */
	is_due = present->told == 0 &&
	    present->count >= limiter_share_of(renewal->sharing->limiter, present->limit);
	is_due |= present->told != 0 && (renewal->now - present->told_at >= RENEW_MS ||
	    present->told_at < renewal->sharing->renew_from);
	if (!is_due)
		return;
	present->is_listed = true;
	list_append(&renewal->items, &item_new(LIMITER_PRESENT, name)->node);
}

/* The whole table about once in the time after which a lease is renewed. */
static void
renew(struct renewal *renewal)
{
	struct limiter_sharing *sharing = renewal->sharing;
	struct table *table = sharing->limiter->present;
	size_t steps = 1 + table_count(table) / WALK_AT_ONCE * TELL_MS / RENEW_MS;

	for (size_t i = 0; i <= steps; i++)
		sharing->cursor = table_walk(table, sharing->cursor, renewal->now, visit, renewal);
}

static void
on_time(struct loop_timer *timer)
{
	struct limiter_sharing *sharing = loop_owner(timer, struct limiter_sharing, timer);
	int64_t now = loop_now(sharing->loop);
	struct renewal renewal = { .sharing = sharing, .now = now };
	bool is_up = cluster_is_up(sharing->cluster, sharing->loop);

	if (cluster_misses(sharing->cluster) != sharing->misses)
		sharing->renew_from = now;
	sharing->misses = cluster_misses(sharing->cluster);
	list_init(&renewal.items);
	renew(&renewal);
	pthread_mutex_lock(&sharing->lock);
	while (!list_is_empty(&sharing->listed)) {
		struct list *node = sharing->listed.next;

		list_remove(node);
		list_append(&renewal.items, node);
	}
	sharing->count = 0;
	pthread_mutex_unlock(&sharing->lock);
	tell(sharing, &renewal.items, now);
	atomic_store_explicit(&sharing->limiter->is_heard,
	    now - sharing->heard_at < SILENCE_MS || is_up, memory_order_relaxed);
	loop_timer_set(sharing->loop, timer, now + TELL_MS);
}

void
limiter_share(struct limiter *limiter, struct cluster *cluster)
{
	struct limiter_sharing *sharing = xcalloc(1, sizeof(*sharing));

	sharing->limiter = limiter;
	sharing->cluster = cluster;
	sharing->loop = cluster_control(cluster);
	list_init(&sharing->listed);
	list_init(&sharing->batches);
	pthread_mutex_init(&sharing->lock, NULL);
	loop_timer_init(&sharing->timer, on_time);
	loop_timer_set(sharing->loop, &sharing->timer, loop_now(sharing->loop) + TELL_MS);
	limiter->sharing = sharing;
}

void
limiter_unshare(struct limiter *limiter)
{
	struct limiter_sharing *gone = limiter->sharing;

	limiter->sharing = NULL;
	if (gone == NULL)
		return;
	loop_timer_stop(gone->loop, &gone->timer);
	list_each(node, &gone->batches)
		batch_free(list_entry(node, struct batch, node));
	list_each(node, &gone->listed)
		xfree(list_entry(node, struct item, node));
	pthread_mutex_destroy(&gone->lock);
	xfree(gone);
}
