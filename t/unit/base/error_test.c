/* SPDX-License-Identifier: BSD-2-Clause */
/* error_test.c: the text is set, cut where it is too long, and the result is false. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void
returns_false_and_keeps_text(void **state)
{
	struct error error;

	(void)state;
	assert_false(error_set(&error, "%s:%d", "gatepost.conf", 12));
	assert_string_equal(error.text, "gatepost.conf:12");
}

static void
long_text_is_cut(void **state)
{
	struct error error;
	char text[sizeof(error.text) + 1];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(&error, "%s", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_false_and_keeps_text),
		cmocka_unit_test(long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
