/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spare.h: memory for the two occasions where a lack of it is no reason to abort, accepting a client and
 * loading a configuration.  Between spare_begin and spare_end the calling thread gets from the spare what
 * malloc refuses, so that its work goes the usual way, to an end where it is undone the usual way: who began
 * asks spare_is_used, and turns the client or the configuration away.
 *
 * What does not end by itself must look there, too: the spare is a few MiB.
 */
#ifndef BASE_SPARE_H
#define BASE_SPARE_H

#include <stdbool.h>
#include <stddef.h>

enum { SPARE_ALIGN = 64 };		/* of all that is taken from it */

void spare_begin(void);
void spare_end(void);
/* Was memory short since this thread's spare_begin?  True from the first where little is left of it. */
bool spare_is_used(void);

/* For xalloc.c.  Not zeroed; NULL: too much, or the thread has not begun.  Any thread may give back. */
void *spare_take(size_t n);
bool spare_owns(const void *p);
size_t spare_size(const void *p);
void spare_give_back(void *p);

#endif
