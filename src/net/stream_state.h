/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_state.h: a stream's states, and the moves between them that stream.c and stream_move.c share. */
#ifndef NET_STREAM_STATE_H
#define NET_STREAM_STATE_H

#include "net/stream.h"

enum state {
	STATE_CLOSED,		/* a zeroed stream too */
	STATE_CONNECTING,
	STATE_HANDSHAKING,
	STATE_OPEN,
	STATE_FAILING,		/* STREAM_FAILED is due in the next turn */
	STATE_FAILED
};

/* Why a stream reads nothing though it is open. */
enum stop {
	STOP_PAUSED = 1,	/* its owner said so */
	STOP_STARVED = 2,	/* for want of memory */
	STOP_ENDED = 4,		/* the peer's FIN or close_notify was read */
	STOP_FULL = 8,		/* so much of the input is not consumed */
	STOP_DUE = 16		/* what is kept of it, or the end, is to be told again first */
};

void stream_update_watch(struct stream *stream);	/* as state, stops and what is kept want it now */
void stream_shake(struct stream *stream);		/* a step of the handshake, and what follows */
void stream_fail(struct stream *stream);		/* STREAM_FAILED, now: for what was read here */
void stream_fail_later(struct stream *stream);		/* in the next turn, behind what the peer has said */

/* stream_move.c: of one that is_moving.  False: it is for a read to do, and to tell what there is. */
bool stream_move(struct stream *stream);

#endif
