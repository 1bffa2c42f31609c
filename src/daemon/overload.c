/* SPDX-License-Identifier: BSD-2-Clause */
/* overload.c: gathers what stress is judged by, of the process and of each listener, and tells of changes. */
#include "daemon/overload.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/handshakes.h"
#include "net/stream_memory.h"
#include "session/listener_kept.h"

enum { INTERVAL_MS = 1000, LAG_MIN_US = 500 * 1000, PERCENT = 100 };

struct overload {
	struct control *control;
	struct loop_timer timer;
	int64_t lag_at_us, lag_ms;	/* when the workers' lag was measured last, and the largest one */
	uint64_t lag_sums[];		/* of each worker, then */
};

static int64_t
percent(int64_t part, int64_t whole)
{
	return whole > 0 ? part * PERCENT / whole : 0;
}

/* Over a time that is too short it would be chance. */
static void
measure_lag(struct overload *overload)
{
	const struct control *control = overload->control;
	int64_t now_us = clock_us(), took_us = now_us - overload->lag_at_us, lag_us = 0;

	if (took_us < LAG_MIN_US)
		return;
	for (int i = 0; i < control->assets.threads; i++) {
		uint64_t sum = loop_lag_sum(control->workers[i]->loop);
		int64_t own_us = (int64_t)(sum - overload->lag_sums[i]) / took_us;

		lag_us = own_us > lag_us ? own_us : lag_us;
		overload->lag_sums[i] = sum;
	}
	overload->lag_at_us = now_us;
	overload->lag_ms = lag_us / 1000;
}

static void
tell_event(const struct control *control, const char *listener, const struct stress_change *change,
    const char *why)
{
	char to[2] = { (char)('0' + change->to) }, from[2] = { (char)('0' + change->from) };
	const struct log_field fields[] = {
		{ .name = log_fields[LOG_FIELD_state].name, .text = slice_of(to) },
		{ .name = log_fields[LOG_FIELD_before].name, .text = slice_of(from) },
		{ .name = log_fields[LOG_FIELD_reason].name, .text = slice_of(why) },
		{ .name = log_fields[LOG_FIELD_listener].name, .text = slice_of(listener) },
	};
	int count = (int)(sizeof(fields) / sizeof(fields[0]));

	if ((control->current->snapshot.events & LOG_EVENT_stress) != 0)
		log_event(log_events[LOG_EVENT_NUMBER_stress].name, fields,
		    *listener != '\0' ? count : count - 1);
}

/* Listener "" is the process. */
static void
tell(const struct control *control, const char *listener, const struct stress_change *change)
{
	char why[STRESS_TEXT_MAX];

	stress_change_text(change, why);
	log_write(change->to > change->from ? LOG_WARNING : LOG_NOTICE, "%s%sstress level %d (was %d): %s",
	    listener, *listener != '\0' ? ": " : "", change->to, change->from, why);
	tell_event(control, listener, change, why);
}

/* True: a level was entered. */
static bool
judge(const struct control *control, struct stress *stress, const char *listener, struct stress_load *load)
{
	struct stress_change change;

	if (control->current->root->stress == ROOT_STRESS_OFF)
		*load = (struct stress_load){ { 0 } };
	if (!stress_move(stress, load, loop_now(control->loop), &change))
		return false;
	tell(control, listener, &change);
	return change.to > change.from;
}

static bool
judge_process(struct overload *overload)
{
	const struct control *control = overload->control;
	const struct root *root = control->current->root;
	int64_t max = listener_orders_max(worker_process_orders(), root->max_connections);
	int sessions = atomic_load_explicit(&worker_process()->sessions, memory_order_relaxed);
	struct stress_load load = { {
	    [STRESS_CONNECTIONS] = percent(sessions, max),
	    [STRESS_MEMORY] = percent(stream_memory_used(), root->relay_memory.bytes),
	    [STRESS_LAG] = overload->lag_ms,
	    [STRESS_HANDSHAKES] = handshakes_longest_ms(),
	} };

	return judge(control, worker_process_stress(), "", &load);
}

static bool
judge_listener(const struct control *control, const struct listener_settings *settings)
{
	struct listener *listener = settings->listener;
	int64_t max = listener_orders_max(&listener->orders, settings->max_connections);
	int connections = atomic_load_explicit(&listener->connections, memory_order_relaxed);
	struct stress_load load = { { [STRESS_CONNECTIONS] = percent(connections, max) } };

	return judge(control, &listener->stress, listener->name, &load);
}

static void
look(struct overload *overload)
{
	const struct control *control = overload->control;
	const struct root *root = control->current->root;
	bool is_worse;

	measure_lag(overload);
	is_worse = judge_process(overload);
	for (size_t i = 0; i < root->listeners.count; i++)
		is_worse |= judge_listener(control, root->listeners.items[i]);
	for (int i = 0; is_worse && i < control->assets.threads; i++)
		worker_review(control->workers[i]);
}

static void
on_time(struct loop_timer *timer)
{
	struct overload *overload = loop_owner(timer, struct overload, timer);
	struct loop *loop = overload->control->loop;

	look(overload);
	loop_timer_set(loop, timer, loop_now(loop) + INTERVAL_MS);
}

void
overload_worker_full(struct worker *worker)
{
	const struct control *control = worker->owner;

	if (control->overload != NULL)
		look(control->overload);
}

struct overload *
overload_new(struct control *control)
{
	size_t threads = (size_t)control->assets.threads;
	struct overload *overload = xcalloc(1, sizeof(*overload) + threads * sizeof(overload->lag_sums[0]));

	overload->control = control;
	overload->lag_at_us = clock_us();
	loop_timer_init(&overload->timer, on_time);
	loop_timer_set(control->loop, &overload->timer, loop_now(control->loop) + INTERVAL_MS);
	return overload;
}

void
overload_free(struct overload **overload)
{
	loop_timer_stop((*overload)->control->loop, &(*overload)->timer);
	xfree(*overload);
	*overload = NULL;
}
