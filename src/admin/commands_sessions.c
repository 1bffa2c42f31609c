/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_sessions.c: who is connected, in a table or one by one. */
#include <string.h>

#include "admin/command_tables.h"
#include "admin/session_words.h"

static const struct report_column list_columns[] = {
	{ .name = "session" }, { .name = "user" }, { .name = "client" }, { .name = "listener" },
	{ .name = "protocol" }, { .name = "server" }, { .name = "state" }, { .name = "while" },
	{ .name = "age", .is_number = true }, { .name = "idle", .is_number = true },
	{ .name = "tls" }, { .name = "bytes_up", .is_number = true },
	{ .name = "bytes_down", .is_number = true },
};

static const struct report_column detail_columns[] = {
	{ .name = "session" }, { .name = "origin" }, { .name = "user" }, { .name = "certificate_user" },
	{ .name = "client" }, { .name = "via" }, { .name = "local" }, { .name = "listener" },
	{ .name = "protocol" }, { .name = "helo" }, { .name = "tls_version" }, { .name = "tls_cipher" },
	{ .name = "state" }, { .name = "while" }, { .name = "leaving" }, { .name = "age" },
	{ .name = "idle" }, { .name = "bytes_up" }, { .name = "bytes_down" }, { .name = "servers" },
};

/* Names alone, or each with what it does. */
static void
tell_servers(struct report *report, const struct session_view *view, bool with_doing)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < view->leg_count; i++) {
		const struct session_view_leg *leg = &view->legs[i];

		buf_printf(&text, "%s%s", i > 0 ? with_doing ? ", " : "," : "", leg->server);
		if (with_doing)
			buf_printf(&text, " (%s)", leg->doing);
	}
	if (view->leg_count > 0)
		report_text(report, buf_slice(&text));
	else
		report_none(report);
	buf_clear(&text);
}

static void
tell_row(struct survey *survey, const struct session_view *view)
{
	struct report *report = &survey->report;

	report_word(report, view->id);
	report_word(report, view->user);
	report_addr(report, &view->client, false);
	report_word(report, view->listener);
	report_word(report, view->protocol);
	tell_servers(report, view, false);
	report_word(report, view->phase);
	report_word(report, view->doing);
	report_duration(report, view->age_ms);
	report_duration(report, view->idle_ms);
	report_word(report, view->tls_version);
	report_number(report, (int64_t)view->bytes_up);
	report_number(report, (int64_t)view->bytes_down);
}

static void
tell_detail(struct report *report, const struct session_view *view)
{
	report_word(report, view->id);
	report_word(report, view->origin);
	report_word(report, view->user);
	report_word(report, view->certificate_user);
	report_addr(report, &view->client, true);
	report_addr(report, &view->via, true);
	report_addr(report, &view->local, true);
	report_word(report, view->listener);
	report_word(report, view->protocol);
	report_word(report, view->helo);
	report_word(report, view->tls_version);
	report_word(report, view->tls_cipher);
	report_word(report, view->phase);
	report_word(report, view->doing);
	report_flag(report, view->is_leaving);
	report_duration(report, view->age_ms);
	report_duration(report, view->idle_ms);
	report_number(report, (int64_t)view->bytes_up);
	report_number(report, (int64_t)view->bytes_down);
	tell_servers(report, view, true);
}

/* For people, a record each; an array in JSON. */
static void
tell_record(struct survey *survey, const struct session_view *view)
{
	if (survey->report.is_json) {
		tell_detail(&survey->report, view);
		return;
	}
	report_begin(&survey->report, survey->call, REPORT_RECORD, detail_columns,
	    REPORT_COUNT(detail_columns));
	tell_detail(&survey->report, view);
	report_end(&survey->report);
}

static void
on_told(struct survey *survey)
{
	struct admin_call *call;

	if (survey->report.is_json || survey->each == tell_row)
		report_end(&survey->report);
	call = survey_end(&survey);
	call_done(call);
}

static void
on_list(struct survey *survey)
{
	report_begin(&survey->report, survey->call, REPORT_TABLE, list_columns, REPORT_COUNT(list_columns));
	survey_each(survey, tell_row, on_told);
}

static void
on_all(struct survey *survey)
{
	report_begin(&survey->report, survey->call, REPORT_TABLE, detail_columns,
	    REPORT_COUNT(detail_columns));
	survey_each(survey, tell_record, on_told);
}

static void
on_one(struct survey *survey)
{
	struct admin_call *call;

	if (survey->count == 0) {
		survey_fail(&survey, "Session not found.");
		return;
	}
	report_begin(&survey->report, survey->call, REPORT_RECORD, detail_columns,
	    REPORT_COUNT(detail_columns));
	tell_detail(&survey->report, survey->views[0]);
	report_end(&survey->report);
	call = survey_end(&survey);
	call_done(call);
}

static void
run_show_sess(struct admin_call *call)
{
	struct survey *survey = survey_new(call);
	bool is_all = call->count > 0 && strcmp(call->words[0], "all") == 0;

	survey->order.wants_local = is_all || call->count == 1;
	if (call->count == 1 && !is_all) {
		if (session_words_set(&survey, "session", call->words[0]))
			survey_start(survey, on_one);
	} else if (session_words_take(&survey, is_all)) {
		survey_start(survey, is_all ? on_all : on_list);
	}
}

const struct admin_command session_commands[] = {
	{
		.name = "show sess", .arguments = "[ID|all] " SESSION_WORDS_HELP,
		.level = ADMIN_LEVEL_OPERATOR, .has_json = true, .run = run_show_sess,
		.help = "Sessions, the oldest first; one or all of them with every detail. Words behind it "
		    "say which: `show sess user bob idle 10m`.",
	},
	{ 0 }
};
