/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xalloc.h: memory that is always there.  Where malloc has none the spare is asked (spare.h), which only
 * helps those who accept a client or load a configuration; all others abort, so callers never look at the
 * result.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

void xfree(void *p);				/* NULL is fine */

/* Lets gcc and its analyzer see frees that are doubled, forgotten or of the wrong kind. */
#if defined(__GNUC__) && !defined(__clang__)
#define XALLOC_OWNED __attribute__((malloc, malloc(xfree, 1), returns_nonnull))
#else
#define XALLOC_OWNED
#endif

XALLOC_OWNED void *xmalloc(size_t n);
XALLOC_OWNED void *xcalloc(size_t count, size_t size);	/* zeroed; aborts on overflow of count * size too */
void *xrealloc(void *p, size_t n);
/* Zeroed, on a cache line of its own: for structs with _Alignas(64), which xcalloc would not align. */
XALLOC_OWNED void *xcalloc_aligned(size_t size);
XALLOC_OWNED char *xstrdup(const char *s);
XALLOC_OWNED char *xstrndup(const char *s, size_t n);	/* n bytes of s and a NUL; s need not end with one */
XALLOC_OWNED char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
XALLOC_OWNED char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Like xmalloc and xrealloc, but NULL when there is none: for libraries that can take it. */
void *try_malloc(size_t n);
void *try_realloc(void *p, size_t n);

/*
 * Would malloc have n bytes?  For what is read from files, whose size is not ours: more than the spare has is
 * asked for first.
 */
bool xalloc_has(size_t n);

#endif
