/* SPDX-License-Identifier: BSD-2-Clause */
/* counter.c: requests, whichever engine keeps the counters. */
#include "state/counter.h"

#include <assert.h>

#include "base/xalloc.h"
#include "state/counter_engine.h"
#include "state/counter_redis.h"

struct counters {
	const struct counter_engine *engine;
	void *store;
};

struct counters *
counters_new(const struct counter_engine *engine, const size_t *limits, int spaces)
{
	struct counters *counters = xcalloc(1, sizeof(*counters));

	assert(spaces <= COUNTER_SPACES_MAX);
	counters->engine = engine;
	counters->store = engine->start(limits, spaces);
	return counters;
}

struct counters *
counters_new_shared(const struct counter_sharing *sharing, const size_t *limits, int spaces)
{
	struct counters *counters = xcalloc(1, sizeof(*counters));

	assert(spaces <= COUNTER_SPACES_MAX);
	counters->engine = &counter_redis;
	counters->store = counter_redis_start(sharing, limits, spaces);
	return counters;
}

void
counters_free(struct counters **counters)
{
	struct counters *c = *counters;

	*counters = NULL;
	if (c == NULL)
		return;
	c->engine->stop(c->store);
	xfree(c);
}

void
counter_answer(struct counter_request *request, bool is_known)
{
	loop_timer_stop(request->loop, &request->timer);
	request->counters = NULL;
	for (int i = 0; i < request->count && !is_known; i++)
		request->wishes[i].value = 0;
	request->on_answer(request, is_known);
}

static void
on_deadline(struct loop_timer *timer)
{
	struct counter_request *request = loop_owner(timer, struct counter_request, timer);

	request->counters->engine->cancel(request, request->counters->store);
	counter_answer(request, false);
}

void
counter_wait(struct counter_request *request)
{
	loop_timer_set(request->loop, &request->timer, request->deadline);
}

void
counter_ask(struct counters *counters, struct counter_request *request)
{
	request->counters = counters;
	request->work = NULL;
	loop_timer_init(&request->timer, on_deadline);
	counters->engine->ask(request, counters->store);
}

void
counter_cancel(struct counter_request *request)
{
	struct counters *counters = request->counters;

	request->counters = NULL;
	if (counters == NULL)
		return;
	counters->engine->cancel(request, counters->store);
	loop_timer_stop(request->loop, &request->timer);
}

int64_t
counter_look(struct counters *counters, int space, struct slice name, int64_t now)
{
	return counters->engine->look(counters->store, space, name, now);
}

size_t
counter_count(struct counters *counters, int space)
{
	return counters->engine->count(counters->store, space);
}

uint64_t
counter_walk(struct counters *counters, const struct counter_walk *walk, uint64_t cursor)
{
	return counters->engine->walk(counters->store, walk, cursor);
}
