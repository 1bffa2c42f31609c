/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_redis_orders.c: moves, kicks, holds and pins: what Redis says, or nothing at all. */
#include <inttypes.h>

#include "state/affinity_redis.h"

static void on_moved(struct cluster_call *call, const struct redis_reply *reply);

static void
on_move_retry(struct loop_timer *timer)
{
	struct work *work = loop_owner(timer, struct work, retry);

	if (!shared_run(work, &affinity_script_peek, NULL, 0))
		shared_answer(work, AFFINITY_LATER);
}

/* Sessions of the older generation are on their way out, here and elsewhere. */
static void
on_moved(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct affinity_request *request = work->request;
	int64_t now = loop_now(work->loop);
	struct said said;

	if (!shared_read(reply, &said)) {
		shared_answer(work, AFFINITY_LATER);
		return;
	}
	if (work->generation == 0 && said.is_pinned)
		shared_say_pin(work->shared, request->user, request->wanted);
	if (said.status == AFFINITY_STATUS_UNBOUND) {
		shared_answer(work, AFFINITY_UNBOUND);
		return;
	}
	shared_tell(&said, &request->binding);
	if (work->generation == 0) {
		work->generation = said.generation;
		request->kicked = said.sessions;
		(void)shared_hear(work->shared, request->user, said.generation, 0, now);
	}
	if (said.generation != work->generation)
		shared_answer(work, AFFINITY_ELSEWHERE);
	else if (said.status != AFFINITY_STATUS_BLOCKED)
		shared_answer(work, AFFINITY_BOUND);
	else
		loop_timer_set(work->loop, &work->retry, now + AFFINITY_RETRY_MS);
}

static void
run(struct work *work, const struct cluster_script *script, const struct slice *args, int count)
{
	if (shared_run(work, script, args, count))
		affinity_wait(work->request);
	else
		shared_answer(work, AFFINITY_LATER);
}

void
shared_move(struct affinity_request *request)
{
	struct work *work = shared_work_for(request, on_moved);
	struct shared *shared = work->shared;

	loop_timer_init(&work->retry, on_move_retry);
	run(work, &affinity_script_move, (const struct slice[]){ slice_of(request->wanted),
		shared_number(work, 0, (uint64_t)atomic_load(&shared->retention_ms)),
		slice_of(cluster_channel(shared->cluster)), slice_of(shared->ear.name) }, 4);
}

static void
on_kicked(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct affinity_request *request = work->request;
	struct said said;

	if (!shared_read(reply, &said)) {
		shared_answer(work, AFFINITY_LATER);
		return;
	}
	if (said.status != AFFINITY_STATUS_UNBOUND) {
		shared_tell(&said, &request->binding);
		request->kicked = said.sessions;
		(void)shared_hear(work->shared, request->user, 0, said.kicked, loop_now(work->loop));
	}
	shared_answer(work, said.status == AFFINITY_STATUS_UNBOUND ? AFFINITY_UNBOUND : AFFINITY_BOUND);
}

void
shared_kick(struct affinity_request *request)
{
	struct work *work = shared_work_for(request, on_kicked);
	struct shared *shared = work->shared;

	run(work, &affinity_script_kick, (const struct slice[]){
		slice_of(cluster_channel(shared->cluster)), slice_of(shared->ear.name) }, 2);
}

static void
on_ordered(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);
	struct affinity_request *request = work->request;
	struct said said;

	if (!shared_read(reply, &said)) {
		shared_answer(work, AFFINITY_LATER);
		return;
	}
	shared_tell(&said, &request->binding);
	request->hold = said.hold;
	if (work->is_pin)
		shared_say_pin(work->shared, request->user, request->wanted);
	else if (!request->is_move)
		shared_say_hold(work->shared, request->user, said.hold_ms);
	shared_answer(work, said.status == AFFINITY_STATUS_UNBOUND ? AFFINITY_UNBOUND : AFFINITY_BOUND);
}

void
shared_hold(struct affinity_request *request)
{
	struct work *work = shared_work_for(request, on_ordered);

	run(work, &affinity_script_hold, (const struct slice[]){
		shared_number(work, 0, (uint64_t)request->hold_ms), shared_number(work, 1, request->hold),
		request->user, slice_of(request->is_move ? "1" : ""), slice_of("") }, 5);
}

void
shared_pin(struct affinity_request *request)
{
	struct work *work = shared_work_for(request, on_ordered);
	struct shared *shared = work->shared;
	int64_t keep_ms = shared->lease_ms + atomic_load(&shared->retention_ms);

	work->is_pin = true;
	run(work, &affinity_script_pin, (const struct slice[]){
		slice_of(request->wanted != NULL ? request->wanted : ""),
		shared_number(work, 0, (uint64_t)keep_ms), request->user, slice_of("") }, 4);
}
