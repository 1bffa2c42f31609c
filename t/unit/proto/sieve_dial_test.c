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

enum { TURNS_MAX = 7 };

enum {
	STARTTLS = 1,		/* order.starttls and needs_tls */
	IDENTIFIED = 2,		/* order.identity */
	CHECK = 4,		/* until_login */
	TOKEN = 8,		/* OAUTHBEARER */
	LONG_TOKEN = 16,	/* more than is quoted */
	MASTER = 32,		/* an authorization identity */
	ALWAYS_XCLIENT = 64,
	NO_XCLIENT = 128,
	NEEDS_TLS = 256
};

struct script {
	const char *name;
	unsigned flags;
	struct turn turns[TURNS_MAX];
	enum dial_result result;
	const char *why, *last, *capabilities;	/* NULL: not looked at */
};

static const struct script scripts[] = {
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
	{ "XCLIENT always", IDENTIFIED | ALWAYS_XCLIENT,
	    { { HEAD "\"SASL\" \"PLAIN\"\r\nOK\r\n", XCLIENT }, { "NO \"no\"\r\n", "" } }, DIAL_FAILED,
	    "command refused", "NO \"no\"", NULL },
	{ "XCLIENT never", IDENTIFIED | NO_XCLIENT, { { ALL, PLAIN }, { "OK\r\n", "" } }, DIAL_READY, NULL,
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

static void
fill_credentials(struct credentials *credentials, unsigned flags)
{
	bool has_token = (flags & (TOKEN | LONG_TOKEN)) != 0;
	char token[1000];

	*credentials = (struct credentials){ .mechanism = has_token ? "OAUTHBEARER" : "PLAIN" };
	credentials->kind = has_token ? CREDENTIAL_TOKEN : CREDENTIAL_PASSWORD;
	buf_append_text(&credentials->user, "alice");
	memset(token, 't', sizeof(token));
	if ((flags & LONG_TOKEN) != 0)
		buf_append(&credentials->password, token, sizeof(token));
	else
		buf_append_text(&credentials->password, has_token ? "token" : "wonder");
	if ((flags & MASTER) != 0)
		buf_append_text(&credentials->authzid, "bob");
}

static struct dial_order
make_order(unsigned flags, struct credentials *credentials)
{
	fill_credentials(credentials, flags);
	return (struct dial_order){
		.proto = &proto_sieve,
		.identity = (flags & IDENTIFIED) != 0 ? dial_identity(4190) : NULL,
		.credentials = credentials,
		.forward = (flags & ALWAYS_XCLIENT) != 0 ? FORWARD_XCLIENT
		    : (flags & NO_XCLIENT) != 0          ? FORWARD_NONE
							 : FORWARD_AUTO,
		.starttls = (flags & STARTTLS) != 0,
		.needs_tls = (flags & (STARTTLS | NEEDS_TLS)) != 0,
		.until_login = (flags & CHECK) != 0,
	};
}

static void
run(const struct script *script, size_t piece)
{
	struct credentials credentials;
	struct dial_order order = make_order(script->flags, &credentials);
	struct dial dial;
	enum dial_result result;

	dial_init(&dial, &order);
	result = dial_talk(&dial, script->name, script->turns, piece);
	if (result != script->result)
		fail_msg("%s: result %d (%s)", script->name, result, dial.why);
	dial_compare(script->name, "why", slice_of(dial.why), script->why);
	dial_compare(script->name, "last", buf_slice(&dial.last), script->last);
	dial_compare(script->name, "capabilities", buf_slice(&dial.capabilities), script->capabilities);
	dial_wipe(&dial);
	credentials_wipe(&credentials);
}

static void
scripts_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		for (size_t piece = 1; piece < 200; piece = piece * 3 + 1)
			run(&scripts[i], piece);
}

/* Feeds the text in one piece behind a started dial; its result. */
static enum dial_result
feed_at_once(unsigned flags, const char *text, char why[120], struct buf *sent)
{
	struct credentials credentials;
	struct dial_order order = make_order(flags, &credentials);
	struct dial dial;
	enum dial_result result;
	size_t used;

	dial_init(&dial, &order);
	dial_start(&dial);
	result = dial_feed(&dial, slice_of(text), &used);
	memcpy(why, dial.why, sizeof(dial.why));
	if (sent != NULL)
		buf_append_slice(sent, buf_slice(&dial.out));
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	return result;
}

static void
bytes_that_come_too_early(void **state)
{
	char why[120];

	(void)state;
	assert_int_equal(feed_at_once(0, ALL "OK \"in\"\r\n", why, NULL), DIAL_FAILED);
	assert_string_equal(why, "reply before its command");
	assert_int_equal(feed_at_once(IDENTIFIED, ALL "OK\r\nOK\r\n", why, NULL), DIAL_FAILED);
	assert_string_equal(why, "reply before its command");
}

/* RFC 3207's injection, in ManageSieve's words. */
static void
plaintext_behind_starttls(void **state)
{
	struct credentials credentials;
	struct dial_order order = make_order(STARTTLS, &credentials);
	struct dial dial;
	size_t used;

	(void)state;
	dial_init(&dial, &order);
	dial_start(&dial);
	assert_int_equal(dial_feed(&dial, slice_of(CLEAR), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&dial, slice_of("OK\r\n" ALL), &used), DIAL_FAILED);
	assert_string_equal(dial.why, "plaintext behind STARTTLS");
	dial_wipe(&dial);
	credentials_wipe(&credentials);
}

static void
long_tokens_are_literals(void **state)
{
	static const char greeting[] = HEAD "\"SASL\" \"OAUTHBEARER\"\r\nOK\r\n";
	static const char start[] = "AUTHENTICATE \"OAUTHBEARER\" {1368+}\r\n";
	struct buf sent = { 0 };
	char why[120];

	(void)state;
	assert_int_equal(feed_at_once(LONG_TOKEN, greeting, why, &sent), DIAL_MORE);
	assert_int_equal(buf_len(&sent), strlen(start) + 1368 + 2);
	assert_memory_equal(buf_data(&sent), start, strlen(start));
	buf_clear(&sent);
}

static void
endless_capabilities(void **state)
{
	struct buf text = { 0 };
	char why[120];

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_printf(&text, "\"X%d\"\r\n", i);
	buf_append(&text, "", 1);
	assert_int_equal(feed_at_once(0, buf_data(&text), why, NULL), DIAL_FAILED);
	assert_string_equal(why, "too much before a reply");
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
