/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_server.h: HTTP on control's loop, by libmicrohttpd, whose only includer is http_server.c: connections
 * that somebody else accepts become visits, which are answered at once or later.  Bounds in size, in number
 * and in time are here; who may ask what is not.
 */
#ifndef ADMIN_HTTP_SERVER_H
#define ADMIN_HTTP_SERVER_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/buf.h"
#include "net/loop.h"

struct http_server;
struct http_peer;

struct http_visit {			/* a request that is whole, until its answer has been sent */
	struct http_peer *peer;
	struct addr from;
	char *path;			/* as it was sent, up to a `?` */
	const char *method;		/* "GET" of a HEAD too */
	struct buf body;
	void *work;			/* of whoever answers */
	void *handle;			/* the server's own, as what follows */
	bool is_told, is_answered, is_suspended, is_bad;
};

struct http_answer {
	int status;
	const char *type;		/* text/html; charset=utf-8 */
	struct slice body;		/* copied */
	const char *allow;		/* of a 405; NULL: none */
	bool wants_login;		/* of a 401 */
	const char *policy;		/* Content-Security-Policy; NULL: nothing is to be loaded */
};

/* Constant. */
struct http_site {
	void (*on_visit)(struct http_visit *visit, void *owner);	/* may answer */
	void (*on_overdue)(struct http_visit *visit, void *owner);	/* it has to answer now */
	void (*on_gone)(struct http_visit *visit, void *owner);		/* answered or not: `work` goes */
};

enum { HTTP_BODY_MAX = 64 * 1024 };

bool http_server_is_there(void);	/* false: built without it, and nothing here may be called */
struct http_server *http_server_new(struct loop *loop, const struct http_site *site, void *owner);
/* Ends all visits; not from within a callback of its own: loop_defer. */
void http_server_free(struct http_server **server);
/* Or not any more: answers end their connections, so that clients find another process with the next one. */
void http_server_part(struct http_server *server, bool is_parting);
/* Owns fd from now on; false: there are too many connections, of all or of this peer, and it is closed. */
bool http_server_add(struct http_server *server, int fd, const struct addr *from);

const char *http_visit_header(const struct http_visit *visit, const char *name);	/* or NULL */
/* Once. */
void http_visit_answer(struct http_visit *visit, const struct http_answer *answer);

#endif
