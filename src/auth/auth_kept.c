/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_kept.c: counters by worker, that live as long as a configuration has the block. */
#include "auth/auth_kept.h"

#include "auth/auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"

#define COUNTER_ROW(field, text) METRIC_COUNTER(struct auth_kept, field, text),
static const struct metric metrics[] = { AUTH_COUNTERS(COUNTER_ROW) };
const struct metric_table auth_metrics = { "auth", metrics, sizeof(metrics) / sizeof(metrics[0]) };

struct auth_kept *
auth_kept_new(const char *name, int threads)
{
	struct auth_kept *kept;

	kept = xcalloc_aligned(sizeof(*kept) + (size_t)threads * sizeof(kept->counters[0]));
	kept->name = xstrdup(name);
	kept->threads = threads;
	atomic_init(&kept->references, 1);
	auth_gate_init(&kept->gate, kept);
	return kept;
}

struct auth_kept *
auth_kept_get(struct auth_kept *kept)
{
	atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
	return kept;
}

void
auth_kept_put(struct auth_kept **kept)
{
	struct auth_kept *k = *kept;

	*kept = NULL;
	if (k == NULL || atomic_fetch_sub_explicit(&k->references, 1, memory_order_acq_rel) > 1)
		return;
	auth_gate_clear(&k->gate);
	xfree(k->name);
	xfree(k);
}

void
auth_kept_latency(const struct auth_kept *kept, struct histogram_sum *sum)
{
	for (int i = 0; i < kept->threads; i++)
		histogram_read(&kept->counters[i].latency, sum);
}

struct auth_counters *
auth_kept_counters(const struct auth_request *request)
{
	struct auth_kept *kept = request->asked != NULL ? request->asked->kept : NULL;
	int index = kept != NULL ? loop_index(request->loop) : LOOP_CONTROL;

	return index >= 0 && index < kept->threads ? &kept->counters[index] : NULL;
}

void
auth_kept_asked(struct auth_request *request)
{
	struct auth_counters *counters = auth_kept_counters(request);

	if (counters == NULL)
		return;
	if (request->respond == NULL)
		tally_add(&counters->asked, 1);
	request->turn.began_us = clock_us();
}

/* What is counted of an answer; NULL: nothing yet, or the mail server has the last word. */
static _Atomic uint64_t *
find_tally(struct auth_counters *counters, const struct auth_answer *answer)
{
	if (answer == NULL)
		return &counters->unknown;
	switch (answer->verdict) {
	case AUTH_OK:
		return &counters->accepted;
	case AUTH_REFUSED:
		return &counters->refused;
	case AUTH_LATER:
		return &counters->failed;
	case AUTH_BY_SERVER:
	case AUTH_CHALLENGE:
		break;
	}
	return NULL;
}

static void
log_answer(const struct auth_request *request, const struct auth_answer *answer, int64_t us)
{
	static const char *const words[] = {
		[AUTH_OK] = "accepted", [AUTH_REFUSED] = "refused", [AUTH_LATER] = "no verdict",
		[AUTH_BY_SERVER] = "left to the server", [AUTH_CHALLENGE] = "a challenge",
	};

	log_write(LOG_DEBUG, "%s auth %s: %s after %lld.%03lld ms",
	    request->identity != NULL ? request->identity->session : "-", request->asked->conf.title,
	    answer != NULL ? words[answer->verdict] : "unknown", (long long)us / 1000, (long long)us % 1000);
}

void
auth_kept_told(struct auth_request *request, const struct auth_answer *answer)
{
	struct auth_counters *counters = auth_kept_counters(request);
	_Atomic uint64_t *tally;
	int64_t us;

	if (counters == NULL || request->turn.began_us == 0)
		return;
	us = clock_us() - request->turn.began_us;
	request->turn.began_us = 0;
	histogram_add(&counters->latency, (uint64_t)us);
	tally = find_tally(counters, answer);
	if (tally != NULL)
		tally_add(tally, 1);
	if (log_wants(LOG_DEBUG))
		log_answer(request, answer, us);
}
