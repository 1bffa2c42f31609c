/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_kept.h: what of an auth block outlives reloads: counters, how long answers took, and the gate. */
#ifndef AUTH_AUTH_KEPT_H
#define AUTH_AUTH_KEPT_H

#include <stdatomic.h>
#include <stdint.h>

#include "auth/auth_gate.h"
#include "base/histogram.h"
#include "base/metric.h"

struct auth_answer;
struct auth_request;

/* To count something more takes a row here. */
#define AUTH_COUNTERS(row) \
	row(asked, "Questions that the source was asked.") \
	row(accepted, "Users whom the source vouched for, or knew when they were looked up.") \
	row(refused, "Users whom the source refused.") \
	row(unknown, "Users whom the source did not know.") \
	row(failed, "Questions to which the source had no answer in time, or at all.") \
	row(cached, "Questions that the cache answered.") \
	row(waited, "Questions answered by what the source said to another, equal one.") \
	row(queued, "Questions that had to wait until the source may be asked.")

/* One worker's, on cache lines of its own. */
struct auth_counters {
	_Alignas(64) struct {
		AUTH_COUNTERS(METRIC_FIELD)
	};
	struct histogram latency;		/* microseconds from each question to its answer */
};

struct auth_kept {
	char *name;				/* the block's */
	int threads;
	atomic_int references;
	struct auth_gate gate;
	struct auth_counters counters[];	/* one a worker; the whole by xcalloc_aligned */
};

extern const struct metric_table auth_metrics;	/* of struct auth_kept */

struct auth_kept *auth_kept_new(const char *name, int threads);
struct auth_kept *auth_kept_get(struct auth_kept *kept);
void auth_kept_put(struct auth_kept **kept);
/* Of all workers, into a cleared sum.  From any thread. */
void auth_kept_latency(const struct auth_kept *kept, struct histogram_sum *sum);
/* The counters of the request's worker with the source that has its question; NULL: nothing is counted. */
struct auth_counters *auth_kept_counters(const struct auth_request *request);

void auth_kept_asked(struct auth_request *request);	/* now, the source; again with a client's response */
/* The source has spoken; `answer` is NULL where it knows no such user. */
void auth_kept_told(struct auth_request *request, const struct auth_answer *answer);

#endif
