/* SPDX-License-Identifier: BSD-2-Clause */
/* pipe.c: passes bytes on from a stream to its sink. */
#include "net/pipe.h"

void
pipe_open(struct pipe *pipe, struct stream *from, struct stream *to)
{
	*pipe = (struct pipe){ .from = from };
	stream_set_sink(from, to);
	if (stream_kept(to) == 0)
		stream_resume(from);
	else
		stream_pause(from);
}

void
pipe_data(struct pipe *pipe, struct slice data)
{
	pipe->bytes += data.len;
	if (stream_write(pipe->from->sink, data) > 0)
		stream_pause(pipe->from);
}

void
pipe_moved(struct pipe *pipe, size_t n)
{
	pipe->bytes += n;
	if (stream_kept(pipe->from->sink) > 0)
		stream_pause(pipe->from);
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
	pipe->is_closed = true;
}

void
pipe_shut(struct pipe *pipe)
{
	stream_shut(pipe->from->sink);
}
