/* SPDX-License-Identifier: BSD-2-Clause */
/* imap_dial_test.c: logins at servers of all sorts, good and hostile, in pieces of any size. */
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

#define ALL "* OK [CAPABILITY IMAP4rev1 SASL-IR ID LITERAL+ AUTH=PLAIN] hi\r\n"
#define PLAIN "L AUTHENTICATE PLAIN AGFsaWNlAHdvbmRlcg==\r\n"
#define IDENTITY \
	"I ID (\"x-originating-ip\" \"203.0.113.7\" \"x-originating-port\" \"5555\" \"x-session-id\" \"S1\"" \
	" \"x-proxy-ttl\" \"4\" \"x-connected-ip\" \"2001:db8::1\" \"x-connected-port\" \"993\")\r\n"

enum { WANTS = OWN_FLAG, ALL_FLAGS = OWN_FLAG * 2 - 1 };	/* wants_capabilities */

struct script {
	const char *name;
	unsigned flags;
	struct turn turns[TURNS_MAX];
	enum dial_result result;
	const char *why, *last, *capabilities, *after, *untagged;	/* NULL: not looked at */
};

static const struct script scripts[] = {
	{ "all in one turn", 0, { { "", "" }, { ALL, PLAIN }, { "L OK Logged in\r\n", "" } }, DIAL_READY,
	    NULL, "L OK Logged in", "AUTH=PLAIN\nID\nIMAP4REV1\nLITERAL+\nSASL-IR\n", "", "" },
	{ "capabilities are asked for where the greeting has none", 0,
	    { { "* OK hi\r\n", "C CAPABILITY\r\n" },
		{ "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nC OK done\r\n", PLAIN },
		{ "L OK [CAPABILITY IMAP4rev1 MOVE] Logged in\r\n", "" } },
	    DIAL_READY, NULL, "L OK [CAPABILITY IMAP4rev1 MOVE] Logged in", NULL, "IMAP4rev1 MOVE", "" },
	{ "without SASL-IR in two turns", 0,
	    { { "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n", "L AUTHENTICATE PLAIN\r\n" },
		{ "+ \r\n", "AGFsaWNlAHdvbmRlcg==\r\n" }, { "L OK in\r\n", "" } },
	    DIAL_READY, NULL, "L OK in", NULL, NULL, NULL },
	{ "a bare plus is a go-ahead", 0,
	    { { "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n", "L AUTHENTICATE PLAIN\r\n" },
		{ "+\r\n", "AGFsaWNlAHdvbmRlcg==\r\n" }, { "L OK in\r\n", "" } },
	    DIAL_READY, NULL, "L OK in", NULL, NULL, NULL },
	{ "refused before the password", 0,
	    { { "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n", "L AUTHENTICATE PLAIN\r\n" },
		{ "L NO [CANNOT] not here\r\n", "" } },
	    DIAL_REFUSED, NULL, "L NO [CANNOT] not here", NULL, NULL, NULL },
	{ "OK where a go-ahead is due", 0,
	    { { "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n", "L AUTHENTICATE PLAIN\r\n" },
		{ "L OK in\r\n", "" } },
	    DIAL_FAILED, "garbled reply", NULL, NULL, NULL, NULL },
	{ "LOGIN with literals at once", 0,
	    { { "* OK [CAPABILITY IMAP4rev1 LITERAL+] hi\r\n", "L LOGIN {5+}\r\nalice {6+}\r\nwonder\r\n" },
		{ "L OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "LOGIN with literals in turns", 0,
	    { { "* OK [CAPABILITY IMAP4rev1] hi\r\n", "L LOGIN {5}\r\n" }, { "+ go\r\n", "alice {6}\r\n" },
		{ "+ go\r\n", "wonder\r\n" }, { "L OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "LOGIN refused at its name", 0,
	    { { "* OK [CAPABILITY IMAP4rev1] hi\r\n", "L LOGIN {5}\r\n" }, { "+ go\r\n", "alice {6}\r\n" },
		{ "L NO no\r\n", "" } },
	    DIAL_REFUSED, NULL, "L NO no", NULL, NULL, NULL },
	{ "LOGIN not understood at its name", 0,
	    { { "* OK [CAPABILITY IMAP4rev1] hi\r\n", "L LOGIN {5}\r\n" }, { "+ go\r\n", "alice {6}\r\n" },
		{ "L BAD no\r\n", "" } },
	    DIAL_LATER, NULL, "L BAD no", NULL, NULL, NULL },
	{ "login disabled", 0, { { "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n", "" } }, DIAL_FAILED,
	    "server allows no login here", NULL, NULL, NULL, NULL },
	{ "an authorization identity", MASTER,
	    { { ALL, "L AUTHENTICATE PLAIN Ym9iAGFsaWNlAHdvbmRlcg==\r\n" }, { "L OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "an authorization identity needs AUTH=PLAIN", MASTER,
	    { { "* OK [CAPABILITY IMAP4rev1] hi\r\n", "" } }, DIAL_FAILED, "server offers no SASL PLAIN",
	    NULL, NULL, NULL, NULL },
	{ "the client is told of along with the login", IDENTIFIED,
	    { { ALL, IDENTITY PLAIN },
		{ "* ID NIL\r\nI OK\r\n* OK [ALERT] Full\r\nL OK [CAPABILITY IMAP4rev1] in\r\n", "" } },
	    DIAL_READY, NULL, "L OK [CAPABILITY IMAP4rev1] in", NULL, "IMAP4rev1", "* OK [ALERT] Full\r\n" },
	{ "ID may be refused", IDENTIFIED,
	    { { ALL, IDENTITY PLAIN }, { "I NO [UNAVAILABLE] x\r\nL OK in\r\n", "" } }, DIAL_READY, NULL,
	    "L OK in", NULL, NULL, "" },
	{ "ID with literals in its answer", IDENTIFIED,
	    { { ALL, IDENTITY PLAIN }, { "* ID (\"name\" {7}\r\nL OK x\n)\r\nI OK x\r\nL OK in\r\n", "" } },
	    DIAL_READY, NULL, "L OK in", NULL, NULL, "" },
	{ "no ID where none is announced", IDENTIFIED,
	    { { "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n", PLAIN }, { "L OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "ID always", IDENTIFIED | ALWAYS_TOLD,
	    { { "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n", IDENTITY PLAIN },
		{ "I BAD\r\nL OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "ID never", IDENTIFIED | NEVER_TOLD, { { ALL, PLAIN }, { "L OK in\r\n", "" } }, DIAL_READY, NULL,
	    NULL, NULL, NULL, NULL },
	{ "replies in another order", IDENTIFIED,
	    { { ALL, IDENTITY PLAIN }, { "L OK in\r\nI OK x\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL,
	    NULL, NULL, NULL },
	{ "STARTTLS, then all anew", STARTTLS | IDENTIFIED,
	    { { "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi\r\n", "S STARTTLS\r\n" },
		{ "S OK [CAPABILITY IMAP4rev1 AUTH=EVIL] go\r\n", "" }, { "TLS", "T CAPABILITY\r\n" },
		{ "* CAPABILITY IMAP4rev1 SASL-IR ID AUTH=PLAIN\r\nT OK x\r\n", IDENTITY PLAIN },
		{ "I OK\r\nL OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, "AUTH=PLAIN\nID\nIMAP4REV1\nSASL-IR\n", NULL, NULL },
	{ "what was said before TLS is forgotten", STARTTLS | CHECK,
	    { { "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi\r\n", "S STARTTLS\r\n" },
		{ "S OK go\r\n", "" }, { "TLS", "T CAPABILITY\r\n" }, { "T OK x\r\n", "" } },
	    DIAL_READY, NULL, NULL, "", NULL, NULL },
	{ "no STARTTLS where it is wanted", STARTTLS, { { ALL, "" } }, DIAL_FAILED,
	    "server offers no STARTTLS", NULL, NULL, NULL, NULL },
	{ "STARTTLS refused", STARTTLS,
	    { { "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", "S STARTTLS\r\n" }, { "S BAD no\r\n", "" } },
	    DIAL_FAILED, "command refused", "S BAD no", NULL, NULL, NULL },
	{ "the address needs TLS", NEEDS_TLS | ANONYMOUS | IDENTIFIED, { { ALL, "" } }, DIAL_FAILED,
	    "no TLS for credentials", NULL, NULL, NULL, NULL },
	{ "credentials need TLS", NEEDS_TLS, { { ALL, "" } }, DIAL_FAILED, "no TLS for credentials", NULL,
	    NULL, NULL, NULL },
	{ "credentials over implicit TLS", NEEDS_TLS | TLS_ACTIVE, { { ALL, PLAIN }, { "L OK in\r\n", "" } },
	    DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "a check ends before the login", CHECK, { { ALL, "" } }, DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "a check learns", CHECK | STARTTLS,
	    { { "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", "S STARTTLS\r\n" }, { "S OK go\r\n", "" },
		{ "TLS", "T CAPABILITY\r\n" }, { "* CAPABILITY IMAP4rev1 MOVE\r\nT OK x\r\n", "" } },
	    DIAL_READY, NULL, NULL, "IMAP4REV1\nMOVE\n", NULL, NULL },
	{ "a check of a server that disables LOGIN", ANONYMOUS,
	    { { "* OK [CAPABILITY LOGINDISABLED] hi\r\n", "" } }, DIAL_READY, NULL, NULL, NULL, NULL, NULL },
	{ "capabilities after login are asked for", WANTS,
	    { { ALL, PLAIN }, { "L OK in\r\n", "E CAPABILITY\r\n" },
		{ "* CAPABILITY IMAP4rev1 X\x01Y MO]VE IDLE\r\n* 3 EXISTS\r\nE OK x\r\n", "" } },
	    DIAL_READY, NULL, "L OK in", NULL, "IMAP4rev1 IDLE", "* 3 EXISTS\r\n" },
	{ "capabilities after login are refused", WANTS,
	    { { ALL, PLAIN }, { "L OK in\r\n", "E CAPABILITY\r\n" }, { "E NO x\r\n", "" } }, DIAL_READY, NULL,
	    "L OK in", NULL, "", "" },
	{ "capabilities after login are not understood", WANTS,
	    { { ALL, PLAIN }, { "L OK in\r\n", "E CAPABILITY\r\n" }, { "E BAD x\r\n", "" } }, DIAL_READY,
	    NULL, "L OK in", NULL, "", "" },
	{ "capabilities after login are unavailable", WANTS,
	    { { ALL, PLAIN }, { "L OK in\r\n", "E CAPABILITY\r\n" }, { "E NO [LIMIT] x\r\n", "" } },
	    DIAL_READY, NULL, "L OK in", NULL, "", "" },
	{ "capabilities after login came along", WANTS,
	    { { ALL, PLAIN }, { "* CAPABILITY IMAP4rev1 A\r\nL OK in\r\n", "" } }, DIAL_READY, NULL, NULL,
	    NULL, "IMAP4rev1 A", "" },
	{ "capabilities after login in an untagged OK", 0,
	    { { ALL, PLAIN }, { "* OK [CAPABILITY IMAP4rev1 A] x\r\nL OK in\r\n", "" } }, DIAL_READY, NULL,
	    NULL, NULL, "IMAP4rev1 A", "" },
	{ "nobody comes back as somebody else", CHECK,
	    { { "* OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE IDLE] hi\r\n", "" } }, DIAL_READY, NULL, NULL,
	    "IDLE\nIMAP4REV1\n", NULL, NULL },
	{ "neither after the login", 0,
	    { { ALL, PLAIN }, { "L OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE A] in\r\n", "" } }, DIAL_READY,
	    NULL, NULL, NULL, "IMAP4rev1 A", NULL },
	{ "refused", 0, { { ALL, PLAIN }, { "L NO [AUTHENTICATIONFAILED] x\r\n", "" } }, DIAL_REFUSED, NULL,
	    "L NO [AUTHENTICATIONFAILED] x", NULL, NULL, NULL },
	{ "unavailable", 0, { { ALL, PLAIN }, { "L NO [UNAVAILABLE] x\r\n", "" } }, DIAL_LATER, NULL,
	    "L NO [UNAVAILABLE] x", NULL, NULL, NULL },
	{ "too many connections of the user", 0, { { ALL, PLAIN }, { "L NO [LIMIT] x\r\n", "" } }, DIAL_LATER,
	    NULL, "L NO [LIMIT] x", NULL, NULL, NULL },
	{ "the mailbox is in use", 0, { { ALL, PLAIN }, { "L NO [inuse] x\r\n", "" } }, DIAL_LATER, NULL,
	    NULL, NULL, NULL, NULL },
	{ "another code", 0, { { ALL, PLAIN }, { "L NO [LIMITED] x\r\n", "" } }, DIAL_REFUSED, NULL, NULL,
	    NULL, NULL, NULL },
	{ "not understood", 0, { { ALL, PLAIN }, { "L BAD x\r\n", "" } }, DIAL_LATER, NULL, "L BAD x", NULL,
	    NULL, NULL },
	{ "greeted with BYE", 0, { { "* BYE too many\r\n", "" } }, DIAL_LATER, NULL, "* BYE too many", NULL,
	    NULL, NULL },
	{ "BYE before the reply", 0, { { ALL, PLAIN }, { "* BYE x\r\n", "" } }, DIAL_LATER, NULL, "* BYE x",
	    NULL, NULL, NULL },
	{ "PREAUTH", 0, { { "* PREAUTH [CAPABILITY IMAP4rev1] root\r\n", "" } }, DIAL_FAILED,
	    "PREAUTH greeting", NULL, NULL, NULL, NULL },
	{ "PREAUTH later", 0, { { ALL, PLAIN }, { "* PREAUTH x\r\n", "" } }, DIAL_FAILED, "garbled reply",
	    NULL, NULL, NULL, NULL },
	{ "another protocol", 0, { { "220 mail ESMTP\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL,
	    NULL, NULL },
	{ "an empty line", 0, { { "\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL, NULL, NULL },
	{ "another's tag", 0, { { ALL, PLAIN }, { "M OK in\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL,
	    NULL, NULL, NULL },
	{ "a tag and no status", 0, { { ALL, PLAIN }, { "L FINE\r\n", "" } }, DIAL_FAILED, "garbled reply",
	    NULL, NULL, NULL, NULL },
	{ "a go-ahead out of turn", 0, { { ALL, PLAIN }, { "+ go\r\n", "" } }, DIAL_FAILED, "garbled reply",
	    NULL, NULL, NULL, NULL },
	{ "formats are not formats", 0,
	    { { "* OK %n%s%n%s\r\n", "C CAPABILITY\r\n" }, { "C NO %n%s\r\n", "" } }, DIAL_FAILED,
	    "command refused", "C NO %n%s", NULL, NULL, NULL },
	{ "a huge literal", 0, { { ALL, PLAIN }, { "* X {18446744073709551616}\r\n", "" } }, DIAL_FAILED,
	    "endless reply", NULL, NULL, NULL, NULL },
};

static struct dial_order
make_order(struct dial_rig *rig, unsigned flags)
{
	struct dial_order order = dial_rig_order(rig, &proto_imap, flags, FORWARD_ID, 993);

	order.wants_capabilities = (flags & WANTS) != 0;
	return order;
}

static void
run(const struct script *script, size_t piece)
{
	const struct dial_end end = { script->result, script->why, script->last, script->capabilities };
	struct dial_rig rig;
	struct dial_order order = make_order(&rig, script->flags);

	dial_rig_open(&rig, &order, script->flags);
	dial_rig_play(&rig, script->name, script->turns, piece, &end);
	dial_compare(script->name, "after", buf_slice(&rig.dial.capabilities_after), script->after);
	dial_compare(script->name, "untagged", buf_slice(&rig.dial.untagged), script->untagged);
	dial_rig_close(&rig);
}

static void
scripts_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		for (size_t piece = 1; piece < 200; piece = piece * 3 + 1)
			run(&scripts[i], piece);
}

static void
replies_before_their_commands(void **state)
{
	(void)state;
	dial_expect(make_order, 0, slice_of(ALL "L OK in\r\n"), DIAL_FAILED, "reply before its command");
	dial_expect(make_order, 0, slice_of("* OK hi\r\nC OK\r\n"), DIAL_FAILED, NULL);
	dial_expect(make_order, 0, slice_of(ALL "* OK [ALERT] x\r\nL OK in\r\n"), DIAL_FAILED, NULL);
	/* untagged lines may come at any time */
	dial_expect(make_order, 0, slice_of(ALL "* OK [ALERT] x\r\n"), DIAL_MORE, NULL);
}

static void
plaintext_behind_starttls(void **state)
{
	struct dial_rig rig;
	size_t used;

	(void)state;
	dial_rig_start(&rig, make_order, STARTTLS);
	assert_int_equal(dial_rig_feed(&rig, "* OK [CAPABILITY STARTTLS] x\r\n"), DIAL_MORE);
	assert_int_equal(
	    dial_feed(&rig.dial, slice_of("S OK go\r\n* CAPABILITY AUTH=PLAIN\r\n"), &used), DIAL_FAILED);
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
	assert_int_equal(dial_feed(&rig.dial, slice_of(ALL), &used), DIAL_MORE);
	assert_int_equal(dial_feed(&rig.dial, slice_of("L OK in\r\n* 1 EXISTS\r\n"), &used), DIAL_READY);
	assert_int_equal(used, strlen("L OK in\r\n"));
	dial_rig_close(&rig);
}

static void
of_thousands_of_capabilities_few_are_kept(void **state)
{
	struct dial_rig rig;
	struct buf text = { 0 };
	size_t used;

	(void)state;
	buf_append_text(&text, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR");
	for (int i = 0; i < 1200; i++)
		buf_printf(&text, " X%04d", i);
	buf_append_text(&text, "] hi\r\n");
	dial_rig_start(&rig, make_order, 0);
	assert_int_equal(dial_feed(&rig.dial, buf_slice(&text), &used), DIAL_MORE);
	assert_true(capability_has(buf_slice(&rig.dial.capabilities), "SASL-IR"));
	assert_true(capability_has(buf_slice(&rig.dial.capabilities), "X0100"));
	assert_false(capability_has(buf_slice(&rig.dial.capabilities), "X1000"));
	dial_rig_close(&rig);
	buf_clear(&text);
}

static void
floods_are_bounded(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_append_text(&text, ALL);
	for (int i = 0; i < 64; i++)
		buf_append_text(&text, "* 1 EXISTS\r\n");
	dial_expect(make_order, 0, buf_slice(&text), DIAL_MORE, NULL);
	buf_append_text(&text, "* 1 EXISTS\r\n");
	dial_expect(make_order, 0, buf_slice(&text), DIAL_FAILED, "too much before a reply");
	buf_clear(&text);

	buf_append_text(&text, ALL);
	for (int i = 0; i < 9; i++) {
		memset(buf_reserve(&text, 8002), 'x', 8000);
		memcpy(buf_data(&text) + buf_len(&text), "* ", 2);
		buf_added(&text, 8000);
		buf_append_text(&text, "\r\n");
	}
	dial_expect(make_order, 0, buf_slice(&text), DIAL_FAILED, "too much before a reply");
	buf_clear(&text);

	memset(buf_reserve(&text, 8193), '*', 8193);
	buf_added(&text, 8193);
	dial_expect(make_order, 0, buf_slice(&text), DIAL_FAILED, "endless reply");
	buf_clear(&text);

	dial_expect(make_order, 0, slice_make("* OK \0x\r\n", 9), DIAL_FAILED, "NUL in a reply");
}

/* A server that says anything at all: the dial ends or goes on, and sends no password before its turn. */
static void
random_servers(void **state)
{
	static const char *const words[] = { "* ", "+ ", "L ", "C ", "I ", "E ", "S ", "OK", "NO", "BYE",
		" [CAPABILITY ", "AUTH=PLAIN", "SASL-IR ", "ID ", "]", "\r\n", "\n", "{3}\r\n", "{", "x",
		"\x80", "STARTTLS ", "ALERT" };

	(void)state;
	srandom(7);
	for (int round = 0; round < 4000; round++) {
		unsigned flags = (unsigned)random() & ALL_FLAGS & ~(unsigned)TLS_ACTIVE;
		struct dial_rig rig;
		struct dial_order order = make_order(&rig, flags);
		struct dial *dial = &rig.dial;
		struct buf in = { 0 };
		enum dial_result result;

		dial_rig_open(&rig, &order, flags);
		result = dial_start(dial);
		for (int i = 0; i < 60 && (result == DIAL_MORE || result == DIAL_TLS); i++) {
			const char *word = words[(size_t)random() % (sizeof(words) / sizeof(words[0]))];

			result = result == DIAL_TLS ? dial_tls_started(dial)
						    : dial_feed_pieces(dial, &in, i == 0 ? ALL : word, 7);
			if (order.needs_tls && !dial->tls_active)
				assert_null(
				    memmem(buf_slice(&dial->out).data, buf_len(&dial->out), "AGFsa", 5));
		}
		dial_rig_close(&rig);
		buf_clear(&in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_in_any_pieces),
		cmocka_unit_test(replies_before_their_commands),
		cmocka_unit_test(plaintext_behind_starttls),
		cmocka_unit_test(bytes_behind_the_login_are_left),
		cmocka_unit_test(of_thousands_of_capabilities_few_are_kept),
		cmocka_unit_test(floods_are_bounded),
		cmocka_unit_test(random_servers),
	};

	return cmocka_run_group_tests_name("imap_dial", tests, NULL, NULL);
}
