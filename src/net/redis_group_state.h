/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_group_state.h: what redis_group.c (errands) and redis_group_look.c (who has what) share. */
#ifndef NET_REDIS_GROUP_STATE_H
#define NET_REDIS_GROUP_STATE_H

#include "net/redis_group.h"

enum { REDIS_WHY_MAX = 256 };

struct redis_node {
	struct redis_command role;	/* first: see on_role */
	struct list node;		/* in nodes */
	struct redis_group *group;	/* NULL: it is to go */
	struct redis_place place;	/* without host: the unix socket */
	struct redis *redis;
	bool is_sentinel;
	bool is_wrong;			/* a replica, though it was named */
	bool is_used;			/* while it is found out: some slot is its own */
};

struct redis_group {
	struct loop *loop;
	struct redis_group_settings settings;
	struct list nodes;
	struct redis_node **owners;	/* of CLUSTER for each slot, else one; NULL: not known */
	struct list sent, waiting;	/* struct redis_errand: to a server, for one to be known */
	char why[REDIS_WHY_MAX];	/* the latest one was not found */

	struct redis_command look;
	struct redis_node *guide;	/* who is asked now; NULL: nobody */
	struct loop_timer timer;	/* when to look again */
	int64_t looked_at;
	unsigned guides;		/* so many were asked; the next one is another */
	unsigned fruitless;		/* in a row */
	bool is_told;			/* that nobody is found */
};

/* The connection begins; place NULL: of the settings' url. */
struct redis_node *redis_node_new(struct redis_group *group, const struct redis_place *place,
    bool is_sentinel);
void redis_node_check(struct redis_node *node);	/* asks whether it is a master */
/* Its errands fail; it is freed a little later. */
void redis_node_drop(struct redis_node *node);
void redis_node_settings(const struct redis_group *group, const struct redis_place *place, bool is_sentinel,
    struct redis_settings *settings);
/* The server that is there, known before or not; NULL: there are too many. */
struct redis_node *redis_group_node(struct redis_group *group, const struct redis_place *place);

/* "redis host:port" */
void redis_node_name(const struct redis_node *node, char *out, size_t size);
unsigned redis_group_slots(const struct redis_group *group);	/* how many owners there are */

void redis_group_begin_to_look(struct redis_group *group);
/* A server seems to be the wrong one, or is missing: asks who it is, but not all the time. */
void redis_group_look_soon(struct redis_group *group);
/* Servers have been found: errands that waited go to them. */
void redis_group_send_waiting(struct redis_group *group);

#endif
