/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c: chunks of a few KiB cut from the front; what is larger gets a
 * chunk of its own, so that it does not waste the rest of the current one.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { CHUNK_SIZE = 8192, LARGE_SIZE = CHUNK_SIZE / 4 };

struct chunk {
	struct chunk *next;
	alignas(max_align_t) char data[];
};

struct arena {
	struct chunk *chunks;
	char *free_data;		/* what is left of the chunk in use */
	size_t free_size;
};

static char *
add_chunk(struct arena *arena, size_t size)
{
	struct chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk))
		abort();
	chunk = xcalloc(1, sizeof(*chunk) + size);
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk->data;
}

struct arena *
arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void
arena_free(struct arena **arena)
{
	struct arena *a = *arena;

	*arena = NULL;
	if (a == NULL)
		return;
	while (a->chunks != NULL) {
		struct chunk *chunk = a->chunks;

		a->chunks = chunk->next;
		xfree(chunk);
	}
	xfree(a);
}

void *
arena_alloc(struct arena *arena, size_t n)
{
	const size_t align = alignof(max_align_t);
	char *p;

	if (n > SIZE_MAX - align)
		abort();
	n = n > 0 ? (n + align - 1) / align * align : align;
	if (n > LARGE_SIZE)
		return add_chunk(arena, n);
	if (n > arena->free_size) {
		arena->free_data = add_chunk(arena, CHUNK_SIZE);
		arena->free_size = CHUNK_SIZE;
	}
	p = arena->free_data;
	arena->free_data += n;
	arena->free_size -= n;
	return p;
}

char *
arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, strlen(s));
}

char *
arena_strndup(struct arena *arena, const char *s, size_t n)
{
	char *copy = arena_alloc(arena, n + 1);

	if (n > 0)
		memcpy(copy, s, n);
	return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *formatted, *text;

	va_start(args, format);
	formatted = xvasprintf(format, args);
	va_end(args);
	text = arena_strdup(arena, formatted);
	xfree(formatted);
	return text;
}
