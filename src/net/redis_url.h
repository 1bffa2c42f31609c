/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_url.h: where a Redis is, as a directive says it. */
#ifndef NET_REDIS_URL_H
#define NET_REDIS_URL_H

#include <stdint.h>

#include "conf/directive.h"

enum { REDIS_PORT = 6379 };

struct redis_url {
	const char *host;		/* without brackets; NULL for a unix socket */
	uint16_t port;
	const char *path;		/* of the unix socket, or NULL */
	const char *user, *password;	/* or NULL */
	int database;
};

/* For a CUSTOM row: "redis://[[user]:password@]host[:port][/database]" or "unix:/path". */
bool redis_url_set(struct conf_words *words, void *field, struct error *error);

#endif
