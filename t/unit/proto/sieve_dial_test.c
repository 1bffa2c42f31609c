/* SPDX-License-Identifier: BSD-2-Clause */
/* sieve_dial_test.c: logins at ManageSieve servers of all sorts, good and hostile, in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/capability.h"
#include "proto/dial.h"

#include "dial_talk.h"

#define HEAD "\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" \"fileinto vacation\"\r\n"
#define ALL HEAD "\"SASL\" \"PLAIN LOGIN\"\r\n\"XCLIENT\"\r\n\"VERSION\" \"1.0\"\r\nOK \"hi\"\r\n"
#define CLEAR HEAD "\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK \"hi\"\r\n"
#define PLAIN "AUTHENTICATE \"PLAIN\" \"AGFsaWNlAHdvbmRlcg==\"\r\n"
#define XCLIENT "XCLIENT ADDR=203.0.113.7 PORT=5555 SESSION=S1 TTL=4\r\n"
#define LEARNED \
	"AUTH=LOGIN\nAUTH=PLAIN\nIMPLEMENTATION x\nSIEVE fileinto vacation\nVERSION 1.0\nXCLIENT\n"

enum { TOKEN = OWN_FLAG, LONG_TOKEN = OWN_FLAG << 1 };	/* OAUTHBEARER; with more than is quoted */

static const struct dial_script scripts[] = {
	{ "all at once", 0, { { ALL, PLAIN }, { "OK \"Logged in.\"\r\n", "" } }, DIAL_READY, NULL,
	    "OK \"Logged in.\"", LEARNED },
	{ "success data", 0, { { ALL, PLAIN }, { "OK (SASL \"eA==\") \"in\"\r\n", "" } }, DIAL_READY, NULL,
	    NULL, NULL },
	{ "literals everywhere", 0,
	    { { "{4}\r\nSASL {5}\r\nPLAIN\r\n\"SIEVE\" {3}\r\na b\r\nOK {4}\r\nhi\r\n\r\n", PLAIN },
		{ "OK {6}\r\nNO\r\nNO\r\n", "" } },
	    DIAL_READY, NULL, "OK {6}\r\nNO\r\nNO", "AUTH=PLAIN\nSIEVE a b\n" },
	{ "STARTTLS, then all anew", STARTTLS | IDENTIFIED,
	    { { CLEAR, "STARTTLS\r\n" }, { "OK \"go\"\r\n", "" }, { "TLS", "" }, { ALL, XCLIENT },
		{ "OK\r\n", PLAIN }, { "OK\r\n", "" } },
	    DIAL_READY, NULL, "OK", LEARNED },
	{ "what was said before TLS is forgotten", STARTTLS,
	    { { HEAD "\"SASL\" \"PLAIN\"\r\n\"STARTTLS\"\r\nOK\r\n", "STARTTLS\r\n" }, { "OK\r\n", "" },
		{ "TLS", "" }, { "\"SIEVE\" \"a\"\r\nOK\r\n", "" } },
	    DIAL_FAILED, "server offers no SASL PLAIN", NULL, "SIEVE a\n" },
	{ "no capabilities after TLS are none", STARTTLS | CHECK,
	    { { CLEAR, "STARTTLS\r\n" }, { "OK\r\n", "" }, { "TLS", "" }, { "OK\r\n", "" } }, DIAL_READY,
	    NULL, NULL, "" },
	{ "no STARTTLS where it is wanted", STARTTLS, { { ALL, "" } }, DIAL_FAILED,
	    "server offers no STARTTLS", NULL, NULL },
	{ "STARTTLS refused", STARTTLS, { { CLEAR, "STARTTLS\r\n" }, { "NO \"no\"\r\n", "" } }, DIAL_FAILED,
	    "command refused", "NO \"no\"", NULL },
	{ "STARTTLS answered with capabilities", STARTTLS,
	    { { CLEAR, "STARTTLS\r\n" }, { "\"SASL\" \"PLAIN\"\r\n", "" } }, DIAL_FAILED, "garbled reply",
	    NULL, NULL },
	{ "credentials need TLS", NEEDS_TLS, { { ALL, "" } }, DIAL_FAILED, "no TLS for credentials", NULL,
	    NULL },
	{ "the client is told of", IDENTIFIED, { { ALL, XCLIENT }, { "OK\r\n", PLAIN }, { "OK\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL },
	{ "but not who takes no XCLIENT", IDENTIFIED,
	    { { HEAD "\"SASL\" \"PLAIN\"\r\nOK\r\n", PLAIN }, { "OK\r\n", "" } }, DIAL_READY, NULL, NULL,
	    NULL },
	{ "XCLIENT always", IDENTIFIED | ALWAYS_TOLD,
	    { { HEAD "\"SASL\" \"PLAIN\"\r\nOK\r\n", XCLIENT }, { "NO \"no\"\r\n", "" } }, DIAL_FAILED,
	    "command refused", "NO \"no\"", NULL },
	{ "XCLIENT never", IDENTIFIED | NEVER_TOLD, { { ALL, PLAIN }, { "OK\r\n", "" } }, DIAL_READY, NULL,
	    NULL, NULL },
	{ "an authorization identity", MASTER,
	    { { ALL, "AUTHENTICATE \"PLAIN\" \"Ym9iAGFsaWNlAHdvbmRlcg==\"\r\n" }, { "OK\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL },
	{ "no mechanism", 0, { { HEAD "\"SASL\" \"LOGIN\"\r\nOK\r\n", "" } }, DIAL_FAILED,
	    "server offers no SASL PLAIN", NULL, NULL },
	{ "a check ends before the login", CHECK, { { ALL, "" } }, DIAL_READY, NULL, NULL, LEARNED },
	{ "refused", 0, { { ALL, PLAIN }, { "NO \"Authentication failed.\"\r\n", "" } }, DIAL_REFUSED, NULL,
	    "NO \"Authentication failed.\"", NULL },
	{ "another code", 0, { { ALL, PLAIN }, { "NO (TRANSITION-NEEDED) \"x\"\r\n", "" } }, DIAL_REFUSED,
	    NULL, NULL, NULL },
	{ "later", 0, { { ALL, PLAIN }, { "NO (TRYLATER) \"x\"\r\n", "" } }, DIAL_LATER, NULL,
	    "NO (TRYLATER) \"x\"", NULL },
	{ "TLS is wanted of us", 0, { { ALL, PLAIN }, { "no (encrypt-needed)\r\n", "" } }, DIAL_LATER, NULL,
	    NULL, NULL },
	{ "BYE", 0, { { ALL, PLAIN }, { "BYE \"x\"\r\n", "" } }, DIAL_LATER, NULL, "BYE \"x\"", NULL },
	{ "greeted with BYE", 0, { { "BYE (TRYLATER) \"too many\"\r\n", "" } }, DIAL_LATER, NULL,
	    "BYE (TRYLATER) \"too many\"", NULL },
	{ "BYE behind capabilities", 0, { { HEAD "BYE\r\n", "" } }, DIAL_LATER, NULL, "BYE", NULL },
	{ "a challenge for a password", 0, { { ALL, PLAIN }, { "\"eA==\"\r\n", "" } }, DIAL_FAILED,
	    "garbled reply", NULL, NULL },
	{ "a token", TOKEN,
	    { { HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n",
		  "AUTHENTICATE \"OAUTHBEARER\" \"bixhPWFsaWNlLAFhdXRoPUJlYXJlciB0b2tlbgEB\"\r\n" },
		{ "OK \"in\"\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL },
	{ "a token that is refused", TOKEN,
	    { { HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n", NULL }, { "\"e30=\"\r\n", "\"AQ==\"\r\n" },
		{ "NO \"x\"\r\n", "" } },
	    DIAL_REFUSED, NULL, "NO \"x\"", NULL },
	{ "and with a literal", TOKEN,
	    { { HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n", NULL }, { "{4}\r\ne30=\r\n", "\"AQ==\"\r\n" },
		{ "NO \"x\"\r\n", "" } },
	    DIAL_REFUSED, NULL, "NO \"x\"", NULL },
	{ "challenged twice", TOKEN,
	    { { HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n", NULL }, { "\"e30=\"\r\n", "\"AQ==\"\r\n" },
		{ "\"e30=\"\r\n", "" } },
	    DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "a challenge that is no string", TOKEN,
	    { { HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n", NULL }, { "\"e30=\r\n", "" } }, DIAL_FAILED,
	    "garbled reply", NULL, NULL },
	{ "another protocol", 0, { { "220 mail ESMTP\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "an empty line", 0, { { "\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "half a capability", 0, { { "\"SIEVE\" \"a\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "no status", 0, { { ALL, PLAIN }, { "FINE\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "formats are not formats", 0, { { ALL, PLAIN }, { "NO \"%n%s\"\r\n", "" } }, DIAL_REFUSED, NULL,
	    "NO \"%n%s\"", NULL },
	{ "a huge literal", 0, { { "\"SIEVE\" {18446744073709551616}\r\n", "" } }, DIAL_FAILED,
	    "endless reply", NULL, NULL },
	{ "odd bytes in a capability", CHECK,
	    { { "\"SIEVE\" \"a\x01\"\r\n\"X Y\" \"z\"\r\n\"NOTIFY\" \"mailto\"\r\nOK\r\n", "" } }, DIAL_READY,
	    NULL, NULL, "NOTIFY mailto\n" },
};

static struct dial_order
make_order(struct dial_rig *rig, unsigned flags)
{
	struct dial_order order = dial_rig_order(rig, &proto_sieve, flags, FORWARD_XCLIENT, 4190);
	struct credentials *c = &rig->credentials;

	if ((flags & (TOKEN | LONG_TOKEN)) == 0)
		return order;
	c->mechanism = MECHANISM_OAUTHBEARER;
	buf_truncate(&c->password, 0);
	for (int i = 0; i < ((flags & LONG_TOKEN) != 0 ? 200 : 1); i++)
		buf_append_text(&c->password, "token");
	return order;
}

static void
scripts_in_any_pieces(void **state)
{
	(void)state;
	dial_scripts_play(scripts, sizeof(scripts) / sizeof(scripts[0]), make_order);
}

static void
bytes_that_come_too_early(void **state)
{
	(void)state;
	dial_expect(make_order, 0, slice_of(ALL "OK \"in\"\r\n"), DIAL_FAILED, "reply before its command");
	dial_expect(make_order, IDENTIFIED, slice_of(ALL "OK\r\nOK\r\n"), DIAL_FAILED,
	    "reply before its command");
}

/* RFC 3207's injection, in ManageSieve's words. */
static void
plaintext_behind_starttls(void **state)
{
	struct dial_rig rig;
	size_t used;

	(void)state;
	dial_rig_start(&rig, make_order, STARTTLS);
	assert_int_equal(dial_feed(&rig.dial, slice_of(CLEAR), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&rig.dial, slice_of("OK\r\n" ALL), &used), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "plaintext behind STARTTLS");
	dial_rig_close(&rig);
}

static void
long_tokens_are_literals(void **state)
{
	static const char greeting[] = HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n";
	static const char start_line[] = "AUTHENTICATE \"OAUTHBEARER\" {1368+}\r\n";
	struct dial_rig rig;

	(void)state;
	dial_rig_start(&rig, make_order, LONG_TOKEN);
	assert_int_equal(dial_rig_feed(&rig, greeting), DIAL_MORE);
	assert_int_equal(buf_len(&rig.dial.out), strlen(start_line) + 1368 + 2);
	assert_memory_equal(buf_data(&rig.dial.out), start_line, strlen(start_line));
	dial_rig_close(&rig);
}

static void
endless_capabilities(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "\"X%d\"\r\n", i);
	buf_append(&text, "", 1);
	dial_expect(make_order, 0, slice_of(buf_data(&text)), DIAL_FAILED, "too much before a reply");
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_in_any_pieces),
		cmocka_unit_test(bytes_that_come_too_early),
		cmocka_unit_test(plaintext_behind_starttls),
		cmocka_unit_test(long_tokens_are_literals),
		cmocka_unit_test(endless_capabilities),
	};

	return cmocka_run_group_tests_name("sieve_dial", tests, NULL, NULL);
}
