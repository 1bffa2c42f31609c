/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h: what a thread needs to do I/O: one libev loop, its messages from
 * other threads, timers, deferred frees and the scratch buffer that every
 * read of this thread goes through.  Only loop.c includes ev.h.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_SCRATCH_SIZE = 256 * 1024,		/* the largest single read */
	LOOP_STAMP_US = 250,			/* how old a look at the processor time may get */
	LOOP_CONTROL = -1			/* the index of control's loop; workers count from 0 */
};

struct loop;

/* A descriptor that is watched.  Embedded in its owner; zero before loop_io_init. */
struct loop_io {
	_Alignas(void *) unsigned char watcher[48];	/* libev's, checked in loop.c */
	void (*on_ready)(struct loop_io *io, int events);
	struct list again;			/* in the loop's list while loop_io_again is under way */
	int again_events;
};

/* A point of time that is awaited.  Embedded in its owner; zero before loop_timer_init. */
struct loop_timer {
	_Alignas(void *) unsigned char watcher[48];
	void (*on_time)(struct loop_timer *timer);
};

struct loop *loop_new(int index);		/* aborts where the kernel refuses an epoll or an eventfd */
void loop_free(struct loop **loop);		/* runs what was deferred, drops messages not handled */
void loop_run(struct loop *loop);		/* until loop_stop */
void loop_stop(struct loop *loop);		/* from its own thread: loop_run returns after this turn */
int loop_index(const struct loop *loop);
int64_t loop_now(const struct loop *loop);	/* monotonic ms at the start of this turn */
uint64_t loop_turn(const struct loop *loop);	/* counts the turns */
int64_t loop_turn_us(const struct loop *loop);	/* how long the last one was at work, in microseconds */
/*
 * The squares of all those, added up.  What it grows by in a time, divided by that time, is how long the
 * turn was that a moment of it fell into, in the mean: what came then had to wait so long at most.  From any
 * thread.
 */
uint64_t loop_lag_sum(const struct loop *loop);
/*
 * The most processor time that a turn took, in microseconds, or LOOP_STAMP_US more than that: what others do
 * on a busy machine does not count, unlike above.  From any thread, as forgetting it.
 */
uint64_t loop_pause_us(const struct loop *loop);
void loop_forget_pause(struct loop *loop);

/* Has handle(loop, arg) called by the loop's thread, in the order of posting.  From any thread. */
void loop_post(struct loop *loop, void (*handle)(struct loop *loop, void *arg), void *arg);

/* Has release(object) called when this turn is over, so that no callback frees what it runs on. */
void loop_defer(struct loop *loop, void (*release)(void *object), void *object);

/* LOOP_SCRATCH_SIZE bytes that belong to whoever runs, until the next callback. */
char *loop_scratch(struct loop *loop);

void loop_io_init(struct loop_io *io, int fd, void (*on_ready)(struct loop_io *io, int events));
/* LOOP_READ | LOOP_WRITE, or 0 to stop; costs nothing where it is what is watched already. */
void loop_io_watch(struct loop *loop, struct loop_io *io, int events);
/* on_ready(io, events) comes in the next turn, whatever the kernel says: for bytes TLS holds already. */
void loop_io_again(struct loop *loop, struct loop_io *io, int events);
/* Before the descriptor is closed: no on_ready comes any more, not even one that loop_io_again promised. */
void loop_io_stop(struct loop *loop, struct loop_io *io);

void loop_timer_init(struct loop_timer *timer, void (*on_time)(struct loop_timer *timer));
/* at_ms is as loop_now; replaces an earlier time. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ms);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);

/* What the loop's streams have in common, a file's alone each.  Released with the loop. */
struct loop_slot {
	void *data;
	void (*release)(void *data);
};
enum loop_slots { LOOP_SLOT_STORE, LOOP_SLOT_HANDSHAKES, LOOP_SLOT_COUNT };
struct loop_slot *loop_slot(struct loop *loop, enum loop_slots which);

/* The owner of an embedded watcher. */
#define loop_owner(watcher_pointer, type, field) \
	((type *)(void *)((char *)(watcher_pointer) - offsetof(type, field)))

#endif
