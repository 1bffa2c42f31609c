/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h: memory that is freed all at once: a configuration snapshot's.
 * Nothing taken from an arena is freed alone; all of it is zeroed when taken.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena **arena);		/* NULL inside is fine */

void *arena_alloc(struct arena *arena, size_t n);	/* zeroed, aligned for any type */
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const char *s, size_t n);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
