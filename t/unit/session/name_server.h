/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name_server.h: what a rig's worker asks for addresses: it gives all names
 * the same ones, but for those that begin with "none", or says nothing.
 */
#ifndef UNIT_SESSION_NAME_SERVER_H
#define UNIT_SESSION_NAME_SERVER_H

#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"
#include "rig.h"

enum { NAME_SERVER_ADDRESSES = 3 };

struct name_server {
	struct loop *loop;
	struct loop_io io;
	int fd;
	const char *addresses[NAME_SERVER_ADDRESSES];	/* IPv4; NULL: no more */
	bool is_silent;
	int asked;
};

static inline size_t
name_server_question_end(const uint8_t *query, size_t len)
{
	size_t at = 12;

	while (at < len && query[at] != 0)
		at += (size_t)query[at] + 1;
	assert_true(at + 5 <= len);
	return at + 5;
}

static inline void
name_server_answer(struct name_server *server, uint8_t *message, size_t len,
    const struct sockaddr_storage *peer, socklen_t peer_len)
{
	size_t end = name_server_question_end(message, len);
	bool is_none = memcmp(message + 13, "none", 4) == 0;
	bool is_ipv4 = message[end - 3] == 1;
	uint8_t count = 0;

	message[2] = 0x81;
	message[3] = is_none ? 0x83 : 0x80;
	memset(message + 6, 0, 6);
	for (int i = 0; i < NAME_SERVER_ADDRESSES && !is_none && is_ipv4; i++) {
		static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };
		struct addr addr;

		if (server->addresses[i] == NULL)
			break;
		assert_true(addr_parse(slice_of(server->addresses[i]), 0, &addr));
		memcpy(message + end, record, sizeof(record));
		memcpy(message + end + sizeof(record), &addr.in.sin_addr, 4);
		end += sizeof(record) + 4;
		count++;
	}
	message[7] = count;
	assert_int_equal(sendto(server->fd, message, end, 0, (const struct sockaddr *)peer, peer_len), end);
}

static inline void
on_name_question(struct loop_io *io, int events)
{
	struct name_server *server = loop_owner(io, struct name_server, io);
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	uint8_t message[1024];
	ssize_t len = recvfrom(server->fd, message, 512, 0, (struct sockaddr *)&peer, &peer_len);

	(void)events;
	assert_true(len > 17);
	server->asked++;
	if (!server->is_silent)
		name_server_answer(server, message, (size_t)len, &peer, peer_len);
	loop_stop(server->loop);
}

static inline void
name_server_open(struct name_server *server, struct rig *rig)
{
	struct address address = { 0 };
	struct address_list list = { .items = &address, .count = 1 };
	struct sockaddr_storage storage;
	socklen_t len;

	server->loop = rig->loop;
	server->asked = 0;
	assert_true(addr_parse(slice_of("127.0.0.1"), 0, &address.addr));
	len = addr_to_sockaddr(&address.addr, &storage);
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&storage, len), 0);
	len = sizeof(storage);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&storage, &len), 0);
	address.addr = addr_from_sockaddr((struct sockaddr *)&storage, len);
	loop_io_init(&server->io, server->fd, on_name_question);
	loop_io_watch(rig->loop, &server->io, LOOP_READ);
	rig->worker->resolver = resolver_new(rig->loop, &list);
}

static inline void
name_server_close(struct name_server *server)
{
	loop_io_stop(server->loop, &server->io);
	close(server->fd);
}

#endif
