/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_trace.c: begins, lists and ends traces; who asked for one reads it until it is over. */
#include "admin/commands_trace.h"

#include <string.h>

#include "admin/cockpit.h"
#include "admin/command_tables.h"
#include "admin/report.h"
#include "auth/users.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "session/trace.h"

enum {
	MINUTES_DEFAULT = 10,
	HOURS_MAX = 24,
	UNREAD_MAX = 1024 * 1024	/* octets that an operator may leave unread; more lines are lost */
};

struct trace_item {
	struct list node;		/* in the cockpit's traces; unless it is over */
	struct cockpit *cockpit;
	struct trace trace;
	struct admin_call *call;	/* that shows it; NULL: to the log, or over */
	struct loop_timer timer;
	int64_t until;
	size_t unread;
	uint64_t lost;			/* octets that it did not read in time */
	char *target, *who;
};

static void
on_gone(struct trace *trace)
{
	struct trace_item *item = trace->owner;

	list_remove(&item->node);
	trace_free(trace);
	xfree(item->target);
	xfree(item->who);
	loop_defer(item->cockpit->control->loop, xfree, item);
}

static void
on_lines(struct trace *trace, struct slice lines)
{
	struct trace_item *item = trace->owner;
	struct admin_call *call = item->call;

	if (call == NULL)
		return;
	if (item->unread > UNREAD_MAX) {
		item->unread = call->on_more(call, slice_make(NULL, 0));
		item->lost += lines.len;
		return;
	}
	item->unread = call->on_more(call, lines);
}

/* It stays in the list until the workers have let go of it. */
static void
stop(struct trace_item *item, const char *why)
{
	uint64_t lines = atomic_load(&item->trace.lines);

	item->call = NULL;
	loop_timer_stop(item->cockpit->control->loop, &item->timer);
	log_write(LOG_NOTICE, "trace %u of %s by %s is over, %s: %llu lines", item->trace.number,
	    item->target, item->who, why, (unsigned long long)lines);
	trace_stop(&item->trace);
}

static bool
is_over(struct trace_item *item)
{
	return atomic_load(&item->trace.is_over);
}

static void
finish(struct trace_item *item, const char *why)
{
	struct admin_call *call = item->call;
	unsigned long long dropped = atomic_load(&item->trace.dropped), lost = item->lost;

	stop(item, why);
	if (call == NULL)
		return;
	buf_printf(&call->out, "The trace is over: %s.", why);
	if (dropped > 0)
		buf_printf(&call->out, " %llu lines were too many.", dropped);
	if (lost > 0)
		buf_printf(&call->out, " %llu octets were not read in time.", lost);
	buf_append_text(&call->out, "\n");
	call_done(call);
}

static void
on_time(struct loop_timer *timer)
{
	finish(loop_owner(timer, struct trace_item, timer), "its time is up");
}

static void
on_cancel(struct admin_call *call)
{
	stop(call->work, "the operator has left");
}

static size_t
count_traces(const struct cockpit *cockpit)
{
	size_t count = 0;

	list_each(node, &cockpit->traces)
		count++;
	return count;
}

/* What stands behind the name: `for 10m`, `to log`.  False: it has failed. */
static bool
read_options(struct admin_call *call, int64_t *ms, bool *to_log)
{
	struct duration duration = { .ms = INT64_C(60000) * MINUTES_DEFAULT };
	struct error error;

	*to_log = false;
	for (int i = 1; i < call->count; i++) {
		struct conf_words words = { .words = call->words, .count = (size_t)call->count };

		if (strcmp(call->words[i], "to") == 0 && i + 1 < call->count &&
		    strcmp(call->words[i + 1], "log") == 0) {
			*to_log = true;
			i++;
		} else if (strcmp(call->words[i], "for") == 0 && i + 1 < call->count &&
		    conf_words_duration(&words, (size_t)i + 1, &duration, &error) && duration.ms > 0 &&
		    duration.ms <= INT64_C(3600000) * HOURS_MAX) {
			i++;
		} else {
			call_fail(call, "A trace takes `for` and a time of up to %dh, and `to log`.",
			    HOURS_MAX);
			return false;
		}
	}
	*ms = duration.ms;
	return true;
}

static bool
may_trace(struct admin_call *call, bool to_log)
{
	if (count_traces(call->cockpit) >= TRACES_MAX)
		call_fail(call, "There are %d traces already: `trace off` ends them.", TRACES_MAX);
	else if (to_log && !log_wants(LOG_NOTICE))
		call_fail(call, "The log takes no notices: its level must be notice, info or debug.");
	else if (!to_log && (call->on_more == NULL || call->wants_json))
		call_fail(call, "The trace cannot be shown here: say `to log`.");
	else
		return true;
	return false;
}

/* Takes the user. */
static void
begin(struct admin_call *call, const char *kind, char *user, const struct network *network)
{
	struct control *control = call->cockpit->control;
	struct trace_item *item;
	bool to_log;
	int64_t ms;

	if (!read_options(call, &ms, &to_log) || !may_trace(call, to_log)) {
		xfree(user);
		return;
	}
	item = xcalloc(1, sizeof(*item));
	item->cockpit = call->cockpit;
	item->target = xasprintf("%s %s", kind, user != NULL ? user : call->words[0]);
	item->who = xstrdup(call->who);
	item->until = loop_now(control->loop) + ms;
	item->trace = (struct trace){ .number = ++call->cockpit->last_trace, .user = user, .to_log = to_log,
		.control = control->loop, .on_lines = on_lines, .on_gone = on_gone, .owner = item };
	if (network != NULL)
		item->trace.network = *network;
	item->trace.has_network = network != NULL;
	list_append(&call->cockpit->traces, &item->node);
	loop_timer_init(&item->timer, on_time);
	loop_timer_set(control->loop, &item->timer, item->until);
	log_write(LOG_NOTICE, "trace %u of %s is begun by %s for %lld s", item->trace.number, item->target,
	    item->who, (long long)(ms / 1000));
	trace_start(&item->trace, control->workers, control->assets.threads);
	if (to_log) {
		call_done(call);
		return;
	}
	item->call = call;
	call->work = item;
	call->on_cancel = on_cancel;
}

static void
run_trace_user(struct admin_call *call)
{
	char *user;

	if (call->count == 0 || *call->words[0] == '\0') {
		call_fail(call, "Which user?");
		return;
	}
	user = users_canonical(cockpit_root(call->cockpit)->users, slice_of(call->words[0]));
	begin(call, "user", user, NULL);
}

static void
run_trace_client(struct admin_call *call)
{
	struct network network;

	if (call->count == 0 || !network_parse(slice_of(call->words[0]), &network)) {
		call_fail(call, "Which client? An address, or a network like 192.0.2.0/24.");
		return;
	}
	begin(call, "client", NULL, &network);
}

static void
run_trace_off(struct admin_call *call)
{
	uint64_t number = 0;
	bool has_number = call->count == 1 && slice_to_number(slice_of(call->words[0]), UINT32_MAX, &number);
	bool is_found = false;

	if (call->count > 0 && !has_number) {
		call_fail(call, "Which trace? `show trace` has their numbers.");
		return;
	}
	list_each(node, &call->cockpit->traces) {
		struct trace_item *item = list_entry(node, struct trace_item, node);

		if (is_over(item) || (has_number && item->trace.number != number))
			continue;
		is_found = true;
		finish(item, "by an operator");
	}
	if (has_number && !is_found)
		call_fail(call, "There is no such trace.");
	else
		call_done(call);
}

static void
run_show_trace(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ "trace", true }, { "of", false }, { "to", false }, { "seconds_left", true },
		{ "lines", true }, { "dropped", true }, { "by", false },
	};
	int64_t now = loop_now(call->cockpit->control->loop);
	struct report report;

	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	list_each(node, &call->cockpit->traces) {
		struct trace_item *item = list_entry(node, struct trace_item, node);

		if (is_over(item))
			continue;
		report_number(&report, item->trace.number);
		report_text(&report, slice_of(item->target));
		report_word(&report, item->trace.to_log ? "log" : "console");
		report_number(&report, (item->until - now) / 1000);
		report_number(&report, (int64_t)atomic_load(&item->trace.lines));
		report_number(&report, (int64_t)atomic_load(&item->trace.dropped));
		report_text(&report, slice_of(item->who));
	}
	report_end(&report);
	call_done(call);
}

void
traces_free(struct cockpit *cockpit)
{
	list_each(node, &cockpit->traces) {
		struct trace_item *item = list_entry(node, struct trace_item, node);

		loop_timer_stop(cockpit->control->loop, &item->timer);
		on_gone(&item->trace);
	}
}

const struct admin_command trace_commands[] = {
	{
		.name = "trace user", .arguments = "NAME [for TIME] [to log]", .level = ADMIN_LEVEL_ADMIN,
		.run = run_trace_user,
		.help = "Shows what a user's sessions say, with client and server. For 10m by default, or "
			"until one leaves; or in the log. Of new sessions it begins with the answer to the "
			"credentials. Passwords and mail are not shown, nor more than 500 lines a second.",
	},
	{
		.name = "trace client", .arguments = "ADDRESS|NETWORK [for TIME] [to log]",
		.level = ADMIN_LEVEL_ADMIN, .run = run_trace_client,
		.help = "Shows what the sessions of some clients say, from their beginning.",
	},
	{
		.name = "trace off", .arguments = "[NUMBER]", .level = ADMIN_LEVEL_ADMIN,
		.run = run_trace_off,
		.help = "Ends one trace, or all.",
	},
	{
		.name = "show trace", .level = ADMIN_LEVEL_OPERATOR, .has_json = true, .run = run_show_trace,
		.help = "The traces under way.",
	},
	{ 0 }
};
