/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_test.c: what a stream without TLS tells its owner, and when. */
#include "tape.h"

#include <netinet/in.h>
#include <signal.h>

#include "net/connect.h"
#include "net/store.h"
#include "net/stream_memory.h"

enum { BLOCK = 200 * 1024 };		/* more than a unix socket holds */

static char block[BLOCK];

static void
open_tape(struct tape *tape, struct loop *loop, int fd)
{
	stream_open(&tape->stream, loop, fd, tape_record, tape);
}

static size_t
drain(int fd)
{
	char data[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	return all;
}

static void
data_then_the_end_are_told_and_writing_goes_on(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	char answer[8];
	int fds[2];

	(void)state;
	make_pair(fds);
	open_tape(&tape, loop, fds[0]);
	assert_int_equal(write(fds[1], "hello", 5), 5);
	shutdown(fds[1], SHUT_WR);
	tape_await(&tape, STREAM_CLOSED, 1);
	assert_true(slice_equals(buf_slice(&tape.data), "hello"));
	assert_int_equal(stream_write(&tape.stream, slice_of("bye")), 0);
	assert_int_equal(read(fds[1], answer, sizeof(answer)), 3);
	turn_a_little(loop);
	assert_int_equal(tape.counts[STREAM_CLOSED], 1);
	tape_close(&tape);
	tape_close(&tape);
	close(fds[1]);
	loop_free(&loop);
}

static void
what_is_not_taken_is_kept_counted_and_drained_before_the_fin(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	size_t kept, got, written = 0;
	int fds[2];
	char end;

	(void)state;
	make_pair(fds);
	open_tape(&tape, loop, fds[0]);
	do {
		kept = stream_write(&tape.stream, slice_make(block, BLOCK));
		written += BLOCK;
	} while (kept == 0);
	assert_int_equal(stream_kept(&tape.stream), kept);
	assert_int_equal(stream_memory_used(), kept);	/* just what it needs */
	stream_shut(&tape.stream);
	got = drain(fds[1]);
	while (tape.counts[STREAM_DRAINED] == 0) {
		turn_a_little(loop);
		got += drain(fds[1]);
	}
	assert_int_equal(stream_memory_used(), 0);
	assert_int_equal(got, written);
	assert_int_equal(read(fds[1], &end, 1), 0);
	tape_close(&tape);
	close(fds[1]);
	loop_free(&loop);
}

static void
a_half_closed_stream_lets_the_loop_sleep(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	uint64_t turn;
	int fds[2];

	(void)state;
	make_pair(fds);
	open_tape(&tape, loop, fds[0]);
	shutdown(fds[1], SHUT_WR);
	tape_await(&tape, STREAM_CLOSED, 1);
	turn = loop_turn(loop);
	wait_ms(loop, 20);
	assert_true(loop_turn(loop) - turn < 10);
	tape_close(&tape);
	close(fds[1]);
	loop_free(&loop);
}

static void
a_paused_stream_says_nothing_until_resumed(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	int fds[2];

	(void)state;
	make_pair(fds);
	open_tape(&tape, loop, fds[0]);
	stream_pause(&tape.stream);
	assert_int_equal(write(fds[1], "x", 1), 1);
	close(fds[1]);
	turn_a_little(loop);
	assert_int_equal(tape.counts[STREAM_DATA] + tape.counts[STREAM_CLOSED], 0);
	assert_int_equal(tape.counts[STREAM_FAILED], 0);
	stream_resume(&tape.stream);
	tape_await(&tape, STREAM_CLOSED, 1);
	assert_int_equal(tape.counts[STREAM_DATA], 1);
	tape_close(&tape);
	loop_free(&loop);
}

static void
a_failed_write_is_told_later_and_behind_what_the_peer_said(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	int fds[2];

	(void)state;
	make_pair(fds);
	open_tape(&tape, loop, fds[0]);
	assert_int_equal(write(fds[1], "421 bye", 7), 7);
	close(fds[1]);
	assert_int_equal(stream_write(&tape.stream, slice_of("MAIL")), 0);
	assert_int_equal(tape.counts[STREAM_FAILED], 0);
	tape_await(&tape, STREAM_FAILED, 1);
	assert_true(slice_equals(buf_slice(&tape.data), "421 bye"));
	assert_string_equal(tape.reason, "broken pipe");
	assert_int_equal(tape.counts[STREAM_CLOSED], 0);
	turn_a_little(loop);
	assert_int_equal(tape.counts[STREAM_FAILED], 1);
	tape_close(&tape);
	loop_free(&loop);
}

static void
a_stream_may_close_itself_in_any_event(void **state)
{
	static const enum stream_event events[] = {
		STREAM_DATA, STREAM_DRAINED, STREAM_CLOSED, STREAM_FAILED
	};

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct loop *loop = loop_new(0);
		struct tape tape = { .close_on = events[i] };
		int fds[2];

		make_pair(fds);
		open_tape(&tape, loop, fds[0]);
		if (events[i] == STREAM_DRAINED) {
			while (stream_write(&tape.stream, slice_make(block, BLOCK)) == 0)
				;
			while (tape.counts[STREAM_DRAINED] == 0) {
				drain(fds[1]);
				turn_a_little(loop);
			}
		}
		assert_int_equal(write(fds[1], "x", 1), events[i] == STREAM_DRAINED ? -1 : 1);
		close(fds[1]);
		if (events[i] == STREAM_FAILED)
			stream_write(&tape.stream, slice_of("x"));
		tape_await(&tape, events[i], 1);
		turn_a_little(loop);
		assert_int_equal(tape.counts[events[i]], 1);
		assert_int_equal(tape.stream.fd, -1);
		tape_close(&tape);
		loop_free(&loop);
	}
}

/* A listening socket at 127.0.0.1. */
static int
listen_local(struct addr *addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*addr = addr_from_sockaddr((struct sockaddr *)&in, len);
	return fd;
}

static void
a_connection_is_told_and_what_was_written_before_goes_first(void **state)
{
	struct tcp_settings tcp = { .keepalive_idle_s = 30, .user_timeout_ms = 5000 };
	struct loop *loop = loop_new(0);
	struct tape tape = { 0 };
	struct addr to, source;
	char got[8];
	int fd, listening = listen_local(&to);

	(void)state;
	assert_true(addr_parse(slice_of("127.0.0.2"), 0, &source));
	stream_connect(&tape.stream, loop,
	    &(struct stream_target){ .to = &to, .source = &source, .tcp = &tcp }, tape_record, &tape);
	assert_int_equal(tape.counts[STREAM_CONNECTED], 0);
	stream_write(&tape.stream, slice_of("PROXY"));
	fd = accept(listening, NULL, NULL);
	tape_await(&tape, STREAM_CONNECTED, 1);
	tape_await(&tape, STREAM_DRAINED, 1);
	assert_int_equal(read(fd, got, sizeof(got)), 5);
	tape_close(&tape);
	close(fd);
	close(listening);
	loop_free(&loop);
}

static void
a_refused_connection_is_told_as_an_event(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape refused = { 0 }, impossible = { 0 };
	struct addr to, nowhere = { .sa.sa_family = AF_UNIX, .path = "/nonexistent/socket" };

	(void)state;
	close(listen_local(&to));
	stream_connect(&refused.stream, loop, &(struct stream_target){ .to = &to }, tape_record, &refused);
	tape_await(&refused, STREAM_FAILED, 1);
	assert_string_equal(refused.reason, "connection refused");
	assert_int_equal(refused.counts[STREAM_CONNECTED], 0);

	stream_connect(&impossible.stream, loop, &(struct stream_target){ .to = &nowhere },
	    tape_record, &impossible);
	assert_int_equal(impossible.counts[STREAM_FAILED], 0);
	tape_await(&impossible, STREAM_FAILED, 1);
	assert_string_equal(impossible.reason, "no such file or directory");
	tape_close(&refused);
	tape_close(&impossible);
	loop_free(&loop);
}

static void
a_connection_that_hangs_is_ended_by_the_callers_timer(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape tape[4] = { 0 };
	struct addr to;
	int listening = listen_local(&to);

	(void)state;
	assert_int_equal(listen(listening, 0), 0);	/* one fits in, the others hang */
	for (int i = 0; i < 4; i++)
		stream_connect(&tape[i].stream, loop, &(struct stream_target){ .to = &to },
		    tape_record, &tape[i]);
	wait_ms(loop, 50);
	assert_int_equal(tape[3].counts[STREAM_CONNECTED] + tape[3].counts[STREAM_FAILED], 0);
	for (int i = 0; i < 4; i++)
		tape_close(&tape[i]);
	turn_a_little(loop);
	close(listening);
	loop_free(&loop);
}

static void
a_reset_is_told_as_such(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape near = { 0 }, far = { 0 };
	struct addr to;
	int listening = listen_local(&to);

	(void)state;
	stream_connect(&near.stream, loop, &(struct stream_target){ .to = &to }, tape_record, &near);
	tape_await(&near, STREAM_CONNECTED, 1);
	open_tape(&far, loop, accept4(listening, NULL, NULL, SOCK_NONBLOCK));
	stream_reset(&near.stream);
	tape_await(&far, STREAM_FAILED, 1);
	assert_string_equal(far.reason, "connection reset by peer");
	tape_close(&near);
	tape_close(&far);
	close(listening);
	loop_free(&loop);
}

static void
beyond_the_memory_limit_reads_stop_until_memory_is_given_back(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape full = { 0 }, hungry = { 0 };
	struct stream closed = { 0 };
	int to_full[2], to_hungry[2];

	(void)state;
	make_pair(to_full);
	make_pair(to_hungry);
	stream_set_memory_limit(1000);
	open_tape(&full, loop, to_full[0]);
	open_tape(&hungry, loop, to_hungry[0]);
	while (stream_write(&full.stream, slice_make(block, BLOCK)) == 0)
		;
	assert_true(stream_memory_used() > 1000);
	hungry.stream.sink = &full.stream;
	assert_int_equal(write(to_hungry[1], "x", 1), 1);
	turn_a_little(loop);
	assert_int_equal(hungry.counts[STREAM_DATA], 0);
	assert_true(hungry.stream.stops != 0);

	while (full.counts[STREAM_DRAINED] == 0) {
		drain(to_full[1]);
		turn_a_little(loop);
	}
	assert_int_equal(stream_memory_used(), 0);
	tape_await(&hungry, STREAM_DATA, 1);

	/* the memory of another thread comes back without a word: a timer looks */
	stream_set_memory_limit(-1);
	hungry.stream.sink = &closed;
	assert_int_equal(write(to_hungry[1], "y", 1), 1);
	turn_a_little(loop);
	assert_int_equal(hungry.counts[STREAM_DATA], 1);
	stream_set_memory_limit(INT64_MAX);
	tape_await(&hungry, STREAM_DATA, 2);

	tape_close(&full);
	tape_close(&hungry);
	close(to_full[1]);
	close(to_hungry[1]);
	loop_free(&loop);
}

static void
beyond_the_memory_limit_small_blocks_go_to_who_takes_them(void **state)
{
	struct loop *loop = loop_new(0);
	struct tape from = { 0 }, to = { 0 };
	int to_from[2], to_to[2];

	(void)state;
	make_pair(to_from);
	make_pair(to_to);
	stream_set_memory_limit(-1);
	open_tape(&from, loop, to_from[0]);
	open_tape(&to, loop, to_to[0]);
	from.stream.sink = &to.stream;
	to.stream.sink = &from.stream;
	assert_int_equal(write(to_from[1], block, STREAM_READ_MIN), STREAM_READ_MIN);
	tape_await(&from, STREAM_DATA, 1);
	assert_true(buf_len(&from.data) < STREAM_READ_MIN);

	/* a socket that is full, with nothing kept: reading would fill memory */
	while (write(to_to[0], block, BLOCK) > 0)
		;
	turn_a_little(loop);
	assert_true(from.stream.stops != 0);
	drain(to_to[1]);
	while (buf_len(&from.data) < STREAM_READ_MIN)
		tape_await(&from, STREAM_DATA, from.counts[STREAM_DATA] + 1);
	assert_int_equal(stream_memory_used(), 0);

	/* who is gone is nobody's sink any more */
	tape_close(&to);
	assert_null(from.stream.sink);
	stream_set_memory_limit(INT64_MAX);
	tape_close(&from);
	close(to_from[1]);
	close(to_to[1]);
	loop_free(&loop);
}

/* Two connections of a relay: what is read at `from` is to be moved to `to`. */
struct moving {
	struct loop *loop;
	struct tape from, to;
	int sender, receiver;
};

static void
open_moving(struct moving *m)
{
	int in[2], out[2];

	*m = (struct moving){ .loop = loop_new(0) };
	make_tcp_pair(in);
	make_tcp_pair(out);
	open_tape(&m->from, m->loop, in[0]);
	open_tape(&m->to, m->loop, out[0]);
	m->from.stream.sink = &m->to.stream;
	m->to.stream.sink = &m->from.stream;
	m->from.stream.is_moving = true;
	m->sender = in[1];
	m->receiver = out[1];
}

/* No pipe is left in use, nor counted. */
static void
close_moving(struct moving *m)
{
	const struct kernel_pipes *pipes = store_pipes(m->loop);

	tape_close(&m->from);
	tape_close(&m->to);
	assert_int_equal(pipes->count, pipes->spare_count);
	assert_int_equal(stream_memory_used(), 0);
	close(m->sender);
	close(m->receiver);
	loop_free(&m->loop);
}

/* Sends x until the receiver takes no more. */
static void
fill_pipe(struct moving *m)
{
	memset(block, 'x', sizeof(block));
	while (stream_kept(&m->to.stream) == 0) {
		send(m->sender, block, sizeof(block), 0);
		turn_a_little(m->loop);
	}
	stream_pause(&m->from.stream);
	assert_non_null(m->to.stream.store->moved);
}

static void
bytes_move_and_only_their_number_is_told(void **state)
{
	struct moving m;
	char got[8];

	(void)state;
	open_moving(&m);
	assert_int_equal(write(m.sender, "hello", 5), 5);
	tape_await(&m.from, STREAM_MOVED, 1);
	assert_int_equal(m.from.moved, 5);
	assert_int_equal(m.from.counts[STREAM_DATA], 0);
	assert_int_equal(read(m.receiver, got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);

	/* not to who was told that no more comes */
	stream_shut(&m.to.stream);
	assert_int_equal(write(m.sender, "again", 5), 5);
	tape_await(&m.from, STREAM_DATA, 1);
	close_moving(&m);
}

static void
urgent_data_neither_ends_nor_spins_a_move(void **state)
{
	struct moving m;
	uint64_t turn;
	char got[8];

	(void)state;
	open_moving(&m);
	stream_pause(&m.from.stream);
	assert_int_equal(write(m.sender, "hello", 5), 5);
	assert_int_equal(send(m.sender, "!", 1, MSG_OOB), 1);
	assert_int_equal(write(m.sender, "bye", 3), 3);
	shutdown(m.sender, SHUT_WR);
	stream_resume(&m.from.stream);
	tape_await(&m.from, STREAM_CLOSED, 1);
	turn = loop_turn(m.loop);
	wait_ms(m.loop, 20);
	assert_true(loop_turn(m.loop) - turn < 10);
	assert_int_equal(m.from.moved, 5);
	assert_int_equal(read(m.receiver, got, sizeof(got)), 5);
	assert_true(slice_equals(buf_slice(&m.from.data), "bye"));
	assert_int_equal(m.from.counts[STREAM_CLOSED], 1);
	close_moving(&m);
}

/* Reads x, then the words, then the end. */
static void
expect_words_behind(struct moving *m, size_t got, size_t moved, const char *words)
{
	char data[8192];
	ssize_t n;

	while ((n = recv(m->receiver, data, sizeof(data), MSG_DONTWAIT)) != 0) {
		for (ssize_t i = 0; i < n; i++, got++)
			if (data[i] != (got < moved ? 'x' : words[got - moved]))
				fail_msg("byte %zu of %zu", got, moved);
		turn_a_little(m->loop);
	}
	assert_int_equal(got, moved + strlen(words));
}

static void
what_is_written_behind_a_full_pipe_comes_behind_it_and_the_fin_last(void **state)
{
	static const char *const words[] = { "bye", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct moving m;
		size_t got;

		open_moving(&m);
		fill_pipe(&m);
		assert_true(stream_memory_used() >= KERNEL_PIPE_SIZE);
		got = drain(m.receiver);	/* there is room now, but it is the pipe's */
		assert_true(stream_write(&m.to.stream, slice_of(words[i])) > strlen(words[i]));
		stream_shut(&m.to.stream);
		expect_words_behind(&m, got, m.from.moved, words[i]);
		assert_int_equal(m.to.counts[STREAM_DRAINED], 1);
		close_moving(&m);
	}
}

static void
resets_on_either_side_are_told_and_drop_the_pipe(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct moving m;

	(void)state;
	open_moving(&m);
	fill_pipe(&m);
	assert_int_equal(setsockopt(m.receiver, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(m.receiver);
	m.receiver = -1;
	tape_await(&m.to, STREAM_FAILED, 1);
	assert_string_equal(m.to.reason, "connection reset by peer");
	assert_int_equal(stream_kept(&m.to.stream), 0);
	close_moving(&m);

	open_moving(&m);
	assert_int_equal(setsockopt(m.sender, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(m.sender);
	m.sender = -1;
	tape_await(&m.from, STREAM_FAILED, 1);
	assert_string_equal(m.from.reason, "connection reset by peer");
	close_moving(&m);

	/* a session that ends does not wait for what its pipe holds */
	open_moving(&m);
	fill_pipe(&m);
	close_moving(&m);
}

/* An owner may leave some of the large read that begins a move. */
static void
nothing_moves_past_input_that_is_kept(void **state)
{
	struct moving m;

	(void)state;
	open_moving(&m);
	m.from.stream.is_moving = false;
	m.from.leaves = 3;
	assert_int_equal(write(m.sender, "hello", 5), 5);
	tape_await(&m.from, STREAM_DATA, 1);
	m.from.stream.is_moving = true;
	m.from.leaves = 0;
	assert_int_equal(write(m.sender, "again", 5), 5);
	tape_await(&m.from, STREAM_DATA, 2);
	assert_true(slice_equals(buf_slice(&m.from.data), "helloagain"));
	/* all is told: it goes on */
	assert_int_equal(write(m.sender, "bye", 3), 3);
	tape_await(&m.from, STREAM_MOVED, 1);
	assert_int_equal(m.from.moved, 3);
	close_moving(&m);
}

static void
nothing_moves_while_memory_is_short(void **state)
{
	struct moving m;

	(void)state;
	open_moving(&m);
	stream_set_memory_limit(-1);
	assert_int_equal(write(m.sender, "hello", 5), 5);
	tape_await(&m.from, STREAM_DATA, 1);
	assert_int_equal(m.from.moved, 0);
	stream_set_memory_limit(INT64_MAX);
	close_moving(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_then_the_end_are_told_and_writing_goes_on),
		cmocka_unit_test(what_is_not_taken_is_kept_counted_and_drained_before_the_fin),
		cmocka_unit_test(a_half_closed_stream_lets_the_loop_sleep),
		cmocka_unit_test(a_paused_stream_says_nothing_until_resumed),
		cmocka_unit_test(a_failed_write_is_told_later_and_behind_what_the_peer_said),
		cmocka_unit_test(a_stream_may_close_itself_in_any_event),
		cmocka_unit_test(a_connection_is_told_and_what_was_written_before_goes_first),
		cmocka_unit_test(a_refused_connection_is_told_as_an_event),
		cmocka_unit_test(a_connection_that_hangs_is_ended_by_the_callers_timer),
		cmocka_unit_test(a_reset_is_told_as_such),
		cmocka_unit_test(beyond_the_memory_limit_reads_stop_until_memory_is_given_back),
		cmocka_unit_test(beyond_the_memory_limit_small_blocks_go_to_who_takes_them),
		cmocka_unit_test(bytes_move_and_only_their_number_is_told),
		cmocka_unit_test(urgent_data_neither_ends_nor_spins_a_move),
		cmocka_unit_test(what_is_written_behind_a_full_pipe_comes_behind_it_and_the_fin_last),
		cmocka_unit_test(resets_on_either_side_are_told_and_drop_the_pipe),
		cmocka_unit_test(nothing_moves_past_input_that_is_kept),
		cmocka_unit_test(nothing_moves_while_memory_is_short),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
