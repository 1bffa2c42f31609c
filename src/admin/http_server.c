/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_server.c: libmicrohttpd's epoll descriptor is watched by the loop, which runs it when that is ready.
 * It knows no deadline but that of silence, so each connection has one here for what it is at.
 */
#include "admin/http_server.h"

#ifdef HAVE_LIBMICROHTTPD

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/xalloc.h"

enum {
	CONNECTIONS_MAX = 256,
	PEER_CONNECTIONS_MAX = 64,
	MEMORY_MAX = 32 * 1024,			/* of a connection: its request's lines among it */
	REQUEST_MS = 20 * 1000,			/* for all of a request to come in */
	KEEPALIVE_MS = 30 * 1000,		/* for the next one to begin and to come in */
	WORK_MS = 60 * 1000,			/* for what is asked */
	ANSWER_MS = 60 * 1000,			/* for the answer to be taken */
	LOOK_MS = 1000,
	OVERDUE_MS = 1000			/* and for the words that it took too long */
};

struct http_server {
	struct loop *loop;
	const struct http_site *site;
	void *owner;
	struct MHD_Daemon *daemon;
	struct loop_io io;
	struct loop_timer timer;
	int64_t look_at;			/* the peers, as loop_now */
	struct list peers;
	struct http_peer *arriving;		/* within http_server_add */
	bool is_parting;			/* see http_server_part */
};

struct http_peer {			/* a connection */
	struct list node;
	struct http_server *server;
	struct addr addr;
	int fd;					/* libmicrohttpd's, to be shut */
	int64_t deadline;			/* loop_now */
	struct http_visit *visit;		/* NULL: between two requests */
};

static const char DEFAULT_POLICY[] = "default-src 'none'; frame-ancestors 'none'";

bool
http_server_is_there(void)
{
	return true;
}

static void
give_time(struct http_peer *peer, int64_t ms)
{
	peer->deadline = loop_now(peer->server->loop) + ms;
}

/* What is percent-encoded stays so: a slash within a word is none between words. */
static size_t
unescape_nothing(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static void
on_log(void *cls, const char *format, va_list args)
{
	struct buf text = { 0 };
	struct slice line;

	(void)cls;
	buf_vprintf(&text, format, args);
	line = slice_trim(buf_slice(&text));
	log_write(LOG_DEBUG, "http: %.*s", SLICE_ARGS(line));
	buf_clear(&text);
}

static void
on_connection(void *cls, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = cls;
	struct http_peer *peer = *context;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = server->arriving;
		return;
	}
	if (peer == NULL)
		return;
	list_remove(&peer->node);
	loop_defer(server->loop, xfree, peer);
	*context = NULL;
}

static struct http_peer *
peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct http_server *server = cls;
	struct http_visit *visit = *context;

	(void)connection;
	(void)code;
	if (visit == NULL)
		return;
	*context = NULL;
	if (visit->is_told)
		server->site->on_gone(visit, server->owner);
	visit->peer->visit = NULL;
	give_time(visit->peer, KEEPALIVE_MS);
	xfree(visit->path);
	buf_wipe(&visit->body);
	xfree(visit);
}

/* The first of the calls for a request: its headers are here. */
static enum MHD_Result
begin(struct MHD_Connection *connection, const char *path, const char *method, void **context)
{
	struct http_peer *peer = peer_of(connection);
	struct http_visit *visit;

	if (peer == NULL)
		return MHD_NO;
	visit = xcalloc(1, sizeof(*visit));
	visit->peer = peer;
	visit->from = peer->addr;
	visit->path = xstrdup(path);
	visit->method = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ? "GET" :
	    strcmp(method, "POST") == 0 ? "POST" : "another";
	visit->handle = connection;
	peer->visit = visit;
	give_time(peer, REQUEST_MS);
	*context = visit;
	return MHD_YES;
}

static enum MHD_Result
tell(struct http_server *server, struct http_visit *visit)
{
	if (visit->is_answered)
		return visit->is_bad ? MHD_NO : MHD_YES;
	visit->is_told = true;
	give_time(visit->peer, WORK_MS);
	if (buf_len(&visit->body) > HTTP_BODY_MAX)
		http_visit_answer(visit, &(struct http_answer){ .status = MHD_HTTP_CONTENT_TOO_LARGE,
		    .type = "text/plain", .body = SLICE_LITERAL("Too much input.\n") });
	else
		server->site->on_visit(visit, server->owner);
	if (!visit->is_answered) {
		visit->is_suspended = true;
		MHD_suspend_connection(visit->handle);
	}
	return visit->is_bad ? MHD_NO : MHD_YES;
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
    const char *version, const char *data, size_t *size, void **context)
{
	struct http_visit *visit = *context;

	(void)version;
	if (visit == NULL)
		return begin(connection, path, method, context);
	if (*size == 0)
		return tell(cls, visit);
	/* what is too long is read to its end, so that the answer is heard, but not kept */
	if (buf_len(&visit->body) <= HTTP_BODY_MAX)
		buf_append(&visit->body, data, *size);
	*size = 0;
	return MHD_YES;
}

/* Says something to those who took too long, or ends the connection. */
static void
look_at_peers(struct http_server *server)
{
	int64_t now = loop_now(server->loop);

	list_each(node, &server->peers) {
		struct http_peer *peer = list_entry(node, struct http_peer, node);

		if (now < peer->deadline)
			continue;
		give_time(peer, OVERDUE_MS);
		if (peer->visit != NULL && peer->visit->is_suspended)
			server->site->on_overdue(peer->visit, server->owner);
		else
			shutdown(peer->fd, SHUT_RDWR);
	}
}

/* However busy it is, the peers are looked at in time. */
static void
await(struct http_server *server)
{
	int64_t now = loop_now(server->loop), at = server->look_at;
	MHD_UNSIGNED_LONG_LONG wait;

	if (MHD_get_timeout(server->daemon, &wait) == MHD_YES && wait < LOOK_MS && now + (int64_t)wait < at)
		at = now + (int64_t)wait;
	if (!list_is_empty(&server->peers))
		loop_timer_set(server->loop, &server->timer, at);
	else
		loop_timer_stop(server->loop, &server->timer);
}

static void
run(struct http_server *server)
{
	MHD_run(server->daemon);
	await(server);
}

static void
on_ready(struct loop_io *io, int events)
{
	(void)events;
	run(loop_owner(io, struct http_server, io));
}

static void
on_time(struct loop_timer *timer)
{
	struct http_server *server = loop_owner(timer, struct http_server, timer);

	if (loop_now(server->loop) >= server->look_at) {
		look_at_peers(server);
		server->look_at = loop_now(server->loop) + LOOK_MS;
	}
	run(server);
}

struct http_server *
http_server_new(struct loop *loop, const struct http_site *site, void *owner)
{
	struct http_server *server = xcalloc(1, sizeof(*server));
	const union MHD_DaemonInfo *info = NULL;

	server->loop = loop;
	server->site = site;
	server->owner = owner;
	list_init(&server->peers);
	loop_timer_init(&server->timer, on_time);
	server->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, on_request, server,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
	    MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_END);
	if (server->daemon != NULL)
		info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		log_write(LOG_ERR, "http: no descriptor or no memory is left: nobody is answered");
		return server;
	}
	loop_io_init(&server->io, info->epoll_fd, on_ready);
	loop_io_watch(loop, &server->io, LOOP_READ);
	return server;
}

void
http_server_free(struct http_server **server)
{
	struct http_server *s = *server;

	*server = NULL;
	if (s == NULL)
		return;
	loop_timer_stop(s->loop, &s->timer);
	if (s->daemon != NULL) {
		loop_io_stop(s->loop, &s->io);
		list_each(node, &s->peers) {
			struct http_peer *peer = list_entry(node, struct http_peer, node);

			/* libmicrohttpd cannot stop while anybody is suspended */
			if (peer->visit != NULL && peer->visit->is_suspended) {
				peer->visit->is_suspended = false;
				MHD_resume_connection(peer->visit->handle);
			}
		}
		MHD_stop_daemon(s->daemon);
	}
	xfree(s);
}

void
http_server_part(struct http_server *server, bool is_parting)
{
	server->is_parting = is_parting;
}

static bool
has_room(const struct http_server *server, const struct addr *from)
{
	int all = 0, of_this = 0;

	list_each(node, &server->peers) {
		const struct http_peer *peer = list_entry(node, struct http_peer, node);

		all++;
		of_this += addr_compare(&peer->addr, from) == 0;
	}
	return all < CONNECTIONS_MAX && of_this < PEER_CONNECTIONS_MAX;
}

bool
http_server_add(struct http_server *server, int fd, const struct addr *from)
{
	struct sockaddr_storage address;
	socklen_t len = addr_to_sockaddr(from, &address);
	struct http_peer *peer;

	if (server->daemon == NULL || !has_room(server, from)) {
		close(fd);
		return false;
	}
	peer = xcalloc(1, sizeof(*peer));
	peer->server = server;
	peer->addr = *from;
	peer->fd = fd;
	give_time(peer, REQUEST_MS);
	list_append(&server->peers, &peer->node);
	server->arriving = peer;
	if (MHD_add_connection(server->daemon, fd, (struct sockaddr *)(void *)&address, len) != MHD_YES &&
	    !list_is_empty(&peer->node)) {
		/* it has closed fd */
		list_remove(&peer->node);
		loop_defer(server->loop, xfree, peer);
	}
	server->arriving = NULL;
	loop_timer_set(server->loop, &server->timer, loop_now(server->loop));
	return true;
}

const char *
http_visit_header(const struct http_visit *visit, const char *name)
{
	return MHD_lookup_connection_value(visit->handle, MHD_HEADER_KIND, name);
}

static void
add_headers(struct MHD_Response *response, const struct http_answer *answer)
{
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Content-Security-Policy",
	    answer->policy != NULL ? answer->policy : DEFAULT_POLICY);
	if (answer->allow != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
	if (answer->wants_login)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
		    "Basic realm=\"gatepost\", charset=\"UTF-8\"");
}

void
http_visit_answer(struct http_visit *visit, const struct http_answer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->body.len,
	    (void *)(uintptr_t)answer->body.data, MHD_RESPMEM_MUST_COPY);

	visit->is_answered = true;
	give_time(visit->peer, ANSWER_MS);
	if (response != NULL) {
		add_headers(response, answer);
		if (visit->peer->server->is_parting)
			MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
		visit->is_bad =
		    MHD_queue_response(visit->handle, (unsigned)answer->status, response) != MHD_YES;
		MHD_destroy_response(response);
	} else {
		visit->is_bad = true;
	}
	if (visit->is_suspended) {
		visit->is_suspended = false;
		MHD_resume_connection(visit->handle);
		loop_timer_set(visit->peer->server->loop, &visit->peer->server->timer,
		    loop_now(visit->peer->server->loop));
	}
}

#endif
