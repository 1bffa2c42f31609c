/* SPDX-License-Identifier: BSD-2-Clause */
/* slice.c: comparing, cutting and reading slices, in ASCII whatever the locale. */
#include "base/slice.h"

#include <string.h>

static char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
slice_matches_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i]))
			return false;
	return true;
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

struct slice
slice_take(struct slice *rest, char separator)
{
	const char *end = rest->len > 0 ? memchr(rest->data, separator, rest->len) : NULL;
	struct slice part = slice_make(rest->data, end != NULL ? (size_t)(end - rest->data) : rest->len);

	*rest = slice_from(*rest, part.len + (end != NULL ? 1 : 0));
	return part;
}

struct slice
slice_word(struct slice *rest)
{
	size_t start = 0, end = 0;

	while (start < rest->len && is_blank(rest->data[start]))
		start++;
	*rest = slice_from(*rest, start);
	while (end < rest->len && !is_blank(rest->data[end]))
		end++;

	struct slice word = slice_make(rest->data, end);

	*rest = slice_from(*rest, end);
	return word;
}

bool
slice_to_number(struct slice s, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;

		uint64_t digit = (uint64_t)(s.data[i] - '0');

		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

size_t
slice_printable(struct slice s)
{
	const uint8_t *p = (const uint8_t *)s.data;
	uint8_t low = 0x80, high = 0xbf;	/* what the second byte may be */
	size_t n;

	if (p[0] < 0x80)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xc2 || p[0] == 0xe0)
		low = 0xa0;			/* below: C1, or a longer form than needed */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xed)
		high = 0x9f;			/* above: surrogates */
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (s.len < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

bool
slice_is_printable(struct slice s)
{
	size_t n = 1;

	for (; s.len > 0 && n > 0; s = slice_from(s, n))
		n = slice_printable(s);
	return n > 0;
}
