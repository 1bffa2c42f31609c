/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tape.h: a stream whose events are counted and whose bytes are recorded, and
 * waiting until an event has come, so that no test sleeps.
 */
#ifndef UNIT_NET_TAPE_H
#define UNIT_NET_TAPE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/loop.h"
#include "net/stream.h"

enum { TAPE_PATIENCE_MS = 10000 };

struct tape {
	struct stream stream;
	int counts[STREAM_FAILED + 1];
	struct buf data;
	size_t moved;
	char reason[STREAM_REASON_MAX];
	size_t leaves;			/* of all data, so much is not consumed, nor recorded */
	size_t told;			/* bytes, at the last STREAM_DATA */
	enum stream_event close_on;	/* closes itself on this event; 0 (CONNECTED) is off */
};

static inline void
on_impatience(struct loop_timer *timer)
{
	(void)timer;
	fputs("# no event in time\n", stderr);
	abort();
}

/* Runs the loop until *count is at least `wanted`; whoever counts stops the loop. */
static inline void
await(struct loop *loop, const int *count, int wanted)
{
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(loop, &watchdog, loop_now(loop) + TAPE_PATIENCE_MS);
	while (*count < wanted)
		loop_run(loop);
	loop_timer_stop(loop, &watchdog);
}

struct wait {
	struct loop_timer timer;
	struct loop *loop;
};

static inline void
on_waited(struct loop_timer *timer)
{
	loop_stop(loop_owner(timer, struct wait, timer)->loop);
}

/* Lets the loop run for a time: for what only time brings. */
static inline void
wait_ms(struct loop *loop, int ms)
{
	struct wait wait = { .loop = loop };
	int64_t until = loop_now(loop) + ms;

	loop_timer_init(&wait.timer, on_waited);
	loop_timer_set(loop, &wait.timer, until);
	while (loop_now(loop) < until)
		loop_run(loop);
	loop_timer_stop(loop, &wait.timer);
}

static inline size_t
tape_record(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct tape *tape = owner;
	size_t used = tape->leaves < data.len ? data.len - tape->leaves : 0;

	tape->counts[event]++;
	if (event == STREAM_DATA) {
		buf_append_slice(&tape->data, slice_make(data.data, used));
		tape->told = data.len;
	}
	if (event == STREAM_MOVED)
		tape->moved += data.len;
	if (event == STREAM_FAILED)
		stream_reason(stream, tape->reason);
	if (event == tape->close_on && event != STREAM_CONNECTED)
		stream_close(stream);
	loop_stop(stream->loop);
	return used;
}

static inline void
tape_await(struct tape *tape, enum stream_event event, int wanted)
{
	await(tape->stream.loop, &tape->counts[event], wanted);
}

static inline void
tape_close(struct tape *tape)
{
	stream_close(&tape->stream);
	buf_clear(&tape->data);
}

/* Closes it, and the other side sees a reset. */
static inline void
stream_reset(struct stream *stream)
{
	const struct linger at_once = { .l_onoff = 1 };

	assert_int_equal(setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	stream_close(stream);
}

static inline void
count_turn(struct loop *loop, void *arg)
{
	int *turns = arg;

	(*turns)++;
	loop_stop(loop);
}

/* Lets the loop turn a few times: for what must not come. */
static inline void
turn_a_little(struct loop *loop)
{
	int turns = 0;

	for (int i = 1; i <= 3; i++) {
		loop_post(loop, count_turn, &turns);
		await(loop, &turns, i);
	}
}

/* Two connected sockets, non-blocking. */
static inline void
make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* The same over TCP: for what only that has, urgent data and resets, and for more bytes on their way. */
static inline void
make_tcp_pair(int fds[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listening, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&in, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&in, len), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	fds[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	close(listening);
}

#endif
