/* SPDX-License-Identifier: BSD-2-Clause */
/* http_server_none.c: in the place of http_server.c without libmicrohttpd: no configuration has `http`. */
#include <stdlib.h>

#include "admin/http_server.h"

#ifndef HAVE_LIBMICROHTTPD

bool
http_server_is_there(void)
{
	return false;
}

struct http_server *
http_server_new(struct loop *loop, const struct http_site *site, void *owner)
{
	(void)loop;
	(void)site;
	(void)owner;
	abort();
}

void
http_server_free(struct http_server **server)
{
	*server = NULL;
}

void
http_server_part(struct http_server *server, bool is_parting)
{
	(void)server;
	(void)is_parting;
	abort();
}

bool
http_server_add(struct http_server *server, int fd, const struct addr *from)
{
	(void)server;
	(void)fd;
	(void)from;
	abort();
}

const char *
http_visit_header(const struct http_visit *visit, const char *name)
{
	(void)visit;
	(void)name;
	return NULL;
}

void
http_visit_answer(struct http_visit *visit, const struct http_answer *answer)
{
	(void)visit;
	(void)answer;
	abort();
}

#endif
