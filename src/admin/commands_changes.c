/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_changes.c: where the run time and the file differ. */
#include "admin/changes.h"
#include "admin/command_tables.h"
#include "admin/report.h"

static const struct report_column columns[] = {
	{ .name = "kind" }, { .name = "subject" }, { .name = "what" }, { .name = "now" },
	{ .name = "in_file" }, { .name = "when" }, { .name = "who" }, { .name = "why" },
};

static const char *
or_none(const char *text)
{
	return *text != '\0' ? text : NULL;
}

static void
report_change(const struct told_change *change, void *arg)
{
	struct report *report = arg;

	report_word(report, change->kind);
	report_word(report, or_none(change->subject));
	report_word(report, change->what);
	report_word(report, or_none(change->now));
	report_word(report, or_none(change->in_file));
	report_time(report, change->when);
	report_word(report, or_none(change->who));
	report_word(report, or_none(change->why));
}

static void
run_show_changes(struct admin_call *call)
{
	struct report report;

	changes_look(call->cockpit->changes, NULL);
	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	changes_each(call->cockpit->changes, report_change, &report);
	report_end(&report);
	call_done(call);
}

const struct admin_command changes_commands[] = {
	{
		.name = "show "
		    "changes", .level = ADMIN_LEVEL_OPERATOR, .has_json = true, .run = run_show_changes,
		.help = "Where the process is not as its configuration says: since when, by whom and why. "
		    "With `state_file` all of it outlives a restart, but for the time of `drain SERVER "
		    "over`, which no session would be left for, and `move` and `overruled`; in a cluster, "
		    "states, weights and bounds of servers, and checks and agents that are off, are also "
		    "read from Redis again. "
		    "`move`: the last hundred users who were moved, bound still or not. `overruled`: the "
		    "last hundred that were set and hold no more, as the configuration has changed there.",
	},
	{ 0 }
};
