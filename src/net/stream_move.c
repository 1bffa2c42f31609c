/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream_move.c: bytes that go from one raw socket to another through a pipe
 * of the kernel, unread; what the sink does not take waits in the pipe.
 */
#include "net/stream_state.h"

#include <errno.h>
#include <unistd.h>

#include "net/store.h"
#include "net/transport.h"

static bool
can_move(const struct stream *stream)
{
	const struct stream *sink = stream->sink;

	return stream_unread(stream) == 0 && stream->ops == &stream_raw &&
	    sink != NULL && sink->ops == &stream_raw && sink->state == STATE_OPEN && !sink->shut_asked &&
	    stream_kept(sink) == 0;
}

/* False: the kernel does not give back what it took. */
static bool
keep_copy(struct stream *stream, struct kernel_pipe *pipe)
{
	char *scratch = loop_scratch(stream->loop);

	while (pipe->len > 0) {
		ssize_t n = read(pipe->out, scratch, LOOP_SCRATCH_SIZE);

		if (n <= 0) {
			stream->error = n < 0 ? errno : EPIPE;
			return false;
		}
		store_add_out(stream, slice_make(scratch, (size_t)n));
		pipe->len -= (size_t)n;
	}
	return true;
}

/* What the peer does not take stays in the pipe, but not in the last one: its sink may never read again. */
static void
take_pipe(struct stream *stream, struct kernel_pipe *pipe)
{
	struct kernel_pipes *pipes = store_pipes(stream->loop);
	bool has_failed = stream_raw_empty(stream, pipe) == STREAM_IO_FAILED;

	if (!has_failed && pipe->len > 0 && kernel_pipes_reserve(pipes, loop_now(stream->loop))) {
		store_set_moved(stream, pipe);
		stream_update_watch(stream);
		return;
	}
	has_failed = has_failed || !keep_copy(stream, pipe);
	kernel_pipe_put(pipes, &pipe);
	if (has_failed)
		stream_fail_later(stream);
	else
		stream_update_watch(stream);
}

bool
stream_move(struct stream *stream)
{
	struct kernel_pipes *pipes;
	struct kernel_pipe *pipe;
	enum stream_io io;
	size_t n;

	if (!can_move(stream))
		return false;
	pipes = store_pipes(stream->loop);
	pipe = kernel_pipe_get(pipes, loop_now(stream->loop));
	if (pipe == NULL)
		return false;
	io = stream_raw_fill(stream, pipe);
	n = pipe->len;
	if (io == STREAM_IO_OK)
		take_pipe(stream->sink, pipe);
	else
		kernel_pipe_put(pipes, &pipe);
	if (io == STREAM_IO_OK) {
		/* what does not fill a small read is read; behind what the sink has kept, more is to come */
		stream->is_moving = n >= STREAM_READ_MIN || stream_kept(stream->sink) > 0;
		(void)stream->on_event(stream, STREAM_MOVED, slice_make(NULL, n), stream->owner);
	} else if (io == STREAM_IO_FAILED) {
		stream_fail(stream);
	}
	return io != STREAM_IO_AGAIN;
}
