/* SPDX-License-Identifier: BSD-2-Clause */
/* socket_peer.c: SO_PEERCRED, SO_PEERGROUPS, and the rows of a socket that ids are looked for in. */
#include "admin/socket_peer.h"

#include <sys/socket.h>

#include "base/xalloc.h"

_Static_assert(sizeof(unsigned) == sizeof(uid_t) && sizeof(unsigned) == sizeof(gid_t), "the kernel's ids");

bool
socket_peer_read(int fd, struct socket_peer *peer)
{
	struct ucred ucred;
	socklen_t len = sizeof(ucred), size = 0;
	unsigned *groups;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) != 0 || ucred.uid == (uid_t)-1)
		return false;
	/* without room it fails, and tells how much there must be */
	(void)getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size);
	groups = xcalloc(1 + size / sizeof(*groups), sizeof(*groups));
	groups[0] = ucred.gid;
	if (size > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &size) != 0)
		size = 0;
	*peer = (struct socket_peer){
		.uid = ucred.uid, .pid = (int)ucred.pid, .groups = groups,
		.group_count = 1 + size / sizeof(*groups),
	};
	return true;
}

void
socket_peer_clear(struct socket_peer *peer)
{
	xfree(peer->groups);
	*peer = (struct socket_peer){ 0 };
}

static bool
has_id(const struct id_list *ids, unsigned id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->items[i] == id)
			return true;
	return false;
}

static bool
is_named(const struct socket_peer *peer, const struct id_list *users, const struct id_list *groups)
{
	if (has_id(users, peer->uid))
		return true;
	for (size_t i = 0; i < peer->group_count; i++)
		if (has_id(groups, peer->groups[i]))
			return true;
	return false;
}

enum admin_level
socket_peer_level(const struct socket_peer *peer, const struct admin_socket *socket)
{
	enum admin_level level = (enum admin_level)socket->level;

	if (peer == NULL)
		return level;
	if (is_named(peer, &socket->admin_users, &socket->admin_groups))
		return ADMIN_LEVEL_ADMIN;
	if (level < ADMIN_LEVEL_OPERATOR &&
	    is_named(peer, &socket->operator_users, &socket->operator_groups))
		return ADMIN_LEVEL_OPERATOR;
	return level;
}
