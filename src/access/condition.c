/* SPDX-License-Identifier: BSD-2-Clause */
/* condition.c: a row for each word of the language: how its values are read, and when it is true. */
#include "access/condition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access/name_file.h"
#include "access/watched_file.h"
#include "base/arena.h"
#include "base/log.h"

enum { DAY_MINUTES = 24 * 60, HOUR_MINUTES = 60, ALL_DAYS = 0x7f };

/* `none` is no value: it undoes what is said before it. */
static const char unknown_word[] = LOCATION_UNKNOWN, missing_word[] = "missing";
static const char *const continents[] = { "AF", "AN", "AS", "EU", "NA", "OC", "SA", unknown_word, NULL };
static const char *const versions[] = {
	"off", "any", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL
};
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

/* Readers of one value. */
typedef bool reader(struct conf_words *words, size_t i, struct condition_line *line, size_t at,
    struct error *error);

static bool
read_any(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	(void)words;
	(void)i;
	(void)line;
	(void)at;
	(void)error;
	return true;
}

static bool
read_net(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	if (network_parse(slice_of(words->words[i]), &line->nets[at]))
		return true;
	return error_set(error, "%s is not a network like 192.0.2.0/24, with no bits behind its length",
	    words->words[i]);
}

static bool
read_country(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	const char *word = words->words[i];

	(void)line;
	(void)at;
	return location_is_country(word) ||
	    error_set(error, "%s is not a country's code of two capital letters, nor unknown", word);
}

static bool
is_one_of(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static bool
read_continent(struct conf_words *words, size_t i, struct condition_line *line, size_t at,
    struct error *error)
{
	(void)line;
	(void)at;
	return is_one_of(words->words[i], continents) ||
	    error_set(error, "%s is not AF, AN, AS, EU, NA, OC, SA or unknown", words->words[i]);
}

static bool
read_asn(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	struct slice text = slice_of(words->words[i]);
	uint64_t number;

	(void)line;
	(void)at;
	if (strcmp(words->words[i], unknown_word) == 0)
		return true;
	if (slice_has_prefix_nocase(text, "AS"))
		text = slice_from(text, 2);
	return slice_to_number(text, UINT32_MAX, &number) ||
	    error_set(error, "%s is not the number of an autonomous system, nor unknown", words->words[i]);
}

static bool
read_path(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	if (words->count - i != 1 || at != 0)
		return error_set(error, "takes one file");
	line->words[at] = conf_words_path(words, i);
	return true;
}

static bool
read_tls(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	(void)line;
	(void)at;
	return is_one_of(words->words[i], versions) ||
	    error_set(error, "%s is not off, any, TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3", words->words[i]);
}

static bool
read_minutes(struct slice text, int *minutes)
{
	struct slice hour = slice_take(&text, ':');
	uint64_t h, m;

	if (!slice_to_number(hour, 24, &h) || !slice_to_number(text, HOUR_MINUTES - 1, &m) ||
	    (h == 24 && m > 0))
		return false;
	*minutes = (int)(h * HOUR_MINUTES + m);
	return true;
}

static int
find_day(struct slice name)
{
	for (int i = 0; day_names[i] != NULL; i++)
		if (slice_equals_nocase(name, day_names[i]))
			return i;
	return -1;
}

/* "mon" or "mon-fri", also "sat-mon". */
static bool
read_days(struct slice text, unsigned *days)
{
	struct slice first = slice_take(&text, '-');
	int from = find_day(first), to = text.len > 0 ? find_day(text) : from;

	if (from < 0 || to < 0)
		return false;
	*days = 1u << to;
	for (int day = from; day != to; day = (day + 1) % 7)
		*days |= 1u << day;
	return true;
}

/* 08:00-18:00, mon-fri or mon-fri/08:00-18:00 */
static bool
read_time(struct conf_words *words, size_t i, struct condition_line *line, size_t at, struct error *error)
{
	struct slice text = slice_of(words->words[i]), days = text, from;
	struct condition_times *times = &line->times[at];
	bool ok;

	*times = (struct condition_times){ 0, DAY_MINUTES, ALL_DAYS };
	if (memchr(text.data, '/', text.len) != NULL) {
		days = slice_take(&text, '/');
		ok = read_days(days, &times->days);
	} else if (memchr(text.data, ':', text.len) == NULL) {
		ok = read_days(text, &times->days);
		text.len = 0;
	} else {
		ok = true;
	}
	if (ok && text.len > 0) {
		from = slice_take(&text, '-');
		ok = read_minutes(from, &times->from) && read_minutes(text, &times->to);
	}
	return ok || error_set(error, "%s is not a time like 08:00-18:00, mon-fri or mon-fri/08:00-18:00",
	    words->words[i]);
}

/* Judges of one value; what they are asked about is known. */
typedef bool judge(const struct condition_line *line, size_t i, struct condition_subject *subject);

static bool
is_net(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	return subject->client->sa.sa_family != AF_UNIX && network_has(&line->nets[i], subject->client);
}

static const struct location *
place_of(struct condition_subject *subject)
{
	if (!subject->has_place)
		subject->place = geo_look_up(subject->geo, subject->client);
	subject->has_place = true;
	return &subject->place;
}

static bool
is_country(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	return location_is_in(place_of(subject), line->words[i]);
}

static bool
is_continent(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	const char *continent = place_of(subject)->continent;

	return strcmp(line->words[i], *continent != '\0' ? continent : unknown_word) == 0;
}

static bool
is_asn(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	const char *word = line->words[i];
	uint32_t asn = place_of(subject)->asn;

	if (strcmp(word, unknown_word) == 0)
		return asn == 0;
	return asn != 0 && strtoul(word + strspn(word, "ASas"), NULL, 10) == asn;
}

static bool
is_user(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	return slice_equals(subject->user, line->words[i]);
}

static bool
is_in_file(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	(void)i;
	return subject->user.len > 0 && line->names != NULL && name_file_has(line->names, subject->user);
}

static bool
is_of_domain(struct slice address, const char *domain)
{
	for (size_t i = address.len; i > 0; i--)
		if (address.data[i - 1] == '@')
			return slice_equals_nocase(slice_from(address, i), domain);
	return false;
}

static bool
is_domain(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	return is_of_domain(subject->user, line->words[i]);
}

static bool
is_recipient_domain(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	return is_of_domain(subject->recipient, line->words[i]);
}

/* A star stands for one label: *.example.org. */
static bool
is_sni(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	const char *word = line->words[i], *sni = subject->sni, *dot;

	if (sni == NULL)
		return strcmp(word, missing_word) == 0;
	if (word[0] != '*')
		return strcasecmp(word, sni) == 0;
	dot = strchr(sni, '.');
	return dot != NULL && strcasecmp(word + 1, dot) == 0;
}

static bool
is_listener(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	return strcmp(line->words[i], subject->listener) == 0;
}

static bool
is_tls(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	const char *word = line->words[i], *version = subject->tls_version;

	if (version == NULL)
		return strcmp(word, "off") == 0;
	return strcmp(word, "any") == 0 || strcmp(word, version) == 0;
}

static bool
is_client_cert(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	const char *word = line->words[i], *user = subject->certificate_user;

	if (user == NULL)
		return strcmp(word, missing_word) == 0;
	return strcmp(word, "any") == 0 || strcmp(word, user) == 0;
}

static bool
is_time(const struct condition_line *line, size_t i, struct condition_subject *subject)
{
	const struct condition_times *times = &line->times[i];
	struct tm tm;
	int minute, day;

	localtime_r(&subject->now, &tm);
	minute = tm.tm_hour * HOUR_MINUTES + tm.tm_min;
	day = tm.tm_wday;
	if (times->from < times->to)
		return minute >= times->from && minute < times->to && (times->days >> day & 1) != 0;
	/* over midnight: the morning belongs to the day before */
	if (minute < times->to)
		return (times->days >> ((day + 6) % 7) & 1) != 0;
	return minute >= times->from && (times->days >> day & 1) != 0;
}

static const struct row {
	reader *read;
	judge *is;
	unsigned needs;			/* of enum condition_known */
	bool is_of_client;
} rows[CONDITION_KIND_COUNT] = {
	[CONDITION_NET]              = { read_net,       is_net,              0,               true },
	[CONDITION_COUNTRY]          = { read_country,   is_country,          0,               true },
	[CONDITION_CONTINENT]        = { read_continent, is_continent,        0,               true },
	[CONDITION_ASN]              = { read_asn,       is_asn,              0,               true },
	[CONDITION_USER]             = { read_any,       is_user,             KNOWN_USER,      false },
	[CONDITION_USER_FILE]        = { read_path,      is_in_file,          KNOWN_USER,      false },
	[CONDITION_DOMAIN]           = { read_any,       is_domain,           KNOWN_USER,      false },
	[CONDITION_RECIPIENT_DOMAIN] = { read_any,       is_recipient_domain, KNOWN_RECIPIENT, false },
	[CONDITION_SNI]              = { read_any,       is_sni,              KNOWN_TLS,       true },
	[CONDITION_LISTENER]         = { read_any,       is_listener,         0,               true },
	[CONDITION_TLS]              = { read_tls,       is_tls,              KNOWN_TLS,       true },
	[CONDITION_CLIENT_CERT]      = { read_any,       is_client_cert,      KNOWN_TLS,       true },
	[CONDITION_TIME]             = { read_time,      is_time,             0,               true },
};

bool
condition_is_of_client(enum condition_kind kind)
{
	return rows[kind].is_of_client;
}

/* Words from `first` on are the values. */
static bool
set_values(enum condition_kind kind, struct conf_words *words, size_t first, struct condition_line *line,
    struct error *error)
{
	size_t count = words->count - first;

	if (count == 0)
		return error_set(error, "%s: a value is missing", condition_word(kind));
	line->kind = kind;
	line->count = count;
	line->words = arena_alloc(words->arena, count * sizeof(line->words[0]));
	if (kind == CONDITION_NET)
		line->nets = arena_alloc(words->arena, count * sizeof(line->nets[0]));
	if (kind == CONDITION_TIME)
		line->times = arena_alloc(words->arena, count * sizeof(line->times[0]));
	for (size_t i = 0; i < count; i++) {
		words->bad = first + i;
		line->words[i] = words->words[first + i];
		if (!rows[kind].read(words, first + i, line, i, error))
			return false;
	}
	return true;
}

bool
condition_set(struct conf_words *words, void *field, struct error *error)
{
	struct condition_line *line = field;
	size_t first = 0;

	if (words->count > 0 && strcmp(words->words[0], "not") == 0) {
		line->is_negated = true;
		first = 1;
	}
	for (int kind = 0; first < words->count && kind < CONDITION_KIND_COUNT; kind++)
		if (strcmp(words->words[first], condition_word((enum condition_kind)kind)) == 0)
			return set_values((enum condition_kind)kind, words, first + 1, line, error);
	words->bad = first;
	return error_set(error, "%s is no condition", first < words->count ? words->words[first] : "nothing");
}

static bool
set_negated(struct conf_words *words, void *field, struct error *error)
{
	struct condition_line *line = field;

	line->is_negated = true;
	return condition_set(words, field, error);
}

#define SETTER(KIND, name) \
	static bool \
	name(struct conf_words *words, void *field, struct error *error) \
	{ \
		return set_values(KIND, words, 0, field, error); \
	}
SETTER(CONDITION_NET, set_net)
SETTER(CONDITION_COUNTRY, set_country)
SETTER(CONDITION_CONTINENT, set_continent)
SETTER(CONDITION_ASN, set_asn)
SETTER(CONDITION_USER, set_user)
SETTER(CONDITION_USER_FILE, set_user_file)
SETTER(CONDITION_DOMAIN, set_domain)
SETTER(CONDITION_RECIPIENT_DOMAIN, set_recipient_domain)
SETTER(CONDITION_SNI, set_sni)
SETTER(CONDITION_LISTENER, set_listener)
SETTER(CONDITION_TLS, set_tls)
SETTER(CONDITION_CLIENT_CERT, set_client_cert)
SETTER(CONDITION_TIME, set_time)

#define ROWS(name, setter, argument, text) \
	static const struct directive name[] = { \
		CONF_CUSTOM_AS("values", struct condition, line, NULL, setter, argument, CONF_REQUIRED, \
		    text), \
		{ 0 } \
	};
ROWS(net_rows, set_net, "network ...", "The client's address is in one of these.")
ROWS(country_rows, set_country, "code ...", "The client is in one of these; `unknown`: no database says.")
ROWS(continent_rows, set_continent, "code ...", "Likewise: AF, AN, AS, EU, NA, OC, SA.")
ROWS(asn_rows, set_asn, "number ...", "The client's network is one of these autonomous systems'.")
ROWS(user_rows, set_user, "name ...", "The user, by the canonical name, is one of these.")
ROWS(user_file_rows, set_user_file, "path", "The user's canonical name is a line of this file.")
ROWS(domain_rows, set_domain, "domain ...", "The user's domain is one of these.")
ROWS(recipient_domain_rows, set_recipient_domain, "domain ...",
    "The domain of the transaction's first recipient is one of these: a server is chosen at the first "
    "RCPT then.  A later recipient who would go elsewhere is put off with a 451, and comes in a mail of its "
    "own.")
ROWS(sni_rows, set_sni, "name ...", "The name that TLS was begun for; `*.` is one label, `missing` no name.")
ROWS(listener_rows, set_listener, "name ...", "The client came to one of these listeners.")
ROWS(tls_rows, set_tls, "version ...", "The client's TLS: `off`, `any`, or a version such as TLSv1.2.")
ROWS(client_cert_rows, set_client_cert, "user ...",
    "The user whom the client's verified certificate names; or `any`, or `missing`.")
ROWS(time_rows, set_time, "time ...", "Local time: `08:00-18:00`, `mon-fri`, `mon-fri/08:00-18:00`.")
ROWS(not_rows, set_negated, "condition", "A line that must not be true: `not country DE`.")

#define BLOCK(word, rows_) { \
	.name = word, .directives = rows_, .size = BLOCK_SIZE(struct condition), .title = TITLE_VALUE, \
	.help = "A condition." }
const struct block condition_blocks[CONDITION_KIND_COUNT] = {
	[CONDITION_NET] = BLOCK("net", net_rows),
	[CONDITION_COUNTRY] = BLOCK("country", country_rows),
	[CONDITION_CONTINENT] = BLOCK("continent", continent_rows),
	[CONDITION_ASN] = BLOCK("asn", asn_rows),
	[CONDITION_USER] = BLOCK("user", user_rows),
	[CONDITION_USER_FILE] = BLOCK("user_file", user_file_rows),
	[CONDITION_DOMAIN] = BLOCK("domain", domain_rows),
	[CONDITION_RECIPIENT_DOMAIN] = BLOCK("recipient_domain", recipient_domain_rows),
	[CONDITION_SNI] = BLOCK("sni", sni_rows),
	[CONDITION_LISTENER] = BLOCK("listener", listener_rows),
	[CONDITION_TLS] = BLOCK("tls", tls_rows),
	[CONDITION_CLIENT_CERT] = BLOCK("client_cert", client_cert_rows),
	[CONDITION_TIME] = BLOCK("time", time_rows),
};
const struct block condition_not_block = BLOCK("not", not_rows);

const char *
condition_word(enum condition_kind kind)
{
	return condition_blocks[kind].name;
}

static bool
has_listener(const struct condition_scope *scope, const char *name)
{
	for (size_t i = 0; i < scope->listeners->count; i++)
		if (strcmp(((const struct conf_block *)scope->listeners->items[i])->title, name) == 0)
			return true;
	return false;
}

/* Why nobody can say whether it is true, but for what is unknown anyhow; or NULL. */
static const char *
find_gap(const struct condition_line *line, const struct condition_scope *scope, const char **word)
{
	const struct geo *geo = scope->geo;
	bool has_countries = geo != NULL && (geo->country != NULL || geo->city != NULL);
	bool has_networks = geo != NULL && geo->asn != NULL;

	*word = condition_word(line->kind);
	if ((line->kind == CONDITION_COUNTRY || line->kind == CONDITION_CONTINENT) && !has_countries)
		return "needs a database of countries or cities, and `geoip` names none";
	if (line->kind == CONDITION_ASN && !has_networks)
		return "needs a database of autonomous systems, and `geoip` names none";
	if (line->kind == CONDITION_RECIPIENT_DOMAIN && !scope->has_recipients)
		return "does not belong in access, but in route";
	for (size_t i = 0; line->kind == CONDITION_LISTENER && i < line->count; i++) {
		*word = line->words[i];
		if (!has_listener(scope, *word))
			return "is no listener";
	}
	return NULL;
}

bool
condition_open(struct condition_line *line, const struct conf_block *block,
    const struct condition_scope *scope, struct conf_problems *problems)
{
	const char *word, *gap = find_gap(line, scope, &word);
	struct error error;

	if (gap != NULL) {
		conf_error_at(problems, block, NULL, "%s %s", word, gap);
		return false;
	}
	if (line->kind != CONDITION_USER_FILE || line->count == 0)
		return true;
	line->names = watched_file_open(line->words[0], &name_file, &error);
	if (line->names == NULL)
		conf_error_at(problems, block, NULL, "%s", error.text);
	return line->names != NULL;
}

void
condition_close(struct condition_line *line)
{
	watched_file_put(&line->names);
}

void
condition_refresh(struct condition_line *line)
{
	struct error error;

	if (line->names == NULL)
		return;
	switch (watched_file_refresh(line->names, &error)) {
	case WATCHED_SAME:
		break;
	case WATCHED_NEW:
		log_write(LOG_NOTICE, "%s is read again", watched_file_path(line->names));
		break;
	case WATCHED_KEPT:
		log_write(LOG_ERR, "the old names stay in use: %s", error.text);
	}
}

enum condition_answer
condition_judge(const struct condition_line *line, struct condition_subject *subject)
{
	const struct row *row = &rows[line->kind];
	bool is_true = false;

	if ((row->needs & ~subject->known) != 0)
		return CONDITION_LATER;
	for (size_t i = 0; i < line->count && !is_true; i++)
		is_true = row->is(line, i, subject);
	return is_true != line->is_negated ? CONDITION_YES : CONDITION_NO;
}

enum condition_answer
conditions_judge(const struct conf_list *lines, struct condition_subject *subject)
{
	enum condition_answer answer = CONDITION_YES;

	for (size_t i = 0; i < lines->count; i++) {
		const struct condition *condition = lines->items[i];

		switch (condition_judge(&condition->line, subject)) {
		case CONDITION_NO:
			return CONDITION_NO;
		case CONDITION_LATER:
			answer = CONDITION_LATER;
			break;
		case CONDITION_YES:
			break;
		}
	}
	return answer;
}
