/* SPDX-License-Identifier: BSD-2-Clause */
/* stress_test.c: what enters each level, what keeps it, and what it allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/stress.h"

static bool
look(struct stress *stress, enum stress_cause cause, int64_t load, int64_t now)
{
	struct stress_load all = { { 0 } };
	struct stress_change change;

	all.of[cause] = load;
	return stress_move(stress, &all, now, &change);
}

static void
each_cause_enters_each_level_at_once(void **state)
{
	static const struct {
		enum stress_cause cause;
		int64_t load;
		int level;
	} rows[] = {
		{ STRESS_CONNECTIONS, 79, STRESS_NONE },   { STRESS_CONNECTIONS, 80, STRESS_HIGH },
		{ STRESS_CONNECTIONS, 94, STRESS_HIGH },   { STRESS_CONNECTIONS, 95, STRESS_EXTREME },
		{ STRESS_MEMORY, 79, STRESS_NONE },        { STRESS_MEMORY, 80, STRESS_HIGH },
		{ STRESS_MEMORY, 130, STRESS_EXTREME },    { STRESS_LAG, 99, STRESS_NONE },
		{ STRESS_LAG, 100, STRESS_HIGH },          { STRESS_LAG, 500, STRESS_EXTREME },
		{ STRESS_HANDSHAKES, 999, STRESS_NONE },   { STRESS_HANDSHAKES, 1000, STRESS_HIGH },
		{ STRESS_HANDSHAKES, 4000, STRESS_EXTREME },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stress stress = { 0 };

		assert_int_equal(look(&stress, rows[i].cause, rows[i].load, 1), rows[i].level != STRESS_NONE);
		assert_int_equal(stress_level(&stress), rows[i].level);
	}
}

static void
a_level_is_left_when_nothing_has_come_near_it_for_its_stay(void **state)
{
	struct stress stress = { 0 };

	(void)state;
	assert_true(look(&stress, STRESS_CONNECTIONS, 100, 1000));
	assert_false(look(&stress, STRESS_CONNECTIONS, 0, 1000 + STRESS_STAY_MS - 1));
	/* less than entered it, but near it */
	assert_false(look(&stress, STRESS_CONNECTIONS, 85, 7000));
	assert_false(look(&stress, STRESS_CONNECTIONS, 84, 7000 + STRESS_STAY_MS - 1));
	assert_true(look(&stress, STRESS_CONNECTIONS, 84, 7000 + STRESS_STAY_MS));
	assert_int_equal(stress_level(&stress), STRESS_HIGH);
	/* one step at a time, each with its stay */
	assert_false(look(&stress, STRESS_CONNECTIONS, 0, 7000 + STRESS_STAY_MS + 1));
	assert_true(look(&stress, STRESS_CONNECTIONS, 0, 7000 + 2 * STRESS_STAY_MS));
	assert_int_equal(stress_level(&stress), STRESS_NONE);
	assert_false(look(&stress, STRESS_CONNECTIONS, 79, 60000));
}

static void
between_the_two_marks_it_neither_comes_nor_goes(void **state)
{
	struct stress calm = { 0 }, strained = { 0 };

	(void)state;
	assert_true(look(&strained, STRESS_LAG, 100, 0));
	for (int64_t now = 1; now < 10 * STRESS_STAY_MS; now += 1000) {
		assert_false(look(&calm, STRESS_LAG, 70, now));
		assert_false(look(&strained, STRESS_LAG, 70, now));
	}
	assert_int_equal(stress_level(&calm), STRESS_NONE);
	assert_int_equal(stress_level(&strained), STRESS_HIGH);
}

static void
a_change_tells_its_cause(void **state)
{
	struct stress stress = { 0 };
	struct stress_load load = { { [STRESS_CONNECTIONS] = 81, [STRESS_HANDSHAKES] = 5000 } };
	struct stress_change change;
	char text[STRESS_TEXT_MAX];

	(void)state;
	assert_true(stress_move(&stress, &load, 0, &change));
	assert_int_equal(change.from, STRESS_NONE);
	assert_int_equal(change.to, STRESS_EXTREME);
	assert_string_equal(stress_change_text(&change, text), "TLS handshakes wait 5000 ms");
	load = (struct stress_load){ { 0 } };
	assert_true(stress_move(&stress, &load, STRESS_STAY_MS, &change));
	assert_string_equal(stress_change_text(&change, text), "there is no more cause");
}

static void
levels_take_time_and_errors_away(void **state)
{
	(void)state;
	assert_int_equal(stress_patience_ms(STRESS_NONE), INT64_MAX);
	assert_int_equal(stress_patience_ms(STRESS_HIGH), 30000);
	assert_int_equal(stress_patience_ms(STRESS_EXTREME), 10000);
	assert_int_equal(stress_max_errors(STRESS_NONE, 20), 20);
	assert_int_equal(stress_max_errors(STRESS_HIGH, 20), 5);
	assert_int_equal(stress_max_errors(STRESS_HIGH, 3), 3);
	assert_int_equal(stress_max_errors(STRESS_EXTREME, 20), 1);
}

static void
levels_limit_what_has_no_limit(void **state)
{
	(void)state;
	assert_int_equal(stress_max_errors(STRESS_NONE, 0), 0);
	assert_int_equal(stress_max_errors(STRESS_HIGH, 0), 5);
	assert_int_equal(stress_max_errors(STRESS_EXTREME, 0), 1);
}

static void
levels_take_junk_commands_away(void **state)
{
	(void)state;
	assert_int_equal(stress_max_idles(STRESS_NONE, 100), 100);
	assert_int_equal(stress_max_idles(STRESS_NONE, 0), 0);
	assert_int_equal(stress_max_idles(STRESS_HIGH, 100), 10);
	assert_int_equal(stress_max_idles(STRESS_HIGH, 3), 3);
	assert_int_equal(stress_max_idles(STRESS_EXTREME, 100), 1);
	assert_int_equal(stress_max_idles(STRESS_EXTREME, 0), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_cause_enters_each_level_at_once),
		cmocka_unit_test(a_level_is_left_when_nothing_has_come_near_it_for_its_stay),
		cmocka_unit_test(between_the_two_marks_it_neither_comes_nor_goes),
		cmocka_unit_test(a_change_tells_its_cause),
		cmocka_unit_test(levels_take_time_and_errors_away),
		cmocka_unit_test(levels_limit_what_has_no_limit),
		cmocka_unit_test(levels_take_junk_commands_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
