/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_state.c: servers, pools and sockets, in the lines that HAProxy has for them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/target.h"
#include "balance/endpoint_state.h"
#include "balance/member.h"
#include "base/clock.h"
#include "health/watch.h"
#include "session/listener_kept.h"
#include "session/listener_settings.h"
#include "session/worker.h"

/* A server of a pool, with what is known of it. */
struct view {
	const struct pool *pool;
	size_t pool_number, number;		/* be_id and srv_id */
	struct endpoint *endpoint;
	const struct member *member;
	const struct watch *watch;		/* its first check; NULL: it has none */
	struct endpoint_facts facts;
	struct machine_facts machine;
	struct addr addr;
};

enum { DATE_MAX = 40 };

/* As HAProxy numbers them in this command. */
enum { STOPPED, STARTING, RUNNING };
enum {
	FORCED_MAINTENANCE = 1, INHERITED_MAINTENANCE = 2, CONFIGURED_MAINTENANCE = 4, FORCED_DRAIN = 8,
	INHERITED_DRAIN = 16, WITHOUT_ADDRESS = 32
};
enum { CHECK_UNDER_WAY = 1, CHECK_CONFIGURED = 2, CHECK_ENABLED = 4, CHECK_IS_AGENTS = 16 };
enum { RESULT_UNKNOWN, RESULT_FAILED = 2, RESULT_PASSED = 3 };

static const int check_numbers[CHECK_CODE_COUNT] = {
	[CHECK_CODE_UNK] = 0, [CHECK_CODE_INI] = 1, [CHECK_CODE_SOCKERR] = 5, [CHECK_CODE_L4OK] = 6,
	[CHECK_CODE_L4TOUT] = 7, [CHECK_CODE_L4CON] = 8, [CHECK_CODE_L6OK] = 9, [CHECK_CODE_L6TOUT] = 10,
	[CHECK_CODE_L6RSP] = 11, [CHECK_CODE_L7TOUT] = 12, [CHECK_CODE_L7RSP] = 13, [CHECK_CODE_L7OK] = 15,
	[CHECK_CODE_L7STS] = 17,
};

static struct view
view_of(const struct admin_call *call, const struct pool *pool, size_t pool_number, size_t i)
{
	struct view view = {
		.pool = pool, .pool_number = pool_number, .number = i + 1, .endpoint = pool->endpoints[i],
		.member = &pool->members[i],
		.watch = health_watch(call->cockpit->control->assets.health, pool->endpoints[i], 0),
		.addr = endpoint_addr(pool->endpoints[i]),
	};

	if (view.watch != NULL && view.watch->is_once)
		view.watch = NULL;
	endpoint_read(view.endpoint, &view.facts);
	machine_read(view.endpoint->machine, &view.machine);
	return view;
}

/* tell(view, arg) for each server of the pool that the command names, or of all; false: it has failed. */
static bool
each_server(struct admin_call *call, void (*tell)(const struct view *view, void *arg), void *arg)
{
	const struct root *root = cockpit_root(call->cockpit);
	const struct pool *wanted = NULL;

	if (call->count > 0) {
		wanted = find_pool(root, slice_of(call->words[0]));
		if (wanted == NULL) {
			call_fail(call, "Can't find backend.");
			return false;
		}
	}
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; (wanted == NULL || pool == wanted) && j < pool->endpoint_count; j++) {
			struct view view = view_of(call, pool, root->listeners.count + i + 1, j);

			tell(&view, arg);
		}
	}
	return true;
}

static int
admin_bits(const struct view *view)
{
	const struct standing *machine = &view->machine.admin;
	bool is_configured = strcmp(machine->why, "configured") == 0;
	int bits = 0;

	if (view->facts.admin.state == ADMIN_MAINTENANCE ||
	    view->machine.agent_admin.state == ADMIN_MAINTENANCE)
		bits |= FORCED_MAINTENANCE;
	if (view->facts.admin.state == ADMIN_DRAIN || view->machine.agent_admin.state == ADMIN_DRAIN)
		bits |= FORCED_DRAIN;
	if (machine->state == ADMIN_MAINTENANCE)
		bits |= is_configured ? CONFIGURED_MAINTENANCE : INHERITED_MAINTENANCE;
	if (machine->state == ADMIN_DRAIN)
		bits |= INHERITED_DRAIN;
	if (view->facts.health.state == HEALTH_UNRESOLVED)
		bits |= WITHOUT_ADDRESS;
	return bits;
}

static int
operational_state(const struct view *view)
{
	if (atomic_load(&view->endpoint->flags) != 0)
		return STOPPED;
	return view->facts.slow_start_percent < 100 ? STARTING : RUNNING;
}

static int64_t
seconds_since_change(const struct admin_call *call, const struct view *view)
{
	const struct standing *standings[] = {
		&view->facts.health, &view->facts.admin, &view->machine.admin, &view->machine.agent_admin,
		&view->machine.agent_down
	};
	int64_t last = call->cockpit->started_at;

	for (size_t i = 0; i < sizeof(standings) / sizeof(standings[0]); i++)
		if (standings[i]->since > last)
			last = standings[i]->since;
	return (clock_ms() - last) / 1000;
}

static int
check_result(const struct view *view)
{
	if (view->watch == NULL || !check_code_is_verdict(view->watch->result.code))
		return RESULT_UNKNOWN;
	return check_code_is_good(view->watch->result.code) ? RESULT_PASSED : RESULT_FAILED;
}

/* HAProxy's one number of rise and fall: down below rise, up from there to rise + fall - 1. */
static int64_t
check_health(const struct view *view)
{
	const struct check_settings *settings;

	if (view->watch == NULL)
		return 0;
	settings = view->watch->order.settings;
	if (view->watch->verdict.state == HEALTH_DOWN)
		return view->watch->verdict.streak;
	return settings->rise + settings->fall - 1 - view->watch->verdict.streak;
}

static int
check_state(const struct view *view)
{
	int state = CHECK_CONFIGURED;

	if (view->watch == NULL)
		return 0;
	if (!atomic_load(&view->endpoint->checks_are_off))
		state |= CHECK_ENABLED;
	return state | (view->watch->began_at != 0 ? CHECK_UNDER_WAY : 0);
}

static int
agent_state(const struct view *view)
{
	if (view->member->server->agent.text == NULL)
		return 0;
	return CHECK_IS_AGENTS | CHECK_CONFIGURED |
	    (atomic_load(&view->endpoint->machine->agent_is_off) ? 0 : CHECK_ENABLED);
}

#define STATE_COLUMNS(row) \
	row(be_id) row(be_name) row(srv_id) row(srv_name) row(srv_addr) row(srv_op_state) \
	row(srv_admin_state) row(srv_uweight) row(srv_iweight) row(srv_time_since_last_change) \
	row(srv_check_status) row(srv_check_result) row(srv_check_health) row(srv_check_state) \
	row(srv_agent_state) row(bk_f_forced_id) row(srv_f_forced_id) row(srv_fqdn) row(srv_port) \
	row(srvrecord) row(srv_use_ssl) row(srv_check_port) row(srv_check_addr) row(srv_agent_addr) \
	row(srv_agent_port)
#define STATE_COLUMN(name) { #name, false },
#define STATE_HEAD(name) " " #name

static const struct report_column state_columns[] = { STATE_COLUMNS(STATE_COLUMN) };

/* One command's answer: JSON by the report, text in HAProxy's way, where "-" is nothing. */
struct states {
	struct admin_call *call;
	struct report report;
};

static void
number(struct states *states, int64_t value)
{
	if (states->call->wants_json)
		report_number(&states->report, value);
	else
		buf_printf(&states->call->out, "%" PRId64 " ", value);
}

static void
word(struct states *states, const char *text)
{
	if (states->call->wants_json)
		report_word(&states->report, text);
	else
		buf_printf(&states->call->out, "%s ", text != NULL ? text : "-");
}

static void
tell_identity(const struct view *view, struct states *states)
{
	char text[ADDR_TEXT_MAX];

	number(states, (int64_t)view->pool_number);
	word(states, view->pool->conf.title);
	number(states, (int64_t)view->number);
	word(states, view->endpoint->server);
	word(states, view->addr.sa.sa_family != AF_UNSPEC ? addr_host(&view->addr, text) : NULL);
}

static void
tell_checks(const struct view *view, struct states *states)
{
	number(states, check_numbers[view->watch != NULL ? view->watch->result.code : CHECK_CODE_INI]);
	number(states, check_result(view));
	number(states, check_health(view));
	number(states, check_state(view));
	number(states, agent_state(view));
}

static void
tell_places(const struct view *view, struct states *states)
{
	const struct server *server = view->member->server;
	const struct check_settings *settings = view->watch != NULL ? view->watch->order.settings : NULL;
	bool has_agent = server->agent.text != NULL;
	char text[ADDR_TEXT_MAX];

	word(states, server->srv == NULL ? server_host(server) : NULL);
	number(states, addr_port(&view->addr));
	word(states, server->srv);
	number(states, view->pool->tls_client != NULL);
	number(states, settings != NULL ? settings->port : 0);
	word(states, NULL);
	word(states, has_agent ? addr_host(&server->agent.addr, text) : NULL);
	number(states, has_agent ? addr_port(&server->agent.addr) : 0);
}

static void
tell_state(const struct view *view, void *arg)
{
	struct states *states = arg;

	tell_identity(view, states);
	number(states, operational_state(view));
	number(states, admin_bits(view));
	number(states, view->machine.weight);
	number(states, view->machine.configured_weight);
	number(states, seconds_since_change(states->call, view));
	tell_checks(view, states);
	number(states, 0);
	number(states, 0);
	tell_places(view, states);
	if (!states->call->wants_json) {
		buf_truncate(&states->call->out, buf_len(&states->call->out) - 1);
		buf_append_text(&states->call->out, "\n");
	}
}

static void
run_show_servers_state(struct admin_call *call)
{
	struct states states = { .call = call };

	if (call->wants_json)
		report_begin(&states.report, call, REPORT_TABLE, state_columns, REPORT_COUNT(state_columns));
	else
		buf_append_text(&call->out, "1\n#" STATE_COLUMNS(STATE_HEAD) "\n");
	if (!each_server(call, tell_state, &states))
		return;
	if (call->wants_json)
		report_end(&states.report);
	call_done(call);
}

#define CONNECTIONS_HEAD \
	"# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb " \
	"idle_lim idle_cur idle_per_thr[1]\n"

static const struct report_column connection_columns[] = {
	{ "pool", false }, { "server", false }, { "addr", false }, { "connections", true },
	{ "dialling", true }, { "max_connections", true },
};

/* What is kept idle for others to use is HAProxy's alone, and so 0. */
static void
tell_connections_line(const struct view *view, struct buf *out)
{
	int connections = atomic_load(&view->endpoint->connections);
	char text[ADDR_TEXT_MAX];

	buf_printf(out, "%s %zu/%zu %s %u - 0 %d %d %d 0 0 -1 0 0\n", view->endpoint->name, view->pool_number,
	    view->number, view->addr.sa.sa_family != AF_UNSPEC ? addr_host(&view->addr, text) : "-",
	    addr_port(&view->addr), connections, connections, connections);
}

static void
tell_connections(const struct view *view, void *arg)
{
	struct states *states = arg;
	struct endpoint *e = view->endpoint;
	char text[ADDR_TEXT_MAX];

	if (!states->call->wants_json) {
		tell_connections_line(view, &states->call->out);
		return;
	}
	word(states, view->pool->conf.title);
	word(states, e->server);
	word(states, view->addr.sa.sa_family != AF_UNSPEC ? addr_format(&view->addr, text) : NULL);
	number(states, atomic_load(&e->connections));
	number(states, atomic_load(&e->dialling));
	number(states, atomic_load(&e->max_connections));
}

static void
run_show_servers_conn(struct admin_call *call)
{
	struct states states = { .call = call };

	if (call->wants_json)
		report_begin(&states.report, call, REPORT_TABLE, connection_columns,
		    REPORT_COUNT(connection_columns));
	else
		buf_append_text(&call->out, CONNECTIONS_HEAD);
	if (!each_server(call, tell_connections, &states))
		return;
	if (call->wants_json)
		report_end(&states.report);
	call_done(call);
}

static void
run_show_backend(struct admin_call *call)
{
	static const struct report_column columns[] = { { "name", false } };
	const struct conf_list *pools = &cockpit_root(call->cockpit)->pools;
	struct states states = { .call = call };

	if (call->wants_json)
		report_begin(&states.report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	else
		buf_append_text(&call->out, "# name\n");
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool *pool = pools->items[i];

		if (call->wants_json)
			report_word(&states.report, pool->conf.title);
		else
			buf_printf(&call->out, "%s\n", pool->conf.title);
	}
	if (call->wants_json)
		report_end(&states.report);
	call_done(call);
}

static const char *
family_text(const struct addr *addr)
{
	switch (addr->sa.sa_family) {
	case AF_UNIX:
		return "unix";
	case AF_INET6:
		return "ipv6";
	default:
		return "ipv4";
	}
}

static void
run_show_cli_sockets(struct admin_call *call)
{
	static const struct report_column columns[] = { { "socket", false }, { "level", false } };
	const struct conf_list *sockets = cockpit_sockets(call->cockpit);
	struct report report;

	if (call->wants_json)
		report_begin(&report, call, REPORT_TABLE, columns, REPORT_COUNT(columns));
	else
		buf_append_text(&call->out, "# socket lvl processes\n");
	for (size_t i = 0; i < sockets->count; i++) {
		const struct admin_socket *socket = sockets->items[i];
		const char *level = admin_level_text((enum admin_level)socket->level);

		if (call->wants_json) {
			report_word(&report, socket->place.text);
			report_word(&report, level);
		} else {
			buf_printf(&call->out, "%s@%s %s all\n", family_text(&socket->place.addr),
			    socket->place.text, level);
		}
	}
	if (call->wants_json)
		report_end(&report);
	call_done(call);
}

/* "29/Nov/2026:07:04:55.123" */
static const char *
date_text(int64_t ms, char out[DATE_MAX])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t used;

	out[0] = '\0';
	if (localtime_r(&seconds, &tm) == NULL)
		return out;
	used = strftime(out, DATE_MAX, "%d/%b/%Y:%H:%M:%S", &tm);
	snprintf(out + used, DATE_MAX - used, ".%03d", (int)(ms % 1000));
	return out;
}

static void
tell_mishap(const struct listener_settings *settings, size_t number, const struct mishap *mishap,
    struct states *states)
{
	struct buf *out = &states->call->out;
	char date[DATE_MAX];

	if (states->call->wants_json) {
		report_word(&states->report, settings->conf.title);
		report_time(&states->report, mishap->at_ms / 1000);
		report_word(&states->report, mishap->text);
		report_word(&states->report, mishap->client);
		report_word(&states->report, mishap->session);
		report_number(&states->report, (int64_t)mishap->number);
		return;
	}
	buf_printf(out, "\n[%s] frontend %s (#%zu): %s\n", date_text(mishap->at_ms, date),
	    settings->conf.title, number, mishap->text);
	buf_printf(out, "  backend <NONE> (#-1), server <NONE> (#-1), event #%llu, src %s\n",
	    (unsigned long long)mishap->number - 1, mishap->client);
	buf_printf(out, "  session %s\n", mishap->session);
}

static const struct report_column mishap_columns[] = {
	{ "listener", false }, { "at", false }, { "error", false }, { "client", false },
	{ "session", false }, { "count", true },
};

static void
tell_total(const struct conf_list *listeners, struct buf *out)
{
	char date[DATE_MAX];
	struct timespec now;
	uint64_t total = 0;

	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener_settings *settings = listeners->items[i];

		total += mishaps_last(&settings->listener->mishaps).number;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	buf_printf(out, "Total events captured on [%s] : %llu\n",
	    date_text((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, date), (unsigned long long)total);
}

/* Of the proxy that is named, or of all; a pool has none. */
static void
run_show_errors(struct admin_call *call)
{
	const struct root *root = cockpit_root(call->cockpit);
	struct slice name = slice_of(call->words[0]);
	struct states states = { .call = call };

	if (call->count > 0 && !slice_equals(name, "-1") && find_listener(root, name) == NULL &&
	    find_pool(root, name) == NULL) {
		call_fail(call, "No such proxy.");
		return;
	}
	if (call->wants_json)
		report_begin(&states.report, call, REPORT_TABLE, mishap_columns,
		    REPORT_COUNT(mishap_columns));
	else
		tell_total(&root->listeners, &call->out);
	for (size_t i = 0; i < root->listeners.count; i++) {
		const struct listener_settings *settings = root->listeners.items[i];
		struct mishap mishap = mishaps_last(&settings->listener->mishaps);
		bool is_wanted = call->count == 0 || slice_equals(name, "-1") ||
		    slice_equals(name, settings->conf.title);

		if (is_wanted && mishap.number > 0)
			tell_mishap(settings, i + 1, &mishap, &states);
	}
	if (call->wants_json)
		report_end(&states.report);
	call_done(call);
}

const struct admin_command state_commands[] = {
	{
		.name = "show servers state", .arguments = "[POOL]", .has_json = true,
		.run = run_show_servers_state,
		.help = "What is known of each server of each pool, in the 25 fields of HAProxy's server "
		    "state file. What was said of the server in all of its pools is shown as inherited.",
	},
	{
		.name = "show servers conn", .arguments = "[POOL]", .has_json = true,
		.run = run_show_servers_conn,
		.help = "How many connections each server has. The text has HAProxy's fields; those of idle "
		    "connections mean nothing here, and used_max and need_est are those of now.",
	},
	{
		.name = "show backend", .has_json = true, .run = run_show_backend,
		.help = "The names of the pools.",
	},
	{
		.name = "show errors", .arguments = "[PROXY]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .run = run_show_errors,
		.help = "The last client of each listener whose input could not be used: out of protocol, "
		    "forbidden, bad TLS or PROXY header, or too many errors. Its words are not kept, as they "
		    "may be a password; and what servers did wrong is in the log.",
	},
	{
		.name = "show cli sockets", .has_json = true, .run = run_show_cli_sockets,
		.help = "The sockets that take commands, and what may be asked there.",
	},
	{ 0 }
};
