/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot.c: what is in a snapshot, and who still uses it. */
#include "session/snapshot.h"

#include <assert.h>
#include <string.h>

#include "balance/pool.h"
#include "proto/proto.h"

struct pool *
snapshot_find_pool(const struct snapshot *snapshot, const char *name, const struct proto *proto)
{
	for (size_t i = 0; i < snapshot->pools.count; i++) {
		struct pool *pool = snapshot->pools.items[i];

		if (strcmp(pool->conf.title, name) == 0 && proto_is_served_by(proto, pool->protocol))
			return pool;
	}
	return NULL;
}

static void
on_worker_done(struct loop *control, void *arg)
{
	struct snapshot *snapshot = arg;

	(void)control;
	assert(snapshot->workers > 0);
	if (--snapshot->workers == 0)
		snapshot->on_unused(snapshot);
}

void
snapshot_get(struct snapshot *snapshot, int worker)
{
	snapshot->shares[worker].references++;
}

void
snapshot_put(struct snapshot *snapshot, int worker)
{
	assert(snapshot->shares[worker].references > 0);
	if (--snapshot->shares[worker].references == 0)
		loop_post(snapshot->control, on_worker_done, snapshot);
}
