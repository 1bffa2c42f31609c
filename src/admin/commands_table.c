/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands_table.c: `show table`: what is remembered of clients and of users, as HAProxy tells its stick
 * tables.  Tables may be large: their rows are collected some at a time, a turn of the loop each.
 */
#include <inttypes.h>
#include <string.h>

#include "access/penalty.h"
#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/target.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "state/affinity.h"

enum { STEPS_A_TURN = 64, ASK_MS = 5000 };

static const char failures_name[] = "failed_logins";

/* A table, found by its name; without bindings it is that of failures. */
struct subject {
	const char *name, *type;
	size_t limit, used;
	struct affinity *bindings;
};

/* The rows of one, on their way. */
struct lister {
	struct admin_call *call;
	struct loop *loop;
	struct loop_timer timer;		/* the next turn */
	const char *key;			/* wanted alone, or NULL */
	struct penalty *penalty;
	uint64_t cursor;
	struct affinity *bindings;		/* one reference, or NULL */
	struct affinity_request request;
	struct report report;
};

/* The i-th of all; false: there are no more. */
static bool
subject_at(const struct admin_call *call, size_t i, struct subject *subject)
{
	const struct control *control = call->cockpit->control;
	const struct conf_list *farms = &control->current->root->farms;

	if (i == 0) {
		*subject = (struct subject){ failures_name, "ip", penalty_limit(),
			penalty_count(control->assets.penalty), NULL };
		return true;
	}
	for (size_t j = 0; j < farms->count; j++) {
		const struct farm *farm = farms->items[j];

		if (farm->bindings == NULL || --i > 0)
			continue;
		*subject = (struct subject){ farm->conf.title, "string", 0, affinity_count(farm->bindings),
			farm->bindings };
		return true;
	}
	return false;
}

static void
tell_head(struct admin_call *call, const struct subject *subject)
{
	/* without a bound it is as large as it is */
	size_t size = subject->limit > 0 ? subject->limit : subject->used;

	buf_printf(&call->out, "# table: %s, type: %s, size:%zu, used:%zu\n", subject->name, subject->type,
	    size, subject->used);
}

static void
tell_heads(struct admin_call *call)
{
	static const struct report_column columns[] = {
		{ "table", false }, { "type", false }, { "used", true }, { "limit", true },
	};
	struct subject subject;
	struct report report;

	if (call->wants_json)
		report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	for (size_t i = 0; subject_at(call, i, &subject); i++) {
		if (!call->wants_json) {
			tell_head(call, &subject);
			continue;
		}
		report_word(&report, subject.name);
		report_word(&report, subject.type);
		report_number(&report, (int64_t)subject.used);
		report_number(&report, (int64_t)subject.limit);
	}
	if (call->wants_json)
		report_end(&report);
	call_done(call);
}

static bool
is_wanted(const struct lister *lister, struct slice key)
{
	return lister->key == NULL || slice_equals(key, lister->key);
}

static void
tell_failures(const struct penalty_entry *entry, void *arg)
{
	struct lister *lister = arg;
	char text[LIMITS_CLIENT_TEXT_MAX];

	limits_client_text(&entry->client, text);
	if (!is_wanted(lister, slice_of(text)))
		return;
	if (lister->call->wants_json) {
		report_word(&lister->report, text);
		report_number(&lister->report, entry->failures);
		report_flag(&lister->report, entry->is_banned);
		report_number(&lister->report, entry->left_ms / 1000);
	} else {
		buf_printf(&lister->call->out,
		    "0x1: key=%s use=0 exp=%" PRId64 " failures=%" PRId64 " banned=%d\n", text,
		    entry->left_ms, entry->failures, entry->is_banned);
	}
}

static void
on_binding(struct affinity_request *request, struct slice user, const struct affinity_binding *binding,
    int sessions)
{
	struct lister *lister = loop_owner(request, struct lister, request);

	if (!is_wanted(lister, user))
		return;
	if (lister->call->wants_json) {
		report_text(&lister->report, user);
		report_word(&lister->report, binding->server);
		report_number(&lister->report, sessions);
	} else {
		buf_append_text(&lister->call->out, "0x1: key=");
		log_line_quote(user, &lister->call->out);
		buf_printf(&lister->call->out, " use=%d exp=0 server_key=%s\n", sessions, binding->server);
	}
}

static void
free_lister(void *object)
{
	struct lister *lister = object;

	affinity_put(&lister->bindings);
	buf_clear(&lister->report.cells);
	xfree(lister);
}

static void
stop(struct lister *lister)
{
	loop_timer_stop(lister->loop, &lister->timer);
	if (lister->bindings != NULL)
		affinity_cancel(&lister->request);
	loop_defer(lister->loop, free_lister, lister);
}

static void
on_cancel(struct admin_call *call)
{
	stop(call->work);
}

static void
end(struct lister *lister, bool is_ok)
{
	struct admin_call *call = lister->call;

	if (is_ok && call->wants_json)
		report_end(&lister->report);
	stop(lister);
	if (is_ok)
		call_done(call);
	else
		call_fail(call, "The bindings cannot be had now.");
}

static void
on_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct lister *lister = loop_owner(request, struct lister, request);

	if (answer != AFFINITY_BOUND)
		end(lister, false);
	else
		loop_timer_set(lister->loop, &lister->timer, loop_now(lister->loop));
}

/* What a request is told stays in it, so that each begins anew but for the cursor. */
static void
ask(struct lister *lister)
{
	lister->request = (struct affinity_request){
		.loop = lister->loop, .deadline = loop_now(lister->loop) + ASK_MS, .on_answer = on_answer,
		.on_binding = on_binding, .cursor = lister->request.cursor,
	};
	affinity_list(lister->bindings, &lister->request);
}

static void
walk_failures(struct lister *lister)
{
	int64_t now = loop_now(lister->loop);

	for (int i = 0; i < STEPS_A_TURN; i++) {
		lister->cursor = penalty_walk(lister->penalty, lister->cursor, now, tell_failures, lister);
		if (lister->cursor == 0) {
			end(lister, true);
			return;
		}
	}
	loop_timer_set(lister->loop, &lister->timer, now);
}

static void
on_turn(struct loop_timer *timer)
{
	struct lister *lister = loop_owner(timer, struct lister, timer);

	if (lister->bindings == NULL)
		walk_failures(lister);
	else if (lister->request.cursor != 0)
		ask(lister);
	else
		end(lister, true);
}

static void
start(struct admin_call *call, const struct subject *subject, const char *key)
{
	static const struct report_column failures[] = {
		{ "client", false }, { "failures", true }, { "banned", false }, { "seconds_left", true },
	};
	static const struct report_column bindings[] = {
		{ "user", false }, { "server", false }, { "sessions", true },
	};
	struct lister *lister = xcalloc(1, sizeof(*lister));
	bool is_failures = subject->bindings == NULL;

	lister->call = call;
	lister->loop = call->cockpit->control->loop;
	lister->key = key;
	lister->penalty = call->cockpit->control->assets.penalty;
	lister->bindings = is_failures ? NULL : affinity_get(subject->bindings);
	loop_timer_init(&lister->timer, on_turn);
	if (!call->wants_json)
		tell_head(call, subject);
	else
		report_begin(&lister->report, call, REPORT_TABLE, is_failures ? failures : bindings,
		    is_failures ? REPORT_COUNT(failures) : REPORT_COUNT(bindings));
	call->work = lister;
	call->on_cancel = on_cancel;
	if (is_failures)
		walk_failures(lister);
	else
		ask(lister);
}

/* NULL: no key is given; false: the call has failed. */
static bool
take_key(struct admin_call *call, const char **key)
{
	*key = NULL;
	if (call->count < 2)
		return true;
	if (strcmp(call->words[1], "key") != 0)
		call_fail(call, "Rows are chosen by `key` alone.");
	else if (call->count < 3)
		call_fail(call, "Key value expected");
	else
		*key = call->words[2];
	return *key != NULL;
}

static void
run_show_table(struct admin_call *call)
{
	struct subject subject;
	const char *key;

	if (call->count == 0) {
		tell_heads(call);
		return;
	}
	for (size_t i = 0; subject_at(call, i, &subject); i++) {
		if (strcmp(subject.name, call->words[0]) != 0)
			continue;
		if (!take_key(call, &key))
			return;
		if (call->level >= ADMIN_LEVEL_OPERATOR) {
			start(call, &subject, key);
		} else if (call->wants_json) {
			call_fail(call, "Permission denied");
		} else {
			tell_head(call, &subject);
			call_done(call);
		}
		return;
	}
	call_fail(call, "No such table");
}

const struct admin_command table_commands[] = {
	{
		.name = "show table", .arguments = "[NAME [key KEY]]", .has_json = true,
		.run = run_show_table,
		.help = "The tables, or for operators what is in one. `failed_logins` has the addresses "
		    "that failed to log in or are banned, and is counted with users, which are not shown: "
		    "they are kept as hashes. A farm's has the users who are bound to its servers, and how "
		    "many sessions they have.",
	},
	{ 0 }
};
