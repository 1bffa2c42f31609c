/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * survey.h: a question about the sessions, or a wish to end some, put to all workers for a call.  The
 * operator may vanish at any time: what is only shown is recalled then, what was to end ends.
 */
#ifndef ADMIN_SURVEY_H
#define ADMIN_SURVEY_H

#include "admin/call.h"
#include "admin/cockpit.h"
#include "admin/report.h"
#include "base/arena.h"
#include "session/session_list.h"

struct survey {
	struct session_order order;	/* the command's to fill in; texts are the arena's */
	struct arena *arena;
	/* All workers have answered; call is NULL where sessions were ended and the operator has vanished. */
	void (*on_done)(struct survey *survey);

	struct admin_call *call;
	size_t count;			/* sessions that were shown or ended */
	struct session_view **views;	/* the oldest first */
	struct report report;		/* the command's own, cleared with the survey */
	void *owner;			/* the command's, of the arena */

	char who[CALL_WHO_MAX];
	struct list node;		/* in the cockpit's surveys */
	struct cockpit *cockpit;
	void (*each)(struct survey *survey, const struct session_view *view);
	size_t at;			/* of views, for `each` */
	int awaited;			/* workers */
	int walk_count;
	struct session_walk walks[];
};

/* For the call, whose work it is from now on. */
struct survey *survey_new(struct admin_call *call);
/* To end some, by another proxy's word: it has no call. */
struct survey *survey_new_for(struct cockpit *cockpit, const char *who);
void survey_start(struct survey *survey, void (*on_done)(struct survey *survey));
/* Behind on_done: calls each(view) for all views, in pieces, and then on_done. */
void survey_each(struct survey *survey, void (*each)(struct survey *survey, const struct session_view *view),
    void (*on_done)(struct survey *survey));
/* Frees it; the call, or NULL, is the caller's to end. */
struct admin_call *survey_end(struct survey **survey);
void surveys_close(struct cockpit *cockpit);	/* all; the workers' threads have ended */

#endif
