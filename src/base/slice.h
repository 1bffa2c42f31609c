/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slice.h: a view of bytes that somebody else owns: no NUL at its end, and
 * NUL bytes may be within.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data;
	size_t len;
};

/* For printf: "%.*s", SLICE_ARGS(s). */
#define SLICE_ARGS(s) (int)(s).len, (s).data
#define SLICE_LITERAL(text) { (text), sizeof(text) - 1 }

/* What is short stands here, so that the length of a text in the source is no work. */
static inline struct slice
slice_make(const char *data, size_t len)
{
	return (struct slice){ .data = data, .len = len };
}

/* Without its NUL; NULL is empty. */
static inline struct slice
slice_of(const char *text)
{
	return text != NULL ? slice_make(text, strlen(text)) : slice_make("", 0);
}

static inline bool
slice_equals(struct slice a, const char *text)
{
	size_t n = strlen(text);

	return a.len == n && (n == 0 || memcmp(a.data, text, n) == 0);
}

static inline bool
slice_has_prefix(struct slice a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.len >= n && memcmp(a.data, prefix, n) == 0;
}

/* Without regard to case: ASCII only, whatever the locale. */
bool slice_matches_nocase(const char *a, const char *b, size_t n);

static inline bool
slice_equals_nocase(struct slice a, const char *text)
{
	return a.len == strlen(text) && slice_matches_nocase(a.data, text, a.len);
}

static inline bool
slice_has_prefix_nocase(struct slice a, const char *prefix)
{
	return a.len >= strlen(prefix) && slice_matches_nocase(a.data, prefix, strlen(prefix));
}

/* What is behind the first bytes. */
static inline struct slice
slice_from(struct slice s, size_t offset)
{
	if (offset > s.len)
		offset = s.len;
	return offset > 0 ? slice_make(s.data + offset, s.len - offset) : s;
}

struct slice slice_trim(struct slice s);			/* less SP, HT, CR, LF at both ends */

/* Takes what is before the separator (or all) off the front of *rest, and the separator. */
struct slice slice_take(struct slice *rest, char separator);

/* Takes the next word up to a blank off the front of *rest; an empty slice at the end. */
struct slice slice_word(struct slice *rest);

/* Decimal digits and nothing else, no larger than `max`; false otherwise. */
bool slice_to_number(struct slice s, uint64_t max, uint64_t *number);

/*
 * The bytes of the printable character at the front of what is not empty, 0 where there is none: a control
 * character (C0, DEL, C1) or bytes that are not UTF-8 (RFC 3629).
 */
size_t slice_printable(struct slice s);
bool slice_is_printable(struct slice s);			/* all of it is such characters */

#endif
