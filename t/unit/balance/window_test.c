/* SPDX-License-Identifier: BSD-2-Clause */
/* window_test.c: each rule of the window, and the figures that Postfix publishes for its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/window.h"

static void
fail_times(struct window *w, int busy, int times)
{
	for (int i = 0; i < times; i++)
		window_fail(w, busy, 0, 0);
}

static void
succeed_times(struct window *w, int busy, int times)
{
	for (int i = 0; i < times; i++)
		window_succeed(w, busy, 0);
}

static void
nothing_seen_is_no_bound(void **state)
{
	struct window w = { 0 };

	(void)state;
	assert_int_equal(window_bound(&w), 0);
	succeed_times(&w, 1000, 1000);
	assert_int_equal(window_bound(&w), 0);
	assert_int_equal(w.state, WINDOW_OPEN);
	assert_false(window_tick(&w, INT64_MAX));
}

static void
the_first_failure_begins_at_what_is_in_flight(void **state)
{
	struct window few = { 0 }, many = { 0 }, limited = { .limit = 3 };

	(void)state;
	window_fail(&few, 1, 0, 0);
	assert_int_equal(window_bound(&few), WINDOW_INITIAL - 1);
	window_fail(&many, 40, 0, 0);
	assert_int_equal(window_bound(&many), 39);
	window_fail(&limited, 40, 0, 0);
	assert_int_equal(window_bound(&limited), 2);
}

/* At the start of as many failures as it is large; a few successes among them change nothing. */
static void
shrinks_at_the_start_of_a_window_of_failures(void **state)
{
	struct window w = { .size = 10 };
	static const int sizes[] = { 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 8 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		window_fail(&w, 10, 0, 0);
		assert_int_equal(window_bound(&w), sizes[i]);
		succeed_times(&w, 10, i % 3 == 0);
	}
}

/* At the end of as many successes as it is large; a step up forgets what was owed. */
static void
grows_at_the_end_of_a_window_of_successes(void **state)
{
	struct window w = { .size = 3 };

	(void)state;
	succeed_times(&w, 3, 2);
	assert_int_equal(window_bound(&w), 3);
	succeed_times(&w, 3, 1);
	assert_int_equal(window_bound(&w), 4);
	succeed_times(&w, 4, 3);
	window_fail(&w, 4, 0, 0);
	assert_int_equal(window_bound(&w), 3);
	succeed_times(&w, 3, 2);		/* those before the step down count no more */
	assert_int_equal(window_bound(&w), 3);
	succeed_times(&w, 3, 1);
	assert_int_equal(window_bound(&w), 4);
	window_fail(&w, 4, 0, 0);
	assert_int_equal(window_bound(&w), 3);
}

static void
grows_no_further_than_is_used(void **state)
{
	struct window w = { .size = 4 };

	(void)state;
	succeed_times(&w, 1, 4 + 5);
	assert_int_equal(window_bound(&w), 6);
	succeed_times(&w, 1, 5);
	assert_int_equal(window_bound(&w), 6);
}

/* Each size needs exactly as many successes, however long it goes on. */
static void
nothing_drifts(void **state)
{
	enum { FROM = 1, TO = 3000, HUGE = 1000 * 1000 };
	struct window w = { .size = FROM }, huge = { .size = HUGE - 1 };

	(void)state;
	for (int size = FROM; size < TO; size++) {
		succeed_times(&w, size, size - 1);
		assert_int_equal(window_bound(&w), size);
		succeed_times(&w, size, 1);
		assert_int_equal(window_bound(&w), size + 1);
	}
	succeed_times(&huge, HUGE, HUGE - 2);
	assert_int_equal(window_bound(&huge), HUGE - 1);
	succeed_times(&huge, HUGE, 1);
	assert_int_equal(window_bound(&huge), HUGE);
	fail_times(&huge, HUGE, 1);
	succeed_times(&huge, HUGE, 1);
	fail_times(&huge, HUGE, HUGE - 2);
	assert_int_equal(window_bound(&huge), HUGE - 1);
}

static void
a_cohort_of_failures_is_death(void **state)
{
	struct window w = { 0 };

	(void)state;
	fail_times(&w, 1, 4);			/* 1/5 + 3/4 */
	assert_int_equal(w.state, WINDOW_OPEN);
	window_succeed(&w, 1, 0);		/* not in a row */
	fail_times(&w, 1, 2);
	assert_int_equal(w.state, WINDOW_OPEN);
	fail_times(&w, 1, 2);
	assert_int_equal(w.state, WINDOW_DEAD);
	assert_int_equal(window_bound(&w), WINDOW_CLOSED);
}

static void
dies(struct window *w, int64_t now, int64_t wanted_ms)
{
	while (w->state != WINDOW_DEAD)
		window_fail(w, 1, now, now);
	assert_int_equal(w->dead_until, now + wanted_ms);
}

static void
dead_times_double_up_to_a_minute(void **state)
{
	static const int seconds[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct window w = { 0 };
	int64_t now = 5000;

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		int64_t ms = seconds[i] * INT64_C(1000);

		dies(&w, now, ms);
		assert_false(window_tick(&w, now + ms - 1));
		assert_int_equal(window_bound(&w), WINDOW_CLOSED);
		assert_true(window_tick(&w, now + ms));
		assert_false(window_tick(&w, now + ms));
		assert_int_equal(window_bound(&w), 1);
		assert_int_equal(w.state, WINDOW_HALF_OPEN);
		now += ms;
	}
}

/* Of a server that is dead, or was: what began earlier says nothing new. */
static void
old_failures_count_no_more(void **state)
{
	struct window w = { 0 };

	(void)state;
	dies(&w, 100, 1000);
	window_fail(&w, 50, 90, 200);
	assert_int_equal(w.dead_until, 1100);
	assert_true(window_tick(&w, 1100));
	window_fail(&w, 50, 1099, 1200);
	assert_int_equal(w.state, WINDOW_HALF_OPEN);
	window_fail(&w, 50, 1100, 1200);
	assert_int_equal(w.state, WINDOW_DEAD);
	assert_int_equal(w.dead_until, 3200);
}

static void
opens_step_by_step_once_one_has_succeeded(void **state)
{
	struct window w = { 0 };

	(void)state;
	dies(&w, 100, 1000);
	window_tick(&w, 1100);
	window_succeed(&w, 1, 1200);
	assert_int_equal(w.state, WINDOW_OPEN);
	assert_int_equal(window_bound(&w), 2);
	succeed_times(&w, 2, 1);
	assert_int_equal(window_bound(&w), 2);
	succeed_times(&w, 2, 1);
	assert_int_equal(window_bound(&w), 3);
	fail_times(&w, 3, 1);			/* began before it opened */
	assert_int_equal(window_bound(&w), 3);
	dies(&w, 1300, 2000);			/* that it came back for a moment is not forgotten */
}

static void
a_success_ends_the_dead_time(void **state)
{
	struct window w = { 0 };

	(void)state;
	dies(&w, 100, 1000);
	window_succeed(&w, 9, 500);
	assert_int_equal(w.state, WINDOW_OPEN);
	assert_int_equal(window_bound(&w), 2);
	window_fail(&w, 9, 499, 600);
	assert_int_equal(window_bound(&w), 2);
	dies(&w, 600, 2000);
	for (int i = 0; i < 3; i++) {
		assert_true(window_reopen(&w, 700));
		assert_false(window_reopen(&w, 700));
		assert_int_equal(window_bound(&w), 1);
		assert_int_equal(w.state, WINDOW_HALF_OPEN);
		dies(&w, 700, 2000);
	}
}

static void
is_lifted_when_it_bounds_nobody(void **state)
{
	struct window w = { 0 };

	(void)state;
	dies(&w, 100, 1000);
	window_tick(&w, 1100);
	succeed_times(&w, 1, 1 + 2 + 3 + 4 + 5);
	assert_int_equal(window_bound(&w), 6);
	succeed_times(&w, 1, 5);
	assert_int_equal(window_bound(&w), 6);
	succeed_times(&w, 2, 1);		/* more are in flight: not in a row */
	succeed_times(&w, 1, 5);
	window_fail(&w, 1, 1100, 1100);
	assert_int_equal(window_bound(&w), 5);
	succeed_times(&w, 1, 5 + 5);
	assert_int_equal(window_bound(&w), 6);
	succeed_times(&w, 1, 1);
	assert_int_equal(window_bound(&w), 0);
	dies(&w, 2000, 1000);			/* how often it was dead is forgotten */
}

static void
is_lifted_when_it_has_reached_its_limit(void **state)
{
	struct window w = { .limit = 3 };

	(void)state;
	fail_times(&w, 3, 1);
	succeed_times(&w, 2, 2 + 2);
	assert_int_equal(window_bound(&w), 3);
	succeed_times(&w, 3, 1);
	assert_int_equal(window_bound(&w), 0);
	assert_int_equal(w.limit, 3);
}

/*
 * A server that serves 5 at once and refuses the sixth, always as many tries as the window lets: of them
 * 16.5 % are deferred, in a window of 5.17 (Postfix's SCHEDULER_README, feedback 1/N, limit 20).
 */
static void
defers_as_few_as_postfix(void **state)
{
	enum { TRIES = 100 * 1000, SERVED = 5 };
	struct window w = { .limit = 20, .size = WINDOW_INITIAL };
	int64_t sizes = 0, deferred = 0;

	(void)state;
	for (int i = 0; i < TRIES; i++) {
		sizes += w.size;
		if (w.size > SERVED) {
			window_fail(&w, w.size, 0, 0);
			deferred++;
		} else {
			window_succeed(&w, w.size, 0);
		}
	}
	print_message("# %.1f %% deferred, mean window %.2f\n", (double)deferred * 100 / TRIES,
	    (double)sizes / TRIES);
	assert_in_range(deferred, TRIES / 1000 * 163, TRIES / 1000 * 167);
	assert_in_range(sizes, TRIES / 1000 * 5165, TRIES / 1000 * 5175);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_seen_is_no_bound),
		cmocka_unit_test(the_first_failure_begins_at_what_is_in_flight),
		cmocka_unit_test(shrinks_at_the_start_of_a_window_of_failures),
		cmocka_unit_test(grows_at_the_end_of_a_window_of_successes),
		cmocka_unit_test(grows_no_further_than_is_used),
		cmocka_unit_test(nothing_drifts),
		cmocka_unit_test(a_cohort_of_failures_is_death),
		cmocka_unit_test(dead_times_double_up_to_a_minute),
		cmocka_unit_test(old_failures_count_no_more),
		cmocka_unit_test(opens_step_by_step_once_one_has_succeeded),
		cmocka_unit_test(a_success_ends_the_dead_time),
		cmocka_unit_test(is_lifted_when_it_bounds_nobody),
		cmocka_unit_test(is_lifted_when_it_has_reached_its_limit),
		cmocka_unit_test(defers_as_few_as_postfix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
