/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_drain.c: servers that are to have no new sessions, or none at all, and how far that is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/server_set.h"
#include "balance/endpoint.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_line.h"
#include "conf/directive.h"

enum { OVER_MAX_MS = 7 * 24 * 3600 * 1000 };

/* What stands behind a server's name. */
struct order {
	const char *server;
	const char *over;		/* as it was written; NULL: nobody is told to go */
	int64_t over_ms;
	const char *reason;		/* or "" */
};

static bool
parse_duration(const char *word, int64_t *ms, struct error *error)
{
	const char *words[] = { word };
	const bool quoted[] = { false };
	struct conf_words one = { .words = words, .quoted = quoted, .count = 1 };
	struct duration duration = { 0 };

	if (!conf_words_duration(&one, 0, &duration, error))
		return false;
	*ms = duration.ms;
	if (duration.ms < 0 || duration.ms > OVER_MAX_MS)
		return error_set(error, "takes a time of at most 7d");
	return true;
}

/* False: the call has failed. */
static bool
parse_order(struct admin_call *call, bool may_take_time, struct order *order)
{
	struct error error;

	*order = (struct order){ .server = call->words[0], .reason = "" };
	if (call->count == 0) {
		call_fail(call, "Which server?");
		return false;
	}
	for (int i = 1; i < call->count; i += 2) {
		const char *word = call->words[i], *value = call->words[i + 1];

		if (value != NULL && strcmp(word, "reason") == 0) {
			order->reason = value;
		} else if (value != NULL && may_take_time && strcmp(word, "over") == 0) {
			order->over = value;
			if (parse_duration(value, &order->over_ms, &error))
				continue;
			call_fail(call, "over: %s.", error.text);
			return false;
		} else {
			call_fail(call, "'%s' is not understood: %s reason \"TEXT\" may stand there.", word,
			    may_take_time ? "over TIME and" : "only");
			return false;
		}
	}
	return true;
}

static void
log_order(const struct admin_call *call, const char *verb, const struct order *order)
{
	log_write(LOG_NOTICE, "%s: %s %s%s%s%s%s", call->who, verb, order->server,
	    order->over != NULL ? " over " : "", order->over != NULL ? order->over : "",
	    *order->reason != '\0' ? ": " : "", order->reason);
}

static void
send_away(const struct server_set *set, int64_t over_ms)
{
	const struct leaving_order order = {
		.kind = LEAVING_ALL, .from = clock_ms(), .until = clock_ms() + over_ms,
	};

	for (size_t i = 0; i < set->endpoint_count; i++)
		endpoint_set_leaving(set->endpoints[i], &order);
}

/* The same drain without a time: who was to go later may stay. */
static void
let_stay(const struct server_set *set)
{
	static const struct leaving_order none = { .kind = LEAVING_NOT };

	for (size_t i = 0; i < set->endpoint_count; i++)
		endpoint_set_leaving(set->endpoints[i], &none);
}

/* Printable, whatever the operator's terminal has sent. */
static void
write_why(const struct admin_call *call, const char *verb, const char *reason, char out[STANDING_WHY_MAX])
{
	struct buf text = { 0 };

	if (slice_is_printable(slice_of(reason)))
		buf_append_text(&text, reason);
	else
		log_line_quote(slice_of(reason), &text);
	snprintf(out, STANDING_WHY_MAX, "%s by %s%s%.*s", verb, call->who, *reason != '\0' ? ": " : "",
	    SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
}

static void
set_state(struct admin_call *call, enum admin_state state, const char *verb)
{
	char why[STANDING_WHY_MAX];
	struct server_set set;
	struct order order;

	if (!parse_order(call, state == ADMIN_DRAIN, &order) || !server_set_find(call, order.server, &set))
		return;
	write_why(call, verb, order.reason, why);
	server_set_admin(&set, state, why);
	if (order.over != NULL)
		send_away(&set, order.over_ms);
	else if (state == ADMIN_DRAIN)
		let_stay(&set);
	log_order(call, verb, &order);
	server_set_clear(&set);
	call_done(call);
}

static void
run_drain(struct admin_call *call)
{
	set_state(call, ADMIN_DRAIN, "drain");
}

static void
run_maintenance(struct admin_call *call)
{
	set_state(call, ADMIN_MAINTENANCE, "maintenance");
}

static void
run_ready(struct admin_call *call)
{
	set_state(call, ADMIN_READY, "ready");
}

/* The strictest word, and whose it is. */
static const struct standing *
strictest(const struct machine_facts *machine, const struct endpoint_facts *endpoint)
{
	const struct standing *best = &endpoint->admin;

	if (machine->admin.state >= best->state)
		best = &machine->admin;
	if (machine->agent_admin.state > best->state)
		best = &machine->agent_admin;
	return best;
}

static const struct report_column columns[] = {
	{ .name = "server" }, { .name = "state" }, { .name = "sessions_left", .is_number = true },
	{ .name = "told", .is_number = true }, { .name = "seconds_to_go", .is_number = true },
	{ .name = "why" },
};

static void
report_drain(struct report *report, struct endpoint *e)
{
	struct machine_facts machine;
	struct endpoint_facts facts;
	struct leaving_order order;
	const struct standing *standing;

	machine_read(e->machine, &machine);
	endpoint_read(e, &facts);
	endpoint_read_leaving(e, &order);
	standing = strictest(&machine, &facts);
	report_word(report, e->name);
	report_word(report, admin_state_text((enum admin_state)standing->state));
	report_number(report, endpoint_load(e).connections);
	if (order.kind == LEAVING_ALL) {
		int64_t left_ms = order.until - clock_ms();

		report_number(report, endpoint_count_left(e));
		report_number(report, left_ms > 0 ? (left_ms + 999) / 1000 : 0);
	} else {
		report_none(report);
		report_none(report);
	}
	report_word(report, *standing->why != '\0' ? standing->why : NULL);
}

static void
run_show_drain(struct admin_call *call)
{
	struct server_set set;
	struct report report;

	if (call->count == 0)
		server_set_find_drained(call->cockpit, &set);
	else if (!server_set_find(call, call->words[0], &set))
		return;
	report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	for (size_t i = 0; i < set.endpoint_count; i++)
		report_drain(&report, set.endpoints[i]);
	report_end(&report);
	server_set_clear(&set);
	call_done(call);
}

const struct admin_command drain_commands[] = {
	{
		.name = "drain", .arguments = "SERVER [over TIME] [reason TEXT]", .level = ADMIN_LEVEL_ADMIN,
		.run = run_drain,
		.help = "A server gets no new sessions. Users who are bound there stay and may come back, "
		    "unless "
		    "`over` has all go: each user's sessions at a time of their own, others the quiet ones "
		    "first, never in the middle of an answer; who was bound is bound elsewhere then. SERVER "
		    "is "
		    "d03 or FARM/d03 with all services, or POOL/d03.",
	},
	{
		.name = "maintenance", .arguments = "SERVER [reason TEXT]", .level = ADMIN_LEVEL_ADMIN,
		.run = run_maintenance,
		.help = "A server gets no sessions at all. Those it has are told to go over `close_spread`, "
		    "and "
		    "its users are bound elsewhere.",
	},
	{
		.name = "ready", .arguments = "SERVER [reason TEXT]", .level = ADMIN_LEVEL_ADMIN,
		.run = run_ready,
		.help = "A server takes sessions again. Whoever was to leave it later stays.",
	},
	{
		.name = "show drain", .arguments = "[SERVER]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .run = run_show_drain,
		.help = "How many sessions drained servers have left. `told`: how many have gone since "
		    "`over` was "
		    "said.",
	},
	{ 0 }
};
