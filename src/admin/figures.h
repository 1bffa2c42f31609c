/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figures.h: all that is counted of a listener, a server or a pool, as a row of numbers that can be added up
 * and subtracted: a pool's are those of its servers.
 */
#ifndef ADMIN_FIGURES_H
#define ADMIN_FIGURES_H

#include "balance/endpoint.h"
#include "session/listener_kept.h"
#include "session/worker.h"

/* The rows of endpoint_metrics and of listener_metrics, in their order. */
#define ENDPOINT_FIGURE(field, text) ENDPOINT_FIGURE_##field,
enum endpoint_figure {
	ENDPOINT_FIGURE_connections,
	ENDPOINT_FIGURE_others,
	ENDPOINT_FIGURE_others_up,
	ENDPOINT_FIGURE_others_down,
	ENDPOINT_FIGURE_dialling,
	ENDPOINT_FIGURE_certificate_days,
	ENDPOINT_COUNTERS(ENDPOINT_FIGURE) ENDPOINT_FIGURE_COUNT
};
#define LISTENER_FIGURE(field, text) LISTENER_FIGURE_##field,
enum listener_figure {
	LISTENER_FIGURE_connections,
	LISTENER_COUNTERS(LISTENER_FIGURE) LISTENER_FIGURE_COUNT
};

enum { FIGURE_ROWS = 40 };

enum figure {
	FIGURE_FIRST_ROW,			/* either of the enums above */
	FIGURE_FIRST_END = FIGURE_ROWS,		/* a listener's, by enum end_reason */
	FIGURE_TIME_COUNT = FIGURE_FIRST_END + LISTENER_ENDS_MAX,	/* by enum endpoint_time */
	FIGURE_TIME_TOTAL = FIGURE_TIME_COUNT + ENDPOINT_TIME_COUNT,	/* milliseconds */
	FIGURE_CHECKS = FIGURE_TIME_TOTAL + ENDPOINT_TIME_COUNT,
	FIGURE_FAILED_CHECKS,
	FIGURE_DOWNS,
	FIGURE_DOWN_MS,
	FIGURE_COUNTERS_END,			/* before: counters, but for rows that are gauges */
	FIGURE_QUEUED = FIGURE_COUNTERS_END,
	FIGURE_TIME_RECENT,			/* the sum of the last ones, and how many they are */
	FIGURE_TIME_RECENT_COUNT = FIGURE_TIME_RECENT + ENDPOINT_TIME_COUNT,
	FIGURE_SUMS_END = FIGURE_TIME_RECENT_COUNT + ENDPOINT_TIME_COUNT,	/* behind: maxima */
	FIGURE_MOST_CONNECTIONS = FIGURE_SUMS_END,
	FIGURE_MOST_QUEUED,
	FIGURE_LAST_SESSION_AT,			/* clock_ms; 0: there was none */
	FIGURE_TIME_MOST,
	FIGURE_COUNT = FIGURE_TIME_MOST + ENDPOINT_TIME_COUNT
};

struct figures {
	int64_t of[FIGURE_COUNT];
};

/* As they are now; from any thread.  Threads: as many as there are counters. */
void figures_read_endpoint(struct figures *figures, struct endpoint *e, int threads);
void figures_read_listener(struct figures *figures, const struct listener *listener, int threads);
void figures_add(struct figures *sum, const struct figures *figures);
/* Of an object that is gone, what it has counted: gauges and maxima are nothing any more. */
void figures_add_counters(struct figures *sum, const struct figures *figures, bool is_listener);
void figures_subtract(struct figures *figures, const struct figures *base, bool is_listener);
/* The largest are those from now on. */
void figures_forget_endpoint_maxima(struct endpoint *e, int threads);
void figures_forget_listener_maxima(struct listener *listener, int threads);

#endif
