/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_read.c: names, states and numbers of a subject, as HAProxy's tools know them. */
#include "admin/metric_read.h"

#include <assert.h>
#include <stdio.h>

#include "balance/balance.h"
#include "balance/endpoint_report.h"
#include "base/clock.h"
#include "health/agent.h"
#include "health/watch.h"
#include "proto/proto.h"
#include "session/listener_kept.h"
#include "session/session.h"

enum { MS_PER_SECOND = 1000, PERCENT = 100 };

static bool
number(struct metric_value *value, int64_t n)
{
	value->number = n;
	return true;
}

static bool
text(struct metric_value *value, const char *words)
{
	value->text = words;
	return words != NULL;
}

bool
read_proxy(const struct metric_subject *subject, struct metric_value *value)
{
	return text(value, subject->proxy);
}

bool
read_name(const struct metric_subject *subject, struct metric_value *value)
{
	return text(value, subject->name);
}

bool
read_status(const struct metric_subject *subject, struct metric_value *value)
{
	return text(value, subject->status_text);
}

/* What a tool expects that knows of nothing but http beside it. */
bool
read_mode(const struct metric_subject *subject, struct metric_value *value)
{
	(void)subject;
	return text(value, "tcp");
}

bool
read_balancer(const struct metric_subject *subject, struct metric_value *value)
{
	return text(value, pool_balancer(subject->pool)->name);
}

bool
read_protocol(const struct metric_subject *subject, struct metric_value *value)
{
	const struct listener_settings *listener = subject->listener;

	return text(value, listener != NULL ? listener->proto->name : subject->pool->protocol);
}

/* One process has all sessions. */
bool
read_one(const struct metric_subject *subject, struct metric_value *value)
{
	(void)subject;
	return number(value, 1);
}

bool
read_iid(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, subject->iid);
}

bool
read_sid(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, subject->sid);
}

bool
read_kind(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, (int)subject->kind);
}

/* A pool's is that of its servers together, if each has one. */
static int64_t
pool_limit(const struct pool *pool)
{
	int64_t sum = 0;

	for (size_t i = 0; i < pool->endpoint_count; i++) {
		int max = atomic_load(&pool->endpoints[i]->max_connections);

		if (max == 0)
			return 0;
		sum += max;
	}
	return sum;
}

bool
read_limit(const struct metric_subject *subject, struct metric_value *value)
{
	const struct snapshot *snapshot = &subject->cockpit->control->current->snapshot;
	const struct listener_settings *settings = subject->listener;
	int64_t limit;

	if (subject->kind == METRIC_SERVER)
		limit = atomic_load(&subject->endpoint->max_connections);
	else if (subject->kind == METRIC_POOL)
		limit = pool_limit(subject->pool);
	else
		limit = listener_orders_max(&settings->listener->orders, settings->max_connections);
	if (limit == 0 && subject->kind == METRIC_LISTENER)
		limit = listener_orders_max(worker_process_orders(), snapshot->max_connections);
	return limit > 0 && number(value, limit);
}

bool
read_weight(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, subject->weight);
}

bool
read_set_weight(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, subject->set_weight);
}

bool
read_active(const struct metric_subject *subject, struct metric_value *value)
{
	if (subject->kind == METRIC_SERVER)
		return number(value, !subject->server->backup);
	return number(value, subject->usable - subject->usable_backups);
}

bool
read_backup(const struct metric_subject *subject, struct metric_value *value)
{
	if (subject->kind == METRIC_SERVER)
		return number(value, subject->server->backup);
	return number(value, subject->usable_backups);
}

bool
read_throttle(const struct metric_subject *subject, struct metric_value *value)
{
	int percent = subject->facts.slow_start_percent;

	return percent < PERCENT && number(value, percent);
}

/* A pool's servers had theirs at different times: its own are those of a second. */
static int64_t
most_of(const struct metric_subject *subject, enum figure figure, enum sample sample)
{
	int64_t exact = subject->figures.of[figure], seen = subject->track->most[sample];

	return exact > seen ? exact : seen;
}

bool
read_most_queued(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, most_of(subject, FIGURE_MOST_QUEUED, SAMPLE_QUEUED));
}

bool
read_most_sessions(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, most_of(subject, FIGURE_MOST_CONNECTIONS, SAMPLE_SESSIONS));
}

bool
read_rate(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, subject->track->now[SAMPLE_RATE]);
}

bool
read_most_rate(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, subject->track->most[SAMPLE_RATE]);
}

bool
read_bad_requests(const struct metric_subject *subject, struct metric_value *value)
{
	const int64_t *ends = &subject->figures.of[FIGURE_FIRST_END];

	return number(value, ends[END_PROXY_HEADER] + ends[END_PROTOCOL] + ends[END_INJECTION] +
	    ends[END_FORBIDDEN] + ends[END_TOO_MANY_ERRORS]);
}

static int64_t
seconds_since(int64_t since)
{
	return (clock_ms() - since) / MS_PER_SECOND;
}

bool
read_last_session(const struct metric_subject *subject, struct metric_value *value)
{
	int64_t at = subject->figures.of[FIGURE_LAST_SESSION_AT];

	return number(value, at != 0 ? seconds_since(at) : -1);
}

/* From the beginning, where nothing has changed. */
bool
read_last_change(const struct metric_subject *subject, struct metric_value *value)
{
	int64_t at = subject->kind == METRIC_POOL ? subject->track->changed_at :
						    subject->facts.history.changed_at;

	return number(value, seconds_since(at != 0 ? at : sampler_started_ms(subject->cockpit->sampler)));
}

bool
read_downtime(const struct metric_subject *subject, struct metric_value *value)
{
	int64_t ms = subject->figures.of[FIGURE_DOWN_MS];
	int64_t since = subject->kind == METRIC_POOL ? subject->track->down_since :
						       subject->facts.history.down_since;

	if (since != 0)
		ms += clock_ms() - since;
	return number(value, ms / MS_PER_SECOND);
}

static bool
read_mean(const struct metric_subject *subject, enum endpoint_time time, struct metric_value *value)
{
	int64_t count = subject->figures.of[FIGURE_TIME_RECENT_COUNT + (int)time];

	return number(value, count > 0 ? subject->figures.of[FIGURE_TIME_RECENT + (int)time] / count : 0);
}

static bool
read_most(const struct metric_subject *subject, enum endpoint_time time, struct metric_value *value)
{
	return number(value, subject->figures.of[FIGURE_TIME_MOST + (int)time]);
}

bool
read_mean_queue(const struct metric_subject *subject, struct metric_value *value)
{
	return read_mean(subject, ENDPOINT_TIME_QUEUE, value);
}

bool
read_mean_connect(const struct metric_subject *subject, struct metric_value *value)
{
	return read_mean(subject, ENDPOINT_TIME_CONNECT, value);
}

bool
read_mean_response(const struct metric_subject *subject, struct metric_value *value)
{
	return read_mean(subject, ENDPOINT_TIME_LOGIN, value);
}

bool
read_mean_total(const struct metric_subject *subject, struct metric_value *value)
{
	return read_mean(subject, ENDPOINT_TIME_SESSION, value);
}

bool
read_most_queue(const struct metric_subject *subject, struct metric_value *value)
{
	return read_most(subject, ENDPOINT_TIME_QUEUE, value);
}

bool
read_most_connect(const struct metric_subject *subject, struct metric_value *value)
{
	return read_most(subject, ENDPOINT_TIME_CONNECT, value);
}

bool
read_most_response(const struct metric_subject *subject, struct metric_value *value)
{
	return read_most(subject, ENDPOINT_TIME_LOGIN, value);
}

bool
read_most_total(const struct metric_subject *subject, struct metric_value *value)
{
	return read_most(subject, ENDPOINT_TIME_SESSION, value);
}

bool
read_check_status(const struct metric_subject *subject, struct metric_value *value)
{
	const struct watch *watch = subject->watch;

	if (watch == NULL)
		return false;
	snprintf(value->room, sizeof(value->room), "%s%s", watch->began_at != 0 ? "* " : "",
	    check_code_name(watch->result.code));
	return text(value, value->room);
}

bool
read_check_duration(const struct metric_subject *subject, struct metric_value *value)
{
	const struct watch *watch = subject->watch;

	return watch != NULL && watch->checked_at != 0 && number(value, watch->result.took_ms);
}

bool
read_check_text(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->watch != NULL && text(value, check_code_text(subject->watch->result.code));
}

bool
read_last_check(const struct metric_subject *subject, struct metric_value *value)
{
	const struct check_result *result;

	if (subject->watch == NULL || subject->watch->result.reason[0] == '\0')
		return false;
	result = &subject->watch->result;
	snprintf(value->room, sizeof(value->room), "%.160s%s%s", result->reason,
	    result->doing[0] != '\0' ? " while " : "", result->doing);
	return text(value, value->room);
}

static const struct check_settings *
settings_of(const struct metric_subject *subject)
{
	return subject->watch != NULL ? subject->watch->order.settings : NULL;
}

bool
read_rise(const struct metric_subject *subject, struct metric_value *value)
{
	return settings_of(subject) != NULL && number(value, settings_of(subject)->rise);
}

bool
read_fall(const struct metric_subject *subject, struct metric_value *value)
{
	return settings_of(subject) != NULL && number(value, settings_of(subject)->fall);
}

/* From 0, down, up to rise - 1, and then, up, to rise + fall - 1. */
bool
read_health(const struct metric_subject *subject, struct metric_value *value)
{
	const struct check_settings *settings = settings_of(subject);

	if (settings == NULL)
		return false;
	if (subject->watch->verdict.state == HEALTH_DOWN)
		return number(value, subject->watch->verdict.streak);
	return number(value, settings->rise + settings->fall - 1 - subject->watch->verdict.streak);
}

static const char *
if_any(const char *words)
{
	return words[0] != '\0' ? words : NULL;
}

bool
read_last_agent(const struct metric_subject *subject, struct metric_value *value)
{
	const struct machine_facts *machine = &subject->machine;
	const char *why = machine->agent_down.state != 0 ? machine->agent_down.why : machine->agent_admin.why;

	if (why[0] == '\0' && subject->agent != NULL)
		why = subject->agent->text;
	return text(value, if_any(why));
}

bool
read_agent_status(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->agent != NULL && text(value, check_code_name(subject->agent->code));
}

bool
read_agent_text(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->agent != NULL && text(value, check_code_text(subject->agent->code));
}

bool
read_agent_code(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->agent != NULL && number(value, 0);
}

bool
read_agent_duration(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->agent != NULL && number(value, subject->agent->took_ms);
}

/* One answer decides. */
bool
read_agent_rise(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->agent != NULL && number(value, 1);
}

bool
read_agent_health(const struct metric_subject *subject, struct metric_value *value)
{
	return subject->agent != NULL && number(value, subject->machine.agent_down.state == 0);
}

bool
read_addr(const struct metric_subject *subject, struct metric_value *value)
{
	struct addr addr = endpoint_addr(subject->endpoint);
	char words[ADDR_TEXT_MAX];

	if (addr.sa.sa_family == AF_UNSPEC)
		return false;
	snprintf(value->room, sizeof(value->room), "%s", addr_format(&addr, words));
	return text(value, value->room);
}

/* The stricter of the server's and of this service's on it. */
static const struct standing *
admin_of(const struct metric_subject *subject)
{
	const struct standing *own = &subject->facts.admin, *machine = &subject->machine.admin;

	return machine->state > own->state ? machine : own;
}

bool
read_admin_state(const struct metric_subject *subject, struct metric_value *value)
{
	return text(value, admin_state_text((enum admin_state)admin_of(subject)->state));
}

bool
read_admin_reason(const struct metric_subject *subject, struct metric_value *value)
{
	snprintf(value->room, sizeof(value->room), "%s", admin_of(subject)->why);
	return text(value, if_any(value->room));
}

bool
read_health_state(const struct metric_subject *subject, struct metric_value *value)
{
	return text(value, health_state_text((enum health_state)subject->facts.health.state));
}

bool
read_health_reason(const struct metric_subject *subject, struct metric_value *value)
{
	snprintf(value->room, sizeof(value->room), "%s", subject->facts.health.why);
	return text(value, if_any(value->room));
}

bool
read_held(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, endpoint_is_held(subject->endpoint));
}

bool
read_failures_in_row(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, endpoint_failures_in_row(subject->endpoint));
}

bool
read_recent_sessions(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, track_recent(subject->track, SAMPLE_RATE));
}

bool
read_recent_failures(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, track_recent(subject->track, SAMPLE_FAILURES));
}

bool
read_recent_refused(const struct metric_subject *subject, struct metric_value *value)
{
	return number(value, track_recent(subject->track, SAMPLE_REFUSED));
}

bool
read_recent_login(const struct metric_subject *subject, struct metric_value *value)
{
	int64_t count = track_recent(subject->track, SAMPLE_RATE);

	return count > 0 && number(value, track_recent(subject->track, SAMPLE_LOGIN_MS) / count);
}

bool
read_last_failure(const struct metric_subject *subject, struct metric_value *value)
{
	int64_t age_ms;

	static_assert(sizeof(value->room) >= ENDPOINT_FAILURE_TEXT_MAX, "room for its words");
	return endpoint_last_failure(subject->endpoint, value->room, &age_ms) && text(value, value->room);
}

bool
read_last_failure_age(const struct metric_subject *subject, struct metric_value *value)
{
	char words[ENDPOINT_FAILURE_TEXT_MAX];
	int64_t age_ms;

	return endpoint_last_failure(subject->endpoint, words, &age_ms) && number(value, age_ms / 1000);
}
