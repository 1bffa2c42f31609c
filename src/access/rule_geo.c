/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rule_geo.c: libmaxminddb, which maps files into memory.  A file that is
 * written over would be cut off under those who read it, so what is mapped
 * is a copy of our own, in memory.
 */
#include "access/geo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "access/watched_file.h"
#include "base/log.h"
#include "base/xalloc.h"

#ifdef HAVE_LIBMAXMINDDB
#include <maxminddb.h>

static bool
copy(int from, int to)
{
	struct stat st;
	off_t left;

	if (fstat(from, &st) != 0)
		return false;
	for (left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;	/* somebody cuts it off */
		if (n <= 0)
			return false;
		left -= n;
	}
	return true;
}

/* A copy of the file in memory, or -1. */
static int
open_copy(const char *path, struct error *error)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int to = from >= 0 ? memfd_create("geoip", MFD_CLOEXEC) : -1;

	if (from < 0 || to < 0 || !copy(from, to)) {
		error_set(error, "%s: %s", path, strerror(errno));
		if (to >= 0)
			close(to);
		to = -1;
	}
	if (from >= 0)
		close(from);
	return to;
}

static void *
load(const char *path, struct error *error)
{
	enum { PATH_ROOM = 40 };
	char place[PATH_ROOM];
	MMDB_s *db;
	int fd = open_copy(path, error), status;

	if (fd < 0)
		return NULL;
	snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	db = xcalloc(1, sizeof(*db));
	status = MMDB_open(place, MMDB_MODE_MMAP, db);
	close(fd);
	if (status == MMDB_SUCCESS)
		return db;
	xfree(db);
	error_set(error, "%s: %s", path, MMDB_strerror(status));
	return NULL;
}

static void
unload(void *data)
{
	MMDB_close(data);
	xfree(data);
}

static void
take_code(MMDB_entry_s *entry, const char *const *path, char code[LOCATION_CODE_SIZE])
{
	MMDB_entry_data_s data;

	if (MMDB_aget_value(entry, &data, path) == MMDB_SUCCESS && data.has_data &&
	    data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size < LOCATION_CODE_SIZE) {
		memcpy(code, data.utf8_string, data.data_size);
		code[data.data_size] = '\0';
	}
}

static void
take(MMDB_entry_s *entry, struct location *place)
{
	static const char *const country[] = { "country", "iso_code", NULL };
	static const char *const continent[] = { "continent", "code", NULL };
	static const char *const asn[] = { "autonomous_system_number", NULL };
	MMDB_entry_data_s data;

	take_code(entry, country, place->country);
	take_code(entry, continent, place->continent);
	if (MMDB_aget_value(entry, &data, asn) == MMDB_SUCCESS && data.has_data &&
	    data.type == MMDB_DATA_TYPE_UINT32)
		place->asn = data.uint32;
}

static void
look_into(struct watched_file *file, const struct sockaddr *sa, struct location *place)
{
	struct watched_content *content;
	MMDB_lookup_result_s result;
	int status;

	if (file == NULL)
		return;
	content = watched_file_hold(file);
	result = MMDB_lookup_sockaddr(watched_data(content), sa, &status);
	if (status == MMDB_SUCCESS && result.found_entry)
		take(&result.entry, place);
	watched_let_go(&content);
}

static void
describe(void *data, struct geo_database *database)
{
	const MMDB_metadata_s *metadata = &((const MMDB_s *)data)->metadata;
	char *out = database->type;

	snprintf(out, sizeof(database->type), "%s", metadata->database_type);
	for (; *out != '\0'; out++)
		if (*out < ' ' || *out > '~')
			*out = '?';
	database->built_at = (int64_t)metadata->build_epoch;
}

#else

static void *
load(const char *path, struct error *error)
{
	error_set(error, "%s: this gatepost was built without libmaxminddb", path);
	return NULL;
}

static void
unload(void *data)
{
	(void)data;
}

static void
look_into(struct watched_file *file, const struct sockaddr *sa, struct location *place)
{
	(void)file;
	(void)sa;
	(void)place;
}

static void
describe(void *data, struct geo_database *database)
{
	(void)data;
	(void)database;
}
#endif

/* One of another kind knows nobody: it is as bad as one that is broken. */
static void *
load_fitting(const char *path, const char *foreign, const char *as_foreign, struct error *error)
{
	struct geo_database facts = { 0 };
	void *data = load(path, error);

	if (data == NULL)
		return NULL;
	describe(data, &facts);
	if (strstr(facts.type, foreign) == NULL && strstr(facts.type, as_foreign) == NULL)
		return data;
	unload(data);
	error_set(error, "%s: is a database of another kind, %s", path, facts.type);
	return NULL;
}

static void *
load_places(const char *path, struct error *error)
{
	return load_fitting(path, "ASN", "ASN", error);
}

static void *
load_networks(const char *path, struct error *error)
{
	return load_fitting(path, "Country", "City", error);
}

static const struct watched_kind places = { load_places, unload }, networks = { load_networks, unload };

static const struct directive geo_directives[] = {
	CONF_PATH(struct geo, country, NULL, 0,
	    "A database of countries, in MaxMind's format (GeoLite2-Country.mmdb)."),
	CONF_PATH(struct geo, city, NULL, 0,
	    "A database of cities, of which the countries and continents are used."),
	CONF_PATH(struct geo, asn, NULL, 0,
	    "A database of autonomous systems: who operates a network."),
	{ 0 }
};

const struct block geo_block = {
	.name = "geoip", .directives = geo_directives, .size = BLOCK_SIZE(struct geo),
	.help = "Databases of where clients are, for the conditions `country`, `continent`, `asn`. Each is "
		"copied into memory, and taken up within a minute when it changes; one that is not "
		"good leaves the old one in use. Where several know an address the last one here counts.",
};

struct source {
	const char *directive, *path;
	const struct watched_kind *kind;
};

static bool
open_one(const struct geo *geo, const struct source *source, struct watched_file *kept,
    struct watched_file **file, struct conf_problems *problems)
{
	struct error error;

	if (source->path == NULL)
		return true;
	if (kept != NULL && strcmp(watched_file_path(kept), source->path) == 0)
		*file = watched_file_get(kept);
	else
		*file = watched_file_open(source->path, source->kind, &error);
	if (*file == NULL)
		conf_error_at_value(problems, &geo->conf, source->directive, 0, "%s", error.text);
	return *file != NULL;
}

bool
geo_open(struct geo *geo, const struct geo *before, struct conf_problems *problems)
{
	static const struct geo none = { 0 };
	const struct source countries = { "country", geo->country, &places };
	const struct source cities = { "city", geo->city, &places };
	const struct source systems = { "asn", geo->asn, &networks };
	bool ok;

	if (before == NULL)
		before = &none;
	ok = open_one(geo, &countries, before->countries, &geo->countries, problems);
	ok &= open_one(geo, &cities, before->cities, &geo->cities, problems);
	ok &= open_one(geo, &systems, before->networks, &geo->networks, problems);
	return ok;
}

void
geo_close(struct geo *geo)
{
	watched_file_put(&geo->countries);
	watched_file_put(&geo->cities);
	watched_file_put(&geo->networks);
}

static void
refresh_one(struct watched_file *file)
{
	struct error error;

	if (file == NULL)
		return;
	switch (watched_file_refresh(file, &error)) {
	case WATCHED_SAME:
		break;
	case WATCHED_NEW:
		log_write(LOG_NOTICE, "geoip: %s is reloaded", watched_file_path(file));
		break;
	case WATCHED_KEPT:
		log_write(LOG_ERR, "geoip: the old database stays in use: %s", error.text);
	}
}

void
geo_refresh(struct geo *geo)
{
	refresh_one(geo->countries);
	refresh_one(geo->cities);
	refresh_one(geo->networks);
}

struct location
geo_look_up(const struct geo *geo, const struct addr *addr)
{
	struct location place = { 0 };

	if (geo == NULL)
		return place;
	place.has_countries = geo->countries != NULL || geo->cities != NULL;
	if (addr->sa.sa_family == AF_UNIX || addr->sa.sa_family == AF_UNSPEC)
		return place;
	look_into(geo->countries, &addr->sa, &place);
	look_into(geo->cities, &addr->sa, &place);
	look_into(geo->networks, &addr->sa, &place);
	return place;
}

static void
tell_one(const char *directive, struct watched_file *file,
    void (*each)(const struct geo_database *database, void *arg), void *arg)
{
	struct geo_database facts = { .directive = directive };
	struct watched_content *content;

	if (file == NULL)
		return;
	content = watched_file_hold(file);
	facts.path = watched_file_path(file);
	describe(watched_data(content), &facts);
	watched_let_go(&content);
	facts.age_s = (int64_t)time(NULL) - facts.built_at;
	each(&facts, arg);
}

void
geo_each(const struct geo *geo, void (*each)(const struct geo_database *database, void *arg), void *arg)
{
	if (geo == NULL)
		return;
	tell_one("country", geo->countries, each, arg);
	tell_one("city", geo->cities, each, arg);
	tell_one("asn", geo->networks, each, arg);
}
