/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_gate.c: places are counted in atomics, since mostly there is no bound.  Who joins the queue then looks
 * for a place, and who leaves one then looks at the queue: one of the two sees the other.
 */
#include "auth/auth_gate.h"

#include "auth/auth_source.h"
#include "base/xalloc.h"

enum { BOUND_MAX = 1000 * 1000 };

/* A request that waits. */
struct auth_place {
	struct auth_request *request;
	const struct auth *auth;
	struct waiter *waiter;
	struct loop_timer timer;
};

/* Under the lock.  A place on its way holds a reference, so that it finds back. */
static void
hand_out(struct auth_kept *kept)
{
	struct auth_gate *gate = &kept->gate;
	int bound = atomic_load(&gate->bound);

	while (waiter_count(&gate->queue) > 0 && (bound == 0 || atomic_load(&gate->busy) < bound)) {
		atomic_fetch_add(&gate->busy, 1);
		auth_kept_get(kept);
		if (waiter_wake_one(&gate->queue, kept))
			continue;
		atomic_fetch_sub(&gate->busy, 1);
		auth_kept_put(&kept);
		return;
	}
}

static void
serve(struct auth_kept *kept)
{
	pthread_mutex_lock(&kept->gate.lock);
	hand_out(kept);
	pthread_mutex_unlock(&kept->gate.lock);
}

static void
on_unclaimed(void *owner, void *gift)
{
	struct auth_kept *kept = gift;

	(void)owner;
	atomic_fetch_sub(&kept->gate.busy, 1);
	serve(kept);
	auth_kept_put(&kept);
}

void
auth_gate_init(struct auth_gate *gate, struct auth_kept *kept)
{
	pthread_mutex_init(&gate->lock, NULL);
	waiter_list_init(&gate->queue, on_unclaimed, kept);
}

void
auth_gate_clear(struct auth_gate *gate)
{
	waiter_list_clear(&gate->queue);
	pthread_mutex_destroy(&gate->lock);
}

static void
go_in(struct auth_request *request, const struct auth_gate *gate)
{
	request->turn.is_inside = true;
	request->turn.cuts = atomic_load(&gate->cuts);
}

/* The place's end; what it waited for is the caller's matter. */
static void
end_wait(struct auth_place *place)
{
	struct auth_request *request = place->request;

	loop_timer_stop(request->loop, &place->timer);
	request->turn.place = NULL;
	request->cancel = NULL;
	loop_defer(request->loop, xfree, place);
}

static void
on_wake(void *owner, void *gift)
{
	struct auth_place *place = owner;
	struct auth_request *request = place->request;
	struct auth_kept *kept = gift;

	end_wait(place);
	go_in(request, &kept->gate);
	auth_kept_put(&kept);
	auth_go(request, place->auth);
}

static const struct waiter_duty duty = { .on_wake = on_wake };

static void
cancel(struct auth_request *request)
{
	struct auth_place *place = request->turn.place;

	(void)waiter_cancel(&place->waiter);
	end_wait(place);
}

static void
on_time(struct loop_timer *timer)
{
	struct auth_request *request = loop_owner(timer, struct auth_place, timer)->request;

	cancel(request);
	auth_answer(request, &(struct auth_answer){
	    .verdict = AUTH_LATER, .why = "others have waited for it all the time" });
}

static void
wait(struct auth_request *request, const struct auth *auth)
{
	struct auth_place *place = xcalloc(1, sizeof(*place));

	*place = (struct auth_place){ .request = request, .auth = auth };
	request->turn.place = place;
	request->cancel = cancel;
	loop_timer_init(&place->timer, on_time);
	loop_timer_set(request->loop, &place->timer, loop_now(request->loop) + auth->timeout.ms);
	waiter_add(&auth->kept->gate.queue, request->loop, &duty, place, &place->waiter);
	serve(auth->kept);
}

/* A source that is away is not met by all who wait for it, though it never failed. */
static void
bound_first(struct auth_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	if (atomic_load(&gate->bound) == 0)
		atomic_store(&gate->bound, AUTH_GATE_FIRST);
	pthread_mutex_unlock(&gate->lock);
}

bool
auth_gate_enter(struct auth_request *request, const struct auth *auth, bool is_away)
{
	struct auth_gate *gate = &auth->kept->gate;
	bool has_place;

	if (is_away && atomic_load(&gate->bound) == 0)
		bound_first(gate);
	if (atomic_load(&gate->bound) == 0) {
		atomic_fetch_add(&gate->busy, 1);
		go_in(request, gate);
		return true;
	}
	pthread_mutex_lock(&gate->lock);
	has_place = waiter_count(&gate->queue) == 0 && atomic_load(&gate->busy) < atomic_load(&gate->bound);
	if (has_place)
		atomic_fetch_add(&gate->busy, 1);
	pthread_mutex_unlock(&gate->lock);
	if (has_place)
		go_in(request, gate);
	else
		wait(request, auth);
	return has_place;
}

/* Under the lock.  `busy`: with the one that was answered. */
static void
grow(struct auth_gate *gate, int busy)
{
	int bound = atomic_load(&gate->bound);

	if (bound == 0)
		return;
	bound = bound < BOUND_MAX ? bound + 1 : 0;
	if (waiter_count(&gate->queue) == 0 && 2 * busy < bound)
		bound = 0;
	atomic_store(&gate->bound, bound);
}

static void
cut(struct auth_gate *gate, int busy, unsigned cuts)
{
	int bound = atomic_load(&gate->bound);

	if (cuts != atomic_load(&gate->cuts))
		return;
	if (bound == 0)
		bound = busy > 2 * AUTH_GATE_FIRST ? busy : 2 * AUTH_GATE_FIRST;
	atomic_store(&gate->bound, bound > 1 ? bound / 2 : 1);
	atomic_fetch_add(&gate->cuts, 1);
}

void
auth_gate_leave(struct auth_request *request, enum auth_gate_result result)
{
	struct auth_kept *kept = request->turn.is_inside ? request->asked->kept : NULL;
	struct auth_gate *gate;
	int busy;

	if (kept == NULL)
		return;
	gate = &kept->gate;
	request->turn.is_inside = false;
	busy = atomic_fetch_sub(&gate->busy, 1);
	if (atomic_load(&gate->bound) == 0 && waiter_count(&gate->queue) == 0 && result != AUTH_GATE_NO_REPLY)
		return;
	pthread_mutex_lock(&gate->lock);
	if (result == AUTH_GATE_ANSWERED)
		grow(gate, busy);
	else if (result == AUTH_GATE_NO_REPLY)
		cut(gate, busy, request->turn.cuts);
	hand_out(kept);
	pthread_mutex_unlock(&gate->lock);
}

bool
auth_gate_holds(const struct auth_request *request)
{
	return request->turn.place != NULL;
}
