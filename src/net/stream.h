/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h: a connected socket, raw or TLS, behind one callback.  A stream is
 * embedded in its owner, belongs to one loop, reads into that loop's scratch
 * buffer and keeps only what its peer would not take, or its owner.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"
#include "net/loop.h"

struct tls_front;
struct tls_back;

enum stream_event {
	STREAM_CONNECTED,	/* stream_connect succeeded; it reads from now on */
	STREAM_TLS_READY,	/* the handshake is done; what comes from now on came through TLS */
	STREAM_DATA,		/* all that was read and not consumed; valid until the callback returns */
	STREAM_MOVED,		/* data.len bytes went to the sink unread, as stream_let_move allows */
	STREAM_DRAINED,		/* all that was kept has been taken by the peer */
	STREAM_CLOSED,		/* the peer will send no more (FIN or close_notify); writing may go on */
	STREAM_FAILED		/* refused, reset, bad TLS: stream_reason says what; only closing is left */
};

struct stream;

/*
 * The one callback.  It may do anything with the stream, stream_close
 * included; memory that holds the stream may be freed by loop_defer only.
 *
 * Of STREAM_DATA it returns how many bytes, from the first, are consumed.  The
 * stream keeps the rest and tells it again, with what was read meanwhile
 * behind it: once there is more; or, whether or not there is, when
 * stream_resume lets it, or stream_set_owner or stream_tell_again were called,
 * behind the callback then or in the next turn, never within.  Where the peer
 * has ended, STREAM_CLOSED is told again behind that.  An owner that waits for
 * more must want less than STREAM_INPUT_MAX: nothing is read beyond that.
 * Bytes that are not consumed when TLS begins are taken for the handshake's.
 * What other events return means nothing.
 */
typedef size_t stream_callback(struct stream *stream, enum stream_event event, struct slice data,
    void *owner);

struct store;
struct stream_ops;
struct tap;
struct tcp_settings;

struct stream {
	struct loop_io io;
	struct loop *loop;
	const struct stream_ops *ops;	/* transport.h */
	void *tls;			/* the transport's, or NULL */
	stream_callback *on_event;
	void *owner;
	struct store *store;		/* what is kept of either direction; NULL: nothing */
	struct tap *tap;		/* tap.h; NULL: nobody looks on */
	struct stream *sink;		/* where what is read here is written; NULL: nowhere in particular */
	uint32_t read_size;		/* the most one read takes: 16 KiB up to LOOP_SCRATCH_SIZE */
	int fd;				/* -1 when closed */
	int error;			/* errno of the failure, or 0 */
	uint8_t state;			/* enum state of stream_state.h */
	uint8_t stops;			/* why nothing is read, enum stop; 0: it is */
	bool is_telling;		/* STREAM_DATA is being told */
	bool is_held;			/* by stream_hold */
	bool is_secret;
	bool may_move, is_moving;	/* bytes may go to the sink unread; and do, if both are raw */
	bool shut_asked;		/* FIN as soon as nothing is kept for the peer */
	bool tls_wants_write;		/* a TLS read waits for the socket to take bytes */
	bool tls_wants_read;
};

enum {
	STREAM_READ_MIN = 16 * 1024,
	STREAM_INPUT_MAX = 128 * 1024,	/* of input that its owner waits with for more */
	STREAM_HELD_MAX = 16 * 1024,	/* of input that stream_hold keeps from its owner */
	STREAM_REASON_MAX = 160
};

/* Takes over a connected descriptor (non-blocking, close-on-exec) and reads from it. */
void stream_open(struct stream *stream, struct loop *loop, int fd, stream_callback *on_event, void *owner);

/* Where to connect to; read before stream_connect returns. */
struct stream_target {
	const struct addr *to;
	const struct addr *source;		/* NULL: the kernel's choice */
	const struct tcp_settings *tcp;		/* NULL: the kernel's */
};

/* The outcome always comes as an event, never before this returns.  The caller has the timer. */
void stream_connect(struct stream *stream, struct loop *loop, const struct stream_target *target,
    stream_callback *on_event, void *owner);
/* Later, of one that was opened without. */
void stream_set_patience(struct stream *stream, const struct tcp_settings *tcp);
/* The new owner is told what the one before has left, and the end. */
void stream_set_owner(struct stream *stream, stream_callback *on_event, void *owner);

/*
 * TLS from now on, as server or as client: outcome TLS_READY or FAILED.  Nothing may be kept for the peer
 * but, by the server, its go-ahead reply, which is written first.  What is written before TLS_READY is
 * dropped.  Input that was not consumed is the beginning of the peer's handshake.
 */
void stream_accept_tls(struct stream *stream, const struct tls_front *front);
void stream_connect_tls(struct stream *stream, const struct tls_back *back);

/*
 * Writes at once what the peer takes and keeps the rest (STREAM_DRAINED comes when it is gone).  A failure
 * comes as an event in the next turn, behind what the peer had said before.  Returns what is kept now.
 */
size_t stream_write(struct stream *stream, struct slice data);
size_t stream_kept(const struct stream *stream);
void stream_pause(struct stream *stream);	/* no DATA, CLOSED or read failure until stream_resume */
/*
 * No DATA until stream_resume; but some is read and kept, and CLOSED is told as soon as it is read, so that
 * a peer that leaves is noticed.
 */
void stream_hold(struct stream *stream);
void stream_resume(struct stream *stream);	/* behind either */
void stream_tell_again(struct stream *stream);	/* what is left of the input, though nothing came */
size_t stream_unread(const struct stream *stream);	/* kept bytes of input; 0 while DATA is told */
bool stream_has_ended(const struct stream *stream);	/* the peer, as STREAM_CLOSED has told */
/*
 * Where what is read is to be written: reads are as large as that takes whole blocks, and where even the
 * largest are not enough, bytes may be moved unread, if they may.
 */
void stream_set_sink(struct stream *stream, struct stream *sink);
void stream_let_move(struct stream *stream, bool may_move);
/* What is read may be a password: it is overwritten behind the callback, and by OpenSSL. */
void stream_set_secret(struct stream *stream, bool is_secret);
void stream_shut(struct stream *stream);	/* half-close, behind what is kept */
/* At once, kept bytes are lost; no event comes any more.  Twice is fine, a zeroed stream too. */
void stream_close(struct stream *stream);

bool stream_has_tls(const struct stream *stream);
/* "connection reset by peer", "certificate has expired"; returns out. */
const char *stream_reason(const struct stream *stream, char out[STREAM_REASON_MAX]);

#endif
