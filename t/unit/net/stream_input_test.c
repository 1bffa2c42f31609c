/* SPDX-License-Identifier: BSD-2-Clause */
/* stream_input_test.c: input that its owner does not consume is kept, counted, told again and bounded. */
#include "tape.h"

#include <poll.h>
#include <signal.h>

#include "net/store.h"
#include "net/stream_memory.h"

/* A stream, its other end, and what the owner does at the next data. */
struct scene {
	struct loop *loop;
	struct tape tape;
	int peer;
	void (*act)(struct scene *scene);
	struct tape heir;
};

static size_t
on_scene(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	struct scene *scene = owner;
	size_t used = tape_record(stream, event, data, &scene->tape);
	void (*act)(struct scene *) = scene->act;

	if (event == STREAM_DATA && act != NULL) {
		scene->act = NULL;
		act(scene);
		/* whatever was done, the data is there until we return */
		assert_true(data.data[0] != '\0' && data.data[data.len - 1] != '\0');
	}
	return used;
}

static void
open_scene(struct scene *scene)
{
	int fds[2];

	make_tcp_pair(fds);
	*scene = (struct scene){ .loop = loop_new(0), .peer = fds[1] };
	stream_open(&scene->tape.stream, scene->loop, fds[0], on_scene, scene);
}

static void
close_scene(struct scene *scene)
{
	tape_close(&scene->tape);
	buf_clear(&scene->heir.data);
	close(scene->peer);
	assert_int_equal(stream_memory_used(), 0);
	loop_free(&scene->loop);
}

static void
say(struct scene *scene, const char *text)
{
	assert_int_equal(write(scene->peer, text, strlen(text)), strlen(text));
}

/* Says it, and it is told. */
static void
say_and_wait(struct scene *scene, const char *text)
{
	int before = scene->tape.counts[STREAM_DATA];

	say(scene, text);
	tape_await(&scene->tape, STREAM_DATA, before + 1);
}

/* The peer sends until nothing more is taken, or so much was; how much. */
static size_t
flood(struct scene *scene, size_t max)
{
	static char block[65536];
	size_t sent = 0;
	struct pollfd room = { .fd = scene->peer, .events = POLLOUT };
	int idle = 0;

	memset(block, 'x', sizeof(block));
	while (sent < max && idle < 50) {
		ssize_t n = send(scene->peer, block, sizeof(block), MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		/* a busy kernel passes on later what was read, and room becomes free later */
		idle = n > 0 ? 0 : idle + 1;
		(void)poll(&room, 1, n > 0 ? 0 : 2);
		turn_a_little(scene->loop);
	}
	return sent;
}

static void
what_is_left_is_told_again_with_what_follows(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	s.tape.leaves = 3;
	say_and_wait(&s, "one tw");
	assert_true(slice_equals(buf_slice(&s.tape.data), "one"));
	assert_int_equal(stream_unread(&s.tape.stream), 3);
	assert_int_equal(stream_memory_used(), 3);
	turn_a_little(s.loop);
	assert_int_equal(s.tape.counts[STREAM_DATA], 1);
	s.tape.leaves = 2;
	say_and_wait(&s, "o, thr");
	assert_int_equal(s.tape.told, 9);
	assert_true(slice_equals(buf_slice(&s.tape.data), "one two, t"));
	s.tape.leaves = 0;
	say_and_wait(&s, "ee");
	assert_true(slice_equals(buf_slice(&s.tape.data), "one two, three"));
	assert_null(s.tape.stream.store);
	close_scene(&s);
}

static void
who_is_held_is_told_of_the_end_alone_and_reads_little(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	stream_hold(&s.tape.stream);
	say(&s, "QUIT");
	turn_a_little(s.loop);
	assert_int_equal(stream_unread(&s.tape.stream), 4);
	shutdown(s.peer, SHUT_WR);
	tape_await(&s.tape, STREAM_CLOSED, 1);
	assert_int_equal(s.tape.counts[STREAM_DATA], 0);
	assert_true(stream_has_ended(&s.tape.stream));
	/* input first, and the end behind it, in another turn */
	stream_resume(&s.tape.stream);
	assert_int_equal(s.tape.counts[STREAM_DATA], 0);
	tape_await(&s.tape, STREAM_CLOSED, 2);
	assert_true(slice_equals(buf_slice(&s.tape.data), "QUIT"));
	turn_a_little(s.loop);
	assert_int_equal(s.tape.counts[STREAM_CLOSED], 2);
	close_scene(&s);

	open_scene(&s);
	stream_hold(&s.tape.stream);
	(void)flood(&s, 64 * 1024 * 1024);
	assert_in_range(stream_unread(&s.tape.stream), STREAM_HELD_MAX, STREAM_HELD_MAX + STREAM_READ_MIN);
	stream_resume(&s.tape.stream);
	assert_true(flood(&s, 64 * 1024 * 1024) >= 64 * 1024 * 1024);
	close_scene(&s);
}

static void
pause_and_resume_within(struct scene *scene)
{
	stream_pause(&scene->tape.stream);
	stream_resume(&scene->tape.stream);
	scene->tape.leaves = 0;
}

static void
ask_again_within(struct scene *scene)
{
	stream_tell_again(&scene->tape.stream);
	scene->tape.leaves = 1;
}

static void
who_asks_is_told_again_though_nothing_came(void **state)
{
	static void (*const acts[])(struct scene *) = { pause_and_resume_within, ask_again_within };
	struct scene s;

	(void)state;
	open_scene(&s);
	/* later: in the next turn, and once */
	s.tape.leaves = 2;
	say_and_wait(&s, "abcd");
	stream_pause(&s.tape.stream);
	turn_a_little(s.loop);
	stream_resume(&s.tape.stream);
	assert_int_equal(s.tape.counts[STREAM_DATA], 1);
	turn_a_little(s.loop);
	assert_int_equal(s.tape.counts[STREAM_DATA], 2);
	assert_int_equal(s.tape.told, 2);
	stream_tell_again(&s.tape.stream);
	stream_pause(&s.tape.stream);
	turn_a_little(s.loop);
	assert_int_equal(s.tape.counts[STREAM_DATA], 2);
	s.tape.leaves = 0;
	stream_resume(&s.tape.stream);
	turn_a_little(s.loop);
	assert_int_equal(s.tape.counts[STREAM_DATA], 3);
	assert_true(slice_equals(buf_slice(&s.tape.data), "abcd"));
	/* with nothing left there is nothing to tell */
	stream_tell_again(&s.tape.stream);
	turn_a_little(s.loop);
	assert_int_equal(s.tape.counts[STREAM_DATA], 3);
	say_and_wait(&s, "e");
	close_scene(&s);

	/* within the callback: behind it, in the same turn */
	for (size_t i = 0; i < 2; i++) {
		open_scene(&s);
		s.act = acts[i];
		s.tape.leaves = 2;
		say_and_wait(&s, "abcd");
		assert_int_equal(s.tape.counts[STREAM_DATA], 2);
		assert_int_equal(s.tape.told, 2);
		assert_int_equal(stream_unread(&s.tape.stream), i);
		close_scene(&s);
	}
}

static void
hand_over(struct scene *scene)
{
	stream_set_owner(&scene->tape.stream, tape_record, &scene->heir);
}

static void
a_new_owner_is_told_what_the_old_one_left(void **state)
{
	struct scene s;

	(void)state;
	/* within the callback, at once */
	open_scene(&s);
	s.act = hand_over;
	s.tape.leaves = 2;
	say_and_wait(&s, "abcd");
	assert_int_equal(s.heir.counts[STREAM_DATA], 1);
	assert_true(slice_equals(buf_slice(&s.heir.data), "cd"));
	close_scene(&s);

	/* later; the end, too */
	open_scene(&s);
	s.tape.leaves = 2;
	say_and_wait(&s, "abcd");
	shutdown(s.peer, SHUT_WR);
	tape_await(&s.tape, STREAM_CLOSED, 1);
	hand_over(&s);
	assert_int_equal(s.heir.counts[STREAM_DATA], 0);
	await(s.loop, &s.heir.counts[STREAM_CLOSED], 1);
	assert_true(slice_equals(buf_slice(&s.heir.data), "cd"));
	close_scene(&s);
}

static void
close_within(struct scene *scene)
{
	stream_close(&scene->tape.stream);
}

static void
a_stream_may_be_closed_while_kept_input_is_told(void **state)
{
	struct scene s;

	(void)state;
	for (int left = 0; left < 2; left++) {
		open_scene(&s);
		s.tape.leaves = SIZE_MAX;
		say_and_wait(&s, "abcd");
		s.act = close_within;
		s.tape.leaves = (size_t)left;
		say_and_wait(&s, "efgh");
		assert_int_equal(s.tape.told, 8);
		assert_null(s.tape.stream.store);
		turn_a_little(s.loop);
		assert_int_equal(s.tape.counts[STREAM_DATA], 2);
		close_scene(&s);
	}
}

static void
kept_input_is_told_before_a_failure(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct scene s;

	(void)state;
	open_scene(&s);
	s.tape.leaves = SIZE_MAX;
	say_and_wait(&s, "BYE");
	assert_int_equal(setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(s.peer);
	s.peer = -1;
	stream_write(&s.tape.stream, slice_of("x"));
	s.tape.leaves = 0;
	hand_over(&s);
	await(s.loop, &s.heir.counts[STREAM_FAILED], 1);
	assert_true(slice_equals(buf_slice(&s.heir.data), "BYE"));
	close_scene(&s);
}

static void
who_consumes_nothing_is_not_read_without_end(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	s.tape.leaves = SIZE_MAX;
	(void)flood(&s, 64 * 1024 * 1024);
	assert_in_range(stream_unread(&s.tape.stream), STREAM_INPUT_MAX, STREAM_INPUT_MAX + STREAM_READ_MIN);
	s.tape.leaves = 0;
	stream_tell_again(&s.tape.stream);
	turn_a_little(s.loop);
	assert_true(flood(&s, 64 * 1024 * 1024) >= 64 * 1024 * 1024);
	close_scene(&s);
}

static void
beyond_the_memory_limit_little_input_is_kept(void **state)
{
	struct scene much, little;

	(void)state;
	open_scene(&much);
	open_scene(&little);
	much.tape.leaves = little.tape.leaves = SIZE_MAX;
	stream_set_memory_limit(STREAM_INPUT_MAX / 2);
	(void)flood(&much, 64 * 1024 * 1024);
	assert_in_range(stream_unread(&much.tape.stream), STREAM_INPUT_MAX / 2, STREAM_INPUT_MAX - 1);
	/* a command may come all the same */
	say_and_wait(&little, "a LOGIN bob secret");
	little.tape.leaves = 0;
	say_and_wait(&little, "\r\n");
	/* what is given back lets others read on */
	little.tape.leaves = SIZE_MAX;
	(void)flood(&little, 64 * 1024 * 1024);
	assert_in_range(stream_unread(&little.tape.stream), STREAM_READ_MIN, 2 * STREAM_READ_MIN);
	much.tape.leaves = 0;
	stream_tell_again(&much.tape.stream);
	turn_a_little(much.loop);
	little.tape.leaves = 0;
	stream_set_memory_limit(INT64_MAX);
	tape_close(&much.tape);
	await(little.loop, &little.tape.counts[STREAM_DATA], little.tape.counts[STREAM_DATA] + 1);
	close_scene(&little);
	close_scene(&much);
}

static bool
is_in_scratch(struct scene *scene, const char *text)
{
	return memmem(loop_scratch(scene->loop), LOOP_SCRATCH_SIZE, text, strlen(text)) != NULL;
}

static void
no_secret_stays_where_it_was_read(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	say_and_wait(&s, "PASS public");
	assert_true(is_in_scratch(&s, "public"));	/* the probe itself works */
	stream_set_secret(&s.tape.stream, true);
	say_and_wait(&s, "PASS hunter2");
	assert_false(is_in_scratch(&s, "hunter"));
	stream_hold(&s.tape.stream);
	say(&s, "PASS hunter2");
	turn_a_little(s.loop);
	assert_int_equal(stream_unread(&s.tape.stream), 12);
	assert_false(is_in_scratch(&s, "hunter"));
	/* its owner takes it and goes */
	stream_resume(&s.tape.stream);
	s.act = close_within;
	tape_await(&s.tape, STREAM_DATA, 3);
	assert_false(is_in_scratch(&s, "hunter"));
	close_scene(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_is_told_again_with_what_follows),
		cmocka_unit_test(who_is_held_is_told_of_the_end_alone_and_reads_little),
		cmocka_unit_test(who_asks_is_told_again_though_nothing_came),
		cmocka_unit_test(a_new_owner_is_told_what_the_old_one_left),
		cmocka_unit_test(a_stream_may_be_closed_while_kept_input_is_told),
		cmocka_unit_test(kept_input_is_told_before_a_failure),
		cmocka_unit_test(who_consumes_nothing_is_not_read_without_end),
		cmocka_unit_test(beyond_the_memory_limit_little_input_is_kept),
		cmocka_unit_test(no_secret_stays_where_it_was_read),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
