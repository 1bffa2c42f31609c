/* SPDX-License-Identifier: BSD-2-Clause */
/* door.h: a listening socket on the loop under test, and the peers that came to it. */
#ifndef UNIT_SESSION_DOOR_H
#define UNIT_SESSION_DOOR_H

#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "peer.h"

enum { PEERS_MAX = 6 };

struct door {
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
	struct door *door = loop_owner(io, struct door, io);
	int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	assert_true(fd >= 0 && door->count < PEERS_MAX);
	peer_open(&door->peers[door->count++], door->loop, fd);
	loop_stop(door->loop);
}

static inline void
door_open(struct door *door, struct loop *loop)
{
	struct sockaddr_storage storage;
	socklen_t len;

	memset(door, 0, sizeof(*door));
	door->loop = loop;
	assert_true(addr_parse(slice_of("127.0.0.1"), 0, &door->addr));
	len = addr_to_sockaddr(&door->addr, &storage);
	door->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(door->fd, (struct sockaddr *)&storage, len), 0);
	assert_int_equal(listen(door->fd, PEERS_MAX), 0);
	len = sizeof(storage);
	assert_int_equal(getsockname(door->fd, (struct sockaddr *)&storage, &len), 0);
	door->addr = addr_from_sockaddr((struct sockaddr *)&storage, len);
	loop_io_init(&door->io, door->fd, on_peer);
	loop_io_watch(loop, &door->io, LOOP_READ);
}

/* Connections are refused from now on. */
static inline void
door_refuse(struct door *door)
{
	if (door->fd < 0)
		return;
	loop_io_stop(door->loop, &door->io);
	close(door->fd);
	door->fd = -1;
}

static inline void
door_close(struct door *door)
{
	door_refuse(door);
	for (int i = 0; i < door->count; i++)
		peer_close(&door->peers[i]);
}

/* The next who comes. */
static inline struct peer *
door_accept(struct door *door)
{
	door->wanted++;
	await(door->loop, &door->count, door->wanted);
	return &door->peers[door->wanted - 1];
}

#endif
