/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_report.c: a row for each result, what the window makes of it, and the one observer. */
#include "balance/endpoint_report.h"

#include <assert.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"

#define COUNTED_AS(field) offsetof(struct endpoint_counters, field)

static const struct result_row {
	const char *text;
	size_t counter;
	enum endpoint_verdict verdict;
} rows[] = {
	[ENDPOINT_OK] =             { "ok",                COUNTED_AS(sessions),          ENDPOINT_GOOD },
	[ENDPOINT_CONNECT_FAILED] = { "connect failed",    COUNTED_AS(connect_failures),  ENDPOINT_BAD },
	[ENDPOINT_TIMED_OUT] =      { "timed out",         COUNTED_AS(timeouts),          ENDPOINT_BAD },
	[ENDPOINT_TLS_FAILED] =     { "TLS failed",        COUNTED_AS(tls_failures),      ENDPOINT_BAD },
	[ENDPOINT_LOST] =           { "connection lost",   COUNTED_AS(dialogue_failures), ENDPOINT_BAD },
	[ENDPOINT_GARBLED] =        { "out of protocol",   COUNTED_AS(dialogue_failures), ENDPOINT_UNJUDGED },
	[ENDPOINT_REFUSED] =        { "refused",           COUNTED_AS(refused),           ENDPOINT_GOOD },
	[ENDPOINT_LATER] =          { "temporary failure", COUNTED_AS(put_off),           ENDPOINT_BAD },
	[ENDPOINT_OWN_FAULT] =      { "own fault",         COUNTED_AS(own_faults),        ENDPOINT_UNJUDGED },
};
static_assert(sizeof(rows) / sizeof(rows[0]) == ENDPOINT_RESULT_COUNT, "one row per result");

/* Global, since health stands further up and endpoints know nobody there; constant while threads run. */
static const struct endpoint_observer *observer;

void
endpoint_observe(const struct endpoint_observer *new_observer)
{
	observer = new_observer;
}

/* What came of the window: the states before and behind a result, and for how long it is dead. */
struct change {
	enum window_state from, to;
	int dead_ms;
	int64_t dead_until;
};

/* Under the lock. */
static void
use_window(struct endpoint *e)
{
	atomic_store(&e->dial_bound, window_bound(&e->window));
	endpoint_let_in_locked(e);
}

static bool
is_observed(const struct endpoint *e)
{
	return atomic_load_explicit(&e->error_limit, memory_order_relaxed) != 0;
}

/* Under the lock. */
static void
move_window(struct endpoint *e, enum endpoint_verdict verdict, int64_t took_ms)
{
	int busy = atomic_load_explicit(&e->dialling, memory_order_relaxed);
	int64_t now = clock_ms();

	e->window.limit = atomic_load_explicit(&e->max_connections, memory_order_relaxed);
	if (verdict == ENDPOINT_GOOD)
		window_succeed(&e->window, busy, now);
	else if (verdict == ENDPOINT_BAD)
		window_fail(&e->window, busy, now - took_ms, now);
}

/* The try is over. */
static struct change
settle(struct endpoint *e, enum endpoint_verdict verdict, int64_t took_ms)
{
	struct change change;

	pthread_mutex_lock(&e->lock);
	change.from = e->window.state;
	if (is_observed(e))
		move_window(e, verdict, took_ms);
	change.to = e->window.state;
	change.dead_ms = e->window.dead_ms;
	change.dead_until = e->window.dead_until;
	atomic_fetch_sub(&e->dialling, 1);
	use_window(e);
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
	return change;
}

/* Once when it dies, however often it is found dead before it is back. */
static void
log_change(const struct endpoint *e, const struct change *change, enum endpoint_result result,
    const char *why)
{
	if (change->from == WINDOW_OPEN && change->to == WINDOW_DEAD)
		log_write(LOG_WARNING, "%s gets no sessions for %d s, since tries fail: %s%s%s", e->name,
		    change->dead_ms / 1000, rows[result].text, why[0] != '\0' ? ": " : "", why);
	else if (change->from != WINDOW_OPEN && change->to == WINDOW_OPEN)
		log_write(LOG_NOTICE, "%s gets sessions again", e->name);
}

void
endpoint_report(struct endpoint *e, int worker, enum endpoint_result result, int64_t took_ms,
    const char *why)
{
	void *counter = (char *)&e->counters[worker] + rows[result].counter;
	struct change change;

	tally_add(counter, 1);
	change = settle(e, rows[result].verdict, took_ms);
	log_change(e, &change, result, why);
	if (observer == NULL)
		return;
	if (result != ENDPOINT_OWN_FAULT)
		observer->on_result(e, result, took_ms, observer->owner);
	if (change.from != WINDOW_DEAD && change.to == WINDOW_DEAD && observer->on_dead != NULL)
		observer->on_dead(e, change.dead_until, observer->owner);
}

enum endpoint_verdict
endpoint_judge(enum endpoint_result result)
{
	return rows[result].verdict;
}

void
endpoint_set_observed(struct endpoint *e, int error_limit)
{
	pthread_mutex_lock(&e->lock);
	atomic_store_explicit(&e->error_limit, error_limit, memory_order_relaxed);
	if (error_limit == 0) {
		window_lift(&e->window);
		use_window(e);
	}
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
}

void
endpoint_tick(struct endpoint *e, int64_t now)
{
	pthread_mutex_lock(&e->lock);
	if (window_tick(&e->window, now))
		use_window(e);
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
}

void
endpoint_reopen(struct endpoint *e)
{
	pthread_mutex_lock(&e->lock);
	if (window_reopen(&e->window, clock_ms()))
		use_window(e);
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
}

const char *
endpoint_result_text(enum endpoint_result result)
{
	return rows[result].text;
}
