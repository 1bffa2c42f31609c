/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_dial_test.c: servers of all sorts, good and hostile, are told of clients and logged in at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/identity.h"
#include "proto/capability.h"
#include "proto/dial.h"
#include "proto/smtp.h"

#include "dial_talk.h"

#define HI "220 mx ESMTP\r\n"
#define EHLO "EHLO gp.test\r\n"
#define ATTRIBUTES "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
#define OFFERS \
	"250-mx\r\n250-PIPELINING\r\n250-XCLIENT " ATTRIBUTES "\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000\r\n"
#define AFTER "250-mx\r\n250-PIPELINING\r\n250 SIZE 500\r\n"
#define PLAIN "AUTH PLAIN AGFsaWNlAHdvbmRlcg==\r\n"
#define DESTINED " DESTADDR=198.51.100.1 DESTPORT=25"
#define DESTINATION DESTINED "\r\n"
#define TOLD "XCLIENT ADDR=203.0.113.7 PORT=5555 NAME=[UNAVAILABLE] PROTO="
#define CLIENT TOLD "ESMTP HELO=c.test"
#define AS_CLIENT "EHLO c.test\r\n"
#define OFFERS_ADDR "250-mx\r\n250 XCLIENT ADDR\r\n"
#define OFFERS_TLS "250-mx\r\n250 STARTTLS\r\n"
#define OFFERS_LOGIN "250-mx\r\n250 AUTH LOGIN\r\n"
#define IS_ALICE " LOGIN=a+20b+0D+0A+2B+C3+B6"
#define OFFERS_HELO "250-mx\r\n250 XCLIENT ADDR HELO\r\n"
#define REST " NAME=[UNAVAILABLE] PROTO=ESMTP HELO=c.test"
#define IPV6 \
	"XCLIENT ADDR=IPV6:2001:db8::7 PORT=5555" REST " DESTADDR=IPV6:2001:db8::1 DESTPORT=25\r\n"
#define UNKNOWN "XCLIENT ADDR=[UNAVAILABLE]" REST " DESTADDR=[UNAVAILABLE]\r\n"
#define IN "235 2.7.0 in\r\n"

enum { LONG_PASSWORD = 400 };

enum {
	LONG = OWN_FLAG,		/* a password of LONG_PASSWORD octets */
	USER = OWN_FLAG << 1,		/* by the name alone */
	LOGIN = OWN_FLAG << 2,		/* credentials; without it, as ANONYMOUS */
	ALL_BITS = OWN_FLAG * 8 - 1
};

struct script {
	const char *name;
	unsigned flags;
	enum forward_way forward;
	const struct identity *identity;
	struct turn turns[TURNS_MAX];
	enum dial_result result;
	const char *why, *last, *capabilities;	/* NULL: not looked at */
};

/* Filled in by setup. */
static struct identity plain, passed, basic, silent, odd, odd_basic, empty, endless, ipv6, mapped, local;

static const struct script scripts[] = {
	{ "a check learns", CHECK, FORWARD_AUTO, NULL,
	    { { "", "" }, { HI, EHLO }, { OFFERS, "" } },
	    DIAL_READY, "", "", "AUTH=LOGIN\nAUTH=PLAIN\nPIPELINING\nSIZE 1000\nXCLIENT " ATTRIBUTES "\n" },
	{ "a check ends before the login", CHECK | LOGIN, FORWARD_XCLIENT, NULL,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },
	{ "a check of a server that could not be told", CHECK, FORWARD_AUTO, NULL,
	    { { HI, EHLO }, { "250-mx\r\n250 XCLIENT LOGIN\r\n", "" } },
	    DIAL_FAILED, "server offers no way to pass the client's address", NULL, NULL },
	{ "a check with a login tells nothing of clients", LOGIN, FORWARD_AUTO, NULL,
	    { { HI, EHLO }, { OFFERS, PLAIN }, { IN, "" } }, DIAL_READY, "", "235 2.7.0 in", NULL },
	{ "a check tells nothing of users", USER, FORWARD_AUTO, NULL,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },
	{ "the greeting has many lines", 0, FORWARD_NONE, NULL,
	    { { "220-mx ESMTP\r\n220-we pause\r\n", "" }, { "220 \r\n", EHLO }, { "250 mx\r\n", "" } },
	    DIAL_READY, "", NULL, "" },
	{ "bare codes do", 0, FORWARD_NONE, NULL,
	    { { "220\r\n", EHLO }, { "250\r\n", "" } }, DIAL_READY, "", NULL, "" },
	{ "line ends without CR do", 0, FORWARD_NONE, NULL,
	    { { "220 x\n", EHLO }, { "250-x\n250 DSN\n", "" } }, DIAL_READY, "", NULL, "DSN\n" },
	{ "an empty capability", 0, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "250-mx\r\n250-\r\n250-dsn \r\n250 \r\n", "" } },
	    DIAL_READY, "", NULL, "DSN\n" },
	{ "capabilities that are not printable", 0, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "250-mx\r\n250-A\tB\r\n250-\xc3\xb6\r\n250  DSN\r\n", "" } },
	    DIAL_READY, "", NULL, "DSN\n" },
	{ "the first line is no capability", 0, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "250 STARTTLS\r\n", "" } }, DIAL_READY, "", NULL, "" },

	{ "greeted with 421", 0, FORWARD_NONE, NULL,
	    { { "421 4.3.2 later\r\n", "" } }, DIAL_LATER, "", "421 4.3.2 later", NULL },
	{ "greeted with 450", 0, FORWARD_NONE, NULL,
	    { { "450-a\r\n450 b\r\n", "" } }, DIAL_LATER, "", "450 b", NULL },
	{ "greeted with 554", 0, FORWARD_NONE, NULL,
	    { { "554 5.7.1 no\r\n", "" } }, DIAL_FAILED, "command refused", "554 5.7.1 no", NULL },
	{ "greeted with 250", 0, FORWARD_NONE, NULL,
	    { { "250 mx\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "another protocol", 0, FORWARD_NONE, NULL,
	    { { "* OK hi\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "an empty line", 0, FORWARD_NONE, NULL,
	    { { "\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "two codes in a reply", 0, FORWARD_NONE, NULL,
	    { { "220-mx\r\n221 mx\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "two codes in the reply to EHLO", 0, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "250-mx\r\n550 mx\r\n", "" } }, DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "EHLO refused", 0, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "502-a\r\n502 no\r\n", "" } },
	    DIAL_FAILED, "command refused", "502 no", NULL },
	{ "EHLO put off", 0, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "421 x\r\n", "" } }, DIAL_LATER, "", "421 x", NULL },
	{ "formats are not formats", 0, FORWARD_NONE, NULL,
	    { { "220 %n%s\r\n", EHLO }, { "550 %n%s\r\n", "" } },
	    DIAL_FAILED, "command refused", "550 %n%s", NULL },

	{ "STARTTLS, then all anew", STARTTLS | LOGIN, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO },
		{ "250-mx\r\n250-XCLIENT ADDR\r\n250-AUTH EVIL\r\n250 STARTTLS\r\n", "STARTTLS\r\n" },
		{ "220 go\r\n", "" }, { "TLS", EHLO }, { OFFERS, CLIENT DESTINATION }, { HI, AS_CLIENT },
		{ "250-mx\r\n250 AUTH PLAIN\r\n", PLAIN }, { IN, "" } },
	    DIAL_READY, "", "235 2.7.0 in", "AUTH=PLAIN\n" },
	{ "what was said before TLS is forgotten", STARTTLS | CHECK, FORWARD_NONE, NULL,
	    { { HI, EHLO }, { "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "STARTTLS\r\n" },
		{ "220 go\r\n", "" }, { "TLS", EHLO }, { "250 mx\r\n", "" } },
	    DIAL_READY, "", NULL, "" },
	{ "no STARTTLS where it is wanted", STARTTLS | LOGIN, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_FAILED, "server offers no STARTTLS", NULL, NULL },
	{ "STARTTLS refused", STARTTLS, FORWARD_AUTO, NULL,
	    { { HI, EHLO }, { OFFERS_TLS, "STARTTLS\r\n" }, { "502 no\r\n", "" } },
	    DIAL_FAILED, "command refused", "502 no", NULL },
	{ "STARTTLS not to be had now", STARTTLS, FORWARD_AUTO, NULL,
	    { { HI, EHLO }, { OFFERS_TLS, "STARTTLS\r\n" }, { "454 no\r\n", "" } },
	    DIAL_FAILED, "command refused", "454 no", NULL },
	{ "the server leaves at STARTTLS", STARTTLS, FORWARD_AUTO, NULL,
	    { { HI, EHLO }, { OFFERS_TLS, "STARTTLS\r\n" }, { "421 bye\r\n", "" } },
	    DIAL_LATER, "", "421 bye", NULL },
	{ "credentials need TLS", NEEDS_TLS | LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_FAILED, "no TLS for credentials", NULL, NULL },
	{ "XCLIENT needs TLS", NEEDS_TLS | USER, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_FAILED, "no TLS for credentials", NULL, NULL },
	{ "credentials over implicit TLS", NEEDS_TLS | TLS_ACTIVE | LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, PLAIN }, { IN, "" } }, DIAL_READY, "", NULL, NULL },

	{ "the client is told of", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, "PIPELINING\nSIZE 500\n" },
	{ "only what is announced", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO },
		{ "250-mx\r\n250 xclient helo addr\r\n", "XCLIENT ADDR=203.0.113.7 HELO=c.test\r\n" },
		{ "220-a\r\n220 b\r\n", AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "Dovecot is told the session, too", 0, FORWARD_AUTO, &passed,
	    { { HI, EHLO },
		{ "250-mx\r\n250 XCLIENT ADDR PORT SESSION TTL FORWARD\r\n",
		    "XCLIENT ADDR=203.0.113.7 PORT=5555 SESSION=a+2Bb TTL=2\r\n" },
		{ HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "by XCLIENT though it is not announced", 0, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO }, { "250 mx\r\n", CLIENT "\r\n" }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "by XCLIENT without an address", 0, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO },
		{ "250-\r\n250-XCLIENT NAME HELO\r\n250 \r\n", "XCLIENT NAME=[UNAVAILABLE] HELO=c.test\r\n" },
		{ HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "auto never means none", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { AFTER, "" } },
	    DIAL_FAILED, "server offers no way to pass the client's address", NULL, NULL },
	{ "auto never means without an address", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { "250-mx\r\n250 XCLIENT NAME HELO\r\n", "" } },
	    DIAL_FAILED, "server offers no way to pass the client's address", NULL, NULL },
	{ "id means auto", 0, FORWARD_ID, &plain,
	    { { HI, EHLO }, { AFTER, "" } },
	    DIAL_FAILED, "server offers no way to pass the client's address", NULL, NULL },
	{ "XCLIENT with nothing to say", 0, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO }, { "250-mx\r\n250 XCLIENT\r\n", "" } },
	    DIAL_FAILED, "server's XCLIENT takes nothing that is known", NULL, NULL },
	{ "none is none", 0, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },
	{ "never both PROXY and XCLIENT", 0, FORWARD_PROXY, &plain,
	    { { HI, AS_CLIENT }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },
	{ "never both PROXY 2 and XCLIENT", 0, FORWARD_PROXY_V2, &plain,
	    { { HI, AS_CLIENT }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },
	{ "no user behind a PROXY header", USER, FORWARD_PROXY, &plain,
	    { { HI, AS_CLIENT }, { OFFERS, "" } },
	    DIAL_FAILED, "no XCLIENT behind a PROXY header", NULL, NULL },
	{ "no user behind a PROXY 2 header", USER, FORWARD_PROXY_V2, &plain,
	    { { HI, AS_CLIENT }, { OFFERS, "" } },
	    DIAL_FAILED, "no XCLIENT behind a PROXY header", NULL, NULL },
	{ "no name behind a PROXY header", 0, FORWARD_PROXY, &silent,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },
	{ "a check with a PROXY header", CHECK, FORWARD_PROXY, NULL,
	    { { HI, EHLO }, { OFFERS, "" } }, DIAL_READY, "", NULL, NULL },

	{ "a client with HELO", 0, FORWARD_AUTO, &basic,
	    { { HI, EHLO }, { OFFERS, TOLD "SMTP HELO=c.test" DESTINATION }, { HI, "HELO c.test\r\n" },
		{ "250-mx\r\n250 PIPELINING\r\n", "" } },
	    DIAL_READY, "", NULL, "" },
	{ "HELO refused", 0, FORWARD_XCLIENT, &basic,
	    { { HI, EHLO }, { OFFERS_ADDR, "XCLIENT ADDR=203.0.113.7\r\n" }, { HI, "HELO c.test\r\n" },
		{ "550 no\r\n", "" } },
	    DIAL_FAILED, "command refused", "550 no", NULL },
	{ "a client with HELO that logs in", LOGIN, FORWARD_AUTO, &basic,
	    { { HI, EHLO }, { OFFERS_ADDR, "XCLIENT ADDR=203.0.113.7\r\n" }, { HI, AS_CLIENT },
		{ OFFERS, PLAIN }, { IN, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "a client that did not say its name", 0, FORWARD_AUTO, &silent,
	    { { HI, EHLO }, { OFFERS, TOLD "SMTP" DESTINATION }, { HI, EHLO }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "an empty name", 0, FORWARD_AUTO, &empty,
	    { { HI, EHLO }, { OFFERS_HELO, "XCLIENT ADDR=203.0.113.7\r\n" }, { HI, EHLO }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "an odd name", 0, FORWARD_AUTO, &odd,
	    { { HI, EHLO }, { OFFERS_HELO, "XCLIENT ADDR=203.0.113.7 HELO=c+2B+3D+20+C3+B6\r\n" },
		{ HI, EHLO }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "an odd name with HELO", 0, FORWARD_AUTO, &odd_basic,
	    { { HI, EHLO }, { OFFERS_HELO, "XCLIENT ADDR=203.0.113.7 HELO=a+20b\r\n" },
		{ HI, "HELO gp.test\r\n" }, { "250 mx\r\n", "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "a name that is too long in xtext", 0, FORWARD_AUTO, &endless,
	    { { HI, EHLO }, { OFFERS_HELO, "XCLIENT ADDR=203.0.113.7\r\n" } }, DIAL_MORE, "", NULL, NULL },

	{ "a client with IPv6", 0, FORWARD_AUTO, &ipv6,
	    { { HI, EHLO }, { OFFERS, IPV6 }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "a server without IPv6", 0, FORWARD_AUTO, &ipv6,
	    { { HI, EHLO }, { OFFERS, IPV6 }, { "501-5.5.4 Bad\r\n501 5.5.4 ADDR\r\n", UNKNOWN },
		{ HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, "PIPELINING\nSIZE 500\n" },
	{ "a server that takes no address at all", 0, FORWARD_XCLIENT, &ipv6,
	    { { HI, EHLO }, { OFFERS_ADDR, "XCLIENT ADDR=IPV6:2001:db8::7\r\n" },
		{ "501 a\r\n", "XCLIENT ADDR=[UNAVAILABLE]\r\n" }, { "501 b\r\n", "" } },
	    DIAL_FAILED, "command refused", "501 b", NULL },
	{ "the client is refused once its address is left out", 0, FORWARD_XCLIENT, &ipv6,
	    { { HI, EHLO }, { OFFERS_ADDR, "XCLIENT ADDR=IPV6:2001:db8::7\r\n" },
		{ "501 a\r\n", "XCLIENT ADDR=[UNAVAILABLE]\r\n" }, { "554 5.7.1 unknown\r\n", "" } },
	    DIAL_REFUSED, "", "554 5.7.1 unknown", NULL },
	{ "501, but not to an address", 0, FORWARD_XCLIENT, &ipv6,
	    { { HI, EHLO }, { "250-mx\r\n250 XCLIENT PORT\r\n", "XCLIENT PORT=5555\r\n" },
		{ "501 a\r\n", "" } },
	    DIAL_FAILED, "command refused", "501 a", NULL },
	{ "501 to IPv4", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { "501 a\r\n", "" } },
	    DIAL_FAILED, "command refused", "501 a", NULL },
	{ "the client is refused", 0, FORWARD_XCLIENT, &ipv6,
	    { { HI, EHLO }, { OFFERS_ADDR, "XCLIENT ADDR=IPV6:2001:db8::7\r\n" },
		{ "554 5.7.1 listed\r\n", "" } },
	    DIAL_REFUSED, "", "554 5.7.1 listed", NULL },
	{ "the client is refused behind its header", 0, FORWARD_PROXY_V2, &plain,
	    { { "521 5.7.1 listed\r\n", "" } },
	    DIAL_REFUSED, "", "521 5.7.1 listed", NULL },
	{ "a check is refused behind its header", CHECK, FORWARD_PROXY_V2, NULL,
	    { { "521 5.7.1 listed\r\n", "" } },
	    DIAL_FAILED, "command refused", "521 5.7.1 listed", NULL },
	{ "XCLIENT is not for us", 0, FORWARD_XCLIENT, &basic,
	    { { HI, EHLO }, { "250 mx\r\n", NULL }, { "550 5.7.0 not you\r\n", "" } },
	    DIAL_FAILED, "command refused", "550 5.7.0 not you", NULL },
	{ "IPv4 within IPv6 is IPv4", 0, FORWARD_AUTO, &mapped,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { "501 a\r\n", "" } },
	    DIAL_FAILED, "command refused", NULL, NULL },
	{ "a client on a unix socket", 0, FORWARD_AUTO, &local,
	    { { HI, EHLO }, { OFFERS, UNKNOWN }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },

	{ "XCLIENT put off", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { "421 4.7.0 too many\r\n", "" } },
	    DIAL_LATER, "", "421 4.7.0 too many", NULL },
	{ "XCLIENT answered with 250", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { "250 ok\r\n", "" } },
	    DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "the client's EHLO refused", 0, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { HI, AS_CLIENT }, { "550 no\r\n", "" } },
	    DIAL_FAILED, "command refused", "550 no", NULL },

	{ "a user by name alone", USER, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINED IS_ALICE "\r\n" }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "a user by name where nothing is announced", USER, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO }, { AFTER, CLIENT IS_ALICE "\r\n" }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "a user and no address", USER, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, "XCLIENT" IS_ALICE "\r\n" }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "XCLIENT takes no user", USER, FORWARD_XCLIENT, &plain,
	    { { HI, EHLO }, { "250-mx\r\n250 XCLIENT NAME ADDR\r\n", "" } },
	    DIAL_FAILED, "server's XCLIENT takes no LOGIN", NULL, NULL },

	{ "logging in", LOGIN, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { HI, AS_CLIENT }, { OFFERS, PLAIN },
		{ "235-a\r\n235 b\r\n", "" } },
	    DIAL_READY, "", "235 b", NULL },
	{ "AUTH as it was once written", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { "250-mx\r\n250 AUTH=PLAIN\r\n", PLAIN }, { IN, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "AUTH as it was once written, with more", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { "250-mx\r\n250 auth=login plain\r\n", PLAIN }, { IN, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "an authorization identity", LOGIN | MASTER, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, "AUTH PLAIN Ym9iAGFsaWNlAHdvbmRlcg==\r\n" }, { IN, "" } },
	    DIAL_READY, "", NULL, NULL },
	{ "an authorization identity needs AUTH PLAIN", LOGIN | MASTER, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS_LOGIN, "" } }, DIAL_FAILED, "server offers no SASL PLAIN", NULL, NULL },
	{ "no mechanism of ours", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { "250-mx\r\n250-AUTHOR PLAIN\r\n250 AUTH XPLAIN NTLM\r\n", "" } },
	    DIAL_FAILED, "server offers no AUTH PLAIN or LOGIN", NULL, NULL },
	{ "no AUTH", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { AFTER, "" } },
	    DIAL_FAILED, "server offers no AUTH PLAIN or LOGIN", NULL, NULL },
	{ "no AUTH once the client is told of", LOGIN, FORWARD_AUTO, &plain,
	    { { HI, EHLO }, { OFFERS, CLIENT DESTINATION }, { HI, AS_CLIENT }, { AFTER, "" } },
	    DIAL_FAILED, "server offers no AUTH PLAIN or LOGIN", NULL, NULL },
	{ "AUTH LOGIN in turns", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS_LOGIN, "AUTH LOGIN\r\n" },
		{ "334 VXNlcm5hbWU6\r\n", "YWxpY2U=\r\n" }, { "334\r\n", "d29uZGVy\r\n" }, { IN, "" } },
	    DIAL_READY, "", "235 2.7.0 in", NULL },
	{ "AUTH LOGIN refused at its name", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS_LOGIN, "AUTH LOGIN\r\n" }, { "334 x\r\n", "YWxpY2U=\r\n" },
		{ "535 no\r\n", "" } },
	    DIAL_REFUSED, "", "535 no", NULL },
	{ "AUTH LOGIN granted before the password", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS_LOGIN, "AUTH LOGIN\r\n" }, { "334 x\r\n", "YWxpY2U=\r\n" },
		{ IN, "" } },
	    DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "refused before the password", LOGIN | LONG, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, "AUTH PLAIN\r\n" }, { "504 5.5.4 no\r\n", "" } },
	    DIAL_REFUSED, "", "504 5.5.4 no", NULL },
	{ "refused", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, PLAIN }, { "535-5.7.8 a\r\n535 5.7.8 b\r\n", "" } },
	    DIAL_REFUSED, "", "535 5.7.8 b", NULL },
	{ "unavailable", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, PLAIN }, { "454 4.7.0 x\r\n", "" } },
	    DIAL_LATER, "", "454 4.7.0 x", NULL },
	{ "asked for more than there is", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, PLAIN }, { "334 x\r\n", "" } },
	    DIAL_FAILED, "garbled reply", NULL, NULL },
	{ "granted with another code", LOGIN, FORWARD_NONE, &plain,
	    { { HI, EHLO }, { OFFERS, PLAIN }, { "250 ok\r\n", "" } },
	    DIAL_FAILED, "garbled reply", NULL, NULL },
};

static int
setup(void **state)
{
	static char id[] = "a+b";
	static char name[] = "c.test", odd_name[] = "c+= \xc3\xb6", blank[] = "a b", nothing[] = "";
	static char plusses[200];	/* each is three octets in xtext */
	const struct {
		struct identity *identity;
		char *helo;
		bool is_extended;
	} rows[] = { { &plain, name, true }, { &passed, name, true }, { &basic, name, false },
		{ &silent, NULL, false }, { &odd, odd_name, true }, { &odd_basic, blank, false },
		{ &empty, nothing, true }, { &endless, plusses, true }, { &ipv6, name, true },
		{ &mapped, name, true }, { &local, name, true } };

	(void)state;
	memset(plusses, '+', 86);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rows[i].identity->helo = rows[i].helo;
		rows[i].identity->is_extended = rows[i].is_extended;
		addr_parse(slice_of("203.0.113.7"), 5555, &rows[i].identity->client);
		addr_parse(slice_of("198.51.100.1"), 25, &rows[i].identity->local);
	}
	passed.origin = id;
	passed.hops = 3;
	addr_parse(slice_of("2001:db8::7"), 5555, &ipv6.client);
	addr_parse(slice_of("2001:db8::1"), 25, &ipv6.local);
	/* as no way in leaves it */
	mapped.client.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(5555) };
	memcpy(&mapped.client.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x07", 16);
	local.client = (struct addr){ .sa.sa_family = AF_UNIX };
	local.local = local.client;
	return 0;
}

static struct dial_order
make_order(struct dial_rig *rig, unsigned flags, enum forward_way forward, const struct identity *identity)
{
	unsigned way = (flags & (LOGIN | USER)) != 0 ? ALWAYS_TOLD : ALWAYS_TOLD | ANONYMOUS;
	struct dial_order order = dial_rig_order(rig, &proto_submission, flags | way, forward, 587);

	order.hostname = "gp.test";
	order.identity = identity;
	order.login = (flags & USER) != 0 ? LOGIN_XCLIENT : LOGIN_PASSWORD;
	if ((flags & USER) != 0) {
		buf_truncate(&rig->credentials.user, 0);
		buf_append_text(&rig->credentials.user, "a b\r\n+\xc3\xb6");
	}
	buf_truncate(&rig->credentials.password, (flags & LONG) != 0 ? 0 : strlen("wonder"));
	for (int i = 0; (flags & LONG) != 0 && i < LONG_PASSWORD; i++)
		buf_append_text(&rig->credentials.password, "x");
	return order;
}

static void
run(const struct script *script, size_t piece)
{
	const struct dial_end end = { script->result, script->why, script->last, script->capabilities };
	struct dial_rig rig;
	struct dial_order order = make_order(&rig, script->flags, script->forward, script->identity);

	dial_rig_open(&rig, &order, script->flags);
	dial_rig_play(&rig, script->name, script->turns, piece, &end);
	dial_rig_close(&rig);
}

static void
scripts_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		for (size_t piece = 1; piece < 300; piece = piece * 3 + 1)
			run(&scripts[i], piece);
}

/* A dial to be fed, with what it needs. */
static void
start(struct dial_rig *rig, unsigned flags, enum forward_way forward, const struct identity *identity)
{
	struct dial_order order = make_order(rig, flags, forward, identity);

	dial_rig_open(rig, &order, flags);
	dial_start(&rig->dial);
}

static void
a_user_that_is_too_long_fails(void **state)
{
	static const struct {
		int plusses, letters;
		bool fits;
	} rows[] = { { 0, 255, true }, { 85, 0, true }, { 85, 1, false }, { 0, 256, false },
		{ 0, 0, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char user[300] = "";
		struct dial_rig rig;

		memset(user, '+', (size_t)rows[i].plusses);
		memset(user + rows[i].plusses, 'x', (size_t)rows[i].letters);
		start(&rig, USER, FORWARD_AUTO, &plain);
		buf_truncate(&rig.credentials.user, 0);
		buf_append_text(&rig.credentials.user, user);
		dial_rig_feed(&rig, HI);
		assert_int_equal(dial_rig_feed(&rig, OFFERS), rows[i].fits ? DIAL_MORE : DIAL_FAILED);
		assert_string_equal(rig.dial.why, rows[i].fits ? "" : "user does not fit in XCLIENT");
		dial_rig_close(&rig);
	}
}

static void
a_long_response_goes_in_turns(void **state)
{
	struct dial_rig rig;

	(void)state;
	for (size_t octets = 366; octets < 372; octets++) {
		bool fits = octets + 7 <= 372;	/* 124 * 4 + 13 is 509, and 125 * 4 + 13 is 513 */

		start(&rig, LOGIN | LONG, FORWARD_NONE, &plain);
		buf_truncate(&rig.credentials.password, octets);
		dial_rig_feed(&rig, HI);
		assert_int_equal(dial_rig_feed(&rig, OFFERS), DIAL_MORE);
		if (fits) {
			assert_int_equal(buf_len(&rig.dial.out), 509);
		} else {
			assert_true(slice_equals(buf_slice(&rig.dial.out), "AUTH PLAIN\r\n"));
			assert_int_equal(dial_rig_feed(&rig, "334 \r\n"), DIAL_MORE);
			assert_true(slice_has_prefix_nocase(buf_slice(&rig.dial.out), "AGFsaWNlAHh4eHh4"));
			assert_int_equal(dial_rig_feed(&rig, IN), DIAL_READY);
		}
		dial_rig_close(&rig);
	}
}

static void
replies_before_their_commands(void **state)
{
	struct dial_rig rig;

	(void)state;
	start(&rig, 0, FORWARD_NONE, NULL);
	assert_int_equal(dial_rig_feed(&rig, HI "250 mx\r\n"), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "reply before its command");
	dial_rig_close(&rig);
	start(&rig, LOGIN, FORWARD_AUTO, &plain);
	dial_rig_feed(&rig, HI);
	dial_rig_feed(&rig, OFFERS);
	assert_int_equal(dial_rig_feed(&rig, HI AFTER), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "reply before its command");
	dial_rig_close(&rig);
	/* a server may take its leave at any time */
	start(&rig, 0, FORWARD_NONE, NULL);
	assert_int_equal(dial_rig_feed(&rig, HI "421 bye\r\n"), DIAL_LATER);
	dial_rig_close(&rig);
}

static void
plaintext_behind_starttls(void **state)
{
	struct dial_rig rig;

	(void)state;
	start(&rig, STARTTLS | LOGIN, FORWARD_AUTO, &plain);
	dial_rig_feed(&rig, HI);
	assert_int_equal(dial_rig_feed(&rig, "250-mx\r\n250 STARTTLS\r\n"), DIAL_MORE);
	assert_int_equal(
	    dial_rig_feed(&rig, "220 go\r\n250-XCLIENT ADDR\r\n250 AUTH PLAIN\r\n"), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "plaintext behind STARTTLS");
	dial_rig_close(&rig);
}

static void
bytes_behind_the_login_are_left(void **state)
{
	struct dial_rig rig;

	(void)state;
	start(&rig, LOGIN, FORWARD_NONE, &plain);
	dial_rig_feed(&rig, HI);
	dial_rig_feed(&rig, OFFERS);
	assert_int_equal(dial_rig_feed(&rig, IN "421 bye\r\n"), DIAL_READY);
	assert_int_equal(rig.used, strlen(IN));
	dial_rig_close(&rig);
}

static void
floods_are_bounded(void **state)
{
	struct buf text = { 0 };
	struct dial_rig rig;

	(void)state;
	for (int i = 0; i < 64; i++)
		buf_printf(&text, "250-X%d\r\n", i);
	buf_append(&text, "", 1);
	start(&rig, 0, FORWARD_NONE, NULL);
	dial_rig_feed(&rig, HI);
	assert_int_equal(dial_rig_feed(&rig, buf_data(&text)), DIAL_MORE);
	assert_int_equal(dial_rig_feed(&rig, "250-X64\r\n"), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "too much before a reply");
	dial_rig_close(&rig);
	buf_clear(&text);

	start(&rig, 0, FORWARD_NONE, NULL);
	assert_int_equal(dial_feed(&rig.dial, slice_make("220 \0\r\n", 7), &rig.used), DIAL_FAILED);
	assert_string_equal(rig.dial.why, "NUL in a reply");
	dial_rig_close(&rig);
}

/* A server that says anything at all: the dial ends or goes on, and tells nothing secret before TLS. */
static void
random_servers(void **state)
{
	static const char *const words[] = { HI, "250-mx\r\n", "250 mx\r\n", OFFERS, AFTER, OFFERS_TLS,
		OFFERS_ADDR, "220", "250", "334", "235", "501 x\r\n", "421 x\r\n", "535", "-", " ",
		"AUTH PLAIN", "AUTH=LOGIN", "STARTTLS", "\r\n", "\n", "\x80", "220 go\r\n", "334 \r\n" };
	static const struct identity *const identities[] = { NULL, &plain, &basic, &odd, &ipv6, &local };

	(void)state;
	srandom(7);
	for (int round = 0; round < 6000; round++) {
		unsigned flags = (unsigned)random() & ALL_BITS & ~(unsigned)TLS_ACTIVE;
		enum forward_way forward = (enum forward_way)(random() % (FORWARD_NONE + 1));
		const struct identity *identity = identities[random() % 6];
		struct dial_rig rig;
		struct dial_order order = make_order(&rig, flags, forward, identity);
		struct buf in = { 0 };
		enum dial_result result;

		dial_rig_open(&rig, &order, flags);
		result = dial_start(&rig.dial);
		for (int i = 0; i < 60 && (result == DIAL_MORE || result == DIAL_TLS); i++) {
			const char *word = words[(size_t)random() % (sizeof(words) / sizeof(words[0]))];

			buf_consume(&rig.dial.out, buf_len(&rig.dial.out));
			result = result == DIAL_TLS ? dial_tls_started(&rig.dial)
						    : dial_feed_pieces(&rig.dial, &in, i == 0 ? HI : word, 7);
			if (!order.needs_tls || rig.dial.tls_active)
				continue;
			assert_false(slice_has_prefix_nocase(buf_slice(&rig.dial.out), "AUTH"));
			assert_false(slice_has_prefix_nocase(buf_slice(&rig.dial.out), "XCLIENT"));
		}
		if (result == DIAL_READY && dial_logs_in(&rig.dial) && !order.until_login)
			assert_true(slice_has_prefix_nocase(buf_slice(&rig.dial.last), "235"));
		dial_rig_close(&rig);
		buf_clear(&in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_in_any_pieces),
		cmocka_unit_test(a_user_that_is_too_long_fails),
		cmocka_unit_test(a_long_response_goes_in_turns),
		cmocka_unit_test(replies_before_their_commands),
		cmocka_unit_test(plaintext_behind_starttls),
		cmocka_unit_test(bytes_behind_the_login_are_left),
		cmocka_unit_test(floods_are_bounded),
		cmocka_unit_test(random_servers),
	};

	return cmocka_run_group_tests_name("smtp_dial", tests, setup, NULL);
}
