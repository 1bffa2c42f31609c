/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_group.c: errands, and the servers they go to; who has what is found by redis_group_look.c. */
#include "net/redis_group.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/xalloc.h"
#include "net/redis_group_state.h"

enum {
	HOPS_MAX = 5,			/* how often one errand is sent on */
	HOST_SIZE = 256
};

/* A server that says one of these is not the one to ask, or cannot do anything now. */
static const char *const unable[] = {
	"READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "UNKILLABLE", "NOREPLICAS",
	"MISCONF", "OOM", "NOPERM", "NOAUTH"
};

static char *
copy(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

void
redis_node_name(const struct redis_node *node, char *out, size_t size)
{
	if (node->place.host != NULL)
		snprintf(out, size, "redis %s:%u", node->place.host, node->place.port);
	else
		snprintf(out, size, "redis unix:%s", node->group->settings.url.url.path);
}

unsigned
redis_group_slots(const struct redis_group *group)
{
	return group->settings.url.kind == REDIS_CLUSTER ? REDIS_SLOTS : 1;
}

static struct resolver *
resolver_of(void *owner)
{
	const struct redis_node *node = owner;
	const struct redis_settings *redis = &node->group->settings.redis;

	return redis->resolver != NULL ? redis->resolver(redis->owner) : NULL;
}

static void
on_role(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct redis_node *node = (struct redis_node *)(void *)command;

	if (failure != NULL || node->group == NULL)
		return;
	node->is_wrong = reply->type != REDIS_ARRAY || reply->count == 0 ||
	    !slice_equals(reply->elements[0].text, "master");
	if (node->is_wrong)
		redis_group_look_soon(node->group);
}

void
redis_node_check(struct redis_node *node)
{
	static const struct slice words[] = { SLICE_LITERAL("ROLE") };

	redis_cancel(&node->role);
	redis_send(node->redis, &node->role, words, 1, node->group->settings.redis.timeout_ms);
}

/* A sentinel may not know yet, or a server may have come back as a replica: what it answers would be old. */
static void
on_ready(void *owner)
{
	struct redis_node *node = owner;

	if (node->group != NULL && node->group->settings.url.kind == REDIS_SENTINEL && !node->is_sentinel)
		redis_node_check(node);
}

void
redis_node_settings(const struct redis_group *group, const struct redis_place *place, bool is_sentinel,
    struct redis_settings *settings)
{
	*settings = group->settings.redis;
	settings->url = group->settings.url.url;
	settings->on_ready = NULL;
	settings->on_message = NULL;
	if (place == NULL)
		return;
	settings->url.host = place->host;
	settings->url.port = place->port;
	if (!is_sentinel)
		return;
	settings->url.user = settings->url.password = NULL;
	settings->url.database = 0;
	settings->user = group->settings.sentinel_user;
	settings->password = group->settings.sentinel_password;
}

struct redis_node *
redis_node_new(struct redis_group *group, const struct redis_place *place, bool is_sentinel)
{
	struct redis_node *node = xcalloc(1, sizeof(*node));
	struct redis_settings settings;

	node->role.on_reply = on_role;
	node->group = group;
	node->is_sentinel = is_sentinel;
	if (place != NULL)
		node->place = (struct redis_place){ copy(place->host), place->port };
	redis_node_settings(group, place, is_sentinel, &settings);
	settings.resolver = resolver_of;
	settings.owner = node;
	settings.on_ready = on_ready;
	list_append(&group->nodes, &node->node);
	/* it connects at once, but is not ready before this returns */
	node->redis = redis_new(group->loop, &settings);
	return node;
}

static void
node_free(void *arg)
{
	struct redis_node *node = arg;

	redis_free(&node->redis);
	xfree((char *)node->place.host);
	xfree(node);
}

static void
finish(struct redis_errand *errand, const struct redis_reply *reply, const char *failure)
{
	redis_errand_cancel(errand);
	errand->on_reply(errand, reply, failure);
}

static void
fail_all(struct redis_group *group, const struct redis_node *node, const char *why)
{
	struct list failing;

	list_init(&failing);
	list_each(at, &group->sent) {
		if (list_entry(at, struct redis_errand, node)->at != node)
			continue;
		list_remove(at);
		list_append(&failing, at);
	}
	while (!list_is_empty(&failing))
		finish(list_entry(failing.next, struct redis_errand, node), NULL, why);
}

void
redis_node_drop(struct redis_node *node)
{
	struct redis_group *group = node->group;

	list_remove(&node->node);
	node->group = NULL;
	/* it may be this server's reply that says so */
	loop_defer(group->loop, node_free, node);
	fail_all(group, node, "redis: another server has the data now");
}

static void
put(struct redis_errand *errand, struct list *list)
{
	list_remove(&errand->node);
	list_append(list, &errand->node);
}

static void
go(struct redis_errand *errand, struct redis_node *node)
{
	int64_t left = errand->deadline - loop_now(errand->group->loop);

	put(errand, &errand->group->sent);
	loop_timer_stop(errand->group->loop, &errand->timer);
	errand->at = node;
	redis_send(node->redis, &errand->command, errand->words, errand->count, left > 0 ? left : 1);
}

static void
dispatch(struct redis_errand *errand)
{
	struct redis_group *group = errand->group;
	struct redis_node *node = group->owners[errand->slot % redis_group_slots(group)];

	if (node != NULL) {
		go(errand, node);
		return;
	}
	put(errand, &group->waiting);
	loop_timer_set(group->loop, &errand->timer, errand->deadline);
	redis_group_look_soon(group);
}

void
redis_group_send_waiting(struct redis_group *group)
{
	struct list waiting;

	list_init(&waiting);
	list_each(node, &group->waiting)
		put(list_entry(node, struct redis_errand, node), &waiting);
	list_each(node, &waiting)
		dispatch(list_entry(node, struct redis_errand, node));
}

static void
on_late(struct loop_timer *timer)
{
	struct redis_errand *errand = loop_owner(timer, struct redis_errand, timer);

	finish(errand, NULL, errand->group->why);
}

static void
on_asked(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	(void)command;
	(void)reply;
	(void)failure;
}

/* "MOVED 3999 127.0.0.1:6381", "ASK 3999 [::1]:6381"; without a host it is the one that says so. */
static bool
read_redirect(struct slice text, const struct redis_node *said, struct redis_place *place,
    char host[HOST_SIZE])
{
	const char *colon;
	struct slice name;
	uint64_t port;

	slice_take(&text, ' ');
	slice_take(&text, ' ');
	colon = text.len > 0 ? memrchr(text.data, ':', text.len) : NULL;
	if (colon == NULL)
		return false;
	name = slice_make(text.data, (size_t)(colon - text.data));
	if (!slice_to_number(slice_from(text, name.len + 1), UINT16_MAX, &port))
		return false;
	if (name.len > 1 && *name.data == '[' && name.data[name.len - 1] == ']')
		name = slice_make(name.data + 1, name.len - 2);
	if (name.len == 0 && said->place.host != NULL)
		name = slice_of(said->place.host);
	if (name.len == 0 || name.len >= HOST_SIZE || port == 0)
		return false;
	snprintf(host, HOST_SIZE, "%.*s", SLICE_ARGS(name));
	*place = (struct redis_place){ host, (uint16_t)port };
	return true;
}

/* True: the errand is on its way to another server, or has failed. */
static bool
follow(struct redis_errand *errand, struct slice text)
{
	static const struct slice asking[] = { SLICE_LITERAL("ASKING") };
	struct redis_group *group = errand->group;
	bool is_moved = slice_has_prefix(text, "MOVED ");
	struct redis_place place;
	struct redis_node *node;
	char host[HOST_SIZE];

	if (group->settings.url.kind != REDIS_CLUSTER || (!is_moved && !slice_has_prefix(text, "ASK ")))
		return false;
	node = read_redirect(text, errand->at, &place, host) ? redis_group_node(group, &place) : NULL;
	if (node == NULL || ++errand->hops > HOPS_MAX) {
		finish(errand, NULL, "redis: sent from server to server");
		return true;
	}
	if (is_moved) {
		group->owners[errand->slot] = node;
		redis_group_look_soon(group);
	} else {
		redis_cancel(&errand->asking);
		redis_send(node->redis, &errand->asking, asking, 1, group->settings.redis.timeout_ms);
	}
	go(errand, node);
	return true;
}

/* Redis 6 puts its own words before what a command in a script was answered, and a dash. */
static bool
is_error_in_script(struct slice text, const char *kind)
{
	const char *found = slice_has_prefix(text, "ERR Error running script") ?
	    memmem(text.data, text.len, kind, strlen(kind)) : NULL;

	return found != NULL && found[-1] == '-';
}

static bool
is_unable(const struct redis_reply *reply)
{
	if (reply->type != REDIS_ERROR)
		return false;
	for (size_t i = 0; i < sizeof(unable) / sizeof(unable[0]); i++)
		if (slice_has_prefix(reply->text, unable[i]) || is_error_in_script(reply->text, unable[i]))
			return true;
	return false;
}

static void
on_reply(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct redis_errand *errand = list_entry(command, struct redis_errand, command);
	struct redis_group *group = errand->group;
	char why[REDIS_WHY_MAX];

	if (reply != NULL && reply->type == REDIS_ERROR && follow(errand, reply->text))
		return;
	if (reply != NULL && (errand->at->is_wrong || is_unable(reply))) {
		struct slice said = errand->at->is_wrong ? slice_of("is a replica") : reply->text;

		redis_node_name(errand->at, why, sizeof(why));
		snprintf(why + strlen(why), sizeof(why) - strlen(why), ": %.*s", SLICE_ARGS(said));
		failure = why;
		reply = NULL;
	}
	if (failure != NULL)
		redis_group_look_soon(group);
	finish(errand, reply, failure);
}

void
redis_group_send(struct redis_group *group, struct redis_errand *errand, unsigned slot,
    const struct slice *words, size_t count, int64_t timeout_ms)
{
	size_t bytes = count * sizeof(*words);
	char *text;

	for (size_t i = 0; i < count; i++)
		bytes += words[i].len;
	errand->group = group;
	errand->slot = slot;
	errand->hops = 0;
	errand->deadline = loop_now(group->loop) + timeout_ms;
	errand->command.on_reply = on_reply;
	errand->asking.on_reply = on_asked;
	loop_timer_init(&errand->timer, on_late);
	list_init(&errand->node);
	errand->count = count;
	errand->words = xmalloc(bytes);
	text = (char *)(errand->words + count);
	for (size_t i = 0; i < count; i++) {
		errand->words[i] = slice_make(text, words[i].len);
		if (words[i].len > 0)
			memcpy(text, words[i].data, words[i].len);
		text += words[i].len;
	}
	dispatch(errand);
}

void
redis_errand_cancel(struct redis_errand *errand)
{
	if (errand->group == NULL)
		return;
	loop_timer_stop(errand->group->loop, &errand->timer);
	redis_cancel(&errand->command);
	redis_cancel(&errand->asking);
	list_remove(&errand->node);
	xfree(errand->words);
	errand->words = NULL;
	errand->group = NULL;
}

static void
take_settings(struct redis_group *group, const struct redis_group_settings *settings)
{
	struct redis_group_settings *own = &group->settings;
	const struct redis_url *url = &settings->url.url;

	*own = *settings;
	own->url.places = xcalloc(settings->url.count + 1, sizeof(*own->url.places));
	for (size_t i = 0; i < settings->url.count; i++)
		own->url.places[i] = (struct redis_place){ copy(settings->url.places[i].host),
			settings->url.places[i].port };
	own->url.master = copy(settings->url.master);
	own->url.url.host = copy(url->host);
	own->url.url.path = copy(url->path);
	own->redis.user = copy(settings->redis.user != NULL ? settings->redis.user : url->user);
	own->redis.password =
	    copy(settings->redis.password != NULL ? settings->redis.password : url->password);
	own->url.url.user = own->url.url.password = NULL;
	own->sentinel_user = copy(settings->sentinel_user);
	own->sentinel_password = copy(settings->sentinel_password);
}

static void
clear_settings(struct redis_group_settings *own)
{
	for (size_t i = 0; i < own->url.count; i++)
		xfree((char *)own->url.places[i].host);
	xfree(own->url.places);
	xfree((char *)own->url.master);
	xfree((char *)own->url.url.host);
	xfree((char *)own->url.url.path);
	xfree((char *)own->redis.user);
	secret_free((char **)&own->redis.password);
	xfree((char *)own->sentinel_user);
	secret_free((char **)&own->sentinel_password);
}

struct redis_group *
redis_group_new(struct loop *loop, const struct redis_group_settings *settings)
{
	struct redis_group *group = xcalloc(1, sizeof(*group));

	group->loop = loop;
	list_init(&group->nodes);
	list_init(&group->sent);
	list_init(&group->waiting);
	take_settings(group, settings);
	group->owners = xcalloc(redis_group_slots(group), sizeof(*group->owners));
	redis_group_begin_to_look(group);
	return group;
}

void
redis_group_free(struct redis_group **group)
{
	struct redis_group *gone = *group;

	*group = NULL;
	if (gone == NULL)
		return;
	redis_cancel(&gone->look);
	loop_timer_stop(gone->loop, &gone->timer);
	list_each(node, &gone->sent)
		redis_errand_cancel(list_entry(node, struct redis_errand, node));
	list_each(node, &gone->waiting)
		redis_errand_cancel(list_entry(node, struct redis_errand, node));
	list_each(node, &gone->nodes) {
		list_remove(node);
		node_free(list_entry(node, struct redis_node, node));
	}
	xfree(gone->owners);
	clear_settings(&gone->settings);
	xfree(gone);
}
