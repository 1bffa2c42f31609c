/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_client.h: questions by HTTP/1.1 GET on a loop, without blocking:
 * connections are kept for the next question, names are looked up by the
 * resolver while their time to live says so, certificates are verified.  No
 * redirect is followed, no proxy of the environment asked.  Only
 * http_client.c includes curl.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "net/http_url.h"
#include "net/loop.h"
#include "net/resolve.h"

enum {
	HTTP_HEADERS_MAX = 64 * 1024,		/* of a reply, and as much of a body: more is a failure */
	HTTP_IDLE_MAX = 32,			/* connections that a client keeps */
	HTTP_FAILURE_MAX = 384
};

struct http_reply {			/* ends with on_reply */
	const char *failure;		/* there is no whole reply, and why; NULL: there is */
	int status;
	struct slice headers;		/* the lines behind the status line, each with its end */
};

struct http_client;
struct http_exchange;

/* Embedded in its owner; zero but for what the owner sets. */
struct http_request {
	const struct http_url *url;	/* outlives it */
	const char *secret;		/* a reply's header, of which nothing may stay in memory; or NULL */
	struct slice headers;		/* "Name: value\r\n" each, Host among them; copied */
	int64_t timeout_ms;		/* for all of it */
	struct resolver *resolver;	/* asked before http_start returns; NULL: names are not looked up */
	void (*on_reply)(struct http_request *request, const struct http_reply *reply);
	struct http_exchange *exchange;	/* the client's; NULL while nothing is asked */
};

bool http_is_there(void);		/* false: built without libcurl, and every question fails */
/* ca: of those who vouch for servers, a file; NULL: the system's. */
struct http_client *http_client_new(struct loop *loop, const char *ca);
void http_client_free(struct http_client **client);	/* nothing is asked any more */

/*
 * on_reply comes once, never before this returns.  It may ask again, cancel others, and free the request's
 * owner, but not the client.  What was sent and read is overwritten when it is freed.
 */
void http_start(struct http_client *client, struct http_request *request);
void http_cancel(struct http_request *request);		/* no reply comes; fine where nothing is asked */

#endif
