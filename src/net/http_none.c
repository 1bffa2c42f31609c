/* SPDX-License-Identifier: BSD-2-Clause */
/* http_none.c: in the place of http_client.c where there is no libcurl: every question fails. */
#include "net/http_client.h"

#include "base/xalloc.h"

#ifndef HAVE_LIBCURL

struct http_client {
	struct loop *loop;
};

struct http_exchange {
	struct http_client *client;
	struct http_request *request;
	struct loop_timer timer;
};

bool
http_is_there(void)
{
	return false;
}

struct http_client *
http_client_new(struct loop *loop, const char *ca)
{
	struct http_client *client = xcalloc(1, sizeof(*client));

	(void)ca;
	client->loop = loop;
	return client;
}

void
http_client_free(struct http_client **client)
{
	xfree(*client);
	*client = NULL;
}

static void
on_time(struct loop_timer *timer)
{
	struct http_exchange *exchange = loop_owner(timer, struct http_exchange, timer);
	struct http_request *request = exchange->request;

	request->exchange = NULL;
	xfree(exchange);
	request->on_reply(request, &(struct http_reply){ .failure = "built without libcurl" });
}

void
http_start(struct http_client *client, struct http_request *request)
{
	struct http_exchange *exchange = xcalloc(1, sizeof(*exchange));

	exchange->client = client;
	exchange->request = request;
	request->exchange = exchange;
	loop_timer_init(&exchange->timer, on_time);
	loop_timer_set(client->loop, &exchange->timer, loop_now(client->loop));
}

void
http_cancel(struct http_request *request)
{
	struct http_exchange *exchange = request->exchange;

	if (exchange == NULL)
		return;
	request->exchange = NULL;
	loop_timer_stop(exchange->client->loop, &exchange->timer);
	xfree(exchange);
}

#endif
