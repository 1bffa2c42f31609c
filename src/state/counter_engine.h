/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counter_engine.h: what keeps counters: for engines, and for counter.c,
 * which has what they have in common: the deadline of a request, cancelling.
 */
#ifndef STATE_COUNTER_ENGINE_H
#define STATE_COUNTER_ENGINE_H

#include "state/counter.h"

/* A place to keep counters: one file, and one constant named as it. */
struct counter_engine {
	const char *name;
	void *(*start)(const size_t *limits, int spaces);	/* its store */
	void (*stop)(void *store);
	/* Ends in counter_answer, now or (it called counter_wait then) later on the request's loop. */
	void (*ask)(struct counter_request *request, void *store);
	/* After counter_wait: it will not answer. */
	void (*cancel)(struct counter_request *request, void *store);
	int64_t (*look)(void *store, int space, struct slice name, int64_t now);
	uint64_t (*walk)(void *store, const struct counter_walk *walk, uint64_t cursor);
	size_t (*count)(void *store, int space);
};

/* The answer is not there yet; without one by the deadline the request is cancelled, and nobody can say. */
void counter_wait(struct counter_request *request);
/* The request may be gone when this returns. */
void counter_answer(struct counter_request *request, bool is_known);

/* Of counter_memory's store, for an engine that has one: a wish is done; how long its counter lives, or 0. */
void counter_memory_do(void *store, struct counter_wish *wish, int64_t now);
int64_t counter_memory_left(void *store, const struct counter_wish *wish, int64_t now);

#endif
