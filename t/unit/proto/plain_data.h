/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain_data.h: mail data read a second time, octet by octet with the whole
 * of it in view, and what a server got of it, read by one that takes anything
 * for an end of data.
 */
#ifndef PROTO_PLAIN_DATA_H
#define PROTO_PLAIN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/slice.h"
#include "base/xalloc.h"
#include "proto/smtp_data.h"

/* Data begins behind a CRLF; behind its last octet there is none. */
static inline int
plain_at(struct slice in, ptrdiff_t at)
{
	if (at < 0)
		return at == -1 ? '\n' : at == -2 ? '\r' : ' ';
	return (size_t)at < in.len ? (unsigned char)in.data[at] : -1;
}

static inline bool
plain_is_bare(struct slice in, ptrdiff_t at)
{
	int next = plain_at(in, at + 1);

	if (plain_at(in, at) == '\r')
		return next != '\n' && next != -1;
	return plain_at(in, at) == '\n' && plain_at(in, at - 1) != '\r';
}

static inline bool
plain_has_bare(struct slice in, char c)
{
	for (size_t i = 0; i < in.len; i++) {
		if (in.data[i] == c && plain_is_bare(in, (ptrdiff_t)i))
			return true;
	}
	return false;
}

/* Is here the first octet of a line that began by CRLF? */
static inline bool
plain_is_line(struct slice in, ptrdiff_t at, bool normalize)
{
	return plain_at(in, at - 1) == '\n' && plain_at(in, at - 2) == '\r' &&
	    (!normalize || plain_at(in, at - 3) != '\r');
}

/* What comes up to and with the first CRLF.CRLF; 0 if there is none. */
static inline size_t
plain_end(struct slice in, bool normalize)
{
	for (ptrdiff_t i = 0; i < (ptrdiff_t)in.len; i++) {
		if (plain_is_line(in, i, normalize) && plain_at(in, i) == '.' &&
		    plain_at(in, i + 1) == '\r' && plain_at(in, i + 2) == '\n')
			return (size_t)i + 3;
	}
	return 0;
}

static inline bool
plain_needs_dot(struct slice in, ptrdiff_t at)
{
	int before = plain_at(in, at - 1);

	if (plain_at(in, at) != '.')
		return false;
	if (plain_is_line(in, at, true))
		return plain_is_bare(in, at + 1);
	return before == '\r' || before == '\n';
}

static inline void
plain_normalize(struct slice in, struct buf *out)
{
	for (ptrdiff_t i = 0; i < (ptrdiff_t)in.len; i++) {
		if (plain_needs_dot(in, i))
			buf_append_text(out, ".");
		if (plain_is_bare(in, i))
			buf_append_text(out, "\r\n");
		else
			buf_append(out, in.data + i, 1);
	}
}

/* Does the data so far end in a dot line that only lacks its LF? */
static inline bool
plain_holds_cr(struct slice in, bool normalize)
{
	ptrdiff_t dot = (ptrdiff_t)in.len - 2;

	return dot >= 0 && plain_is_line(in, dot, normalize) && in.data[dot] == '.' &&
	    in.data[dot + 1] == '\r';
}

/* Lines that are nothing but a dot, for a server to which CR and LF are each a line break. */
static inline size_t
lenient_ends(struct slice in, size_t *last)
{
	size_t count = 0;

	for (ptrdiff_t i = 0; i < (ptrdiff_t)in.len; i++) {
		int before = plain_at(in, i - 1), behind = plain_at(in, i + 1);

		if (plain_at(in, i) == '.' && (before == '\r' || before == '\n') &&
		    (behind == '\r' || behind == '\n')) {
			count++;
			*last = (size_t)i;
		}
	}
	return count;
}

/* Data on its way, in pieces, up to its end. */
struct delivery {
	struct smtp_data data;
	bool is_over;
	size_t used;
	struct buf server;		/* what came there */
	const char *wrong;		/* what one call did wrong */
};

static inline void
delivery_take(struct delivery *d, struct slice piece)
{
	struct slice pass;
	size_t used, before = buf_len(&d->server);
	char *copy;

	if (d->is_over || piece.len == 0)
		return;
	copy = memcpy(xmalloc(piece.len), piece.data, piece.len);	/* a look beyond either end is seen */
	d->is_over = smtp_data_take(&d->data, slice_make(copy, piece.len), &used, &pass, &d->server);
	d->used += used;
	if (used > piece.len || (!d->is_over && used < piece.len))
		d->wrong = "data was left";
	else if (pass.len > used || pass.data < copy || pass.data + pass.len > copy + used)
		d->wrong = "what is passed is no part of what was used";
	else
		buf_append_slice(&d->server, pass);
	if (d->data.policy == BARE_NEWLINE_REJECT && (d->data.has_bare_cr || d->data.has_bare_lf) &&
	    buf_len(&d->server) > before)
		d->wrong = "rejected data was passed";
	xfree(copy);
}

static inline bool
is_prefix(struct slice part, struct slice whole)
{
	return part.len <= whole.len && memcmp(part.data, whole.data, part.len) == 0;
}

/* Did the server get of the data, up to its end, what it should? */
static inline bool
delivery_is_true(const struct delivery *d, struct slice data)
{
	struct slice server = buf_slice(&d->server);
	bool normalize = d->data.policy == BARE_NEWLINE_NORMALIZE, is_true;
	struct buf wanted = { 0 };

	if (d->data.policy == BARE_NEWLINE_REJECT && (d->data.has_bare_cr || d->data.has_bare_lf))
		return is_prefix(server, data);
	if (normalize)
		plain_normalize(data, &wanted);
	else
		buf_append_slice(&wanted, data);
	if (d->data.policy != BARE_NEWLINE_PASS && plain_holds_cr(data, normalize))
		buf_truncate(&wanted, buf_len(&wanted) - 1);
	is_true = server.len == buf_len(&wanted) && is_prefix(server, buf_slice(&wanted));
	buf_clear(&wanted);
	return is_true;
}

static inline bool
delivery_is_safe(const struct delivery *d)
{
	struct slice server = buf_slice(&d->server);
	bool is_rejected =
	    d->data.policy == BARE_NEWLINE_REJECT && (d->data.has_bare_cr || d->data.has_bare_lf);
	size_t last = 0, ends = lenient_ends(server, &last);

	if (d->data.policy == BARE_NEWLINE_PASS)
		return true;
	if (!d->is_over || is_rejected)
		return ends == 0;
	return ends == 1 && last + 3 == server.len && memcmp(server.data + last, ".\r\n", 3) == 0;
}

/* What is wrong with a delivery of all this, or NULL. */
static inline const char *
delivery_judge(const struct delivery *d, struct slice all)
{
	size_t end = plain_end(all, d->data.policy == BARE_NEWLINE_NORMALIZE);
	struct slice data = slice_make(all.data, end > 0 ? end : all.len);

	if (d->wrong != NULL)
		return d->wrong;
	if (d->is_over != (end > 0) || d->used != data.len)
		return "the end is elsewhere";
	if (d->data.has_bare_cr != plain_has_bare(data, '\r') ||
	    d->data.has_bare_lf != plain_has_bare(data, '\n'))
		return "bare CR or LF are not what was seen";
	if (d->data.size != data.len - (end > 0 ? 3 : 0))
		return "the size is wrong";
	if (!delivery_is_true(d, data))
		return "the server got something else";
	return delivery_is_safe(d) ? NULL : "a lenient server sees an end where none is";
}

#endif
