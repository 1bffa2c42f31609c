/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster.c: a link for each loop, and what is heard at control's. */
#include "state/cluster.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/xalloc.h"
#include "net/resolve.h"
#include "state/cluster_hearing.h"
#include "state/cluster_signing.h"
#include "state/cluster_trouble.h"

enum {
	FIRST_SCHEMA = 1,
	MISSES_MAX = 3,			/* timeouts in a row: then nobody waits any more */
	PROBE_MS = 1000,		/* how often it is tried whether Redis is there again */
	REPORT_MS = 1000, FLAP_MS = 5000, QUIET_MS = 60 * 1000,	/* see log_change */
	BYTES_MAX = 1024 * 1024, PARTS_MAX = 10000,	/* of one reply */
	SHA_SIZE = 41, NAME_SIZE = 80, INCARNATION_SIZE = 17
};

/* A write that leaves nothing: one that cannot run it is not there. */
#define PROBE "redis.call('SET', KEYS[1], '', 'PX', 1000) return redis.call('DEL', KEYS[1])"

struct cluster_link {
	struct cluster *cluster;
	struct loop *loop;
	struct redis_group *group;
	struct list calls;
	struct resolver *resolver;
	int misses;			/* in a row */
	atomic_bool is_down;		/* nobody is sent there but the probe */
	struct loop_timer timer;
	struct redis_errand probe;
};

struct cluster {
	struct cluster_settings settings;
	_Atomic uint64_t figures[CLUSTER_FIGURES];
	uint64_t told_local, told_ended;	/* of them, in the log */
	int64_t told_at, up_since;
	bool is_told;			/* that Redis is down */
	char prefix[NAME_SIZE], meeting[NAME_SIZE], channel[NAME_SIZE], probe_key[NAME_SIZE];
	char incarnation[INCARNATION_SIZE];
	int threads;
	struct cluster_link *links;	/* control's, then the workers' */
	struct cluster_troubles troubles;
	struct list ears;
	unsigned misses;		/* of the ears */
	struct hearing *hearing;	/* NULL: control has not joined, or has left */
	struct loop_timer report;
	struct signing *signing;	/* NULL: there is no secret */
	int64_t ahead_ms;		/* Redis' time is that of control's loop and so much more */
	bool has_time;
	_Atomic int64_t silent_until;	/* of messages that are refused */
};

static struct cluster_link *
link_of(const struct cluster *cluster, const struct loop *loop)
{
	return &cluster->links[loop_index(loop) + 1];
}

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static void
begin_signing(struct cluster *cluster)
{
	uint8_t key[DIGEST_SHA256_SIZE];

	if (!cluster_key(cluster, "messages", key))
		return;
	cluster->signing = signing_new(key, cluster->channel, cluster->incarnation);
	secret_wipe(key, sizeof(key));
}

struct cluster *
cluster_new(const struct cluster_settings *settings, int threads)
{
	struct cluster *cluster = xcalloc(1, sizeof(*cluster));

	cluster->settings = *settings;
	cluster->settings.group.redis.timeout_ms = settings->timeout_ms;
	cluster->settings.group.redis.bytes_max = BYTES_MAX;
	cluster->settings.group.redis.parts_max = PARTS_MAX;
	cluster->settings.name = copy(settings->name);
	cluster->settings.secret = copy(settings->secret);
	cluster->settings.group.redis.user = copy(settings->group.redis.user);
	cluster->settings.group.redis.password = copy(settings->group.redis.password);
	cluster->settings.group.sentinel_password = copy(settings->group.sentinel_password);
	snprintf(cluster->prefix, sizeof(cluster->prefix), "%.60s:%d", settings->prefix, CLUSTER_SCHEMA);
	snprintf(cluster->meeting, sizeof(cluster->meeting), "%.60s:%d", settings->prefix, FIRST_SCHEMA);
	snprintf(cluster->channel, sizeof(cluster->channel), "%.60s:%d:said", settings->prefix,
	    CLUSTER_SCHEMA);
	snprintf(cluster->probe_key, sizeof(cluster->probe_key), "%.60s:%d:probe", settings->prefix,
	    CLUSTER_SCHEMA);
	snprintf(cluster->incarnation, sizeof(cluster->incarnation), "%016" PRIx64, random_number());
	cluster->threads = threads;
	begin_signing(cluster);
	cluster->links = xcalloc((size_t)threads + 1, sizeof(*cluster->links));
	list_init(&cluster->ears);
	return cluster;
}

void
cluster_free(struct cluster **cluster)
{
	struct cluster *gone = *cluster;

	*cluster = NULL;
	if (gone == NULL)
		return;
	list_each(node, &gone->ears) {
		struct cluster_ear *ear = list_entry(node, struct cluster_ear, node);

		ear->on_free(ear);
	}
	signing_free(&gone->signing);
	xfree((char *)gone->settings.name);
	xfree((char *)gone->settings.group.redis.user);
	secret_free((char **)&gone->settings.secret);
	secret_free((char **)&gone->settings.group.redis.password);
	secret_free((char **)&gone->settings.group.sentinel_password);
	xfree(gone->links);
	xfree(gone);
}

const char *
cluster_name(const struct cluster *cluster)
{
	return cluster->settings.name;
}

const char *
cluster_incarnation(const struct cluster *cluster)
{
	return cluster->incarnation;
}

const char *
cluster_prefix(const struct cluster *cluster)
{
	return cluster->prefix;
}

const char *
cluster_meeting(const struct cluster *cluster)
{
	return cluster->meeting;
}

const char *
cluster_channel(const struct cluster *cluster)
{
	return cluster->channel;
}

bool
cluster_key(const struct cluster *cluster, const char *purpose, uint8_t key[DIGEST_SHA256_SIZE])
{
	uint8_t digest[DIGEST_SIZE_MAX];

	if (cluster->settings.secret == NULL || !digest_hmac(DIGEST_SHA256,
	    slice_of(cluster->settings.secret), slice_of(purpose), digest))
		return false;
	memcpy(key, digest, DIGEST_SHA256_SIZE);
	secret_wipe(digest, sizeof(digest));
	return true;
}

struct loop *
cluster_control(const struct cluster *cluster)
{
	return cluster->links[0].loop;
}

const char *
cluster_secret(const struct cluster *cluster)
{
	return cluster->settings.secret;
}

bool
cluster_is_strict(const struct cluster *cluster)
{
	return cluster->settings.is_strict;
}

const struct redis_group_url *
cluster_url(const struct cluster *cluster)
{
	return &cluster->settings.group.url;
}

int64_t
cluster_timeout_ms(const struct cluster *cluster)
{
	return cluster->settings.timeout_ms;
}

int64_t
cluster_lease_ms(const struct cluster *cluster)
{
	return cluster->settings.lease_ms;
}

void
cluster_note(struct cluster *cluster, enum cluster_figure which, uint64_t count)
{
	atomic_fetch_add_explicit(&cluster->figures[which], count, memory_order_relaxed);
}

uint64_t
cluster_figure(const struct cluster *cluster, enum cluster_figure which)
{
	return atomic_load_explicit(&cluster->figures[which], memory_order_relaxed);
}

bool
cluster_is_up(const struct cluster *cluster, const struct loop *loop)
{
	return !atomic_load_explicit(&link_of(cluster, loop)->is_down, memory_order_relaxed);
}

/* One that answers a probe and nothing else comes and goes all the time: cluster_trouble says why. */
static void
log_change(struct cluster *cluster, bool is_down)
{
	uint64_t local = cluster_figure(cluster, CLUSTER_LOCAL);
	int64_t now = loop_now(cluster_control(cluster));

	if (!is_down && cluster->is_told) {
		log_write(LOG_NOTICE, "cluster: Redis answers again; decisions without it: %" PRIu64,
		    local - cluster->told_local);
		cluster->told_local = local;
	}
	if (!is_down) {
		cluster->is_told = false;
		cluster->up_since = now;
		return;
	}
	cluster_note(cluster, CLUSTER_DOWNS, 1);
	if (cluster->up_since != 0 && now - cluster->up_since < FLAP_MS &&
	    now - cluster->told_at < QUIET_MS)
		return;
	cluster->is_told = true;
	cluster->told_at = now;
	log_write(LOG_WARNING, "cluster: Redis gives no answer: %s", cluster->settings.is_strict ?
	    "bound users are not let in, and sessions end with their leases" :
	    "decisions are this proxy's own from now on");
}

/* Sessions that had to go as Redis has, or has not, said where their users are. */
static void
log_ended(struct cluster *cluster)
{
	uint64_t split = cluster_figure(cluster, CLUSTER_RECONCILED);
	uint64_t all = split + cluster_figure(cluster, CLUSTER_EXPIRED);

	if (all == cluster->told_ended)
		return;
	log_write(LOG_WARNING, "cluster: %" PRIu64 " sessions ended: %s", all - cluster->told_ended,
	    cluster->settings.is_strict ? "their leases ran out, or their users were on another server" :
	    "their users were on another server meanwhile");
	cluster->told_ended = all;
}

static void
become(struct cluster_link *link, bool is_down)
{
	if (atomic_exchange_explicit(&link->is_down, is_down, memory_order_relaxed) == is_down)
		return;
	link->misses = 0;
	/* each loop finds out by itself; one line is enough */
	if (loop_index(link->loop) == LOOP_CONTROL)
		log_change(link->cluster, is_down);
	if (is_down)
		loop_timer_set(link->loop, &link->timer, loop_now(link->loop) + PROBE_MS);
}

static void
note_answer(struct cluster_link *link, bool is_there)
{
	link->misses = is_there ? 0 : link->misses + 1;
	if (!is_there)
		cluster_note(link->cluster, CLUSTER_MISSES, 1);
	if (link->misses >= MISSES_MAX)
		become(link, true);
}

static void
note_trouble(struct cluster *cluster, const char *what, const struct redis_reply *reply, const char *failure)
{
	if (reply == NULL || reply->type == REDIS_ERROR)
		cluster_trouble(&cluster->troubles, what, reply != NULL ? reply->text : slice_of(failure),
		    cluster->prefix);
}

static void
on_probe(struct redis_errand *errand, const struct redis_reply *reply, const char *failure)
{
	struct cluster_link *link = list_entry(errand, struct cluster_link, probe);

	note_trouble(link->cluster, "probe", reply, failure);
	if (reply != NULL && reply->type != REDIS_ERROR)
		become(link, false);
	else
		loop_timer_set(link->loop, &link->timer, loop_now(link->loop) + PROBE_MS / 2 +
		    (int64_t)(random_number() % PROBE_MS));
}

static void
on_time(struct loop_timer *timer)
{
	struct cluster_link *link = loop_owner(timer, struct cluster_link, timer);
	struct slice key = slice_of(link->cluster->probe_key);
	const struct slice words[] = {
		SLICE_LITERAL("EVAL"), SLICE_LITERAL(PROBE), SLICE_LITERAL("1"), key
	};

	link->probe.on_reply = on_probe;
	redis_group_send(link->group, &link->probe, redis_slot(key), words, 4,
	    link->cluster->settings.timeout_ms);
}

static void
end_call(struct cluster_call *call, const struct redis_reply *reply)
{
	list_remove(&call->node);
	call->link = NULL;
	call->on_reply(call, reply);
}

static void send_script(struct cluster_call *call, bool is_whole);

static void
on_reply(struct redis_errand *errand, const struct redis_reply *reply, const char *failure)
{
	struct cluster_call *call = list_entry(errand, struct cluster_call, errand);
	struct cluster_link *link = call->link;

	if (reply != NULL && reply->type == REDIS_ERROR && call->script != NULL && !call->is_whole &&
	    slice_has_prefix(reply->text, "NOSCRIPT")) {
		send_script(call, true);
		return;
	}
	if (reply == NULL || (call->script != NULL && !call->script->only_reads))
		note_answer(link, reply != NULL);
	note_trouble(link->cluster, call->script != NULL ? call->script->name : "a command", reply, failure);
	if (reply != NULL && reply->type == REDIS_ERROR)
		reply = NULL;
	end_call(call, reply);
}

/* The server has it by its digest, but for the first time. */
static void
send_script(struct cluster_call *call, bool is_whole)
{
	const struct cluster_script *script = call->script;
	struct slice text = slice_of(script->text);
	uint8_t digest[DIGEST_SIZE_MAX];
	char sha[SHA_SIZE], keys[4];
	int64_t left = call->until - loop_now(call->link->loop);

	if (digest_both(DIGEST_SHA1, text, slice_of(""), digest))
		for (size_t i = 0; i < digest_size(DIGEST_SHA1); i++)
			snprintf(sha + 2 * i, sizeof(sha) - 2 * i, "%02x", digest[i]);
	else
		is_whole = true;
	call->is_whole = is_whole;
	snprintf(keys, sizeof(keys), "%d", script->keys);
	call->words[0] = slice_of(is_whole ? "EVAL" : "EVALSHA");
	call->words[1] = is_whole ? text : slice_make(sha, sizeof(sha) - 1);
	call->words[2] = slice_of(keys);
	redis_group_send(call->link->group, &call->errand, redis_slot(call->words[3]), call->words,
	    (size_t)call->count + 3, left > 0 ? left : 1);
}

/* False: nobody is asked now. */
static bool
begin(struct cluster *cluster, struct loop *loop, struct cluster_call *call)
{
	struct cluster_link *link = link_of(cluster, loop);

	if (link->group == NULL || atomic_load_explicit(&link->is_down, memory_order_relaxed))
		return false;
	call->link = link;
	call->errand.on_reply = on_reply;
	call->until = loop_now(loop) + cluster->settings.timeout_ms;
	list_init(&call->node);
	list_append(&link->calls, &call->node);
	return true;
}

bool
cluster_run(struct cluster *cluster, struct loop *loop, struct cluster_call *call,
    const struct cluster_script *script, const struct slice *words, int count)
{
	if (!begin(cluster, loop, call))
		return false;
	call->script = script;
	call->count = count;
	memcpy(call->words + 3, words, (size_t)count * sizeof(*words));
	send_script(call, false);
	return true;
}

bool
cluster_send(struct cluster *cluster, struct loop *loop, struct cluster_call *call, unsigned slot,
    const struct slice *words, int count)
{
	if (!begin(cluster, loop, call))
		return false;
	call->script = NULL;
	redis_group_send(call->link->group, &call->errand, slot, words, (size_t)count,
	    cluster->settings.timeout_ms);
	return true;
}

void
cluster_each(struct cluster *cluster, struct loop *loop, redis_group_visit *visit, void *arg)
{
	struct cluster_link *link = link_of(cluster, loop);

	if (link->group != NULL)
		redis_group_each(link->group, visit, arg);
}

void
cluster_cancel(struct cluster_call *call)
{
	if (call->link == NULL)
		return;
	redis_errand_cancel(&call->errand);
	list_remove(&call->node);
	call->link = NULL;
}

static int64_t
redis_now(const struct cluster *cluster)
{
	return loop_now(cluster_control(cluster)) + cluster->ahead_ms;
}

/* What scripts publish cannot be signed: it orders nothing. */
static bool
is_credible(struct cluster *cluster, struct slice *message)
{
	if (cluster->signing == NULL)
		return true;
	if (signing_is_signed(*message))
		return cluster->has_time && signing_open(cluster->signing, message, redis_now(cluster));
	return !slice_has_prefix(*message, "ask\n") && !slice_has_prefix(*message, "answer\n");
}

void
cluster_set_time(struct cluster *cluster, int64_t redis_ms)
{
	cluster->ahead_ms = redis_ms - loop_now(cluster_control(cluster));
	cluster->has_time = true;
}

static void
on_heard(void *owner, struct slice message)
{
	struct cluster *cluster = owner;
	struct slice parts[CLUSTER_PARTS_MAX];
	int count = 0;

	if (!is_credible(cluster, &message)) {
		if (log_is_due(&cluster->silent_until))
			log_write(LOG_WARNING,
			    "cluster: an order is refused, not signed with our secret, or old: "
			    "do all proxies have the same secret_file?");
		return;
	}
	while (message.len > 0 && count < CLUSTER_PARTS_MAX)
		parts[count++] = slice_take(&message, '\n');
	list_each(node, &cluster->ears) {
		struct cluster_ear *ear = list_entry(node, struct cluster_ear, node);

		if (count > 0)
			ear->on_message(ear, parts, count);
	}
}

void
cluster_tell_missed(struct cluster *cluster)
{
	cluster->misses++;
	list_each(node, &cluster->ears) {
		struct cluster_ear *ear = list_entry(node, struct cluster_ear, node);

		ear->on_missed(ear);
	}
}

unsigned
cluster_misses(const struct cluster *cluster)
{
	return cluster->misses;
}

static struct resolver *
resolver_of_hearing(void *owner)
{
	return ((const struct cluster *)owner)->links[0].resolver;
}

static void
on_subscribed(void *owner)
{
	cluster_tell_missed(owner);
}

static void
on_refused(void *owner, struct slice error)
{
	struct cluster *cluster = owner;

	log_write(LOG_ERR,
	    "cluster: Redis does not let us subscribe to %s: what others say comes late, or never",
	    cluster->channel);
	cluster_trouble(&cluster->troubles, "SUBSCRIBE", error, cluster->prefix);
}

static void
on_report(struct loop_timer *timer)
{
	struct cluster *cluster = loop_owner(timer, struct cluster, report);
	struct loop *loop = cluster_control(cluster);

	log_ended(cluster);
	loop_timer_set(loop, timer, loop_now(loop) + REPORT_MS);
}

static void
begin_to_hear(struct cluster *cluster, struct loop *loop)
{
	cluster->hearing = hearing_new(&(struct hearing_settings){ .loop = loop,
		.group = cluster->links[0].group, .channel = cluster->channel, .mark = cluster->incarnation,
		.timeout_ms = cluster->settings.timeout_ms, .resolver = resolver_of_hearing,
		.on_heard = on_heard, .on_subscribed = on_subscribed, .on_refused = on_refused,
		.owner = cluster });
	loop_timer_init(&cluster->report, on_report);
	loop_timer_set(loop, &cluster->report, loop_now(loop) + REPORT_MS);
}

bool
cluster_is_deaf(const struct cluster *cluster)
{
	return cluster->hearing != NULL && hearing_is_refused(cluster->hearing);
}

static struct resolver *
resolver_of_link(void *owner)
{
	return ((const struct cluster_link *)owner)->resolver;
}

void
cluster_join(struct cluster *cluster, struct loop *loop)
{
	struct redis_group_settings settings = cluster->settings.group;
	struct cluster_link *link = link_of(cluster, loop);

	if (settings.url.url.path == NULL)
		link->resolver = resolver_new(loop, &cluster->settings.nameservers);
	settings.redis.resolver = resolver_of_link;
	settings.redis.owner = link;
	link->cluster = cluster;
	link->loop = loop;
	list_init(&link->calls);
	loop_timer_init(&link->timer, on_time);
	link->group = redis_group_new(loop, &settings);
	if (loop_index(loop) == LOOP_CONTROL)
		begin_to_hear(cluster, loop);
}

void
cluster_leave(struct cluster *cluster, struct loop *loop)
{
	struct cluster_link *link = link_of(cluster, loop);

	if (link->group == NULL)
		return;
	atomic_store_explicit(&link->is_down, true, memory_order_relaxed);
	if (loop_index(loop) == LOOP_CONTROL) {
		loop_timer_stop(loop, &cluster->report);
		hearing_free(&cluster->hearing);
	}
	loop_timer_stop(loop, &link->timer);
	while (!list_is_empty(&link->calls)) {
		struct cluster_call *call = list_entry(link->calls.next, struct cluster_call, node);

		redis_errand_cancel(&call->errand);
		end_call(call, NULL);
	}
	redis_group_free(&link->group);
	resolver_free(&link->resolver);
}

static void
on_said(struct cluster_call *call, const struct redis_reply *reply)
{
	(void)reply;
	xfree(call);
}

bool
cluster_say(struct cluster *cluster, const char *const *parts, int count)
{
	struct cluster_call *call;
	struct slice words[] = { SLICE_LITERAL("PUBLISH"), slice_of(cluster->channel), { 0 } };
	struct buf text = { 0 }, signed_text = { 0 };
	bool is_sent;

	if (cluster->signing != NULL && !cluster->has_time)
		return false;
	call = xcalloc(1, sizeof(*call));
	for (int i = 0; i < count; i++)
		buf_printf(&text, "%s%s", i > 0 ? "\n" : "", parts[i]);
	if (cluster->signing != NULL)
		signing_write(cluster->signing, buf_slice(&text), redis_now(cluster), &signed_text);
	words[2] = buf_slice(cluster->signing != NULL ? &signed_text : &text);
	call->on_reply = on_said;
	is_sent = cluster_send(cluster, cluster_control(cluster), call, redis_slot(words[1]), words, 3);
	if (!is_sent)
		xfree(call);
	buf_clear(&text);
	buf_clear(&signed_text);
	return is_sent;
}

void
cluster_listen(struct cluster *cluster, struct cluster_ear *ear)
{
	list_append(&cluster->ears, &ear->node);
}

struct cluster_ear *
cluster_find_ear(const struct cluster *cluster, const char *name)
{
	list_each(node, &cluster->ears) {
		struct cluster_ear *ear = list_entry(node, struct cluster_ear, node);

		if (strcmp(ear->name, name) == 0)
			return ear;
	}
	return NULL;
}
