/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * register.c: P:{register:NAME}, a hash: a name, "STAMP INC WORD": when (us) it was said, and at which proxy,
 * whose words come in the order in which they were said.
 */
#include "state/register.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/list.h"
#include "base/xalloc.h"

enum { LOOK_MS = 200, NUMBER_SIZE = 24 };

#define PARSE "local function parse(text) return string.match(text, '^(%d+) (%x+) (.*)$') end\n"
#define TELL PARSE \
	"local K, inc, t = KEYS[1], ARGV[1], redis.call('TIME')\n" \
	"local stamp = t[1] * 1000000 + t[2] - ARGV[6] * 1000\n" \
	"local known = redis.call('HGET', K, ARGV[4])\n" \
	"if known then\n" \
	"  local since, who, word = parse(known)\n" \
	"  since = tonumber(since)\n" \
	"  if since > stamp and who ~= inc then return 0 end\n" \
	"  if word == ARGV[5] then return 0 end\n" \
	"  stamp = math.max(stamp, since)\n" \
	"end\n" \
	"redis.call('HSET', K, ARGV[4], string.format('%.0f', stamp) .. ' ' .. inc .. ' ' .. ARGV[5])\n" \
	"redis.call('PUBLISH', ARGV[2], table.concat({ 'register', ARGV[3], inc, ARGV[6], ARGV[4],\n" \
	"  ARGV[5] }, '\\n'))\n" \
	"return 1\n"
#define READ PARSE \
	"local t = redis.call('TIME')\n" \
	"local now = t[1] * 1000000 + t[2]\n" \
	"local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 500)\n" \
	"local out = { found[1] }\n" \
	"for i = 1, #found[2], 2 do\n" \
	"  local since, _, word = parse(found[2][i + 1])\n" \
	"  out[#out + 1] = found[2][i]\n" \
	"  out[#out + 1] = word\n" \
	"  out[#out + 1] = math.max(math.floor((now - since) / 1000), 0)\n" \
	"end\n" \
	"return out\n"

const struct cluster_script register_script_tell = { "register", TELL, 1, false };
const struct cluster_script register_script_read = { "registered", READ, 1, true };

struct untold {
	struct list node;
	char *name, *word;
	int64_t since;			/* as loop_now */
	char age[NUMBER_SIZE];
	bool is_sent;			/* nobody replaces it until the answer is there */
};

struct shared_register {
	struct register_settings settings;
	struct cluster_ear ear;
	struct loop *loop;
	struct list untold;		/* in the order in which they were said */
	struct cluster_call tell, read;
	struct loop_timer timer;
	char *key, cursor[NUMBER_SIZE];
	bool is_reading, is_to_read;
	bool is_over, is_deaf;		/* the register is gone, and the cluster is */
};

static void
untold_free(struct untold *untold)
{
	list_remove(&untold->node);
	xfree(untold->name);
	xfree(untold->word);
	xfree(untold);
}

static struct untold *
first_of(const struct shared_register *shared)
{
	return list_is_empty(&shared->untold) ? NULL :
	    list_entry(shared->untold.next, struct untold, node);
}

static void
tell_first(struct shared_register *shared)
{
	struct cluster *cluster = shared->settings.cluster;
	struct untold *untold = first_of(shared);

	if (untold == NULL || untold->is_sent)
		return;
	snprintf(untold->age, sizeof(untold->age), "%" PRId64, loop_now(shared->loop) - untold->since);
	untold->is_sent = cluster_run(cluster, shared->loop, &shared->tell, &register_script_tell,
	    (const struct slice[]){ slice_of(shared->key), slice_of(cluster_incarnation(cluster)),
		slice_of(cluster_channel(cluster)), slice_of(shared->settings.name), slice_of(untold->name),
		slice_of(untold->word), slice_of(untold->age) }, 7);
}

static void
on_told(struct cluster_call *call, const struct redis_reply *reply)
{
	struct shared_register *shared = list_entry(call, struct shared_register, tell);
	struct untold *untold = first_of(shared);

	untold->is_sent = false;
	if (reply == NULL)
		return;
	untold_free(untold);
	tell_first(shared);
}

static void
read_some(struct shared_register *shared)
{
	shared->is_to_read = false;
	shared->is_reading = cluster_run(shared->settings.cluster, shared->loop, &shared->read,
	    &register_script_read,
	    (const struct slice[]){ slice_of(shared->key), slice_of(shared->cursor) }, 2);
	shared->is_to_read = !shared->is_reading;
}

static void
begin_to_read(struct shared_register *shared)
{
	snprintf(shared->cursor, sizeof(shared->cursor), "0");
	read_some(shared);
}

static void
on_read(struct cluster_call *call, const struct redis_reply *reply)
{
	struct shared_register *shared = list_entry(call, struct shared_register, read);
	const struct register_settings *settings = &shared->settings;

	shared->is_reading = false;
	if (reply == NULL || reply->type != REDIS_ARRAY || reply->count == 0) {
		shared->is_to_read = true;
		return;
	}
	snprintf(shared->cursor, sizeof(shared->cursor), "%.*s", SLICE_ARGS(reply->elements[0].text));
	for (size_t i = 1; i + 2 < reply->count; i += 3)
		settings->on_word(settings->owner, reply->elements[i].text, reply->elements[i + 1].text,
		    reply->elements[i + 2].number);
	if (slice_equals(slice_of(shared->cursor), "0"))
		settings->on_all(settings->owner);
	else
		read_some(shared);
}

static void
on_time(struct loop_timer *timer)
{
	struct shared_register *shared = loop_owner(timer, struct shared_register, timer);

	tell_first(shared);
	if (shared->is_to_read && !shared->is_reading)
		begin_to_read(shared);
	loop_timer_set(shared->loop, timer, loop_now(shared->loop) + LOOK_MS);
}

static void
on_message(struct cluster_ear *ear, const struct slice *parts, int count)
{
	enum { SUBJECT, REGISTER, INCARNATION, AGE, NAME, WORD, PARTS };
	struct shared_register *shared = list_entry(ear, struct shared_register, ear);
	const struct register_settings *settings = &shared->settings;
	uint64_t age;

	if (shared->is_over || count < PARTS || !slice_equals(parts[SUBJECT], "register") ||
	    !slice_equals(parts[REGISTER], settings->name) ||
	    slice_equals(parts[INCARNATION], cluster_incarnation(settings->cluster)) ||
	    !slice_to_number(parts[AGE], INT64_MAX, &age))
		return;
	settings->on_word(settings->owner, parts[NAME], parts[WORD], (int64_t)age);
}

static void
on_missed(struct cluster_ear *ear)
{
	struct shared_register *shared = list_entry(ear, struct shared_register, ear);

	if (!shared->is_over && !shared->is_reading)
		begin_to_read(shared);
}

static void
free_if_alone(struct shared_register *shared)
{
	if (shared->is_over && shared->is_deaf)
		xfree(shared);
}

static void
on_free(struct cluster_ear *ear)
{
	struct shared_register *shared = list_entry(ear, struct shared_register, ear);

	shared->is_deaf = true;
	free_if_alone(shared);
}

struct shared_register *
register_new(const struct register_settings *settings)
{
	struct shared_register *shared = xcalloc(1, sizeof(*shared));

	shared->settings = *settings;
	shared->loop = cluster_control(settings->cluster);
	shared->key = xasprintf("%s:{register:%s}", cluster_prefix(settings->cluster), settings->name);
	shared->tell.on_reply = on_told;
	shared->read.on_reply = on_read;
	list_init(&shared->untold);
	shared->ear = (struct cluster_ear){ .name = "(register)", .on_message = on_message,
		.on_missed = on_missed, .on_free = on_free };
	cluster_listen(settings->cluster, &shared->ear);
	/* the subscription may be there already */
	shared->is_to_read = true;
	loop_timer_init(&shared->timer, on_time);
	loop_timer_set(shared->loop, &shared->timer, loop_now(shared->loop));
	return shared;
}

void
register_free(struct shared_register **shared)
{
	struct shared_register *gone = *shared;

	*shared = NULL;
	if (gone == NULL)
		return;
	loop_timer_stop(gone->loop, &gone->timer);
	cluster_cancel(&gone->tell);
	cluster_cancel(&gone->read);
	list_each(node, &gone->untold)
		untold_free(list_entry(node, struct untold, node));
	xfree(gone->key);
	gone->is_over = true;
	free_if_alone(gone);
}

static struct untold *
find(const struct shared_register *shared, struct slice name)
{
	list_each(node, &shared->untold) {
		struct untold *untold = list_entry(node, struct untold, node);

		if (!untold->is_sent && slice_equals(name, untold->name))
			return untold;
	}
	return NULL;
}

void
register_tell(struct shared_register *shared, struct slice name, struct slice word, int64_t age_ms)
{
	struct untold *before = find(shared, name), *untold = xcalloc(1, sizeof(*untold));

	if (before != NULL)
		untold_free(before);
	untold->name = xstrndup(name.data, name.len);
	untold->word = xstrndup(word.data, word.len);
	untold->since = loop_now(shared->loop) - age_ms;
	list_append(&shared->untold, &untold->node);
	tell_first(shared);
}

bool
register_is_telling(const struct shared_register *shared, struct slice name)
{
	list_each(node, &shared->untold)
		if (slice_equals(name, list_entry(node, struct untold, node)->name))
			return true;
	return false;
}
