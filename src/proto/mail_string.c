/* SPDX-License-Identifier: BSD-2-Clause */
/* mail_string.c: reads strings, quoted and literal, and writes quoted ones. */
#include "proto/mail_string.h"

#include <string.h>

bool
mail_string_take_blank(struct slice *rest)
{
	if (rest->len == 0 || rest->data[0] != ' ')
		return false;
	*rest = slice_from(*rest, 1);
	return true;
}

static bool
take_quoted(struct slice *rest, struct buf *out)
{
	size_t i = 1;

	for (; i < rest->len && rest->data[i] != '"'; i++) {
		char c = rest->data[i];

		if (c == '\\' && ++i < rest->len) {
			c = rest->data[i];
			if (c != '"' && c != '\\')
				return false;
		}
		if (c == '\0' || c == '\r' || c == '\n')
			return false;
		buf_append(out, &c, 1);
	}
	if (i >= rest->len)
		return false;
	*rest = slice_from(*rest, i + 1);
	return true;
}

/* {n} or {n+}, the line's end and n octets: the frame saw the same. */
static bool
take_literal(struct slice *rest, struct buf *out)
{
	const char *close = memchr(rest->data, '}', rest->len);
	size_t end = close != NULL ? (size_t)(close - rest->data) : 0;
	size_t digits = end > 1 && rest->data[end - 1] == '+' ? end - 1 : end;
	uint64_t size;

	if (digits < 2 || !slice_to_number(slice_make(rest->data + 1, digits - 1), rest->len, &size))
		return false;
	end++;
	if (end < rest->len && rest->data[end] == '\r')
		end++;
	if (end >= rest->len || rest->data[end] != '\n' || size > rest->len - end - 1)
		return false;
	buf_append(out, rest->data + end + 1, (size_t)size);
	*rest = slice_from(*rest, end + 1 + (size_t)size);
	return true;
}

bool
mail_string_take(struct slice *rest, struct buf *out)
{
	if (rest->len == 0)
		return false;
	if (rest->data[0] == '"')
		return take_quoted(rest, out);
	return rest->data[0] == '{' && take_literal(rest, out);
}

void
mail_string_write_quoted(struct buf *out, struct slice text)
{
	size_t done = 0;

	buf_append_text(out, "\"");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool is_quoted = c == '"' || c == '\\';
		bool is_left_out = (unsigned char)c < ' ' || c == 0x7f;

		if (!is_quoted && !is_left_out)
			continue;
		buf_append(out, text.data + done, i - done);
		if (is_quoted)
			buf_append_text(out, "\\");
		done = is_quoted ? i : i + 1;
	}
	buf_append_slice(out, slice_from(text, done));
	buf_append_text(out, "\"");
}
