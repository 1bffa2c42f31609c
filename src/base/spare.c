/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spare.c: a stack of blocks in memory that is the program's own.  It shrinks when its last blocks are given
 * back, which those of work that is undone soon are; what stays longer lies at its bottom.
 */
#include "base/spare.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>

#include "base/xalloc.h"

enum { ROOM_SIZE = 4 << 20, LOW_ROOM = 1 << 20, PROBE_SIZE = 64 << 10 };

struct block {
	alignas(SPARE_ALIGN) size_t size;
	struct block *below;
	bool is_free;
	alignas(SPARE_ALIGN) unsigned char data[];
};

/* The process's: malloc's lack is, too.  Pages that are not touched cost nothing. */
static alignas(SPARE_ALIGN) unsigned char room[ROOM_SIZE];
static struct {
	pthread_mutex_t lock;
	struct block *top;
	size_t used;
} stack = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A thread's own: what one must not survive without memory, another one must. */
static _Thread_local struct {
	bool has_begun, is_used;
} mine;

static bool
is_low(void)
{
	bool is_low;

	pthread_mutex_lock(&stack.lock);
	is_low = ROOM_SIZE - stack.used < LOW_ROOM;
	pthread_mutex_unlock(&stack.lock);
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

void *
spare_take(size_t n)
{
	struct block *block = NULL;
	size_t size;

	if (!mine.has_begun)
		return NULL;
	mine.is_used = true;
	if (n > ROOM_SIZE)
		return NULL;
	size = sizeof(*block) + (n + SPARE_ALIGN - 1) / SPARE_ALIGN * SPARE_ALIGN;
	pthread_mutex_lock(&stack.lock);
	if (size <= ROOM_SIZE - stack.used) {
		block = (struct block *)(void *)(room + stack.used);
		*block = (struct block){ .size = n, .below = stack.top };
		stack.top = block;
		stack.used += size;
	}
	pthread_mutex_unlock(&stack.lock);
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
	pthread_mutex_lock(&stack.lock);
	block_of(p)->is_free = true;
	while (stack.top != NULL && stack.top->is_free) {
		stack.used = (size_t)((unsigned char *)stack.top - room);
		stack.top = stack.top->below;
	}
	pthread_mutex_unlock(&stack.lock);
}
