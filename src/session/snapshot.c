/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot.c: who still uses a snapshot. */
#include "session/snapshot.h"

#include <assert.h>

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
