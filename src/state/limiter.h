/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limiter.h: how often something may be done in a time, and by how many at
 * once, by name.  Rates are a sliding window (the generic cell rate
 * algorithm): exact under any concurrency, one number a name, gone by itself.
 * From any thread; a few instructions under a shard's lock.
 */
#ifndef STATE_LIMITER_H
#define STATE_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct limiter;

/* About so many rates at most are kept, about 100 octets each: beyond it those that soon would be gone go. */
struct limiter *limiter_new(size_t rates_max);
void limiter_free(struct limiter **limiter);		/* nobody asks any more */

struct limiter_rate {
	int64_t limit;			/* so many may come at once; 0: no limit */
	int64_t unit_ms;		/* in which as many more may come, evenly */
};

/*
 * One more.  now: monotonic ms.  False: one too many, which counts for nothing.  A rate that was another one
 * before holds at once: nobody waits for longer than a unit of it.
 */
bool limiter_take(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now);
/* Would the next one be too many? */
bool limiter_is_spent(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now);

/* One more is there, unless `limit` are; 0: no limit.  Who has entered leaves, once. */
bool limiter_enter(struct limiter *limiter, struct slice name, int64_t limit);
void limiter_leave(struct limiter *limiter, struct slice name);
int64_t limiter_present(struct limiter *limiter, struct slice name);

/* How much of the limit is used up now. */
int64_t limiter_used(struct limiter *limiter, struct slice name, struct limiter_rate rate, int64_t now);
void limiter_forget(struct limiter *limiter, struct slice name);	/* of a rate: all of it is free */

enum limiter_kind { LIMITER_RATES, LIMITER_PRESENT };
/* How many names are kept, and how many may be; 0: as many as there are sessions. */
size_t limiter_count(struct limiter *limiter, enum limiter_kind kind);
size_t limiter_max(const struct limiter *limiter, enum limiter_kind kind);
/* Visits some names, as table_walk does; `visit` asks for nothing of the limiter. */
typedef void limiter_visit(struct slice name, void *arg);
struct limiter_walk {
	enum limiter_kind kind;
	int64_t now;
	limiter_visit *visit;
	void *arg;
};
uint64_t limiter_walk(struct limiter *limiter, const struct limiter_walk *walk, uint64_t cursor);

#endif
