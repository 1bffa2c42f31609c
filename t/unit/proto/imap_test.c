/* SPDX-License-Identifier: BSD-2-Clause */
/* imap_test.c: what is offered before login; the rest of imap.c is in the transcripts (dialogue_test.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/capability.h"
#include "proto/command.h"

static void
expect(const char *offer, bool tls_offered, bool secrets_allowed, const char *wanted)
{
	struct dialogue d;
	struct buf list = { 0 }, out = { 0 };

	dialogue_init(&d, &proto_imap, NULL, "mail.example");
	capability_pass(slice_of(offer), &proto_imap, &list);
	d.offer = buf_slice(&list);
	d.tls_offered = tls_offered;
	d.mechanisms = mechanisms_of_kind(CREDENTIAL_PASSWORD);
	d.secrets_allowed = secrets_allowed;
	proto_imap.write_capabilities(&d, &out);
	if (!slice_equals(buf_slice(&out), wanted))
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARGS(buf_slice(&out)), wanted);
	buf_clear(&out);
	buf_clear(&list);
	dialogue_wipe(&d);
}

static void
offered_capabilities(void **state)
{
	(void)state;
	expect("", false, true, "IMAP4rev1 SASL-IR ID AUTH=PLAIN AUTH=LOGIN");
	expect("", true, false, "IMAP4rev1 SASL-IR ID STARTTLS LOGINDISABLED");
	expect("", false, false, "IMAP4rev1 SASL-IR ID LOGINDISABLED");
	expect("IDLE\nMOVE\n", true, true, "IMAP4rev1 SASL-IR ID IDLE MOVE STARTTLS AUTH=PLAIN AUTH=LOGIN");
}

/* What servers say of logins and TLS is not what a client of ours can do. */
static void
words_of_our_own(void **state)
{
	(void)state;
	expect(
	    "AUTH=GSSAPI\nAUTH=PLAIN\nIDLE\nIMAP4REV1\nLOGIN-REFERRALS\nLOGINDISABLED\nSASL-IR\nSTARTTLS\n",
	    false, true, "IMAP4rev1 SASL-IR ID IDLE AUTH=PLAIN AUTH=LOGIN");
}

static void
the_floor_is_a_list(void **state)
{
	struct buf list = { 0 };

	(void)state;
	capability_pass(slice_of(proto_imap.capability_floor), &proto_imap, &list);
	assert_true(slice_equals(buf_slice(&list), proto_imap.capability_floor));
	buf_clear(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offered_capabilities),
		cmocka_unit_test(words_of_our_own),
		cmocka_unit_test(the_floor_is_a_list),
	};

	return cmocka_run_group_tests_name("imap", tests, NULL, NULL);
}
