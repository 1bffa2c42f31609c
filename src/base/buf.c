/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buf.c: a buffer that doubles from 256 bytes and slides its content to the
 * front where enough of that has been read.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { BUF_SIZE_FIRST = 256 };

static void
grow(struct buf *b, size_t needed)
{
	uint32_t size = b->size > 0 ? b->size : BUF_SIZE_FIRST / 2;
	uint32_t len = b->end - b->start;
	char *data;

	do {
		if (size > UINT32_MAX / 2)
			abort();
		size *= 2;
	} while (size < needed);

	data = xmalloc(size);
	if (b->data != NULL) {
		memcpy(data, b->data + b->start, len);
		explicit_bzero(b->data, b->size);
		xfree(b->data);
	}
	*b = (struct buf){ .data = data, .end = len, .size = size };
}

static void
make_room(struct buf *b, size_t n)
{
	uint32_t len = b->end - b->start;

	if (n > UINT32_MAX - len)
		abort();
	/* sliding pays only after much was read: else each byte would be moved again and again */
	if (b->data != NULL && b->start > 0 && b->start >= b->size / 4 && len + n <= b->size) {
		memmove(b->data, b->data + b->start, len);
		b->start = 0;
		b->end = len;
	} else {
		grow(b, len + n);
	}
}

char *
buf_reserve(struct buf *b, size_t n)
{
	if (b->data == NULL || n > b->size - b->end)
		make_room(b, n);
	return b->data + b->end;
}

void
buf_added(struct buf *b, size_t n)
{
	assert(n <= b->size - b->end);
	b->end += (uint32_t)n;
}

void
buf_append(struct buf *b, const void *data, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), data, n);
	b->end += (uint32_t)n;
}

void
buf_append_tight(struct buf *b, struct slice s)
{
	if (b->data == NULL && s.len > 0 && s.len <= UINT32_MAX)
		*b = (struct buf){ .data = xmalloc(s.len), .size = (uint32_t)s.len };
	buf_append_slice(b, s);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(b, format, args);
	va_end(args);
}

/* Most formats have only texts in them.  Appends what is before another conversion; returns what follows. */
static const char *
print_texts(struct buf *b, const char *format, va_list *args)
{
	for (;;) {
		const char *percent = strchrnul(format, '%');

		buf_append(b, format, (size_t)(percent - format));
		format = percent;
		if (strncmp(percent, "%s", 2) == 0) {
			buf_append_slice(b, slice_of(va_arg(*args, const char *)));
			format += 2;
		} else if (strncmp(percent, "%.*s", 4) == 0) {
			int n = va_arg(*args, int);
			const char *text = va_arg(*args, const char *);

			buf_append(b, text, n > 0 ? strnlen(text, (size_t)n) : 0);
			format += 4;
		} else {
			return format;
		}
	}
}

static void
print_rest(struct buf *b, const char *format, va_list args)
{
	va_list again;
	size_t room = b->data != NULL ? b->size - b->end : 0;
	int n;

	va_copy(again, args);
	n = vsnprintf(room > 0 ? b->data + b->end : NULL, room, format, args);
	if (n < 0)
		abort();
	if ((size_t)n >= room)
		vsnprintf(buf_reserve(b, (size_t)n + 1), (size_t)n + 1, format, again);
	va_end(again);
	b->end += (uint32_t)n;
}

void
buf_vprintf(struct buf *b, const char *format, va_list args)
{
	va_list rest;

	va_copy(rest, args);
	format = print_texts(b, format, &rest);
	if (*format != '\0')
		print_rest(b, format, rest);
	va_end(rest);
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->start += (uint32_t)n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void
buf_truncate(struct buf *b, size_t len)
{
	if (len < buf_len(b))
		b->end = b->start + (uint32_t)len;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void
buf_clear(struct buf *b)
{
	xfree(b->data);
	*b = (struct buf){ 0 };
}

void
buf_wipe(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->size);
	buf_clear(b);
}
