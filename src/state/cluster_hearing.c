/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_hearing.c: from time to time it says something itself, and waits to hear that. */
#include "state/cluster_hearing.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

enum {
	TURN_MS = 1000,
	ECHO_MS = 5000, ECHO_PATIENCE_MS = 2000,	/* from one to the next; from said to heard */
	ECHO_SIZE = 64
};

struct hearing {
	struct hearing_settings settings;
	struct redis *redis;
	char *host;			/* where it is; NULL: a unix socket */
	uint16_t port;
	unsigned turn;			/* which one of the servers is next */
	struct redis_command subscribe, ping;
	struct redis_errand echo;
	struct loop_timer timer;
	char said[ECHO_SIZE];
	int64_t said_at, heard_until;	/* the latest echo; and until when it is awaited, 0: it is not */
	bool is_subscribed, is_refused, is_deaf;
};

static void
on_message(void *owner, struct slice channel, struct slice payload)
{
	struct hearing *hearing = owner;

	(void)channel;
	if (slice_equals(payload, hearing->said))
		hearing->heard_until = 0;
	if (!slice_has_prefix(payload, "echo\n"))
		hearing->settings.on_heard(hearing->settings.owner, payload);
}

static void
note_refused(struct hearing *hearing, struct slice error)
{
	bool is_new = !hearing->is_refused;

	hearing->is_refused = true;
	if (is_new)
		hearing->settings.on_refused(hearing->settings.owner, error);
}

static void
on_subscribed(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct hearing *hearing = list_entry(command, struct hearing, subscribe);

	(void)failure;
	hearing->is_subscribed = reply != NULL && reply->type == REDIS_ARRAY;
	if (reply != NULL && reply->type == REDIS_ERROR)
		note_refused(hearing, reply->text);
	if (!hearing->is_subscribed)
		return;
	hearing->is_refused = false;
	hearing->heard_until = 0;
	hearing->settings.on_subscribed(hearing->settings.owner);
}

static void
subscribe(void *owner)
{
	struct hearing *hearing = owner;
	const struct slice words[] = { SLICE_LITERAL("SUBSCRIBE"), slice_of(hearing->settings.channel) };

	hearing->is_subscribed = false;
	redis_cancel(&hearing->subscribe);
	redis_send(hearing->redis, &hearing->subscribe, words, 2, hearing->settings.timeout_ms);
}

static void
on_pong(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct hearing *hearing = list_entry(command, struct hearing, ping);

	(void)failure;
	hearing->is_deaf = reply == NULL || reply->type == REDIS_ERROR;
}

static void
on_said(struct redis_errand *errand, const struct redis_reply *reply, const char *failure)
{
	struct hearing *hearing = list_entry(errand, struct hearing, echo);

	(void)failure;
	/* nobody has heard what was not said */
	if (reply == NULL || reply->type != REDIS_NUMBER)
		hearing->heard_until = 0;
}

static void
say_echo(struct hearing *hearing, int64_t now)
{
	const struct hearing_settings *settings = &hearing->settings;
	const struct slice channel = slice_of(settings->channel);

	snprintf(hearing->said, sizeof(hearing->said), "echo\n%s\n%lld", settings->mark, (long long)now);
	hearing->said_at = now;
	hearing->heard_until = now + settings->timeout_ms + ECHO_PATIENCE_MS;
	redis_errand_cancel(&hearing->echo);
	redis_group_send(settings->group, &hearing->echo, redis_slot(channel), (const struct slice[]){
		SLICE_LITERAL("PUBLISH"), channel, slice_of(hearing->said) }, 3, settings->timeout_ms);
}

static struct resolver *
resolver_of(void *owner)
{
	const struct hearing_settings *settings = &((const struct hearing *)owner)->settings;

	return settings->resolver(settings->owner);
}

static void
leave(struct hearing *hearing)
{
	redis_free(&hearing->redis);
	xfree(hearing->host);
	hearing->host = NULL;
	hearing->is_subscribed = false;
}

static void
go(struct hearing *hearing)
{
	struct redis_settings redis;

	if (!redis_group_any(hearing->settings.group, hearing->turn, &redis))
		return;
	redis.resolver = resolver_of;
	redis.owner = hearing;
	redis.on_ready = subscribe;
	redis.on_message = on_message;
	hearing->host = redis.url.host != NULL ? xstrdup(redis.url.host) : NULL;
	hearing->port = redis.url.port;
	hearing->is_deaf = false;
	hearing->heard_until = 0;
	hearing->redis = redis_new(hearing->settings.loop, &redis);
}

static bool
has_another(const struct hearing *hearing)
{
	struct redis_settings next;

	return hearing->host != NULL && redis_group_any(hearing->settings.group, hearing->turn + 1, &next) &&
	    (next.url.port != hearing->port || strcmp(next.url.host, hearing->host) != 0);
}

/* To the only server there is the connection comes back by itself. */
static bool
is_in_vain(const struct hearing *hearing, int64_t now)
{
	return (hearing->is_deaf && has_another(hearing)) ||
	    (hearing->heard_until != 0 && now > hearing->heard_until);
}

static void
on_time(struct loop_timer *timer)
{
	static const struct slice ping[] = { SLICE_LITERAL("PING") };
	struct hearing *hearing = loop_owner(timer, struct hearing, timer);
	const struct hearing_settings *settings = &hearing->settings;
	int64_t now = loop_now(settings->loop);

	if (hearing->redis != NULL && is_in_vain(hearing, now)) {
		hearing->turn++;
		leave(hearing);
	} else if (hearing->redis != NULL &&
	    !redis_group_has(settings->group, &(struct redis_place){ hearing->host, hearing->port })) {
		leave(hearing);
	}
	if (hearing->redis == NULL) {
		go(hearing);
	} else {
		if (hearing->ping.call == NULL)
			redis_send(hearing->redis, &hearing->ping, ping, 1, settings->timeout_ms);
		if (hearing->is_refused && hearing->subscribe.call == NULL)
			subscribe(hearing);
		if (hearing->is_subscribed && now - hearing->said_at >= ECHO_MS)
			say_echo(hearing, now);
	}
	loop_timer_set(settings->loop, timer, now + TURN_MS);
}

struct hearing *
hearing_new(const struct hearing_settings *settings)
{
	struct hearing *hearing = xcalloc(1, sizeof(*hearing));

	hearing->settings = *settings;
	hearing->subscribe.on_reply = on_subscribed;
	hearing->ping.on_reply = on_pong;
	hearing->echo.on_reply = on_said;
	hearing->said_at = loop_now(settings->loop);
	loop_timer_init(&hearing->timer, on_time);
	loop_timer_set(settings->loop, &hearing->timer, loop_now(settings->loop));
	return hearing;
}

void
hearing_free(struct hearing **hearing)
{
	struct hearing *gone = *hearing;

	*hearing = NULL;
	if (gone == NULL)
		return;
	loop_timer_stop(gone->settings.loop, &gone->timer);
	redis_errand_cancel(&gone->echo);
	leave(gone);
	xfree(gone);
}

bool
hearing_is_refused(const struct hearing *hearing)
{
	return hearing->is_refused;
}
