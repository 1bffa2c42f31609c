/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xalloc.c: malloc and its kin, behind them the spare, and behind that one
 * answer to the lack of memory: a word on standard error and abort().
 */
#include "base/xalloc.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/spare.h"

/* glibc's cache of each thread holds blocks up to this size, and its calloc does not look there. */
enum { CACHED_MAX = 1032 };

static void *
check_memory(void *p)
{
	static const char message[] = "gatepost: out of memory\n";

	if (p == NULL) {
		/* not the log: it would want memory itself */
		ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);

		(void)written;
		abort();
	}
	return p;
}

void *
try_malloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		p = spare_take(n);
	return p;
}

static void
release(void *p)
{
	if (spare_owns(p))
		spare_give_back(p);
	else
		free(p);
}

/* To where there is memory, malloc's or the spare's. */
static void *
move(void *p, size_t before, size_t n)
{
	void *moved = try_malloc(n);

	if (moved == NULL)
		return NULL;
	memcpy(moved, p, before < n ? before : n);
	release(p);
	return moved;
}

void *
try_realloc(void *p, size_t n)
{
	void *grown;

	if (p == NULL)
		return try_malloc(n);
	if (spare_owns(p))
		return move(p, spare_size(p), n);
	grown = realloc(p, n > 0 ? n : 1);
	if (grown == NULL)
		grown = move(p, malloc_usable_size(p), n);
	return grown;
}

void *
xmalloc(size_t n)
{
	return check_memory(try_malloc(n));
}

void *
xcalloc(size_t count, size_t size)
{
	size_t n;
	void *p;

	if (__builtin_mul_overflow(count, size, &n))
		return check_memory(NULL);
	if (n <= CACHED_MAX)
		return memset(xmalloc(n), 0, n);
	p = calloc(1, n);
	if (p == NULL)
		p = memset(check_memory(spare_take(n)), 0, n);
	return p;
}

void *
xcalloc_aligned(size_t size)
{
	enum { CACHE_LINE = SPARE_ALIGN };
	size_t rounded = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	void *p;

	if (rounded < size)
		check_memory(NULL);
	p = aligned_alloc(CACHE_LINE, rounded);
	if (p == NULL)
		p = check_memory(spare_take(rounded));
	return memset(p, 0, rounded);
}

void *
xrealloc(void *p, size_t n)
{
	return check_memory(try_realloc(p, n));
}

char *
xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *
xstrndup(const char *s, size_t n)
{
	char *copy = xmalloc(n + 1);

	if (n > 0)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *
xasprintf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	return text;
}

char *
xvasprintf(const char *format, va_list args)
{
	va_list again;
	char *text;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		abort();
	text = xmalloc((size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, format, args);
	return text;
}

bool
xalloc_has(size_t n)
{
	/* volatile: else a compiler may take malloc and free for nothing at all */
	void *volatile probe = malloc(n > 0 ? n : 1);
	bool has = probe != NULL;

	free(probe);
	return has;
}

void
xfree(void *p)
{
	release(p);
}
