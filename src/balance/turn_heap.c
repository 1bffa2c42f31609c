/* SPDX-License-Identifier: BSD-2-Clause */
/* turn_heap.c: a binary heap. */
#include "balance/turn_heap.h"

static bool
is_earlier(const struct turn_heap_entry *a, const struct turn_heap_entry *b)
{
	return a->time != b->time ? time_is_before(a->time, b->time) : a->i < b->i;
}

void
turn_heap_push(struct turn_heap *heap, uint64_t time, size_t i)
{
	struct turn_heap_entry entry = { time, i };
	size_t at = heap->count++;

	while (at > 0 && is_earlier(&entry, &heap->entries[(at - 1) / 2])) {
		heap->entries[at] = heap->entries[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->entries[at] = entry;
}

size_t
turn_heap_pop(struct turn_heap *heap)
{
	size_t first = heap->entries[0].i, at = 0, child;
	struct turn_heap_entry last = heap->entries[--heap->count];

	while ((child = 2 * at + 1) < heap->count) {
		if (child + 1 < heap->count && is_earlier(&heap->entries[child + 1], &heap->entries[child]))
			child++;
		if (!is_earlier(&heap->entries[child], &last))
			break;
		heap->entries[at] = heap->entries[child];
		at = child;
	}
	heap->entries[at] = last;
	return first;
}
