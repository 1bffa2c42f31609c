/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_file_proof_test.c: proofs and certificates before a user file: CRAM-MD5, APOP, SCRAM, EXTERNAL. */
#include "user_file_rig.h"

#include "base/base64.h"
#include "base/digest.h"

/* As sasl.c does it. */
static void
proof_begin(struct question *question, const struct rig *rig, const char *user,
    enum mechanism mechanism)
{
	question_begin(question, rig, user, "");
	question->credentials.mechanism = mechanism;
}

/* The exchange of RFC 2195, and what is none. */
static void
digests_are_judged_by_the_password(void **state)
{
	static const char challenge[] = "<1896.697170952@postoffice.reston.mci.net>";
	static const char right[] = "b913a602c7eda7a495b4e6e7334d3890";
	static const struct {
		const char *user, *authzid, *digest;
		enum auth_verdict verdict;
	} rows[] = {
		{ "tim", "", right, AUTH_OK },
		{ "tim", "", "b913a602c7eda7a495b4e6e7334d3891", AUTH_REFUSED },
		{ "tim", "", "b913a602c7eda7a495b4e6e7334d38", AUTH_REFUSED },
		{ "tim", "", "", AUTH_REFUSED },
		{ "tim", "", "tanstaaftanstaaf", AUTH_REFUSED },
		{ "tim", "other", right, AUTH_REFUSED },
		{ "kept", "", right, AUTH_OK },
		{ "kept", "", "b913a602c7eda7a495b4e6e7334d3891", AUTH_REFUSED },
		{ "other", "", right, AUTH_REFUSED },
		{ "nobody", "", right, AUTH_REFUSED },
		{ "slow", "", right, AUTH_REFUSED },
		{ "eve", "", right, AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a",
	    "kept:{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca"
	    "3e035e7015116b\n"
	    "tim:{PLAIN}tanstaaftanstaaf\nother:{CLEAR}x\nslow:" SLOW "\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		proof_begin(&question, rig, rows[i].user, MECHANISM_CRAM_MD5);
		buf_append_text(&question.credentials.authzid, rows[i].authzid);
		buf_append_text(&question.credentials.challenge, challenge);
		buf_append_text(&question.credentials.response, rows[i].digest);
		auth_start(&question.request);
		assert_int_equal(question.answers, 1);
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
	}
}

/* The exchange of RFC 1939. */
static void
apop_is_judged_by_passwords_in_the_clear(void **state)
{
	static const char timestamp[] = "<1896.697170952@dbc.mtview.ca.us>";
	static const char right[] = "c4c9334bac560ecc979e58001b3e22fb";
	static const struct {
		const char *user, *timestamp, *digest;
		enum auth_verdict verdict;
	} rows[] = {
		{ "mrose", timestamp, right, AUTH_OK },
		{ "mrose", timestamp, "C4C9334BAC560ECC979E58001B3E22FB", AUTH_OK },
		{ "mrose", timestamp, "c4c9334bac560ecc979e58001b3e22fc", AUTH_REFUSED },
		{ "mrose", "<1896.697170953@dbc.mtview.ca.us>", right, AUTH_REFUSED },
		{ "mrose", timestamp, "", AUTH_REFUSED },
		{ "mrose", timestamp, "tanstaaf", AUTH_REFUSED },
		{ "kept", timestamp, right, AUTH_REFUSED },
		{ "other", timestamp, right, AUTH_REFUSED },
		{ "nobody", timestamp, right, AUTH_REFUSED },
		{ "eve", timestamp, right, AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a",
	    "kept:{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca"
	    "3e035e7015116b\nmrose:{PLAIN}tanstaaf\nother:{CLEAR}x\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a; mechanisms APOP }");
	assert_int_equal(auth_mechanisms(&rig->auths), MECHANISM_BIT(MECHANISM_APOP));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		proof_begin(&question, rig, rows[i].user, MECHANISM_APOP);
		buf_append_text(&question.credentials.challenge, rows[i].timestamp);
		buf_append_text(&question.credentials.response, rows[i].digest);
		auth_start(&question.request);
		assert_int_equal(question.answers, 1);
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
	}
}

/* "pencil" */
#define STORED \
	"{SCRAM-SHA-256}5000,W22ZaJ0SNY7soEsUEjb6gQ==,/EC3e5ZXre2/l6rs6ZVsJE5j5w7aT7J15OmJhYPDXDE=," \
	"CXqv0nIwwfL0t5miZlCLOsfMrIQ5JTXBzhkVn7j/tmM="

/* "x" */
#define CONTEXTS "{CRAM-MD5}4638c77f1a70c6fda4ddfa6fbe34e6ee090a0f0088f15da8fed5e0a5ff2b4152"

static struct slice
find_value(const char *message, const char *name)
{
	const char *at = strstr(message, name);

	assert_non_null(at);
	return slice_make(at + strlen(name), strcspn(at + strlen(name), ","));
}

static struct slice
key_slice(const uint8_t key[DIGEST_SIZE_MAX])
{
	return slice_make((const char *)key, DIGEST_SHA256_SIZE);
}

/* What a client answers that has this password. */
static void
write_final(const char *bare, const char *server_first, const char *password, struct buf *out)
{
	uint8_t salted[DIGEST_SIZE_MAX], key[DIGEST_SIZE_MAX], stored[DIGEST_SIZE_MAX], sign[DIGEST_SIZE_MAX];
	struct buf salt = { 0 }, messages = { 0 };
	uint64_t rounds;

	assert_true(slice_to_number(find_value(server_first, ",i="), 1000000, &rounds));
	assert_true(base64_decode(find_value(server_first, ",s="), &salt));
	assert_true(digest_pbkdf2(DIGEST_SHA256, slice_of(password), buf_slice(&salt), (int)rounds, salted));
	assert_true(digest_hmac(DIGEST_SHA256, key_slice(salted), slice_of("Client Key"), key));
	digest_sha256(key, DIGEST_SHA256_SIZE, stored);
	buf_printf(out, "c=biws,r=%.*s", SLICE_ARGS(find_value(server_first, "r=")));
	buf_printf(&messages, "%s,%s,%.*s", bare, server_first, SLICE_ARGS(buf_slice(out)));
	assert_true(digest_hmac(DIGEST_SHA256, key_slice(stored), buf_slice(&messages), sign));
	for (size_t i = 0; i < DIGEST_SHA256_SIZE; i++)
		key[i] ^= sign[i];
	buf_append_text(out, ",p=");
	base64_encode(key_slice(key), out);
	buf_clear(&salt);
	buf_clear(&messages);
}

static void
scram_begin_as(struct question *question, const struct rig *rig, const char *user, const char *authzid)
{
	proof_begin(question, rig, user, MECHANISM_SCRAM_SHA_256);
	buf_append_text(&question->credentials.authzid, authzid);
	buf_printf(&question->credentials.response, "n,,n=%s,r=abc", user);
	auth_start(&question->request);
	assert_int_equal(question->challenges, 1);
	assert_int_equal(question->answers, 0);
}

static void
respond(struct question *question, const char *response)
{
	int heard = question->challenges + question->answers;

	buf_wipe(&question->credentials.response);
	buf_append_text(&question->credentials.response, response);
	auth_respond(&question->request);
	if (question->challenges + question->answers == heard)
		loop_run(question->loop);
}

static void
respond_by(struct question *question, const char *user, const char *password)
{
	struct buf bare = { 0 }, final = { 0 };

	buf_printf(&bare, "n=%s,r=abc", user);
	*buf_reserve(&bare, 1) = '\0';
	write_final(buf_data(&bare), question->challenge, password, &final);
	*buf_reserve(&final, 1) = '\0';
	respond(question, buf_data(&final));
	buf_clear(&bare);
	buf_clear(&final);
}

static void
scram_is_judged_by_what_is_kept(void **state)
{
	static const struct {
		const char *user, *authzid, *password;
		bool is_proved;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", "", "secret", true, AUTH_OK },
		{ "bob", "bob", "secret", true, AUTH_OK },
		{ "bob", "tim", "secret", false, AUTH_REFUSED },
		{ "bob", "", "wrong", false, AUTH_REFUSED },
		{ "tim", "", "pencil", true, AUTH_OK },
		{ "tim", "", "secret", false, AUTH_REFUSED },
		{ "nobody", "", "secret", false, AUTH_REFUSED },
		{ "nobody", "", "pencil", false, AUTH_REFUSED },
		{ "slow", "", "secret", false, AUTH_REFUSED },
		{ "eve", "", "secret", false, AUTH_REFUSED },
		{ "shut", "", "secret", true, AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:{PLAIN}secret:user=robert\ntim:" STORED "\nslow:" SLOW "\neve:!\n"
			      "shut:{PLAIN}secret:nologin reason=Moved\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		scram_begin_as(&question, rig, rows[i].user, rows[i].authzid);
		respond_by(&question, rows[i].user, rows[i].password);
		/* who has not proved anything is shown nothing */
		assert_int_equal(question.answers, rows[i].is_proved ? 0 : 1);
		if (question.answers == 0) {
			assert_memory_equal(question.challenge, "v=", 2);
			respond(&question, "");
		}
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
		assert_string_equal(question.user, rows[i].verdict == AUTH_OK && *rows[i].user == 'b' ?
		    "robert" : "");
		assert_true((strcmp(question.reason, "Moved") == 0) == (strcmp(rows[i].user, "shut") == 0));
	}
}

static void
scram_wants_its_messages(void **state)
{
	static const char *const firsts[] = { "n,,n=bob", "n,,n=nobody", "n,,n=bob,x=y" };
	static const char *const finals[] = { "", "x", "c=biws,r=abc,p=AAAA", "v=AAAA" };
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		proof_begin(&question, rig, "bob", MECHANISM_SCRAM_SHA_256);
		buf_append_text(&question.credentials.response, firsts[i]);
		auth_start(&question.request);
		assert_int_equal(question_end(&question), AUTH_REFUSED);
	}
	for (size_t i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		scram_begin_as(&question, rig, "bob", "");
		respond(&question, finals[i]);
		assert_int_equal(question_end(&question), AUTH_REFUSED);
	}
	scram_begin_as(&question, rig, "bob", "");
	respond_by(&question, "bob", "secret");
	assert_int_equal(question.challenges, 2);
	respond(&question, "more");
	assert_int_equal(question_end(&question), AUTH_REFUSED);
}

/* Salt and rounds as the user of the name is shown them. */
static void
challenge_of(const struct rig *rig, const char *user, char out[256])
{
	struct question question;

	scram_begin_as(&question, rig, user, "");
	assert_memory_equal(question.challenge, "r=abc", 5);
	assert_int_equal(find_value(question.challenge, "r=").len, 3 + 24);
	snprintf(out, 256, "%s", strchr(question.challenge, ','));
	auth_cancel(&question.request);
	credentials_wipe(&question.credentials);
}

static void
strangers_are_challenged_as_users_are(void **state)
{
	static const char *const users[] = { "tim", "bob", "slow", "eve", "nobody" };
	enum { USERS = sizeof(users) / sizeof(users[0]) };
	struct rig *rig = *state;
	char first[USERS][256], again[256];

	write_users(rig, "a", "bob:{PLAIN}x\ntim:" STORED "\njim:" STORED "\nslow:" SLOW "\neve:!\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < USERS; i++) {
		challenge_of(rig, users[i], first[i]);
		challenge_of(rig, users[i], again);
		assert_string_equal(first[i], again);
		assert_int_equal(strlen(first[i]), strlen(first[0]));
		assert_string_equal(strstr(first[i], ",i="), ",i=5000");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(first[i], first[k]);
	}
	assert_non_null(strstr(first[0], ",s=W22ZaJ0SNY7soEsUEjb6gQ==,"));
}

static void
scram_can_be_cancelled_at_any_time(void **state)
{
	struct rig *rig = *state;
	struct question question, other;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (int rounds = 0; rounds < 3; rounds++) {
		scram_begin_as(&question, rig, "bob", "");
		if (rounds == 1) {	/* while the keys are derived */
			buf_append_text(&question.credentials.response, "x");
			auth_respond(&question.request);
			assert_int_equal(question.answers, 0);
		} else if (rounds == 2) {
			respond_by(&question, "bob", "secret");
			assert_int_equal(question.challenges, 2);
		}
		auth_cancel(&question.request);
		assert_null(question.request.respond);
		scram_begin_as(&other, rig, "bob", "");
		respond_by(&other, "bob", "secret");
		respond(&other, "");
		assert_int_equal(question_end(&other), AUTH_OK);
		assert_int_equal(question.answers, 0);
		credentials_wipe(&question.credentials);
	}
}

static void
scram_goes_on_with_the_users_it_began_with(void **state)
{
	struct rig *rig = *state;
	struct question question;
	struct conf_list again;
	struct conf *conf;

	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	assert_true((auth_mechanisms(&rig->auths) & MECHANISM_BIT(MECHANISM_CRAM_MD5)) != 0);
	scram_begin_as(&question, rig, "bob", "");
	write_users(rig, "a", "nobody:" STORED "\n");
	conf = load(rig, "auth a { source file; path @/a }", &again);
	open_auths(&again, &rig->auths);
	assert_int_equal(auth_mechanisms(&rig->auths) & mechanisms_of_kind(CREDENTIAL_PROOF),
	    MECHANISM_BIT(MECHANISM_SCRAM_SHA_256));
	respond_by(&question, "bob", "secret");
	respond(&question, "");
	assert_int_equal(question_end(&question), AUTH_OK);
	auth_close(again.items[0]);
	conf_free(&conf);
}

static void
too_many_proofs_at_once_are_put_off(void **state)
{
	struct rig *rig = *state;
	struct question question;

	thread_pool_free(&rig->hashing);
	rig->hashing = thread_pool_new(1, 0, loop_post);
	write_users(rig, "a", "bob:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	scram_begin_as(&question, rig, "bob", "");
	respond_by(&question, "bob", "secret");
	assert_int_equal(question_end(&question), AUTH_LATER);
}

static void
certificates_are_for_users_who_are_known(void **state)
{
	static const struct {
		const char *user, *authzid;
		enum auth_verdict verdict;
	} rows[] = {
		{ "bob", "", AUTH_OK }, { "bob", "bob", AUTH_OK }, { "bob", "eve", AUTH_REFUSED },
		{ "slow", "", AUTH_OK }, { "eve", "", AUTH_REFUSED }, { "free", "", AUTH_OK },
		{ "shut", "", AUTH_REFUSED }, { "nobody", "", AUTH_REFUSED },
		{ "nobody", "bob", AUTH_REFUSED },
	};
	struct rig *rig = *state;

	write_users(rig, "a", "bob:{PLAIN}secret\nslow:" SLOW "\neve:!\nfree::nopassword\n"
			      "shut:{PLAIN}secret:nologin\n");
	rig_configure(rig, "auth a { source file; path @/a }");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct question question;

		proof_begin(&question, rig, rows[i].user, MECHANISM_EXTERNAL);
		buf_append_text(&question.credentials.authzid, rows[i].authzid);
		auth_start(&question.request);
		assert_int_equal(question.answers, 1);
		if (question_end(&question) != rows[i].verdict)
			fail_msg("row %zu: %d", i, (int)question.verdict);
	}
}

static void
proofs_go_along_the_chain(void **state)
{
	struct rig *rig = *state;
	struct question question;

	write_users(rig, "a", "bob:" SLOW "\n");
	write_users(rig, "b", "bob:{PLAIN}never\ntim:{PLAIN}secret\n");
	rig_configure(rig, "auth a { source file; path @/a; mechanisms SCRAM-SHA-256 EXTERNAL }\n"
			   "auth b { source file; path @/b }");
	assert_int_equal(auth_mechanisms(&rig->auths),
	    MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) | MECHANISM_BIT(MECHANISM_EXTERNAL));
	scram_begin_as(&question, rig, "tim", "");
	respond_by(&question, "tim", "secret");
	respond(&question, "");
	assert_int_equal(question_end(&question), AUTH_OK);
	scram_begin_as(&question, rig, "bob", "");
	respond_by(&question, "bob", "never");
	assert_int_equal(question_end(&question), AUTH_REFUSED);
}

static void
all_is_offered_that_all_users_have(void **state)
{
	enum { CRAM = MECHANISM_BIT(MECHANISM_CRAM_MD5), SCRAM = MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) };
	static const struct {
		const char *users;
		unsigned proofs;
	} rows[] = {
		{ "", 0 }, { "eve:!\n", 0 },
		{ "bob:{PLAIN}x\njim:{CLEAR}x\ntim:{CLEARTEXT}x\neve:!\n", CRAM | SCRAM },
		{ "bob:{PLAIN}x\ntim:" STORED "\n", SCRAM }, { "tim:" STORED "\nbob:{PLAIN}x\n", SCRAM },
		{ "bob:{PLAIN}x\nslow:" SLOW "\njim:{PLAIN}x\n", 0 },
		{ "bob:{PLAIN}x\nfree::nopassword\n", 0 },
		{ "bob:{PLAIN}x\nkept:" CONTEXTS "\n", CRAM }, { "kept:" CONTEXTS "\ntim:" STORED "\n", 0 },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_users(rig, "a", rows[i].users);
		rig_configure(rig, "auth a { source file; path @/a }");
		assert_int_equal(auth_mechanisms(&rig->auths), rows[i].proofs |
		    mechanisms_of_kind(CREDENTIAL_PASSWORD) | mechanisms_of_kind(CREDENTIAL_CERTIFICATE));
		auth_close(rig->auths.items[0]);
		conf_free(&rig->conf);
		rig->auths = (struct conf_list){ 0 };
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(digests_are_judged_by_the_password),
		RIG_TEST(apop_is_judged_by_passwords_in_the_clear),
		RIG_TEST(scram_is_judged_by_what_is_kept),
		RIG_TEST(scram_wants_its_messages),
		RIG_TEST(strangers_are_challenged_as_users_are),
		RIG_TEST(scram_can_be_cancelled_at_any_time),
		RIG_TEST(scram_goes_on_with_the_users_it_began_with),
		RIG_TEST(too_many_proofs_at_once_are_put_off),
		RIG_TEST(certificates_are_for_users_who_are_known),
		RIG_TEST(proofs_go_along_the_chain),
		RIG_TEST(all_is_offered_that_all_users_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
