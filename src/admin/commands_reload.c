/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_reload.c: the configuration that is in force, and the next one. */
#include <stdio.h>
#include <sys/types.h>

#include "admin/cockpit.h"
#include "admin/command_tables.h"
#include "admin/report.h"
#include "base/log.h"
#include "daemon/reload.h"

static void
run_reload(struct admin_call *call)
{
	struct control *control = call->cockpit->control;

	log_write(LOG_NOTICE, "%s: reload", call->who);
	if (control->is_starting) {
		control->wants_reload = true;
		call_fail(call, "The first checks are under way: it is read anew behind them.");
		return;
	}
	reload_run(control);
	if (control->history.has_failed) {
		call_fail(call, "%s", control->history.result);
		return;
	}
	buf_printf(&call->out, "%s\n", control->history.result);
	call_done(call);
}

static void
run_show_reload(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ .name = "generation", .is_number = true }, { .name = "file" }, { .name = "hash" },
		{ .name = "loaded" }, { .name = "last_reload" }, { .name = "last_reload_failed" },
		{ .name = "result" },
	};
	const struct control *control = call->cockpit->control;
	const struct control_history *history = &control->history;
	struct report report;

	report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
	report_number(&report, history->generation);
	report_word(&report, control->config_path);
	report_word(&report, history->hash);
	report_time(&report, history->loaded_at);
	report_time(&report, history->tried_at);
	report_flag(&report, history->has_failed);
	report_word(&report, history->result);
	report_end(&report);
	call_done(call);
}

static ssize_t
append(void *out, const char *data, size_t n)
{
	buf_append(out, data, n);
	return (ssize_t)n;
}

static void
run_show_config(struct admin_call *call)
{
	static const struct report_column columns[] = { { .name = "config" } };
	struct buf text = { 0 };
	FILE *out = fopencookie(&text, "w", (cookie_io_functions_t){ .write = append });
	struct report report;

	if (out == NULL) {
		call_fail(call, "Out of memory.");
		return;
	}
	conf_print(call->cockpit->control->current->snapshot.conf, out);
	(void)fclose(out);
	if (call->wants_json) {
		report_begin(&report, call, REPORT_RECORD, columns, REPORT_COUNT(columns));
		report_text(&report, buf_slice(&text));
		report_end(&report);
	} else {
		buf_append_slice(&call->out, buf_slice(&text));
	}
	buf_clear(&text);
	call_done(call);
}

const struct admin_command reload_commands[] = {
	{
		.name = "reload", .level = ADMIN_LEVEL_ADMIN, .run = run_reload,
		.help = "Reads the configuration anew, as SIGHUP does, and tells what came of it: what is "
		    "new, or "
		    "every error with its place; then nothing has changed.",
	},
	{
		.name = "show "
		    "reload", .level = ADMIN_LEVEL_OPERATOR, .has_json = true, .run = run_show_reload,
		.help = "The configuration in force, and what came of the last reload. `hash` is the file's "
		    "SHA-256 "
		    "where it includes no others.",
	},
	{
		.name = "show config", .level = ADMIN_LEVEL_ADMIN, .has_json = true, .run = run_show_config,
		.help = "The effective configuration as `gatepost -T` prints it: defaults marked, secrets "
		    "masked.",
	},
	{ 0 }
};
