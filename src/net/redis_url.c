/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_url.c: reads the URL of a Redis.  No error quotes it: it may hold a password. */
#include "net/redis_url.h"

#include <string.h>
#include <sys/un.h>

#include "base/slice.h"

enum { DATABASE_MAX = 1 << 20, PERCENT_SIZE = 3 };

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *found = c != '\0' ? strchr(digits, c) : NULL;

	return found != NULL ? (int)(found - digits) % 16 : -1;
}

/* "%40" at the front is "@", and so on (RFC 3986); 0: it is nothing that may stand there. */
static int
percent_value(struct slice text)
{
	int high = text.len >= PERCENT_SIZE ? hex_digit(text.data[1]) : -1;
	int low = text.len >= PERCENT_SIZE ? hex_digit(text.data[2]) : -1;

	return high >= 0 && low >= 0 ? high * 16 + low : 0;
}

static bool
decode(struct arena *arena, struct slice text, const char **decoded)
{
	char *out = arena_alloc(arena, text.len + 1);

	*decoded = out;
	while (text.len > 0) {
		bool is_coded = *text.data == '%';
		int value = is_coded ? percent_value(text) : *text.data;

		if (value == 0)
			return false;
		*out++ = (char)value;
		text = slice_from(text, is_coded ? PERCENT_SIZE : 1);
	}
	return true;
}

static bool
read_unix(const char *path, struct redis_url *url, struct error *error)
{
	if (*path != '/')
		return error_set(error, "unix: needs a path from the root on");
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return error_set(error, "the path is too long for a socket");
	url->path = path;
	return true;
}

/* What stands before the "@". */
static bool
read_login(struct arena *arena, struct slice login, struct redis_url *url, struct error *error)
{
	struct slice password = login, user = slice_take(&password, ':');

	if (user.len == login.len)
		return error_set(error, "before the @ user:password is wanted, or :password");
	if (!decode(arena, user, &url->user) || !decode(arena, password, &url->password))
		return error_set(error, "user or password have a %% without two digits, or a NUL");
	if (*url->user == '\0')
		url->user = NULL;
	if (*url->password == '\0')
		return error_set(error, "the password before the @ is empty");
	return true;
}

/* Takes "host" or "[address]" off the front. */
static struct slice
take_host(struct slice *rest)
{
	const char *end = rest->len > 0 && *rest->data == '[' ? memchr(rest->data, ']', rest->len) : NULL;
	struct slice host;

	if (end == NULL) {
		host = slice_make(rest->data, rest->len);
		for (size_t i = 0; i < rest->len && host.len == rest->len; i++)
			if (rest->data[i] == ':')
				host.len = i;
		*rest = slice_from(*rest, host.len);
		return host;
	}
	host = slice_make(rest->data + 1, (size_t)(end - rest->data) - 1);
	*rest = slice_from(*rest, host.len + 2);
	return host;
}

/* url->port: what it is where none is said. */
static bool
read_place(struct arena *arena, struct slice place, struct redis_place *url, struct error *error)
{
	struct slice host = take_host(&place);
	uint64_t port = url->port;

	url->host = arena_strndup(arena, host.data, host.len);
	if (!conf_is_host(url->host))
		return error_set(error, "its host is not the name or the address of one");
	if (place.len > 0 && (*place.data != ':' ||
	    !slice_to_number(slice_from(place, 1), UINT16_MAX, &port) || port == 0))
		return error_set(error, "its port is not a number from 1 to %d", UINT16_MAX);
	url->port = (uint16_t)port;
	return true;
}

static struct slice
up_to_last(struct slice text, char separator)
{
	const char *last = text.len > 0 ? memrchr(text.data, separator, text.len) : NULL;

	return slice_make(text.data, last != NULL ? (size_t)(last - text.data) : 0);
}

/* Takes "user:password@" off the front, where there is one. */
static bool
take_login(struct arena *arena, struct slice *places, struct redis_url *url, struct error *error)
{
	struct slice login = up_to_last(*places, '@');

	if (login.len == 0)
		return true;
	*places = slice_from(*places, login.len + 1);
	return read_login(arena, login, url, error);
}

static bool
read_database(struct slice text, struct redis_url *url, struct error *error)
{
	uint64_t number = 0;

	if (text.len > 0 && !slice_to_number(text, DATABASE_MAX, &number))
		return error_set(error, "what follows the / is not the number of a database");
	url->database = (int)number;
	return true;
}

static bool
read_url(struct arena *arena, const char *text, struct redis_url *url, struct error *error)
{
	struct slice database = slice_of(text), place = slice_take(&database, '/');
	struct redis_place at = { .port = REDIS_PORT };

	if (!take_login(arena, &place, url, error) || !read_database(database, url, error) ||
	    !read_place(arena, place, &at, error))
		return false;
	url->host = at.host;
	url->port = at.port;
	return true;
}

static bool
read_places(struct arena *arena, struct slice text, struct redis_group_url *group, struct error *error)
{
	uint16_t port = group->kind == REDIS_SENTINEL ? REDIS_SENTINEL_PORT : REDIS_PORT;
	size_t most = 1;

	for (size_t i = 0; i < text.len; i++)
		most += text.data[i] == ',';
	group->places = arena_alloc(arena, most * sizeof(*group->places));
	for (size_t i = 0; i < most; i++) {
		group->places[i] = (struct redis_place){ .port = port };
		if (!read_place(arena, slice_take(&text, ','), &group->places[i], error))
			return false;
	}
	group->count = most;
	return true;
}

static bool
read_group(struct arena *arena, const char *text, struct redis_group_url *group, struct error *error)
{
	struct slice rest = slice_of(text), places = slice_take(&rest, '/'), master;

	if (group->kind == REDIS_CLUSTER && rest.len > 0)
		return error_set(error, "a Redis Cluster has no databases: nothing follows the /");
	if (!take_login(arena, &places, &group->url, error) ||
	    !read_places(arena, places, group, error))
		return false;
	if (group->kind == REDIS_CLUSTER)
		return true;
	master = slice_take(&rest, '/');
	if (master.len == 0)
		return error_set(error, "behind the sentinels /NAME is wanted: what they call the server");
	group->master = arena_strndup(arena, master.data, master.len);
	return read_database(rest, &group->url, error);
}

bool
redis_url_set(struct conf_words *words, void *field, struct error *error)
{
	static const char prefix[] = "redis://", unix_prefix[] = "unix:", tls_prefix[] = "rediss:";
	struct redis_url *url = field;
	const char *text = words->words[0];

	*url = (struct redis_url){ 0 };
	if (words->count != 1)
		return error_set(error, "takes one value: redis://host:port/database or unix:/path");
	if (strncmp(text, tls_prefix, strlen(tls_prefix)) == 0)
		return error_set(error, "rediss:// is not possible: hiredis 0.14 knows no TLS; a TLS "
					"tunnel on this machine (stunnel) adds it");
	if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
		return read_unix(text + strlen(unix_prefix), url, error);
	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return error_set(error, "is not redis://host:port/database or unix:/path");
	return read_url(words->arena, text + strlen(prefix), url, error);
}

bool
redis_group_url_set(struct conf_words *words, void *field, struct error *error)
{
	static const struct {
		const char *prefix;
		enum redis_kind kind;
	} kinds[] = {
		{ "redis+sentinel://", REDIS_SENTINEL }, { "redis+cluster://", REDIS_CLUSTER },
	};
	struct redis_group_url *group = field;
	const char *text = words->words[0];

	*group = (struct redis_group_url){ 0 };
	for (size_t i = 0; words->count == 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, len) == 0) {
			group->kind = kinds[i].kind;
			return read_group(words->arena, text + len, group, error);
		}
	}
	return redis_url_set(words, &group->url, error);
}
