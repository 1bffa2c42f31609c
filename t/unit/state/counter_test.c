/* SPDX-License-Identifier: BSD-2-Clause */
/* counter_test.c: what counters hold and for how long; engines that answer later; many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "state/counter.h"
#include "state/counter_engine.h"

enum { MINUTE = 60 * 1000 };

struct asked {
	struct counter_request request;
	struct counter_wish wishes[3];
	int answers;
	bool is_known;
};

static void
on_answer(struct counter_request *request, bool is_known)
{
	struct asked *asked = loop_owner(request, struct asked, request);

	asked->answers++;
	asked->is_known = is_known;
	loop_stop(request->loop);
}

static void
ask(struct counters *counters, struct loop *loop, struct asked *asked, int count, int64_t now)
{
	asked->answers = 0;
	asked->request = (struct counter_request){
		.loop = loop, .wishes = asked->wishes, .count = count, .now = now, .deadline = now + 1,
		.on_answer = on_answer,
	};
	counter_ask(counters, &asked->request);
}

static struct counter_wish
add_to(const char *name)
{
	return (struct counter_wish){ .act = COUNTER_ADD, .name = slice_of(name), .window_ms = MINUTE };
}

static struct counter_wish
set_to(const char *name, int64_t value)
{
	return (struct counter_wish){
		.act = COUNTER_SET, .name = slice_of(name), .window_ms = MINUTE, .value = value,
	};
}

/* One wish, answered at once. */
static int64_t
once(struct counters *counters, struct loop *loop, struct counter_wish wish, int64_t now)
{
	struct asked asked = { .wishes = { wish } };

	ask(counters, loop, &asked, 1, now);
	assert_int_equal(asked.answers, 1);
	assert_true(asked.is_known);
	return asked.wishes[0].value;
}

static struct counters *
new_in_memory(size_t first, size_t second)
{
	const size_t limits[] = { first, second };

	return counters_new(&counter_memory, limits, 2);
}

static void
counters_count_until_their_time_is_up(void **state)
{
	struct counters *counters = new_in_memory(1000, 1000);
	struct loop *loop = loop_new(0);
	struct counter_wish kept = add_to("kept");

	(void)state;
	kept.keeps_time = true;
	assert_int_equal(counter_look(counters, 0, slice_of("a"), 1), 0);
	assert_int_equal(once(counters, loop, add_to("a"), 1), 1);
	assert_int_equal(once(counters, loop, add_to("b"), 1), 1);
	assert_int_equal(once(counters, loop, add_to("a"), MINUTE), 2);
	assert_int_equal(counter_look(counters, 0, slice_of("a"), MINUTE), 2);
	assert_int_equal(counter_look(counters, 1, slice_of("a"), MINUTE), 0);
	/* from the last one on, or from the first */
	assert_int_equal(counter_look(counters, 0, slice_of("a"), 2 * MINUTE - 1), 2);
	assert_int_equal(counter_look(counters, 0, slice_of("b"), MINUTE + 1), 0);
	assert_int_equal(counter_look(counters, 0, slice_of("a"), 2 * MINUTE), 0);
	assert_int_equal(once(counters, loop, kept, 1), 1);
	assert_int_equal(once(counters, loop, kept, MINUTE), 2);
	assert_int_equal(once(counters, loop, kept, MINUTE + 1), 1);
	counters_free(&counters);
	loop_free(&loop);
}

static void
setting_tells_what_was_there(void **state)
{
	struct counters *counters = new_in_memory(1000, 1000);
	struct loop *loop = loop_new(0);

	(void)state;
	assert_int_equal(once(counters, loop, set_to("a", 7), 1), 0);
	assert_int_equal(once(counters, loop, set_to("a", 8), 2), 7);
	assert_int_equal(once(counters, loop, add_to("a"), 3), 9);
	assert_int_equal(once(counters, loop, set_to("a", 0), 4), 9);
	assert_int_equal(counter_look(counters, 0, slice_of("a"), 4), 0);
	assert_int_equal(once(counters, loop, set_to("never", 0), 4), 0);
	assert_int_equal(once(counters, loop, add_to("a"), 5), 1);
	assert_int_equal(counter_count(counters, 0), 1);
	counters_free(&counters);
	loop_free(&loop);
}

static void
what_is_taken_is_gone_with_the_last_one(void **state)
{
	const struct counter_wish one = { .act = COUNTER_TAKE, .name = SLICE_LITERAL("a") };
	struct counters *counters = new_in_memory(1000, 1000);
	struct loop *loop = loop_new(0);

	(void)state;
	assert_int_equal(once(counters, loop, one, 1), 0);
	once(counters, loop, add_to("a"), 1);
	once(counters, loop, add_to("a"), 1);
	assert_int_equal(once(counters, loop, one, 2), 1);
	/* its time is as it was */
	assert_int_equal(counter_look(counters, 0, slice_of("a"), MINUTE), 1);
	assert_int_equal(counter_look(counters, 0, slice_of("a"), MINUTE + 1), 0);
	once(counters, loop, add_to("a"), 1);
	assert_int_equal(once(counters, loop, one, 2), 0);
	assert_int_equal(once(counters, loop, one, 2), 0);
	assert_int_equal(once(counters, loop, add_to("a"), 3), 1);
	counters_free(&counters);
	loop_free(&loop);
}

static void
wishes_are_answered_in_their_order(void **state)
{
	struct counters *counters = new_in_memory(1000, 1000);
	struct loop *loop = loop_new(0);
	struct asked asked = { .wishes = { add_to("a"), { .name = SLICE_LITERAL("a") }, add_to("a") } };

	(void)state;
	asked.wishes[2].space = 1;
	ask(counters, loop, &asked, 3, 1);
	assert_int_equal(asked.wishes[0].value, 1);
	assert_int_equal(asked.wishes[1].value, 1);
	assert_int_equal(asked.wishes[2].value, 1);
	assert_null(asked.request.counters);
	counter_cancel(&asked.request);
	counters_free(&counters);
	loop_free(&loop);
}

/* Who fills one space throws nothing out of the other. */
static void
each_space_has_its_bound(void **state)
{
	enum { LIMIT = 64 * 16, MANY = 100 * 1000 };
	struct counters *counters = new_in_memory(LIMIT, LIMIT);
	struct loop *loop = loop_new(0);
	struct counter_wish other = add_to("other");
	char name[16];

	(void)state;
	other.space = 1;
	once(counters, loop, other, 1);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		once(counters, loop, add_to(name), 1);
	}
	assert_true(counter_count(counters, 0) <= LIMIT);
	assert_int_equal(counter_look(counters, 1, slice_of("other"), 1), 1);
	counters_free(&counters);
	loop_free(&loop);
}

/* An engine that answers when it is told to. */
static struct counter_request *waiting;
static int cancelled;

static void *
start_slow(const size_t *limits, int spaces)
{
	(void)limits;
	(void)spaces;
	return &waiting;
}

static void
stop_slow(void *store)
{
	assert_ptr_equal(store, &waiting);
}

static void
ask_slow(struct counter_request *request, void *store)
{
	assert_ptr_equal(store, &waiting);
	waiting = request;
	counter_wait(request);
}

static void
cancel_slow(struct counter_request *request, void *store)
{
	(void)store;
	assert_ptr_equal(request, waiting);
	waiting = NULL;
	cancelled++;
}

static const struct counter_engine slow = {
	.name = "slow", .start = start_slow, .stop = stop_slow, .ask = ask_slow, .cancel = cancel_slow,
};

static void
answers_may_come_later_or_not_at_all(void **state)
{
	const size_t limit = 1;
	struct counters *counters = counters_new(&slow, &limit, 1);
	struct loop *loop = loop_new(0);
	struct asked asked = { .wishes = { add_to("a") } };

	(void)state;
	cancelled = 0;
	ask(counters, loop, &asked, 1, loop_now(loop) + 3600 * 1000);
	assert_int_equal(asked.answers, 0);
	waiting->wishes[0].value = 5;
	counter_answer(waiting, true);
	assert_int_equal(asked.answers, 1);
	assert_int_equal(asked.wishes[0].value, 5);
	assert_false(loop_timer_is_set(&asked.request.timer));

	/* whoever is gone hears nothing */
	ask(counters, loop, &asked, 1, loop_now(loop) + 3600 * 1000);
	counter_cancel(&asked.request);
	assert_int_equal(cancelled, 1);
	assert_int_equal(asked.answers, 0);
	assert_false(loop_timer_is_set(&asked.request.timer));
	counter_cancel(&asked.request);
	assert_int_equal(cancelled, 1);

	/* the deadline */
	asked.wishes[0].value = 5;
	ask(counters, loop, &asked, 1, loop_now(loop));
	loop_run(loop);
	assert_int_equal(asked.answers, 1);
	assert_false(asked.is_known);
	assert_int_equal(asked.wishes[0].value, 0);
	assert_int_equal(cancelled, 2);
	counters_free(&counters);
	loop_free(&loop);
}

enum { THREADS = 4, ADDITIONS = 20000, NAMES = 7 };

struct adder {
	pthread_t thread;
	struct counters *counters;
	struct loop *loop;
	int firsts;			/* times that it was the one that made the sum a hundred */
};

static void *
add_often(void *arg)
{
	struct adder *adder = arg;
	char name[16];

	for (int i = 0; i < ADDITIONS; i++) {
		snprintf(name, sizeof(name), "n%d", i % NAMES);
		adder->firsts += once(adder->counters, adder->loop, add_to(name), 1) == 100;
		counter_look(adder->counters, 0, slice_of(name), 1);
		once(adder->counters, adder->loop, set_to("mark", i % 2), 1);
	}
	return NULL;
}

static void
threads_lose_no_addition(void **state)
{
	struct counters *counters = new_in_memory(100000, 1);
	struct adder adders[THREADS] = { 0 };
	int64_t sum = 0;
	int firsts = 0;
	char name[16];

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		adders[i].counters = counters;
		adders[i].loop = loop_new(i);
		assert_int_equal(pthread_create(&adders[i].thread, NULL, add_often, &adders[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(adders[i].thread, NULL);
		loop_free(&adders[i].loop);
		firsts += adders[i].firsts;
	}
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		sum += counter_look(counters, 0, slice_of(name), 1);
	}
	assert_int_equal(sum, THREADS * ADDITIONS);
	assert_int_equal(firsts, NAMES);
	counters_free(&counters);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_count_until_their_time_is_up),
		cmocka_unit_test(setting_tells_what_was_there),
		cmocka_unit_test(what_is_taken_is_gone_with_the_last_one),
		cmocka_unit_test(wishes_are_answered_in_their_order),
		cmocka_unit_test(each_space_has_its_bound),
		cmocka_unit_test(answers_may_come_later_or_not_at_all),
		cmocka_unit_test(threads_lose_no_addition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
