/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster_members.c: two keys of one slot, the same in all schemas: a sorted
 * set of incarnations by Redis' time of their last heartbeat, and a hash of
 * what they said: lines, of which those that are not known are for others.
 */
#include "state/cluster_members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

enum {
	BEAT_MS = 1000, SILENT_MS = 10 * 1000,
	ASK_MS = 2000,			/* how long an answer is waited for */
	LIVELY_MS = 3000		/* who was silent for longer is not waited for */
};

struct cluster_members {
	struct cluster *cluster;
	const char *version;
	int64_t (*sessions)(void);
	int64_t started_at, sent_us, latency_us;
	struct loop_timer timer;
	struct cluster_call call;
	char *keys[2], *text;
	char silent[16];
	struct cluster_member *all;
	size_t count;
	bool is_known;			/* a heartbeat was answered */
	struct cluster_ear ear;
	struct list polls;
	uint64_t serials;
	void (*on_question)(void *owner, const struct cluster_question *question, const char *subject,
	    const char *const *words);
	void *owner;
};

/*
 * Who was heard of later than now was so before Redis' clock was set back.
 * INC, what it says, ms until it is forgotten; answers whether INC was there, {INC, age, text}s, and now.
 */
static const struct cluster_script beat = { "heartbeat",
	"local Z, H = KEYS[1], KEYS[2]\n"
	"local t = redis.call('TIME')\n"
	"local now, silent = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[3])\n"
	"local function forget(from, to)\n"
	"  for _, inc in ipairs(redis.call('ZRANGEBYSCORE', Z, from, to)) do\n"
	"    redis.call('ZREM', Z, inc)\n"
	"    redis.call('HDEL', H, inc)\n"
	"  end\n"
	"end\n"
	"forget('-inf', now - silent)\n"
	"forget(now + silent, '+inf')\n"
	"local was_there = redis.call('ZADD', Z, now, ARGV[1]) == 0 and 1 or 0\n"
	"redis.call('HSET', H, ARGV[1], ARGV[2])\n"
	"redis.call('PEXPIRE', Z, silent)\n"
	"redis.call('PEXPIRE', H, silent)\n"
	"local all, out = redis.call('ZRANGE', Z, 0, -1, 'WITHSCORES'), { was_there }\n"
	"for i = 1, #all, 2 do\n"
	"  local age = math.max(now - tonumber(all[i + 1]), 0)\n"
	"  out[#out + 1] = { all[i], age, redis.call('HGET', H, all[i]) or '' }\n"
	"end\n"
	"out[#out + 1] = now\n"
	"return out\n", 2, false
};

static void
take_text(struct slice *rest, char out[CLUSTER_MEMBER_TEXT_MAX])
{
	struct slice word = slice_take(rest, '\n');

	snprintf(out, CLUSTER_MEMBER_TEXT_MAX, "%.*s", SLICE_ARGS(word));
}

static int64_t
take_number(struct slice *rest)
{
	uint64_t number = 0;

	return slice_to_number(slice_take(rest, '\n'), INT64_MAX, &number) ? (int64_t)number : 0;
}

/* "1 2": the oldest and the newest; a proxy that says nothing of it knows the first one. */
static void
take_schemas(struct slice *rest, struct cluster_member *out)
{
	struct slice line = slice_take(rest, '\n');
	uint64_t oldest, newest;

	out->oldest = out->newest = 1;
	if (!slice_to_number(slice_take(&line, ' '), INT32_MAX, &oldest) ||
	    !slice_to_number(slice_take(&line, ' '), INT32_MAX, &newest))
		return;
	out->oldest = (int)oldest;
	out->newest = (int)newest;
}

static bool
read_member(const struct cluster_members *members, const struct redis_reply *part, struct cluster_member *out)
{
	struct slice inc, text;

	if (part->type != REDIS_ARRAY || part->count != 3 || part->elements[1].type != REDIS_NUMBER)
		return false;
	*out = (struct cluster_member){ .age_ms = part->elements[1].number };
	inc = part->elements[0].text;
	text = part->elements[2].text;
	take_text(&inc, out->incarnation);
	take_text(&text, out->name);
	take_text(&text, out->version);
	out->sessions = take_number(&text);
	out->local = take_number(&text);
	out->uptime_ms = take_number(&text);
	take_schemas(&text, out);
	out->is_self = strcmp(out->incarnation, cluster_incarnation(members->cluster)) == 0;
	return true;
}

static const struct cluster_member *
find(const struct cluster_member *all, size_t count, const char *incarnation)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].incarnation, incarnation) == 0)
			return &all[i];
	return NULL;
}

/* Once for each start of such a proxy. */
static void
warn_of_foreign(const struct cluster_members *members, const struct cluster_member *before, size_t count)
{
	for (size_t i = 0; i < members->count; i++) {
		const struct cluster_member *member = &members->all[i];

		if (cluster_member_is_foreign(member) && find(before, count, member->incarnation) == NULL)
			log_write(LOG_ERR,
			    "cluster: proxy %s (gatepost %s) knows the schemas %d to %d, this one %d to %d: "
			    "they share nothing, and a user may come to two servers",
			    member->name, member->version, member->oldest, member->newest,
			    CLUSTER_SCHEMA_OLDEST, CLUSTER_SCHEMA);
	}
}

static void
on_beat(struct cluster_call *call, const struct redis_reply *reply)
{
	struct cluster_members *members = list_entry(call, struct cluster_members, call);
	size_t count = reply != NULL && reply->type == REDIS_ARRAY ? reply->count : 0;
	struct cluster_member *before = members->all;
	size_t before_count = members->count;

	members->latency_us = reply != NULL ? clock_us() - members->sent_us : -1;
	if (count == 0)
		return;
	cluster_set_time(members->cluster, reply->elements[count - 1].number);
	if (count > CLUSTER_MEMBERS_MAX)
		count = CLUSTER_MEMBERS_MAX;
	members->all = xcalloc(count, sizeof(*members->all));
	members->count = 0;
	for (size_t i = 1; i < count; i++)
		members->count += read_member(members, &reply->elements[i], &members->all[members->count]);
	warn_of_foreign(members, before, before_count);
	xfree(before);
	/* Redis has lost it, and then all else, too */
	if (members->is_known && reply->elements[0].number == 0)
		cluster_tell_missed(members->cluster);
	members->is_known = true;
}

static void
on_time(struct loop_timer *timer)
{
	struct cluster_members *members = loop_owner(timer, struct cluster_members, timer);
	struct cluster *cluster = members->cluster;
	struct loop *loop = cluster_control(cluster);
	struct slice words[5] = { slice_of(members->keys[0]), slice_of(members->keys[1]),
		slice_of(cluster_incarnation(cluster)) };

	loop_timer_set(loop, timer, loop_now(loop) + BEAT_MS);
	if (members->call.link != NULL)
		return;
	xfree(members->text);
	members->text = xasprintf("%s\n%s\n%" PRId64 "\n%" PRIu64 "\n%" PRId64 "\n%d %d",
	    cluster_name(cluster), members->version, members->sessions(),
	    cluster_figure(cluster, CLUSTER_LOCAL), clock_ms() - members->started_at, CLUSTER_SCHEMA_OLDEST,
	    CLUSTER_SCHEMA);
	words[3] = slice_of(members->text);
	words[4] = slice_of(members->silent);
	members->sent_us = clock_us();
	if (!cluster_run(cluster, loop, &members->call, &beat, words, 5))
		members->latency_us = -1;
}

static void
end_poll(struct cluster_poll *poll)
{
	loop_timer_stop(cluster_control(poll->members->cluster), &poll->timer);
	list_remove(&poll->node);
	poll->members = NULL;
	poll->on_done(poll);
}

static void
on_late(struct loop_timer *timer)
{
	end_poll(loop_owner(timer, struct cluster_poll, timer));
}

static void
hear_answer(struct cluster_members *members, uint64_t serial, struct slice number)
{
	uint64_t n;

	list_each(node, &members->polls) {
		struct cluster_poll *poll = list_entry(node, struct cluster_poll, node);

		if (poll->serial != serial || !slice_to_number(number, INT64_MAX, &n))
			continue;
		poll->sum += (int64_t)n;
		if (++poll->answered >= poll->asked)
			end_poll(poll);
		return;
	}
}

static void
hear_question(struct cluster_members *members, const struct slice *parts, uint64_t serial)
{
	struct cluster_question question = { .serial = serial };
	char *copies[1 + CLUSTER_QUESTION_WORDS];
	struct slice asker = parts[1], name = parts[3];

	take_text(&asker, question.asker);
	take_text(&name, question.name);
	for (int i = 0; i <= CLUSTER_QUESTION_WORDS; i++)
		copies[i] = xstrndup(parts[4 + i].data, parts[4 + i].len);
	members->on_question(members->owner, &question, copies[0], (const char *const *)&copies[1]);
	for (int i = 0; i <= CLUSTER_QUESTION_WORDS; i++)
		xfree(copies[i]);
}

/* ask INC SERIAL NAME SUBJECT WORD WORD WORD; answer INC SERIAL NUMBER */
static void
on_message(struct cluster_ear *ear, const struct slice *parts, int count)
{
	enum { QUESTION_PARTS = 5 + CLUSTER_QUESTION_WORDS, ANSWER_PARTS = 4 };
	struct cluster_members *members = list_entry(ear, struct cluster_members, ear);
	bool is_ours;
	uint64_t serial;

	if (count < ANSWER_PARTS || !slice_to_number(parts[2], UINT64_MAX, &serial))
		return;
	is_ours = slice_equals(parts[1], cluster_incarnation(members->cluster));
	if (slice_equals(parts[0], "answer") && is_ours)
		hear_answer(members, serial, parts[3]);
	else if (slice_equals(parts[0], "ask") && count >= QUESTION_PARTS && !is_ours &&
	    members->on_question != NULL)
		hear_question(members, parts, serial);
}

static void
on_missed(struct cluster_ear *ear)
{
	(void)ear;
}

static void
on_free(struct cluster_ear *ear)
{
	list_remove(&ear->node);
}

struct cluster_members *
cluster_members_new(struct cluster *cluster, const char *version, int64_t (*sessions)(void))
{
	struct cluster_members *members = xcalloc(1, sizeof(*members));
	struct loop *loop = cluster_control(cluster);

	members->cluster = cluster;
	members->version = version;
	members->sessions = sessions;
	members->started_at = clock_ms();
	members->latency_us = -1;
	members->call.on_reply = on_beat;
	members->keys[0] = xasprintf("%s:{proxies}:z", cluster_meeting(cluster));
	members->keys[1] = xasprintf("%s:{proxies}:h", cluster_meeting(cluster));
	snprintf(members->silent, sizeof(members->silent), "%d", SILENT_MS);
	list_init(&members->polls);
	/* no farm has a blank in its name */
	members->ear = (struct cluster_ear){
		.name = "all proxies", .on_message = on_message, .on_missed = on_missed, .on_free = on_free,
	};
	cluster_listen(cluster, &members->ear);
	loop_timer_init(&members->timer, on_time);
	loop_timer_set(loop, &members->timer, loop_now(loop));
	return members;
}

void
cluster_members_free(struct cluster_members **members)
{
	struct cluster_members *gone = *members;

	*members = NULL;
	if (gone == NULL)
		return;
	cluster_cancel(&gone->call);
	loop_timer_stop(cluster_control(gone->cluster), &gone->timer);
	list_remove(&gone->ear.node);
	while (!list_is_empty(&gone->polls))
		end_poll(list_entry(gone->polls.next, struct cluster_poll, node));
	xfree(gone->keys[0]);
	xfree(gone->keys[1]);
	xfree(gone->text);
	xfree(gone->all);
	xfree(gone);
}

size_t
cluster_members_count(const struct cluster_members *members)
{
	return members->count;
}

const struct cluster_member *
cluster_members_get(const struct cluster_members *members, size_t i)
{
	return &members->all[i];
}

bool
cluster_member_is_foreign(const struct cluster_member *member)
{
	return member->newest < CLUSTER_SCHEMA_OLDEST || member->oldest > CLUSTER_SCHEMA;
}

size_t
cluster_members_foreign(const struct cluster_members *members)
{
	size_t count = 0;

	for (size_t i = 0; i < members->count; i++)
		count += cluster_member_is_foreign(&members->all[i]);
	return count;
}

int64_t
cluster_members_latency_us(const struct cluster_members *members)
{
	return members->latency_us;
}

/* Of one message all parts are lines. */
static char *
line_of(const char *text)
{
	char *copy = xstrdup(text);

	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\n')
			*c = ' ';
	/* an empty last line would be no part */
	if (*copy != '\0')
		return copy;
	xfree(copy);
	return xstrdup(" ");
}

void
cluster_ask(struct cluster_members *members, struct cluster_poll *poll, const char *subject,
    const char *const *words)
{
	struct loop *loop = cluster_control(members->cluster);
	const char *parts[5 + CLUSTER_QUESTION_WORDS] = { "ask", cluster_incarnation(members->cluster) };
	char serial[24], *lines[CLUSTER_QUESTION_WORDS];

	poll->asked = poll->answered = 0;
	poll->sum = 0;
	poll->members = members;
	poll->serial = ++members->serials;
	for (size_t i = 0; i < members->count; i++)
		poll->asked += !members->all[i].is_self && members->all[i].age_ms < LIVELY_MS &&
		    !cluster_member_is_foreign(&members->all[i]);
	list_init(&poll->node);
	list_append(&members->polls, &poll->node);
	loop_timer_init(&poll->timer, on_late);
	loop_timer_set(loop, &poll->timer, loop_now(loop) + ASK_MS);
	snprintf(serial, sizeof(serial), "%" PRIu64, poll->serial);
	parts[2] = serial;
	parts[3] = cluster_name(members->cluster);
	parts[4] = subject;
	for (int i = 0; i < CLUSTER_QUESTION_WORDS; i++)
		parts[5 + i] = lines[i] = line_of(words[i]);
	if (!cluster_say(members->cluster, parts, 5 + CLUSTER_QUESTION_WORDS) || poll->asked == 0)
		end_poll(poll);
	for (int i = 0; i < CLUSTER_QUESTION_WORDS; i++)
		xfree(lines[i]);
}

void
cluster_poll_cancel(struct cluster_poll *poll)
{
	if (poll->members == NULL)
		return;
	loop_timer_stop(cluster_control(poll->members->cluster), &poll->timer);
	list_remove(&poll->node);
	poll->members = NULL;
}

void
cluster_members_on_question(struct cluster_members *members, void (*on_question)(void *owner,
    const struct cluster_question *question, const char *subject, const char *const *words), void *owner)
{
	members->on_question = on_question;
	members->owner = owner;
}

void
cluster_answer(struct cluster_members *members, const struct cluster_question *question, int64_t number)
{
	char serial[24], text[24];
	const char *parts[] = { "answer", question->asker, serial, text };

	snprintf(serial, sizeof(serial), "%" PRIu64, question->serial);
	snprintf(text, sizeof(text), "%" PRId64, number);
	(void)cluster_say(members->cluster, parts, 4);
}
