/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h: what the fuzz targets share.  An input begins with a byte of
 * options and a byte that says how the rest is cut; what is passed on lies in
 * memory of its very size, so that a look beyond its end is seen.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/slice.h"
#include "base/xalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; what does not is a finding. */
static inline void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static inline void
must_equal(struct slice a, struct slice b, const char *what)
{
	if (a.len == b.len && memcmp(a.data, b.data, a.len) == 0)
		return;
	fprintf(stderr, "one:\n%.*s\nother:\n%.*s\n", SLICE_ARGS(a), SLICE_ARGS(b));
	must(false, what);
}

struct input {
	unsigned options;		/* bits 0 to 5 and 7: bit 6 is free to make a letter of them */
	unsigned cut;
	struct slice body;
};

static inline bool
input_read(const uint8_t *data, size_t size, struct input *input)
{
	if (size < 2)
		return false;
	input->options = data[0] & 0xbf;
	input->cut = data[1];
	input->body = slice_make((const char *)data + 2, size - 2);
	return true;
}

static inline bool
has_option(const struct input *input, int bit)
{
	return (input->options >> bit & 1) != 0;
}

/* The next piece's length, of so many bytes that are left. */
static inline size_t
cut_next(unsigned *cut, size_t left)
{
	size_t len;

	*cut = *cut * 1103515245 + 12345;
	len = 1 + (*cut >> 16 & 7) * (*cut >> 20 & 7);
	return len < left ? len : left;
}

/* A copy to be freed. */
static inline char *
exact(struct slice s)
{
	char *copy = xmalloc(s.len);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return copy;
}

/*
 * The next section of a script: 0xff, a letter that tells what is done, and what it is done with up to the
 * next 0xff.  False at the end.
 */
static inline bool
script_next(struct slice *script, char *letter, struct slice *text)
{
	const char *end;

	while (script->len > 0 && (uint8_t)script->data[0] != 0xff)
		*script = slice_from(*script, 1);
	if (script->len < 2)
		return false;
	*letter = script->data[1];
	*text = slice_from(*script, 2);
	end = text->len > 0 ? memchr(text->data, 0xff, text->len) : NULL;
	if (end != NULL)
		text->len = (size_t)(end - text->data);
	*script = slice_from(*script, 2 + text->len);
	return true;
}

#endif
