/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_report.c: a row for each result, and the one observer. */
#include "balance/endpoint_report.h"

#include <assert.h>
#include <stddef.h>

#define COUNTED_AS(field) offsetof(struct endpoint_counters, field)

static const struct result_row {
	const char *text;
	size_t counter;
} rows[] = {
	[ENDPOINT_OK] =             { "ok",                COUNTED_AS(sessions) },
	[ENDPOINT_CONNECT_FAILED] = { "connect failed",    COUNTED_AS(connect_failures) },
	[ENDPOINT_TIMED_OUT] =      { "timed out",         COUNTED_AS(timeouts) },
	[ENDPOINT_TLS_FAILED] =     { "TLS failed",        COUNTED_AS(tls_failures) },
	[ENDPOINT_LOST] =           { "connection lost",   COUNTED_AS(dialogue_failures) },
	[ENDPOINT_GARBLED] =        { "out of protocol",   COUNTED_AS(dialogue_failures) },
	[ENDPOINT_REFUSED] =        { "refused",           COUNTED_AS(refused) },
	[ENDPOINT_LATER] =          { "temporary failure", COUNTED_AS(put_off) },
	[ENDPOINT_OWN_FAULT] =      { "own fault",         COUNTED_AS(own_faults) },
};
static_assert(sizeof(rows) / sizeof(rows[0]) == ENDPOINT_RESULT_COUNT, "one row per result");

/* Global, since health stands further up and endpoints know nobody there; constant while threads run. */
static const struct endpoint_observer *observer;

void
endpoint_observe(const struct endpoint_observer *new_observer)
{
	observer = new_observer;
}

void
endpoint_report(struct endpoint *e, int worker, enum endpoint_result result, int64_t took_ms)
{
	void *counter = (char *)&e->counters[worker] + rows[result].counter;

	tally_add(counter, 1);
	if (observer != NULL && result != ENDPOINT_OWN_FAULT)
		observer->on_result(e, result, took_ms, observer->owner);
}

const char *
endpoint_result_text(enum endpoint_result result)
{
	return rows[result].text;
}
