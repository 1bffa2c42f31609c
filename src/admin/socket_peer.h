/* SPDX-License-Identifier: BSD-2-Clause */
/* socket_peer.h: who is at the other end of a unix socket, as the kernel knows him from when he connected. */
#ifndef ADMIN_SOCKET_PEER_H
#define ADMIN_SOCKET_PEER_H

#include "admin/admin_block.h"

struct socket_peer {
	unsigned uid;
	int pid;
	unsigned *groups;		/* his own first */
	size_t group_count;
};

/* False, and nothing to clear: it is no unix socket. */
bool socket_peer_read(int fd, struct socket_peer *peer);
void socket_peer_clear(struct socket_peer *peer);

/* The socket's level, or a higher one that its rows give him.  NULL: nothing is known of him. */
enum admin_level socket_peer_level(const struct socket_peer *peer, const struct admin_socket *socket);

#endif
