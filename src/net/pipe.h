/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.h: one direction of a relay, from a stream to another: written twice a
 * session, stated once.  What is read is written at once; when the receiver
 * does not take all, reading stops until it has.
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/stream.h"

struct pipe {
	struct stream *from, *to;
	uint64_t bytes;			/* passed on */
	bool may_move;			/* nobody has to see the bytes; off at first */
	bool is_closed;			/* the FIN was passed on */
};

/* Reads 16 KiB at first, and resumes `from`. */
void pipe_open(struct pipe *pipe, struct stream *from, struct stream *to);
/* For STREAM_DATA of `from`: writes, grows or shrinks the reads, pauses `from` when bytes had to be kept. */
void pipe_data(struct pipe *pipe, struct slice data);
/* For STREAM_MOVED of `from`: the same for n bytes that came there unread. */
void pipe_moved(struct pipe *pipe, size_t n);
void pipe_drained(struct pipe *pipe);	/* for STREAM_DRAINED of `to` */
void pipe_closed(struct pipe *pipe);	/* for STREAM_CLOSED of `from`: the FIN goes on behind what is kept */

#endif
