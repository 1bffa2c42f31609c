/* SPDX-License-Identifier: BSD-2-Clause */
/* backend.c: listening sockets and sessions of the mock; what is said stands in backend_role.c. */
#include "backend.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend_role.h"
#include "base/xalloc.h"

enum { BACKLOG = 4096, ACCEPTS_MAX = 64 };

struct port {
	struct watch watch;		/* first, the loop's */
	const struct role *role;
	bool is_tls;
};

static SSL_CTX *server_ctx;

void
backend_init(SSL_CTX *ctx)
{
	server_ctx = ctx;
	role_init(ctx);
}

static void
on_ready(struct wire *wire)
{
	struct session *session = (struct session *)wire;

	/* after STARTTLS only ManageSieve is the first to speak */
	if (!session->is_greeted || session->role->greets_again)
		role_greet(session);
	session->is_greeted = true;
}

static void
on_line(struct wire *wire, struct slice line)
{
	role_line((struct session *)wire, line);
}

static void
on_ended(struct wire *wire, const char *why)
{
	struct session *session = (struct session *)wire;

	(void)why;			/* the other side notices by itself */
	buf_clear(&session->command);
	xfree(session);
}

static const struct wire_events session_events = { .ready = on_ready, .line = on_line, .ended = on_ended };

static void
on_clients(struct watch *watch, uint32_t events)
{
	struct port *port = (struct port *)watch;

	(void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct session *session;

		if (fd < 0)
			return;
		session = xcalloc(1, sizeof(*session));
		session->role = port->role;
		session->wire.events = &session_events;
		session->wire.ctx = port->is_tls ? server_ctx : NULL;
		wire_accepted(&session->wire, fd);
	}
}

static bool
open_port(struct port *port, const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	port->watch = (struct watch){ .on_event = on_clients, .fd = fd };
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 || listen(fd, BACKLOG) != 0)
		return false;
	wire_watch(&port->watch, EPOLLIN);
	return true;
}

bool
backend_listen(const char *role_and_port, const struct sockaddr_in *host)
{
	struct slice rest = slice_of(role_and_port), name = slice_take(&rest, '=');
	struct sockaddr_in at = *host;
	struct port *port = xcalloc(1, sizeof(*port));	/* for the life of the program */
	uint64_t number;

	port->role = role_find(name);
	if (port->role == NULL && name.len > 0 && name.data[name.len - 1] == 's') {
		port->role = role_find(slice_make(name.data, name.len - 1));
		port->is_tls = true;
	}
	if (port->role == NULL || !slice_to_number(rest, UINT16_MAX, &number) ||
	    (port->is_tls && server_ctx == NULL)) {
		fprintf(stderr, "%s: not a role and its port, or a certificate is needed\n", role_and_port);
		return false;
	}
	at.sin_port = htons((uint16_t)number);
	role_note_port(port->role, host, (unsigned)number);
	if (!open_port(port, &at)) {
		perror(role_and_port);
		return false;
	}
	return true;
}
