/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counter_redis.c: a memory engine, and what is to be told of it.  A space has two keys of one slot, which
 * end with their last counter:
 *   P:{count:NAME:SPACE}:v  a hash: names in hex, values
 *   P:{count:NAME:SPACE}:t  a sorted set: names, until when (ms) they live
 * What Redis has made of a batch is heard by all, in one order: the own share of it is under way until then.
 */
#include "state/counter_redis.h"

#include <pthread.h>
#include <stdio.h>

#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"

enum {
	KEYS = 2, NAME_MAX_BYTES = 100, NUMBER_SIZE = 24,
	PAGE = 500, READ_MAX = 100 * 1000,	/* counters at one time, and in all, at the start */
	ECHO_MS = 2000			/* longer than Redis takes to tell */
};

#define COMMON \
	"local V, E = KEYS[1], KEYS[2]\n" \
	"local t = redis.call('TIME')\n" \
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
#define TELL COMMON \
	"local function drop(h) redis.call('HDEL', V, h) redis.call('ZREM', E, h) end\n" \
	"for _, h in ipairs(redis.call('ZRANGEBYSCORE', E, '-inf', now, 'LIMIT', 0, 200)) do drop(h) end\n" \
	"local out = {}\n" \
	"for h, s, v, d, w, k in string.gmatch(ARGV[6], '(%x+) (%d) (%d+) (%-?%d+) (%d+) (%d);') do\n" \
	"  local last = tonumber(redis.call('ZSCORE', E, h) or '0')\n" \
	"  local is_there = last > now\n" \
	"  local value = is_there and tonumber(redis.call('HGET', V, h) or '0') or 0\n" \
	"  if s == '1' then value = tonumber(v) end\n" \
	"  value = value + tonumber(d)\n" \
	"  if not is_there or (k == '0' and tonumber(d) >= 0) then last = now + tonumber(w) end\n" \
	"  if value <= 0 then\n" \
	"    drop(h)\n" \
	"    value, last = 0, now\n" \
	"  else\n" \
	"    redis.call('HSET', V, h, value)\n" \
	"    redis.call('ZADD', E, last, h)\n" \
	"  end\n" \
	"  out[#out + 1] = h .. ' ' .. value .. ' ' .. (last - now)\n" \
	"end\n" \
	"local over = redis.call('ZCARD', E) - tonumber(ARGV[5])\n" \
	"if over > 0 then\n" \
	"  local gone = redis.call('ZPOPMIN', E, math.min(over, 200))\n" \
	"  for i = 1, #gone, 2 do redis.call('HDEL', V, gone[i]) end\n" \
	"end\n" \
	"local final = redis.call('ZRANGE', E, -1, -1, 'WITHSCORES')\n" \
	"if final[2] then\n" \
	"  local left = math.max(tonumber(final[2]) - now, 0) + 1000\n" \
	"  redis.call('PEXPIRE', V, left)\n" \
	"  redis.call('PEXPIRE', E, left)\n" \
	"end\n" \
	"redis.call('PUBLISH', ARGV[2], table.concat({ 'count', ARGV[3], ARGV[1], ARGV[4],\n" \
	"  table.concat(out, ';') }, '\\n'))\n" \
	"return 1\n"
#define PAGES COMMON \
	"local found = redis.call('ZREVRANGEBYSCORE', E, '+inf',\n" \
	"  '(' .. string.format('%.0f', now), 'WITHSCORES', 'LIMIT', ARGV[1], 500)\n" \
	"local out = {}\n" \
	"for i = 1, #found, 2 do\n" \
	"  out[#out + 1] = found[i] .. ' ' .. (redis.call('HGET', V, found[i]) or '0') .. ' ' ..\n" \
	"    (tonumber(found[i + 1]) - now)\n" \
	"end\n" \
	"return { #out, table.concat(out, ';') }\n"

const struct cluster_script counter_script_tell = { "count", TELL, KEYS, false };
const struct cluster_script counter_script_page = { "counters", PAGES, KEYS, true };

/* What was done to a counter that Redis does not know of yet. */
struct change {
	struct list node;
	char *key;			/* its name in hex */
	bool sets, keeps_time;
	int64_t value, more;		/* of a set; and added behind it */
	int64_t window_ms;
};

struct changes {
	struct map *by_key;
	struct list list;
};

struct space {				/* one that is shared */
	struct shared_counters *shared;
	int index;
	char *keys[KEYS];		/* NULL: it is not shared */
	char number[NUMBER_SIZE], limit[NUMBER_SIZE], offset[NUMBER_SIZE];
	struct changes queued, sent;	/* under the lock */
	struct cluster_call call, page;
	struct buf records;
	int64_t busy_until;		/* 0: no batch is under way; else when it is given up */
	size_t read;			/* so many of those that Redis has */
	bool is_reading;
};

struct shared_counters {
	struct cluster_ear ear;
	struct cluster *cluster;
	struct loop *loop;
	const char *name;
	void *memory;			/* counter_memory's store */
	pthread_mutex_t lock;
	struct loop_timer timer;
	int count;
	bool is_over, is_deaf;		/* the counters are gone, and the cluster is */
	struct space spaces[COUNTER_SPACES_MAX];
};

static bool
is_shared(const struct space *space)
{
	return space->keys[0] != NULL;
}

static void
write_hex(struct slice name, char out[2 * NAME_MAX_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < name.len; i++) {
		out[2 * i] = digits[(unsigned char)name.data[i] >> 4];
		out[2 * i + 1] = digits[(unsigned char)name.data[i] & 15];
	}
	out[2 * name.len] = '\0';
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* An empty one: it is none. */
static struct slice
read_hex(struct slice hex, char out[NAME_MAX_BYTES])
{
	if (hex.len % 2 != 0 || hex.len / 2 > NAME_MAX_BYTES)
		return slice_make(out, 0);
	for (size_t i = 0; i < hex.len; i += 2) {
		int high = nibble(hex.data[i]), low = nibble(hex.data[i + 1]);

		if (high < 0 || low < 0)
			return slice_make(out, 0);
		out[i / 2] = (char)(high << 4 | low);
	}
	return slice_make(out, hex.len / 2);
}

static void
change_free(struct changes *changes, struct change *change)
{
	map_remove(changes->by_key, slice_of(change->key));
	list_remove(&change->node);
	xfree(change->key);
	xfree(change);
}

static void
changes_clear(struct changes *changes)
{
	list_each(node, &changes->list)
		change_free(changes, list_entry(node, struct change, node));
}

/* NULL: too much is untold. */
static struct change *
change_of(struct changes *changes, struct slice name)
{
	char hex[2 * NAME_MAX_BYTES + 1];
	struct change *change;

	if (name.len > NAME_MAX_BYTES)
		return NULL;
	write_hex(name, hex);
	change = map_get(changes->by_key, slice_of(hex));
	if (change != NULL || map_count(changes->by_key) >= COUNTER_UNTOLD_MAX)
		return change;
	change = xcalloc(1, sizeof(*change));
	change->key = xstrdup(hex);
	list_append(&changes->list, &change->node);
	map_set(changes->by_key, slice_of(hex), change);
	return change;
}

/* From any thread. */
static void
note(struct space *space, const struct counter_wish *wish, int64_t value)
{
	struct change *change;

	pthread_mutex_lock(&space->shared->lock);
	change = change_of(&space->queued, wish->name);
	if (change != NULL) {
		if (wish->act == COUNTER_SET) {
			change->sets = true;
			change->value = value;
			change->more = 0;
		} else {
			change->more += wish->act == COUNTER_ADD ? 1 : -1;
		}
		change->window_ms = wish->window_ms;
		change->keeps_time = wish->keeps_time;
	}
	pthread_mutex_unlock(&space->shared->lock);
}

/* What it does is told, unless that changes nothing which others know; a mark is told again in good time. */
static void
perform(struct shared_counters *shared, struct counter_wish *wish, int64_t now)
{
	struct space *space = &shared->spaces[wish->space];
	bool is_set = wish->act == COUNTER_SET;
	int64_t wanted = wish->value, left = 0;

	if (is_set && is_shared(space))
		left = counter_memory_left(shared->memory, wish, now);
	counter_memory_do(shared->memory, wish, now);
	if (wish->act == COUNTER_LOOK || !is_shared(space))
		return;
	if (!is_set || wish->value != wanted || (wanted != 0 && left < wish->window_ms / 2))
		note(space, wish, wanted);
}

static void
ask(struct counter_request *request, void *store)
{
	for (int i = 0; i < request->count; i++)
		perform(store, &request->wishes[i], request->now);
	counter_answer(request, true);
}

/* It never waits. */
static void
cancel(struct counter_request *request, void *store)
{
	(void)request;
	(void)store;
}

static int64_t
look(void *store, int space, struct slice name, int64_t now)
{
	return counter_memory.look(((struct shared_counters *)store)->memory, space, name, now);
}

static uint64_t
walk(void *store, const struct counter_walk *walk, uint64_t cursor)
{
	return counter_memory.walk(((struct shared_counters *)store)->memory, walk, cursor);
}

static size_t
count(void *store, int space)
{
	return counter_memory.count(((struct shared_counters *)store)->memory, space);
}

/* What was under way is known now, or never will be. */
static void
end_batch(struct space *space)
{
	pthread_mutex_lock(&space->shared->lock);
	changes_clear(&space->sent);
	pthread_mutex_unlock(&space->shared->lock);
	space->busy_until = 0;
}

static int64_t
apply(const struct changes *changes, struct slice key, int64_t value)
{
	const struct change *change = map_get(changes->by_key, key);

	if (change == NULL)
		return value;
	return (change->sets ? change->value : value) + change->more;
}

/* "HEX VALUE LEFT": what Redis has; what it does not know yet is added. */
static void
hear_record(struct space *space, struct slice record, int64_t now)
{
	char name[NAME_MAX_BYTES];
	struct slice key = slice_take(&record, ' ');
	struct counter_wish wish = { .act = COUNTER_SET, .space = space->index };
	uint64_t value, left;

	wish.name = read_hex(key, name);
	if (wish.name.len == 0 || !slice_to_number(slice_take(&record, ' '), INT32_MAX, &value) ||
	    !slice_to_number(slice_take(&record, ' '), INT64_MAX / 2, &left))
		return;
	pthread_mutex_lock(&space->shared->lock);
	wish.value = apply(&space->queued, key, apply(&space->sent, key, (int64_t)value));
	wish.window_ms = (int64_t)left;
	if (wish.value < 0 || left == 0)
		wish.value = 0;
	counter_memory_do(space->shared->memory, &wish, now);
	pthread_mutex_unlock(&space->shared->lock);
}

static void
hear_records(struct space *space, struct slice records)
{
	int64_t now = loop_now(space->shared->loop);

	while (records.len > 0)
		hear_record(space, slice_take(&records, ';'), now);
}

static void
on_message(struct cluster_ear *ear, const struct slice *parts, int count)
{
	enum { SUBJECT, NAME, INCARNATION, SPACE, RECORDS, PARTS };
	struct shared_counters *shared = list_entry(ear, struct shared_counters, ear);
	struct space *space;
	uint64_t number;

	if (shared->is_over || count < PARTS || !slice_equals(parts[SUBJECT], "count") ||
	    !slice_equals(parts[NAME], shared->name) ||
	    !slice_to_number(parts[SPACE], (uint64_t)shared->count - 1, &number))
		return;
	space = &shared->spaces[number];
	if (!is_shared(space))
		return;
	if (slice_equals(parts[INCARNATION], cluster_incarnation(shared->cluster)))
		end_batch(space);
	hear_records(space, parts[RECORDS]);
}

static void
read_page(struct space *space)
{
	struct shared_counters *shared = space->shared;

	snprintf(space->offset, sizeof(space->offset), "%zu", space->read);
	space->is_reading = cluster_run(shared->cluster, shared->loop, &space->page, &counter_script_page,
	    (const struct slice[]){ slice_of(space->keys[0]), slice_of(space->keys[1]),
		slice_of(space->offset) }, KEYS + 1);
}

static void
on_page(struct cluster_call *call, const struct redis_reply *reply)
{
	struct space *space = list_entry(call, struct space, page);

	space->is_reading = false;
	if (reply == NULL || reply->type != REDIS_ARRAY || reply->count != 2)
		return;
	hear_records(space, reply->elements[1].text);
	space->read += (size_t)reply->elements[0].number;
	if (reply->elements[0].number == PAGE && space->read < READ_MAX)
		read_page(space);
}

/* The first connection, too: there is all that others have counted before. */
static void
on_missed(struct cluster_ear *ear)
{
	struct shared_counters *shared = list_entry(ear, struct shared_counters, ear);

	for (int i = 0; i < shared->count && !shared->is_over; i++) {
		struct space *space = &shared->spaces[i];

		if (!is_shared(space))
			continue;
		end_batch(space);
		space->read = 0;
		if (!space->is_reading)
			read_page(space);
	}
}

static void
on_told(struct cluster_call *call, const struct redis_reply *reply)
{
	struct space *space = list_entry(call, struct space, call);

	if (reply == NULL)
		end_batch(space);
}

static void
write_batch(struct space *space)
{
	buf_truncate(&space->records, 0);
	for (int i = 0; i < COUNTER_BATCH && !list_is_empty(&space->queued.list); i++) {
		struct change *change = list_entry(space->queued.list.next, struct change, node);

		map_remove(space->queued.by_key, slice_of(change->key));
		list_remove(&change->node);
		list_append(&space->sent.list, &change->node);
		map_set(space->sent.by_key, slice_of(change->key), change);
		buf_printf(&space->records, "%s %d %lld %lld %lld %d;", change->key, change->sets,
		    (long long)change->value, (long long)change->more, (long long)change->window_ms,
		    change->keeps_time);
	}
}

static bool
run(struct space *space)
{
	struct cluster *cluster = space->shared->cluster;
	const struct slice words[] = {
		slice_of(space->keys[0]), slice_of(space->keys[1]), slice_of(cluster_incarnation(cluster)),
		slice_of(cluster_channel(cluster)), slice_of(space->shared->name), slice_of(space->number),
		slice_of(space->limit), buf_slice(&space->records),
	};

	return cluster_run(cluster, space->shared->loop, &space->call, &counter_script_tell, words,
	    (int)(sizeof(words) / sizeof(words[0])));
}

static void
tell(struct space *space, int64_t now)
{
	struct shared_counters *shared = space->shared;

	if (space->busy_until > now)
		return;
	end_batch(space);
	pthread_mutex_lock(&shared->lock);
	if (cluster_is_up(shared->cluster, shared->loop))
		write_batch(space);
	else
		changes_clear(&space->queued);
	pthread_mutex_unlock(&shared->lock);
	if (list_is_empty(&space->sent.list))
		return;
	space->busy_until = now + ECHO_MS;
	cluster_cancel(&space->call);
	if (!run(space))
		end_batch(space);
}

static void
on_time(struct loop_timer *timer)
{
	struct shared_counters *shared = loop_owner(timer, struct shared_counters, timer);
	int64_t now = loop_now(shared->loop);

	for (int i = 0; i < shared->count; i++)
		if (is_shared(&shared->spaces[i]))
			tell(&shared->spaces[i], now);
	loop_timer_set(shared->loop, timer, now + COUNTER_TELL_MS);
}

static void
free_if_alone(struct shared_counters *shared)
{
	if (shared->is_over && shared->is_deaf)
		xfree(shared);
}

static void
on_free(struct cluster_ear *ear)
{
	struct shared_counters *shared = list_entry(ear, struct shared_counters, ear);

	shared->is_deaf = true;
	free_if_alone(shared);
}

static void
space_init(struct space *space, const struct counter_sharing *sharing, size_t limit)
{
	static const char *const parts[KEYS] = { "v", "t" };

	for (int i = 0; i < KEYS; i++)
		space->keys[i] = xasprintf("%s:{count:%s:%d}:%s", cluster_prefix(sharing->cluster),
		    sharing->name, space->index, parts[i]);
	snprintf(space->number, sizeof(space->number), "%d", space->index);
	snprintf(space->limit, sizeof(space->limit), "%zu", limit);
	space->call.on_reply = on_told;
	space->page.on_reply = on_page;
	list_init(&space->queued.list);
	list_init(&space->sent.list);
	space->queued.by_key = map_new();
	space->sent.by_key = map_new();
}

static void
space_clear(struct space *space)
{
	cluster_cancel(&space->call);
	cluster_cancel(&space->page);
	changes_clear(&space->queued);
	changes_clear(&space->sent);
	map_free(&space->queued.by_key);
	map_free(&space->sent.by_key);
	buf_clear(&space->records);
	for (int i = 0; i < KEYS; i++)
		xfree(space->keys[i]);
}

void *
counter_redis_start(const struct counter_sharing *sharing, const size_t *limits, int spaces)
{
	struct shared_counters *shared = xcalloc(1, sizeof(*shared));

	shared->cluster = sharing->cluster;
	shared->loop = cluster_control(sharing->cluster);
	shared->name = sharing->name;
	shared->memory = counter_memory.start(limits, spaces);
	shared->count = spaces;
	pthread_mutex_init(&shared->lock, NULL);
	for (int i = 0; i < spaces; i++) {
		shared->spaces[i].shared = shared;
		shared->spaces[i].index = i;
		if ((sharing->spaces & 1u << i) != 0)
			space_init(&shared->spaces[i], sharing, limits[i]);
	}
	shared->ear = (struct cluster_ear){ .name = "(counters)", .on_message = on_message,
		.on_missed = on_missed, .on_free = on_free };
	cluster_listen(shared->cluster, &shared->ear);
	loop_timer_init(&shared->timer, on_time);
	loop_timer_set(shared->loop, &shared->timer, loop_now(shared->loop) + COUNTER_TELL_MS);
	return shared;
}

static void
stop(void *store)
{
	struct shared_counters *shared = store;

	loop_timer_stop(shared->loop, &shared->timer);
	for (int i = 0; i < shared->count; i++)
		if (is_shared(&shared->spaces[i]))
			space_clear(&shared->spaces[i]);
	counter_memory.stop(shared->memory);
	pthread_mutex_destroy(&shared->lock);
	shared->is_over = true;
	free_if_alone(shared);
}

const struct counter_engine counter_redis = {
	.name = "redis",
	.stop = stop,
	.ask = ask,
	.cancel = cancel,
	.look = look,
	.walk = walk,
	.count = count,
};
