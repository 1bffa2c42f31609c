/* SPDX-License-Identifier: BSD-2-Clause */
/* loop_test.c: messages, timers, deferred frees and readiness that is repeated. */
#include "tape.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"

enum { THREADS = 4, POSTS = 2000 };

struct counter {
	int count;
	int last[THREADS];		/* the last number of each thread */
	bool is_disordered;
};

struct message {
	struct counter *counter;
	int thread, number;
};

struct poster {
	struct loop *loop;
	struct message messages[POSTS];
};

static void
on_message(struct loop *loop, void *arg)
{
	struct message *message = arg;
	struct counter *counter = message->counter;

	counter->is_disordered |= message->number != counter->last[message->thread] + 1;
	counter->last[message->thread] = message->number;
	counter->count++;
	loop_stop(loop);
}

static void *
post_all(void *arg)
{
	struct poster *poster = arg;

	for (int i = 0; i < POSTS; i++)
		loop_post(poster->loop, on_message, &poster->messages[i]);
	return NULL;
}

static void
posts_of_many_threads_arrive_once_and_in_order(void **state)
{
	static struct poster posters[THREADS];
	struct loop *loop = loop_new(3);
	struct counter counter = { 0 };
	pthread_t threads[THREADS];

	(void)state;
	for (int t = 0; t < THREADS; t++) {
		posters[t].loop = loop;
		for (int i = 0; i < POSTS; i++)
			posters[t].messages[i] = (struct message){ &counter, t, i + 1 };
		assert_int_equal(pthread_create(&threads[t], NULL, post_all, &posters[t]), 0);
	}
	await(loop, &counter.count, THREADS * POSTS);
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	assert_int_equal(counter.count, THREADS * POSTS);
	assert_false(counter.is_disordered);
	assert_int_equal(loop_index(loop), 3);
	loop_free(&loop);
}

struct alarm {
	struct loop_timer timer;
	struct loop *loop;
	int count;
	int64_t due;
	bool was_early;
};

static void
on_alarm(struct loop_timer *timer)
{
	struct alarm *alarm = loop_owner(timer, struct alarm, timer);

	alarm->count++;
	alarm->was_early |= loop_now(alarm->loop) < alarm->due;
	loop_stop(alarm->loop);
}

static void
timers_fire_once_and_never_early(void **state)
{
	struct alarm alarm = { .loop = loop_new(0) };

	(void)state;
	loop_timer_init(&alarm.timer, on_alarm);
	assert_false(loop_timer_is_set(&alarm.timer));
	for (int i = 0; i < 10; i++) {
		alarm.due = loop_now(alarm.loop) + i;
		loop_timer_set(alarm.loop, &alarm.timer, alarm.due);
		assert_true(loop_timer_is_set(&alarm.timer));
		await(alarm.loop, &alarm.count, i + 1);
		assert_false(loop_timer_is_set(&alarm.timer));
	}
	assert_false(alarm.was_early);
	assert_true(clock_ms() - loop_now(alarm.loop) < 1000);
	loop_free(&alarm.loop);
}

static void
a_timer_set_again_or_stopped_forgets_the_first_time(void **state)
{
	struct loop *loop = loop_new(0);
	struct alarm moved = { .loop = loop }, stopped = { .loop = loop }, last = { .loop = loop };

	(void)state;
	loop_timer_init(&moved.timer, on_alarm);
	loop_timer_init(&stopped.timer, on_alarm);
	loop_timer_init(&last.timer, on_alarm);
	loop_timer_set(loop, &moved.timer, loop_now(loop) + 5);
	loop_timer_set(loop, &moved.timer, loop_now(loop) + 60000);
	loop_timer_set(loop, &stopped.timer, loop_now(loop) + 5);
	loop_timer_stop(loop, &stopped.timer);
	loop_timer_set(loop, &last.timer, loop_now(loop) + 20);
	await(loop, &last.count, 1);
	assert_int_equal(moved.count, 0);
	assert_int_equal(stopped.count, 0);
	loop_timer_stop(loop, &moved.timer);
	loop_free(&loop);
}

struct probe {
	struct loop_io io;
	struct loop *loop;
	int fd, count, events, released, released_at_call;
	uint64_t turn;
	bool same_turn, stops_other;
	struct probe *other;
};

static void
on_release(void *object)
{
	((struct probe *)object)->released++;
}

static void
on_probe(struct loop_io *io, int events)
{
	struct probe *probe = loop_owner(io, struct probe, io);

	probe->same_turn |= probe->turn == loop_turn(probe->loop);
	probe->turn = loop_turn(probe->loop);
	probe->events = events;
	probe->count++;
	probe->released_at_call = probe->released;
	if (probe->other != NULL)
		loop_io_stop(probe->loop, &probe->other->io);
	loop_defer(probe->loop, on_release, probe);
	loop_stop(probe->loop);
}

static void
deferred_calls_come_after_the_callback(void **state)
{
	struct probe probe = { .loop = loop_new(0) };
	int fds[2];

	(void)state;
	make_pair(fds);
	loop_io_init(&probe.io, fds[0], on_probe);
	loop_io_watch(probe.loop, &probe.io, LOOP_WRITE);
	await(probe.loop, &probe.count, 1);
	assert_int_equal(probe.released_at_call, 0);
	assert_int_equal(probe.released, 1);
	assert_int_equal(probe.events, LOOP_WRITE);
	loop_defer(probe.loop, on_release, &probe);
	loop_io_stop(probe.loop, &probe.io);
	loop_free(&probe.loop);
	assert_int_equal(probe.released, 2);
	close(fds[0]);
	close(fds[1]);
}

static void
again_comes_in_the_next_turn_unless_stopped(void **state)
{
	struct loop *loop = loop_new(0);
	struct probe first = { .loop = loop }, second = { .loop = loop };
	int fds[2];

	(void)state;
	make_pair(fds);
	loop_io_init(&first.io, fds[0], on_probe);
	loop_io_init(&second.io, fds[1], on_probe);
	for (int i = 1; i <= 3; i++) {
		loop_io_again(loop, &first.io, LOOP_READ);
		await(loop, &first.count, i);
	}
	assert_false(first.same_turn);
	assert_int_equal(first.events, LOOP_READ);

	/* both are due; the first one's callback stops the second */
	first.other = &second;
	loop_io_again(loop, &first.io, LOOP_WRITE);
	loop_io_again(loop, &second.io, LOOP_READ);
	await(loop, &first.count, 4);
	turn_a_little(loop);
	assert_int_equal(second.count, 0);
	loop_free(&loop);
	close(fds[0]);
	close(fds[1]);
}

static void
work(struct loop *loop, void *arg)
{
	int64_t until = clock_us() + *(const int64_t *)arg;

	while (clock_us() < until)
		;
	loop_stop(loop);
}

static void
turns_are_measured(void **state)
{
	struct loop *loop = loop_new(0);
	int64_t us = 20 * 1000;
	uint64_t before;

	(void)state;
	loop_post(loop, work, &us);
	loop_run(loop);
	before = loop_lag_sum(loop);
	assert_true(loop_turn_us(loop) >= us);
	assert_true(before >= (uint64_t)(us * us));
	us = 1;
	loop_post(loop, work, &us);
	loop_run(loop);
	assert_true(loop_lag_sum(loop) > before);
	loop_free(&loop);
}

static void
take_processor(struct loop *loop, void *arg)
{
	int64_t until = clock_thread_us() + *(const int64_t *)arg;

	while (clock_thread_us() < until)
		;
	loop_stop(loop);
}

static void
take_time(struct loop *loop, void *arg)
{
	const struct timespec time = { .tv_nsec = (long)(*(const int64_t *)arg * 1000) };

	nanosleep(&time, NULL);
	loop_stop(loop);
}

static void
pauses_are_of_the_processor(void **state)
{
	struct loop *loop = loop_new(0);
	int64_t long_us = 5000, short_us = 1, sleep_us = 50 * 1000;

	(void)state;
	loop_post(loop, take_time, &sleep_us);
	loop_run(loop);
	assert_true(loop_turn_us(loop) >= sleep_us);
	assert_true(loop_pause_us(loop) < (uint64_t)sleep_us);
	loop_post(loop, take_processor, &long_us);
	loop_run(loop);
	assert_true(loop_pause_us(loop) >= (uint64_t)long_us);
	loop_post(loop, take_processor, &short_us);
	loop_run(loop);
	assert_true(loop_pause_us(loop) >= (uint64_t)long_us);
	loop_forget_pause(loop);
	assert_int_equal(loop_pause_us(loop), 0);
	loop_post(loop, take_processor, &long_us);
	loop_run(loop);
	assert_true(loop_pause_us(loop) >= (uint64_t)long_us);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_are_of_the_processor),
		cmocka_unit_test(posts_of_many_threads_arrive_once_and_in_order),
		cmocka_unit_test(timers_fire_once_and_never_early),
		cmocka_unit_test(a_timer_set_again_or_stopped_forgets_the_first_time),
		cmocka_unit_test(deferred_calls_come_after_the_callback),
		cmocka_unit_test(again_comes_in_the_next_turn_unless_stopped),
		cmocka_unit_test(turns_are_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
