/* SPDX-License-Identifier: BSD-2-Clause */
/* http_block.h: the block `http` within `admin`: an address where the page, metrics and the API are. */
#ifndef ADMIN_HTTP_BLOCK_H
#define ADMIN_HTTP_BLOCK_H

#include "admin/level.h"
#include "conf/directive.h"
#include "net/listener.h"
#include "net/tls_context.h"

struct admin_http {			/* http ADDRESS:PORT { … } */
	struct conf_block conf;
	struct address place;
	struct network_list allow;	/* empty, at a loopback address alone: whoever can connect */
	struct string_list names;	/* by which callers without a password may call it, too */
	int level;			/* enum admin_level */
	struct tls_settings *tls;	/* NULL: none is spoken */
	const char *password_file;	/* NULL: nobody has to say who he is */
};

extern const struct block admin_http_block;

struct listen_spec admin_http_spec(const struct admin_http *http);
bool admin_http_allows(const struct admin_http *http, const struct addr *peer);

#endif
