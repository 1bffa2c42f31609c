/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.c: passes bytes on and sizes the reads: large blocks only while the
 * receiver takes whole ones, since large reads to a slow one are only kept.
 * Where the largest are not enough, what nobody looks at is moved unread.
 */
#include "net/pipe.h"

void
pipe_open(struct pipe *pipe, struct stream *from, struct stream *to)
{
	*pipe = (struct pipe){ .from = from, .to = to };
	from->read_size = STREAM_READ_MIN;
	from->is_moving = false;
	from->sink = to;
	if (stream_kept(to) == 0)
		stream_resume(from);
	else
		stream_pause(from);
}

void
pipe_data(struct pipe *pipe, struct slice data)
{
	struct stream *from = pipe->from;

	pipe->bytes += data.len;
	if (stream_write(pipe->to, data) > 0) {
		from->read_size = STREAM_READ_MIN;
		from->is_moving = false;
		stream_pause(from);
	} else if (data.len >= from->read_size) {
		if (from->read_size < LOOP_SCRATCH_SIZE)
			from->read_size *= 2;
		else
			from->is_moving = pipe->may_move;
	}
}

void
pipe_moved(struct pipe *pipe, size_t n)
{
	pipe->bytes += n;
	if (stream_kept(pipe->to) > 0)
		stream_pause(pipe->from);
	else if (n < STREAM_READ_MIN)
		pipe->from->is_moving = false;
}

void
pipe_drained(struct pipe *pipe)
{
	if (!pipe->is_closed)
		stream_resume(pipe->from);
}

void
pipe_closed(struct pipe *pipe)
{
	if (pipe->is_closed)
		return;
	pipe->is_closed = true;
	stream_shut(pipe->to);
}
