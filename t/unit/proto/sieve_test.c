/* SPDX-License-Identifier: BSD-2-Clause */
/* sieve_test.c: ManageSieve's replies and capabilities, read and written; what clients hear of a login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/capability.h"
#include "proto/command.h"
#include "proto/dial.h"
#include "proto/sieve.h"

static void
expect(struct buf *out, const char *wanted)
{
	if (!slice_equals(buf_slice(out), wanted))
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARGS(buf_slice(out)), wanted);
	buf_clear(out);
}

static void
status_lines(void **state)
{
	static const struct {
		const char *line, *word, *code, *text;	/* word NULL: no reply */
	} rows[] = {
		{ "OK", "OK", "", "" },
		{ "ok \"Done.\"", "ok", "", "\"Done.\"" },
		{ "NO (TRYLATER) \"x\"", "NO", "TRYLATER", "\"x\"" },
		{ "NO (QUOTA/MAXSIZE)", "NO", "QUOTA/MAXSIZE", "" },
		{ "BYE (REFERRAL \"sieve://a)b\") \"x\"", "BYE", "REFERRAL", "\"x\"" },
		{ "OK (SASL {3}\r\na)\") {4}\r\n ab ", "OK", "SASL", "{4}\r\n ab " },
		{ "OK ()", "OK", "", "" },
		{ "OK (TAG", NULL, NULL, NULL },
		{ "OK (TAG \"", NULL, NULL, NULL },
		{ "OK(TAG)", NULL, NULL, NULL },
		{ "OKAY", NULL, NULL, NULL },
		{ "\"OK\"", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sieve_status status;

		if (sieve_take_status(slice_of(rows[i].line), &status) != (rows[i].word != NULL))
			fail_msg("%s", rows[i].line);
		if (rows[i].word == NULL)
			continue;
		assert_true(slice_equals(status.word, rows[i].word));
		assert_true(slice_equals(status.code, rows[i].code));
		assert_true(slice_equals(status.text, rows[i].text));
	}
}

static void
capability_lines(void **state)
{
	static const struct {
		const char *line, *entry;	/* NULL: no capability */
	} rows[] = {
		{ "\"STARTTLS\"", "STARTTLS" },
		{ "\"SIEVE\" \" fileinto  vacation \"", "SIEVE fileinto vacation" },
		{ "\"SASL\" \"\"", "SASL" },
		{ "\"SIEVE\" {8}\r\nfileinto", "SIEVE fileinto" },
		{ "{5}\r\nSIEVE \"a\"", "SIEVE a" },
		{ "\"OWNER\" \"a\\\"b\"", "OWNER a\"b" },
		{ "\"SIEVE fileinto\"", "" },
		{ "\"\" \"x\"", "" },
		{ "\"SIEVE\" fileinto", NULL },
		{ "\"SIEVE\"\"fileinto\"", NULL },
		{ "\"SIEVE\" \"fileinto\" \"x\"", NULL },
		{ "\"SIEVE", NULL },
		{ "SIEVE", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf entry = { 0 };
		bool is_capability = sieve_take_capability(slice_of(rows[i].line), &entry);

		if (is_capability != (rows[i].entry != NULL))
			fail_msg("%s", rows[i].line);
		if (is_capability)
			expect(&entry, rows[i].entry);
		buf_clear(&entry);
	}
}

static void
strings_are_quoted_or_literal(void **state)
{
	char text[1026] = { 0 };
	struct buf out = { 0 };

	(void)state;
	memset(text, 'A', 1024);
	sieve_write_string(&out, slice_of(text), true);
	assert_int_equal(buf_len(&out), 1024 + 2);
	buf_clear(&out);
	text[1024] = 'A';
	sieve_write_string(&out, slice_of(text), true);
	assert_memory_equal(buf_data(&out), "{1025+}\r\nAAA", 12);
	buf_clear(&out);
	sieve_write_string(&out, slice_of(text), false);
	assert_memory_equal(buf_data(&out), "{1025}\r\nAAA", 11);
	assert_int_equal(buf_len(&out), 1025 + 8);
	buf_clear(&out);
	sieve_write_response(&out, slice_of("AA=="));
	expect(&out, "\"AA==\"\r\n");
}

static void
responses(void **state)
{
	static const struct {
		const char *line, *base64;	/* NULL: malformed */
	} rows[] = {
		{ "\"AA==\"", "AA==" },
		{ "\"\"", "" },
		{ "\"*\"", "*" },
		{ "{4+}\r\nAA==", "AA==" },
		{ "{0+}\r\n", "" },
		{ "AA==", NULL },
		{ "*", NULL },
		{ "", NULL },
		{ "\"AA==\" ", NULL },
		{ "\"AA==", NULL },
		{ "{4}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice base64 = slice_of("untouched");

		if (sieve_take_response(slice_of(rows[i].line), &base64) != (rows[i].base64 != NULL))
			fail_msg("%s", rows[i].line);
		if (rows[i].base64 != NULL)
			assert_true(slice_equals(base64, rows[i].base64));
	}
}

static void
offers(void **state)
{
	static const struct {
		const char *offer, *written;
	} rows[] = {
		{ "", "\"SIEVE\" \"\"\r\n" },
		{ "LANGUAGE\nMAXREDIRECTS\nNOTIFY\nRENAME\nSIEVE\n", "\"RENAME\"\r\n\"SIEVE\" \"\"\r\n" },
		{ "LANGUAGE en\nMAXREDIRECTS 5\nNOTIFY mailto\nSIEVE a b\n",
		    "\"LANGUAGE\" \"en\"\r\n\"MAXREDIRECTS\" \"5\"\r\n\"NOTIFY\" \"mailto\"\r\n"
		    "\"SIEVE\" \"a b\"\r\n" },
		{ "AUTH=PLAIN\nIMPLEMENTATION x\nOWNER bob\nSASL PLAIN\nSIEVE a\"b\nSTARTTLS\n"
		  "UNAUTHENTICATE\nVERSION 2.0\nXCLIENT\n",
		    "\"SIEVE\" \"a\\\"b\"\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf list = { 0 }, wanted = { 0 };
		struct dialogue d;

		dialogue_init(&d, &proto_sieve, NULL, "mail.example");
		capability_pass(slice_of(rows[i].offer), &proto_sieve, &list);
		d.offer = buf_slice(&list);
		proto_sieve.write_capabilities(&d, &d.out);
		buf_append_text(&wanted, "\"IMPLEMENTATION\" \"gatepost\"\r\n\"SASL\" \"\"\r\n");
		buf_printf(&wanted, "%s\"VERSION\" \"1.0\"\r\n", rows[i].written);
		buf_append(&wanted, "", 1);
		expect(&d.out, buf_data(&wanted));
		buf_clear(&wanted);
		buf_clear(&list);
		dialogue_wipe(&d);
	}
}

static void
outcomes(void **state)
{
	static const struct {
		const char *last, *told;
		bool is_ok;
	} rows[] = {
		{ "OK \"Logged in.\"", "OK \"Logged in.\"\r\n", true },
		{ "OK", "OK \"Logged in.\"\r\n", true },
		{ "OK \"\"", "OK \"Logged in.\"\r\n", true },
		{ "OK bare", "OK \"Logged in.\"\r\n", true },
		{ "OK (SASL \"cnNwYXV0aA==\") \"in\"", "OK \"in\"\r\n", true },
		{ "OK {7}\r\nin\r\nNO!", "OK \"inNO!\"\r\n", true },
		{ "OK \"a \\\"b\\\" %n\"", "OK \"a \\\"b\\\" %n\"\r\n", true },
		{ "NO \"No such user\"", "NO \"Authentication failed.\"\r\n", false },
		{ "NO", "NO \"Authentication failed.\"\r\n", false },
		{ "NO (REFERRAL \"sieve://evil\") \"x\"", "NO \"Authentication failed.\"\r\n", false },
		{ "NO (transition-needed) \"x\"", "NO (TRANSITION-NEEDED) \"Authentication failed.\"\r\n",
		    false },
		{ "NO (AUTH-TOO-WEAK)", "NO (AUTH-TOO-WEAK) \"Authentication failed.\"\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct dial_order order = { .proto = &proto_sieve };
		struct dialogue d;
		struct dial dial;

		dialogue_init(&d, &proto_sieve, NULL, "mail.example");
		dial_init(&dial, &order);
		buf_append_text(&dial.last, rows[i].last);
		(rows[i].is_ok ? proto_sieve.login_ok : proto_sieve.login_refused)(&d, &dial);
		expect(&d.out, rows[i].told);
		dial_wipe(&dial);
		dialogue_wipe(&d);
	}
}

static enum step
say(struct dialogue *d, const char *line)
{
	const char *name;
	size_t used;
	enum step step;

	buf_clear(&d->out);
	step = command_run(d, slice_of(line), &used, &name);
	assert_int_equal(used, strlen(line));
	return step;
}

/* RFC 7628: why a token is refused is a challenge, and its answer, whatever it is, comes before the NO. */
static void
refused_tokens(void **state)
{
	static const char with_token[] =
	    "AUTHENTICATE \"OAUTHBEARER\" \"bixhPWFsaWNlLAFhdXRoPUJlYXJlciB0b2tlbgEB\"\r\n";
	static const char *const answers[] = { "\"AQ==\"\r\n", "{4+}\r\nAQ==\r\n", "AQ==\r\n" };
	struct dialogue d;

	(void)state;
	dialogue_init(&d, &proto_sieve, NULL, "mail.example");
	d.secrets_allowed = true;
	d.mechanisms = mechanisms_of_kind(CREDENTIAL_TOKEN);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		assert_int_equal(say(&d, with_token), STEP_LOGIN);
		buf_append_text(&d.token_error, "{}");
		buf_append_text(&d.out, "NO \"no\"\r\n");
		dialogue_login_over(&d, true);
		expect(&d.out, "\"e30=\"\r\n");
		assert_int_equal(say(&d, answers[i]), STEP_REPLIED);
		expect(&d.out, "NO \"no\"\r\n");
	}
	dialogue_wipe(&d);
}

/* Who judges a proof has challenges of its own, strings as well; the last answer is an empty one. */
static void
proofs(void **state)
{
	static const char first[] = "AUTHENTICATE \"SCRAM-SHA-256\" \"biwsbj1hbGljZSxyPWFiYw==\"\r\n";
	struct dialogue d;

	(void)state;
	dialogue_init(&d, &proto_sieve, NULL, "mail.example");
	d.secrets_allowed = true;
	d.mechanisms = mechanisms_of_kind(CREDENTIAL_PROOF);
	assert_int_equal(say(&d, first), STEP_LOGIN);
	dialogue_challenge(&d, slice_of("r=abcdef"));
	expect(&d.out, "\"cj1hYmNkZWY=\"\r\n");
	assert_int_equal(say(&d, "\"Yz1iaXdz\"\r\n"), STEP_RESPONSE);
	assert_true(slice_equals(buf_slice(&d.credentials.response), "c=biws"));
	dialogue_challenge(&d, slice_of("v=x"));
	expect(&d.out, "\"dj14\"\r\n");
	assert_int_equal(say(&d, "\"\"\r\n"), STEP_RESPONSE);
	assert_int_equal(buf_len(&d.credentials.response), 0);
	dialogue_wipe(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines),
		cmocka_unit_test(capability_lines),
		cmocka_unit_test(strings_are_quoted_or_literal),
		cmocka_unit_test(responses),
		cmocka_unit_test(offers),
		cmocka_unit_test(outcomes),
		cmocka_unit_test(refused_tokens),
		cmocka_unit_test(proofs),
	};

	return cmocka_run_group_tests_name("sieve", tests, NULL, NULL);
}
