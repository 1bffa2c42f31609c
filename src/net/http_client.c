/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_client.c: libcurl's multi interface on a loop.  curl is told the
 * address to connect to, one at a time, and never looks up a name itself.
 * All its callbacks only take notes; whoever asked is told when it is over.
 */
#include "net/http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#ifdef HAVE_LIBCURL

#include <curl/curl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/digest.h"

enum {
	BODY_MAX = HTTP_HEADERS_MAX,
	STALE_MS = 5000,		/* so long, known addresses do where name servers fail */
	CA_SECONDS = 60			/* until a changed file of authorities is seen */
};

struct http_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer patience;	/* curl's */
	struct list origins;
	struct socket_watch **watches;	/* by descriptor */
	size_t watch_count;
	char *ca;
	CURL *spare[HTTP_IDLE_MAX];	/* handles to be used again */
	int spare_count;
};

struct socket_watch {
	struct loop_io io;
	struct http_client *client;
	int fd;
	bool is_awaited;		/* by curl */
};

/* A host by name. */
struct origin {
	struct list node;
	struct http_client *client;
	char *host;
	struct resolve_question question;
	struct list waiting;		/* of struct http_exchange */
	struct addr *addresses;		/* without ports */
	size_t count;
	size_t first;			/* the one that worked last */
	int64_t expires;
};

struct http_exchange {
	struct http_client *client;
	struct http_request *request;
	struct list node;		/* in an origin's `waiting` */
	struct loop_timer timer;
	int64_t deadline;
	struct origin *origin;		/* NULL: the URL has an address */
	size_t tries;			/* of its addresses */
	struct addr addr;		/* which is tried */
	CURL *easy;			/* NULL while it waits for an address */
	char *lines;			/* the request's headers, cut for curl, and their list */
	size_t lines_size;
	struct curl_slist *headers;
	struct curl_slist route;
	char route_text[ADDR_TEXT_MAX + 8];
	struct buf head;		/* the reply's headers */
	size_t head_size, body_size;	/* bytes that came */
	int status;			/* 0: none yet */
	bool is_whole;			/* the empty line behind the final headers has come */
	bool is_framed;			/* they say where the body ends */
	bool has_secret;		/* the reply */
	const char *excess;		/* what there was too much of; or NULL */
	const char *why;		/* it fails when the timer comes; NULL: that is the timeout's */
	char error[CURL_ERROR_SIZE];
};

/* The process's, for curl is its one user. */
static pthread_once_t global_once = PTHREAD_ONCE_INIT;

/* What curl frees was perhaps a password: before each block stands how much is to be overwritten. */
enum { PREFIX = 16 };

static void *
allocate(size_t n)
{
	char *block = try_malloc(n + PREFIX);

	if (block == NULL)
		return NULL;
	memcpy(block, &n, sizeof(n));
	return block + PREFIX;
}

static void
release(void *p)
{
	size_t n;

	if (p == NULL)
		return;
	memcpy(&n, (char *)p - PREFIX, sizeof(n));
	secret_wipe(p, n);
	xfree((char *)p - PREFIX);
}

static void *
reallocate(void *p, size_t n)
{
	size_t before;
	void *moved = allocate(n);

	if (p == NULL || moved == NULL)
		return moved;
	memcpy(&before, (char *)p - PREFIX, sizeof(before));
	memcpy(moved, p, before < n ? before : n);
	release(p);
	return moved;
}

static void *
allocate_zeroed(size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	p = allocate(n);
	return p != NULL ? memset(p, 0, n) : NULL;
}

static char *
duplicate(const char *text)
{
	size_t n = strlen(text) + 1;
	void *p = allocate(n);

	return p != NULL ? memcpy(p, text, n) : NULL;
}

static void
init_global(void)
{
	CURLcode result = curl_global_init_mem(CURL_GLOBAL_ALL, allocate, release, reallocate, duplicate,
	    allocate_zeroed);

	if (result != CURLE_OK)
		abort();
}

/* curl keeps a reply's headers with a handle: not all are used again. */
static void
keep_easy(struct http_client *client, CURL *easy, bool is_good)
{
	if (!is_good || client->spare_count == HTTP_IDLE_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	client->spare[client->spare_count++] = easy;
}

static void
drop_easy(struct http_exchange *exchange)
{
	if (exchange->easy == NULL)
		return;
	curl_multi_remove_handle(exchange->client->multi, exchange->easy);
	keep_easy(exchange->client, exchange->easy, exchange->is_whole && !exchange->has_secret);
	exchange->easy = NULL;
}

/* No reply comes any more. */
static void
stop(struct http_exchange *exchange)
{
	drop_easy(exchange);
	list_remove(&exchange->node);
	loop_timer_stop(exchange->client->loop, &exchange->timer);
	exchange->request->exchange = NULL;
}

static void
exchange_free(struct http_exchange *exchange)
{
	secret_wipe(exchange->lines, exchange->lines_size);
	xfree(exchange->lines);
	xfree(exchange->headers);
	buf_wipe(&exchange->head);
	xfree(exchange);
}

static void
tell(struct http_exchange *exchange, const struct http_reply *reply)
{
	struct http_request *request = exchange->request;

	stop(exchange);
	request->on_reply(request, reply);
	exchange_free(exchange);
}

/* The text may be the server's in part. */
static void
fail(struct http_exchange *exchange, const char *why)
{
	char text[HTTP_FAILURE_MAX], addr[ADDR_TEXT_MAX];

	if (exchange->origin != NULL && exchange->tries > 0)
		snprintf(text, sizeof(text), "%s (at %s)", why, addr_format(&exchange->addr, addr));
	else
		snprintf(text, sizeof(text), "%s", why);
	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	tell(exchange, &(struct http_reply){ .failure = text });
}

/* In a turn to come. */
static void
fail_later(struct http_exchange *exchange, const char *why)
{
	struct loop *loop = exchange->client->loop;

	exchange->why = why;
	loop_timer_set(loop, &exchange->timer, loop_now(loop));
}

static bool
has_sent(const struct http_exchange *exchange)
{
	long sent = 0;

	if (exchange->easy != NULL)
		curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0;
}

static void
on_time(struct loop_timer *timer)
{
	struct http_exchange *exchange = loop_owner(timer, struct http_exchange, timer);

	if (exchange->why != NULL)
		fail(exchange, exchange->why);
	else if (exchange->easy == NULL)
		fail(exchange, "its name was not found in time");
	else
		fail(exchange, has_sent(exchange) ? "no whole reply in time" : "no connection in time");
}

/* What curl hands over, a line at a time; what is behind the headers' end is trailers. */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http_exchange *exchange = arg;
	struct slice line = slice_make(data, size * count), rest = line;
	uint64_t status = 0;

	exchange->head_size += line.len;
	if (exchange->head_size > HTTP_HEADERS_MAX) {
		exchange->excess = "headers";
		return 0;
	}
	if (exchange->is_whole)
		return line.len;
	if (slice_has_prefix(line, "HTTP/")) {		/* perhaps behind a 1xx */
		slice_word(&rest);
		(void)slice_to_number(slice_trim(slice_word(&rest)), 999, &status);
		exchange->status = (int)status;
		exchange->is_framed = status == 204 || status == 304;
		buf_wipe(&exchange->head);
	} else if (slice_trim(line).len == 0) {
		exchange->is_whole = exchange->status >= 200;
		/* where only the connection's end would end the body, nobody waits for that */
		return exchange->is_whole && !exchange->is_framed ? 0 : line.len;
	} else {
		exchange->has_secret = exchange->has_secret || (exchange->request->secret != NULL &&
		    slice_has_prefix_nocase(line, exchange->request->secret));
		exchange->is_framed = exchange->is_framed ||
		    slice_has_prefix_nocase(line, "Content-Length:") ||
		    slice_has_prefix_nocase(line, "Transfer-Encoding:");
		buf_append_slice(&exchange->head, line);
	}
	return line.len;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_exchange *exchange = arg;

	(void)data;
	exchange->body_size += size * count;
	if (exchange->body_size <= BODY_MAX)
		return size * count;
	exchange->excess = "a body";
	return 0;
}

static int on_close(void *arg, curl_socket_t fd);

/* With all that is the same for each question; NULL: there is no memory. */
static CURL *
new_easy(struct http_client *client)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
	if (client->ca != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca);
	/* with a folder curl would read all certificates for each connection anew, here on the loop */
	curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_SECONDS);
	return easy;
}

static void
set_question(struct http_exchange *exchange, long connect_ms)
{
	const struct http_request *request = exchange->request;
	CURL *easy = exchange->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(easy, CURLOPT_URL, request->url->plain);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECT_TO, exchange->origin != NULL ? &exchange->route : NULL);
	curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->url->unix_path);
}

/* To the next address, where there are several. */
static void
dial(struct http_exchange *exchange)
{
	struct http_client *client = exchange->client;
	struct origin *origin = exchange->origin;
	int64_t left = exchange->deadline - loop_now(client->loop);
	char text[ADDR_TEXT_MAX];

	if (origin != NULL) {
		exchange->addr = origin->addresses[(origin->first + exchange->tries) % origin->count];
		addr_set_port(&exchange->addr, exchange->request->url->port);
		snprintf(exchange->route_text, sizeof(exchange->route_text), "::%s",
		    addr_format(&exchange->addr, text));
		exchange->route.data = exchange->route_text;
		if (exchange->tries < origin->count)
			left /= (int64_t)(origin->count - exchange->tries);
		exchange->tries++;
	}
	exchange->easy = client->spare_count > 0 ? client->spare[--client->spare_count] : new_easy(client);
	if (exchange->easy == NULL) {
		fail_later(exchange, "there is no memory");
		return;
	}
	set_question(exchange, (long)(left > 0 ? left : 1));
	if (curl_multi_add_handle(client->multi, exchange->easy) != CURLM_OK)
		fail_later(exchange, "there is no memory");
}

/* Nothing was sent yet, so that another address is as good. */
static bool
dial_next(struct http_exchange *exchange)
{
	struct origin *origin = exchange->origin;

	if (origin == NULL || has_sent(exchange) || exchange->tries >= origin->count ||
	    exchange->why != NULL)
		return false;
	drop_easy(exchange);
	dial(exchange);
	return true;
}

/* Next time it is asked first. */
static void
prefer(const struct http_exchange *exchange)
{
	struct origin *origin = exchange->origin;
	struct addr addr = exchange->addr;

	if (origin == NULL)
		return;
	addr_set_port(&addr, 0);
	for (size_t i = 0; i < origin->count; i++)
		if (addr_equals(&origin->addresses[i], &addr))
			origin->first = i;
}

static void
explain(const struct http_exchange *exchange, CURLcode result, char out[HTTP_FAILURE_MAX])
{
	const char *text = exchange->error[0] != '\0' ? exchange->error : curl_easy_strerror(result);
	long error = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &error);
	if (exchange->excess != NULL) {
		snprintf(out, HTTP_FAILURE_MAX, "%s of more than %d KiB", exchange->excess,
		    HTTP_HEADERS_MAX / 1024);
		return;
	}
	if (result == CURLE_COULDNT_CONNECT && error != 0)
		text = strerror((int)error);
	else if (result == CURLE_GOT_NOTHING)
		text = "it closes without a reply";
	else if (result == CURLE_OK || result == CURLE_PARTIAL_FILE)
		text = "it closes in mid-reply";
	else if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY)
		text = "the reply is no HTTP";
	else if (result == CURLE_OPERATION_TIMEDOUT)
		text = "no connection in time";
	snprintf(out, HTTP_FAILURE_MAX, "%s", text);
}

static void
on_done(struct http_exchange *exchange, CURLcode result)
{
	const struct http_reply reply = {
		.status = exchange->status, .headers = buf_slice(&exchange->head),
	};
	char why[HTTP_FAILURE_MAX];

	if (exchange->is_whole && (result == CURLE_OK || !exchange->is_framed)) {
		prefer(exchange);
		tell(exchange, &reply);
	} else if (!dial_next(exchange)) {
		explain(exchange, result, why);
		fail(exchange, why);
	}
}

/* Comes after whatever may have moved something on; here, and nowhere below, owners are told. */
static void
take_results(struct http_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct http_exchange *exchange;
		CURLcode result = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		on_done(exchange, result);
	}
}

static void
on_ready(struct loop_io *io, int events)
{
	struct socket_watch *watch = loop_owner(io, struct socket_watch, io);
	struct http_client *client = watch->client;
	int running;

	if (!watch->is_awaited) {	/* a connection that is kept: curl sees when it is used again */
		loop_io_watch(client->loop, io, 0);
		return;
	}
	curl_multi_socket_action(client->multi, watch->fd, (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
	    (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0), &running);
	take_results(client);
}

static void
on_patience(struct loop_timer *timer)
{
	struct http_client *client = loop_owner(timer, struct http_client, patience);
	int running;

	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_results(client);
}

static int
set_patience(CURLM *multi, long ms, void *arg)
{
	struct http_client *client = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(client->loop, &client->patience);
	else
		loop_timer_set(client->loop, &client->patience, loop_now(client->loop) + ms);
	return 0;
}

static struct socket_watch *
find_watch(struct http_client *client, int fd)
{
	struct socket_watch *watch = (size_t)fd < client->watch_count ? client->watches[fd] : NULL;

	if (watch != NULL)
		return watch;
	if ((size_t)fd >= client->watch_count) {
		size_t count = (size_t)fd * 2 + 16;

		client->watches = xrealloc(client->watches, count * sizeof(client->watches[0]));
		memset(client->watches + client->watch_count, 0,
		    (count - client->watch_count) * sizeof(client->watches[0]));
		client->watch_count = count;
	}
	watch = client->watches[fd] = xcalloc(1, sizeof(*watch));
	watch->client = client;
	watch->fd = fd;
	loop_io_init(&watch->io, fd, on_ready);
	return watch;
}

/*
 * curl says what it awaits of a socket; nothing, when a connection is kept: it is watched on then, which
 * spares the kernel a change before and behind each question.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *client = arg;
	struct socket_watch *watch = find_watch(client, fd);

	(void)easy;
	(void)socket_arg;
	watch->is_awaited = what != CURL_POLL_REMOVE;
	if (watch->is_awaited)
		loop_io_watch(client->loop, &watch->io, (what & CURL_POLL_IN ? LOOP_READ : 0) |
		    (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
	return 0;
}

static int
on_close(void *arg, curl_socket_t fd)
{
	struct http_client *client = arg;

	if ((size_t)fd < client->watch_count && client->watches[fd] != NULL) {
		loop_io_stop(client->loop, &client->watches[fd]->io);
		loop_defer(client->loop, xfree, client->watches[fd]);
		client->watches[fd] = NULL;
	}
	return close(fd);
}

static void
take_addresses(struct origin *origin, const struct resolve_result *result)
{
	struct addr first = origin->count > 0 ? origin->addresses[origin->first] : (struct addr){ 0 };
	uint32_t ttl = UINT32_MAX;

	xfree(origin->addresses);
	origin->addresses = xcalloc(result->count, sizeof(origin->addresses[0]));
	origin->count = result->count;
	origin->first = 0;
	for (size_t i = 0; i < result->count; i++) {
		const struct resolve_address *address = &result->addresses[i];

		origin->addresses[i] = address->addr;
		if (addr_equals(&first, &address->addr))
			origin->first = i;
		if (address->ttl < ttl)
			ttl = address->ttl;
	}
	origin->expires = loop_now(origin->client->loop) + (int64_t)ttl * 1000;
}

static void
on_answer(struct resolve_question *question, const struct resolve_result *result)
{
	struct origin *origin = loop_owner(question, struct origin, question);
	struct list due = { 0 };

	if (result->status == RESOLVE_OK)
		take_addresses(origin, result);
	else if (result->status == RESOLVE_NOT_FOUND)
		origin->count = 0;
	else
		origin->expires = loop_now(origin->client->loop) + STALE_MS;
	/* who asks meanwhile waits for another answer */
	list_init(&due);
	list_each(node, &origin->waiting) {
		list_remove(node);
		list_append(&due, node);
	}
	while (!list_is_empty(&due)) {
		struct http_exchange *exchange = list_entry(due.next, struct http_exchange, node);

		list_remove(&exchange->node);
		if (origin->count > 0)
			dial(exchange);
		else
			fail(exchange, result->text);
	}
}

static struct origin *
find_origin(struct http_client *client, const char *host)
{
	struct origin *origin;

	list_each(node, &client->origins) {
		origin = list_entry(node, struct origin, node);
		if (strcmp(origin->host, host) == 0)
			return origin;
	}
	origin = xcalloc(1, sizeof(*origin));
	origin->client = client;
	origin->host = xstrdup(host);
	origin->question = (struct resolve_question){
		.kind = RESOLVE_ADDRESS, .name = origin->host, .on_answer = on_answer,
	};
	list_init(&origin->waiting);
	list_append(&client->origins, &origin->node);
	return origin;
}

static void
find_address(struct http_exchange *exchange)
{
	struct http_request *request = exchange->request;
	struct origin *origin = find_origin(exchange->client, request->url->host);

	exchange->origin = origin;
	if (origin->count > 0 && loop_now(exchange->client->loop) < origin->expires) {
		dial(exchange);
		return;
	}
	list_append(&origin->waiting, &exchange->node);
	if (origin->question.lookup != NULL)
		return;
	if (request->resolver != NULL)
		resolve_start(request->resolver, &origin->question);
	else
		fail_later(exchange, "names are not looked up here");
}

/*
 * Has the lines cut for curl, which wants an empty value written as "Name;", and is kept from a header of its
 * own by "Accept:".
 */
static void
cut_headers(struct http_exchange *exchange)
{
	static char no_accept[] = "Accept:";
	struct slice rest = exchange->request->headers;
	size_t count = 1, i = 0;

	for (size_t k = 0; k < rest.len; k++)
		count += rest.data[k] == '\n';
	exchange->lines_size = rest.len + 1;
	exchange->lines = xmalloc(exchange->lines_size);
	memcpy(exchange->lines, rest.data, rest.len);
	exchange->lines[rest.len] = '\0';
	exchange->headers = xcalloc(count, sizeof(exchange->headers[0]));
	for (char *line = exchange->lines, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		char *colon = memchr(line, ':', (size_t)(end - line));

		end[end > line && end[-1] == '\r' ? -1 : 0] = '\0';
		if (colon != NULL && slice_trim(slice_of(colon + 1)).len == 0) {
			colon[0] = ';';
			colon[1] = '\0';
		}
		exchange->headers[i].data = line;
		exchange->headers[i].next = &exchange->headers[i + 1];
		i++;
	}
	exchange->headers[i].data = no_accept;
}

bool
http_is_there(void)
{
	return true;
}

struct http_client *
http_client_new(struct loop *loop, const char *ca)
{
	struct http_client *client = xcalloc(1, sizeof(*client));

	pthread_once(&global_once, init_global);
	client->loop = loop;
	client->ca = ca != NULL ? xstrdup(ca) : NULL;
	client->multi = curl_multi_init();
	if (client->multi == NULL)
		abort();
	loop_timer_init(&client->patience, on_patience);
	list_init(&client->origins);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_patience);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_IDLE_MAX);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return client;
}

void
http_client_free(struct http_client **client)
{
	struct http_client *gone = *client;

	*client = NULL;
	if (gone == NULL)
		return;
	for (int i = 0; i < gone->spare_count; i++)
		curl_easy_cleanup(gone->spare[i]);
	curl_multi_cleanup(gone->multi);
	loop_timer_stop(gone->loop, &gone->patience);
	list_each(node, &gone->origins) {
		struct origin *origin = list_entry(node, struct origin, node);

		resolve_cancel(&origin->question);
		xfree(origin->addresses);
		xfree(origin->host);
		xfree(origin);
	}
	xfree(gone->watches);
	xfree(gone->ca);
	xfree(gone);
}

void
http_start(struct http_client *client, struct http_request *request)
{
	struct http_exchange *exchange = xcalloc(1, sizeof(*exchange));

	exchange->client = client;
	exchange->request = request;
	exchange->deadline = loop_now(client->loop) + request->timeout_ms;
	request->exchange = exchange;
	loop_timer_init(&exchange->timer, on_time);
	loop_timer_set(client->loop, &exchange->timer, exchange->deadline);
	cut_headers(exchange);
	if (request->url->has_name)
		find_address(exchange);
	else
		dial(exchange);
}

void
http_cancel(struct http_request *request)
{
	struct http_exchange *exchange = request->exchange;

	if (exchange == NULL)
		return;
	stop(exchange);
	exchange_free(exchange);
}

#endif
