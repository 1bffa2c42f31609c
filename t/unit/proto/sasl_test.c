/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl_test.c: the mechanisms, what they refuse, and that nothing of a try is left for the next. */
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
	return sasl_start(&sasl, mechanism_find(slice_of(mechanism)), initial, &credentials, &challenge);
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
	assert_int_equal(credentials.mechanism, MECHANISM_PLAIN);
	assert_int_equal(sasl.mechanism, MECHANISM_NONE);
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
		assert_int_equal(sasl.mechanism, MECHANISM_NONE);
		assert_int_equal(credentials.mechanism, MECHANISM_NONE);
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
	assert_int_equal(credentials.mechanism, MECHANISM_LOGIN);
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
	assert_int_equal(start("GSSAPI", NULL), SASL_UNKNOWN);
	expect("", "", "");
	assert_int_equal(start("", NULL), SASL_UNKNOWN);
	assert_int_equal(start("PLAINX", NULL), SASL_UNKNOWN);
}

static void
tokens(void **state)
{
	static const struct slice xoauth2 = BYTES("user=bob\1auth=Bearer abc.D-1\1\1"),
				  oauthbearer = BYTES("n,a=b=2Co=3Db,\1host=x\1port=1\1auth=bearer abc\1\1");
	struct buf again = { 0 };

	(void)state;
	assert_int_equal(start("XOAUTH2", NULL), SASL_CHALLENGE);
	assert_int_equal(step(xoauth2), SASL_DONE);
	expect("", "bob", "abc.D-1");
	assert_int_equal(credentials.mechanism, MECHANISM_XOAUTH2);
	sasl_write_initial(&credentials, &again);
	assert_int_equal(buf_len(&again), xoauth2.len);
	assert_memory_equal(buf_data(&again), xoauth2.data, xoauth2.len);
	assert_int_equal(sasl_answer_refusal(&credentials).len, 0);
	buf_clear(&again);

	assert_int_equal(start("OAUTHBEARER", &oauthbearer), SASL_DONE);
	expect("", "b,o=b", "abc");
	sasl_write_initial(&credentials, &again);
	assert_true(slice_equals(buf_slice(&again), "n,a=b=2Co=3Db,\1auth=Bearer abc\1\1"));
	assert_true(slice_equals(sasl_answer_refusal(&credentials), "\1"));
	buf_clear(&again);
}

static void
tokens_malformed(void **state)
{
	static const struct slice xoauth2[] = { BYTES(""), BYTES("user=\1auth=Bearer x\1\1"),
		BYTES("user=bob\1"), BYTES("user=bob\1auth=Basic x\1\1"),
		BYTES("user=bob\1auth=Bearer \1\1"), BYTES("user=bob\1auth=Bearer a b\1\1"),
		BYTES("user=b\nob\1auth=Bearer x\1\1"),
		BYTES("user=bob\1auth=Bearer x\ry\1\1"), BYTES("bob\1auth=Bearer x\1\1") };
	static const struct slice oauthbearer[] = { BYTES(""), BYTES("n,,\1auth=Bearer x\1\1"),
		BYTES("p=tls-unique,a=bob,\1auth=Bearer x\1\1"), BYTES("n,a=bob\1auth=Bearer x\1\1"),
		BYTES("n,a=b=2Xb,\1auth=Bearer x\1\1"),
		BYTES("n,a=bob\1x,\1auth=Bearer x\1\1"), BYTES("n,a=bob,auth=Bearer x\1\1") };

	(void)state;
	for (size_t i = 0; i < sizeof(xoauth2) / sizeof(xoauth2[0]); i++)
		assert_int_equal(start("XOAUTH2", &xoauth2[i]), SASL_MALFORMED);
	for (size_t i = 0; i < sizeof(oauthbearer) / sizeof(oauthbearer[0]); i++)
		assert_int_equal(start("OAUTHBEARER", &oauthbearer[i]), SASL_MALFORMED);
	expect("", "", "");
}

static void
cram_md5(void **state)
{
	static const struct slice answer = BYTES("alice smith 0123456789abcdef0123456789abcdef");
	static const struct slice bad[] = { BYTES(""), BYTES("alice"), BYTES(" digest"), BYTES("al\0ice x") };

	(void)state;
	sasl.hostname = "mail.example";
	assert_int_equal(start("CRAM-MD5", NULL), SASL_CHALLENGE);
	assert_true(slice_has_prefix(buf_slice(&challenge), "<"));
	assert_non_null(memmem(buf_data(&challenge), buf_len(&challenge), "@mail.example>", 14));
	assert_int_equal(step(answer), SASL_DONE);
	expect("", "alice smith", "");
	assert_int_equal(credentials.mechanism, MECHANISM_CRAM_MD5);
	assert_true(slice_equals(buf_slice(&credentials.response), "0123456789abcdef0123456789abcdef"));
	assert_true(buf_len(&credentials.challenge) > 0);
	assert_int_equal(start("CRAM-MD5", &answer), SASL_MALFORMED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sasl.hostname = "mail.example";
		assert_int_equal(start("CRAM-MD5", NULL), SASL_CHALLENGE);
		assert_int_equal(step(bad[i]), SASL_MALFORMED);
	}
}

static void
scram_and_external(void **state)
{
	static const struct slice first = BYTES("n,a=bob,n=al=2Cice,r=nonce"), last = BYTES("c=biws,r=x,p=y");
	static const struct slice nothing = BYTES(""), name = BYTES("bob");
	static const struct slice bad[] = { BYTES(""), BYTES("n,,"), BYTES("n,,n=,r=x"),
		BYTES("n,,m=x,n=a,r=x"), BYTES("p=tls-exporter,,n=a,r=x"), BYTES("n=a,r=x"),
		BYTES("n,b,n=a,r=x") };

	(void)state;
	assert_int_equal(start("SCRAM-SHA-256", &first), SASL_ASK);
	expect("bob", "al,ice", "");
	assert_int_equal(credentials.mechanism, MECHANISM_SCRAM_SHA_256);
	assert_int_equal(step(last), SASL_RESPONSE);
	assert_true(slice_equals(buf_slice(&credentials.response), last.data));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(start("SCRAM-SHA-256", &bad[i]), SASL_MALFORMED);
	assert_int_equal(start("EXTERNAL", &nothing), SASL_DONE);
	assert_int_equal(credentials.mechanism, MECHANISM_EXTERNAL);
	expect("", "", "");
	assert_int_equal(start("EXTERNAL", NULL), SASL_CHALLENGE);
	assert_int_equal(step(name), SASL_DONE);
	expect("bob", "", "");
}

/* What others lead goes to them as it came: they know what it means. */
static void
led(void **state)
{
	static const struct slice nothing = BYTES(""), any = BYTES("\0any\r\nthing\xff");
	static const char *const names[] = { "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "DIGEST-MD5", "NTLM",
		"GSSAPI", "GSS-SPNEGO", "OTP", "ANONYMOUS" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		sasl = (struct sasl){ .is_led = true };
		assert_int_equal(start(names[i], NULL), SASL_ASK);
		assert_int_equal(credentials.mechanism, mechanism_find(slice_of(names[i])));
		assert_false(credentials.has_initial);
		assert_int_equal(buf_len(&credentials.response) + buf_len(&challenge), 0);
		assert_int_equal(start(names[i], &nothing), SASL_ASK);
		assert_true(credentials.has_initial);
		assert_int_equal(buf_len(&credentials.response), 0);
		assert_int_equal(start(names[i], &any), SASL_ASK);
		assert_int_equal(buf_len(&credentials.response), any.len);
		assert_memory_equal(buf_data(&credentials.response), any.data, any.len);
		expect("", "", "");
		for (int round = 0; round < 3; round++) {
			assert_int_equal(step(slice_of("more")), SASL_RESPONSE);
			assert_true(slice_equals(buf_slice(&credentials.response), "more"));
			assert_int_equal(step(nothing), SASL_RESPONSE);
			assert_int_equal(buf_len(&credentials.response), 0);
		}
		assert_true(credentials.has_initial);
	}
}

/* Servers want passwords and tokens, and nobody leads where nobody said so. */
static void
what_is_not_led(void **state)
{
	static const struct slice good = BYTES("\0alice\0wonder");
	static const char *const names[] = { "SCRAM-SHA-1", "DIGEST-MD5", "NTLM", "GSSAPI", "GSS-SPNEGO",
		"OTP", "ANONYMOUS", "APOP" };

	(void)state;
	sasl = (struct sasl){ .is_led = true };
	assert_int_equal(start("PLAIN", &good), SASL_DONE);
	expect("", "alice", "wonder");
	assert_int_equal(sasl.mechanism, MECHANISM_NONE);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		sasl = (struct sasl){ 0 };
		assert_int_equal(start(names[i], &good), SASL_UNKNOWN);
		assert_int_equal(sasl.mechanism, MECHANISM_NONE);
		expect("", "", "");
	}
}

static void
long_messages_are_not_passed_on(void **state)
{
	enum { MOST = SASL_LINE_MAX / 4 * 3 };
	static char message[MOST + 1];
	const struct slice most = slice_make(message, MOST), more = slice_make(message, MOST + 1);

	(void)state;
	sasl = (struct sasl){ .is_led = true };
	assert_int_equal(start("GSSAPI", &most), SASL_ASK);
	assert_int_equal(step(most), SASL_RESPONSE);
	assert_int_equal(buf_len(&credentials.response), MOST);
	assert_int_equal(step(more), SASL_MALFORMED);
	assert_int_equal(buf_len(&credentials.response), 0);
	assert_int_equal(sasl.mechanism, MECHANISM_NONE);
	sasl = (struct sasl){ .is_led = true };
	assert_int_equal(start("GSSAPI", &more), SASL_MALFORMED);
	assert_int_equal(sasl.mechanism, MECHANISM_NONE);
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
	sasl_list(mechanisms_of_kind(CREDENTIAL_PASSWORD), "AUTH=", &out);
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
		cmocka_unit_test_teardown(tokens, clear),
		cmocka_unit_test_teardown(tokens_malformed, clear),
		cmocka_unit_test_teardown(cram_md5, clear),
		cmocka_unit_test_teardown(scram_and_external, clear),
		cmocka_unit_test_teardown(led, clear),
		cmocka_unit_test_teardown(what_is_not_led, clear),
		cmocka_unit_test_teardown(long_messages_are_not_passed_on, clear),
		cmocka_unit_test_teardown(lengths, clear),
		cmocka_unit_test_teardown(list, clear),
	};

	return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
