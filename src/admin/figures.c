/* SPDX-License-Identifier: BSD-2-Clause */
/* figures.c: reading the workers' tallies. */
#include "admin/figures.h"

#include <assert.h>

#include "session/listener_kept.h"

static_assert((int)ENDPOINT_FIGURE_COUNT <= (int)FIGURE_ROWS, "room for the rows of endpoints");
static_assert((int)LISTENER_FIGURE_COUNT <= (int)FIGURE_ROWS, "room for the rows of listeners");

static void
read_rows(struct figures *figures, const struct metric_table *table, const void *object, int threads)
{
	for (size_t i = 0; i < table->count; i++)
		figures->of[i] = metric_read(&table->rows[i], object, threads);
}

static void
raise(int64_t *most, const _Atomic uint64_t *tally)
{
	int64_t value = (int64_t)tally_read(tally);

	if (value > *most)
		*most = value;
}

static void
read_times(struct figures *figures, const struct tally_mean *means)
{
	for (int i = 0; i < ENDPOINT_TIME_COUNT; i++) {
		int64_t count = (int64_t)tally_read(&means[i].count);

		figures->of[FIGURE_TIME_COUNT + i] += count;
		figures->of[FIGURE_TIME_TOTAL + i] += (int64_t)tally_read(&means[i].total);
		figures->of[FIGURE_TIME_RECENT + i] += (int64_t)tally_read(&means[i].recent);
		figures->of[FIGURE_TIME_RECENT_COUNT + i] += count < TALLY_MEAN_OF ? count : TALLY_MEAN_OF;
		raise(&figures->of[FIGURE_TIME_MOST + i], &means[i].most);
	}
}

void
figures_read_endpoint(struct figures *figures, struct endpoint *e, int threads)
{
	*figures = (struct figures){ 0 };
	read_rows(figures, &endpoint_metrics, e, threads);
	for (int i = 0; i < threads; i++) {
		const struct endpoint_counters *counters = &e->counters[i];

		read_times(figures, counters->times);
		raise(&figures->of[FIGURE_MOST_CONNECTIONS], &counters->most_connections);
		raise(&figures->of[FIGURE_LAST_SESSION_AT], &counters->last_session_at);
	}
	figures->of[FIGURE_CHECKS] = (int64_t)tally_read(&e->checks);
	figures->of[FIGURE_FAILED_CHECKS] = (int64_t)tally_read(&e->failed_checks);
	figures->of[FIGURE_QUEUED] = waiter_count(&e->queue);
	raise(&figures->of[FIGURE_MOST_QUEUED], &e->queue.most);
}

void
figures_read_listener(struct figures *figures, const struct listener *listener, int threads)
{
	*figures = (struct figures){ 0 };
	read_rows(figures, &listener_metrics, listener, threads);
	for (int i = 0; i < threads; i++) {
		const struct listener_counters *counters = &listener->counters[i];

		for (int k = 0; k < LISTENER_ENDS_MAX; k++)
			figures->of[FIGURE_FIRST_END + k] += (int64_t)tally_read(&counters->ends[k]);
		raise(&figures->of[FIGURE_MOST_CONNECTIONS], &counters->most_connections);
	}
}

void
figures_add(struct figures *sum, const struct figures *figures)
{
	for (int i = 0; i < FIGURE_SUMS_END; i++)
		sum->of[i] += figures->of[i];
	for (int i = FIGURE_SUMS_END; i < FIGURE_COUNT; i++)
		if (figures->of[i] > sum->of[i])
			sum->of[i] = figures->of[i];
}

static bool
is_counter(int i, bool is_listener)
{
	const struct metric_table *table = is_listener ? &listener_metrics : &endpoint_metrics;

	if (i < FIGURE_ROWS)
		return (size_t)i < table->count && table->rows[i].kind == METRIC_KIND_COUNTER;
	return i < FIGURE_COUNTERS_END;
}

void
figures_add_counters(struct figures *sum, const struct figures *figures, bool is_listener)
{
	for (int i = 0; i < FIGURE_COUNTERS_END; i++)
		if (is_counter(i, is_listener))
			sum->of[i] += figures->of[i];
}

void
figures_subtract(struct figures *figures, const struct figures *base, bool is_listener)
{
	for (int i = 0; i < FIGURE_COUNTERS_END; i++)
		if (is_counter(i, is_listener))
			figures->of[i] -= base->of[i];
}

void
figures_forget_endpoint_maxima(struct endpoint *e, int threads)
{
	for (int i = 0; i < threads; i++) {
		tally_reset(&e->counters[i].most_connections);
		for (int k = 0; k < ENDPOINT_TIME_COUNT; k++)
			tally_reset(&e->counters[i].times[k].most);
	}
	tally_reset(&e->queue.most);
}

void
figures_forget_listener_maxima(struct listener *listener, int threads)
{
	for (int i = 0; i < threads; i++)
		tally_reset(&listener->counters[i].most_connections);
}
