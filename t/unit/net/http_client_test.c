/* SPDX-License-Identifier: BSD-2-Clause */
/* http_client_test.c: questions to a server in the same loop that does as each test says. */
#include "tape.h"

#include "base/list.h"
#include "base/xalloc.h"
#include "net/http_client.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nAuth-Status: OK\r\n"
#define OK_REPLY OK_HEAD "Content-Length: 2\r\n\r\nhi"

enum { TIMEOUT_MS = 8000 };

struct server {
	struct loop *loop;
	struct loop_io listening;
	int fd;
	uint16_t port;
	int accepted, heard;
	const char *replies[4];		/* to the first, the second … of a connection; NULL: none */
	bool closes;			/* behind each reply, or in its place */
	struct list connections;
	char request[4096];		/* the last one */
};

struct connection {
	struct list node;
	struct loop_io io;
	struct server *server;
	int fd, heard;
	size_t len;
	char in[4096];
};

struct ask {
	struct http_request request;
	struct loop *loop;
	struct http_url url;
	int told, status;
	char failure[HTTP_FAILURE_MAX];
	char headers[256];
	struct ask *cancels;		/* when it is told */
	struct http_client *again;	/* asks once more there */
};

static void
connection_close(struct connection *connection)
{
	loop_io_stop(connection->server->loop, &connection->io);
	close(connection->fd);
	list_remove(&connection->node);
	loop_defer(connection->server->loop, xfree, connection);
}

static void
answer(struct connection *connection)
{
	struct server *server = connection->server;
	const char *reply = server->replies[connection->heard];

	memcpy(server->request, connection->in, connection->len + 1);
	connection->len = 0;
	connection->heard++;
	server->heard++;
	if (reply != NULL)
		assert_true(write(connection->fd, reply, strlen(reply)) >= 0);
	if (server->closes)
		connection_close(connection);
	loop_stop(server->loop);
}

static void
on_readable(struct loop_io *io, int events)
{
	struct connection *connection = loop_owner(io, struct connection, io);
	ssize_t n = read(connection->fd, connection->in + connection->len,
	    sizeof(connection->in) - 1 - connection->len);

	(void)events;
	if (n <= 0) {
		connection_close(connection);
		return;
	}
	connection->len += (size_t)n;
	connection->in[connection->len] = '\0';
	if (strstr(connection->in, "\r\n\r\n") != NULL)
		answer(connection);
}

static void
on_connect(struct loop_io *io, int events)
{
	struct server *server = loop_owner(io, struct server, listening);
	struct connection *connection = xcalloc(1, sizeof(*connection));

	(void)events;
	connection->server = server;
	connection->fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(connection->fd >= 0);
	server->accepted++;
	list_append(&server->connections, &connection->node);
	loop_io_init(&connection->io, connection->fd, on_readable);
	loop_io_watch(server->loop, &connection->io, LOOP_READ);
}

static void
server_open(struct server *server, const char *first, const char *second, const char *third)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	*server = (struct server){ .loop = loop_new(0), .replies = { first, second, third } };
	list_init(&server->connections);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&in, &len), 0);
	server->port = ntohs(in.sin_port);
	loop_io_init(&server->listening, server->fd, on_connect);
	loop_io_watch(server->loop, &server->listening, LOOP_READ);
}

static void
server_close(struct server *server)
{
	list_each(node, &server->connections)
		connection_close(list_entry(node, struct connection, node));
	loop_io_stop(server->loop, &server->listening);
	close(server->fd);
	loop_free(&server->loop);
}

static void
on_reply(struct http_request *request, const struct http_reply *reply)
{
	struct ask *ask = loop_owner(request, struct ask, request);

	ask->told++;
	ask->status = reply->status;
	snprintf(ask->failure, sizeof(ask->failure), "%s", reply->failure != NULL ? reply->failure : "");
	snprintf(ask->headers, sizeof(ask->headers), "%.*s",
	    reply->failure != NULL ? 0 : (int)reply->headers.len, reply->headers.data);
	if (ask->cancels != NULL)
		http_cancel(&ask->cancels->request);
	if (ask->again != NULL && ask->told == 1)
		http_start(ask->again, &ask->request);
	loop_stop(ask->loop);
}

static void
ask_start(struct ask *ask, struct http_client *client, const struct server *server, const char *host)
{
	struct error error;
	char text[128];

	snprintf(text, sizeof(text), "http://%s:%d/a/../b?c", host, server->port);
	assert_true(http_url_parse(text, &ask->url, &error));
	ask->loop = server->loop;
	ask->request.url = &ask->url;
	ask->request.headers = slice_of("Host: 127.0.0.1\r\nAuth-User: bob\r\nAuth-Pass: \r\nX-Y:  \r\n");
	if (ask->request.timeout_ms == 0)
		ask->request.timeout_ms = TIMEOUT_MS;
	ask->request.on_reply = on_reply;
	http_start(client, &ask->request);
}

/* Asks, and waits until it is told. */
static void
ask_now(struct ask *ask, struct http_client *client, const struct server *server)
{
	*ask = (struct ask){ 0 };
	ask_start(ask, client, server, "127.0.0.1");
	assert_int_equal(ask->told, 0);
	await(server->loop, &ask->told, 1);
	assert_null(ask->request.exchange);
	http_url_clear(&ask->url);
}

static void
requests_are_as_written(void **state)
{
	static const char wanted[] = "GET /a/../b?c HTTP/1.1\r\nHost: 127.0.0.1\r\n"
				     "Auth-User: bob\r\nAuth-Pass:\r\nX-Y:\r\n\r\n";
	struct server server;
	struct http_client *client;
	struct ask ask;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	server_open(&server, OK_REPLY, NULL, NULL);
	client = http_client_new(server.loop, NULL);
	ask_now(&ask, client, &server);
	assert_string_equal(ask.failure, "");
	assert_int_equal(ask.status, 200);
	assert_string_equal(ask.headers, "Auth-Status: OK\r\nContent-Length: 2\r\n");
	assert_string_equal(server.request, wanted);
	http_client_free(&client);
	server_close(&server);
	unsetenv("http_proxy");
}

static void
connections_are_kept(void **state)
{
	struct server server;
	struct http_client *client;
	struct ask ask;

	(void)state;
	server_open(&server, OK_REPLY, "HTTP/1.1 204 Fine\r\nAuth-Status: OK\r\n\r\n", OK_REPLY);
	client = http_client_new(server.loop, NULL);
	for (int i = 0; i < 3; i++) {
		ask_now(&ask, client, &server);
		assert_string_equal(ask.failure, "");
	}
	assert_int_equal(server.accepted, 1);
	assert_int_equal(server.heard, 3);
	http_client_free(&client);
	server_close(&server);
}

/* Whether the server was quicker with its FIN, or it came in the place of a reply. */
static void
a_dead_connection_is_replaced(void **state)
{
	struct server server;
	struct http_client *client;
	struct ask ask;

	(void)state;
	for (int is_late = 0; is_late <= 1; is_late++) {
		server_open(&server, OK_REPLY, NULL, NULL);
		client = http_client_new(server.loop, NULL);
		ask_now(&ask, client, &server);
		if (is_late) {
			ask = (struct ask){ 0 };
			ask_start(&ask, client, &server, "127.0.0.1");
			await(server.loop, &server.heard, 2);
		}
		connection_close(list_entry(server.connections.next, struct connection, node));
		if (is_late)
			await(server.loop, &ask.told, 1);
		else
			ask_now(&ask, client, &server);
		assert_string_equal(ask.failure, "");
		assert_int_equal(ask.status, 200);
		assert_int_equal(server.accepted, 2);
		http_url_clear(&ask.url);
		http_client_free(&client);
		server_close(&server);
	}
}

static const struct reply_case {
	const char *reply, *failure, *headers;
	int status;
} cases[] = {
	{ OK_HEAD "\r\n", "", "Auth-Status: OK\r\n", 200 },	/* the body would end with the connection */
	{ "HTTP/1.0 404 No\r\n\r\n", "", "", 404 },
	{ "HTTP/1.1 200 OK\nA: b\nContent-Length: 0\n\n", "", "A: b\nContent-Length: 0\n", 200 },
	{ "HTTP/1.1 100 Continue\r\nAuth-Status: OK\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "",
	    "Content-Length: 0\r\n", 403 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nAuth-Status: OK\r\n\r\n", "",
	    "Transfer-Encoding: chunked\r\n", 200 },
	{ "HTTP/1.1 302 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "",
	    "Location: http://127.0.0.1:1/\r\nContent-Length: 0\r\n", 302 },
};

static const struct reply_case broken[] = {
	{ .reply = NULL, .failure = "it closes without a reply" },
	{ .reply = OK_HEAD, .failure = "it closes in mid-reply" },
	{ .reply = OK_HEAD "Content-Length: 10\r\n\r\nhi", .failure = "it closes in mid-reply" },
	{ .reply = "Auth-Status: OK\r\n\r\n", .failure = "the reply is no HTTP" },
	{ .reply = "220 mail.example.com ESMTP\r\n", .failure = "the reply is no HTTP" },
};

static void
replies_end_where_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server server;
		struct http_client *client;
		struct ask ask;

		server_open(&server, cases[i].reply, NULL, NULL);
		client = http_client_new(server.loop, NULL);
		ask_now(&ask, client, &server);
		assert_string_equal(ask.failure, cases[i].failure);
		assert_int_equal(ask.status, cases[i].status);
		assert_string_equal(ask.headers, cases[i].headers);
		http_client_free(&client);
		server_close(&server);
	}
}

static void
what_breaks_off_is_no_reply(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct server server;
		struct http_client *client;
		struct ask ask;

		server_open(&server, broken[i].reply, NULL, NULL);
		server.closes = true;
		client = http_client_new(server.loop, NULL);
		ask_now(&ask, client, &server);
		assert_string_equal(ask.failure, broken[i].failure);
		http_client_free(&client);
		server_close(&server);
	}
}

static char *
long_reply(const char *head, size_t len, const char *tail)
{
	char *reply = xcalloc(1, strlen(head) + len + strlen(tail) + 1);

	memcpy(reply, head, strlen(head));
	memset(reply + strlen(head), 'x', len);
	memcpy(reply + strlen(head) + len, tail, strlen(tail));
	return reply;
}

static void
what_is_too_long_is_no_reply(void **state)
{
	static const struct {
		const char *head, *tail, *failure;
		size_t len;
	} longs[] = {
		{ OK_HEAD "Content-Length: 65536\r\n\r\n", "", "", 65536 },
		{ OK_HEAD "Content-Length: 65537\r\n\r\n", "", "a body of more than 64 KiB", 65537 },
		{ OK_HEAD "X: ", "\r\nContent-Length: 0\r\n\r\n", "", 60000 },
		{ OK_HEAD "X: ", "\r\nContent-Length: 0\r\n\r\n", "headers of more than 64 KiB", 65536 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++) {
		char *reply = long_reply(longs[i].head, longs[i].len, longs[i].tail);
		struct server server;
		struct http_client *client;
		struct ask ask;

		server_open(&server, reply, NULL, NULL);
		client = http_client_new(server.loop, NULL);
		ask_now(&ask, client, &server);
		assert_string_equal(ask.failure, longs[i].failure);
		http_client_free(&client);
		server_close(&server);
		xfree(reply);
	}
}

static void
silence_is_a_failure_in_time(void **state)
{
	struct server server;
	struct http_client *client;
	struct ask ask = { .request.timeout_ms = 30 };

	(void)state;
	server_open(&server, NULL, NULL, NULL);
	client = http_client_new(server.loop, NULL);
	ask_start(&ask, client, &server, "127.0.0.1");
	await(server.loop, &ask.told, 1);
	assert_string_equal(ask.failure, "no whole reply in time");
	http_url_clear(&ask.url);
	http_client_free(&client);
	server_close(&server);
}

static void
what_cannot_be_reached_says_why(void **state)
{
	struct server server;
	struct http_client *client;
	struct ask ask;

	(void)state;
	server_open(&server, NULL, NULL, NULL);
	client = http_client_new(server.loop, NULL);
	/* bound, and nobody listens */
	loop_io_stop(server.loop, &server.listening);
	shutdown(server.fd, SHUT_RDWR);
	ask_now(&ask, client, &server);
	assert_string_equal(ask.failure, "Connection refused");
	/* no resolver */
	ask = (struct ask){ 0 };
	ask_start(&ask, client, &server, "a.test");
	await(server.loop, &ask.told, 1);
	assert_string_equal(ask.failure, "names are not looked up here");
	http_url_clear(&ask.url);
	http_client_free(&client);
	server_close(&server);
}

static void
names_are_looked_up_by_the_resolver(void **state)
{
	struct server server;
	struct http_client *client;
	struct resolver *resolver;
	struct ask ask = { 0 };

	(void)state;
	server_open(&server, OK_REPLY, OK_REPLY, NULL);
	client = http_client_new(server.loop, NULL);
	resolver = resolver_new(server.loop, NULL);
	for (int i = 0; i < 2; i++) {
		ask = (struct ask){ .request.resolver = resolver };
		ask_start(&ask, client, &server, "localhost");	/* of the hosts file, perhaps [::1] too */
		assert_int_equal(ask.told, 0);
		await(server.loop, &ask.told, 1);
		assert_string_equal(ask.failure, "");
		http_url_clear(&ask.url);
	}
	assert_int_equal(server.accepted, 1);
	/* a question under way, cancelled, and then a client that goes */
	ask = (struct ask){ .request.resolver = resolver };
	ask_start(&ask, client, &server, "localhost.");
	http_cancel(&ask.request);
	http_url_clear(&ask.url);
	http_client_free(&client);
	turn_a_little(server.loop);
	assert_int_equal(ask.told, 0);
	resolver_free(&resolver);
	server_close(&server);
}

/* The first one that is told cancels the other, at whatever point that is. */
static void
others_can_be_cancelled_when_one_is_told(void **state)
{
	struct server server;
	struct http_client *client;
	struct ask a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	server_open(&server, OK_REPLY, OK_REPLY, OK_REPLY);
	client = http_client_new(server.loop, NULL);
	a.cancels = &b;
	b.cancels = &a;
	ask_start(&a, client, &server, "127.0.0.1");
	ask_start(&b, client, &server, "127.0.0.1");
	ask_start(&c, client, &server, "127.0.0.1");
	await(server.loop, &c.told, 1);
	turn_a_little(server.loop);
	while (a.told + b.told == 0)
		loop_run(server.loop);
	turn_a_little(server.loop);
	assert_int_equal(a.told + b.told, 1);
	http_cancel(&a.request);
	http_cancel(&b.request);
	http_url_clear(&a.url);
	http_url_clear(&b.url);
	http_url_clear(&c.url);
	http_client_free(&client);
	server_close(&server);
}

static void
it_can_be_cancelled_at_any_time_and_asked_again(void **state)
{
	struct server server;
	struct http_client *client;
	struct ask ask = { 0 };

	(void)state;
	server_open(&server, OK_REPLY, OK_REPLY, NULL);
	client = http_client_new(server.loop, NULL);
	ask_start(&ask, client, &server, "127.0.0.1");
	http_cancel(&ask.request);			/* nothing was done yet */
	http_cancel(&ask.request);
	http_url_clear(&ask.url);
	turn_a_little(server.loop);
	server.replies[0] = NULL;
	ask_start(&ask, client, &server, "127.0.0.1");
	await(server.loop, &server.heard, 1);
	http_cancel(&ask.request);			/* it waits for the reply */
	http_url_clear(&ask.url);
	turn_a_little(server.loop);
	assert_int_equal(ask.told, 0);
	server.replies[0] = OK_REPLY;
	ask.again = client;
	ask_start(&ask, client, &server, "127.0.0.1");
	await(server.loop, &ask.told, 2);
	assert_string_equal(ask.failure, "");
	http_url_clear(&ask.url);
	http_client_free(&client);
	server_close(&server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_as_written),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(a_dead_connection_is_replaced),
		cmocka_unit_test(replies_end_where_they_say),
		cmocka_unit_test(what_breaks_off_is_no_reply),
		cmocka_unit_test(what_is_too_long_is_no_reply),
		cmocka_unit_test(silence_is_a_failure_in_time),
		cmocka_unit_test(what_cannot_be_reached_says_why),
		cmocka_unit_test(names_are_looked_up_by_the_resolver),
		cmocka_unit_test(others_can_be_cancelled_when_one_is_told),
		cmocka_unit_test(it_can_be_cancelled_at_any_time_and_asked_again),
	};

	return http_is_there() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
