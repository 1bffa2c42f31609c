/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_report.c: a row for each result, what the window makes of it, and the one observer. */
#include "balance/endpoint_report.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "balance/endpoint_room.h"
#include "base/clock.h"
#include "base/log.h"

#define COUNT(field) offsetof(struct endpoint_counters, field)

/* May it be a mailbox that is sick, or what one client sends? */
enum judged {
	EACH,
	ONCE,				/* of one who tries; of nobody's tries each */
	USERS				/* the same, but nobody's tries say nothing */
};

static const struct result_row {
	const char *text;
	size_t counter;
	enum endpoint_verdict verdict;
	enum judged judged;		/* if it is bad */
} rows[] = {
	[ENDPOINT_OK] =             { "ok",                COUNT(sessions),          ENDPOINT_GOOD, EACH },
	[ENDPOINT_CONNECT_FAILED] = { "connect failed",    COUNT(connect_failures),  ENDPOINT_BAD, EACH },
	[ENDPOINT_TIMED_OUT] =      { "timed out",         COUNT(timeouts),          ENDPOINT_BAD, EACH },
	[ENDPOINT_TLS_FAILED] =     { "TLS failed",        COUNT(tls_failures),      ENDPOINT_BAD, EACH },
	[ENDPOINT_LOST] =           { "connection lost",   COUNT(dialogue_failures), ENDPOINT_BAD, EACH },
	[ENDPOINT_GARBLED] =        { "out of protocol",   COUNT(dialogue_failures), ENDPOINT_BAD, USERS },
	[ENDPOINT_REFUSED] =        { "refused",           COUNT(refused),           ENDPOINT_GOOD, EACH },
	[ENDPOINT_LATER] =          { "temporary failure", COUNT(put_off),           ENDPOINT_BAD, ONCE },
	[ENDPOINT_OWN_FAULT] =      { "own fault",         COUNT(own_faults), ENDPOINT_UNJUDGED, EACH },
};
static_assert(sizeof(rows) / sizeof(rows[0]) == ENDPOINT_RESULT_COUNT, "one row per result");

/* Global, since health stands further up and endpoints know nobody there; constant while threads run. */
static const struct endpoint_observer *observer;

void
endpoint_observe(const struct endpoint_observer *new_observer)
{
	observer = new_observer;
}

/* What came of a result: the window's states before and behind it, and for how long it is dead. */
struct change {
	enum endpoint_verdict verdict;
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

/* Did it fail before, since the last success?  Under the lock. */
static bool
is_known_sufferer(struct endpoint *e, uint64_t who)
{
	if (who == 0)
		return false;
	for (size_t i = 0; i < ENDPOINT_SUFFERERS; i++)
		if (e->sufferers[i] == who)
			return true;
	e->sufferers[e->next_sufferer++ % ENDPOINT_SUFFERERS] = who;
	return false;
}

static void
forget_sufferers(struct endpoint *e)
{
	for (size_t i = 0; i < ENDPOINT_SUFFERERS; i++)
		e->sufferers[i] = 0;
}

/* Under the lock. */
static enum endpoint_verdict
verdict_of(struct endpoint *e, const struct endpoint_outcome *outcome)
{
	const struct result_row *row = &rows[outcome->result];

	if (row->verdict == ENDPOINT_GOOD)
		forget_sufferers(e);
	if (row->judged == USERS && outcome->who == 0)
		return ENDPOINT_UNJUDGED;
	if (row->judged != EACH && is_known_sufferer(e, outcome->who))
		return ENDPOINT_UNJUDGED;
	return row->verdict;
}

static void
move_window(struct endpoint *e, enum endpoint_verdict verdict, int64_t took_ms)
{
	int busy = atomic_load_explicit(&e->dialling, memory_order_relaxed);
	int64_t now;

	if (verdict == ENDPOINT_GOOD && window_bound(&e->window) == 0)
		return;
	now = clock_ms();
	e->window.limit = atomic_load_explicit(&e->max_connections, memory_order_relaxed);
	if (verdict == ENDPOINT_GOOD)
		window_succeed(&e->window, busy, now);
	else if (verdict == ENDPOINT_BAD)
		window_fail(&e->window, busy, now - took_ms, now);
}

/* Under the lock. */
static void
note_failure(struct endpoint *e, const struct endpoint_outcome *outcome)
{
	struct endpoint_failure *failure = &e->failure;

	if (outcome->result == ENDPOINT_OK || outcome->result == ENDPOINT_REFUSED)
		failure->in_row = 0;
	else if (outcome->result != ENDPOINT_OWN_FAULT)
		failure->in_row++;
	if (outcome->result == ENDPOINT_OK || outcome->result == ENDPOINT_OWN_FAULT)
		return;
	failure->at = clock_ms();
	failure->what = rows[outcome->result].text;
	snprintf(failure->why, sizeof(failure->why), "%s", outcome->why);
}

/* The try is over. */
static struct change
settle(struct endpoint *e, const struct endpoint_outcome *outcome)
{
	struct change change = { .verdict = ENDPOINT_UNJUDGED };

	pthread_mutex_lock(&e->lock);
	change.from = e->window.state;
	note_failure(e, outcome);
	if (is_observed(e)) {
		change.verdict = verdict_of(e, outcome);
		move_window(e, change.verdict, outcome->took_ms);
	}
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
log_change(const struct endpoint *e, const struct change *change, const struct endpoint_outcome *outcome)
{
	if (change->from == WINDOW_OPEN && change->to == WINDOW_DEAD)
		log_write(LOG_WARNING, "%s gets no sessions for %d s, since tries fail: %s%s%s", e->name,
		    change->dead_ms / 1000, rows[outcome->result].text, outcome->why[0] != '\0' ? ": " : "",
		    outcome->why);
	else if (change->from != WINDOW_OPEN && change->to == WINDOW_OPEN)
		log_write(LOG_NOTICE, "%s gets sessions again", e->name);
}

void
endpoint_report(struct endpoint *e, int worker, const struct endpoint_outcome *outcome)
{
	void *counter = (char *)&e->counters[worker] + rows[outcome->result].counter;
	struct change change;

	tally_add(counter, 1);
	change = settle(e, outcome);
	log_change(e, &change, outcome);
	if (observer == NULL)
		return;
	if (outcome->result != ENDPOINT_OWN_FAULT)
		observer->on_result(e, outcome->result, change.verdict, observer->owner);
	if (change.from != WINDOW_DEAD && change.to == WINDOW_DEAD && observer->on_dead != NULL)
		observer->on_dead(e, change.dead_until, observer->owner);
}

void
endpoint_set_observed(struct endpoint *e, int error_limit)
{
	if (atomic_load_explicit(&e->error_limit, memory_order_relaxed) == error_limit)
		return;
	pthread_mutex_lock(&e->lock);
	atomic_store_explicit(&e->error_limit, error_limit, memory_order_relaxed);
	if (error_limit == 0) {
		window_lift(&e->window);
		use_window(e);
	}
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
}

int64_t
endpoint_tick(struct endpoint *e, int64_t now)
{
	int64_t dead_until;

	pthread_mutex_lock(&e->lock);
	if (window_tick(&e->window, now))
		use_window(e);
	dead_until = e->window.state == WINDOW_DEAD ? e->window.dead_until : 0;
	pthread_mutex_unlock(&e->lock);
	service_serve(e->service, e);
	return dead_until;
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

bool
endpoint_last_failure(struct endpoint *e, char out[ENDPOINT_FAILURE_TEXT_MAX], int64_t *age_ms)
{
	struct endpoint_failure failure;
	bool says_all;

	pthread_mutex_lock(&e->lock);
	failure = e->failure;
	pthread_mutex_unlock(&e->lock);
	out[0] = '\0';
	*age_ms = clock_ms() - failure.at;
	if (failure.at == 0)
		return false;
	says_all = strncmp(failure.why, failure.what, strlen(failure.what)) == 0;
	snprintf(out, ENDPOINT_FAILURE_TEXT_MAX, "%s%s%s", says_all ? "" : failure.what,
	    says_all || failure.why[0] == '\0' ? "" : ": ", failure.why);
	return true;
}

int
endpoint_failures_in_row(struct endpoint *e)
{
	int in_row;

	pthread_mutex_lock(&e->lock);
	in_row = e->failure.in_row;
	pthread_mutex_unlock(&e->lock);
	return in_row;
}

const char *
endpoint_result_text(enum endpoint_result result)
{
	return rows[result].text;
}
