/* SPDX-License-Identifier: BSD-2-Clause */
/* xclient_test.c: what trusted peers tell, as each of them writes it, and what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"
#include "proto/command.h"
#include "proto/xclient.h"

static void
apply(const struct xclient *told, struct identity *identity)
{
	struct dialogue d = { .identity = identity };

	xclient_apply(told, &d);
}

#define LONGEST "0123456789012345678901234567890123456789012345678901234567890123"

static struct identity identity;

static int
set_up(void **state)
{
	(void)state;
	identity = (struct identity){ .session = "0123456789abcdef", .hops = HOPS_MAX };
	assert_true(addr_parse(slice_of("10.0.0.9"), 999, &identity.client));
	assert_true(addr_parse(slice_of("10.0.0.1"), 143, &identity.local));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	xfree(identity.origin);
	xfree(identity.helo);
	return 0;
}

/* Of the identity, as one text. */
static void
expect_identity(const char *wanted)
{
	char client[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX];
	struct buf text = { 0 };

	buf_printf(&text, "%s to %s as %s, %s %s, %d hops", addr_format(&identity.client, client),
	    addr_format(&identity.local, local), identity_session(&identity),
	    identity.is_extended ? "EHLO" : "HELO", identity.helo != NULL ? identity.helo : "nobody",
	    (int)identity.hops);
	if (!slice_equals(buf_slice(&text), wanted))
		fail_msg("%.*s", SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
}

#define UNTOLD "10.0.0.9:999 to 10.0.0.1:143 as 0123456789abcdef, HELO nobody, 5 hops"

static void
told(const char *attributes, enum xclient_form form, const char *wanted)
{
	struct xclient xclient;

	tear_down(NULL);
	set_up(NULL);
	if (!xclient_take(slice_of(attributes), form, &xclient)) {
		if (wanted != NULL)
			fail_msg("\"%s\" is refused", attributes);
		return;
	}
	if (wanted == NULL)
		fail_msg("\"%s\" is taken", attributes);
	apply(&xclient, &identity);
	expect_identity(wanted);
}

static void
postfix_and_its_like(void **state)
{
	(void)state;
	told("ADDR=192.0.2.7 PORT=4711 NAME=[UNAVAILABLE] PROTO=ESMTP HELO=a+2Bb DESTADDR=IPV6:2001:db8::1 "
	     "DESTPORT=25 SESSION=s+3D1 TTL=3", XCLIENT_POSTFIX,
	    "192.0.2.7:4711 to [2001:db8::1]:25 as s=1, EHLO a+b, 3 hops");
	told(" addr=ipv6:2001:DB8::7  port=1 proto=smtp name=x.example ", XCLIENT_POSTFIX,
	    "[2001:db8::7]:1 to 10.0.0.1:143 as 0123456789abcdef, HELO nobody, 5 hops");
	told("ADDR=2001:db8::7", XCLIENT_POSTFIX,
	    "[2001:db8::7]:0 to 10.0.0.1:143 as 0123456789abcdef, HELO nobody, 5 hops");
	told("PROTO=LMTP HELO=a", XCLIENT_POSTFIX,
	    "10.0.0.9:999 to 10.0.0.1:143 as 0123456789abcdef, EHLO a, 5 hops");
	told("ADDR=[UNAVAILABLE] PORT=[unavailable] HELO=[TEMPUNAVAIL] DESTADDR=[UNAVAILABLE] "
	     "SESSION=[UNAVAILABLE]", XCLIENT_POSTFIX, UNTOLD);
	/* a port of nobody */
	told("PORT=4711 DESTPORT=25", XCLIENT_POSTFIX, UNTOLD);
}

static void
what_postfix_would_refuse(void **state)
{
	static const char *const bad[] = {
		"", "  ", "ADDR", "ADDR=", "=x", "ADDR=1.2.3", "ADDR=IPV6:", "ADDR=IPV6:1.2.3.4x",
		"ADDR=192.0.2.7+00", "ADDR=192.0.2.7 PORT=65536", "ADDR=192.0.2.7 PORT=x",
		"ADDR=192.0.2.7 LOGIN=alice", "LOGIN=alice", "FORWARD=YQ", "PROTO=UUCP", "HELO=a+20b",
		"HELO=a+2", "HELO=a=b", "HELO=\xc3\xb6", "TTL=-1", "TTL=256", "TTL=",
		"ADDR=192.0.2.7 WHAT=x", NULL,
	};
	char longest[300] = "HELO=";

	(void)state;
	for (size_t i = 0; bad[i] != NULL; i++)
		told(bad[i], XCLIENT_POSTFIX, NULL);
	memset(longest + 5, 'x', 256);
	told(longest, XCLIENT_POSTFIX, NULL);
	longest[5 + 255] = '\0';
	assert_true(xclient_take(slice_of(longest), XCLIENT_POSTFIX, &(struct xclient){ 0 }));
}

static void
dovecot_and_its_like(void **state)
{
	(void)state;
	told("ADDR=192.0.2.7 PORT=4711 SESSION=A3S/+w== TTL=4 FORWARD=eD1oZWxsbw==", XCLIENT_DOVECOT,
	    "192.0.2.7:4711 to 10.0.0.1:143 as A3S/+w==, HELO nobody, 4 hops");
	told("LOGIN=alice X", XCLIENT_DOVECOT, UNTOLD);
	told("ADDR=nowhere", XCLIENT_DOVECOT, NULL);
	told("", XCLIENT_DOVECOT, NULL);
}

/* What we write ourselves. */
static void
our_own(void **state)
{
	struct dial dial = { .order.identity = &identity };
	char *end;

	(void)state;
	xclient_send(&dial);
	buf_append(&dial.out, "", 1);
	end = strstr(buf_data(&dial.out), "\r\n");
	assert_non_null(end);
	*end = '\0';
	told(buf_data(&dial.out) + strlen("XCLIENT"), XCLIENT_DOVECOT,
	    "10.0.0.9:999 to 10.0.0.1:143 as 0123456789abcdef, HELO nobody, 4 hops");
	buf_clear(&dial.out);
}

static void
session_ids(void **state)
{
	(void)state;
	told("SESSION=" LONGEST, XCLIENT_POSTFIX, "10.0.0.9:999 to 10.0.0.1:143 as " LONGEST
						  ", HELO nobody, 5 hops");
	told("SESSION=x" LONGEST, XCLIENT_POSTFIX, UNTOLD);
	told("SESSION=a+20b", XCLIENT_POSTFIX, UNTOLD);
	told("SESSION=a+00b", XCLIENT_POSTFIX, UNTOLD);
	told("SESSION=a+0D+0AEHLO", XCLIENT_POSTFIX, UNTOLD);
	told("SESSION=a\"b", XCLIENT_POSTFIX, UNTOLD);
}

static void
hops_only_become_fewer(void **state)
{
	struct xclient xclient;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(xclient_take(slice_of(i == 0 ? "TTL=2" : "TTL=200"), XCLIENT_POSTFIX, &xclient));
		apply(&xclient, &identity);
		assert_int_equal(identity.hops, 2);
	}
	assert_true(xclient_take(slice_of("TTL=0"), XCLIENT_POSTFIX, &xclient));
	apply(&xclient, &identity);
	assert_int_equal(identity.hops, 0);
}

static void
in_imap_ids(void **state)
{
	static const struct {
		const char *name[3], *value[3], *wanted;
	} rows[] = {
		{ { "x-originating-ip", "X-Originating-Port", "x-proxy-ttl" }, { "192.0.2.7", "4711", "3" },
		    "192.0.2.7:4711 to 10.0.0.1:143 as 0123456789abcdef, HELO nobody, 3 hops" },
		{ { "x-connected-port", "x-connected-ip", "x-session-id" }, { "993", "2001:db8::1", "abc" },
		    "10.0.0.9:999 to [2001:db8::1]:993 as abc, HELO nobody, 5 hops" },
		{ { "x-originating-ip", "x-originating-port" }, { "192.0.2.7", "65536" }, UNTOLD },
		{ { "x-originating-port", "x-originating-ip" }, { "4711", "192.0.2.7.1" }, UNTOLD },
		{ { "x-originating-ip", "x-proxy-ttl" }, { "192.0.2.7", "many" },
		    "192.0.2.7:0 to 10.0.0.1:143 as 0123456789abcdef, HELO nobody, 5 hops" },
		{ { "x-session-id", "HELO", "x-forward-x" }, { "a b", "c", "d" }, UNTOLD },
		{ { "ADDR", "name", "" }, { "192.0.2.7", "x", "" }, UNTOLD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xclient xclient = { 0 };

		tear_down(NULL);
		set_up(NULL);
		for (int k = 0; k < 3 && rows[i].name[k] != NULL; k++)
			xclient_take_id(slice_of(rows[i].name[k]), slice_of(rows[i].value[k]), &xclient);
		apply(&xclient, &identity);
		expect_identity(rows[i].wanted);
	}
}

/* Only what is told anew. */
static void
a_second_one_replaces_the_first(void **state)
{
	struct xclient xclient;

	(void)state;
	assert_true(xclient_take(slice_of("ADDR=192.0.2.7 SESSION=a HELO=b"), XCLIENT_POSTFIX, &xclient));
	apply(&xclient, &identity);
	assert_true(xclient_take(slice_of("ADDR=192.0.2.8 SESSION=c"), XCLIENT_POSTFIX, &xclient));
	apply(&xclient, &identity);
	expect_identity("192.0.2.8:0 to 10.0.0.1:143 as c, HELO b, 5 hops");
}

/* RFC 3207 section 4.2: what came in the clear may be another's word. */
static void
tls_forgets_what_was_told(void **state)
{
	struct identity known = { .session = "ours", .hops = HOPS_MAX };
	struct xclient told;
	struct dialogue d;
	char host[ADDR_TEXT_MAX];

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.9"), 4711, &known.client));
	dialogue_init(&d, &proto_pop3, &known, "mail.example");
	for (int i = 0; i < 2; i++) {
		assert_true(xclient_take(slice_of("ADDR=198.51.100.1 PORT=1 SESSION=abc TTL=3"),
		    XCLIENT_DOVECOT, &told));
		xclient_apply(&told, &d);
	}
	assert_string_equal(identity_session(&known), "abc");
	dialogue_tls_started(&d);
	assert_string_equal(addr_format(&known.client, host), "192.0.2.9:4711");
	assert_string_equal(identity_session(&known), "ours");
	assert_int_equal(known.hops, HOPS_MAX);
	dialogue_wipe(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(postfix_and_its_like, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_postfix_would_refuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(dovecot_and_its_like, set_up, tear_down),
		cmocka_unit_test_setup_teardown(our_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(session_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hops_only_become_fewer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(in_imap_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_one_replaces_the_first, set_up, tear_down),
		cmocka_unit_test(tls_forgets_what_was_told),
	};

	return cmocka_run_group_tests_name("xclient", tests, NULL, NULL);
}
