/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spare.c: a small heap in memory that is the program's own: the next free block that is large enough.
 * It is seldom asked, and what it gives may stay long, as a library's cache does.
 */
#include "base/spare.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>

#include "base/xalloc.h"

enum { ROOM_SIZE = 4 << 20, LOW_ROOM = 1 << 20, PROBE_SIZE = 64 << 10 };

struct block {				/* they lie one behind the other */
	alignas(SPARE_ALIGN) size_t room;	/* of data */
	size_t size;			/* of it what was asked for */
	bool is_taken;
	alignas(SPARE_ALIGN) unsigned char data[];
};

/* The process's: malloc's lack is, too.  Pages that are not touched cost nothing. */
static alignas(SPARE_ALIGN) unsigned char room[ROOM_SIZE];
static struct {
	pthread_mutex_t lock;
	size_t taken;			/* with the blocks' heads */
	struct block *next;		/* where the search goes on, or NULL: at the first one */
} heap = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A thread's own: what one must not survive without memory, another one must. */
static _Thread_local struct {
	bool has_begun, is_used;
} mine;

static bool
is_low(void)
{
	bool is_low;

	pthread_mutex_lock(&heap.lock);
	is_low = ROOM_SIZE - heap.taken < LOW_ROOM;
	pthread_mutex_unlock(&heap.lock);
	return is_low;
}

void
spare_begin(void)
{
	mine.has_begun = true;
	mine.is_used = is_low() && !xalloc_has(PROBE_SIZE);
}

void
spare_end(void)
{
	mine.has_begun = mine.is_used = false;
}

bool
spare_is_used(void)
{
	return mine.is_used;
}

static struct block *
block_of(const void *p)
{
	return (struct block *)((uintptr_t)p - offsetof(struct block, data));
}

static struct block *
first_block(void)
{
	struct block *first = (struct block *)(void *)room;

	if (first->room == 0)
		first->room = ROOM_SIZE - sizeof(*first);
	return first;
}

/* NULL: it is the last one. */
static struct block *
next_block(struct block *block)
{
	unsigned char *next = block->data + block->room;

	return next < room + ROOM_SIZE ? (struct block *)(void *)next : NULL;
}

/* Makes one of a free block and those behind it that are free, too. */
static void
join(struct block *block)
{
	struct block *next;

	while ((next = next_block(block)) != NULL && !next->is_taken) {
		block->room += sizeof(*next) + next->room;
		if (heap.next == next)
			heap.next = block;
	}
}

/* Leaves to a block what is wanted; what is behind that is a free block of its own. */
static void
split(struct block *block, size_t wanted)
{
	size_t rest = block->room - wanted;

	if (rest <= sizeof(*block))
		return;
	block->room = wanted;
	*(struct block *)(void *)(block->data + wanted) = (struct block){ .room = rest - sizeof(*block) };
}

/* A free block that has what is wanted, from one on, up to another (NULL: to the end). */
static struct block *
find_block(struct block *from, const struct block *end, size_t wanted)
{
	for (struct block *block = from; block != NULL && block != end; block = next_block(block)) {
		if (block->is_taken)
			continue;
		join(block);
		if (block->room >= wanted)
			return block;
	}
	return NULL;
}

static struct block *
take_block(size_t wanted)
{
	struct block *first = first_block(), *start = heap.next != NULL ? heap.next : first;
	struct block *block = find_block(start, NULL, wanted);

	if (block == NULL)
		block = find_block(first, heap.next, wanted);
	if (block == NULL)
		return NULL;
	split(block, wanted);
	block->is_taken = true;
	heap.taken += sizeof(*block) + block->room;
	heap.next = next_block(block);
	return block;
}

void *
spare_take(size_t n)
{
	struct block *block;

	if (!mine.has_begun)
		return NULL;
	mine.is_used = true;
	if (n > ROOM_SIZE)
		return NULL;
	pthread_mutex_lock(&heap.lock);
	block = take_block((n > 0 ? n + SPARE_ALIGN - 1 : SPARE_ALIGN) / SPARE_ALIGN * SPARE_ALIGN);
	if (block != NULL)
		block->size = n;
	pthread_mutex_unlock(&heap.lock);
	return block != NULL ? block->data : NULL;
}

bool
spare_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)room < ROOM_SIZE;
}

size_t
spare_size(const void *p)
{
	return block_of(p)->size;
}

void
spare_give_back(void *p)
{
	struct block *block = block_of(p);

	pthread_mutex_lock(&heap.lock);
	block->is_taken = false;
	heap.taken -= sizeof(*block) + block->room;
	pthread_mutex_unlock(&heap.lock);
}
