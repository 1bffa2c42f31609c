/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics_prometheus.c: all figures in the text format of Prometheus.  What means the same as with HAProxy
 * has its exporter's name, haproxy_…; the rest is gatepost_….  A metric's samples stand together, so that
 * first all is read and then it is written metric by metric.
 */
#include "admin/metrics.h"

#include <stdio.h>
#include <string.h>

#include "admin/metric_info.h"
#include "admin/prometheus.h"
#include "base/xalloc.h"
#include "health/watch.h"

static void
keep_subject(struct metric_subject *subject, void *arg)
{
	struct scrape *scrape = arg;
	struct scraped *kept;

	if (scrape->count == scrape->size) {
		scrape->size = scrape->size * 2 + 16;
		scrape->all = xrealloc(scrape->all, scrape->size * sizeof(scrape->all[0]));
	}
	kept = &scrape->all[scrape->count++];
	*kept = (struct scraped){ .subject = *subject };
	figures_subtract(&kept->subject.figures, &subject->track->base, subject->kind == METRIC_LISTENER);
	buf_append_text(&kept->labels, "proxy=");
	prometheus_quote(&kept->labels, subject->proxy);
	if (subject->kind == METRIC_SERVER) {
		buf_append_text(&kept->labels, ",server=");
		prometheus_quote(&kept->labels, subject->name);
	}
}

static bool
is_total(const struct metric_field *field)
{
	return field->tags[1] == 'C';
}

static void
write_field(struct scrape *scrape, const struct metric_field *field, enum metric_object kind,
    const char *name)
{
	bool has_head = false;
	struct metric_value value;

	for (size_t i = 0; i < scrape->count; i++) {
		const struct scraped *kept = &scrape->all[i];

		if (kept->subject.kind != kind || !metric_field_read(field, &kept->subject, &value))
			continue;
		if (!has_head)
			prometheus_head(scrape->out, name, is_total(field) ? "counter" : "gauge",
			    field->help);
		has_head = true;
		prometheus_sample(scrape->out, name, buf_slice(&kept->labels), value.number, field->is_ms);
	}
}

static void
write_fields_of(struct scrape *scrape, const struct metric_field *field, enum metric_object kind)
{
	static const char *const haproxy[] = { "frontend", "backend", "server" };
	static const char *const own[] = { "listener", "pool", "server" };
	const char *of = field->promex_of != NULL ? field->promex_of : field->of;
	char name[PROMETHEUS_NAME_MAX];
	bool has_suffix;

	if (field->promex != NULL && strchr(of, metric_object_letter(kind)) != NULL) {
		snprintf(name, sizeof(name), "haproxy_%s_%s", haproxy[kind], field->promex);
		write_field(scrape, field, kind, name);
	}
	if (field->own != NULL && strchr(field->of, metric_object_letter(kind)) != NULL) {
		has_suffix = strstr(field->own, "_total") != NULL || !is_total(field);
		snprintf(name, sizeof(name), "gatepost_%s_%s%s", own[kind], field->own,
		    has_suffix ? "" : "_total");
		write_field(scrape, field, kind, name);
	}
}

static void
write_fields(struct scrape *scrape)
{
	struct metric_fields *fields = xcalloc(1, sizeof(*fields));

	metric_fields_fill(fields);
	for (size_t i = 0; i < fields->count; i++)
		for (enum metric_object kind = METRIC_LISTENER; kind < METRIC_OBJECT_COUNT; kind++)
			write_fields_of(scrape, &fields->rows[i], kind);
	xfree(fields);
}

static void
write_state(struct scrape *scrape, const struct scraped *kept, const char *name, const char *state,
    int64_t value)
{
	buf_printf(scrape->out, "%s{%.*s,state=\"%s\"} %lld\n", name,
	    SLICE_ARGS(buf_slice(&kept->labels)), state, (long long)value);
}

static void
write_proxy_status(struct scrape *scrape, enum metric_object kind, const char *name, const char *help)
{
	prometheus_head(scrape->out, name, "gauge", help);
	for (size_t i = 0; i < scrape->count; i++) {
		const struct scraped *kept = &scrape->all[i];
		bool is_up = strcmp(kept->subject.status_text, "OPEN") == 0 ||
		    (kind == METRIC_POOL && kept->subject.status == STATUS_UP);

		if (kept->subject.kind != kind)
			continue;
		write_state(scrape, kept, name, "DOWN", !is_up);
		write_state(scrape, kept, name, "UP", is_up);
	}
}

static void
write_server_status(struct scrape *scrape)
{
	static const char name[] = "haproxy_server_status";

	prometheus_head(scrape->out, name, "gauge", "State of the server: 1 at the one that it has.");
	for (size_t i = 0; i < scrape->count; i++)
		for (enum server_status k = 0; k < STATUS_COUNT; k++)
			if (scrape->all[i].subject.kind == METRIC_SERVER)
				write_state(scrape, &scrape->all[i], name, server_status_name(k),
				    scrape->all[i].subject.status == k);
}

static void
write_check_status(struct scrape *scrape)
{
	static const char name[] = "haproxy_server_check_status";

	prometheus_head(scrape->out, name, "gauge", "What came of the last check: 1 at its result.");
	for (size_t i = 0; i < scrape->count; i++) {
		const struct watch *watch = scrape->all[i].subject.watch;

		for (enum check_code k = CHECK_CODE_SOCKERR; watch != NULL && k < CHECK_CODE_COUNT; k++)
			write_state(scrape, &scrape->all[i], name, check_code_name(k),
			    watch->result.code == k);
	}
}

static void
write_servers_by_state(struct scrape *scrape, const char *name)
{
	prometheus_head(scrape->out, name, "gauge", "Servers of the pool by their state.");
	for (size_t i = 0; i < scrape->count; i++)
		for (enum server_status k = 0; k < STATUS_COUNT; k++)
			if (scrape->all[i].subject.kind == METRIC_POOL)
				write_state(scrape, &scrape->all[i], name, server_status_name(k),
				    scrape->all[i].subject.by_status[k]);
}

static void
write_states(struct scrape *scrape)
{
	write_proxy_status(scrape, METRIC_LISTENER, "haproxy_frontend_status",
	    "State of the listener: UP, it takes clients.");
	write_proxy_status(scrape, METRIC_POOL, "haproxy_backend_status",
	    "State of the pool: UP, a server of it takes sessions.");
	write_server_status(scrape);
	write_check_status(scrape);
	write_servers_by_state(scrape, "haproxy_backend_agg_server_status");
	write_servers_by_state(scrape, "haproxy_backend_agg_server_check_status");
}

static void
write_info(struct scrape *scrape)
{
	const struct slice none = slice_make("", 0);
	char name[PROMETHEUS_NAME_MAX];
	struct metric_info info;

	metric_info_read(scrape->cockpit, &info);
	for (size_t i = 0; i < metric_info_count; i++) {
		const struct info_row *row = &metric_info_rows[i];
		size_t n = row->promex != NULL ? strlen(row->promex) : 0;
		bool is_counter = n > 6 && strcmp(row->promex + n - 6, "_total") == 0;

		if (n == 0)
			continue;
		snprintf(name, sizeof(name), "haproxy_process_%s", row->promex);
		prometheus_head(scrape->out, name, is_counter ? "counter" : "gauge", row->help);
		prometheus_sample(scrape->out, name, none, info.numbers[row->source], false);
	}
	prometheus_head(scrape->out, "gatepost_build_info", "gauge", "Which version runs.");
	buf_append_text(scrape->out, "gatepost_build_info{version=\"" GATEPOST_VERSION "\"} 1\n");
}

void
metrics_render_prometheus(struct cockpit *cockpit, struct buf *out)
{
	struct scrape scrape = { .cockpit = cockpit, .out = out };

	metric_subjects(cockpit, keep_subject, &scrape);
	write_info(&scrape);
	write_fields(&scrape);
	write_states(&scrape);
	prometheus_write_sessions(&scrape);
	prometheus_write_rest(&scrape);
	for (size_t i = 0; i < scrape.count; i++)
		buf_clear(&scrape.all[i].labels);
	xfree(scrape.all);
}
