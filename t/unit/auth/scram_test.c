/* SPDX-License-Identifier: BSD-2-Clause */
/* scram_test.c: the exchange of RFC 7677 section 3, and what is no proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/scram.h"
#include "base/base64.h"

#define FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE "rOprNGfwEbeRWgbNEkqO" SERVER_NONCE
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
/* of the password "pencil" */
#define STORED \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

static void
take_stored(struct scram_secret *secret)
{
	*secret = (struct scram_secret){ .digest = DIGEST_SHA256 };
	assert_true(scram_secret_read(secret, slice_of(STORED)));
}

static void
take_password(struct scram_secret *secret, const char *password)
{
	*secret = (struct scram_secret){ .digest = DIGEST_SHA256, .rounds = SCRAM_ROUNDS };
	assert_true(base64_decode(slice_of("W22ZaJ0SNY7soEsUEjb6gQ=="), &secret->salt));
	assert_true(scram_secret_derive(secret, slice_of(password)));
}

static void
expect(struct buf *message, const char *wanted)
{
	*buf_reserve(message, 1) = '\0';
	assert_string_equal(buf_data(message), wanted);
	buf_clear(message);
}

static bool
exchange(const struct scram_secret *secret, const char *first, const char *final)
{
	struct scram scram = { 0 };
	struct buf challenge = { 0 }, signature = { 0 };
	bool ok;

	assert_true(scram_begin(&scram, slice_of(first), secret, slice_of(SERVER_NONCE), &challenge));
	expect(&challenge, "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	ok = scram_verify(&scram, slice_of(final), secret, &signature);
	if (ok)
		expect(&signature, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	assert_int_equal(buf_len(&signature), 0);
	scram_clear(&scram);
	return ok;
}

static void
the_exchange_of_the_rfc(void **state)
{
	struct scram_secret secret;

	(void)state;
	take_stored(&secret);
	assert_true(exchange(&secret, FIRST, "c=biws,r=" NONCE ",p=" PROOF));
	scram_secret_wipe(&secret);
	take_password(&secret, "pencil");
	assert_true(exchange(&secret, FIRST, "c=biws,r=" NONCE ",p=" PROOF));
	scram_secret_wipe(&secret);
	take_password(&secret, "pencils");
	assert_false(exchange(&secret, FIRST, "c=biws,r=" NONCE ",p=" PROOF));
	scram_secret_wipe(&secret);
}

static void
what_is_no_proof(void **state)
{
	static const struct {
		const char *first, *final;
	} rows[] = {
		{ FIRST, "" },
		{ FIRST, "," },
		{ FIRST, "p=" PROOF },
		{ FIRST, "c=biws,r=" NONCE },
		{ FIRST, "c=biws,r=" NONCE ",p=" },
		{ FIRST, "c=biws,r=" NONCE ",p=" PROOF "," },
		{ FIRST, "c=biws,r=" NONCE ",p=" PROOF ",x=y" },
		{ FIRST, "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU=" },
		{ FIRST, "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndQ==" },
		/* another channel, or another header than before */
		{ FIRST, "c=eSws,r=" NONCE ",p=" PROOF },
		{ FIRST, "c=,r=" NONCE ",p=" PROOF },
		{ "y,,n=user,r=rOprNGfwEbeRWgbNEkqO", "c=biws,r=" NONCE ",p=" PROOF },
		{ "n,a=user,n=user,r=rOprNGfwEbeRWgbNEkqO", "c=biws,r=" NONCE ",p=" PROOF },
		/* another nonce, or a part of it */
		{ FIRST, "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" PROOF },
		{ FIRST, "c=biws,r=" NONCE "x,p=" PROOF },
		{ FIRST, "r=" NONCE ",c=biws,p=" PROOF },
		/* not what was signed, and what must be understood */
		{ FIRST, "c=biws,r=" NONCE ",x=y,p=" PROOF },
		{ FIRST, "c=biws,r=" NONCE ",m=y,p=" PROOF },
		{ "n,,n=tim,r=rOprNGfwEbeRWgbNEkqO", "c=biws,r=" NONCE ",p=" PROOF },
		{ FIRST ",x=y", "c=biws,r=" NONCE ",p=" PROOF },
	};
	struct scram_secret secret;

	(void)state;
	take_stored(&secret);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (exchange(&secret, rows[i].first, rows[i].final))
			fail_msg("row %zu is taken", i);
	scram_secret_wipe(&secret);
}

/* What a client sends who knows the password, with whatever extensions. */
static bool
prove(const struct scram_secret *secret, const char *first, const char *without_proof)
{
	struct buf messages = { 0 }, final = { 0 };
	uint8_t salted[DIGEST_SIZE_MAX], key[DIGEST_SIZE_MAX], signature[DIGEST_SIZE_MAX];
	struct slice stored = { (const char *)secret->stored_key, DIGEST_SHA256_SIZE };
	struct slice salted_key = { (const char *)salted, DIGEST_SHA256_SIZE };
	struct scram scram = { 0 };
	bool ok;

	buf_printf(&messages, "%s,r=%s,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,%s", strstr(first, "n=user"), NONCE,
	    without_proof);
	digest_pbkdf2(DIGEST_SHA256, slice_of("pencil"), buf_slice(&secret->salt), secret->rounds, salted);
	digest_hmac(DIGEST_SHA256, salted_key, slice_of("Client Key"), key);
	digest_hmac(DIGEST_SHA256, stored, buf_slice(&messages), signature);
	for (size_t i = 0; i < DIGEST_SHA256_SIZE; i++)
		key[i] ^= signature[i];
	buf_printf(&final, "%s,p=", without_proof);
	base64_encode(slice_make((const char *)key, DIGEST_SHA256_SIZE), &final);
	buf_clear(&messages);
	assert_true(scram_begin(&scram, slice_of(first), secret, slice_of(SERVER_NONCE), &messages));
	buf_clear(&messages);
	ok = scram_verify(&scram, buf_slice(&final), secret, &messages);
	buf_clear(&messages);
	buf_clear(&final);
	scram_clear(&scram);
	return ok;
}

static void
extensions_are_ignored_but_for_mandatory_ones(void **state)
{
	struct scram_secret secret;

	(void)state;
	take_stored(&secret);
	assert_true(prove(&secret, FIRST, "c=biws,r=" NONCE));
	assert_true(prove(&secret, FIRST ",x=y", "c=biws,r=" NONCE ",x=y,z=="));
	assert_true(prove(&secret, "y,,n=user,r=rOprNGfwEbeRWgbNEkqO", "c=eSws,r=" NONCE));
	assert_false(prove(&secret, FIRST, "c=biws,r=" NONCE ",m=y"));
	assert_false(prove(&secret, FIRST, "c=eSws,r=" NONCE));
	assert_false(prove(&secret, FIRST, "c=biws,r=" NONCE "x"));
	scram_secret_wipe(&secret);
}

static void
first_messages_have_a_name_and_a_nonce(void **state)
{
	static const char *const bad[] = {
		"", "n", "n,,", "n,,n=user", "n,,n=user,", "n,,n=user,r=", "n,,n=user,r=a b",
		"n,,n=user,r=\x7f",
		"n,,n=user,x=y,r=abc", "n,,r=abc,n=user", "n,,m=x,n=user,r=abc",
	};
	struct scram_secret secret;

	(void)state;
	take_stored(&secret);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scram scram = { 0 };
		struct buf challenge = { 0 };

		if (scram_begin(&scram, slice_of(bad[i]), &secret, slice_of(SERVER_NONCE), &challenge))
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(buf_len(&challenge), 0);
		scram_clear(&scram);
	}
	scram_secret_wipe(&secret);
}

static void
what_is_kept_is_whole(void **state)
{
	static const char *const bad[] = {
		"", "4096", "4096,W22ZaJ0SNY7soEsUEjb6gQ==",
		"0,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"4096,W22ZaJ0SNY7soEsUEjb6gQ=,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=",
		"4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPL",
		STORED ",", STORED "x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scram_secret secret = { .digest = DIGEST_SHA256 };

		if (scram_secret_read(&secret, slice_of(bad[i])))
			fail_msg("%s is taken", bad[i]);
		scram_secret_wipe(&secret);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exchange_of_the_rfc),
		cmocka_unit_test(what_is_no_proof),
		cmocka_unit_test(extensions_are_ignored_but_for_mandatory_ones),
		cmocka_unit_test(first_messages_have_a_name_and_a_nonce),
		cmocka_unit_test(what_is_kept_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
