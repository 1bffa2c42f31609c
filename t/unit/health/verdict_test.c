/* SPDX-License-Identifier: BSD-2-Clause */
/* verdict_test.c: streaks of checks, and what each of them makes of the state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "health/verdict.h"

enum { RISE = 2, FALL = 3 };

/* "g" good and "f" failed; each result is "u", "d" or "?" by the state then. */
static void
expect(const char *checks, const char *states)
{
	static const char letters[] = { [HEALTH_UNKNOWN] = '?', [HEALTH_UP] = 'u', [HEALTH_DOWN] = 'd' };
	struct verdict verdict = { 0 };

	for (size_t i = 0; checks[i] != '\0'; i++) {
		enum health_state before = verdict.state;
		bool is_new = verdict_add(&verdict, checks[i] == 'g', RISE, FALL);

		assert_int_equal(is_new, verdict.state != before);
		if (letters[verdict.state] != states[i])
			fail_msg("%s: check %zu makes it %c", checks, i, letters[verdict.state]);
	}
}

static void
a_good_check_is_enough_at_first(void **state)
{
	(void)state;
	expect("g", "u");
	expect("fg", "?u");
	expect("ffg", "??u");
}

static void
one_failed_check_takes_no_server_down(void **state)
{
	(void)state;
	expect("f", "?");
	expect("gfgffg", "uuuuuu");
	expect("fff", "??d");
	expect("gfff", "uuud");
}

static void
rising_takes_its_checks_in_a_row(void **state)
{
	(void)state;
	expect("fffgg", "??ddu");
	expect("fffgfgg", "??ddddu");
}

static void
tells_how_far_it_is(void **state)
{
	struct verdict verdict = { .state = HEALTH_UP };
	int passed, wanted;

	(void)state;
	verdict_progress(&verdict, RISE, FALL, &passed, &wanted);
	assert_int_equal(wanted, 0);
	verdict_add(&verdict, false, RISE, FALL);
	verdict_progress(&verdict, RISE, FALL, &passed, &wanted);
	assert_int_equal(passed, 1);
	assert_int_equal(wanted, FALL);
	verdict = (struct verdict){ .state = HEALTH_DOWN };
	verdict_add(&verdict, true, RISE, FALL);
	verdict_progress(&verdict, RISE, FALL, &passed, &wanted);
	assert_int_equal(passed, 1);
	assert_int_equal(wanted, RISE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_check_is_enough_at_first),
		cmocka_unit_test(one_failed_check_takes_no_server_down),
		cmocka_unit_test(rising_takes_its_checks_in_a_row),
		cmocka_unit_test(tells_how_far_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
