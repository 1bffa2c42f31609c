/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_raw.c: the transport without TLS: one system call for each read, write or move. */
#include "net/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "net/kernel_pipe.h"

enum { MOVE = SPLICE_F_MOVE | SPLICE_F_NONBLOCK };

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

/*
 * An end is not told from here: before urgent data splice(2) says "end" or "nothing" though there is more,
 * and a read goes on.
 */
enum stream_io
stream_raw_fill(struct stream *stream, struct kernel_pipe *pipe)
{
	ssize_t got = splice(stream->fd, NULL, pipe->in, NULL, KERNEL_PIPE_SIZE, MOVE);

	if (got > 0) {
		pipe->len = (size_t)got;
		return STREAM_IO_OK;
	}
	if (got == 0 || is_temporary(errno) || errno == EINVAL || errno == ENOMEM)
		return STREAM_IO_AGAIN;
	stream->error = errno;
	return STREAM_IO_FAILED;
}

enum stream_io
stream_raw_empty(struct stream *stream, struct kernel_pipe *pipe)
{
	ssize_t put = splice(pipe->out, NULL, stream->fd, NULL, pipe->len, MOVE);

	if (put >= 0) {
		pipe->len -= (size_t)put;
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
