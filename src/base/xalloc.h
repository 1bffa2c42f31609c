/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xalloc.h: memory that is always there.  Everything but accepting a client
 * and loading a configuration aborts when memory runs out, so callers never
 * look at the result.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);	/* zeroed; aborts on overflow of count * size too */
void *xrealloc(void *p, size_t n);
/* Zeroed, on a cache line of its own: for structs with _Alignas(64), which xcalloc would not align. */
void *xcalloc_aligned(size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);	/* n bytes of s and a NUL; s need not end with one */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Like xcalloc, but NULL when there is none: for accepting clients only. */
void *try_calloc(size_t count, size_t size);

void xfree(void *p);				/* NULL is fine */

#endif
