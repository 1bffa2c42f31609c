/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_overview.c: servers and listeners, as people want to see them at a glance. */
#include <stdio.h>
#include <string.h>

#include "admin/cluster_health.h"
#include "admin/cockpit.h"
#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/sampler.h"
#include "admin/target.h"
#include "balance/endpoint_report.h"
#include "base/clock.h"
#include "health/health.h"
#include "session/listener_kept.h"
#include "session/worker.h"

enum { SINCE_MS = 1000 };

static int64_t
count(const struct metric_table *table, const char *name, const void *object, const struct cockpit *cockpit)
{
	const struct metric *metric = metric_find(table, slice_of(name));

	return metric != NULL ? metric_read(metric, object, cockpit->control->assets.threads) : 0;
}

/* Of tries that came to no session through the server's fault. */
static int64_t
count_failures(const struct endpoint *e, const struct cockpit *cockpit)
{
	static const char *const names[] = {
		"connect_failures", "timeouts", "tls_failures", "dialogue_failures"
	};
	int64_t sum = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sum += count(&endpoint_metrics, names[i], e, cockpit);
	return sum;
}

/* The one of the three that keeps sessions away, and the reason that was given. */
struct verdict_of_all {
	const char *state;
	const struct standing *standing;
};

static struct verdict_of_all
fold(const struct endpoint_facts *facts, const struct machine_facts *machine)
{
	const struct standing *admins[] = { &facts->admin, &machine->admin, &machine->agent_admin };
	const struct standing *strictest = admins[0];
	enum health_state health = (enum health_state)facts->health.state;

	for (size_t i = 1; i < sizeof(admins) / sizeof(admins[0]); i++)
		if (admins[i]->state > strictest->state)
			strictest = admins[i];
	if (strictest->state == ADMIN_MAINTENANCE)
		return (struct verdict_of_all){ admin_state_text(ADMIN_MAINTENANCE), strictest };
	if (machine->agent_down.state != 0)
		return (struct verdict_of_all){ health_state_text(HEALTH_DOWN), &machine->agent_down };
	if (strictest->state == ADMIN_DRAIN && health != HEALTH_DOWN)
		return (struct verdict_of_all){ admin_state_text(ADMIN_DRAIN), strictest };
	return (struct verdict_of_all){ health_state_text(health), &facts->health };
}

static const struct report_column server_columns[] = {
	{ .name = "pool" }, { .name = "server" }, { .name = "address" }, { .name = "state" },
	{ .name = "since_s", .is_number = true }, { .name = "weight", .is_number = true },
	{ .name = "sessions", .is_number = true }, { .name = "queued", .is_number = true },
	{ .name = "total", .is_number = true }, { .name = "failures", .is_number = true },
	{ .name = "refused", .is_number = true }, { .name = "check" },
	{ .name = "check_ms", .is_number = true }, { .name = "checked_s", .is_number = true },
	{ .name = "certificate_days", .is_number = true }, { .name = "login_ms", .is_number = true },
	{ .name = "why" }, { .name = "failed_s", .is_number = true }, { .name = "failure" },
};

static void
report_check(struct report *report, const struct cockpit *cockpit, const struct endpoint *e)
{
	const struct health *health = cockpit->control->assets.health;
	const struct watch *watch = health != NULL ? health_watch(health, e, 0) : NULL;

	if (watch == NULL || watch->checked_at == 0) {
		report_none(report);
		report_none(report);
		report_none(report);
		return;
	}
	report_word(report, check_code_name(watch->result.code));
	report_number(report, watch->result.took_ms);
	report_number(report, (loop_now(cockpit->control->loop) - watch->checked_at) / SINCE_MS);
}

/* Of the last five minutes. */
static void
report_login_time(struct report *report, const struct cockpit *cockpit, const struct endpoint *e)
{
	const struct track *track = sampler_find(cockpit->sampler, METRIC_SERVER, e->name);
	int64_t sessions = track != NULL ? track_recent(track, SAMPLE_RATE) : 0;

	if (sessions > 0)
		report_number(report, track_recent(track, SAMPLE_LOGIN_MS) / sessions);
	else
		report_none(report);
}

/* Checks may be content where sessions are not, and where other proxies' are not. */
static void
report_why(struct report *report, const struct cockpit *cockpit, const struct pool *pool, struct endpoint *e,
    const struct verdict_of_all *verdict)
{
	bool is_up = verdict->standing->state == HEALTH_UP && endpoint_weight(e) > 0;
	struct buf why = { 0 };

	if (is_up && endpoint_is_held(e))
		buf_append_text(&why, "held: gets few sessions or none, since tries fail");
	else
		buf_append_text(&why, verdict->standing->why);
	cluster_health_differs(cockpit, pool, e, &why);
	if (buf_len(&why) > 0)
		report_text(report, buf_slice(&why));
	else
		report_none(report);
	buf_clear(&why);
}

static void
report_failure(struct report *report, struct endpoint *e)
{
	char text[ENDPOINT_FAILURE_TEXT_MAX];
	int64_t age_ms;

	if (endpoint_last_failure(e, text, &age_ms)) {
		report_number(report, age_ms / SINCE_MS);
		report_word(report, text);
	} else {
		report_none(report);
		report_none(report);
	}
}

static void
report_server(struct report *report, const struct cockpit *cockpit, const struct pool *pool,
    struct endpoint *e)
{
	struct addr addr = endpoint_addr(e);
	struct endpoint_facts facts;
	struct machine_facts machine;
	struct verdict_of_all verdict;
	char text[ADDR_TEXT_MAX];
	int days = atomic_load_explicit(&e->certificate_days, memory_order_relaxed);

	endpoint_read(e, &facts);
	machine_read(e->machine, &machine);
	verdict = fold(&facts, &machine);
	report_word(report, pool->conf.title);
	report_word(report, e->server);
	report_word(report, addr.sa.sa_family != AF_UNSPEC ? addr_format(&addr, text) : NULL);
	report_word(report, verdict.state);
	if (verdict.standing->since > 0)
		report_number(report, (clock_ms() - verdict.standing->since) / SINCE_MS);
	else
		report_none(report);
	report_number(report, endpoint_weight(e));
	report_number(report, atomic_load_explicit(&e->connections, memory_order_relaxed));
	report_number(report, waiter_count(&e->queue));
	report_number(report, count(&endpoint_metrics, "sessions", e, cockpit));
	report_number(report, count_failures(e, cockpit));
	report_number(report, count(&endpoint_metrics, "refused", e, cockpit));
	report_check(report, cockpit, e);
	if (days >= 0)
		report_number(report, days);
	else
		report_none(report);
	report_login_time(report, cockpit, e);
	report_why(report, cockpit, pool, e, &verdict);
	report_failure(report, e);
}

static void
run_show_servers(struct admin_call *call)
{
	const struct root *root = cockpit_root(call->cockpit);
	const struct pool *only = NULL;
	struct report report;

	if (call->count > 0 && (only = target_pool(call, call->words[0])) == NULL)
		return;
	report_begin(&report, call, REPORT_TABLE, server_columns, REPORT_COUNT(server_columns));
	for (size_t i = 0; i < root->pools.count; i++) {
		const struct pool *pool = root->pools.items[i];

		for (size_t j = 0; (only == NULL || pool == only) && j < pool->endpoint_count; j++)
			report_server(&report, call->cockpit, pool, pool->endpoints[j]);
	}
	report_end(&report);
	call_done(call);
}

static const struct report_column listener_columns[] = {
	{ .name = "listener" }, { .name = "protocol" }, { .name = "addresses" },
	{ .name = "sessions", .is_number = true }, { .name = "limit", .is_number = true },
	{ .name = "accepted", .is_number = true }, { .name = "logins", .is_number = true },
	{ .name = "failed_logins", .is_number = true }, { .name = "banned", .is_number = true },
	{ .name = "bytes_up", .is_number = true }, { .name = "bytes_down", .is_number = true },
};

static void
append_addresses(const struct conf_list *binds, struct buf *out)
{
	for (size_t i = 0; i < binds->count; i++) {
		const struct bind_settings *bind = binds->items[i];

		buf_printf(out, "%s%s", buf_len(out) > 0 ? " " : "", bind->address.text);
	}
}

static void
report_listener(struct report *report, const struct cockpit *cockpit, const struct listener_settings *l)
{
	static const char *const counters[] = {
		"accepted", "logins", "failed_logins", "banned", "bytes_up", "bytes_down"
	};
	struct buf addresses = { 0 };

	append_addresses(&l->bind, &addresses);
	append_addresses(&l->bind_tls, &addresses);
	report_word(report, l->conf.title);
	report_word(report, l->protocol);
	report_text(report, buf_slice(&addresses));
	buf_clear(&addresses);
	report_number(report, atomic_load_explicit(&l->listener->connections, memory_order_relaxed));
	if (l->max_connections > 0)
		report_number(report, l->max_connections);
	else
		report_none(report);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		report_number(report, count(&listener_metrics, counters[i], l->listener, cockpit));
}

static void
run_show_listeners(struct admin_call *call)
{
	const struct root *root = cockpit_root(call->cockpit);
	struct report report;

	report_begin(&report, call, REPORT_TABLE, listener_columns, REPORT_COUNT(listener_columns));
	for (size_t i = 0; i < root->listeners.count; i++)
		report_listener(&report, call->cockpit, root->listeners.items[i]);
	report_end(&report);
	call_done(call);
}

const struct admin_command overview_commands[] = {
	{
		.name = "show servers", .arguments = "[POOL]", .has_json = true, .run = run_show_servers,
		.help = "Servers of all pools or of one, whether they take sessions, since when, and why "
		    "not. `check` is the last result of the first check; failures are tries in vain, refused "
		    "are logins, login_ms is what one took in the last five minutes. `failure` is the last "
		    "one, failed_s seconds ago. In a cluster `why` tells whose checks say otherwise: \"down "
		    "here, up at lb2 lb3\", and whether bound users wait for a `check_quorum`.",
	},
	{
		.name = "show listeners", .has_json = true, .run = run_show_listeners,
		.help = "Listeners, where they listen, and what they have counted.",
	},
	{ 0 }
};
