/* SPDX-License-Identifier: BSD-2-Clause */
/* drain.c: the phases of a shutdown, each with the time that it may take. */
#include "daemon/drain.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "daemon/notify.h"

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

static void
enter(struct control *control, enum drain_phase phase)
{
	const struct root *root = control->current->root;
	char count[SESSIONS_MAX];

	control->phase = phase;
	switch (phase) {
	case DRAIN_NONE:
		break;
	case DRAIN_DELAY:
		log_write(LOG_NOTICE, "stopping: clients are accepted for another %lld s",
		    (long long)root->shutdown_delay.ms / 1000);
		set_timer(control, root->shutdown_delay.ms);
		break;
	case DRAIN_WAIT:
		log_write(LOG_NOTICE, "draining: %s; idle ones are told to go, others have %lld s",
		    say_sessions(count), (long long)root->shutdown_timeout.ms / 1000);
		tell_workers(control, worker_drain);
		set_timer(control, root->shutdown_timeout.ms);
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

	enter(control, control->phase + 1);
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
		enter(control, DRAIN_FINISH);
		return;
	}
	notify_stopping("draining");
	enter(control, control->current->root->shutdown_delay.ms > 0 ? DRAIN_DELAY : DRAIN_WAIT);
}

void
drain_stop(struct control *control)
{
	char count[SESSIONS_MAX];

	if (control->phase == DRAIN_STOP)
		return;
	notify_stopping("stopping");
	log_write(LOG_NOTICE, "stopping: %s ended", say_sessions(count));
	enter(control, DRAIN_STOP);
}

void
drain_worker_empty(struct worker *worker)
{
	struct control *control = worker->owner;

	if (++control->empty_workers == control->assets.threads && control->phase != DRAIN_STOP)
		enter(control, DRAIN_STOP);
}
