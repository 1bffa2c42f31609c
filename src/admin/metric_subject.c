/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_subject.c: walks the configuration at hand, in the order of `show stat`. */
#include "admin/metric_subject.h"

#include <stdio.h>

#include "balance/adhoc.h"
#include "balance/member.h"
#include "base/xalloc.h"
#include "health/health.h"
#include "session/listener_kept.h"

enum { IID_FIRST = 1 };

static int
threads_of(const struct cockpit *cockpit)
{
	return cockpit->control->assets.threads;
}

char
metric_object_letter(enum metric_object kind)
{
	static const char letters[METRIC_OBJECT_COUNT] = { 'F', 'B', 'S' };

	return letters[kind];
}

const char *
server_status_name(enum server_status status)
{
	static const char *const names[] = {
		[STATUS_UP] = "UP", [STATUS_DOWN] = "DOWN", [STATUS_NOLB] = "NOLB",
		[STATUS_MAINT] = "MAINT", [STATUS_DRAIN] = "DRAIN",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == STATUS_COUNT, "one name per status");
	return names[status];
}

static void
find_track(struct metric_subject *subject, const char *name, const void *object)
{
	subject->track = sampler_track(subject->cockpit->sampler, subject->kind, name, object);
}

static void
walk_listener(struct metric_subject *subject, metric_each *each, void *arg)
{
	struct listener *listener = subject->listener->listener;
	bool is_closed = subject->cockpit->control->phase >= DRAIN_WAIT ||
	    atomic_load(&listener->orders.is_disabled);

	subject->proxy = subject->listener->conf.title;
	subject->name = "FRONTEND";
	snprintf(subject->status_text, sizeof(subject->status_text), "%s", is_closed ? "STOP" : "OPEN");
	find_track(subject, listener->name, listener);
	figures_read_listener(&subject->figures, listener, threads_of(subject->cockpit));
	each(subject, arg);
}

/* The first that failed, or else the first; one that only asks once what a server can do judges nothing. */
static const struct watch *
find_watch(const struct metric_subject *subject)
{
	const struct health *health = subject->cockpit->control->assets.health;
	const struct watch *first = NULL, *watch;

	if (health == NULL)
		return NULL;
	for (size_t i = 0; (watch = health_watch(health, subject->endpoint, i)) != NULL; i++) {
		if (watch->is_once)
			continue;
		if (watch->verdict.state == HEALTH_DOWN)
			return watch;
		if (first == NULL)
			first = watch;
	}
	return first;
}

static void
say(struct metric_subject *subject, enum server_status status, const char *more)
{
	subject->status = status;
	snprintf(subject->status_text, sizeof(subject->status_text), "%s%s", server_status_name(status),
	    more);
}

/* "UP 2/3": two more failures, and it is down; "DOWN 1/2": one more success, and it is up. */
static void
say_progress(struct metric_subject *subject, enum server_status status)
{
	const struct endpoint_facts *facts = &subject->facts;
	int done = status == STATUS_UP ? facts->wanted - facts->passed : facts->passed;
	char more[32] = "";

	if (facts->wanted > 0 && facts->passed > 0)
		snprintf(more, sizeof(more), " %d/%d", done, facts->wanted);
	say(subject, status, more);
}

/* False: it is not in maintenance. */
static bool
find_maintenance(struct metric_subject *subject)
{
	const struct machine_facts *machine = &subject->machine;
	const char *farm = subject->pool->farm != NULL ? subject->pool->farm->conf.title : NULL;
	char via[128];

	snprintf(via, sizeof(via), " (via %s/%s)", farm != NULL ? farm : "", subject->name);
	if (subject->facts.admin.state == ADMIN_MAINTENANCE)
		say(subject, STATUS_MAINT, "");
	else if (machine->admin.state == ADMIN_MAINTENANCE || machine->agent_admin.state == ADMIN_MAINTENANCE)
		say(subject, STATUS_MAINT, farm != NULL ? via : "");
	else if (subject->facts.health.state == HEALTH_UNRESOLVED)
		say(subject, STATUS_MAINT, " (resolution)");
	else
		return false;
	return true;
}

/* What balancers make of it, in HAProxy's words; the strictest first. */
static void
find_status(struct metric_subject *subject)
{
	const struct machine_facts *machine = &subject->machine;

	if (find_maintenance(subject))
		return;
	if (machine->agent_down.state != 0)
		say(subject, STATUS_DOWN, " (agent)");
	else if (subject->facts.health.state == HEALTH_DOWN)
		say_progress(subject, STATUS_DOWN);
	else if (subject->facts.admin.state == ADMIN_DRAIN || machine->admin.state == ADMIN_DRAIN)
		say(subject, STATUS_DRAIN, "");
	else if (machine->agent_admin.state == ADMIN_DRAIN)
		say(subject, STATUS_DRAIN, " (agent)");
	else if (subject->set_weight == 0)
		say(subject, STATUS_DRAIN, "");
	else if (endpoint_is_dead(subject->endpoint))
		say(subject, STATUS_NOLB, "");
	else
		say_progress(subject, STATUS_UP);
	if (subject->watch == NULL && subject->status == STATUS_UP)
		snprintf(subject->status_text, sizeof(subject->status_text), "no check");
}

static void
read_server(struct metric_subject *subject)
{
	struct endpoint *e = subject->endpoint;

	endpoint_read(e, &subject->facts);
	machine_read(e->machine, &subject->machine);
	subject->watch = find_watch(subject);
	if (subject->cockpit->control->assets.health != NULL)
		subject->agent = health_agent_result(subject->cockpit->control->assets.health, e->machine);
	subject->set_weight = subject->machine.weight;
	subject->weight = (atomic_load(&e->share) + ENDPOINT_SHARE_ONE - 1) / ENDPOINT_SHARE_ONE;
	find_status(subject);
	figures_read_endpoint(&subject->figures, e, threads_of(subject->cockpit));
	subject->figures.of[FIGURE_DOWNS] = subject->facts.history.downs;
	subject->figures.of[FIGURE_DOWN_MS] = subject->facts.history.down_ms;
}

static void
add_to_pool(struct metric_subject *pool, const struct metric_subject *server)
{
	bool is_usable = server->status == STATUS_UP;
	bool is_checked = server->watch != NULL && server->watch->checked_at != 0;

	figures_add(&pool->figures, &server->figures);
	pool->servers++;
	pool->by_status[server->status]++;
	if (is_checked)
		pool->by_check[check_code_is_good(server->watch->result.code)]++;
	if (!is_usable)
		return;
	pool->usable++;
	pool->usable_backups += server->server->backup;
	pool->weight += server->weight;
	pool->set_weight += server->set_weight;
}

struct stray {
	struct metric_subject *pool;
	int threads;
};

/* A host that an auth source named: its sessions are the pool's, too. */
static void
add_stray(struct endpoint *e, void *arg)
{
	struct stray *stray = arg;
	struct sampler *sampler = stray->pool->cockpit->sampler;
	struct figures figures;

	if (e->service != stray->pool->pool->service)
		return;
	figures_read_endpoint(&figures, e, stray->threads);
	sampler_track(sampler, METRIC_SERVER, e->name, e)->last = figures;
	figures_add(&stray->pool->figures, &figures);
}

static void
walk_servers(struct metric_subject *pool, metric_each *each, void *arg)
{
	for (size_t i = 0; i < pool->pool->endpoint_count; i++) {
		struct endpoint *e = pool->pool->endpoints[i];
		struct metric_subject subject = {
			.kind = METRIC_SERVER, .cockpit = pool->cockpit, .iid = pool->iid, .sid = (int)i + 1,
			.proxy = pool->proxy, .name = e->server, .pool = pool->pool,
			.server = pool->pool->members[i].server, .endpoint = e,
		};

		read_server(&subject);
		find_track(&subject, e->name, e);
		add_to_pool(pool, &subject);
		each(&subject, arg);
	}
}

static void
walk_pool(struct metric_subject *subject, metric_each *each, void *arg)
{
	struct adhoc_table *adhoc = endpoint_table_adhoc(subject->cockpit->control->assets.endpoints);
	struct stray stray = { subject, threads_of(subject->cockpit) };
	struct service *service = subject->pool->service;

	subject->proxy = subject->pool->conf.title;
	subject->name = "BACKEND";
	find_track(subject, service->name, service);
	walk_servers(subject, each, arg);
	adhoc_each(adhoc, add_stray, &stray);
	figures_add(&subject->figures, &subject->track->carried);
	subject->figures.of[FIGURE_DOWNS] = subject->track->downs;
	subject->figures.of[FIGURE_DOWN_MS] = subject->track->down_ms;
	subject->figures.of[FIGURE_QUEUED] += waiter_count(&service->queue) +
	    waiter_count(&service->hopefuls);
	say(subject, subject->usable > 0 ? STATUS_UP : STATUS_DOWN, "");
	each(subject, arg);
}

void
metric_subjects(struct cockpit *cockpit, metric_each *each, void *arg)
{
	const struct root *root = cockpit_root(cockpit);
	int iid = IID_FIRST;

	for (size_t i = 0; i < root->listeners.count; i++) {
		struct metric_subject subject = { .kind = METRIC_LISTENER, .cockpit = cockpit, .iid = iid++,
			.listener = root->listeners.items[i] };

		walk_listener(&subject, each, arg);
	}
	for (size_t i = 0; i < root->pools.count; i++) {
		struct metric_subject subject = { .kind = METRIC_POOL, .cockpit = cockpit, .iid = iid++,
			.pool = root->pools.items[i] };

		walk_pool(&subject, each, arg);
	}
}
