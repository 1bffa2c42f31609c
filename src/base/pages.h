/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages.h: large memory of its own pages, for what may hold secrets: no core
 * dump has it, and whoever writes beyond its end is stopped.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

void *pages_new(size_t size);			/* zeroed; aborts where there is none */
void pages_free(void *pages, size_t size);	/* the same size; NULL is fine */

#endif
