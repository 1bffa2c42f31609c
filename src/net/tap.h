/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.h: looks on at a stream: at what is read, before the stream's owner is told of it, and at what is
 * written; behind TLS, in the clear.  Embedded in its owner.
 */
#ifndef NET_TAP_H
#define NET_TAP_H

#include "net/stream.h"

struct tap {
	/* They leave the stream alone. */
	void (*on_bytes)(struct tap *tap, bool is_written, struct slice data);
	void (*on_event)(struct tap *tap, enum stream_event event);	/* all but DATA, MOVED and DRAINED */
	void (*on_close)(struct tap *tap);	/* once, by stream_close or by another tap */
};

/* NULL: nobody looks on.  A stream that is tapped moves no bytes unread. */
void stream_set_tap(struct stream *stream, struct tap *tap);

#endif
