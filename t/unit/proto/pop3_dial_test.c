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

enum {
	UTF8 = OWN_FLAG,
	LONG_PASSWORD = OWN_FLAG << 1,
	TOKEN = OWN_FLAG << 2,
	BLANK_NAME = OWN_FLAG << 3,
	NO_NAME = OWN_FLAG << 4,
	COMMANDS = OWN_FLAG << 5,	/* in the password: "p\r\nDELE 1" */
	NUL_NAME = OWN_FLAG << 6
};

static const struct dial_script scripts[] = {
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
	    DIAL_READY, NULL, "+OK", "TOP\nUIDL\n" },
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
	{ "but not where it is demanded", IDENTIFIED | ALWAYS_TOLD,
	    { { GREETING, ASK }, { PLAIN_LIST, XCLIENT PLAIN }, { "-ERR no\r\n", "" } }, DIAL_FAILED,
	    "command refused", "-ERR no", NULL },
	{ "nor ignored", IDENTIFIED | ALWAYS_TOLD,
	    { { GREETING, ASK }, { PLAIN_LIST, XCLIENT PLAIN }, { NO_TRUST, "" } }, DIAL_FAILED,
	    "command refused", NULL, NULL },
	{ "a demanded XCLIENT", IDENTIFIED | ALWAYS_TOLD,
	    { { GREETING, ASK }, { PLAIN_LIST, XCLIENT PLAIN }, { "+OK Updated\r\n+OK in\r\n", "" } },
	    DIAL_READY, NULL, "+OK in", NULL },
	{ "no XCLIENT where none is announced", IDENTIFIED,
	    { { GREETING, ASK }, { PLAIN_LIST, PLAIN }, { "+OK in\r\n", "" } }, DIAL_READY, NULL, NULL,
	    NULL },
	{ "XCLIENT never", IDENTIFIED | NEVER_TOLD,
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
	    DIAL_READY, NULL, NULL, "TOP\nUIDL\n" },
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

static struct dial_order
make_order(struct dial_rig *rig, unsigned flags)
{
	struct dial_order order = dial_rig_order(rig, &proto_pop3, flags, FORWARD_XCLIENT, 995);
	struct credentials *c = &rig->credentials;

	order.wishes = (flags & UTF8) != 0 ? POP3_WISH_UTF8 : 0;
	buf_truncate(&c->user, 0);
	buf_append_slice(&c->user, name_of(flags));
	if ((flags & COMMANDS) != 0)
		buf_append_text(&c->password, "p\r\nDELE 1");
	for (int i = 0; (flags & LONG_PASSWORD) != 0 && i < 200; i++)
		buf_append_text(&c->password, "x");
	if ((flags & TOKEN) != 0)
		c->mechanism = MECHANISM_XOAUTH2;
	return order;
}

static void
scripts_in_any_pieces(void **state)
{
	(void)state;
	dial_scripts_play(scripts, sizeof(scripts) / sizeof(scripts[0]), make_order);
}

/* A password whose initial response makes the line as long as may be, and one octet more. */
static void
the_longest_line(void **state)
{
	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		struct dial_rig rig;
		struct buf in = { 0 };

		dial_rig_start(&rig, make_order, 0);
		/* 13 octets of command and CRLF leave 240 of base64, which are 180 */
		while (buf_len(&rig.credentials.password) < 180 - strlen("_alice_") + extra)
			buf_append_text(&rig.credentials.password, "x");
		assert_int_equal(dial_feed_pieces(&rig.dial, &in, GREETING, 99), DIAL_MORE);
		buf_consume(&rig.dial.out, buf_len(&rig.dial.out));
		assert_int_equal(dial_feed_pieces(&rig.dial, &in, PLAIN_LIST, 99), DIAL_MORE);
		assert_int_equal(buf_len(&rig.dial.out), extra == 0 ? 253 : strlen("AUTH PLAIN\r\n"));
		dial_rig_close(&rig);
		buf_clear(&in);
	}
}

static void
replies_before_their_commands(void **state)
{
	(void)state;
	dial_expect(make_order, 0, slice_of(GREETING PLAIN_LIST), DIAL_FAILED, "reply before its command");
}

static void
plaintext_behind_stls(void **state)
{
	struct dial_rig rig;
	size_t used;

	(void)state;
	dial_rig_start(&rig, make_order, STARTTLS);
	assert_int_equal(dial_feed(&rig.dial, slice_of(GREETING), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&rig.dial, slice_of("+OK\r\nSTLS\r\n.\r\n"), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&rig.dial, slice_of("+OK go\r\n" PLAIN_LIST), &used), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "plaintext behind STARTTLS");
	dial_rig_close(&rig);
}

static void
bytes_behind_the_login_are_left(void **state)
{
	struct dial_rig rig;
	size_t used;

	(void)state;
	dial_rig_start(&rig, make_order, 0);
	assert_int_equal(dial_feed(&rig.dial, slice_of(GREETING), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&rig.dial, slice_of(PLAIN_LIST), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&rig.dial, slice_of("+OK in\r\n+OK 1 320\r\n"), &used), DIAL_READY);
	assert_int_equal(used, strlen("+OK in\r\n"));
	dial_rig_close(&rig);
}

static void
an_endless_list(void **state)
{
	struct dial_rig rig;
	struct buf in = { 0 };
	enum dial_result result;

	(void)state;
	dial_rig_start(&rig, make_order, 0);
	assert_int_equal(dial_feed_pieces(&rig.dial, &in, GREETING, 99), DIAL_MORE);
	result = dial_feed_pieces(&rig.dial, &in, "+OK\r\n", 99);
	for (int i = 0; i < 100 && result == DIAL_MORE; i++)
		result = dial_feed_pieces(&rig.dial, &in, "X-MORE\r\n", 99);
	assert_int_equal(result, DIAL_FAILED);
	assert_string_equal(rig.dial.why, "too much before a reply");
	dial_rig_close(&rig);
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
