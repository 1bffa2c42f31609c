/* SPDX-License-Identifier: BSD-2-Clause */
/* identity_test.c: which ids of others go on with a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/identity.h"
#include "base/xalloc.h"

static void
ids_of_others(void **state)
{
	static const char *const bad[] = { "", "a b", "a\"b", "a\\b", "a'b", "a\r\nb", "\xc3\xb6", "a\x7f" };
	char longest[ORIGIN_MAX + 1];
	struct identity identity = { .session = "ours" };

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_string_equal(identity_session(&identity), "ours");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		identity_set_origin(&identity, slice_of(bad[i]));
	identity_set_origin(&identity, slice_make(longest, sizeof(longest)));
	assert_string_equal(identity_session(&identity), "ours");
	identity_set_origin(&identity, slice_make(longest, ORIGIN_MAX));
	identity_set_origin(&identity, slice_of("7F000001:CAFE_1.2/3+="));
	assert_string_equal(identity_session(&identity), "7F000001:CAFE_1.2/3+=");
	xfree(identity.origin);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_others),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
