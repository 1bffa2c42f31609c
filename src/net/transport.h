/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport.h: how a stream's bytes come and go: stream_raw.c and
 * stream_tls.c.  Only for these, stream.c and stream_move.c.
 */
#ifndef NET_TRANSPORT_H
#define NET_TRANSPORT_H

#include "net/stream.h"

enum stream_io { STREAM_IO_OK, STREAM_IO_AGAIN, STREAM_IO_CLOSED, STREAM_IO_FAILED };

/* *done tells the bytes moved, with STREAM_IO_OK only. */
struct stream_ops {
	enum stream_io (*read)(struct stream *stream, char *data, size_t n, size_t *done);
	enum stream_io (*write)(struct stream *stream, const char *data, size_t n, size_t *done);
	bool (*has_pending)(const struct stream *stream);	/* read would find more without the kernel */
	void (*shut)(struct stream *stream);		/* no more will be written: FIN, close_notify */
	void (*close)(struct stream *stream, bool politely);	/* frees what it owns; close_notify first */
};
extern const struct stream_ops stream_raw, stream_tls;

struct kernel_pipe;
/*
 * Of a raw stream: from its socket into an empty pipe (AGAIN: reading tells what there is), and from a pipe
 * into its socket.
 */
enum stream_io stream_raw_fill(struct stream *stream, struct kernel_pipe *pipe);
enum stream_io stream_raw_empty(struct stream *stream, struct kernel_pipe *pipe);

/* They make stream->tls, take a step of the handshake, say what failed. */
void stream_tls_accept(struct stream *stream, const struct tls_front *front);
void stream_tls_connect(struct stream *stream, const struct tls_back *back);
enum stream_io stream_tls_handshake(struct stream *stream);
/* False: others have their turn; stream_shake is called in its own. */
bool stream_tls_has_turn(struct stream *stream);
size_t stream_take_unread(struct stream *stream, char *data, size_t n);	/* what came before TLS */
void stream_tls_set_secret(struct stream *stream);	/* as is_secret says */
/* false: it was no matter of TLS. */
bool stream_tls_reason(const struct stream *stream, char out[STREAM_REASON_MAX]);

#endif
