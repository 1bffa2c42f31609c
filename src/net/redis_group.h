/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redis_group.h: what holds one set of data: a Redis, the one that sentinels
 * name, or a Redis Cluster.  A command goes to the server that has its slot,
 * and after it when that has moved (MOVED, ASK).  Who has what is asked for
 * at the start, from time to time, and whenever a server seems to be the
 * wrong one.  On one loop, never blocking.
 */
#ifndef NET_REDIS_GROUP_H
#define NET_REDIS_GROUP_H

#include "base/buf.h"
#include "base/list.h"
#include "net/redis.h"
#include "net/redis_slot.h"

struct redis_group;
struct redis_node;

struct redis_group_settings {		/* copied, all of it */
	struct redis_group_url url;
	/* Of the servers: as in redis.h, but for its url, on_ready and on_message. */
	struct redis_settings redis;
	const char *sentinel_user, *sentinel_password;		/* NULL: none */
};

/* A command.  Embedded in its owner, zero but for on_reply. */
struct redis_errand {
	/*
	 * Once for each redis_group_send, not before it returns: the reply, which may be an ERROR that the
	 * command itself has earned; or NULL, with `failure` saying why there is none: then it may have been
	 * carried out, or not.  May send, and cancel, but not free the group.
	 */
	void (*on_reply)(struct redis_errand *errand, const struct redis_reply *reply, const char *failure);

	struct redis_group *group;	/* while it waits, as all that follows */
	struct list node;
	struct redis_command command, asking;
	struct redis_node *at;
	struct loop_timer timer;
	int64_t deadline;
	unsigned slot;
	int hops;
	size_t count;
	struct slice *words;
};

/* Begins to connect.  An owner that looks up names lives as long. */
struct redis_group *redis_group_new(struct loop *loop, const struct redis_group_settings *settings);
void redis_group_free(struct redis_group **group);	/* errands that wait get no reply any more */

/* slot: redis_slot of all its keys. */
void redis_group_send(struct redis_group *group, struct redis_errand *errand, unsigned slot,
    const struct slice *words, size_t count, int64_t timeout_ms);
void redis_errand_cancel(struct redis_errand *errand);	/* fine where nothing is awaited */

/*
 * Visits the servers that have data, each once, with one of its slots: for what is to be done at each, such
 * as SCAN; none as long as they are not known.
 */
typedef void redis_group_visit(unsigned slot, const char *name, void *arg);
void redis_group_each(struct redis_group *group, redis_group_visit *visit, void *arg);

/*
 * The settings of a connection of its own to one of the servers that have data, as one that subscribes is;
 * turn chooses which one.  False: none is known.
 */
bool redis_group_any(const struct redis_group *group, unsigned turn, struct redis_settings *settings);
/* Does the one there still have data?  A single server always does. */
bool redis_group_has(const struct redis_group *group, const struct redis_place *place);

#endif
