/* SPDX-License-Identifier: BSD-2-Clause */
/* checks_farm.c: what gatepost depends on: certificates, GeoIP's files, names, Redis. */
#include <errno.h>
#include <glob.h>
#include <netdb.h>
#include <sys/stat.h>
#include <time.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "ctl/connection.h"
#include "ctl/diagnosis.h"
#include "ctl/program_run.h"
#include "ctl/settings.h"

enum {
	DAY_S = 24 * 3600,
	CERTIFICATE_DAYS = 14,		/* who renews automatically does so a month before */
	GEOIP_DAYS = 45,		/* MaxMind's terms say 30 */
	SLOW_NAME_MS = 500,
	REDIS_PATIENCE_S = 2
};

/* When it ends, as openssl tells; 0: it is no certificate. */
static time_t
certificate_end(const char *path)
{
	const char *const argv[] = { "openssl", "x509", "-noout", "-enddate", "-in", path, NULL };
	static const char prefix[] = "notAfter=";
	struct buf text = { 0 };
	struct tm tm = { 0 };
	time_t end = 0;

	if (program_run(argv, &text) && slice_has_prefix(buf_slice(&text), prefix)) {
		buf_append(&text, "", 1);
		if (strptime(buf_data(&text) + strlen(prefix), "%b %d %H:%M:%S %Y", &tm) != NULL)
			end = timegm(&tm);
	}
	buf_clear(&text);
	return end;
}

/* A note or worse is said at once; else the days that are left. */
static void
check_certificate(struct diagnosis *d, const char *path, double *least)
{
	time_t end = certificate_end(path);
	double days = difftime(end, time(NULL)) / DAY_S;

	if (end == 0) {
		diagnosis_say(d, GRADE_UNKNOWN, "%s: openssl finds no certificate", path);
		return;
	}
	if (days < *least)
		*least = days;
	if (days < 0)
		diagnosis_say(d, GRADE_WRONG, "%s has expired %d days ago", path, (int)-days);
	else if (days < CERTIFICATE_DAYS)
		diagnosis_say(d, GRADE_NOTE, "%s expires in %d days", path, (int)days);
	if (days < CERTIFICATE_DAYS)
		diagnosis_advise(d, "the new file is taken up within a minute", "renew %s", path);
}

static void
check_certificate_words(struct diagnosis *d, const struct setting *setting, double *least, size_t *count)
{
	for (int i = 1; i < setting->count; i++) {
		glob_t paths;

		if (glob(setting->words[i], 0, NULL, &paths) != 0) {
			diagnosis_say(d, GRADE_WRONG, "%s: there is no such file", setting->words[i]);
			continue;
		}
		for (size_t k = 0; k < paths.gl_pathc; k++)
			check_certificate(d, paths.gl_pathv[k], least);
		*count += paths.gl_pathc;
		globfree(&paths);
	}
}

static void
check_certificates(struct diagnosis *d)
{
	const struct setting *tls = setting_in(d->settings, "tls");
	double least = 1e9;
	size_t count = 0, before = d->count;

	if (!diagnosis_has_settings(d))
		return;
	for (; tls != NULL; tls = setting_again(tls)) {
		const struct setting *setting = setting_in(tls, "certificate");

		for (; setting != NULL; setting = setting_again(setting))
			check_certificate_words(d, setting, &least, &count);
	}
	if (d->count > before)
		return;
	if (count > 0)
		diagnosis_say(d, GRADE_FINE, "the first of %zu expires in %d days", count,
		    (int)least);
	else
		diagnosis_say(d, GRADE_FINE, "none is configured");
}

static void
check_geoip_file(struct diagnosis *d, const char *path)
{
	struct stat status;
	double days;

	if (stat(path, &status) != 0) {
		diagnosis_say(d, GRADE_WRONG, "%s: %s", path, strerror(errno));
		diagnosis_advise(d, "downloads it", "geoipupdate");
		return;
	}
	days = difftime(time(NULL), status.st_mtime) / DAY_S;
	diagnosis_say(d, days > GEOIP_DAYS ? GRADE_NOTE : GRADE_FINE, "%s is %.0f days old", path, days);
	if (days > GEOIP_DAYS)
		diagnosis_advise(d, "networks change hands; run it weekly", "geoipupdate");
}

static void
check_geoip(struct diagnosis *d)
{
	const struct setting *geoip = setting_in(d->settings, "geoip");
	size_t before = d->count;

	if (!diagnosis_has_settings(d))
		return;
	for (const struct setting *s = geoip != NULL ? geoip->first : NULL; s != NULL; s = s->next)
		if (setting_word(s, 1)[0] == '/')
			check_geoip_file(d, setting_word(s, 1));
	if (d->count == before)
		diagnosis_say(d, GRADE_FINE, "none is configured");
}

static void
check_name(struct diagnosis *d, const char *name, size_t *count)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	int64_t began = clock_ms();
	struct addrinfo *list;
	struct addr addr;
	int status;

	if (name[0] == '\0' || name[0] == '_' || strchr(name, '/') != NULL ||
	    addr_parse(slice_of(name), 0, &addr))
		return;
	(*count)++;
	status = getaddrinfo(name, NULL, &hints, &list);
	if (status == 0)
		freeaddrinfo(list);
	if (status != 0)
		diagnosis_say(d, GRADE_WRONG, "%s cannot be resolved: %s", name, gai_strerror(status));
	else if (clock_ms() - began > SLOW_NAME_MS)
		diagnosis_say(d, GRADE_NOTE, "%s took %d ms", name, (int)(clock_ms() - began));
	else
		return;
	diagnosis_advise(d, "tells which name server fails; a resolver on this machine helps",
	    "dig %s", name);
}

static void
check_dns(struct diagnosis *d)
{
	static const char *const blocks[] = { "farm", "pool" };
	size_t before = d->count, count = 0;

	if (!diagnosis_has_settings(d))
		return;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		const struct setting *block = setting_in(d->settings, blocks[i]);

		for (; block != NULL; block = setting_again(block))
			for (const struct setting *s = setting_in(block, "server"); s != NULL;
			    s = setting_again(s))
				check_name(d, setting_word(setting_in(s, "address"), 1), &count);
	}
	if (d->count == before)
		diagnosis_say(d, GRADE_FINE, "servers with names: %zu%s", count,
		    count > 0 ? ", which resolve" : "");
}

/* Any answer to PING will do: one that asks for a password comes from Redis, too. */
static void
check_redis_at(struct diagnosis *d, const char *place)
{
	struct connection redis;
	struct buf answer = { 0 };
	struct error error;

	redis = (struct connection){ .fd = connection_dial(place, REDIS_PATIENCE_S, &error) };
	if (redis.fd == -1) {
		diagnosis_say(d, GRADE_WRONG, "nobody answers at %s", place);
		diagnosis_advise(d, "tells why", "systemctl status redis-server");
		return;
	}
	connection_set_patience(&redis, REDIS_PATIENCE_S);
	if (connection_write(&redis, slice_of("PING\r\n")))
		connection_read(&redis, &answer);
	if (slice_has_prefix(buf_slice(&answer), "+PONG") || slice_has_prefix(buf_slice(&answer), "-NOAUTH"))
		diagnosis_say(d, GRADE_FINE, "%s answers", place);
	else
		diagnosis_say(d, GRADE_WRONG, "%s gives no answer of Redis", place);
	buf_clear(&answer);
	connection_close(&redis);
}

/* redis://[USER:PASSWORD@]HOST[:PORT][,…][/DB], redis+sentinel:// …, unix:PATH. */
static void
check_redis_url(struct diagnosis *d, const char *url)
{
	static const char scheme[] = "://";
	const char *begin = strstr(url, scheme), *at;
	struct slice hosts;

	if (slice_has_prefix(slice_of(url), "unix:")) {
		check_redis_at(d, url + strlen("unix:"));
		return;
	}
	if (begin == NULL)
		return;
	begin += strlen(scheme);
	hosts = slice_make(begin, strcspn(begin, "/?"));
	at = memrchr(hosts.data, '@', hosts.len);
	if (at != NULL)
		hosts = slice_from(hosts, (size_t)(at - hosts.data) + 1);
	while (hosts.len > 0) {
		struct slice host = slice_take(&hosts, ',');
		bool has_port = memchr(host.data, ':', host.len) != NULL &&
		    host.data[host.len - 1] != ']';
		char *place = xasprintf("%.*s%s", SLICE_ARGS(host), has_port ? "" : ":6379");

		check_redis_at(d, place);
		xfree(place);
	}
}

/* The effective configuration masks its address, which may hold a password: the file does not. */
static void
check_redis(struct diagnosis *d)
{
	static const char *const blocks[] = { "auth", "cluster" };
	size_t before = d->count;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		for (const struct setting *block = setting_in(d->file, blocks[i]); block != NULL;
		    block = setting_again(block))
			check_redis_url(d, setting_word(setting_in(block, "redis"), 1));
	if (d->count == before)
		diagnosis_say(d, d->file != NULL ? GRADE_FINE : GRADE_UNKNOWN,
		    d->file != NULL ? "none is configured" : "the configuration cannot be read");
}

const struct check farm_checks[] = {
	{ "certificates",   check_certificates },
	{ "GeoIP",          check_geoip },
	{ "DNS",            check_dns },
	{ "Redis",          check_redis },
	{ 0 }
};
