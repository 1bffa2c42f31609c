/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * register.c: P:{register:NAME}, a hash: a name, "STAMP INC WORD": when (us) it was said, and at which proxy,
 * whose words come in the order in which they were said.
 */
#include "state/register.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"

enum {
	LOOK_MS = 200, NUMBER_SIZE = 24,
	READ_MS = 5 * 60 * 1000,	/* all is read so often, whether or not something was missed */
	SLACK_MS = 2000,		/* words closer than that come in Redis' order */
	KNOWN_MAX = 100 * 1000, LOOKS_MAX = 1000
};

#define COMMON \
	"local function parse(text) return string.match(text, '^(%d+) (%x+) (.*)$') end\n" \
	"local K, t = KEYS[1], redis.call('TIME')\n" \
	"local now = t[1] * 1000000 + t[2]\n" \
	"local function age_of(since) return math.max(math.floor((now - since) / 1000), 0) end\n"
#define TELL COMMON \
	"local inc, stamp = ARGV[1], now - ARGV[6] * 1000\n" \
	"local known = redis.call('HGET', K, ARGV[4])\n" \
	"local is_news = true\n" \
	"local since, who, word = parse(known or '')\n" \
	"if since then\n" \
	"  since = math.min(tonumber(since), now)\n" \
	"  if since > stamp and who ~= inc then return { word, age_of(since) } end\n" \
	"  stamp = math.max(stamp, since)\n" \
	"  is_news = word ~= ARGV[5] or stamp - since > 2000000\n" \
	"end\n" \
	"redis.call('HSET', K, ARGV[4], string.format('%.0f', stamp) .. ' ' .. inc .. ' ' .. ARGV[5])\n" \
	"if is_news then\n" \
	"  redis.call('PUBLISH', ARGV[2], table.concat({ 'register', ARGV[3], inc, ARGV[6], ARGV[4],\n" \
	"    ARGV[5] }, '\\n'))\n" \
	"end\n" \
	"return {}\n"
#define READ COMMON \
	"local found = redis.call('HSCAN', K, ARGV[1], 'COUNT', 500)\n" \
	"local out = { found[1] }\n" \
	"for i = 1, #found[2], 2 do\n" \
	"  local since, _, word = parse(found[2][i + 1])\n" \
	"  if since then\n" \
	"    out[#out + 1] = found[2][i]\n" \
	"    out[#out + 1] = word\n" \
	"    out[#out + 1] = age_of(since)\n" \
	"  end\n" \
	"end\n" \
	"return out\n"
#define LOOK COMMON \
	"local since, _, word = parse(redis.call('HGET', K, ARGV[1]) or '')\n" \
	"return since and { word, age_of(since) } or {}\n"

const struct cluster_script register_script_tell = { "register", TELL, 1, false };
const struct cluster_script register_script_read = { "registered", READ, 1, true };
const struct cluster_script register_script_look = { "word", LOOK, 1, true };

struct known {				/* the latest word of a name that was told or heard here */
	char *word;
	int64_t said_at;		/* as loop_now */
	unsigned round;			/* of reading all, in which it was told or heard */
};

struct look {				/* a name of which something was said */
	struct list node;
	char *name;
};

struct untold {
	struct list node;
	char *name, *word;
	int64_t since;			/* as loop_now */
	char age[NUMBER_SIZE];
	bool is_sent;			/* nobody replaces it until the answer is there */
	bool is_again;			/* Redis had lost it, and what else the owner keeps there, too */
};

struct shared_register {
	struct register_settings settings;
	struct cluster_ear ear;
	struct loop *loop;
	struct list untold;		/* in the order in which they were said */
	struct map *telling;		/* of each name the last one of them */
	struct map *known;		/* struct known, by name */
	struct list looks;
	struct cluster_call tell, read, look;
	int64_t read_at;
	unsigned round;
	struct loop_timer timer;
	char *key, cursor[NUMBER_SIZE];
	bool is_reading, is_to_read, is_looking;
	bool is_over, is_deaf;		/* the register is gone, and the cluster is */
};

static void
take_off(struct shared_register *shared, struct untold *untold)
{
	if (map_get(shared->telling, slice_of(untold->name)) == untold)
		map_remove(shared->telling, slice_of(untold->name));
	list_remove(&untold->node);
}

static void
untold_free(struct shared_register *shared, struct untold *untold)
{
	take_off(shared, untold);
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

static struct untold *
append_untold(struct shared_register *shared, struct slice name, struct slice word, int64_t said_at)
{
	struct untold *untold = xcalloc(1, sizeof(*untold));

	untold->name = xstrndup(name.data, name.len);
	untold->word = xstrndup(word.data, word.len);
	untold->since = said_at;
	list_append(&shared->untold, &untold->node);
	map_set(shared->telling, name, untold);
	return untold;
}

/* Redis has an older word, or none. */
static void
tell_again(struct shared_register *shared, struct slice name, const struct known *known)
{
	if (!register_is_telling(shared, name))
		append_untold(shared, name, slice_of(known->word), known->said_at)->is_again = true;
}

/* False: a newer one is known.  Of what is on its way Redis will say whether another is later. */
static bool
know(struct shared_register *shared, struct slice name, struct slice word, int64_t said_at)
{
	struct known *known = map_get(shared->known, name);
	int64_t slack_ms = register_is_telling(shared, name) ? 0 : SLACK_MS;

	if (known != NULL && known->said_at - said_at > slack_ms)
		return false;
	if (known == NULL && map_count(shared->known) >= KNOWN_MAX)
		return true;
	if (known == NULL) {
		known = xcalloc(1, sizeof(*known));
		map_set(shared->known, name, known);
	}
	xfree(known->word);
	known->word = xstrndup(word.data, word.len);
	known->said_at = said_at;
	known->round = shared->round;
	return true;
}

/* Redis has this word. */
static void
hear(struct shared_register *shared, struct slice name, struct slice word, int64_t age_ms)
{
	const struct register_settings *settings = &shared->settings;
	struct known *known = map_get(shared->known, name);

	if (know(shared, name, word, loop_now(shared->loop) - age_ms)) {
		settings->on_word(settings->owner, name, word, age_ms);
		return;
	}
	known->round = shared->round;
	tell_again(shared, name, known);
}

static void
on_told(struct cluster_call *call, const struct redis_reply *reply)
{
	struct shared_register *shared = list_entry(call, struct shared_register, tell);
	const struct register_settings *settings = &shared->settings;
	struct untold *untold = first_of(shared);
	struct slice name = slice_of(untold->name);

	untold->is_sent = false;
	if (reply == NULL)
		return;
	take_off(shared, untold);
	/* another word is later, and what was said of it meanwhile was not listened to */
	if (reply->type == REDIS_ARRAY && reply->count == 2)
		hear(shared, name, reply->elements[0].text, reply->elements[1].number);
	else if (untold->is_again)
		settings->on_word(settings->owner, name, slice_of(untold->word),
		    loop_now(shared->loop) - untold->since);
	untold_free(shared, untold);
	tell_first(shared);
}

static void
look_free(struct look *look)
{
	list_remove(&look->node);
	xfree(look->name);
	xfree(look);
}

static void
look_at_first(struct shared_register *shared)
{
	const struct look *look = list_entry(shared->looks.next, struct look, node);

	if (shared->is_looking || list_is_empty(&shared->looks))
		return;
	shared->is_looking = cluster_run(shared->settings.cluster, shared->loop, &shared->look,
	    &register_script_look, (const struct slice[]){ slice_of(shared->key), slice_of(look->name) }, 2);
}

static void
on_look(struct cluster_call *call, const struct redis_reply *reply)
{
	struct shared_register *shared = list_entry(call, struct shared_register, look);
	struct look *look = list_entry(shared->looks.next, struct look, node);

	shared->is_looking = false;
	if (reply == NULL)
		return;
	if (reply->type == REDIS_ARRAY && reply->count == 2)
		hear(shared, slice_of(look->name), reply->elements[0].text, reply->elements[1].number);
	look_free(look);
	look_at_first(shared);
}

static void
read_some(struct shared_register *shared)
{
	shared->is_reading = cluster_run(shared->settings.cluster, shared->loop, &shared->read,
	    &register_script_read,
	    (const struct slice[]){ slice_of(shared->key), slice_of(shared->cursor) }, 2);
	if (!shared->is_reading)
		shared->is_to_read = true;
}

static void
begin_to_read(struct shared_register *shared)
{
	snprintf(shared->cursor, sizeof(shared->cursor), "0");
	shared->is_to_read = false;
	shared->round++;
	shared->read_at = loop_now(shared->loop);
	read_some(shared);
}

/* Redis has lost it. */
static void
revive(const char *name, void *value, void *arg)
{
	struct shared_register *shared = arg;
	struct known *known = value;

	if (known->round == shared->round)
		return;
	known->round = shared->round;
	tell_again(shared, slice_of(name), known);
}

static void
on_read(struct cluster_call *call, const struct redis_reply *reply)
{
	struct shared_register *shared = list_entry(call, struct shared_register, read);

	shared->is_reading = false;
	if (reply == NULL || reply->type != REDIS_ARRAY || reply->count == 0) {
		shared->is_to_read = true;
		return;
	}
	snprintf(shared->cursor, sizeof(shared->cursor), "%.*s", SLICE_ARGS(reply->elements[0].text));
	for (size_t i = 1; i + 2 < reply->count; i += 3)
		hear(shared, reply->elements[i].text, reply->elements[i + 1].text,
		    reply->elements[i + 2].number);
	if (!slice_equals(slice_of(shared->cursor), "0")) {
		read_some(shared);
		return;
	}
	map_each(shared->known, revive, shared);
	shared->settings.on_all(shared->settings.owner);
	tell_first(shared);
}

static void
on_time(struct loop_timer *timer)
{
	struct shared_register *shared = loop_owner(timer, struct shared_register, timer);
	int64_t now = loop_now(shared->loop);

	tell_first(shared);
	look_at_first(shared);
	if ((shared->is_to_read || now - shared->read_at >= READ_MS) && !shared->is_reading)
		begin_to_read(shared);
	loop_timer_set(shared->loop, timer, now + LOOK_MS);
}

static bool
is_to_look(const struct shared_register *shared, struct slice name, int *count)
{
	list_each(node, &shared->looks) {
		const struct look *look = list_entry(node, struct look, node);

		/* the first one may be under way, and be too early */
		if (++*count > 1 && slice_equals(name, look->name))
			return false;
	}
	return true;
}

/* Anybody may have said so: which word it is Redis knows. */
static void
on_message(struct cluster_ear *ear, const struct slice *parts, int count)
{
	enum { SUBJECT, REGISTER, INCARNATION, AGE, NAME, WORD, PARTS };
	struct shared_register *shared = list_entry(ear, struct shared_register, ear);
	const struct register_settings *settings = &shared->settings;
	struct look *look;
	int looks = 0;

	if (shared->is_over || count < PARTS || !slice_equals(parts[SUBJECT], "register") ||
	    !slice_equals(parts[REGISTER], settings->name) ||
	    slice_equals(parts[INCARNATION], cluster_incarnation(settings->cluster)) ||
	    !is_to_look(shared, parts[NAME], &looks))
		return;
	if (looks >= LOOKS_MAX) {
		shared->is_to_read = true;
		return;
	}
	look = xcalloc(1, sizeof(*look));
	look->name = xstrndup(parts[NAME].data, parts[NAME].len);
	list_append(&shared->looks, &look->node);
	look_at_first(shared);
}

static void
on_missed(struct cluster_ear *ear)
{
	struct shared_register *shared = list_entry(ear, struct shared_register, ear);

	if (shared->is_over)
		return;
	if (shared->is_reading)
		shared->is_to_read = true;
	else
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
	shared->look.on_reply = on_look;
	shared->known = map_new();
	shared->telling = map_new();
	list_init(&shared->untold);
	list_init(&shared->looks);
	shared->ear = (struct cluster_ear){ .name = "(register)", .on_message = on_message,
		.on_missed = on_missed, .on_free = on_free };
	cluster_listen(settings->cluster, &shared->ear);
	/* the subscription may be there already */
	shared->is_to_read = true;
	loop_timer_init(&shared->timer, on_time);
	loop_timer_set(shared->loop, &shared->timer, loop_now(shared->loop));
	return shared;
}

static void
free_known(const char *name, void *value, void *arg)
{
	struct known *known = value;

	(void)name;
	(void)arg;
	xfree(known->word);
	xfree(known);
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
	cluster_cancel(&gone->look);
	list_each(node, &gone->looks)
		look_free(list_entry(node, struct look, node));
	map_each(gone->known, free_known, NULL);
	map_free(&gone->known);
	list_each(node, &gone->untold)
		untold_free(gone, list_entry(node, struct untold, node));
	map_free(&gone->telling);
	xfree(gone->key);
	gone->is_over = true;
	free_if_alone(gone);
}

void
register_tell(struct shared_register *shared, struct slice name, struct slice word, int64_t age_ms)
{
	struct untold *before = map_get(shared->telling, name);
	int64_t said_at = loop_now(shared->loop) - age_ms;

	if (!know(shared, name, word, said_at))
		return;
	if (before != NULL && !before->is_sent)
		untold_free(shared, before);
	append_untold(shared, name, word, said_at);
	tell_first(shared);
}

bool
register_is_telling(const struct shared_register *shared, struct slice name)
{
	return map_get(shared->telling, name) != NULL;
}

bool
register_knows(const struct shared_register *shared, struct slice name)
{
	return map_get(shared->known, name) != NULL;
}
