/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h: a listening socket on the loop under test, and the peers that came to it. */
#ifndef UNIT_SESSION_SERVER_H
#define UNIT_SESSION_SERVER_H

#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "peer.h"

enum { PEERS_MAX = 6 };

struct server {
	struct loop *loop;
	struct loop_io io;
	int fd;				/* -1: refuses connections */
	struct addr addr;
	struct peer peers[PEERS_MAX];
	int count;			/* who came */
	int wanted;			/* of them, those that a test asked for */
};

static inline void
on_peer(struct loop_io *io, int events)
{
	struct server *server = loop_owner(io, struct server, io);
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	assert_true(fd >= 0 && server->count < PEERS_MAX);
	peer_open(&server->peers[server->count++], server->loop, fd);
	loop_stop(server->loop);
}

static inline void
server_open(struct server *server, struct loop *loop)
{
	struct sockaddr_storage storage;
	socklen_t len;

	memset(server, 0, sizeof(*server));
	server->loop = loop;
	assert_true(addr_parse(slice_of("127.0.0.1"), 0, &server->addr));
	len = addr_to_sockaddr(&server->addr, &storage);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&storage, len), 0);
	assert_int_equal(listen(server->fd, PEERS_MAX), 0);
	len = sizeof(storage);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&storage, &len), 0);
	server->addr = addr_from_sockaddr((struct sockaddr *)&storage, len);
	loop_io_init(&server->io, server->fd, on_peer);
	loop_io_watch(loop, &server->io, LOOP_READ);
}

/* Connections are refused from now on. */
static inline void
server_refuse(struct server *server)
{
	if (server->fd < 0)
		return;
	loop_io_stop(server->loop, &server->io);
	close(server->fd);
	server->fd = -1;
}

static inline void
server_close(struct server *server)
{
	server_refuse(server);
	for (int i = 0; i < server->count; i++)
		peer_close(&server->peers[i]);
}

/* The next who comes. */
static inline struct peer *
server_accept(struct server *server)
{
	server->wanted++;
	await(server->loop, &server->count, server->wanted);
	return &server->peers[server->wanted - 1];
}

#endif
