/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_raw.c: the transport without TLS: one system call for each read or write. */
#include "net/stream.h"

#include <errno.h>
#include <sys/socket.h>

static bool
is_temporary(int error)
{
	return error == EAGAIN || error == EINTR;
}

static enum stream_io
raw_read(struct stream *stream, char *data, size_t n, size_t *done)
{
	ssize_t got = recv(stream->fd, data, n, 0);

	if (got > 0) {
		*done = (size_t)got;
		return STREAM_IO_OK;
	}
	if (got == 0)
		return STREAM_IO_CLOSED;
	if (is_temporary(errno))
		return STREAM_IO_AGAIN;
	stream->error = errno;
	return STREAM_IO_FAILED;
}

static enum stream_io
raw_write(struct stream *stream, const char *data, size_t n, size_t *done)
{
	ssize_t put = send(stream->fd, data, n, MSG_NOSIGNAL);

	if (put >= 0) {
		*done = (size_t)put;
		return STREAM_IO_OK;
	}
	if (is_temporary(errno))
		return STREAM_IO_AGAIN;
	stream->error = errno;
	return STREAM_IO_FAILED;
}

static bool
raw_has_pending(const struct stream *stream)
{
	(void)stream;
	return false;
}

static void
raw_shut(struct stream *stream)
{
	(void)shutdown(stream->fd, SHUT_WR);
}

static void
raw_close(struct stream *stream, bool politely)
{
	(void)stream;
	(void)politely;
}

const struct stream_ops stream_raw = {
	.read = raw_read,
	.write = raw_write,
	.has_pending = raw_has_pending,
	.shut = raw_shut,
	.close = raw_close,
};
