/* SPDX-License-Identifier: BSD-2-Clause */
/* pop3_dial_test.c: logins at servers of all sorts, in pieces of any size, and what clients are told then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/command.h"
#include "proto/pop3.h"

#include "dial_talk.h"

#define GREETING "+OK hi\r\n"
#define ASK "CAPA\r\n"
#define PLAIN_LIST "+OK\r\nSASL PLAIN LOGIN\r\nUSER\r\n.\r\n"
#define PLAIN "AUTH PLAIN AGFsaWNlAHdvbmRlcg==\r\n"
#define BEARER "AUTH XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciB3b25kZXIBAQ==\r\n"
#define XCLIENT "XCLIENT ADDR=203.0.113.7 PORT=5555 SESSION=S1 TTL=4\r\n"
#define NO_TRUST "+OK You are not from trusted IP - ignoring\r\n"

enum { TURNS_MAX = 9 };

enum {
	STARTTLS = 1,		/* order.starttls and needs_tls */
	IDENTIFIED = 2,		/* order.identity */
	CHECK = 4,		/* until_login */
	ANONYMOUS = 8,		/* no credentials */
	MASTER = 16,		/* an authorization identity */
	ALWAYS_XCLIENT = 32,
	NO_XCLIENT = 64,
	NEEDS_TLS = 128,
	TLS_ACTIVE = 256,
	UTF8 = 512,
	LONG_PASSWORD = 1024,
	TOKEN = 2048,
	BLANK_NAME = 4096,
	NO_NAME = 8192,
	COMMANDS = 16384,	/* in the password: "p\r\nDELE 1" */
	NUL_NAME = 32768
};

struct script {
	const char *name;
	unsigned flags;
	struct turn turns[TURNS_MAX];
	enum dial_result result;
	const char *why, *last, *capabilities;	/* NULL: not looked at */
};

static const struct script scripts[] = {
	{ "AUTH in one turn", 0,
	    { { "", "" }, { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", "AUTH=LOGIN\nAUTH=PLAIN\nUSER\n" },
	{ "USER and PASS without AUTH", 0,
	    { { GREETING, ASK }, { "+OK list\r\nUSER\r\nTOP\r\nexpire NEVER\r\n.\r\n", "USER alice\r\n" },
		{ "+OK\r\n", "PASS wonder\r\n" }, { "+OK 3 messages\r\n", "" } },
	    DIAL_READY, NULL, "+OK 3 messages", "EXPIRE NEVER\nTOP\nUSER\n" },
	{ "a server without CAPA", 0,
	    { { GREETING, ASK }, { "-ERR what?\r\n", "USER alice\r\n" }, { "+OK\r\n", "PASS wonder\r\n" },
		{ "+OK\r\n", "" } },
	    DIAL_READY, NULL, "+OK", "" },
	{ "a server that wants TLS before a login", 0,
	    { { GREETING, ASK }, { "+OK\r\nSTLS\r\n.\r\n", "" } }, DIAL_FAILED,
	    "server allows no login here", NULL, NULL },
	{ "a server that just does not list USER", 0,
	    { { GREETING, ASK }, { "+OK\r\nTOP\r\n.\r\n", "USER alice\r\n" },
		{ "+OK\r\n", "PASS wonder\r\n" }, { "+OK\r\n", "" } },
	    DIAL_READY, NULL, "+OK", "TOP\n" },
	{ "a server without CAPA takes no authorization identity", MASTER,
	    { { GREETING, ASK }, { "-ERR what?\r\n", "" } }, DIAL_FAILED, "server offers no SASL PLAIN", NULL,
	    NULL },
	{ "an authorization identity", MASTER,
	    { { GREETING, ASK }, { PLAIN_LIST, "AUTH PLAIN Ym9iAGFsaWNlAHdvbmRlcg==\r\n" },
		{ "+OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL },
	{ "what does not fit in a line goes in turns", LONG_PASSWORD,
	    { { GREETING, ASK }, { PLAIN_LIST, "AUTH PLAIN\r\n" }, { "+ \r\n", NULL }, { "+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "a bare plus is a go-ahead", LONG_PASSWORD,
	    { { GREETING, ASK }, { PLAIN_LIST, "AUTH PLAIN\r\n" }, { "+\r\n", NULL }, { "+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "OK where a go-ahead is due", LONG_PASSWORD,
	    { { GREETING, ASK }, { PLAIN_LIST, "AUTH PLAIN\r\n" }, { "+OK in\r\n", "" } }, DIAL_FAILED,
	    "garbled reply", NULL, NULL },
	{ "refused before the password", LONG_PASSWORD,
	    { { GREETING, ASK }, { PLAIN_LIST, "AUTH PLAIN\r\n" }, { "-ERR not here\r\n", "" } },
	    DIAL_REFUSED, NULL, "-ERR not here", NULL },
	{ "refused at the name", 0,
	    { { GREETING, ASK }, { "-ERR what?\r\n", "USER alice\r\n" }, { "-ERR [AUTH] who?\r\n", "" } },
	    DIAL_REFUSED, NULL, "-ERR [AUTH] who?", NULL },
	{ "a name with a blank goes by AUTH", BLANK_NAME,
	    { { GREETING, ASK }, { PLAIN_LIST, "AUTH PLAIN AGFsIGljZQB3b25kZXI=\r\n" }, { "+OK\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL },
	{ "a name with a blank is none for USER", BLANK_NAME, { { GREETING, ASK }, { "-ERR what?\r\n", "" } },
	    DIAL_FAILED, "user or password do not fit in USER and PASS", NULL, NULL },
	{ "nor is none", NO_NAME, { { GREETING, ASK }, { "-ERR what?\r\n", "" } }, DIAL_FAILED,
	    "user or password do not fit in USER and PASS", NULL, NULL },
	{ "no password is a command", COMMANDS, { { GREETING, ASK }, { "-ERR what?\r\n", "" } }, DIAL_FAILED,
	    "user or password do not fit in USER and PASS", NULL, NULL },
	{ "a name has no NUL", NUL_NAME, { { GREETING, ASK }, { "-ERR what?\r\n", "" } }, DIAL_FAILED,
	    "user or password do not fit in USER and PASS", NULL, NULL },
	{ "a token", TOKEN,
	    { { GREETING, ASK },
		{ "+OK\r\nSASL XOAUTH2\r\n.\r\n", BEARER },
		{ "+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "a token is refused with its error", TOKEN,
	    { { GREETING, ASK },
		{ "+OK\r\nSASL XOAUTH2\r\n.\r\n", BEARER },
		{ "+ e30=\r\n", "\r\n" }, { "-ERR [AUTH] no\r\n", "" } },
	    DIAL_REFUSED, NULL, "-ERR [AUTH] no", NULL },
	{ "a token goes nowhere else", TOKEN, { { GREETING, ASK }, { PLAIN_LIST, "" } }, DIAL_FAILED,
	    "server offers no SASL XOAUTH2", NULL, NULL },
	{ "a challenge to a password", 0,
	    { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "+ more\r\n", "" } }, DIAL_FAILED, "garbled reply",
	    NULL, NULL },
	{ "the client is told of along with the login", IDENTIFIED,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { PLAIN_LIST, XCLIENT PLAIN },
		{ "+OK Updated\r\n+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", "AUTH=LOGIN\nAUTH=PLAIN\nUSER\nXCLIENT\n" },
	{ "XCLIENT in the list", IDENTIFIED,
	    { { GREETING, ASK }, { "+OK\r\nXCLIENT\r\nSASL PLAIN\r\n.\r\n", XCLIENT PLAIN },
		{ NO_TRUST "+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "XCLIENT may be refused", IDENTIFIED,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { PLAIN_LIST, XCLIENT PLAIN },
		{ "-ERR no\r\n+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "but not where it is demanded", IDENTIFIED | ALWAYS_XCLIENT,
	    { { GREETING, ASK }, { PLAIN_LIST, XCLIENT PLAIN }, { "-ERR no\r\n", "" } }, DIAL_FAILED,
	    "command refused", "-ERR no", NULL },
	{ "nor ignored", IDENTIFIED | ALWAYS_XCLIENT,
	    { { GREETING, ASK }, { PLAIN_LIST, XCLIENT PLAIN }, { NO_TRUST, "" } }, DIAL_FAILED,
	    "command refused", NULL, NULL },
	{ "a demanded XCLIENT", IDENTIFIED | ALWAYS_XCLIENT,
	    { { GREETING, ASK }, { PLAIN_LIST, XCLIENT PLAIN }, { "+OK Updated\r\n+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "no XCLIENT where none is announced", IDENTIFIED,
	    { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "+OK in\r\n", "" } }, DIAL_READY, NULL, NULL,
	    NULL },
	{ "XCLIENT never", IDENTIFIED | NO_XCLIENT,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { PLAIN_LIST, PLAIN }, { "+OK in\r\n", "" } }, DIAL_READY,
	    NULL, NULL, NULL },
	{ "UTF8 as the client wishes", UTF8 | IDENTIFIED,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { PLAIN_LIST, XCLIENT "UTF8\r\n" },
		{ "+OK\r\n+OK\r\n", PLAIN }, { "+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "UTF8 refused", UTF8, { { GREETING, ASK }, { PLAIN_LIST, "UTF8\r\n" }, { "-ERR no\r\n", "" } },
	    DIAL_FAILED, "command refused", NULL, NULL },
	{ "STLS, then all anew", STARTTLS | IDENTIFIED,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { "+OK\r\nSTLS\r\nSASL EVIL\r\n.\r\n", "STLS\r\n" },
		{ "+OK go\r\n", "" }, { "TLS", ASK }, { PLAIN_LIST, XCLIENT PLAIN },
		{ "+OK Updated\r\n+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", "AUTH=LOGIN\nAUTH=PLAIN\nUSER\nXCLIENT\n" },
	{ "no STLS where it is wanted", STARTTLS, { { GREETING, ASK }, { PLAIN_LIST, "" } }, DIAL_FAILED,
	    "server offers no STLS", NULL, NULL },
	{ "STLS refused", STARTTLS,
	    { { GREETING, ASK }, { "+OK\r\nSTLS\r\n.\r\n", "STLS\r\n" }, { "-ERR no\r\n", "" } }, DIAL_FAILED,
	    "command refused", "-ERR no", NULL },
	{ "credentials need TLS", NEEDS_TLS, { { GREETING, ASK }, { PLAIN_LIST, "" } }, DIAL_FAILED,
	    "no TLS for credentials", NULL, NULL },
	{ "so does the address", NEEDS_TLS | IDENTIFIED,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { PLAIN_LIST, "" } }, DIAL_FAILED, "no TLS for credentials",
	    NULL, NULL },
	{ "even where more is said before the login", NEEDS_TLS | IDENTIFIED | UTF8,
	    { { "+OK [XCLIENT] hi\r\n", ASK }, { PLAIN_LIST, "" } }, DIAL_FAILED, "no TLS for credentials",
	    NULL, NULL },
	{ "credentials over implicit TLS", NEEDS_TLS | TLS_ACTIVE,
	    { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "+OK in\r\n", "" } }, DIAL_READY, NULL, NULL,
	    NULL },
	{ "a check ends before the login", CHECK, { { GREETING, ASK }, { PLAIN_LIST, "" } }, DIAL_READY, NULL,
	    NULL, NULL },
	{ "a check of a server without CAPA", ANONYMOUS, { { GREETING, ASK }, { "-ERR what?\r\n", "" } },
	    DIAL_READY, NULL, NULL, "" },
	{ "refused", 0, { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "-ERR no such user\r\n", "" } },
	    DIAL_REFUSED, NULL, "-ERR no such user", NULL },
	{ "in use", 0, { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "-ERR [IN-USE] locked\r\n", "" } },
	    DIAL_REFUSED, NULL, "-ERR [IN-USE] locked", NULL },
	{ "unavailable", 0, { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "-ERR [sys/temp] x\r\n", "" } },
	    DIAL_LATER, NULL, "-ERR [sys/temp] x", NULL },
	{ "a more exact code", 0,
	    { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "-ERR [SYS/TEMP/DISK] x\r\n", "" } }, DIAL_LATER,
	    NULL, NULL, NULL },
	{ "another code", 0, { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "-ERR [SYS/TEMPER] x\r\n", "" } },
	    DIAL_REFUSED, NULL, NULL, NULL },
	{ "a server that is busy", 0, { { "-ERR too many connections\r\n", "" } }, DIAL_LATER, NULL,
	    "-ERR too many connections", NULL },
	{ "another protocol", 0, { { "* OK IMAP4rev1\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "a status and more", 0, { { "+OKAY\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "an empty line", 0, { { "\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "formats are not formats", 0, { { "+OK %n%s\r\n", ASK }, { "%n%s\r\n", "" } }, DIAL_FAILED,
	    "garbled reply", "%n%s", NULL },
};

static struct slice
name_of(unsigned flags)
{
	if ((flags & NO_NAME) != 0)
		return slice_of("");
	if ((flags & NUL_NAME) != 0)
		return slice_make("al\0ice", 6);
	return slice_of((flags & BLANK_NAME) != 0 ? "al ice" : "alice");
}

static void
make_credentials(unsigned flags, struct credentials *credentials)
{
	*credentials = (struct credentials){ .mechanism = "PLAIN" };
	buf_append_slice(&credentials->user, name_of(flags));
	buf_append_text(&credentials->password, (flags & COMMANDS) != 0 ? "p\r\nDELE 1" : "wonder");
	for (int i = 0; (flags & LONG_PASSWORD) != 0 && i < 200; i++)
		buf_append_text(&credentials->password, "x");
	if ((flags & MASTER) != 0)
		buf_append_text(&credentials->authzid, "bob");
	if ((flags & TOKEN) != 0) {
		credentials->mechanism = "XOAUTH2";
		credentials->kind = CREDENTIAL_TOKEN;
	}
}

static struct dial_order
make_order(unsigned flags, struct credentials *credentials)
{
	make_credentials(flags, credentials);
	return (struct dial_order){
		.proto = &proto_pop3,
		.identity = (flags & IDENTIFIED) != 0 ? dial_identity(995) : NULL,
		.credentials = (flags & ANONYMOUS) != 0 ? NULL : credentials,
		.forward = (flags & ALWAYS_XCLIENT) != 0 ? FORWARD_XCLIENT
		    : (flags & NO_XCLIENT) != 0          ? FORWARD_NONE
							 : FORWARD_AUTO,
		.starttls = (flags & STARTTLS) != 0,
		.needs_tls = (flags & (STARTTLS | NEEDS_TLS)) != 0,
		.wishes = (flags & UTF8) != 0 ? POP3_WISH_UTF8 : 0,
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
	dial.tls_active = (script->flags & TLS_ACTIVE) != 0;
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

/* A password whose initial response makes the line as long as may be, and one octet more. */
static void
the_longest_line(void **state)
{
	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		struct credentials credentials;
		struct dial_order order = make_order(0, &credentials);
		struct dial dial;
		struct buf in = { 0 };

		/* 13 octets of command and CRLF leave 240 of base64, which are 180 */
		while (buf_len(&credentials.password) < 180 - strlen("_alice_") + extra)
			buf_append_text(&credentials.password, "x");
		dial_init(&dial, &order);
		dial_start(&dial);
		assert_int_equal(dial_feed_pieces(&dial, &in, GREETING, 99), DIAL_MORE);
		buf_consume(&dial.out, buf_len(&dial.out));
		assert_int_equal(dial_feed_pieces(&dial, &in, PLAIN_LIST, 99), DIAL_MORE);
		assert_int_equal(buf_len(&dial.out), extra == 0 ? 253 : strlen("AUTH PLAIN\r\n"));
		dial_wipe(&dial);
		credentials_wipe(&credentials);
		buf_clear(&in);
	}
}

/* Feeds the text in one piece behind a started dial. */
static enum dial_result
feed_at_once(unsigned flags, const char *text, char why[120])
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
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	return result;
}

static void
replies_before_their_commands(void **state)
{
	char why[120];

	(void)state;
	assert_int_equal(feed_at_once(0, GREETING PLAIN_LIST, why), DIAL_FAILED);
	assert_string_equal(why, "reply before its command");
}

static void
plaintext_behind_stls(void **state)
{
	struct credentials credentials;
	struct dial_order order = make_order(STARTTLS, &credentials);
	struct dial dial;
	size_t used;

	(void)state;
	dial_init(&dial, &order);
	dial_start(&dial);
	assert_int_equal(dial_feed(&dial, slice_of(GREETING), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&dial, slice_of("+OK\r\nSTLS\r\n.\r\n"), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&dial, slice_of("+OK go\r\n" PLAIN_LIST), &used), DIAL_FAILED);
	assert_string_equal(dial.why, "plaintext behind STARTTLS");
	dial_wipe(&dial);
	credentials_wipe(&credentials);
}

static void
bytes_behind_the_login_are_left(void **state)
{
	struct credentials credentials;
	struct dial_order order = make_order(0, &credentials);
	struct dial dial;
	size_t used;

	(void)state;
	dial_init(&dial, &order);
	dial_start(&dial);
	assert_int_equal(dial_feed(&dial, slice_of(GREETING), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&dial, slice_of(PLAIN_LIST), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&dial, slice_of("+OK in\r\n+OK 1 320\r\n"), &used), DIAL_READY);
	assert_int_equal(used, strlen("+OK in\r\n"));
	dial_wipe(&dial);
	credentials_wipe(&credentials);
}

static void
an_endless_list(void **state)
{
	struct credentials credentials;
	struct dial_order order = make_order(0, &credentials);
	struct dial dial;
	struct buf in = { 0 };
	enum dial_result result;

	(void)state;
	dial_init(&dial, &order);
	dial_start(&dial);
	assert_int_equal(dial_feed_pieces(&dial, &in, GREETING, 99), DIAL_MORE);
	result = dial_feed_pieces(&dial, &in, "+OK\r\n", 99);
	for (int i = 0; i < 100 && result == DIAL_MORE; i++)
		result = dial_feed_pieces(&dial, &in, "X-MORE\r\n", 99);
	assert_int_equal(result, DIAL_FAILED);
	assert_string_equal(dial.why, "too much before a reply");
	dial_wipe(&dial);
	credentials_wipe(&credentials);
	buf_clear(&in);
}

struct told {
	const char *last, *said;
};

static void
tell(const struct told *row, void (*write)(struct dialogue *, const struct dial *))
{
	struct dialogue d;
	struct dial dial = { .tls_active = true };

	dialogue_init(&d, &proto_pop3, NULL, "mail.example");
	buf_append_text(&dial.last, row->last);
	write(&d, &dial);
	if (!slice_equals(buf_slice(&d.out), row->said))
		fail_msg("\"%s\": \"%.*s\"", row->last, SLICE_ARGS(buf_slice(&d.out)));
	dial_wipe(&dial);
	dialogue_wipe(&d);
}

static void
clients_are_told(void **state)
{
	static const struct told ok[] = {
		{ "+OK Logged in", "+OK Logged in\r\n" },
		{ "+OK", "+OK Logged in.\r\n" },
		{ "", "+OK Logged in.\r\n" },
		{ "+ok  3 messages", "+OK 3 messages\r\n" },
		{ "+OK a\rb\x80\x01%n%s", "+OK a?b??%n%s\r\n" },
	};
	static const struct told refused[] = {
		{ "-ERR", "-ERR [AUTH] Authentication failed.\r\n" },
		{ "-ERR no such user", "-ERR [AUTH] Authentication failed.\r\n" },
		{ "-ERR [AUTH] no such user", "-ERR [AUTH] Authentication failed.\r\n" },
		{ "-ERR [auth/who] no such user", "-ERR [AUTH] Authentication failed.\r\n" },
		{ "-ERR [broken", "-ERR [AUTH] Authentication failed.\r\n" },
		{ "-ERR [IN-USE] a\rb", "-ERR [IN-USE] a?b\r\n" },
		{ "-ERR [LOGIN-DELAY] Too soon", "-ERR [LOGIN-DELAY] Too soon\r\n" },
		{ "-ERR [AUTHOR] x", "-ERR [AUTHOR] x\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++)
		tell(&ok[i], proto_pop3.login_ok);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		tell(&refused[i], proto_pop3.login_refused);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_in_any_pieces),
		cmocka_unit_test(the_longest_line),
		cmocka_unit_test(replies_before_their_commands),
		cmocka_unit_test(plaintext_behind_stls),
		cmocka_unit_test(bytes_behind_the_login_are_left),
		cmocka_unit_test(an_endless_list),
		cmocka_unit_test(clients_are_told),
	};

	return cmocka_run_group_tests_name("pop3_dial", tests, NULL, NULL);
}
