/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_test.c: PLAIN and LOGIN, what they refuse, and that nothing of a try is left for the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sasl.h"

#define BYTES(text) { (text), sizeof(text) - 1 }

static struct sasl sasl;
static struct credentials credentials;
static struct buf challenge;

static enum sasl_result
start(const char *mechanism, const struct slice *initial)
{
	buf_clear(&challenge);
	return sasl_start(&sasl, slice_of(mechanism), initial, &credentials, &challenge);
}

static enum sasl_result
step(struct slice response)
{
	buf_clear(&challenge);
	return sasl_step(&sasl, response, &credentials, &challenge);
}

static void
expect(const char *authzid, const char *user, const char *password)
{
	assert_true(slice_equals(buf_slice(&credentials.authzid), authzid));
	assert_true(slice_equals(buf_slice(&credentials.user), user));
	assert_true(slice_equals(buf_slice(&credentials.password), password));
}

static int
clear(void **state)
{
	(void)state;
	credentials_wipe(&credentials);
	buf_clear(&challenge);
	return 0;
}

static void
plain(void **state)
{
	static const struct slice good = BYTES("\0alice\0wonder"), master = BYTES("bob\0alice\0wonder"),
				  self = BYTES("alice\0alice\0wonder"), empty = BYTES("\0alice\0");

	(void)state;
	assert_int_equal(start("PLAIN", &good), SASL_DONE);
	expect("", "alice", "wonder");
	assert_string_equal(credentials.mechanism, "PLAIN");
	assert_null(sasl.mechanism);
	assert_int_equal(start("plain", &master), SASL_DONE);
	expect("bob", "alice", "wonder");
	assert_int_equal(start("PLAIN", &self), SASL_DONE);
	expect("", "alice", "wonder");
	assert_int_equal(start("PLAIN", &empty), SASL_DONE);
	expect("", "alice", "");
	assert_int_equal(start("PLAIN", NULL), SASL_CHALLENGE);
	assert_int_equal(buf_len(&challenge), 0);
	expect("", "", "");
	assert_int_equal(step(good), SASL_DONE);
	expect("", "alice", "wonder");
}

static void
plain_malformed(void **state)
{
	static const struct slice bad[] = { BYTES(""), BYTES("x"), BYTES("\0"), BYTES("\0\0"),
		BYTES("\0\0\0"), BYTES("\0\0x"), BYTES("\0a"), BYTES("\0a\0b\0"), BYTES("\0a\0b\0c"),
		BYTES("\0a\nb\0c"), BYTES("\0a\0b\r"), BYTES("x\r\0a\0b") };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(start("PLAIN", &bad[i]), SASL_MALFORMED);
		expect("", "", "");
		assert_null(sasl.mechanism);
		assert_null(credentials.mechanism);
	}
}

static void
login(void **state)
{
	const struct slice name = slice_of("alice"), nobody = slice_of("");

	(void)state;
	assert_int_equal(start("LOGIN", NULL), SASL_CHALLENGE);
	assert_true(slice_equals(buf_slice(&challenge), "Username:"));
	assert_int_equal(step(name), SASL_CHALLENGE);
	assert_true(slice_equals(buf_slice(&challenge), "Password:"));
	assert_int_equal(step(slice_of("wonder")), SASL_DONE);
	expect("", "alice", "wonder");
	assert_string_equal(credentials.mechanism, "LOGIN");
	assert_int_equal(start("LOGIN", &name), SASL_CHALLENGE);
	assert_true(slice_equals(buf_slice(&challenge), "Password:"));
	assert_int_equal(step(slice_of("")), SASL_DONE);
	expect("", "alice", "");
	assert_int_equal(start("LOGIN", &nobody), SASL_MALFORMED);
	assert_int_equal(start("LOGIN", NULL), SASL_CHALLENGE);
	assert_int_equal(step(slice_make("a\0b", 3)), SASL_MALFORMED);
	assert_int_equal(start("LOGIN", &name), SASL_CHALLENGE);
	assert_int_equal(step(slice_make("a\nb", 3)), SASL_MALFORMED);
	expect("", "", "");
}

static void
another_mechanism_after_half_a_try(void **state)
{
	static const struct slice name = BYTES("mallory"), good = BYTES("\0alice\0wonder");

	(void)state;
	assert_int_equal(start("LOGIN", &name), SASL_CHALLENGE);
	assert_int_equal(start("PLAIN", &good), SASL_DONE);
	expect("", "alice", "wonder");
	assert_int_equal(start("CRAM-MD5", NULL), SASL_UNKNOWN);
	expect("", "", "");
	assert_int_equal(start("", NULL), SASL_UNKNOWN);
	assert_int_equal(start("PLAINX", NULL), SASL_UNKNOWN);
}

static void
lengths(void **state)
{
	char name[CREDENTIAL_MAX + 2];
	struct buf message = { 0 };
	struct slice all;

	(void)state;
	memset(name, 'n', sizeof(name));
	buf_append(&message, "", 1);
	buf_append(&message, name, CREDENTIAL_MAX);
	buf_append(&message, "\0p", 2);
	all = buf_slice(&message);
	assert_int_equal(start("PLAIN", &all), SASL_DONE);
	assert_int_equal(buf_len(&credentials.user), CREDENTIAL_MAX);
	buf_clear(&message);
	buf_append(&message, "", 1);
	buf_append(&message, name, CREDENTIAL_MAX + 1);
	buf_append(&message, "\0p", 2);
	all = buf_slice(&message);
	assert_int_equal(start("PLAIN", &all), SASL_MALFORMED);
	buf_clear(&message);
	all = slice_make(name, CREDENTIAL_MAX + 1);
	assert_int_equal(start("LOGIN", &all), SASL_MALFORMED);
}

static void
list(void **state)
{
	struct buf out = { 0 };

	(void)state;
	sasl_list("AUTH=", &out);
	assert_true(slice_equals(buf_slice(&out), "AUTH=PLAIN AUTH=LOGIN"));
	buf_clear(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(plain, clear),
		cmocka_unit_test_teardown(plain_malformed, clear),
		cmocka_unit_test_teardown(login, clear),
		cmocka_unit_test_teardown(another_mechanism_after_half_a_try, clear),
		cmocka_unit_test_teardown(lengths, clear),
		cmocka_unit_test_teardown(list, clear),
	};

	return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
