/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_url.h: where a Redis is, as a directive says it. */
#ifndef NET_REDIS_URL_H
#define NET_REDIS_URL_H

#include <stdint.h>

#include "conf/directive.h"

enum { REDIS_PORT = 6379, REDIS_SENTINEL_PORT = 26379 };

struct redis_url {
	const char *host;		/* without brackets; NULL for a unix socket */
	uint16_t port;
	const char *path;		/* of the unix socket, or NULL */
	const char *user, *password;	/* or NULL */
	int database;
};

/* For a CUSTOM row: "redis://[[user]:password@]host[:port][/database]" or "unix:/path". */
bool redis_url_set(struct conf_words *words, void *field, struct error *error);

/* What holds one set of data. */
enum redis_kind {
	REDIS_SINGLE,
	REDIS_SENTINEL,			/* sentinels tell which server it is now */
	REDIS_CLUSTER			/* servers that have parts of it each, by the key's slot */
};

struct redis_place {
	const char *host;
	uint16_t port;
};

struct redis_group_url {
	enum redis_kind kind;
	struct redis_url url;		/* of SINGLE; of the others without host, port and path */
	struct redis_place *places;	/* of SENTINEL the sentinels, of CLUSTER whom to ask for the others */
	size_t count;
	const char *master;		/* the name that the sentinels have for it */
};

/*
 * For a CUSTOM row: as redis_url_set; or "redis+sentinel://[[user]:password@]host[:port],...\
 * /master[/database]"; or "redis+cluster://[[user]:password@]host[:port],...".
 */
bool redis_group_url_set(struct conf_words *words, void *field, struct error *error);

#endif
