/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_engine.h: what keeps the bindings of a farm: for engines, and for
 * affinity.c, which has what they have in common: the deadline of a request,
 * cancelling, references, and how a kick reaches its session.
 */
#ifndef STATE_AFFINITY_ENGINE_H
#define STATE_AFFINITY_ENGINE_H

#include <stdatomic.h>

#include "base/list.h"
#include "state/affinity.h"

struct affinity_place {			/* of an engine that is no process's own */
	struct cluster *cluster;
	const char *farm;
};

/* A place to keep bindings: one file, and one constant named as it. */
struct affinity_engine {
	const char *name;
	void *(*start)(struct affinity *affinity, const struct affinity_place *place);	/* its store */
	void (*stop)(void *store);			/* when nobody refers to it any more */
	/* Each ends in affinity_answer, now or (it called affinity_wait then) later on the request's loop. */
	void (*peek)(struct affinity_request *request);
	bool (*peek_now)(void *store, struct slice user, int64_t now, struct affinity_binding *binding);
	void (*open)(struct affinity_request *request);
	void (*move)(struct affinity_request *request);
	void (*kick)(struct affinity_request *request);
	void (*hold)(struct affinity_request *request);
	void (*pin)(struct affinity_request *request);
	void (*list)(struct affinity_request *request);
	/* After affinity_wait: it will not answer. */
	void (*cancel)(struct affinity_request *request);
	void (*close)(struct affinity_lease *lease);	/* kicks it no more; frees nothing */
	size_t (*count)(void *store);
};

struct affinity {
	const struct affinity_engine *engine;
	void *store;
	atomic_int references;
	_Atomic int64_t retention_ms;
};

struct affinity_lease {
	struct list node;			/* the engine's own, with `place` and `generation` */
	void *place;
	uint64_t generation;
	uint64_t stamp;				/* likewise: the latest kick before it */
	int64_t alone_at;			/* likewise: its begin, where the stamp is not known yet */
	struct affinity *affinity;
	struct loop *loop;
	void (*on_kick)(void *owner);
	void *owner;				/* NULL once closed; touched on `loop` only */
	atomic_int references;			/* the session's and that of a kick under way */
	atomic_bool is_kicked;
};

/*
 * The answer is not there yet; without one by the deadline the request is cancelled and hears LATER.  Where
 * again_at comes first, it is cancelled then and `again` called.
 */
void affinity_wait(struct affinity_request *request);
/* The request may be gone when this returns. */
void affinity_answer(struct affinity_request *request, enum affinity_answer answer);

/* For the answer HERE; affinity_close frees it. */
struct affinity_lease *affinity_lease_new(const struct affinity_request *request);
/* From any thread, before the engine's `close` has returned; false: it was kicked before. */
bool affinity_lease_kick(struct affinity_lease *lease);

#endif
