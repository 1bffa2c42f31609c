/* SPDX-License-Identifier: BSD-2-Clause */
/* drain.c: the phases of a shutdown, each with the time that it may take. */
#include "daemon/drain.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/notify.h"
#include "daemon/takeover.h"
#include "daemon/upgrade.h"

enum {
	FINISH_MS = 10 * 1000,		/* for last words, and for clients to take them */
	SESSIONS_MAX = 32
};

/* "1 session", "7 sessions"; returns out. */
static const char *
say_sessions(char out[SESSIONS_MAX])
{
	int count = atomic_load_explicit(&worker_process()->sessions, memory_order_relaxed);

	snprintf(out, SESSIONS_MAX, "%d session%s", count, count == 1 ? "" : "s");
	return out;
}

static void
tell_workers(const struct control *control, void (*tell)(struct worker *worker))
{
	for (int i = 0; i < control->assets.threads; i++)
		tell(control->workers[i]);
}

static void
set_timer(struct control *control, int64_t after_ms)
{
	loop_timer_set(control->loop, &control->drain, loop_now(control->loop) + after_ms);
}

/* How long it takes until all sessions of all pools were told to go. */
static int64_t
longest_spread(const struct root *root)
{
	int64_t spread = 0;

	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		if (pool->options.close_spread.ms > spread)
			spread = pool->options.close_spread.ms;
	}
	return spread < root->shutdown_timeout.ms ? spread : root->shutdown_timeout.ms;
}

static void
wait_for_sessions(struct control *control, bool have_stayed)
{
	const struct root *root = control->current->root;
	int64_t timeout = have_stayed ? longest_spread(root) : root->shutdown_timeout.ms;
	char count[SESSIONS_MAX];

	log_write(LOG_NOTICE, "draining: %s; idle ones are told to go, others have %lld s",
	    say_sessions(count), (long long)timeout / 1000);
	tell_workers(control, have_stayed ? worker_send_all_away : worker_drain);
	set_timer(control, timeout);
}

static void
enter(struct control *control, enum drain_phase phase)
{
	const struct root *root = control->current->root;
	bool have_stayed = control->phase == DRAIN_STAY;
	char count[SESSIONS_MAX];

	control->phase = phase;
	switch (phase) {
	case DRAIN_NONE:
		break;
	case DRAIN_STAY:
		log_write(LOG_NOTICE, "draining: %s may stay up to %lld s", say_sessions(count),
		    (long long)root->shutdown_timeout.ms / 1000);
		tell_workers(control, worker_leave);
		set_timer(control, root->shutdown_timeout.ms - longest_spread(root));
		break;
	case DRAIN_DELAY:
		log_write(LOG_NOTICE, "stopping: clients are accepted for another %lld s",
		    (long long)root->shutdown_delay.ms / 1000);
		set_timer(control, root->shutdown_delay.ms);
		break;
	case DRAIN_WAIT:
		wait_for_sessions(control, have_stayed);
		break;
	case DRAIN_FINISH:
		log_write(LOG_NOTICE, "draining: %s told to go", say_sessions(count));
		tell_workers(control, worker_finish);
		set_timer(control, FINISH_MS);
		break;
	case DRAIN_STOP:
		loop_timer_stop(control->loop, &control->drain);
		tell_workers(control, worker_stop);
		loop_stop(control->loop);
		break;
	}
}

static void
on_phase_over(struct loop_timer *timer)
{
	struct control *control = loop_owner(timer, struct control, drain);

	enter(control, control->phase == DRAIN_STAY ? DRAIN_WAIT : control->phase + 1);
}

void
drain_init(struct control *control)
{
	loop_timer_init(&control->drain, on_phase_over);
}

void
drain_begin(struct control *control)
{
	if (control->phase >= DRAIN_FINISH)
		return;
	if (control->phase != DRAIN_NONE) {
		if (control->phase == DRAIN_DELAY)
			tell_workers(control, worker_drain);
		else if (control->phase == DRAIN_STAY)
			tell_workers(control, worker_send_all_away);
		enter(control, DRAIN_FINISH);
		return;
	}
	upgrade_abandon(control);
	takeover_settle(control);
	if (control->phase != DRAIN_NONE)
		return;
	notify_stopping("draining");
	enter(control, control->current->root->shutdown_delay.ms > 0 ? DRAIN_DELAY : DRAIN_WAIT);
}

void
drain_hand_over(struct control *control)
{
	if (control->phase == DRAIN_NONE)
		enter(control, DRAIN_STAY);
}

void
drain_stop(struct control *control)
{
	char count[SESSIONS_MAX];

	if (control->phase == DRAIN_STOP)
		return;
	upgrade_abandon(control);
	takeover_settle(control);
	notify_stopping("stopping");
	log_write(LOG_NOTICE, "stopping: %s ended", say_sessions(count));
	enter(control, DRAIN_STOP);
}

void
drain_look_whether_over(struct control *control)
{
	bool is_needed = upgrade_has_succeeded(control) && takeover_is_needed(control);

	if (control->empty_workers == control->assets.threads && control->phase != DRAIN_STOP && !is_needed)
		enter(control, DRAIN_STOP);
}

void
drain_worker_empty(struct worker *worker)
{
	struct control *control = worker->owner;

	control->empty_workers++;
	drain_look_whether_over(control);
}
