/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_metrics.c: figures of listeners, pools, servers and the process. */
#include <stdlib.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/metrics.h"
#include "admin/report.h"
#include "admin/sampler.h"
#include "admin/target.h"
#include "base/log.h"
#include "session/listener_settings.h"

/* The words that say how, wherever they stand; what is left says what. */
struct words {
	const char *left[4];
	size_t count;
	enum metrics_form form;
	bool with_help, up, no_maint;
};

static void
read_words(const struct admin_call *call, struct words *words)
{
	*words = (struct words){ .form = call->wants_json ? METRICS_JSON : METRICS_CSV };
	for (int i = 0; i < call->count; i++) {
		const char *word = call->words[i];

		if (strcmp(word, "typed") == 0)
			words->form = METRICS_TYPED;
		else if (strcmp(word, "json") == 0)
			words->form = METRICS_JSON;
		else if (strcmp(word, "desc") == 0)
			words->with_help = true;
		else if (strcmp(word, "up") == 0)
			words->up = true;
		else if (strcmp(word, "no-maint") == 0)
			words->no_maint = true;
		else if (words->count < sizeof(words->left) / sizeof(words->left[0]))
			words->left[words->count++] = word;
	}
}

static bool
is_number(const char *word, int *number)
{
	char *end;
	long n = strtol(word, &end, 10);

	*number = n >= -1 && n <= UINT16_MAX ? (int)n : UINT16_MAX;
	return end != word && *end == '\0';
}

/* A proxy's number in the row of listeners and pools; 0: there is none. */
static int
find_proxy(const struct root *root, const char *name)
{
	for (size_t i = 0; i < root->listeners.count; i++)
		if (strcmp(((const struct conf_block *)root->listeners.items[i])->title, name) == 0)
			return (int)i + 1;
	for (size_t i = 0; i < root->pools.count; i++)
		if (strcmp(((const struct conf_block *)root->pools.items[i])->title, name) == 0)
			return (int)(root->listeners.count + i) + 1;
	return 0;
}

/* A listener and a pool may bear one name: the number is the listener's, and the name means both. */
static bool
choose(struct admin_call *call, const struct words *words, struct metrics_choice *choice)
{
	int kinds;

	*choice = METRICS_ALL;
	choice->with_help = words->with_help;
	choice->up = words->up;
	choice->no_maint = words->no_maint;
	if (words->count < 3)
		return true;
	if (!is_number(words->left[0], &choice->iid)) {
		choice->proxy = words->left[0];
		choice->iid = -1;
		if (find_proxy(cockpit_root(call->cockpit), choice->proxy) == 0) {
			call_fail(call, "No such proxy.");
			return false;
		}
	}
	if (choice->iid == 0)
		choice->iid = -1;
	if (is_number(words->left[1], &kinds) && kinds >= 0)
		choice->kinds = (unsigned)kinds;
	if (!is_number(words->left[2], &choice->sid))
		choice->sid = -1;
	return true;
}

static void
run_show_stat(struct admin_call *call)
{
	struct metrics_choice choice;
	struct words words;

	read_words(call, &words);
	if (!choose(call, &words, &choice))
		return;
	metrics_render(call->cockpit, &choice, words.form, &call->out);
	call_done(call);
}

static void
run_show_info(struct admin_call *call)
{
	struct words words;

	read_words(call, &words);
	metrics_render_info(call->cockpit, words.form, words.with_help, &call->out);
	call_done(call);
}

static void
run_show_metrics(struct admin_call *call)
{
	metrics_render_prometheus(call->cockpit, &call->out);
	call_done(call);
}

static void
clear(struct admin_call *call, bool all)
{
	sampler_clear(call->cockpit->sampler, all);
	log_write(LOG_NOTICE, "%s: %s cleared", call->who, all ? "all counters are" : "maxima are");
	call_done(call);
}

static void
run_clear_counters(struct admin_call *call)
{
	clear(call, false);
}

static void
run_clear_all_counters(struct admin_call *call)
{
	clear(call, true);
}

/* A listener, a pool, or a server of one. */
static const struct track *
find_track(const struct cockpit *cockpit, const char *name)
{
	const struct track *track;

	if (strchr(name, '/') != NULL)
		return sampler_find(cockpit->sampler, METRIC_SERVER, name);
	track = sampler_find(cockpit->sampler, METRIC_POOL, name);
	return track != NULL ? track : sampler_find(cockpit->sampler, METRIC_LISTENER, name);
}

static const struct track *
target_track(struct admin_call *call)
{
	const char *name = call->words[0];
	const struct track *track = NULL;

	if (name == NULL) {
		call_fail(call, "Require 'frontend', 'backend' or 'backend/server'.");
		return NULL;
	}
	if (strcmp(name, "frontend") == 0 && call->words[1] != NULL)
		track = sampler_find(call->cockpit->sampler, METRIC_LISTENER, call->words[1]);
	else
		track = find_track(call->cockpit, name);
	if (track == NULL)
		call_fail(call, strchr(name, '/') != NULL ? "No such server." : "No such proxy.");
	return track;
}

static void
run_show_history(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ "seconds_ago", true }, { "sessions", true }, { "rate", true }, { "failures", true },
		{ "queued", true }, { "bytes_up", true }, { "bytes_down", true }, { "refused", true },
		{ "login_ms", true },
	};
	const struct track *track = target_track(call);
	struct report report;

	if (track == NULL)
		return;
	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	for (unsigned i = 0; i < track->count; i++) {
		unsigned at = (track->next + SAMPLER_POINTS - track->count + i) % SAMPLER_POINTS;

		report_number(&report, (int64_t)track->count - 1 - i);
		for (int k = 0; k < SAMPLE_COUNT; k++)
			report_number(&report, track->points[at][k]);
	}
	report_end(&report);
	call_done(call);
}

const struct admin_command metrics_commands[] = {
	{
		.name = "show stat", .arguments = "[{IID|PROXY} TYPE SID] [typed] [desc] [up|no-maint]",
		.has_json = true, .run = run_show_stat,
		.help = "Figures of listeners, pools and servers, as HAProxy's CSV. TYPE adds up 1 for "
		    "listeners, 2 for pools and 4 for servers; -1 is all.",
	},
	{
		.name = "show info", .arguments = "[typed] [desc]", .has_json = true, .run = run_show_info,
		.help = "Figures of the process. Those that mean nothing here are 0.",
	},
	{
		.name = "show metrics", .run = run_show_metrics,
		.help = "All figures in the text format of Prometheus.",
	},
	{
		.name = "show history", .arguments = "{[frontend] PROXY|BACKEND/SERVER}", .has_json = true,
		.run = run_show_history,
		.help = "The last five minutes, second by second. Where a listener and a pool have one name, "
		    "it is the pool's. refused: logins by the server; of a listener, those without a server. "
		    "login_ms: what all logins of the second took together.",
	},
	{
		.name = "clear counters", .level = ADMIN_LEVEL_OPERATOR, .run = run_clear_counters,
		.help = "Maxima begin anew.",
	},
	{
		.name = "clear counters all", .level = ADMIN_LEVEL_ADMIN, .run = run_clear_all_counters,
		.help = "All counters begin anew at 0, and maxima.",
	},
	{ 0 }
};
