/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c: a libev loop that turns one step at a time, so that what was
 * deferred is freed between the steps.  Messages wait in a list behind a
 * mutex and wake the loop once, however many they are.
 */
#include "net/loop.h"

#include <errno.h>
#include <ev.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pages.h"
#include "base/tally.h"
#include "base/xalloc.h"

_Static_assert(sizeof(ev_io) <= sizeof(((struct loop_io *)0)->watcher), "room for ev_io");
_Static_assert(sizeof(ev_timer) <= sizeof(((struct loop_timer *)0)->watcher), "room for ev_timer");
_Static_assert(LOOP_READ == (int)EV_READ && LOOP_WRITE == (int)EV_WRITE, "libev's own bits");

enum { ENTRIES_FIRST = 16 };

/* A call that is due: a message or a deferred release. */
struct entry {
	union {
		void (*handle)(struct loop *loop, void *arg);
		void (*release)(void *object);
	};
	void *arg;
};

struct entries {
	struct entry *all;
	size_t count, size;
};

struct loop {
	struct ev_loop *ev;
	ev_async posted;
	ev_check turned;
	int index;
	bool is_stopped;
	int64_t now;
	uint64_t turn;
	int64_t began_us, turn_us;	/* this turn's work, 0: not yet; and how long the last one's took */
	_Atomic uint64_t lag_sum;
	int64_t stamped_us, cpu_us;	/* when the thread's processor time was looked at, and what it was */
	_Atomic uint64_t pause_us;
	char *scratch;
	struct entries deferred;
	struct list again;		/* of struct loop_io */
	struct loop_slot slots[LOOP_SLOT_COUNT];
	pthread_mutex_t lock;		/* of messages */
	struct entries messages;
};

static void
entries_add(struct entries *entries, struct entry entry)
{
	if (entries->count == entries->size) {
		entries->size = entries->size > 0 ? entries->size * 2 : ENTRIES_FIRST;
		entries->all = xrealloc(entries->all, entries->size * sizeof(entry));
	}
	entries->all[entries->count++] = entry;
}

static void
on_posted(struct ev_loop *ev, ev_async *posted, int events)
{
	struct loop *loop = ev_userdata(ev);
	struct entries messages;

	(void)posted;
	(void)events;
	pthread_mutex_lock(&loop->lock);
	messages = loop->messages;
	loop->messages = (struct entries){ 0 };
	pthread_mutex_unlock(&loop->lock);

	for (size_t i = 0; i < messages.count; i++)
		messages.all[i].handle(loop, messages.all[i].arg);
	xfree(messages.all);
}

/* The kernel has to be asked, which costs more than a short turn: once in a while is enough. */
static void
begin_turn(struct loop *loop, int64_t now_us)
{
	loop->began_us = now_us;
	if (loop->stamped_us != 0 && now_us - loop->stamped_us < LOOP_STAMP_US)
		return;
	loop->stamped_us = now_us;
	loop->cpu_us = clock_thread_us();
}

/* Runs first in every turn: its priority is the highest. */
static void
on_turned(struct ev_loop *ev, ev_check *turned, int events)
{
	struct loop *loop = ev_userdata(ev);

	int64_t now_us = clock_us();

	(void)turned;
	(void)events;
	loop->now = now_us / 1000;
	if (loop->began_us == 0)
		begin_turn(loop, now_us);
}

/* libev's memory is ours: it would abort where a client is to be turned away. */
static void *
allocate(void *p, long size)
{
	if (size > 0)
		return xrealloc(p, (size_t)size);
	xfree(p);
	return NULL;
}

struct loop *
loop_new(int index)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	ev_set_allocator(allocate);
	loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (loop->ev == NULL) {
		log_write(LOG_CRIT, "cannot make an event loop: %s", strerror(errno));
		abort();
	}
	ev_set_userdata(loop->ev, loop);
	loop->index = index;
	loop->now = clock_ms();
	loop->scratch = pages_new(LOOP_SCRATCH_SIZE);
	list_init(&loop->again);
	pthread_mutex_init(&loop->lock, NULL);
	ev_async_init(&loop->posted, on_posted);
	ev_async_start(loop->ev, &loop->posted);
	ev_check_init(&loop->turned, on_turned);
	ev_set_priority(&loop->turned, EV_MAXPRI);
	ev_check_start(loop->ev, &loop->turned);
	return loop;
}

static void
run_deferred(struct loop *loop)
{
	/* a release may defer another one */
	for (size_t i = 0; i < loop->deferred.count; i++) {
		struct entry entry = loop->deferred.all[i];

		entry.release(entry.arg);
	}
	loop->deferred.count = 0;
}

void
loop_free(struct loop **loop)
{
	struct loop *l = *loop;

	if (l == NULL)
		return;
	run_deferred(l);
	for (int i = 0; i < LOOP_SLOT_COUNT; i++)
		if (l->slots[i].data != NULL)
			l->slots[i].release(l->slots[i].data);
	ev_loop_destroy(l->ev);
	pthread_mutex_destroy(&l->lock);
	xfree(l->messages.all);
	xfree(l->deferred.all);
	pages_free(l->scratch, LOOP_SCRATCH_SIZE);
	xfree(l);
	*loop = NULL;
}

static void
run_again(struct loop *loop)
{
	struct list due = { 0 };

	/* what is asked for meanwhile is for the next turn */
	list_init(&due);
	list_each(node, &loop->again) {
		list_remove(node);
		list_append(&due, node);
	}
	while (!list_is_empty(&due)) {
		struct loop_io *io = list_entry(due.next, struct loop_io, again);
		int events = io->again_events;

		list_remove(&io->again);
		io->again_events = 0;
		io->on_ready(io, events);
	}
}

/* No turn takes more of the processor than of time: the others need no look. */
static void
note_pause(struct loop *loop)
{
	int64_t pause_us = loop->turn_us, cpu_us;

	if ((uint64_t)pause_us <= tally_read(&loop->pause_us))
		return;
	cpu_us = clock_thread_us() - loop->cpu_us;
	tally_raise(&loop->pause_us, (uint64_t)(cpu_us < pause_us ? cpu_us : pause_us));
}

static void
end_turn(struct loop *loop)
{
	if (loop->began_us == 0)
		return;
	loop->turn_us = clock_us() - loop->began_us;
	loop->began_us = 0;
	tally_add(&loop->lag_sum, (uint64_t)(loop->turn_us * loop->turn_us));
	note_pause(loop);
}

void
loop_run(struct loop *loop)
{
	loop->is_stopped = false;
	run_deferred(loop);
	while (!loop->is_stopped) {
		bool has_work = !list_is_empty(&loop->again);

		loop->turn++;
		if (has_work) {
			begin_turn(loop, clock_us());
			run_again(loop);
		}
		ev_run(loop->ev, has_work ? EVRUN_NOWAIT : EVRUN_ONCE);
		run_deferred(loop);
		end_turn(loop);
	}
}

void
loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

int
loop_index(const struct loop *loop)
{
	return loop->index;
}

int64_t
loop_now(const struct loop *loop)
{
	return loop->now;
}

uint64_t
loop_turn(const struct loop *loop)
{
	return loop->turn;
}

int64_t
loop_turn_us(const struct loop *loop)
{
	return loop->turn_us;
}

uint64_t
loop_lag_sum(const struct loop *loop)
{
	return tally_read(&loop->lag_sum);
}

uint64_t
loop_pause_us(const struct loop *loop)
{
	return tally_read(&loop->pause_us);
}

void
loop_forget_pause(struct loop *loop)
{
	tally_reset(&loop->pause_us);
}

void
loop_post(struct loop *loop, void (*handle)(struct loop *loop, void *arg), void *arg)
{
	pthread_mutex_lock(&loop->lock);
	entries_add(&loop->messages, (struct entry){ .handle = handle, .arg = arg });
	pthread_mutex_unlock(&loop->lock);
	ev_async_send(loop->ev, &loop->posted);
}

void
loop_defer(struct loop *loop, void (*release)(void *object), void *object)
{
	entries_add(&loop->deferred, (struct entry){ .release = release, .arg = object });
}

char *
loop_scratch(struct loop *loop)
{
	return loop->scratch;
}

static ev_io *
io_watcher(struct loop_io *io)
{
	return (ev_io *)(void *)io->watcher;
}

static void
on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct loop_io *io = loop_owner(watcher, struct loop_io, watcher);

	(void)ev;
	io->on_ready(io, events & (EV_READ | EV_WRITE));
}

void
loop_io_init(struct loop_io *io, int fd, void (*on_ready)(struct loop_io *io, int events))
{
	*io = (struct loop_io){ .on_ready = on_ready };
	ev_io_init(io_watcher(io), on_io, fd, 0);
}

void
loop_io_watch(struct loop *loop, struct loop_io *io, int events)
{
	ev_io *watcher = io_watcher(io);

	if (ev_is_active(watcher)) {
		if ((watcher->events & (EV_READ | EV_WRITE)) == events)
			return;
		ev_io_stop(loop->ev, watcher);
	}
	if (events == 0)
		return;
	/* unlike ev_io_set: where a turn ends with what it began with, the kernel is not asked */
	ev_io_modify(watcher, events);
	ev_io_start(loop->ev, watcher);
}

void
loop_io_again(struct loop *loop, struct loop_io *io, int events)
{
	if (io->again_events == 0)
		list_append(&loop->again, &io->again);
	io->again_events |= events;
}

void
loop_io_stop(struct loop *loop, struct loop_io *io)
{
	if (io->on_ready == NULL)
		return;
	ev_io_stop(loop->ev, io_watcher(io));
	list_remove(&io->again);
	io->again_events = 0;
}

static ev_timer *
timer_watcher(struct loop_timer *timer)
{
	return (ev_timer *)(void *)timer->watcher;
}

static void
on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct loop_timer *timer = loop_owner(watcher, struct loop_timer, watcher);

	(void)ev;
	(void)events;
	timer->on_time(timer);
}

void
loop_timer_init(struct loop_timer *timer, void (*on_time)(struct loop_timer *timer))
{
	*timer = (struct loop_timer){ .on_time = on_time };
	ev_timer_init(timer_watcher(timer), on_timer, 0., 0.);
}

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ms)
{
	ev_timer *watcher = timer_watcher(timer);
	int64_t delay_ms = at_ms - loop->now;

	/* one more: `now` was cut to whole ms, and a timer must not be early by loop_now's measure */
	delay_ms = delay_ms > 0 ? delay_ms + 1 : 0;
	ev_timer_stop(loop->ev, watcher);
	ev_timer_set(watcher, (double)delay_ms / 1000., 0.);
	ev_timer_start(loop->ev, watcher);
}

void
loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	if (timer->on_time != NULL)
		ev_timer_stop(loop->ev, timer_watcher(timer));
}

bool
loop_timer_is_set(const struct loop_timer *timer)
{
	return ev_is_active((const ev_timer *)(const void *)timer->watcher);
}

struct loop_slot *
loop_slot(struct loop *loop, enum loop_slots which)
{
	return &loop->slots[which];
}
