/* SPDX-License-Identifier: BSD-2-Clause */
/* prometheus.c: what gatepost alone has to tell. */
#include "admin/prometheus.h"

#include <stdio.h>
#include <string.h>

#include "access/country_tally.h"
#include "access/geo.h"
#include "auth/auth.h"
#include "auth/auth_kept.h"
#include "base/log.h"
#include "net/handshakes.h"
#include "net/redis.h"
#include "net/resolve.h"
#include "net/stream_memory.h"
#include "session/listener_kept.h"
#include "session/session.h"
#include "state/affinity.h"
#include "state/cluster_members.h"

enum { MS_PER_SECOND = 1000, US_PER_SECOND = 1000000, DIGITS_MAX = 24, DAY_SECONDS = 24 * 3600 };

void
prometheus_quote(struct buf *out, const char *text)
{
	buf_append_text(out, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			buf_append_text(out, "\\n");
			continue;
		}
		if (*text == '"' || *text == '\\')
			buf_append_text(out, "\\");
		buf_append(out, text, 1);
	}
	buf_append_text(out, "\"");
}

void
prometheus_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* As printf does, in a tenth of the time. */
static void
append_number(struct buf *out, int64_t number)
{
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char digits[DIGITS_MAX], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		*--at = '-';
	buf_append(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void
append_thousandths(struct buf *out, int64_t ms)
{
	char fraction[4] = { '.', (char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10),
		(char)('0' + ms % 10) };

	append_number(out, ms / MS_PER_SECOND);
	buf_append(out, fraction, sizeof(fraction));
}

void
prometheus_sample(struct buf *out, const char *name, struct slice labels, int64_t value, bool is_ms)
{
	buf_append_text(out, name);
	if (labels.len > 0) {
		buf_append_text(out, "{");
		buf_append_slice(out, labels);
		buf_append_text(out, "}");
	}
	buf_append_text(out, " ");
	if (is_ms)
		append_thousandths(out, value);
	else
		append_number(out, value);
	buf_append_text(out, "\n");
}

/* Numbers in microseconds, told in seconds. */
static void
write_histogram(struct buf *out, const char *name, struct slice labels, const struct histogram_sum *sum)
{
	static const struct { const char *le; uint64_t us; } bounds[] = {
		{ "0.001", 1000 }, { "0.0025", 2500 }, { "0.005", 5000 }, { "0.01", 10000 },
		{ "0.025", 25000 }, { "0.05", 50000 }, { "0.1", 100000 }, { "0.25", 250000 },
		{ "0.5", 500000 }, { "1", 1000000 }, { "2.5", 2500000 }, { "5", 5000000 },
		{ "10", 10000000 }, { "30", 30000000 },
	};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		buf_printf(out, "%s_bucket{%.*s,le=\"%s\"} %llu\n", name, SLICE_ARGS(labels), bounds[i].le,
		    (unsigned long long)histogram_up_to(sum, bounds[i].us));
	buf_printf(out, "%s_bucket{%.*s,le=\"+Inf\"} %llu\n", name, SLICE_ARGS(labels),
	    (unsigned long long)sum->count);
	buf_printf(out, "%s_sum{%.*s} %llu.%06llu\n", name, SLICE_ARGS(labels),
	    (unsigned long long)(sum->total / US_PER_SECOND),
	    (unsigned long long)(sum->total % US_PER_SECOND));
	buf_printf(out, "%s_count{%.*s} %llu\n", name, SLICE_ARGS(labels), (unsigned long long)sum->count);
}

static void
write_ends(struct scrape *scrape)
{
	static const char name[] = "gatepost_listener_ends_total";

	prometheus_head(scrape->out, name, "counter", "Sessions that have ended, by the reason.");
	for (size_t i = 0; i < scrape->count; i++) {
		const struct scraped *kept = &scrape->all[i];

		for (int k = 0; kept->subject.kind == METRIC_LISTENER && k < END_COUNT; k++)
			buf_printf(scrape->out, "%s{%.*s,reason=\"%s\"} %lld\n", name,
			    SLICE_ARGS(buf_slice(&kept->labels)), end_reason_text((enum end_reason)k),
			    (long long)kept->subject.figures.of[FIGURE_FIRST_END + k]);
	}
}

static void
write_handshakes(struct scrape *scrape)
{
	static const char name[] = "gatepost_listener_tls_handshake_seconds";
	int threads = scrape->cockpit->control->assets.threads;

	prometheus_head(scrape->out, name, "histogram", "Time that TLS handshakes with clients took.");
	for (size_t i = 0; i < scrape->count; i++) {
		const struct metric_subject *subject = &scrape->all[i].subject;
		struct histogram_sum sum = { 0 };

		if (subject->kind != METRIC_LISTENER)
			continue;
		for (int k = 0; k < threads; k++)
			histogram_read(&subject->listener->listener->counters[k].handshakes, &sum);
		write_histogram(scrape->out, name, buf_slice(&scrape->all[i].labels), &sum);
	}
}

static void
write_times(struct scrape *scrape, enum metric_object kind, const char *object)
{
	static const struct { const char *name, *help; } times[] = {
		[ENDPOINT_TIME_QUEUE] = { "queue", "Time that sessions waited in queues." },
		[ENDPOINT_TIME_CONNECT] = { "connect", "Time to connect to the server." },
		[ENDPOINT_TIME_LOGIN] = { "login", "Time until the server took the session." },
		[ENDPOINT_TIME_SESSION] = { "session", "Time of sessions from accept to close." },
	};
	char name[PROMETHEUS_NAME_MAX], part[PROMETHEUS_NAME_MAX + 8];

	for (int k = 0; k < ENDPOINT_TIME_COUNT; k++) {
		snprintf(name, sizeof(name), "gatepost_%s_%s_time_seconds", object, times[k].name);
		prometheus_head(scrape->out, name, "summary", times[k].help);
		for (size_t i = 0; i < scrape->count; i++) {
			const struct scraped *kept = &scrape->all[i];
			const int64_t *figures = kept->subject.figures.of;

			if (kept->subject.kind != kind)
				continue;
			snprintf(part, sizeof(part), "%s_sum", name);
			prometheus_sample(scrape->out, part, buf_slice(&kept->labels),
			    figures[FIGURE_TIME_TOTAL + k], true);
			snprintf(part, sizeof(part), "%s_count", name);
			prometheus_sample(scrape->out, part, buf_slice(&kept->labels),
			    figures[FIGURE_TIME_COUNT + k], false);
		}
	}
}

void
prometheus_write_sessions(struct scrape *scrape)
{
	write_ends(scrape);
	write_handshakes(scrape);
	write_times(scrape, METRIC_SERVER, "server");
}

static struct buf
label(const char *name, const char *value)
{
	struct buf labels = { 0 };

	buf_printf(&labels, "%s=", name);
	prometheus_quote(&labels, value);
	return labels;
}

static void
write_auth_counters(struct scrape *scrape, const struct metric *metric)
{
	const struct conf_list *auths = &cockpit_root(scrape->cockpit)->auths;
	char name[PROMETHEUS_NAME_MAX];

	snprintf(name, sizeof(name), "gatepost_auth_%s_total", metric->name);
	prometheus_head(scrape->out, name, "counter", metric->help);
	for (size_t i = 0; i < auths->count; i++) {
		const struct auth *auth = auths->items[i];
		struct buf labels = label("auth", auth->conf.title);

		prometheus_sample(scrape->out, name, buf_slice(&labels),
		    metric_read(metric, auth->kept, auth->kept->threads), false);
		buf_clear(&labels);
	}
}

static void
write_auths(struct scrape *scrape)
{
	static const char name[] = "gatepost_auth_latency_seconds";
	const struct conf_list *auths = &cockpit_root(scrape->cockpit)->auths;

	for (size_t i = 0; i < auth_metrics.count && auths->count > 0; i++)
		write_auth_counters(scrape, &auth_metrics.rows[i]);
	if (auths->count > 0)
		prometheus_head(scrape->out, name, "histogram", "Time until auth sources answered.");
	for (size_t i = 0; i < auths->count; i++) {
		const struct auth *auth = auths->items[i];
		struct buf labels = label("auth", auth->conf.title);
		struct histogram_sum sum = { 0 };

		auth_kept_latency(auth->kept, &sum);
		write_histogram(scrape->out, name, buf_slice(&labels), &sum);
		buf_clear(&labels);
	}
}

static void
write_farms(struct scrape *scrape)
{
	static const char name[] = "gatepost_farm_bindings";
	const struct conf_list *farms = &cockpit_root(scrape->cockpit)->farms;
	bool has_head = false;

	for (size_t i = 0; i < farms->count; i++) {
		const struct farm *farm = farms->items[i];
		struct buf labels = { 0 };

		if (farm->bindings == NULL)
			continue;
		if (!has_head)
			prometheus_head(scrape->out, name, "gauge", "Users who are bound to a server.");
		has_head = true;
		labels = label("farm", farm->conf.title);
		prometheus_sample(scrape->out, name, buf_slice(&labels),
		    (int64_t)affinity_count(farm->bindings), false);
		buf_clear(&labels);
	}
}

static void
write_certificates(struct scrape *scrape)
{
	static const char name[] = "gatepost_tls_certificate_expiry_seconds";
	const struct conf_list *blocks = &cockpit_root(scrape->cockpit)->tls;

	if (blocks->count > 0)
		prometheus_head(scrape->out, name, "gauge",
		    "Seconds until the first certificate of a tls block expires; negative behind that.");
	for (size_t i = 0; i < blocks->count; i++) {
		const struct tls_settings *tls = blocks->items[i];
		struct buf labels = label("tls", tls->conf.title);

		prometheus_sample(scrape->out, name, buf_slice(&labels),
		    tls_context_seconds_left(tls->context), false);
		buf_clear(&labels);
	}
}

static void
write_server_certificates(struct scrape *scrape)
{
	static const char name[] = "gatepost_server_certificate_expiry_seconds";
	bool has_head = false;

	for (size_t i = 0; i < scrape->count; i++) {
		const struct scraped *kept = &scrape->all[i];
		int64_t days = kept->subject.figures.of[ENDPOINT_FIGURE_certificate_days];

		if (kept->subject.kind != METRIC_SERVER || days < 0)
			continue;
		if (!has_head)
			prometheus_head(scrape->out, name, "gauge",
			    "Whole days, in seconds, until the server's certificate expires.");
		has_head = true;
		prometheus_sample(scrape->out, name, buf_slice(&kept->labels), days * DAY_SECONDS, false);
	}
}

static void
write_lags(struct scrape *scrape)
{
	static const char name[] = "gatepost_loop_lag_seconds";
	const struct sampler *sampler = scrape->cockpit->sampler;

	prometheus_head(scrape->out, name, "gauge", "How late a thread was to do what was due.");
	buf_printf(scrape->out, "%s{thread=\"control\"} %.6f\n", name,
	    (double)sampler_process(sampler)->control_lag_us / US_PER_SECOND);
	for (int i = 0; i < scrape->cockpit->control->assets.threads; i++)
		buf_printf(scrape->out, "%s{thread=\"%d\"} %.6f\n", name, i,
		    (double)sampler_worker_lag_us(sampler, i) / US_PER_SECOND);
}

static void
write_pauses(struct scrape *scrape)
{
	static const char name[] = "gatepost_loop_longest_turn_seconds";
	const struct control *control = scrape->cockpit->control;

	prometheus_head(scrape->out, name, "gauge",
	    "The most processor time that a thread was at work for, without a look at what else was due.");
	buf_printf(scrape->out, "%s{thread=\"control\"} %.6f\n", name,
	    (double)loop_pause_us(control->loop) / US_PER_SECOND);
	for (int i = 0; i < control->assets.threads; i++)
		buf_printf(scrape->out, "%s{thread=\"%d\"} %.6f\n", name, i,
		    (double)loop_pause_us(control->workers[i]->loop) / US_PER_SECOND);
}

static void
write_names(struct scrape *scrape)
{
	static const char name[] = "gatepost_dns_questions_total";

	prometheus_head(scrape->out, name, "counter", "Names that were looked up, by what came of it.");
	for (enum resolve_status i = 0; i < RESOLVE_STATUS_COUNT; i++)
		buf_printf(scrape->out, "%s{status=\"%s\"} %llu\n", name, resolve_status_text(i),
		    (unsigned long long)resolve_count(i));
}

static void
write_countries(struct scrape *scrape)
{
	static const struct { const char *name, *help; } names[COUNTRY_COUNTS] = {
		[COUNTRY_SESSIONS] = { "gatepost_country_sessions_total", "Clients, by their country." },
		[COUNTRY_FAILED_LOGINS] = { "gatepost_country_failed_logins_total",
		    "Logins refused, by the client's country." },
	};
	struct country_row rows[COUNTRY_ROWS];
	size_t count = country_tally_read(scrape->cockpit->control->assets.countries, rows);

	for (int k = 0; k < COUNTRY_COUNTS && count > 0; k++) {
		prometheus_head(scrape->out, names[k].name, "counter", names[k].help);
		for (size_t i = 0; i < count; i++)
			buf_printf(scrape->out, "%s{country=\"%s\"} %llu\n", names[k].name, rows[i].name,
			    (unsigned long long)rows[i].counts[k]);
	}
}

static void
write_database(const struct geo_database *database, void *arg)
{
	struct scrape *scrape = arg;

	buf_printf(scrape->out, "gatepost_geoip_database_age_seconds{database=\"%s\"} %lld\n",
	    database->directive, (long long)database->age_s);
}

static void
write_databases(struct scrape *scrape)
{
	const struct geo *geo = cockpit_root(scrape->cockpit)->geo;

	if (geo == NULL)
		return;
	prometheus_head(scrape->out, "gatepost_geoip_database_age_seconds", "gauge",
	    "Since the database that is in use was built.");
	geo_each(geo, write_database, scrape);
}

static void
write_number(struct scrape *scrape, const char *name, const char *help, int64_t value)
{
	bool is_counter = strstr(name, "_total") != NULL;

	prometheus_head(scrape->out, name, is_counter ? "counter" : "gauge", help);
	prometheus_sample(scrape->out, name, slice_make("", 0), value, false);
}

static void
write_stress(struct scrape *scrape)
{
	static const char name[] = "gatepost_listener_stress_level";

	prometheus_head(scrape->out, name, "gauge", "Its own stress: 0 to 2.");
	for (size_t i = 0; i < scrape->count; i++) {
		const struct metric_subject *subject = &scrape->all[i].subject;

		if (subject->kind == METRIC_LISTENER)
			prometheus_sample(scrape->out, name, buf_slice(&scrape->all[i].labels),
			    stress_level(&subject->listener->listener->stress), false);
	}
	write_number(scrape, "gatepost_stress_level", "Stress of the whole process: 0 to 2.",
	    stress_level(worker_process_stress()));
	write_number(scrape, "gatepost_tls_handshakes_waiting", "TLS handshakes that wait for their turn.",
	    handshakes_waiting());
	write_number(scrape, "gatepost_tls_handshakes_paced_total", "Times that one had to wait.",
	    (int64_t)handshakes_paced());
}

static void
write_cluster(struct scrape *scrape)
{
	static const struct { enum cluster_figure which; const char *name, *help; } rows[] = {
		{ CLUSTER_LOCAL, "gatepost_cluster_local_decisions_total",
		    "Users placed without asking Redis, which did not answer." },
		{ CLUSTER_RECONCILED, "gatepost_cluster_reconciled_sessions_total",
		    "Sessions ended since their users were on another server meanwhile." },
		{ CLUSTER_EXPIRED, "gatepost_cluster_expired_sessions_total",
		    "Sessions ended since their leases could not be renewed." },
		{ CLUSTER_DOWNS, "gatepost_cluster_redis_downs_total", "How often Redis went away." },
		{ CLUSTER_MISSES, "gatepost_cluster_redis_unanswered_total",
		    "Questions to Redis without an answer." },
	};
	const struct assets *assets = &scrape->cockpit->control->assets;

	if (assets->cluster == NULL)
		return;
	write_number(scrape, "gatepost_cluster_redis_up", "1 where Redis answers this proxy.",
	    cluster_is_up(assets->cluster, assets->control));
	write_number(scrape, "gatepost_cluster_proxies", "Proxies that Redis has heard of.",
	    (int64_t)cluster_members_count(assets->members));
	write_number(scrape, "gatepost_cluster_foreign_proxies",
	    "Proxies of these whose release shares nothing with this one.",
	    (int64_t)cluster_members_foreign(assets->members));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		write_number(scrape, rows[i].name, rows[i].help,
		    (int64_t)cluster_figure(assets->cluster, rows[i].which));
}

void
prometheus_write_rest(struct scrape *scrape)
{
	write_auths(scrape);
	write_farms(scrape);
	write_certificates(scrape);
	write_server_certificates(scrape);
	write_pauses(scrape);
	write_lags(scrape);
	write_names(scrape);
	write_stress(scrape);
	write_countries(scrape);
	write_databases(scrape);
	write_cluster(scrape);
	write_number(scrape, "gatepost_redis_connects_total", "Connections to Redis that were made.",
	    (int64_t)redis_count(REDIS_CONNECTED));
	write_number(scrape, "gatepost_redis_failures_total",
	    "Connections to Redis that were lost or not had.", (int64_t)redis_count(REDIS_LOST));
	write_number(scrape, "gatepost_log_dropped_lines_total", "Lines of the log that were dropped.",
	    (int64_t)log_lost());
	write_number(scrape, "gatepost_relay_memory_bytes", "Octets held for peers that are slow.",
	    stream_memory_used());
}
