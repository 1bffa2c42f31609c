/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counter_redis.h: counters that the proxies of a cluster share.  Every
 * question is answered at once, by what this process knows; what is counted
 * goes to Redis several times a second, which adds it up, and tells all.  So a
 * login costs no round trip, and what others have counted is less than a
 * second old.  While Redis is away each proxy counts for itself.
 */
#ifndef STATE_COUNTER_REDIS_H
#define STATE_COUNTER_REDIS_H

#include "state/cluster.h"
#include "state/counter_engine.h"

enum {
	COUNTER_TELL_MS = 200,
	COUNTER_BATCH = 100,		/* names in one script */
	COUNTER_UNTOLD_MAX = 8192	/* names; others stay this proxy's own */
};

struct counter_sharing {
	struct cluster *cluster;	/* joined; the counters go before it, or after it has left */
	const char *name;		/* a constant; the same at all proxies, as are the counters' own */
	unsigned spaces;		/* a bit for each one that is shared */
};

extern const struct counter_engine counter_redis;
/* On control's thread. */
void *counter_redis_start(const struct counter_sharing *sharing, const size_t *limits, int spaces);

/* KEYS: values, times.  ARGV: INC, channel, name, space, how many at most, records. */
extern const struct cluster_script counter_script_tell;
/* KEYS: values, times.  ARGV: the first one's number. */
extern const struct cluster_script counter_script_page;

#endif
