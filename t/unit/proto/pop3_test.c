/* SPDX-License-Identifier: BSD-2-Clause */
/* pop3_test.c: what is offered before login, and asked for; the rest of pop3.c is in the transcripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/capability.h"
#include "proto/command.h"
#include "proto/pop3.h"

#define OWN "RESP-CODES\r\nAUTH-RESP-CODE\r\n"
#define PASSWORDS "USER\r\nSASL PLAIN LOGIN\r\n"

enum { TLS_OFFERED = 1, SECRETS = 2 };

static void
setup(struct dialogue *d, const char *offer, unsigned flags, unsigned mechanisms)
{
	dialogue_init(d, &proto_pop3, NULL, "mail.example");
	d->offer = slice_of(offer);
	d->tls_offered = (flags & TLS_OFFERED) != 0;
	d->secrets_allowed = (flags & SECRETS) != 0;
	d->mechanisms = mechanisms;
}

static void
expect(const char *offer, unsigned flags, unsigned mechanisms, const char *wanted)
{
	struct dialogue d;
	struct buf list = { 0 }, out = { 0 };

	capability_pass(slice_of(offer), &proto_pop3, &list);
	setup(&d, offer, flags, mechanisms);
	d.offer = buf_slice(&list);
	proto_pop3.write_capabilities(&d, &out);
	if (!slice_equals(buf_slice(&out), wanted))
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARGS(buf_slice(&out)), wanted);
	buf_clear(&out);
	buf_clear(&list);
	dialogue_wipe(&d);
}

/* One line of the client. */
static enum step
hear(struct dialogue *d, const char *line)
{
	const char *name;
	size_t used;

	buf_clear(&d->out);
	return command_run(d, slice_of(line), &used, &name);
}

static void
greet(struct dialogue *d, unsigned flags, unsigned mechanisms)
{
	setup(d, "", flags, mechanisms);
	dialogue_greet(d);
}

#define DIGEST "c4c9334bac560ecc979e58001b3e22fb"
enum { APOP = MECHANISM_BIT(MECHANISM_APOP) };

static void
apop_is_in_the_greeting(void **state)
{
	struct dialogue d, other;
	struct slice text;

	(void)state;
	greet(&d, SECRETS | TLS_OFFERED, APOP | MECHANISM_BIT(MECHANISM_CRAM_MD5));
	greet(&other, SECRETS, APOP);
	text = buf_slice(&d.out);
	assert_true(slice_has_prefix(text, "+OK mail.example ready. <"));
	text = slice_make(text.data, text.len - 2);
	assert_memory_equal(text.data + text.len - 14, "@mail.example>", 14);
	text = slice_from(text, strlen("+OK mail.example ready. "));
	assert_int_equal(buf_len(&d.timestamp), text.len);
	assert_memory_equal(buf_data(&d.timestamp), text.data, text.len);
	assert_int_not_equal(memcmp(buf_data(&other.timestamp), text.data, text.len), 0);
	/* it is no mechanism of SASL's */
	assert_int_equal(dialogue_mechanisms(&d), MECHANISM_BIT(MECHANISM_CRAM_MD5));
	text = buf_slice(&d.timestamp);
	assert_int_equal(hear(&d, "AUTH APOP\r\n"), STEP_BAD);

	assert_int_equal(hear(&d, "apop  al ice " DIGEST "\r\n"), STEP_LOGIN);
	assert_int_equal(d.credentials.mechanism, MECHANISM_APOP);
	assert_true(slice_equals(buf_slice(&d.credentials.user), "al ice"));
	assert_true(slice_equals(buf_slice(&d.credentials.response), DIGEST));
	assert_int_equal(buf_len(&d.credentials.challenge), buf_len(&d.timestamp));
	assert_memory_equal(buf_data(&d.credentials.challenge), text.data, text.len);
	dialogue_login_over(&d, true);
	assert_int_equal(hear(&d, "APOP alice " DIGEST "\r\n"), STEP_LOGIN);
	dialogue_login_over(&d, true);

	/* RFC 2595 has no greeting behind STLS: it is the same */
	other.tls_offered = true;
	assert_int_equal(hear(&other, "STLS\r\n"), STEP_STARTTLS);
	buf_clear(&other.out);
	dialogue_tls_started(&other);
	assert_int_equal(buf_len(&other.out), 0);
	assert_int_equal(hear(&other, "APOP alice " DIGEST "\r\n"), STEP_LOGIN);
	assert_true(slice_has_prefix(buf_slice(&other.credentials.challenge), "<"));
	dialogue_wipe(&other);
	dialogue_wipe(&d);
}

/* Who would begin TLS first is not shown what it could answer to without. */
static void
apop_is_not_always_offered(void **state)
{
	static const struct {
		unsigned flags, mechanisms;
		const char *answer;
	} rows[] = {
		{ TLS_OFFERED, APOP, "-ERR [AUTH] Start TLS before you log in.\r\n" },
		{ SECRETS, 0, "-ERR Unknown command, or not before login.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dialogue d;

		greet(&d, rows[i].flags, rows[i].mechanisms);
		assert_true(slice_equals(buf_slice(&d.out), "+OK mail.example ready.\r\n"));
		assert_int_equal(hear(&d, "APOP alice " DIGEST "\r\n"), STEP_BAD);
		assert_true(slice_equals(buf_slice(&d.out), rows[i].answer));
		dialogue_tls_started(&d);
		assert_int_equal(hear(&d, "APOP alice " DIGEST "\r\n"), STEP_BAD);
		dialogue_wipe(&d);
	}
}

static void
apop_malformed(void **state)
{
	static const char *const lines[] = { "APOP\r\n", "APOP \r\n", "APOP " DIGEST "\r\n",
		"APOP  " DIGEST "\r\n", "APOP alice\r\n", "APOP alice " DIGEST "0\r\n",
		"APOP alice c4c9334bac560ecc979e58001b3e22f\r\n",
		"APOP alice g4c9334bac560ecc979e58001b3e22fb\r\n", "APOP al\rice " DIGEST "\r\n" };
	struct dialogue d;

	(void)state;
	greet(&d, SECRETS, APOP | mechanisms_of_kind(CREDENTIAL_PASSWORD));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(hear(&d, "USER alice\r\n"), STEP_REPLIED);
		assert_int_equal(hear(&d, lines[i]), STEP_BAD);
		assert_true(slice_equals(buf_slice(&d.out), "-ERR Invalid command or arguments.\r\n"));
		assert_int_equal(buf_len(&d.credentials.response) + buf_len(&d.credentials.challenge), 0);
	}
	dialogue_wipe(&d);
}

static void
offered_capabilities(void **state)
{
	const unsigned passwords = mechanisms_of_kind(CREDENTIAL_PASSWORD);

	(void)state;
	expect("", SECRETS, passwords, OWN PASSWORDS);
	expect("", TLS_OFFERED, passwords, OWN "STLS\r\n");
	expect("", 0, passwords, OWN);
	expect("TOP\nUIDL\n", TLS_OFFERED | SECRETS, passwords, "TOP\r\nUIDL\r\n" OWN "STLS\r\n" PASSWORDS);
	expect("", SECRETS, MECHANISM_BIT(MECHANISM_XOAUTH2), OWN "SASL XOAUTH2\r\n");
	expect("", SECRETS, 0, OWN);
}

/* What servers say of logins, TLS and themselves is not what a client of ours can do, or is to know. */
static void
words_of_our_own(void **state)
{
	(void)state;
	expect("AUTH-RESP-CODE\nAUTH=GSSAPI\nEXPIRE NEVER\nIMPLEMENTATION Dovecot\nLANG\nLOGIN-DELAY 10\n"
	       "PIPELINING\nRESP-CODES\nSASL\nSTLS\nTOP\nUIDL\nUSER\nUTF8 USER\nX-ANY\nXCLIENT\n",
	    SECRETS, mechanisms_of_kind(CREDENTIAL_PASSWORD),
	    "EXPIRE NEVER\r\nLANG\r\nLOGIN-DELAY 10\r\nPIPELINING\r\nTOP\r\nUIDL\r\nUTF8 USER\r\n"
	    OWN PASSWORDS);
}

static void
the_floor_is_a_list(void **state)
{
	struct buf list = { 0 };

	(void)state;
	capability_pass(slice_of(proto_pop3.capability_floor), &proto_pop3, &list);
	assert_true(slice_equals(buf_slice(&list), proto_pop3.capability_floor));
	buf_clear(&list);
}

static enum step
say(struct dialogue *d, const char *line)
{
	const char *name;
	size_t used;

	buf_consume(&d->out, buf_len(&d->out));
	return command_run(d, slice_of(line), &used, &name);
}

/* It is the server's word, which a failed login keeps and TLS forgets. */
static void
utf8_where_servers_have_it(void **state)
{
	struct dialogue d;

	(void)state;
	setup(&d, "TOP\nUTF8 USER\n", TLS_OFFERED | SECRETS, mechanisms_of_kind(CREDENTIAL_PASSWORD));
	assert_int_equal(say(&d, "UTF8 now\r\n"), STEP_BAD);
	assert_int_equal(d.wishes, 0);
	assert_int_equal(say(&d, "utf8\r\n"), STEP_REPLIED);
	assert_int_equal(d.wishes, POP3_WISH_UTF8);
	assert_int_equal(say(&d, "USER alice\r\n"), STEP_REPLIED);
	assert_int_equal(say(&d, "PASS wonder\r\n"), STEP_LOGIN);
	dialogue_login_over(&d, true);
	assert_int_equal(d.wishes, POP3_WISH_UTF8);
	dialogue_tls_started(&d);
	assert_int_equal(d.wishes, 0);
	dialogue_wipe(&d);

	setup(&d, "TOP\n", SECRETS, 0);
	assert_int_equal(say(&d, "UTF8\r\n"), STEP_BAD);
	assert_int_equal(d.wishes, 0);
	dialogue_wipe(&d);
}

static void
no_password_where_none_is_taken(void **state)
{
	struct dialogue d;

	(void)state;
	setup(&d, "", SECRETS, MECHANISM_BIT(MECHANISM_XOAUTH2));
	assert_int_equal(say(&d, "USER alice\r\n"), STEP_BAD);
	assert_true(slice_equals(buf_slice(&d.out), "-ERR Unsupported authentication mechanism.\r\n"));
	assert_int_equal(say(&d, "AUTH PLAIN AGFsaWNlAHdvbmRlcg==\r\n"), STEP_BAD);
	assert_int_equal(say(&d, "AUTH\r\n"), STEP_REPLIED);
	assert_true(slice_equals(buf_slice(&d.out), "+OK Mechanisms follow.\r\nXOAUTH2\r\n.\r\n"));
	dialogue_wipe(&d);
}

/* In no way does a line's end, or a NUL, get into a name or a password. */
static void
no_credential_holds_a_command(void **state)
{
	static const char *const lines[] = {
		"AUTH PLAIN AGFsaWNlAHANCkRFTEUgMQ==\r\n",	/* p\r\nDELE 1 */
		"AUTH PLAIN AGFsaWNlAHAKREVMRSAx\r\n",		/* p\nDELE 1 */
		"AUTH PLAIN AGFsaWNlAHANREVMRSAx\r\n",		/* p\rDELE 1 */
		"AUTH PLAIN AGFsaWNlDQpERUxFIDEAcA==\r\n",	/* alice\r\nDELE 1 */
		"AUTH PLAIN Ym9iDQpERUxFIDEAYWxpY2UAcA==\r\n",	/* bob\r\nDELE 1 acts as alice */
		"AUTH PLAIN AGFsaWNlAHAAREVMRSAx\r\n",		/* p\0DELE 1 */
		"AUTH LOGIN YQpi\r\n",				/* a\nb */
		"USER a\rDELE 1\r\n",
	};
	struct dialogue d;

	(void)state;
	setup(&d, "", SECRETS, mechanisms_of_kind(CREDENTIAL_PASSWORD));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (say(&d, lines[i]) != STEP_BAD)
			fail_msg("\"%s\" is taken", lines[i]);
	assert_int_equal(say(&d, "USER alice\r\n"), STEP_REPLIED);
	assert_int_equal(say(&d, "PASS a\rDELE 1\r\n"), STEP_BAD);
	dialogue_wipe(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(apop_is_in_the_greeting),
		cmocka_unit_test(apop_is_not_always_offered),
		cmocka_unit_test(apop_malformed),
		cmocka_unit_test(offered_capabilities),
		cmocka_unit_test(words_of_our_own),
		cmocka_unit_test(the_floor_is_a_list),
		cmocka_unit_test(utf8_where_servers_have_it),
		cmocka_unit_test(no_password_where_none_is_taken),
		cmocka_unit_test(no_credential_holds_a_command),
	};

	return cmocka_run_group_tests_name("pop3", tests, NULL, NULL);
}
