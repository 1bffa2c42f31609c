/* SPDX-License-Identifier: BSD-2-Clause */
/* manners_test.c: what is borne, by the numbers that were measured with Postfix. */
#include "proto/manners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
errors_make_replies_late_and_end_it(void **state)
{
	struct manners manners = { .soft_errors = 3, .hard_errors = 6 };

	(void)state;
	for (int reply = 1; reply <= 6; reply++) {
		assert_int_equal(manners_are_bad(&manners), reply > 3);
		manners_err(&manners);
		assert_int_equal(manners_are_spent(&manners), reply == 6);
	}
	manners_forgive(&manners);
	assert_false(manners_are_bad(&manners));
	assert_false(manners_are_spent(&manners));
}

static void
idling_counts_from_the_second_behind_the_limit(void **state)
{
	struct manners manners = { .idles_max = 5, .hard_errors = 6 };

	(void)state;
	for (int i = 1; i <= 12; i++) {
		assert_false(manners_are_spent(&manners));
		assert_int_equal(manners_idle(&manners), i >= 7);
		if (i >= 7)
			manners_err(&manners);
	}
	assert_true(manners_are_spent(&manners));
}

static void
none_is_none(void **state)
{
	struct manners manners = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		manners_err(&manners);
		assert_false(manners_idle(&manners));
	}
	assert_false(manners_are_bad(&manners));
	assert_false(manners_are_spent(&manners));
}

static void
last_words_have_our_name(void **state)
{
	static const char *const hellos[] = { "250 lb.example\r\n", "250-lb.example\r\n250 X\r\n" };
	struct buf out = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		manners_write_end(slice_of(hellos[i]), &out);
		assert_true(slice_equals(buf_slice(&out),
		    "421 4.7.0 lb.example Error: too many errors\r\n"));
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_make_replies_late_and_end_it),
		cmocka_unit_test(idling_counts_from_the_second_behind_the_limit),
		cmocka_unit_test(none_is_none),
		cmocka_unit_test(last_words_have_our_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
