/* SPDX-License-Identifier: BSD-2-Clause */
/* credentials_test.c: what a name or a password may be, and that a wiped set is ready for the next try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/credentials.h"

static void
valid_values(void **state)
{
	char longest[CREDENTIAL_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(credential_is_valid(slice_of("")));
	assert_true(credential_is_valid(slice_of("j\xc3\xb6rg \"\\%{}\t\x7f")));
	assert_true(credential_is_valid(slice_make(longest, CREDENTIAL_MAX)));
	assert_false(credential_is_valid(slice_make(longest, CREDENTIAL_MAX + 1)));
	assert_false(credential_is_valid(slice_make("a\0b", 3)));
	assert_false(credential_is_valid(slice_make("a\r", 2)));
	assert_false(credential_is_valid(slice_make("\nb", 2)));
}

static void
valid_tokens(void **state)
{
	static char longest[TOKEN_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(token_is_valid(slice_of("eyJ.a-b_c~+/=")));
	assert_true(token_is_valid(slice_make(longest, TOKEN_MAX)));
	assert_false(token_is_valid(slice_make(longest, TOKEN_MAX + 1)));
	assert_false(token_is_valid(slice_of("")));
	assert_false(token_is_valid(slice_of("a b")));
	assert_false(token_is_valid(slice_of("a\r\nb")));
	assert_false(token_is_valid(slice_of("j\xc3\xb6rg")));
}

static void
wiped_for_the_next_try(void **state)
{
	struct credentials credentials = { .mechanism = MECHANISM_XOAUTH2 };

	(void)state;
	buf_append_text(&credentials.user, "alice");
	buf_append_text(&credentials.authzid, "bob");
	buf_append_text(&credentials.password, "wonder");
	buf_append_text(&credentials.challenge, "<x>");
	buf_append_text(&credentials.response, "y");
	credentials_wipe(&credentials);
	assert_int_equal(credentials.mechanism, MECHANISM_NONE);
	assert_null(credentials.user.data);
	assert_null(credentials.authzid.data);
	assert_null(credentials.password.data);
	assert_null(credentials.challenge.data);
	assert_null(credentials.response.data);
	buf_append_text(&credentials.user, "carol");
	assert_true(slice_equals(buf_slice(&credentials.user), "carol"));
	credentials_wipe(&credentials);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_values),
		cmocka_unit_test(valid_tokens),
		cmocka_unit_test(wiped_for_the_next_try),
	};

	return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
