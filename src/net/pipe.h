/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.h: one direction of a relay, from a stream to its sink: written twice
 * a session, stated once.  What is read is written at once; when the receiver
 * does not take all, reading stops until it has.
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/stream.h"

struct pipe {
	struct stream *from;		/* its sink is where to */
	uint64_t bytes;			/* passed on */
	bool is_closed;			/* the FIN was passed on */
};

/* Makes `to` the sink, and resumes `from`, which tells what it has kept. */
void pipe_open(struct pipe *pipe, struct stream *from, struct stream *to);
/* For STREAM_DATA of `from`: writes, and pauses `from` when bytes had to be kept. */
void pipe_data(struct pipe *pipe, struct slice data);
/* For STREAM_MOVED of `from`: the same for n bytes that came there unread. */
void pipe_moved(struct pipe *pipe, size_t n);
void pipe_drained(struct pipe *pipe);	/* for STREAM_DRAINED of `to` */
void pipe_closed(struct pipe *pipe);	/* for STREAM_CLOSED of `from` */
void pipe_shut(struct pipe *pipe);	/* then: the FIN goes on, behind what is kept */

#endif
