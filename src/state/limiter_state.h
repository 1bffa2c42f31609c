/* SPDX-License-Identifier: BSD-2-Clause */
/* limiter_state.h: a limiter from the inside, for limiter.c, and limiter_redis.c, which tells others. */
#ifndef STATE_LIMITER_STATE_H
#define STATE_LIMITER_STATE_H

#include <stdatomic.h>

#include "state/cluster.h"
#include "state/limiter.h"
#include "state/table.h"

enum { LIMITER_NS_A_MS = 1000000 };

struct limiter_due {			/* a rate's */
	int64_t ns;			/* as the clock: all that was taken would have come evenly */
	struct limiter_rate rate;	/* the latest */
	int untold;			/* taken since others were told */
	bool is_listed;
};

struct limiter_present {
	int64_t count, limit;		/* here; and the latest limit */
	int64_t told, others;		/* told: 0 where others know nothing of it */
	int64_t told_at;
	bool is_listed;			/* or under way */
};

struct limiter_sharing;

struct limiter {
	size_t rates_max;
	struct table *rates;		/* struct limiter_due */
	struct table *present;		/* struct limiter_present */
	struct limiter_sharing *sharing;	/* NULL: it is not shared */
	atomic_bool is_heard;		/* what others have counts */
	atomic_int proxies;		/* all of them */
};

/* So many of a limit are told. */
int64_t limiter_share_of(const struct limiter *limiter, int64_t limit);
/* It is to be told, soon; who has listed it has marked it so. */
void limiter_list(struct limiter *limiter, enum limiter_kind kind, struct slice name);

/* KEYS: dues.  ARGV: records, how many at most.  Answers how long (us) each is due. */
extern const struct cluster_script limiter_script_rates;
/* KEYS: counts, times.  ARGV: INC, lease ms, records.  Answers how many others have of each. */
extern const struct cluster_script limiter_script_present;

#endif
