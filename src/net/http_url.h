/* SPDX-License-Identifier: BSD-2-Clause */
/* http_url.h: the URL of what is asked by HTTP, taken apart and checked when a configuration is read. */
#ifndef NET_HTTP_URL_H
#define NET_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct http_url {
	char *text;			/* as written */
	char *plain;			/* for curl: of a unix socket http://localhost/… */
	char *host;			/* without brackets; "localhost" of a unix socket */
	char *unix_path;		/* or NULL */
	uint16_t port;
	bool has_name;			/* the host is neither an address nor a unix socket's */
};

/*
 * http://HOST[:PORT][/…], https://…, unix:PATH[:/…] or, as nginx writes it, http://unix:PATH[:/…].  false:
 * it is none of these, names a user (a header is the place for secrets), or could not stand in a request.
 */
bool http_url_parse(const char *text, struct http_url *url, struct error *error);
void http_url_clear(struct http_url *url);

#endif
