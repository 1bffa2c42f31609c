/* SPDX-License-Identifier: BSD-2-Clause */
/* pipe_test.c: a relay of two pipes: nothing is lost, little is kept, half-closes pass. */
#include "tape.h"

#include <signal.h>

#include "net/pipe.h"
#include "net/store.h"
#include "net/stream_memory.h"

enum { TOTAL = 8 * 1024 * 1024, SLOW_READ = 3000, SLOWISH_READ = 20000 };

struct relay {
	struct stream a, b;
	struct pipe up, down;		/* a to b, b to a */
	size_t kept_most, moved;
	uint32_t read_most;
	bool has_kept_pipe;
	int ends;
};

static size_t
on_relay(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct relay *relay = owner;
	struct pipe *in = stream == &relay->a ? &relay->up : &relay->down;
	struct pipe *out = stream == &relay->a ? &relay->down : &relay->up;
	const struct stream *to = stream->sink;

	switch (event) {
	case STREAM_DATA:
		if (stream->read_size > relay->read_most)
			relay->read_most = stream->read_size;
		pipe_data(in, data);
		if (stream_kept(to) > relay->kept_most)
			relay->kept_most = stream_kept(to);
		break;
	case STREAM_MOVED:
		relay->moved += data.len;
		pipe_moved(in, data.len);
		if (to->store != NULL && to->store->moved != NULL)
			relay->has_kept_pipe = true;
		assert_true(stream_memory_used() >= (int64_t)stream_kept(to));
		assert_int_equal(stream->stops == 0, stream_kept(to) == 0);
		break;
	case STREAM_DRAINED:
		if (relay->moved == 0)
			assert_int_equal(out->from->read_size, STREAM_READ_MIN);
		pipe_drained(out);
		break;
	case STREAM_CLOSED:
		pipe_closed(in);
		pipe_shut(in);
		relay->ends++;
		break;
	default:
		fail_msg("unexpected event %d", event);
	}
	loop_stop(stream->loop);
	return data.len;
}

static void
open_relay(struct relay *relay, struct loop *loop, int a, int b)
{
	*relay = (struct relay){ 0 };
	stream_open(&relay->a, loop, a, on_relay, relay);
	stream_open(&relay->b, loop, b, on_relay, relay);
	pipe_open(&relay->up, &relay->a, &relay->b);
	pipe_open(&relay->down, &relay->b, &relay->a);
}

static void
close_relay(struct relay *relay)
{
	stream_close(&relay->a);
	stream_close(&relay->b);
}

static unsigned char
byte_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13);
}

/* Sends what fits of the pattern; its end with a FIN.  False: nothing. */
static bool
send_some(int fd, size_t *sent)
{
	unsigned char data[65536];
	size_t n = TOTAL - *sent < sizeof(data) ? TOTAL - *sent : sizeof(data);
	ssize_t put;

	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(*sent + i);
	put = send(fd, data, n, MSG_DONTWAIT);
	if (put <= 0)
		return false;
	*sent += (size_t)put;
	if (*sent == TOTAL)
		shutdown(fd, SHUT_WR);
	return true;
}

static void
receive_some(int fd, size_t most, size_t *got, bool *ended)
{
	unsigned char data[65536];
	ssize_t n = recv(fd, data, most, MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		if (data[i] != byte_at(*got + (size_t)i))
			fail_msg("byte %zu differs", *got + (size_t)i);
	if (n > 0)
		*got += (size_t)n;
	*ended = n == 0;
}

static void
pass_through(struct loop *loop, size_t most_at_once, struct relay *relay, const int client[2],
    const int server[2])
{
	size_t sent = 0, got = 0;
	bool ended = false;

	while (!ended) {
		while (send_some(client[1], &sent))
			;
		turn_a_little(loop);
		receive_some(server[1], most_at_once, &got, &ended);
	}
	assert_int_equal(got, TOTAL);
	assert_int_equal(relay->up.bytes, TOTAL);
	assert_true(relay->up.is_closed);
	assert_int_equal(stream_memory_used(), 0);
}

static void
pass_all(size_t most_at_once, struct relay *relay)
{
	struct loop *loop = loop_new(0);
	int client[2], server[2];

	make_pair(client);
	make_pair(server);
	open_relay(relay, loop, client[0], server[0]);
	pass_through(loop, most_at_once, relay, client, server);
	assert_int_equal(relay->moved, 0);
	close_relay(relay);
	close(client[1]);
	close(server[1]);
	loop_free(&loop);
}

/* Over TCP and unseen, where so many pipes can be had. */
static void
move_all(size_t most_at_once, int pipes_had, struct relay *relay)
{
	struct loop *loop = loop_new(0);
	struct kernel_pipes *pipes = store_pipes(loop);
	int client[2], server[2];

	make_tcp_pair(client);
	make_tcp_pair(server);
	open_relay(relay, loop, client[0], server[0]);
	stream_let_move(&relay->a, true);
	pipes->count = KERNEL_PIPES_MAX - pipes_had;
	pass_through(loop, most_at_once, relay, client, server);
	assert_int_equal(pipes->count - pipes->spare_count, KERNEL_PIPES_MAX - pipes_had);
	close_relay(relay);
	close(client[1]);
	close(server[1]);
	loop_free(&loop);
}

static void
bulk_that_nobody_looks_at_is_moved_unread(void **state)
{
	struct relay relay;

	(void)state;
	move_all(65536, KERNEL_PIPES_MAX, &relay);
	assert_true(relay.moved > 0);
}

static void
what_a_slow_receiver_does_not_take_stays_in_a_pipe(void **state)
{
	struct relay relay;

	(void)state;
	move_all(SLOWISH_READ, KERNEL_PIPES_MAX, &relay);
	assert_true(relay.has_kept_pipe);
}

static void
the_last_pipe_is_not_kept_and_without_any_all_is_read(void **state)
{
	struct relay relay;

	(void)state;
	move_all(SLOWISH_READ, 1, &relay);
	assert_true(relay.moved > 0);
	assert_false(relay.has_kept_pipe);
	move_all(SLOWISH_READ, 0, &relay);
	assert_int_equal(relay.moved, 0);
}

static void
a_slow_receiver_gets_all_and_little_is_kept(void **state)
{
	struct relay relay;

	(void)state;
	pass_all(SLOW_READ, &relay);
	assert_true(relay.kept_most > 0);
	assert_true(relay.kept_most <= relay.read_most);
}

static void
reads_grow_while_the_receiver_takes_everything(void **state)
{
	struct relay relay;

	(void)state;
	pass_all(65536, &relay);
	assert_true(relay.read_most > STREAM_READ_MIN);
	assert_true(relay.read_most <= LOOP_SCRATCH_SIZE);
}

static void
half_closes_pass_both_ways(void **state)
{
	struct loop *loop = loop_new(0);
	struct relay relay;
	int client[2], server[2];
	char data[16];

	(void)state;
	make_pair(client);
	make_pair(server);
	open_relay(&relay, loop, client[0], server[0]);
	assert_int_equal(write(client[1], "QUIT", 4), 4);
	shutdown(client[1], SHUT_WR);
	await(loop, &relay.ends, 1);
	assert_int_equal(read(server[1], data, sizeof(data)), 4);
	assert_int_equal(read(server[1], data, sizeof(data)), 0);
	assert_int_equal(write(server[1], "BYE", 3), 3);
	turn_a_little(loop);
	assert_int_equal(read(client[1], data, sizeof(data)), 3);
	assert_int_equal(recv(client[1], data, sizeof(data), MSG_DONTWAIT), -1);
	close(server[1]);
	await(loop, &relay.ends, 2);
	assert_int_equal(read(client[1], data, sizeof(data)), 0);
	close_relay(&relay);
	close(client[1]);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_receiver_gets_all_and_little_is_kept),
		cmocka_unit_test(reads_grow_while_the_receiver_takes_everything),
		cmocka_unit_test(half_closes_pass_both_ways),
		cmocka_unit_test(bulk_that_nobody_looks_at_is_moved_unread),
		cmocka_unit_test(what_a_slow_receiver_does_not_take_stays_in_a_pipe),
		cmocka_unit_test(the_last_pipe_is_not_kept_and_without_any_all_is_read),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
