/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metric_own.c: the columns behind HAProxy's: those of its TLS, some of ours, and then all rows of the tables
 * of endpoints and listeners, so that whoever counts something more has told it here, too.
 */
#include "admin/metric_read.h"
#include "session/listener_kept.h"

#include <assert.h>
#include <string.h>

const struct metric_field metric_own_fields[] = {
	{ .name = "-", .of = "", .tags = "MGP", .type = METRIC_STR,
	    .help = "What follows is known by its name" },
	{ .name = "ssl_sess", .of = "FBS", .tags = "MCP", .type = METRIC_U64,
	    .listener = { LISTENER_FIGURE_tls_sessions }, .listener_count = 1,
	    .server = { ENDPOINT_FIGURE_tls_sessions }, .server_count = 1, .help = "TLS handshakes" },
	{ .name = "ssl_reused_sess", .of = "FBS", .tags = "MCP", .type = METRIC_U64,
	    .listener = { LISTENER_FIGURE_tls_resumed }, .listener_count = 1,
	    .server = { ENDPOINT_FIGURE_tls_resumed }, .server_count = 1,
	    .help = "TLS handshakes that resumed a session" },
	{ .name = "ssl_failed_handshake", .of = "FBS", .tags = "MCP", .type = METRIC_U64,
	    .listener = { LISTENER_FIGURE_tls_failures }, .listener_count = 1,
	    .server = { ENDPOINT_FIGURE_tls_failures }, .server_count = 1,
	    .help = "TLS handshakes that failed" },
	{ .name = "protocol", .of = "FBS", .tags = "CGS", .type = METRIC_STR, .read = read_protocol,
	    .help = "Protocol" },
	{ .name = "admin_state", .of = "S", .tags = "CGS", .type = METRIC_STR, .read = read_admin_state,
	    .help = "What operators want: ready, drain or maintenance" },
	{ .name = "admin_reason", .of = "S", .tags = "COS", .type = METRIC_STR, .read = read_admin_reason,
	    .help = "Who wants it, and why" },
	{ .name = "health", .of = "S", .tags = "SGP", .type = METRIC_STR, .read = read_health_state,
	    .help = "What checks say: up, down, unknown or unresolved" },
	{ .name = "health_reason", .of = "S", .tags = "MOP", .type = METRIC_STR, .read = read_health_reason,
	    .help = "Why it is down" },
	{ .name = "checks", .of = "S", .tags = "MCP", .type = METRIC_U64,
	    .server = { FIGURE_CHECKS }, .server_count = 1, .own = "checks_total", .help = "Checks done" },
	{ .name = "held", .of = "S", .tags = "SGP", .type = METRIC_U32, .read = read_held, .own = "held",
	    .help = "1: it gets no sessions, or few, since tries fail, whatever checks say" },
	{ .name = "failures_in_row", .of = "S", .tags = "MGP", .type = METRIC_U32,
	    .read = read_failures_in_row, .own = "failures_in_row",
	    .help = "Tries in vain since the last that was not" },
	{ .name = "recent_sessions", .of = "BS", .tags = "MGP", .type = METRIC_U64,
	    .read = read_recent_sessions, .help = "Sessions that it took in the last five minutes" },
	{ .name = "recent_failures", .of = "BS", .tags = "MGP", .type = METRIC_U64,
	    .read = read_recent_failures, .help = "Tries in vain of the last five minutes" },
	{ .name = "recent_refused", .of = "BS", .tags = "MGP", .type = METRIC_U64,
	    .read = read_recent_refused, .help = "Logins that were refused in the last five minutes" },
	{ .name = "recent_login_ms", .of = "BS", .tags = "MaP", .type = METRIC_U64,
	    .read = read_recent_login, .help = "Mean milliseconds of logins of the last five minutes" },
	{ .name = "last_failure", .of = "S", .tags = "MOP", .type = METRIC_STR, .read = read_last_failure,
	    .help = "Why the last try was in vain, or its login refused" },
	{ .name = "last_failure_age", .of = "S", .tags = "MAP", .type = METRIC_U64,
	    .read = read_last_failure_age, .help = "Seconds since then" },
};
const size_t metric_own_count = sizeof(metric_own_fields) / sizeof(metric_own_fields[0]);

static_assert((int)FIGURE_COUNT <= UINT8_MAX, "figures fit into a row");

static struct metric_field *
find(struct metric_fields *fields, const char *name)
{
	for (size_t i = METRIC_STATIC_FIELDS; i < fields->count; i++)
		if (strcmp(fields->rows[i].name, name) == 0)
			return &fields->rows[i];
	return NULL;
}

static struct metric_field *
add_metric(struct metric_fields *fields, const struct metric *metric, const char *of)
{
	struct metric_field *field = &fields->rows[fields->count++];

	assert(fields->count <= METRIC_FIELDS_MAX);
	*field = (struct metric_field){ .name = metric->name, .of = of, .help = metric->help,
		.tags = metric->kind == METRIC_KIND_COUNTER ? "MCP" : "MGP", .type = METRIC_U64,
		.own = metric->name };
	if (metric->kind == METRIC_KIND_GAUGE)
		field->type = METRIC_S32;
	return field;
}

static void
add_endpoint_rows(struct metric_fields *fields)
{
	for (size_t i = 0; i < endpoint_metrics.count; i++) {
		bool adds_up = i != ENDPOINT_FIGURE_certificate_days && i != ENDPOINT_FIGURE_others_up &&
		    i != ENDPOINT_FIGURE_others_down;
		struct metric_field *field = add_metric(fields, &endpoint_metrics.rows[i],
		    adds_up ? "BS" : "S");

		field->server[0] = (unsigned char)i;
		if (i == ENDPOINT_FIGURE_certificate_days)
			field->own = NULL;	/* Prometheus wants seconds */
		field->server_count = 1;
	}
}

static void
add_listener_rows(struct metric_fields *fields)
{
	for (size_t i = 0; i < listener_metrics.count; i++) {
		struct metric_field *field = find(fields, listener_metrics.rows[i].name);

		if (field == NULL)
			field = add_metric(fields, &listener_metrics.rows[i], "F");
		else
			field->of = "FBS";
		field->listener[0] = (unsigned char)i;
		field->listener_count = 1;
	}
}

void
metric_fields_fill(struct metric_fields *fields)
{
	memcpy(fields->rows, metric_static_fields, METRIC_STATIC_FIELDS * sizeof(fields->rows[0]));
	memcpy(&fields->rows[METRIC_STATIC_FIELDS], metric_own_fields,
	    metric_own_count * sizeof(fields->rows[0]));
	fields->count = METRIC_STATIC_FIELDS + metric_own_count;
	add_endpoint_rows(fields);
	add_listener_rows(fields);
}

bool
metric_field_is_of(const struct metric_field *field, enum metric_object kind)
{
	return strchr(field->of, metric_object_letter(kind)) != NULL;
}

static int64_t
sum(const struct metric_subject *subject, const unsigned char *figures, size_t count)
{
	int64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += subject->figures.of[figures[i]];
	return sum;
}

bool
metric_field_read(const struct metric_field *field, const struct metric_subject *subject,
    struct metric_value *value)
{
	value->number = 0;
	value->text = NULL;
	if (!metric_field_is_of(field, subject->kind))
		return false;
	if (field->read != NULL)
		return field->read(subject, value);
	if (field->type == METRIC_STR)
		return false;
	value->number = subject->kind == METRIC_LISTENER ?
	    sum(subject, field->listener, field->listener_count) :
	    sum(subject, field->server, field->server_count);
	return true;
}

const char *
metric_type_name(enum metric_type type)
{
	static const char *const names[] = { "u32", "u64", "s32", "str" };

	return names[type];
}
