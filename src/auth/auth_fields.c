/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_fields.c: the table of fields, what their values may be, and what comes of them. */
#include "auth/auth_fields.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "auth/auth.h"
#include "auth/users.h"
#include "base/random.h"

#define USERDB_PREFIX "userdb_"

enum { COUNTRY_MAX = 16 };		/* any word that names one, and its NUL */

static bool
is_any(const char *value)
{
	(void)value;
	return true;
}

static bool
is_text(const char *value)
{
	return *value != '\0';
}

static bool
is_address(const char *value)
{
	struct addr addr;

	return addr_parse(slice_of(value), 0, &addr);
}

/* What %d will make of it is seen at the login. */
static bool
is_host(const char *value)
{
	return is_address(value) || addr_is_name(slice_of(value)) || strchr(value, '%') != NULL;
}

static bool
is_port(const char *value)
{
	uint64_t number;

	return slice_to_number(slice_of(value), UINT16_MAX, &number) && number > 0;
}

static bool
is_tls(const char *value)
{
	static const char *const words[] = { "", "yes", "y", "no", "any-cert" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i]) == 0)
			return true;
	return false;
}

/* As network_parse, but as in Dovecot host bits may be set: 10.1.2.3/8. */
static bool
read_network(struct slice text, struct network *network)
{
	struct slice rest = text, host = slice_take(&rest, '/');
	struct network found = { 0 };
	uint64_t bits;

	if (host.len == text.len)
		return network_parse(text, network);
	if (!addr_parse(host, 0, &found.addr) ||
	    !slice_to_number(rest, found.addr.sa.sa_family == AF_INET ? 32 : 128, &bits))
		return false;
	found.bits = (int)bits;
	*network = found;
	return true;
}

static bool
is_networks(const char *value)
{
	struct slice rest = slice_of(value);
	struct network network;

	do {
		struct slice text = slice_take(&rest, ',');

		if (!slice_equals(text, "local") && !read_network(text, &network))
			return false;
	} while (rest.len > 0);
	return true;
}

/* The next word of a list with commas, without blanks; false: it is too long for any. */
static bool
take_country(struct slice *rest, char word[COUNTRY_MAX])
{
	struct slice text = slice_trim(slice_take(rest, ','));

	if (text.len >= COUNTRY_MAX)
		return false;
	memcpy(word, text.data, text.len);
	word[text.len] = '\0';
	return true;
}

static bool
is_countries(const char *value)
{
	struct slice rest = slice_of(value);
	char word[COUNTRY_MAX];

	do {
		if (!take_country(&rest, word) || !location_is_country(word))
			return false;
	} while (rest.len > 0);
	return true;
}

/* "seconds since 1970", or that and "+the most to add by chance". */
static bool
read_until(const char *value, uint64_t *until, uint64_t *chance)
{
	struct slice rest = slice_of(value), first = slice_take(&rest, '+');

	*chance = 0;
	return slice_to_number(first, INT64_MAX / 2, until) &&
	    (first.len == strlen(value) || slice_to_number(rest, INT_MAX, chance));
}

static bool
is_until(const char *value)
{
	uint64_t until, chance;

	return read_until(value, &until, &chance);
}

/* As Dovecot reads it: seconds, or a number and its unit. */
static bool
read_timeout(const char *value, uint64_t *ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {
		{ "", 1000 }, { "s", 1000 }, { "sec", 1000 }, { "secs", 1000 }, { "ms", 1 }, { "msec", 1 },
		{ "msecs", 1 }, { "m", 60000 }, { "min", 60000 }, { "mins", 60000 },
	};
	size_t digits = strspn(value, "0123456789");
	const char *unit = value + digits + strspn(value + digits, " ");

	if (!slice_to_number(slice_make(value, digits), INT_MAX, ms))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].unit) != 0)
			continue;
		*ms *= units[i].ms;
		return true;
	}
	return false;
}

static bool
is_timeout(const char *value)
{
	uint64_t ms;

	return read_timeout(value, &ms);
}

#define FIELD(name, is_flag, is_good, wanted) \
	{ #name, offsetof(struct auth_fields, name), is_flag, is_good, wanted }

static const struct field_row {
	const char *name;
	size_t offset;
	bool is_flag;			/* says something without a value */
	bool (*is_good)(const char *value);
	const char *wanted;
} rows[] = {
	/*    name             flag   good         what it is */
	FIELD(user,            false, is_text,     "a name"),
	FIELD(host,            false, is_host,     "a name or an address"),
	FIELD(hostip,          false, is_address,  "an address"),
	FIELD(port,            false, is_port,     "a number from 1 to 65535"),
	FIELD(destuser,        false, is_text,     "a name"),
	FIELD(pass,            false, is_any,      "a password"),
	FIELD(master,          false, is_text,     "a name"),
	FIELD(pool,            false, is_text,     "the name of a pool"),
	FIELD(server,          false, is_text,     "the name of a server"),
	FIELD(starttls,        true,  is_tls,      "yes, no or any-cert"),
	FIELD(ssl,             true,  is_tls,      "yes, no or any-cert"),
	FIELD(proxy_timeout,   false, is_timeout,  "a time like 5, 5s or 500ms"),
	FIELD(reason,          false, is_any,      "a text"),
	FIELD(allow_nets,      false, is_networks, "networks like 192.0.2.0/24,2001:db8::/32"),
	FIELD(allow_countries, false, is_countries, "countries like DE,FR, or unknown"),
	FIELD(delay_until,     false, is_until,    "a time in seconds since 1970, or that, + and seconds"),
	FIELD(nologin,         true,  is_any,      "a flag"),
	FIELD(proxy,           true,  is_any,      "a flag"),
	FIELD(proxy_maybe,     true,  is_any,      "a flag"),
	FIELD(nopassword,      true,  is_any,      "a flag"),
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static const char **
value_of(struct auth_fields *fields, const struct field_row *row)
{
	return (const char **)(void *)((char *)fields + row->offset);
}

static const struct field_row *
find_row(struct slice name)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (slice_equals(name, rows[i].name))
			return &rows[i];
	return NULL;
}

static bool
has_good_variables(const char *value)
{
	while ((value = strchr(value, '%')) != NULL) {
		if (value[1] == '\0' || strchr("und%", value[1]) == NULL)
			return false;
		value += 2;
	}
	return true;
}

static bool
is_one_line(const char *value)
{
	return strpbrk(value, "\r\n") == NULL;
}

/* What the values of some place may hold. */
struct manner {
	bool (*is_good)(const char *value);
	const char *fault;
};

static const struct manner written = { has_good_variables, "a % that is not of %u, %n, %d or %%" };
static const struct manner said = { is_one_line, "a line break" };

static bool
read_word(const char *word, const struct manner *manner, struct auth_fields *fields, struct error *error)
{
	const char *equals = strchrnul(word, '=');
	const struct field_row *row = find_row(slice_make(word, (size_t)(equals - word)));
	const char *value = *equals != '\0' ? equals + 1 : "";

	if (row == NULL)
		return true;
	if (!row->is_good(value))
		return error_set(error, "%s is %s", row->name, row->wanted);
	if (!manner->is_good(value))
		return error_set(error, "%s has %s", row->name, manner->fault);
	*value_of(fields, row) = value;
	return true;
}

bool
auth_fields_are_in(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, " \t:");
		struct slice value = slice_make(text, len), name = slice_take(&value, '=');
		const struct field_row *row = find_row(name);

		if (row != NULL && (row->is_flag || name.len < len))
			return true;
		text += len + (text[len] != '\0');
	}
	return false;
}

/* "name:" and ":name" are read over by nobody who counts colons: a restriction would be lost. */
static bool
has_its_place(const char *word, struct error *error)
{
	const char *colon = strchr(word, ':');

	if (colon == NULL)
		return true;
	if (colon < strchrnul(word, '='))
		return error_set(error, "a : in the name of an extra field; there is one too many");
	if (auth_fields_are_in(colon))
		return error_set(error, "an extra field behind a :, where a blank should be");
	return true;
}

bool
auth_fields_read(const char *words, size_t size, struct auth_fields *fields, struct error *error)
{
	*fields = (struct auth_fields){ 0 };
	for (size_t i = 0; i < size; i += strlen(words + i) + 1) {
		const char *word = words + i;
		bool is_ours = strncmp(word, USERDB_PREFIX, strlen(USERDB_PREFIX)) != 0;

		if (!has_its_place(word, error) || (is_ours && !read_word(word, &written, fields, error)))
			return false;
	}
	return true;
}

bool
auth_fields_take(const char *words, size_t size, struct auth_fields *fields, struct error *error)
{
	*fields = (struct auth_fields){ 0 };
	for (size_t i = 0; i < size; i += strlen(words + i) + 1)
		if (!read_word(words + i, &said, fields, error))
			return false;
	return true;
}

bool
auth_fields_add(struct buf *words, struct slice name, struct slice value, struct error *error)
{
	const struct field_row *row = find_row(name);
	bool is_only_flag = row != NULL && row->is_flag && row->is_good == is_any;

	if (row == NULL || (is_only_flag && slice_equals(value, "no")))
		return true;
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.data[i] < ' ' || value.data[i] == '\x7f')
			return error_set(error, "%s has a control character", row->name);
	if (is_only_flag && value.len > 0 && !slice_equals(value, "yes"))
		return error_set(error, "%s is a flag: yes, no or empty", row->name);
	buf_append_text(words, row->name);
	buf_append_text(words, "=");
	buf_append_slice(words, value);
	buf_append(words, "", 1);
	return true;
}

static void
expand(const char *value, const char *user, struct buf *out)
{
	struct slice name = slice_of(user), domain;

	users_split(&name, &domain);
	for (; *value != '\0'; value++) {
		if (*value != '%') {
			buf_append(out, value, 1);
			continue;
		}
		switch (*++value) {
		case 'u': buf_append_text(out, user); break;
		case 'n': buf_append_slice(out, name); break;
		case 'd': buf_append_slice(out, domain); break;
		default: buf_append(out, value, 1); break;
		}
	}
	buf_append(out, "", 1);
}

bool
auth_fields_expand(struct auth_fields *fields, const char *user, struct buf *texts)
{
	size_t ends[ROW_COUNT];
	bool ok = true;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const char *value = *value_of(fields, &rows[i]);

		if (value != NULL && strchr(value, '%') != NULL)
			expand(value, user, texts);
		ends[i] = buf_len(texts);
	}
	/* only now does none of them move any more */
	for (size_t i = 0, begin = 0; i < ROW_COUNT; begin = ends[i++]) {
		if (begin == ends[i])
			continue;
		*value_of(fields, &rows[i]) = buf_data(texts) + begin;
		ok &= rows[i].is_good(buf_data(texts) + begin);
	}
	return ok;
}

static bool
is_allowed(const char *networks, const struct addr *client)
{
	struct slice rest = slice_of(networks);

	do {
		struct slice text = slice_take(&rest, ',');
		struct network network;

		if (slice_equals(text, "local") && client->sa.sa_family == AF_UNIX)
			return true;
		if (read_network(text, &network) && network_has(&network, client))
			return true;
	} while (rest.len > 0);
	return false;
}

static bool
is_in_countries(const char *countries, const struct location *place)
{
	struct slice rest = slice_of(countries);
	char word[COUNTRY_MAX];

	do {
		if (take_country(&rest, word) && location_is_in(place, word))
			return true;
	} while (rest.len > 0);
	return false;
}

bool
auth_reason_is_safe(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return *text != '\0';
}

static void
judge_delay(const char *value, struct auth_answer *answer)
{
	uint64_t now = (uint64_t)time(NULL), until, chance, wait_ms;

	if (!read_until(value, &until, &chance) || until <= now)
		return;
	if (until - now > AUTH_DELAY_MAX_S) {
		answer->verdict = AUTH_LATER;
		return;
	}
	wait_ms = (until - now) * 1000 + (chance > 0 ? random_number() % (chance * 1000) : 0);
	answer->delay_ms = (int64_t)(wait_ms < AUTH_DELAY_MAX_S * 1000 ? wait_ms : AUTH_DELAY_MAX_S * 1000);
}

static bool
is_tls_wanted(const char *value)
{
	return value != NULL && strcmp(value, "no") != 0;
}

static void
tell_where(const struct auth_fields *fields, struct auth_answer *answer)
{
	const char *tls = is_tls_wanted(fields->ssl) ? fields->ssl : fields->starttls;
	uint64_t port = 0, timeout_ms = 0;

	if (fields->proxy_timeout != NULL)
		(void)read_timeout(fields->proxy_timeout, &timeout_ms);
	answer->timeout_ms = (int64_t)timeout_ms;
	if (fields->port != NULL)
		(void)slice_to_number(slice_of(fields->port), UINT16_MAX, &port);
	answer->port = (uint16_t)port;
	answer->host = fields->hostip != NULL ? fields->hostip : fields->host;
	answer->destuser = fields->destuser;
	answer->pass = fields->pass;
	answer->master = fields->master;
	answer->pool = fields->pool;
	answer->server = fields->server;
	if (is_tls_wanted(tls))
		answer->tls = tls == fields->ssl ? AUTH_TLS_IMPLICIT : AUTH_TLS_STARTTLS;
}

static const char unknown_countries[] =
    "the user's allow_countries cannot be checked: `geoip` has no database of countries";

/* Why the user may not log in, or NULL; `reason` is what may be told to the client, or NULL. */
static const char *
find_objection(const struct auth_fields *fields, const struct identity *identity, const char **reason)
{
	*reason = NULL;
	if (fields->allow_nets != NULL && !is_allowed(fields->allow_nets, &identity->client))
		return "the client is not in the user's allow_nets";
	/* a restriction that cannot be checked lets nobody in */
	if (fields->allow_countries != NULL && !identity->place.has_countries)
		return unknown_countries;
	if (fields->allow_countries != NULL && !is_in_countries(fields->allow_countries, &identity->place))
		return "the client is not in the user's allow_countries";
	/* as with Dovecot, whose proxies pass on users who may not log in there */
	if (fields->nologin == NULL || fields->proxy != NULL || fields->proxy_maybe != NULL)
		return NULL;
	if (fields->reason != NULL && auth_reason_is_safe(fields->reason))
		*reason = fields->reason;
	return "the user has nologin";
}

void
auth_fields_judge(const struct auth_fields *fields, const struct auth_request *request,
    struct auth_answer *answer)
{
	const char *reason, *why = find_objection(fields, request->identity, &reason);
	bool is_password_unknown = fields->nopassword != NULL && !request->is_lookup;

	*answer = (struct auth_answer){
		.verdict = is_password_unknown ? AUTH_BY_SERVER : AUTH_OK,
		.user = fields->user,
		.refuses_login = why != NULL && request->is_lookup,
		.depends_on_client = fields->allow_nets != NULL || fields->allow_countries != NULL,
		.why = why,
		.reason = reason,
	};
	if (why == unknown_countries && !request->is_lookup) {
		answer->verdict = AUTH_LATER;
		return;
	}
	if (why != NULL && !request->is_lookup) {
		answer->verdict = AUTH_REFUSED;
		/* where nobody knows the password, any is refused */
		answer->is_right = !is_password_unknown;
		return;
	}
	tell_where(fields, answer);
	if (fields->delay_until != NULL)
		judge_delay(fields->delay_until, answer);
}
