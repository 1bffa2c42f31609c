/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h: what streams hold: written, and not taken by the peer; read, and
 * not consumed by the owner.  All of it is counted, and who would add to it
 * beyond the limit waits.  Only for stream.c and stream_tls.c.
 */
#ifndef NET_STORE_H
#define NET_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/kernel_pipe.h"
#include "net/loop.h"

struct stream;

/* Of one stream; there is none where there is nothing to hold. */
struct store {
	struct stream *stream;
	struct buf out;
	struct kernel_pipe *moved;	/* before `out`; or NULL */
	struct buf in;
	struct list hungry;		/* in its loop's list while the stream waits for memory */
};

void store_add_out(struct stream *stream, struct slice data);
void store_set_moved(struct stream *stream, struct kernel_pipe *pipe);
void store_clear_out(struct stream *stream);	/* what is written; bytes in a pipe are lost */
void store_add_in(struct stream *stream, struct slice data);
struct buf store_take_in(struct stream *stream);	/* until store_put_in, and counted on */
void store_put_in(struct stream *stream, struct buf *in);	/* what is left of it, or nothing */
void store_clear(struct stream *stream);	/* all; bytes are overwritten, for they may be secret */

bool store_is_short(void);			/* more is held than may be */
void store_starve(struct stream *stream);	/* stream_feed(stream) comes when there may be memory again */
void store_stop_starving(struct stream *stream);
struct kernel_pipes *store_pipes(struct loop *loop);

/* stream.c's: may a stream that starves read on, and it does. */
bool stream_is_fed(const struct stream *stream, bool is_short);
void stream_feed(struct stream *stream);

#endif
