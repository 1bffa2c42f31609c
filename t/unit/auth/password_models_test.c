/* SPDX-License-Identifier: BSD-2-Clause */
/* password_models_test.c: what stands for the passwords that were seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/password_models.h"

#define BCRYPT_5 "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
#define BCRYPT_6 "{BLF-CRYPT}$2b$06$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
#define SHA256_CRYPT "{SHA256-CRYPT}$5$rounds=%d$saltsaltsaltsalt$Og/uMkG0GpSWDQFhE5MSCE0PNt2lMdSeIcnFRzzkEq/"
#define SCRAM "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void
see(struct password_models *models, const char *text, int times)
{
	struct password password;
	struct error error;

	assert_true(password_read(text, &password, &error));
	while (times-- > 0)
		password_models_see(models, text, &password);
}

static void
assert_typical(struct password_models *models, bool by_scram, const char *wanted)
{
	struct buf text = { 0 };

	assert_int_equal(password_models_typical(models, by_scram, &text), wanted != NULL);
	if (wanted != NULL)
		assert_string_equal(buf_data(&text), wanted);
	buf_wipe(&text);
}

static void
the_most_usual_stands_for_all(void **state)
{
	struct password_models *models = password_models_new();

	(void)state;
	assert_typical(models, false, NULL);
	see(models, "!", 5);
	assert_typical(models, false, NULL);
	see(models, BCRYPT_5, 2);
	assert_typical(models, false, BCRYPT_5);
	see(models, BCRYPT_6, 3);
	assert_typical(models, false, BCRYPT_6);
	assert_typical(models, true, NULL);
	see(models, SCRAM, 1);
	assert_typical(models, false, BCRYPT_6);
	assert_typical(models, true, SCRAM);
	/* no clear text is kept, and what costs nothing need not be */
	see(models, "{PLAIN}secret", 2);
	assert_typical(models, true, "{PLAIN}-");
	see(models, "{SHA256.HEX}9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 9);
	assert_typical(models, false, NULL);
	password_models_put(&models);
	assert_null(models);
}

static void
what_is_long_ago_is_forgotten(void **state)
{
	struct password_models *models = password_models_new();
	char text[128];

	(void)state;
	see(models, BCRYPT_6, 10000);
	see(models, BCRYPT_5, 100);
	assert_typical(models, false, BCRYPT_5);
	/* more classes than are kept */
	for (int rounds = 5001; rounds < 5100; rounds++) {
		snprintf(text, sizeof(text), SHA256_CRYPT, rounds);
		see(models, text, 1);
	}
	assert_typical(models, false, BCRYPT_5);
	password_models_put(&models);
}

static void
a_name_has_one_salt(void **state)
{
	struct password_models *models = password_models_new(), *same = password_models_get(models);
	struct password_models *other = password_models_new();
	uint8_t bob[DIGEST_SIZE_MAX], again[DIGEST_SIZE_MAX];
	uint8_t eve[DIGEST_SIZE_MAX], elsewhere[DIGEST_SIZE_MAX];

	(void)state;
	password_models_salt(models, slice_of("bob"), bob);
	password_models_put(&models);
	password_models_salt(same, slice_of("bob"), again);
	password_models_salt(same, slice_of("eve"), eve);
	password_models_salt(other, slice_of("bob"), elsewhere);
	assert_memory_equal(bob, again, sizeof(bob));
	assert_memory_not_equal(bob, eve, sizeof(bob));
	assert_memory_not_equal(bob, elsewhere, sizeof(bob));
	password_models_put(&same);
	password_models_put(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_usual_stands_for_all),
		cmocka_unit_test(what_is_long_ago_is_forgotten),
		cmocka_unit_test(a_name_has_one_salt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
