/* SPDX-License-Identifier: BSD-2-Clause */
/* limiter_test.c: rates slide, are exact with many threads, and end by themselves; who enters leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "state/limiter.h"

enum { MINUTE = 60 * 1000, START = 1000000, THREADS = 8, MANY = 1000 };

static const struct limiter_rate six_a_minute = { 6, MINUTE };

static int
take_many(struct limiter *limiter, const char *name, struct limiter_rate rate, int64_t now)
{
	int taken = 0;

	for (int i = 0; i < MANY; i++)
		taken += limiter_take(limiter, slice_of(name), rate, now);
	return taken;
}

static void
as_many_as_the_limit_come_at_once(void **state)
{
	struct limiter *limiter = limiter_new(100);

	(void)state;
	assert_int_equal(take_many(limiter, "a", six_a_minute, START), 6);
	assert_true(limiter_is_spent(limiter, slice_of("a"), six_a_minute, START));
	assert_false(limiter_is_spent(limiter, slice_of("b"), six_a_minute, START));
	assert_int_equal(take_many(limiter, "b", six_a_minute, START), 6);
	limiter_free(&limiter);
}

static void
one_more_comes_for_each_part_of_the_unit(void **state)
{
	struct limiter *limiter = limiter_new(100);

	(void)state;
	take_many(limiter, "a", six_a_minute, START);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START + 9999), 0);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START + 10000), 1);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START + 40000), 3);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START + 40000 + MINUTE), 6);
	limiter_free(&limiter);
}

/* Over any stretch of time: the limit, and what its time has brought. */
static void
no_window_has_twice_the_limit(void **state)
{
	struct limiter *limiter = limiter_new(100);
	int taken = 0;

	(void)state;
	for (int64_t ms = 0; ms < 10 * MINUTE; ms += 100)
		taken += limiter_take(limiter, slice_of("a"), six_a_minute, START + ms);
	assert_int_equal(taken, 6 + 6 * 10 - 1);
	limiter_free(&limiter);
}

static void
no_limit_is_none_and_large_ones_hold(void **state)
{
	struct limiter *limiter = limiter_new(100);
	const struct limiter_rate large = { MANY - 1, 1 };

	(void)state;
	assert_int_equal(take_many(limiter, "a", (struct limiter_rate){ 0, MINUTE }, START), MANY);
	assert_int_equal(take_many(limiter, "a", large, START), MANY - 1);
	limiter_free(&limiter);
}

/* Of a rate that was one a day when it was spent, and is six a minute since a reload. */
static void
a_shorter_unit_holds_at_once(void **state)
{
	struct limiter *limiter = limiter_new(100);
	const struct limiter_rate one_a_day = { 1, 24 * 60 * MINUTE };

	(void)state;
	assert_int_equal(take_many(limiter, "a", one_a_day, START), 1);
	assert_int_equal(limiter_used(limiter, slice_of("a"), six_a_minute, START), 6);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START), 0);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START + MINUTE / 2), 3);
	assert_int_equal(take_many(limiter, "a", six_a_minute, START + 2 * MINUTE), 6);
	/* and the other way round: what was taken counts by the new one */
	assert_false(limiter_take(limiter, slice_of("a"), one_a_day, START + 2 * MINUTE));
	limiter_free(&limiter);
}

struct crowd {
	struct limiter *limiter;
	pthread_barrier_t barrier;
	_Atomic int taken, entered;
};

static void *
come_in_a_crowd(void *arg)
{
	struct crowd *crowd = arg;
	const struct limiter_rate rate = { MANY / 2, MINUTE };

	pthread_barrier_wait(&crowd->barrier);
	for (int i = 0; i < MANY; i++) {
		crowd->taken += limiter_take(crowd->limiter, slice_of("rate"), rate, START);
		crowd->entered += limiter_enter(crowd->limiter, slice_of("there"), MANY / 4);
	}
	return NULL;
}

static void
threads_take_exactly_the_limit(void **state)
{
	struct crowd crowd = { .limiter = limiter_new(100) };
	pthread_t threads[THREADS];

	(void)state;
	pthread_barrier_init(&crowd.barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_in_a_crowd, &crowd), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crowd.taken, MANY / 2);
	assert_int_equal(crowd.entered, MANY / 4);
	assert_int_equal(limiter_present(crowd.limiter, slice_of("there")), MANY / 4);
	pthread_barrier_destroy(&crowd.barrier);
	limiter_free(&crowd.limiter);
}

static void
who_leaves_makes_room_and_the_last_one_is_forgotten(void **state)
{
	struct limiter *limiter = limiter_new(100);
	struct slice name = slice_of("a");

	(void)state;
	assert_true(limiter_enter(limiter, name, 2));
	assert_true(limiter_enter(limiter, name, 2));
	assert_false(limiter_enter(limiter, name, 2));
	limiter_leave(limiter, name);
	assert_true(limiter_enter(limiter, name, 2));
	limiter_leave(limiter, name);
	limiter_leave(limiter, name);
	assert_int_equal(limiter_present(limiter, name), 0);
	assert_true(limiter_enter(limiter, name, 1));
	limiter_leave(limiter, name);
	for (int i = 0; i < MANY; i++) {
		char other[16];

		snprintf(other, sizeof(other), "%d", i);
		assert_true(limiter_enter(limiter, slice_of(other), 1));
		limiter_leave(limiter, slice_of(other));
	}
	assert_in_range(limiter_count(limiter, LIMITER_PRESENT), 0, MANY / 2);
	limiter_free(&limiter);
}

/* A million addresses that come once. */
static void
names_that_anybody_makes_up_fill_no_memory(void **state)
{
	enum { NAMES = 1000000, KEPT = 100000 };
	struct limiter *limiter = limiter_new(KEPT);

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		assert_true(limiter_take(limiter, slice_of(name), six_a_minute, START));
	}
	assert_in_range(limiter_count(limiter, LIMITER_RATES), KEPT / 2, KEPT + KEPT / 8);
	limiter_free(&limiter);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_the_limit_come_at_once),
		cmocka_unit_test(one_more_comes_for_each_part_of_the_unit),
		cmocka_unit_test(no_window_has_twice_the_limit),
		cmocka_unit_test(a_shorter_unit_holds_at_once),
		cmocka_unit_test(no_limit_is_none_and_large_ones_hold),
		cmocka_unit_test(threads_take_exactly_the_limit),
		cmocka_unit_test(who_leaves_makes_room_and_the_last_one_is_forgotten),
		cmocka_unit_test(names_that_anybody_makes_up_fill_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
