/* SPDX-License-Identifier: BSD-2-Clause */
/* prometheus.h: for metrics_prometheus.c: lines of the format, and what is no column of HAProxy's table. */
#ifndef ADMIN_PROMETHEUS_H
#define ADMIN_PROMETHEUS_H

#include "admin/metric_subject.h"
#include "base/buf.h"

enum { PROMETHEUS_NAME_MAX = 128 };

struct scraped {
	struct metric_subject subject;
	struct buf labels;			/* without braces */
};

struct scrape {
	struct cockpit *cockpit;
	struct buf *out;
	struct scraped *all;
	size_t count, size;
};

void prometheus_quote(struct buf *out, const char *text);
void prometheus_head(struct buf *out, const char *name, const char *type, const char *help);
/* is_ms: it is told in seconds. */
void prometheus_sample(struct buf *out, const char *name, struct slice labels, int64_t value, bool is_ms);

void prometheus_write_sessions(struct scrape *scrape);	/* how they ended, how long things took */
void prometheus_write_rest(struct scrape *scrape);	/* auth sources, farms, certificates, loops … */

#endif
