/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buf.h: a growing buffer of bytes with a read position.  Empty and fresh it
 * owns no memory, so that an idle session costs nothing here.  Growing
 * overwrites the memory it leaves: the content may be a secret.  What would
 * not fit into 4 GiB aborts.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
	char *data;		/* allocated bytes, or NULL */
	uint32_t start, end;	/* the content is data[start..end) */
	uint32_t size;		/* allocated */
};

static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline char *
buf_data(const struct buf *b)
{
	return b->data + b->start;
}

static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_make(b->data != NULL ? b->data + b->start : "", b->end - b->start);
}

void buf_append(struct buf *b, const void *data, size_t n);
/* buf_append_slice, but a fresh buffer gets no more room than that. */
void buf_append_tight(struct buf *b, struct slice s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
char *buf_reserve(struct buf *b, size_t n);	/* room for n bytes behind the content; then buf_added */
void buf_added(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);	/* takes n bytes off the front; keeps the memory */
void buf_truncate(struct buf *b, size_t len);	/* keeps the first len bytes of the content */
void buf_clear(struct buf *b);			/* frees the memory; the buffer can be used again */
void buf_wipe(struct buf *b);			/* buf_clear for secrets: overwrites all of it first */

static inline void
buf_append_slice(struct buf *b, struct slice s)
{
	buf_append(b, s.data, s.len);
}

static inline void
buf_append_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}

#endif
