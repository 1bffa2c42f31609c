/* SPDX-License-Identifier: BSD-2-Clause */
/* mechanism_test.c: each mechanism is found by its name and in the set of its kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mechanism.h"

static void
found_by_name(void **state)
{
	(void)state;
	for (int i = MECHANISM_NONE + 1; i < MECHANISM_COUNT; i++) {
		const struct mechanism_facts *facts = &mechanism_facts[i];

		assert_true(strlen(facts->name) <= MECHANISM_NAME_MAX);
		assert_int_equal(mechanism_find_any(slice_of(facts->name)), i);
		assert_int_equal(mechanism_find(slice_of(facts->name)),
		    (mechanisms_of_sasl() & MECHANISM_BIT(i)) != 0 ? i : MECHANISM_NONE);
		assert_true((mechanisms_of_kind(facts->kind) & MECHANISM_BIT(i)) != 0);
	}
	assert_int_equal(mechanism_find(slice_of("scram-sha-256")), MECHANISM_SCRAM_SHA_256);
	assert_int_equal(mechanism_find(slice_of("")), MECHANISM_NONE);
	assert_int_equal(mechanism_find(slice_of("PLAINX")), MECHANISM_NONE);
}

static void
kinds(void **state)
{
	(void)state;
	assert_int_equal(mechanisms_of_kind(CREDENTIAL_PASSWORD),
	    MECHANISM_BIT(MECHANISM_PLAIN) | MECHANISM_BIT(MECHANISM_LOGIN));
	assert_int_equal(mechanisms_of_kind(CREDENTIAL_CERTIFICATE), MECHANISM_BIT(MECHANISM_EXTERNAL));
	assert_int_equal(mechanisms_provable(), MECHANISM_BIT(MECHANISM_CRAM_MD5) |
	    MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) | MECHANISM_BIT(MECHANISM_APOP));
	assert_int_equal(mechanism_find(slice_of("APOP")), MECHANISM_NONE);
	assert_int_equal(mechanisms_of_sasl() & MECHANISM_BIT(MECHANISM_APOP), 0);
}

static void
what_can_be_shown(void **state)
{
	const unsigned passwords = mechanisms_of_kind(CREDENTIAL_PASSWORD);

	(void)state;
	assert_int_equal(mechanisms_to_show(0), passwords);
	assert_int_equal(mechanisms_to_show(MECHANISM_BIT(MECHANISM_CRAM_MD5)), passwords);
	assert_int_equal(mechanisms_to_show(MECHANISM_BIT(MECHANISM_XOAUTH2)),
	    passwords | MECHANISM_BIT(MECHANISM_XOAUTH2));
	assert_int_equal(mechanisms_to_show(~0U), passwords | mechanisms_of_kind(CREDENTIAL_TOKEN));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_name),
		cmocka_unit_test(kinds),
		cmocka_unit_test(what_can_be_shown),
	};

	return cmocka_run_group_tests_name("mechanism", tests, NULL, NULL);
}
