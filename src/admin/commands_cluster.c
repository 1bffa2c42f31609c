/* SPDX-License-Identifier: BSD-2-Clause */
/* commands_cluster.c: the proxies that share their state, and the Redis in the middle. */
#include <stdio.h>
#include <string.h>

#include "admin/cluster_health.h"
#include "admin/command_tables.h"
#include "admin/report.h"
#include "admin/session_words.h"
#include "base/xalloc.h"
#include "state/cluster_members.h"

static const struct report_column member_columns[] = {
	{ .name = "name" }, { .name = "incarnation" }, { .name = "self" }, { .name = "version" },
	{ .name = "seen_ms", .is_number = true }, { .name = "uptime", .is_number = true },
	{ .name = "sessions", .is_number = true }, { .name = "local_decisions", .is_number = true },
	{ .name = "schemas" }, { .name = "shares" },
};

static void
show_members(struct admin_call *call, const struct cluster_members *members)
{
	struct report report;
	char schemas[2 * sizeof("2147483647")];

	report_begin(&report, call, REPORT_TABLE, member_columns, REPORT_COUNT(member_columns));
	for (size_t i = 0; i < cluster_members_count(members); i++) {
		const struct cluster_member *member = cluster_members_get(members, i);

		report_text(&report, slice_of(member->name));
		report_text(&report, slice_of(member->incarnation));
		report_flag(&report, member->is_self);
		report_text(&report, slice_of(member->version));
		report_number(&report, member->age_ms);
		report_duration(&report, member->uptime_ms);
		report_number(&report, member->sessions);
		report_number(&report, member->local);
		snprintf(schemas, sizeof(schemas), "%d-%d", member->oldest, member->newest);
		report_word(&report, schemas);
		report_flag(&report, !cluster_member_is_foreign(member));
	}
	report_end(&report);
	call_done(call);
}

/* What all servers of the Redis say that they are. */
struct inquiry {
	struct admin_call *call;
	struct cluster *cluster;
	struct list roles;		/* struct role: those that are awaited */
	struct buf servers;
	bool is_asking;
};

struct role {
	struct list node;
	struct cluster_call call;
	struct inquiry *inquiry;
	char *name;
};

static void
free_role(struct role *role)
{
	cluster_cancel(&role->call);
	list_remove(&role->node);
	xfree(role->name);
	xfree(role);
}

static void
free_inquiry(struct inquiry *inquiry)
{
	list_each(node, &inquiry->roles)
		free_role(list_entry(node, struct role, node));
	buf_clear(&inquiry->servers);
	xfree(inquiry);
}

static void
on_cancel(struct admin_call *call)
{
	free_inquiry(call->work);
}

static const struct report_column redis_columns[] = {
	{ .name = "kind" }, { .name = "state" }, { .name = "servers" },
	{ .name = "latency_us", .is_number = true }, { .name = "timeout_ms", .is_number = true },
	{ .name = "redis_down" }, { .name = "times_down", .is_number = true },
	{ .name = "unanswered", .is_number = true }, { .name = "local_decisions", .is_number = true },
	{ .name = "reconciled", .is_number = true }, { .name = "expired", .is_number = true },
};

static void
tell_redis(struct inquiry *inquiry)
{
	static const char *const kinds[] = { "single", "sentinel", "cluster" };
	static const enum cluster_figure figures[] = {
		CLUSTER_DOWNS, CLUSTER_MISSES, CLUSTER_LOCAL, CLUSTER_RECONCILED, CLUSTER_EXPIRED
	};
	struct admin_call *call = inquiry->call;
	const struct assets *assets = &call->cockpit->control->assets;
	const struct cluster *cluster = assets->cluster;
	int64_t latency = cluster_members_latency_us(assets->members);
	struct report report;

	report_begin(&report, call, REPORT_RECORD, redis_columns, REPORT_COUNT(redis_columns));
	report_word(&report, kinds[cluster_url(cluster)->kind]);
	report_word(&report, !cluster_is_up(cluster, assets->control) ? "down" :
	    cluster_is_deaf(cluster) ? "deaf" : "up");
	report_text(&report, buf_slice(&inquiry->servers));
	if (latency >= 0)
		report_number(&report, latency);
	else
		report_none(&report);
	report_number(&report, cluster_timeout_ms(cluster));
	report_word(&report, cluster_is_strict(cluster) ? "strict" : "keep");
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		report_number(&report, (int64_t)cluster_figure(cluster, figures[i]));
	report_end(&report);
	free_inquiry(inquiry);
	call->work = NULL;
	call->on_cancel = NULL;
	call_done(call);
}

static void
note_role(struct inquiry *inquiry, const char *name, struct slice role)
{
	if (strncmp(name, "redis ", strlen("redis ")) == 0)
		name += strlen("redis ");
	buf_printf(&inquiry->servers, "%s%s %.*s", buf_len(&inquiry->servers) > 0 ? ", " : "", name,
	    SLICE_ARGS(role));
}

static void
on_role(struct cluster_call *call, const struct redis_reply *reply)
{
	struct role *role = list_entry(call, struct role, call);
	struct inquiry *inquiry = role->inquiry;
	struct slice what = SLICE_LITERAL("unknown");

	if (reply != NULL && reply->type == REDIS_ARRAY && reply->count > 0)
		what = reply->elements[0].text;
	note_role(inquiry, role->name, what);
	free_role(role);
	if (!inquiry->is_asking && list_is_empty(&inquiry->roles))
		tell_redis(inquiry);
}

static void
ask_role(unsigned slot, const char *name, void *arg)
{
	static const struct slice words[] = { SLICE_LITERAL("ROLE") };
	struct inquiry *inquiry = arg;
	struct role *role = xcalloc(1, sizeof(*role));

	role->inquiry = inquiry;
	role->name = xstrdup(name);
	role->call.on_reply = on_role;
	list_append(&inquiry->roles, &role->node);
	if (cluster_send(inquiry->cluster, cluster_control(inquiry->cluster), &role->call, slot, words, 1))
		return;
	note_role(inquiry, name, slice_of("unknown"));
	free_role(role);
}

static void
show_redis(struct admin_call *call, struct cluster *cluster)
{
	struct inquiry *inquiry = xcalloc(1, sizeof(*inquiry));

	inquiry->call = call;
	inquiry->cluster = cluster;
	list_init(&inquiry->roles);
	call->work = inquiry;
	call->on_cancel = on_cancel;
	inquiry->is_asking = true;
	cluster_each(cluster, cluster_control(cluster), ask_role, inquiry);
	inquiry->is_asking = false;
	if (list_is_empty(&inquiry->roles))
		tell_redis(inquiry);
}

static void
run_show_cluster(struct admin_call *call)
{
	const struct assets *assets = &call->cockpit->control->assets;

	if (assets->cluster == NULL)
		call_fail(call, "There is no cluster: this proxy is alone.");
	else if (call->count == 0)
		show_members(call, assets->members);
	else if (call->count == 1 && strcmp(call->words[0], "redis") == 0)
		show_redis(call, assets->cluster);
	else if (call->count == 1 && strcmp(call->words[0], "health") == 0)
		show_cluster_health(call);
	else
		call_fail(call, "'show cluster' takes redis, health, or nothing.");
}

const struct admin_command cluster_commands[] = {
	{
		.name = "show cluster", .arguments = "[redis | health]", .level = ADMIN_LEVEL_OPERATOR,
		.has_json = true, .run = run_show_cluster,
		.help = "The proxies that share their state, as Redis knows them: since when they were last "
		    "heard of, and how many sessions they have; who is silent for ten seconds is forgotten. "
		    "`schemas` are the ways of sharing state that its release knows, from the oldest to the "
		    "newest; it shares nothing with proxies that know none of the same. "
		    "With `redis`: whether it answers this proxy, how fast, and what its servers say that "
		    "they are (`deaf`: it does not let this proxy hear the others); how often it went away, "
		    "questions without an answer, placements that it was not asked for, sessions that "
		    "ended since their users were on another server meanwhile, "
		    "or (redis_down strict) since their leases ran out. "
		    "With `health`: what the other proxies' checks say of the servers, what those here do, "
		    "and how many sessions each of the others has there, up to two seconds old.",
	},
	{ 0 }
};
