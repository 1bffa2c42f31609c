/* SPDX-License-Identifier: BSD-2-Clause */
/* survey.c: asks every worker, and merges what they answer. */
#include "admin/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { VIEWS_A_PIECE = 500 };		/* that are told in one turn of control's loop */

static void
on_cancel(struct admin_call *call)
{
	struct survey *survey = call->work;

	survey->call = NULL;
	if (survey->order.action == SESSION_SHOW)
		atomic_store_explicit(&survey->order.is_recalled, true, memory_order_relaxed);
}

struct survey *
survey_new_for(struct cockpit *cockpit, const char *who)
{
	struct control *control = cockpit->control;
	int threads = control->assets.threads;
	struct survey *survey = xcalloc(1, sizeof(*survey) + (size_t)threads * sizeof(survey->walks[0]));

	survey->arena = arena_new();
	survey->cockpit = cockpit;
	survey->walk_count = threads;
	snprintf(survey->who, sizeof(survey->who), "%s", who);
	list_append(&cockpit->surveys, &survey->node);
	return survey;
}

struct survey *
survey_new(struct admin_call *call)
{
	struct survey *survey = survey_new_for(call->cockpit, call->who);

	survey->call = call;
	call->work = survey;
	call->on_cancel = on_cancel;
	return survey;
}

struct admin_call *
survey_end(struct survey **gone)
{
	struct survey *survey = *gone;
	struct admin_call *call = survey->call;

	*gone = NULL;
	list_remove(&survey->node);
	for (int i = 0; i < survey->walk_count; i++)
		session_walk_clear(&survey->walks[i]);
	buf_clear(&survey->report.cells);
	arena_free(&survey->arena);
	xfree(survey->views);
	xfree(survey);
	if (call != NULL) {
		call->work = NULL;
		call->on_cancel = NULL;
	}
	return call;
}

void
surveys_close(struct cockpit *cockpit)
{
	list_each(node, &cockpit->surveys) {
		struct survey *survey = list_entry(node, struct survey, node);

		survey->call = NULL;
		survey_end(&survey);
	}
}

static int
compare_views(const void *a, const void *b)
{
	const struct session_view *x = *(const struct session_view *const *)a;
	const struct session_view *y = *(const struct session_view *const *)b;

	if (x->age_ms != y->age_ms)
		return x->age_ms > y->age_ms ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void
merge(struct survey *survey)
{
	size_t count = 0;

	for (int i = 0; i < survey->walk_count; i++)
		survey->count += survey->walks[i].count;
	if (survey->order.action != SESSION_SHOW || survey->count == 0)
		return;
	survey->views = xcalloc(survey->count, sizeof(struct session_view *));
	for (int i = 0; i < survey->walk_count; i++)
		for (struct session_view *view = survey->walks[i].views; view != NULL; view = view->next)
			survey->views[count++] = view;
	qsort(survey->views, count, sizeof(survey->views[0]), compare_views);
}

static void
on_walked(struct session_walk *walk)
{
	struct survey *survey = walk->owner;

	if (--survey->awaited > 0)
		return;
	if (survey->call == NULL && survey->order.action == SESSION_SHOW) {
		survey_end(&survey);
		return;
	}
	merge(survey);
	survey->on_done(survey);
}

void
survey_start(struct survey *survey, void (*on_done)(struct survey *survey))
{
	survey->on_done = on_done;
	survey->awaited = survey->walk_count;
	for (int i = 0; i < survey->walk_count; i++) {
		survey->walks[i] = (struct session_walk){
			.worker = survey->cockpit->control->workers[i],
			.order = &survey->order,
			.on_done = on_walked,
			.owner = survey,
		};
		session_walk_start(&survey->walks[i]);
	}
}

static void
tell_piece(struct loop *loop, void *arg)
{
	struct survey *survey = arg;
	size_t end = survey->at + VIEWS_A_PIECE;

	if (survey->call == NULL) {
		survey_end(&survey);
		return;
	}
	while (survey->at < survey->count && survey->at < end)
		survey->each(survey, survey->views[survey->at++]);
	if (survey->at < survey->count)
		loop_post(loop, tell_piece, survey);
	else
		survey->on_done(survey);
}

void
survey_each(struct survey *survey, void (*each)(struct survey *survey, const struct session_view *view),
    void (*on_done)(struct survey *survey))
{
	survey->each = each;
	survey->on_done = on_done;
	tell_piece(survey->cockpit->control->loop, survey);
}
