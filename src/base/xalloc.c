/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xalloc.c: malloc and its kin with one answer to the lack of memory: a word
 * on standard error and abort().
 */
#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
xmalloc(size_t n)
{
	return check_memory(malloc(n > 0 ? n : 1));
}

void *
xcalloc(size_t count, size_t size)
{
	return check_memory(try_calloc(count, size));
}

void *
xcalloc_aligned(size_t size)
{
	enum { CACHE_LINE = 64 };
	size_t rounded = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	void *p = check_memory(rounded >= size ? aligned_alloc(CACHE_LINE, rounded) : NULL);

	return memset(p, 0, rounded);
}

void *
xrealloc(void *p, size_t n)
{
	return check_memory(realloc(p, n > 0 ? n : 1));
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
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	return check_memory(text);
}

void *
try_calloc(size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	return calloc(1, n > 0 ? n : 1);
}

void
xfree(void *p)
{
	free(p);
}
