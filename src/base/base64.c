/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64.c: RFC 4648 section 4.  What it decodes may be a password, so
 * nothing is left behind on refusal.
 */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct slice in, struct buf *out)
{
	char *p = buf_reserve(out, in.len / 3 * 4 + 4);
	size_t written = 0;

	for (size_t i = 0; i < in.len; i += 3) {
		size_t left = in.len - i;
		uint32_t group = (uint32_t)(uint8_t)in.data[i] << 16;

		if (left > 1)
			group |= (uint32_t)(uint8_t)in.data[i + 1] << 8;
		if (left > 2)
			group |= (uint8_t)in.data[i + 2];
		p[written++] = alphabet[group >> 18];
		p[written++] = alphabet[group >> 12 & 63];
		p[written++] = left > 1 ? alphabet[group >> 6 & 63] : '=';
		p[written++] = left > 2 ? alphabet[group & 63] : '=';
	}
	buf_added(out, written);
}

static int
find_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, the last `padding` of which are '=', to 3 - padding bytes. */
static bool
decode_group(const char in[4], size_t padding, char *out)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? find_value(in[i]) : 0;

		if (value < 0)
			return false;
		group = group << 6 | (uint32_t)value;
	}
	/* bits behind the last byte: two texts must not mean the same bytes */
	if ((group & ((1U << 8 * padding) - 1)) != 0)
		return false;
	for (size_t i = 0; i < 3 - padding; i++)
		out[i] = (char)(group >> (16 - 8 * i) & 0xff);
	return true;
}

bool
base64_decode(struct slice in, struct buf *out)
{
	size_t padding = 0, written = 0;
	char *p;

	if (in.len % 4 != 0)
		return false;
	if (in.len > 0 && in.data[in.len - 1] == '=')
		padding = in.data[in.len - 2] == '=' ? 2 : 1;
	p = buf_reserve(out, in.len / 4 * 3);
	for (size_t i = 0; i < in.len; i += 4) {
		size_t group_padding = i + 4 == in.len ? padding : 0;

		if (!decode_group(in.data + i, group_padding, p + written)) {
			explicit_bzero(p, written);
			return false;
		}
		written += 3 - group_padding;
	}
	buf_added(out, written);
	return true;
}
