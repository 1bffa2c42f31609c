/* SPDX-License-Identifier: BSD-2-Clause */
/* channel.c: a message is a record of a SOCK_SEQPACKET socket: its kind, then words, each with its NUL. */
#include "net/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum { TURN_MAX = 256 };	/* messages in a turn, so that others come to theirs */

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
};

struct queued {
	struct list node;
	struct buf text;
	int fds[CHANNEL_FDS_MAX];
	int fd_count;
};

bool
channel_pair(int fds[2], struct error *error)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0 ||
	    error_set(error, "socketpair: %s", strerror(errno));
}

bool
channel_is_one(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

void
channel_open(struct channel *channel, int fd)
{
	channel->fd = fd;
	list_init(&channel->queue);
	channel->buffer = xmalloc(CHANNEL_MESSAGE_MAX + 1);
}

static void
take_fds(struct msghdr *header, struct channel_message *message)
{
	message->fd_count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		message->fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(message->fds, CMSG_DATA(c), (size_t)message->fd_count * sizeof(int));
	}
}

static void
take_words(struct channel *channel, size_t len, struct channel_message *message)
{
	char *end = channel->buffer + len, *word = channel->buffer + 1;

	*end = '\0';
	message->kind = channel->buffer[0];
	for (int i = 0; i < CHANNEL_WORDS_MAX; i++) {
		message->words[i] = word < end ? word : "";
		word += word < end ? strlen(word) + 1 : 0;
	}
}

/* 1: a message; 0: the other side has gone; -1: there is none now. */
static int
receive(struct channel *channel, struct channel_message *message)
{
	union control control;
	struct iovec part = { channel->buffer, CHANNEL_MESSAGE_MAX };
	struct msghdr header = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	ssize_t n;

	do
		n = recvmsg(channel->fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? -1 : 0;
	take_fds(&header, message);
	take_words(channel, (size_t)n, message);
	return 1;
}

bool
channel_receive(struct channel *channel, struct channel_message *message, int64_t deadline_ms,
    struct error *error)
{
	struct pollfd wait = { .fd = channel->fd, .events = POLLIN };
	int64_t left;
	int result;

	while ((result = receive(channel, message)) < 0) {
		left = deadline_ms - clock_ms();
		if (left <= 0)
			return error_set(error, "the other process says nothing");
		(void)poll(&wait, 1, (int)left);
	}
	return result > 0 || error_set(error, "the other process has gone");
}

/* False: there is no room. */
static bool
transmit(struct channel *channel, struct slice text, const int *fds, int fd_count)
{
	union control control;
	struct iovec part = { (void *)(uintptr_t)text.data, text.len };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t size = (size_t)fd_count * sizeof(int);
	ssize_t n;

	if (fd_count > 0) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.room;
		header.msg_controllen = CMSG_SPACE(size);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(&control.header), fds, size);
	}
	do
		n = sendmsg(channel->fd, &header, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 || (errno != EAGAIN && errno != ENOBUFS);	/* else on_end will come */
}

static void
free_queued(struct queued *queued)
{
	list_remove(&queued->node);
	buf_clear(&queued->text);
	xfree(queued);
}

static void
watch(struct channel *channel)
{
	if (channel->loop != NULL)
		loop_io_watch(channel->loop, &channel->io,
		    LOOP_READ | (channel->is_full ? LOOP_WRITE : 0));
}

static void
flush(struct channel *channel)
{
	list_each(node, &channel->queue) {
		struct queued *queued = list_entry(node, struct queued, node);

		if (!transmit(channel, buf_slice(&queued->text), queued->fds, queued->fd_count))
			return;
		free_queued(queued);
	}
	channel->is_full = false;
	watch(channel);
	if (channel->on_room != NULL)
		channel->on_room(channel);
}

void
channel_send(struct channel *channel, const struct channel_message *message)
{
	struct queued *queued = xcalloc(1, sizeof(*queued));

	if (channel->fd < 0) {
		xfree(queued);
		return;
	}
	buf_append(&queued->text, &message->kind, 1);
	for (int i = 0; i < CHANNEL_WORDS_MAX && message->words[i] != NULL; i++)
		buf_append(&queued->text, message->words[i], strlen(message->words[i]) + 1);
	queued->fd_count = message->fd_count;
	memcpy(queued->fds, message->fds, (size_t)message->fd_count * sizeof(int));
	if (!channel->is_full &&
	    transmit(channel, buf_slice(&queued->text), queued->fds, queued->fd_count)) {
		free_queued(queued);
		return;
	}
	list_append(&channel->queue, &queued->node);
	channel->is_full = true;
	watch(channel);
}

static void
on_ready(struct loop_io *io, int events)
{
	struct channel *channel = loop_owner(io, struct channel, io);
	struct channel_message message;
	int result = 1;

	if ((events & LOOP_WRITE) != 0 && channel->is_full)
		flush(channel);
	for (int i = 0; channel->fd >= 0 && i < TURN_MAX; i++) {
		result = receive(channel, &message);
		if (result <= 0)
			break;
		channel->on_message(channel, &message);
	}
	if (channel->fd >= 0 && result == 0) {
		loop_io_watch(channel->loop, io, 0);
		channel->on_end(channel);
	}
}

void
channel_start(struct channel *channel, struct loop *loop)
{
	channel->loop = loop;
	loop_io_init(&channel->io, channel->fd, on_ready);
	watch(channel);
}

void
channel_close(struct channel *channel)
{
	if (channel->buffer == NULL)
		return;
	if (channel->loop != NULL)
		loop_io_stop(channel->loop, &channel->io);
	list_each(node, &channel->queue)
		free_queued(list_entry(node, struct queued, node));
	close(channel->fd);
	xfree(channel->buffer);
	channel->buffer = NULL;
	channel->fd = -1;
	channel->is_full = false;
}
