/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counter.h: numbers by name that threads share and that are gone when their
 * time is up: what was counted of whom, and marks.  Where they are kept is an
 * engine's matter (counter_engine.h), so that every answer may come later.
 */
#ifndef STATE_COUNTER_H
#define STATE_COUNTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/loop.h"

struct counters;
struct counter_engine;

extern const struct counter_engine counter_memory;	/* this process alone */

enum { COUNTER_SPACES_MAX = 4 };

/*
 * Spaces bound their memory apart: who fills one throws nothing out of the others.  limits: about so many
 * counters in each space at most; beyond it a new one takes the place of one that would soon be gone.
 */
struct counters *counters_new(const struct counter_engine *engine, const size_t *limits, int spaces);
/* The same for all proxies of a cluster; see counter_redis.h.  On control's thread. */
struct counter_sharing;
struct counters *counters_new_shared(const struct counter_sharing *sharing, const size_t *limits, int spaces);
void counters_free(struct counters **counters);		/* nobody asks any more */

enum counter_act {
	COUNTER_LOOK,
	COUNTER_ADD,		/* one */
	COUNTER_TAKE,		/* one; the last one: it is gone, and its time is as it was otherwise */
	COUNTER_SET		/* to the value; 0: it is gone */
};

struct counter_wish {
	enum counter_act act;
	int space;
	struct slice name;
	int64_t window_ms;	/* what was added to or set lives so long from now on */
	bool keeps_time;	/* ADD: from the first one on that was added */
	int64_t value;		/* of SET; as an answer the counter's, of SET what it was before; 0: none */
};

/* Wishes of one moment.  Embedded in its owner; what it points to outlives the answer or the cancel. */
struct counter_request {
	struct loop *loop;
	struct counter_wish *wishes;	/* each is done for itself: others may be at it between two */
	int count;
	int64_t now;			/* as loop_now */
	int64_t deadline;		/* likewise: how long to wait for the answer */
	/* Called once, perhaps before counter_ask returns.  false: nobody can say, and all values are 0. */
	void (*on_answer)(struct counter_request *request, bool is_known);

	struct counters *counters;	/* while it waits, as all that follows */
	void *work;			/* the engine's own */
	struct loop_timer timer;
};

void counter_ask(struct counters *counters, struct counter_request *request);
/* No answer will come; fine when none is awaited.  What was done is not undone. */
void counter_cancel(struct counter_request *request);

/* What this process knows of it, at once: for those who cannot wait. */
int64_t counter_look(struct counters *counters, int space, struct slice name, int64_t now);
/* Visits some of a space, as table_walk does; `left_ms` until it is gone.  `visit` asks for no counters. */
typedef void counter_visit(struct slice name, int64_t value, int64_t left_ms, void *arg);
struct counter_walk {
	int space;
	int64_t now;
	counter_visit *visit;
	void *arg;
};
uint64_t counter_walk(struct counters *counters, const struct counter_walk *walk, uint64_t cursor);
size_t counter_count(struct counters *counters, int space);	/* that this process knows of */

#endif
