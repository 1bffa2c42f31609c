/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster_hearing.h: the subscription to a channel, at one of the servers
 * that have the data.  It goes elsewhere when that one has the data no more,
 * when it gives no answer, and when what is published is not heard there: it
 * may have been failed over, or be cut off from the others.
 */
#ifndef STATE_CLUSTER_HEARING_H
#define STATE_CLUSTER_HEARING_H

#include "net/redis_group.h"

struct hearing;

struct hearing_settings {		/* copied; what it points to outlives the hearing */
	struct loop *loop;
	struct redis_group *group;
	const char *channel;
	const char *mark;		/* nobody else has it */
	int64_t timeout_ms;
	struct resolver *(*resolver)(void *owner);
	void (*on_heard)(void *owner, struct slice message);
	/* It is subscribed: what was said before may have been missed. */
	void (*on_subscribed)(void *owner);
	/* Redis refuses us, with this error; once until it does not. */
	void (*on_refused)(void *owner, struct slice error);
	void *owner;
};

struct hearing *hearing_new(const struct hearing_settings *settings);
void hearing_free(struct hearing **hearing);
bool hearing_is_refused(const struct hearing *hearing);

#endif
