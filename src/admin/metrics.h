/* SPDX-License-Identifier: BSD-2-Clause */
/* metrics.h: the tables of metrics in the forms that monitors read.  All append, on control's loop. */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct cockpit;

/* What of the table is wanted. */
struct metrics_choice {
	int iid;			/* -1: all */
	const char *proxy;		/* its name, of a listener or a pool or both; NULL: all */
	unsigned kinds;			/* 1 listeners, 2 pools, 4 servers, or-ed */
	int sid;			/* -1: all */
	bool up, no_maint;		/* only such servers; then a pool's status tells how many are up */
	bool with_help;			/* `desc`: of typed form and JSON */
};
#define METRICS_ALL ((struct metrics_choice){ .iid = -1, .kinds = 7, .sid = -1 })

enum metrics_form { METRICS_CSV, METRICS_TYPED, METRICS_JSON };

/* `show stat` */
void metrics_render(struct cockpit *cockpit, const struct metrics_choice *choice, enum metrics_form form,
    struct buf *out);
void metrics_render_csv(struct cockpit *cockpit, struct buf *out);	/* all of it */
/* `show info`; METRICS_CSV: lines `Name: value`. */
void metrics_render_info(struct cockpit *cockpit, enum metrics_form form, bool with_help, struct buf *out);
/* The text format of Prometheus, 0.0.4. */
void metrics_render_prometheus(struct cockpit *cockpit, struct buf *out);

#endif
