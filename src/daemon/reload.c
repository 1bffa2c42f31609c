/* SPDX-License-Identifier: BSD-2-Clause */
/* reload.c: reads, prepares, commits, and says what became of it. */
#include "daemon/reload.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/spare.h"
#include "base/xalloc.h"
#include "daemon/log_block.h"
#include "daemon/notify.h"
#include "daemon/upgrade.h"

static const char *
title_of(const struct conf_list *list, size_t i)
{
	const struct conf_block *block = list->items[i];

	return block->title != NULL ? block->title : "";
}

static bool
has_title(const struct conf_list *list, const char *title)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(title_of(list, i), title) == 0)
			return true;
	return false;
}

/* Appends ", a b new" for what is in `list` and not in `other`. */
static void
name_missing(const struct conf_list *list, const struct conf_list *other, const char *word, struct buf *out)
{
	size_t before = buf_len(out);

	for (size_t i = 0; i < list->count; i++)
		if (!has_title(other, title_of(list, i)))
			buf_printf(out, "%s %s", buf_len(out) == before ? "," : "", title_of(list, i));
	if (buf_len(out) != before)
		buf_printf(out, " %s", word);
}

void
reload_compare(const char *what, const struct conf_list *before, const struct conf_list *now,
    struct buf *out)
{
	size_t kept = 0;

	if (before->count == 0 && now->count == 0)
		return;
	for (size_t i = 0; i < now->count; i++)
		kept += has_title(before, title_of(now, i));
	buf_printf(out, "%s%s: %zu kept", buf_len(out) > 0 ? "; " : "", what, kept);
	name_missing(now, before, "new", out);
	name_missing(before, now, "dropped", out);
}

static void
on_restart_needed(const char *name, void *arg)
{
	(void)arg;
	log_write(LOG_WARNING, "%s has changed: that needs a restart", name);
}

/* Logs a line, and keeps it for whoever asks. */
static void
conclude(struct control *control, int level, struct buf *text)
{
	struct control_history *history = &control->history;

	log_write(level, "%.*s", SLICE_ARGS(buf_slice(text)));
	history->tried_at = (int64_t)time(NULL);
	history->has_failed = level == LOG_ERR;
	xfree(history->result);
	history->result = xstrndup(buf_slice(text).data, buf_len(text));
	buf_clear(text);
}

static void
log_summary(struct control *control, const struct root *before, const struct root *now)
{
	struct buf text = { 0 }, line = { 0 };

	reload_compare("listeners", &before->listeners, &now->listeners, &text);
	reload_compare("pools", &before->pools, &now->pools, &text);
	reload_compare("farms", &before->farms, &now->farms, &text);
	reload_compare("tls", &before->tls, &now->tls, &text);
	buf_printf(&line, "reloaded: %.*s", SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
	conclude(control, LOG_NOTICE, &line);
}

static void
commit(struct control *control, struct generation *next)
{
	struct generation *before = control->current;

	conf_each_restart(control->assets.started, next->snapshot.conf, on_restart_needed, NULL);
	log_blocks_use(&next->root->logs, control->assets.in_background, next->sinks);
	control->current = next;
	generation_commit(next, before);
	control_note_loaded(control);
	if (control->program->extension != NULL)
		control->program->extension->commit(control);
	generation_serve(next, control->workers);
	/* no worker can have let go of `before` yet: that is told to this thread, in a later turn */
	log_summary(control, before->root, next->root);
}

static void
fail(struct control *control, const struct conf_problems *problems)
{
	struct buf line = { 0 }, whole = { 0 };

	control_log_problems(problems);
	for (size_t i = 0; i < problems->count; i++)
		buf_append_text(&whole, conf_problems_text(problems, i));
	buf_printf(&line, "reload failed, nothing changed: %zu error%s", problems->count,
	    problems->count == 1 ? "" : "s");
	buf_append_slice(&whole, buf_slice(&line));
	conclude(control, LOG_ERR, &line);
	xfree(control->history.result);
	control->history.result = xstrndup(buf_slice(&whole).data, buf_len(&whole));
	buf_clear(&whole);
}

/* Why there can be no reload now; NULL: there can. */
static const char *
obstacle_of(const struct control *control)
{
	if (upgrade_has_succeeded(control))
		return "another process has taken the place of this one";
	if (control->phase != DRAIN_NONE)
		return "gatepost is stopping";
	return upgrade_lets_reload(control) ? NULL : "an upgrade is under way";
}

void
reload_run(struct control *control)
{
	const char *obstacle = obstacle_of(control);
	struct conf_problems problems = { 0 };
	struct generation *next = NULL;
	struct conf *conf;
	char status[CONTROL_STATUS_MAX];

	if (obstacle != NULL) {
		struct buf line = { 0 };

		buf_printf(&line, "reload failed, nothing changed: %s", obstacle);
		conclude(control, LOG_ERR, &line);
		return;
	}
	notify_reloading();
	spare_begin();
	conf = conf_load(control->config_path, control->program->root, &problems);
	if (conf != NULL)
		next = control_prepare(control, conf, &problems);
	if (next != NULL) {
		commit(control, next);
	} else {
		fail(control, &problems);
	}
	conf_problems_clear(&problems);
	spare_end();
	notify_ready(control_status(control, status));
}
