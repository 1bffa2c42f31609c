/* SPDX-License-Identifier: BSD-2-Clause */
/* suggest_test.c: which names are near enough to be offered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/suggest.h"

static const char *
nearest(const char *word)
{
	static const char *const names[] = { "login_timeout", "idle_timeout", "tls", "auth", NULL };
	struct suggest suggest = suggest_start(word);

	for (const char *const *n = names; *n != NULL; n++)
		suggest_try(&suggest, *n);
	return suggest.best;
}

static void
finds_one_wrong_letter_of_each_sort(void **state)
{
	(void)state;
	assert_string_equal(nearest("login_timout"), "login_timeout");
	assert_string_equal(nearest("login_timeoutt"), "login_timeout");
	assert_string_equal(nearest("login_timeaut"), "login_timeout");
	assert_string_equal(nearest("login_tiemout"), "login_timeout");
	assert_string_equal(nearest("tsl"), "tls");
	assert_string_equal(nearest("ls"), "tls");
}

static void
takes_the_nearest_of_several(void **state)
{
	(void)state;
	assert_string_equal(nearest("idl_timeout"), "idle_timeout");
	assert_string_equal(nearest("logn_timeou"), "login_timeout");
}

static void
offers_nothing_far_away(void **state)
{
	(void)state;
	assert_null(nearest("pool"));
	assert_null(nearest("x"));
	assert_null(nearest(""));
	assert_null(nearest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_one_wrong_letter_of_each_sort),
		cmocka_unit_test(takes_the_nearest_of_several),
		cmocka_unit_test(offers_nothing_far_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
