/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands_table.c: `show table`, `clear table`: what is remembered of clients and of users, as HAProxy tells
 * its stick tables.  Tables may be large: their rows are collected some at a time, a turn of the loop each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "access/penalty.h"
#include "admin/command_tables.h"
#include "admin/limit_table.h"
#include "admin/report.h"
#include "admin/target.h"
#include "base/log_line.h"
#include "base/xalloc.h"
#include "state/affinity.h"

enum { STEPS_A_TURN = 64, ASK_MS = 5000, NAME_MAX_SIZE = 256 };

static const char failures_name[] = "failed_logins";

/* A table, found by its name: of bindings, of limits, or else that of failures. */
struct subject {
	char name[NAME_MAX_SIZE];
	const char *type;
	size_t limit, used;
	struct affinity *bindings;
	const struct limits *limits;
	enum limit_table_kind kind;
};

/* The rows of one, on their way. */
struct lister {
	struct admin_call *call;
	struct loop *loop;
	struct loop_timer timer;		/* the next turn */
	const char *key;			/* wanted alone, or NULL */
	bool clears;				/* rows are forgotten, not told */
	struct buf forgiven;			/* struct limits_client: by one step */
	bool is_of_limits;
	struct limit_reader reader;		/* then */
	struct penalty *penalty;
	uint64_t cursor;
	struct affinity *bindings;		/* one reference, or NULL */
	struct affinity_request request;
	struct report report;
};

/* The i-th of those of limits, or what is left of i. */
static bool
limits_at(const struct admin_call *call, size_t *i, struct subject *subject)
{
	const struct control *control = call->cockpit->control;
	const struct conf_list *blocks = &control->current->root->limits;
	const struct limiter *limiter = control->assets.limiter;

	for (size_t j = 0; j < blocks->count * LIMIT_TABLE_KINDS; j++) {
		const struct limits *limits = blocks->items[j / LIMIT_TABLE_KINDS];
		enum limit_table_kind kind = (enum limit_table_kind)(j % LIMIT_TABLE_KINDS);
		const char *suffix = limit_table_suffix(limits, kind);

		if (suffix == NULL || (*i)-- > 0)
			continue;
		*subject = (struct subject){ .limits = limits, .kind = kind };
		snprintf(subject->name, sizeof(subject->name), "limits/%s%s", limits->conf.title, suffix);
		subject->type = kind == LIMIT_TABLE_CLIENTS ? "ip" : "string";
		subject->limit = kind == LIMIT_TABLE_CLIENTS ? limiter_max(limiter, LIMITER_RATES) : 0;
		return true;
	}
	return false;
}

/* The i-th of all; false: there are no more. */
static bool
subject_at(const struct admin_call *call, size_t i, struct subject *subject)
{
	const struct control *control = call->cockpit->control;
	const struct conf_list *farms = &control->current->root->farms;

	if (i == 0) {
		*subject = (struct subject){ .type = "ip", .limit = penalty_limit(),
			.used = penalty_count(control->assets.penalty) };
		snprintf(subject->name, sizeof(subject->name), "%s", failures_name);
		return true;
	}
	i--;
	if (limits_at(call, &i, subject))
		return true;
	for (size_t j = 0; j < farms->count; j++) {
		const struct farm *farm = farms->items[j];

		if (farm->bindings == NULL || i-- > 0)
			continue;
		*subject = (struct subject){ .type = "string", .used = affinity_count(farm->bindings),
			.bindings = farm->bindings };
		snprintf(subject->name, sizeof(subject->name), "%s", farm->conf.title);
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
	if (lister->clears) {
		buf_append(&lister->forgiven, &entry->client, sizeof(entry->client));
	} else if (lister->call->wants_json) {
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
	buf_clear(&lister->forgiven);
	limit_reader_close(&lister->reader);
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

	if (is_ok && call->wants_json && !lister->clears)
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

/* Bans are counted apart for each length of time that some limits look at. */
static void
forgive(struct lister *lister)
{
	const struct conf_list *blocks = &cockpit_root(lister->call->cockpit)->limits;
	struct slice rest = buf_slice(&lister->forgiven);
	struct limits_client client;

	for (; rest.len > 0; rest = slice_from(rest, sizeof(client))) {
		memcpy(&client, rest.data, sizeof(client));
		penalty_forgive(lister->penalty, &client, NULL, lister->loop);
		for (size_t i = 0; i < blocks->count; i++)
			penalty_forgive(lister->penalty, &client, blocks->items[i], lister->loop);
	}
	buf_clear(&lister->forgiven);
}

static void
tell_limits(const struct limit_row *row, void *arg)
{
	struct lister *lister = arg;

	if (!is_wanted(lister, buf_slice(&row->key)))
		return;
	if (lister->clears)
		limit_row_forget(row);
	else if (lister->call->wants_json)
		limit_row_report(row, &lister->report);
	else
		limit_row_write(row, &lister->call->out);
}

static void
walk_limits(struct lister *lister)
{
	int64_t now = loop_now(lister->loop);

	for (int i = 0; i < STEPS_A_TURN; i++) {
		if (!limit_reader_step(&lister->reader, now, tell_limits, lister)) {
			end(lister, true);
			return;
		}
	}
	loop_timer_set(lister->loop, &lister->timer, now);
}

static void
walk_failures(struct lister *lister)
{
	int64_t now = loop_now(lister->loop);

	for (int i = 0; i < STEPS_A_TURN; i++) {
		lister->cursor = penalty_walk(lister->penalty, lister->cursor, now, tell_failures, lister);
		forgive(lister);
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

	if (lister->is_of_limits)
		walk_limits(lister);
	else if (lister->bindings == NULL)
		walk_failures(lister);
	else if (lister->request.cursor != 0)
		ask(lister);
	else
		end(lister, true);
}

static const struct report_column *
columns_of(const struct subject *subject, size_t *count)
{
	static const struct report_column failures[] = {
		{ "client", false }, { "failures", true }, { "banned", false }, { "seconds_left", true },
	};
	static const struct report_column bindings[] = {
		{ "user", false }, { "server", false }, { "sessions", true },
	};

	if (subject->limits != NULL)
		return limit_table_columns(subject->kind, count);
	*count = subject->bindings == NULL ? REPORT_COUNT(failures) : REPORT_COUNT(bindings);
	return subject->bindings == NULL ? failures : bindings;
}

static void
tell_start(struct lister *lister, const struct subject *subject)
{
	size_t count;
	const struct report_column *columns = columns_of(subject, &count);

	if (lister->clears)
		return;
	if (!lister->call->wants_json)
		tell_head(lister->call, subject);
	else
		report_begin(&lister->report, lister->call, REPORT_TABLE, columns, count);
}

static void
start(struct admin_call *call, const struct subject *subject, const char *key, bool clears)
{
	struct control *control = call->cockpit->control;
	struct lister *lister = xcalloc(1, sizeof(*lister));

	lister->call = call;
	lister->loop = control->loop;
	lister->key = key;
	lister->clears = clears;
	lister->penalty = control->assets.penalty;
	lister->is_of_limits = subject->limits != NULL;
	lister->bindings = subject->bindings != NULL ? affinity_get(subject->bindings) : NULL;
	if (lister->is_of_limits)
		limit_reader_open(&lister->reader, subject->limits, subject->kind, control->assets.limiter);
	loop_timer_init(&lister->timer, on_turn);
	tell_start(lister, subject);
	call->work = lister;
	call->on_cancel = on_cancel;
	if (lister->bindings != NULL)
		ask(lister);
	else
		on_turn(&lister->timer);
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

/* By the call's first word; false: the call has failed. */
static bool
find_subject(struct admin_call *call, struct subject *subject)
{
	for (size_t i = 0; subject_at(call, i, subject); i++)
		if (strcmp(subject->name, call->words[0]) == 0)
			return true;
	call_fail(call, "No such table");
	return false;
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
	if (!find_subject(call, &subject) || !take_key(call, &key))
		return;
	if (call->level >= ADMIN_LEVEL_OPERATOR) {
		start(call, &subject, key, false);
	} else if (call->wants_json) {
		call_fail(call, "Permission denied");
	} else {
		tell_head(call, &subject);
		call_done(call);
	}
}

static void
run_clear_table(struct admin_call *call)
{
	struct subject subject;
	const char *key;

	if (call->count == 0) {
		call_fail(call, "Table name expected");
		return;
	}
	if (!find_subject(call, &subject) || !take_key(call, &key))
		return;
	if (subject.bindings != NULL)
		call_fail(call, "Bindings are not cleared: `user NAME move SERVER` changes one.");
	else if (subject.limits != NULL && subject.kind != LIMIT_TABLE_CLIENTS)
		call_fail(call, "Sessions count as long as they last: `kick user` ends them.");
	else
		start(call, &subject, key, true);
}

const struct admin_command table_commands[] = {
	{
		.name = "show table", .arguments = "[NAME [key KEY]]", .has_json = true,
		.run = run_show_table,
		.help = "The tables, or for operators what is in one. `failed_logins` has the addresses "
		    "that failed to log in or are banned, and is counted with users, which are not shown: "
		    "they are kept as hashes. `limits/NAME` has what the block of that name counts of each "
		    "client: connections now, and how much of each rate is used up; `limits/NAME/users` "
		    "and `limits/NAME/user_clients` the sessions of users. A farm's has the users who are "
		    "bound to its servers, and how many sessions they have.",
	},
	{
		.name = "clear table", .arguments = "NAME [key KEY]", .level = ADMIN_LEVEL_ADMIN,
		.run = run_clear_table,
		.help = "Forgets what is in a table, or one key of it: of `failed_logins` failures and "
		    "bans, of `limits/NAME` rates. Who is connected stays counted.",
	},
	{ 0 }
};
