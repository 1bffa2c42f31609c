/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_help.c: what can be asked for, who asks, and which program answers. */
#include <stdio.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/report.h"

enum { USAGE_MAX = 160 };

void
admin_command_usage(const struct admin_command *row, struct buf *out)
{
	const char *end = strchr(row->help, '.');
	size_t sentence = end != NULL ? (size_t)(end - row->help) : strlen(row->help);
	char usage[USAGE_MAX];

	snprintf(usage, sizeof(usage), "%s%s%s", row->name, row->arguments != NULL ? " " : "",
	    row->arguments != NULL ? row->arguments : "");
	buf_printf(out, "  %-46s : %.*s\n", usage, (int)sentence, row->help);
}

static bool
has_word(const struct admin_command *row, const struct admin_call *call)
{
	struct slice name = slice_of(row->name), word;
	int i = 0;

	while (i < call->count && (word = slice_word(&name)).len > 0)
		if (!slice_has_prefix(word, call->words[i++]))
			return false;
	return i == call->count;
}

/* What gatepostctl completes from and knows commands by; "" where a command has no arguments. */
static void
report_help(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ .name = "name" }, { .name = "arguments" }, { .name = "level" }, { .name = "has_json" },
		{ .name = "help" },
	};
	const struct admin_command *row;
	struct report report;

	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++) {
		if (!has_word(row, call))
			continue;
		report_word(&report, row->name);
		report_word(&report, row->arguments != NULL ? row->arguments : "");
		report_word(&report, admin_level_text(row->level));
		report_flag(&report, row->has_json);
		report_word(&report, row->help);
	}
	report_end(&report);
	call_done(call);
}

static void
run_help(struct admin_call *call)
{
	const struct admin_command *row;

	if (call->wants_json) {
		report_help(call);
		return;
	}
	if (call->count == 0)
		buf_append_text(&call->out, "With the word json behind them, show commands answer so.\n");
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++)
		if (has_word(row, call))
			admin_command_usage(row, &call->out);
	if (buf_len(&call->out) == 0)
		call_fail(call, "There is no such command.");
	else
		call_done(call);
}

static void
run_show_version(struct admin_call *call)
{
	static const struct report_column columns[] = { { .name = "version" } };
	struct report report;

	if (!call->wants_json) {
		buf_append_text(&call->out, GATEPOST_VERSION "\n");
		call_done(call);
		return;
	}
	report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_word(&report, GATEPOST_VERSION);
	report_end(&report);
	call_done(call);
}

static void
run_show_level(struct admin_call *call)
{
	buf_printf(&call->out, "%s\n", admin_level_text(call->level));
	call_done(call);
}

const struct admin_command help_commands[] = {
	{
		.name = "help", .arguments = "[WORD…]", .has_json = true, .run = run_help,
		.help = "Commands, or those that begin with these words.",
	},
	{
		.name = "show version", .has_json = true, .run = run_show_version,
		.help = "The version of the program.",
	},
	{
		.name = "show cli level", .run = run_show_level,
		.help = "What may be asked here: user, operator or admin.",
	},
	{ 0 }
};
