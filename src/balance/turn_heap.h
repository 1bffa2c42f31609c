/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turn_heap.h: numbers of endpoints by a time, the earliest first and of one
 * time the lowest number.  Times wrap around: those of one heap lie within
 * half of the range.  The room is the caller's.
 */
#ifndef BALANCE_TURN_HEAP_H
#define BALANCE_TURN_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct turn_heap_entry {
	uint64_t time;
	size_t i;
};

struct turn_heap {
	size_t count;
	struct turn_heap_entry *entries;	/* [0] is the first */
};

static inline bool
time_is_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

void turn_heap_push(struct turn_heap *heap, uint64_t time, size_t i);
size_t turn_heap_pop(struct turn_heap *heap);		/* the first; there must be one */

#endif
