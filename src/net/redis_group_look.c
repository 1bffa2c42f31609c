/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redis_group_look.c: finds out who has what: a single server has all;
 * sentinels are asked for the master, one after the other; the servers of a
 * cluster, and those of the configuration, for its slots.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "net/redis_group_state.h"

enum {
	LOOK_SENTINEL_MS = 2000, LOOK_CLUSTER_MS = 15000,	/* from time to time */
	LOOK_SOON_MS = 50, LOOK_AGAIN_MS = 500,	/* at most so often; after all were asked in vain */
	LOOK_PATIENCE_MS = 500,			/* at most: there are others to ask */
	NODES_MAX = 1000,
	MAP_BYTES_MAX = 4 * 1024 * 1024, MAP_PARTS_MAX = 400 * 1000	/* of a map, slots in many pieces */
};

static struct redis_node *
find(const struct redis_group *group, const struct redis_place *place, bool is_sentinel)
{
	list_each(at, &group->nodes) {
		struct redis_node *node = list_entry(at, struct redis_node, node);

		if (node->is_sentinel == is_sentinel && node->place.host != NULL &&
		    node->place.port == place->port && strcmp(node->place.host, place->host) == 0)
			return node;
	}
	return NULL;
}

struct redis_node *
redis_group_node(struct redis_group *group, const struct redis_place *place)
{
	struct redis_node *node = find(group, place, false);
	int count = 0;

	if (node != NULL)
		return node;
	list_each(at, &group->nodes)
		count++;
	return count < NODES_MAX ? redis_node_new(group, place, false) : NULL;
}

/* The cluster's own servers first: the configuration may be old. */
static struct redis_node *
next_guide(struct redis_group *group)
{
	const struct redis_group_url *url = &group->settings.url;
	bool is_sentinel = url->kind == REDIS_SENTINEL;
	unsigned known = 0, n;
	struct redis_node *node;

	if (!is_sentinel)
		list_each(at, &group->nodes)
			known++;
	n = group->guides % (known + (unsigned)url->count);
	if (n >= known) {
		const struct redis_place *place = &url->places[n - known];

		node = find(group, place, is_sentinel);
		return node != NULL ? node : redis_node_new(group, place, is_sentinel);
	}
	list_each(at, &group->nodes)
		if (n-- == 0)
			return list_entry(at, struct redis_node, node);
	return NULL;
}

/* Who has no slot any more goes. */
static void
drop_unused(struct redis_group *group)
{
	unsigned slots = redis_group_slots(group);

	list_each(at, &group->nodes)
		list_entry(at, struct redis_node, node)->is_used = false;
	for (unsigned i = 0; i < slots; i++)
		if (group->owners[i] != NULL)
			group->owners[i]->is_used = true;
	list_each(at, &group->nodes) {
		struct redis_node *node = list_entry(at, struct redis_node, node);

		if (!node->is_used && !node->is_sentinel)
			redis_node_drop(node);
	}
}

static bool
read_place(const struct redis_reply *host, const struct redis_reply *port, const struct redis_node *guide,
    struct redis_place *place)
{
	uint64_t number = (uint64_t)port->number;

	if (port->type == REDIS_TEXT && !slice_to_number(port->text, UINT16_MAX, &number))
		return false;
	if ((port->type != REDIS_TEXT && port->type != REDIS_NUMBER) || number == 0 || number > UINT16_MAX)
		return false;
	/* who does not know its own address is where it was asked */
	place->host = host->type == REDIS_TEXT && host->text.len > 0 && !slice_equals(host->text, "?") ?
	    host->text.data : guide->place.host;
	place->port = (uint16_t)number;
	return place->host != NULL;
}

static const char *
take_master(struct redis_group *group, const struct redis_reply *reply)
{
	struct redis_place place;
	struct redis_node *node;

	if (reply->type == REDIS_NIL)
		return "knows no master of this name";
	if (reply->type != REDIS_ARRAY || reply->count != 2 ||
	    !read_place(&reply->elements[0], &reply->elements[1], group->guide, &place))
		return "does not say who is the master";
	node = redis_group_node(group, &place);
	if (node == NULL)
		return "names too many servers";
	group->owners[0] = node;
	if (node->is_wrong)
		redis_node_check(node);
	return NULL;
}

/* [first, last, [host, port, ...], replicas...] */
static bool
take_range(struct redis_group *group, const struct redis_reply *range)
{
	const struct redis_reply *parts = range->elements;
	struct redis_place place;
	struct redis_node *node;

	if (range->type != REDIS_ARRAY || range->count < 3 || parts[0].type != REDIS_NUMBER ||
	    parts[1].type != REDIS_NUMBER || parts[2].type != REDIS_ARRAY || parts[2].count < 2)
		return false;
	if (parts[0].number < 0 || parts[1].number >= REDIS_SLOTS ||
	    !read_place(&parts[2].elements[0], &parts[2].elements[1], group->guide, &place))
		return false;
	node = redis_group_node(group, &place);
	for (int64_t slot = parts[0].number; node != NULL && slot <= parts[1].number; slot++)
		group->owners[slot] = node;
	return node != NULL;
}

static const char *
take_map(struct redis_group *group, const struct redis_reply *reply)
{
	if (reply->type != REDIS_ARRAY || reply->count == 0)
		return "is no part of a cluster";
	for (size_t i = 0; i < reply->count; i++)
		if (!take_range(group, &reply->elements[i]))
			return "does not say which server has what";
	return NULL;
}

static void
look_at(struct redis_group *group, int64_t ms)
{
	loop_timer_set(group->loop, &group->timer, loop_now(group->loop) + ms);
}

static void
tell(struct redis_group *group, const char *failure)
{
	char name[REDIS_WHY_MAX];

	redis_node_name(group->guide, name, sizeof(name));
	/* the connection's own words begin with its name */
	if (failure != NULL && strncmp(failure, name, strlen("redis ")) == 0)
		snprintf(group->why, sizeof(group->why), "%s", failure);
	else if (failure != NULL)
		snprintf(group->why, sizeof(group->why), "%.100s: %.100s", name, failure);
	if (failure == NULL && group->is_told)
		log_write(LOG_INFO, "redis: the servers are found");
	if (failure != NULL && !group->is_told)
		log_write(LOG_WARNING, "%s", group->why);
	group->is_told = failure != NULL;
}

static void
on_look(struct redis_command *command, const struct redis_reply *reply, const char *failure)
{
	struct redis_group *group = list_entry(command, struct redis_group, look);
	bool is_sentinel = group->settings.url.kind == REDIS_SENTINEL;

	if (failure == NULL)
		failure = reply->type == REDIS_ERROR ? "refuses to say who has the data" :
		    is_sentinel ? take_master(group, reply) : take_map(group, reply);
	tell(group, failure);
	group->guide = NULL;
	if (failure != NULL) {
		group->guides++;
		look_at(group, ++group->fruitless % (group->settings.url.count + 1) != 0 ? LOOK_SOON_MS :
		    LOOK_AGAIN_MS);
		return;
	}
	group->fruitless = 0;
	look_at(group, is_sentinel ? LOOK_SENTINEL_MS : LOOK_CLUSTER_MS);
	drop_unused(group);
	redis_group_send_waiting(group);
}

static void
on_time(struct loop_timer *timer)
{
	static const struct slice map[] = { SLICE_LITERAL("CLUSTER"), SLICE_LITERAL("SLOTS") };
	struct redis_group *group = loop_owner(timer, struct redis_group, timer);
	const struct redis_group_url *url = &group->settings.url;
	const struct slice master[] = {
		SLICE_LITERAL("SENTINEL"), SLICE_LITERAL("get-master-addr-by-name"), slice_of(url->master)
	};
	bool is_sentinel = url->kind == REDIS_SENTINEL;
	int64_t timeout_ms = group->settings.redis.timeout_ms;

	group->looked_at = loop_now(group->loop);
	group->guide = next_guide(group);
	redis_send(group->guide->redis, &group->look, is_sentinel ? master : map, is_sentinel ? 3 : 2,
	    timeout_ms < LOOK_PATIENCE_MS ? timeout_ms : LOOK_PATIENCE_MS);
}

void
redis_group_begin_to_look(struct redis_group *group)
{
	struct redis_settings *redis = &group->settings.redis;
	const struct redis_url *url = &group->settings.url.url;

	loop_timer_init(&group->timer, on_time);
	group->look.on_reply = on_look;
	snprintf(group->why, sizeof(group->why), "redis: no server was found in time");
	if (group->settings.url.kind == REDIS_SINGLE) {
		group->owners[0] = redis_node_new(group, url->path == NULL ?
		    &(struct redis_place){ url->host, url->port } : NULL, false);
		return;
	}
	if (redis->bytes_max < MAP_BYTES_MAX)
		redis->bytes_max = MAP_BYTES_MAX;
	if (redis->parts_max < MAP_PARTS_MAX)
		redis->parts_max = MAP_PARTS_MAX;
	look_at(group, 0);
}

void
redis_group_look_soon(struct redis_group *group)
{
	int64_t at = group->looked_at + LOOK_SOON_MS, now = loop_now(group->loop);

	if (group->settings.url.kind == REDIS_SINGLE || group->guide != NULL || group->fruitless > 0)
		return;
	loop_timer_set(group->loop, &group->timer, at > now ? at : now);
}

void
redis_group_each(struct redis_group *group, redis_group_visit *visit, void *arg)
{
	unsigned slots = redis_group_slots(group);
	char name[REDIS_WHY_MAX];

	list_each(at, &group->nodes) {
		struct redis_node *node = list_entry(at, struct redis_node, node);
		unsigned slot = 0;

		while (slot < slots && group->owners[slot] != node)
			slot++;
		if (slot == slots)
			continue;
		redis_node_name(node, name, sizeof(name));
		visit(slot, name, arg);
	}
}

static bool
has_data(const struct redis_group *group, const struct redis_node *node)
{
	unsigned slots = redis_group_slots(group), slot = 0;

	while (slot < slots && group->owners[slot] != node)
		slot++;
	return slot < slots && !node->is_wrong;
}

bool
redis_group_any(const struct redis_group *group, unsigned turn, struct redis_settings *settings)
{
	unsigned count = 0;

	if (group->settings.url.kind == REDIS_SINGLE) {
		redis_node_settings(group, NULL, false, settings);
		return true;
	}
	list_each(at, &group->nodes)
		count += has_data(group, list_entry(at, struct redis_node, node));
	turn = count > 0 ? turn % count : 0;
	list_each(at, &group->nodes) {
		const struct redis_node *node = list_entry(at, struct redis_node, node);

		if (!has_data(group, node) || turn-- > 0)
			continue;
		redis_node_settings(group, &node->place, false, settings);
		return true;
	}
	return false;
}

bool
redis_group_has(const struct redis_group *group, const struct redis_place *place)
{
	const struct redis_node *node;

	if (group->settings.url.kind == REDIS_SINGLE)
		return true;
	node = find(group, place, false);
	return node != NULL && has_data(group, node);
}
