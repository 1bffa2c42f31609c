/* SPDX-License-Identifier: BSD-2-Clause */
/* transcript_test.c: what is shown of two sides' words, and what is not, byte by byte and as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "proto/transcript.h"

static struct buf shown;

static void
on_line(struct transcript *transcript, enum transcript_side side, struct slice text)
{
	(void)transcript;
	buf_printf(&shown, "%s ", side == TRANSCRIPT_CLIENT ? "C:" : "S:");
	buf_append_slice(&shown, text);
	buf_append_text(&shown, "\n");
}

static bool
holds_secret(struct transcript *transcript, struct slice line)
{
	(void)transcript;
	return memmem(line.data, line.len, "hunter2", 7) != NULL;
}

/* Words that begin with C or S, and their side's lines; `!` before a line: the login is settled by then. */
struct talk {
	const struct proto *proto;
	bool knows_secrets;
	const char *const *said;	/* "C a LOGIN bob hunter2\r\n"; NULL ends */
	const char *expected;
};

static void
feed(struct transcript *t, enum transcript_side side, struct slice data, size_t step)
{
	while (data.len > 0) {
		size_t n = data.len < step ? data.len : step;

		transcript_feed(t, side, slice_make(data.data, n));
		data = slice_from(data, n);
	}
}

static void
run(const struct talk *talk, size_t step)
{
	struct transcript t = { .proto = talk->proto, .on_line = on_line,
		.holds_secret = talk->knows_secrets ? holds_secret : NULL };
	char got[2048];

	for (const char *const *said = talk->said; *said != NULL; said++) {
		const char *words = *said;

		if (*words == '!') {
			t.is_settled = true;
			words++;
		}
		feed(&t, *words == 'C' ? TRANSCRIPT_CLIENT : TRANSCRIPT_SERVER, slice_of(words + 2), step);
	}
	transcript_flush(&t);
	transcript_clear(&t);
	snprintf(got, sizeof(got), "%.*s", SLICE_ARGS(buf_slice(&shown)));
	buf_clear(&shown);
	assert_string_equal(got, talk->expected);
}

static void
check(const struct proto *proto, bool knows_secrets, const char *const *said, const char *expected)
{
	const struct talk talk = { proto, knows_secrets, said, expected };

	run(&talk, SIZE_MAX);
	run(&talk, 1);
}

static void
logins_show_their_verb_alone(void **state)
{
	(void)state;
	check(&proto_imap, false, (const char *const[]){
	    "S * OK ready\r\n", "C a CAPABILITY\r\n", "S * CAPABILITY IMAP4rev1\r\na OK done\r\n",
	    "C b LOGIN bob hunter2\r\n", "S b NO [AUTHENTICATIONFAILED] hunter2 is wrong\r\n",
	    "C c LOGON bob hunter2\r\n", "S c BAD what\r\n",
	    "C d LOGIN {3}\r\n", "S + go\r\n", "C bob {7+}\r\nhunter2\r\n",
	    "S d OK [CAPABILITY X] in\r\n", NULL },
	    "S: * OK ready\nC: a CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: a OK done\n"
	    "C: b LOGIN [12 octets]\nS: b NO [AUTHENTICATIONFAILED] [17 octets]\n"
	    "C: [19 octets]\nS: c BAD what\n"
	    "C: d LOGIN [4 octets]\nS: + [3 octets]\nC: [3 octets]\nC: [5 octets]\nC: [7 octets]\n"
	    "S: d OK [18 octets]\n");
	check(&proto_pop3, false, (const char *const[]){
	    "C USER hunter2\r\nPASS hunter2\r\n", "S +OK\r\n-ERR [AUTH] hunter2\r\n",
	    "C APOP bob c4c9334bac560ecc979e58001b3e22fb\r\n", "S +OK in\r\n", NULL },
	    "C: USER [8 octets]\nC: PASS [8 octets]\nS: +OK\nS: -ERR [AUTH] [8 octets]\n"
	    "C: APOP [37 octets]\nS: +OK [3 octets]\n");
}

static void
exchanges_show_sizes(void **state)
{
	(void)state;
	check(&proto_submission, true, (const char *const[]){
	    "S 220-mx\r\n220 ready\r\n", "C EHLO c\r\n", "S 250-mx\r\n250 AUTH LOGIN\r\n",
	    "C AUTH LOGIN\r\nQVVUSA==\r\nEHLO x\r\n", "S 334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n",
	    "S 535-hunter2 no\r\n535 5.7.8 wrong\r\n", "C EHLO d\r\n", NULL },
	    "S: 220-mx\nS: 220 ready\nC: EHLO c\nS: 250-mx\nS: 250 AUTH LOGIN\n"
	    "C: AUTH [6 octets]\nC: [8 octets]\nC: [6 octets]\nS: 334 [13 octets]\nS: 334 [13 octets]\n"
	    "S: [14 octets that repeat a secret]\nS: 535 5.7.8 wrong\nC: EHLO d\n");
	check(&proto_sieve, false, (const char *const[]){
	    "C AUTHENTICATE \"PLAIN\" {12+}\r\nAGJvYgBodW50\r\n", "S OK \"in\"\r\n",
	    "!C LISTSCRIPTS\r\n", "S \"one\" ACTIVE\r\nOK\r\n", NULL },
	    "C: AUTHENTICATE [14 octets]\nC: [12 octets]\nS: OK [5 octets]\n"
	    "C: LISTSCRIPTS\nS: \"one\" ACTIVE\nS: OK\n");
}

static void
mail_shows_sizes(void **state)
{
	(void)state;
	check(&proto_smtp, false, (const char *const[]){
	    "!C MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "S 250 OK\r\n250 OK\r\n354 go\r\n",
	    "C Subject: x\r\n\r\n..\r\nprivate\r\n.\r\nBDAT 9 LAST\r\nprivate\r\nQUIT\r\n", NULL },
	    "C: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250 OK\nS: 250 OK\nS: 354 go\n"
	    "C: [30 octets of mail]\nC: BDAT 9 LAST\nC: [9 octets]\nC: QUIT\n");
	check(&proto_smtp, false, (const char *const[]){
	    "!C DATA\r\nprivate\r\n", "S 503 no\r\n", "C QUIT\r\n", NULL },
	    "C: DATA\nC: [7 octets]\nS: 503 no\nC: QUIT\n");
	check(&proto_imap, false, (const char *const[]){
	    "!C a FETCH 1 BODY[]\r\n",
	    "S * 1 FETCH (BODY[] {9}\r\nprivate\r\n FLAGS () ENVELOPE (\"secret \\\" x\" NIL))\r\n",
	    "S a OK\r\n", NULL },
	    "C: a FETCH 1 BODY[]\nS: * 1 FETCH (BODY[] {9}\nS: [9 octets]\n"
	    "S:  FLAGS () ENVELOPE (\"11 octets\" NIL))\nS: a OK\n");
	check(&proto_pop3, false, (const char *const[]){
	    "!C RETR 1\r\n", "S +OK\r\nFrom: me\r\n+private\r\n.\r\n-ERR x\r\n", NULL },
	    "C: RETR 1\nS: +OK\nS: [23 octets of mail]\nS: -ERR x\n");
}

/* Of a size that no 32 bits hold; and mail that begins as replies do. */
static void
mail_of_odd_kinds_shows_sizes(void **state)
{
	(void)state;
	check(&proto_smtp, false, (const char *const[]){
	    "!C BDAT 4294967296\r\nprivate\r\n", NULL },
	    "C: BDAT 4294967296\nC: [9 octets, unfinished]\n");
	check(&proto_imap, false, (const char *const[]){
	    "!C a APPEND INBOX {4294967296+}\r\nprivate\r\n", NULL },
	    "C: a APPEND INBOX {4294967296+}\nC: [9 octets, unfinished]\n");
	check(&proto_pop3, false, (const char *const[]){
	    "!C RETR 1\r\n", "S +OK\r\n--private\r\n+ private\r\n.\r\n-ERR\r\n", NULL },
	    "C: RETR 1\nS: +OK\nS: [25 octets of mail]\nS: -ERR\n");
}

/* Its octets do not come, and a login's line is taken for them and for what is behind them. */
static void
refused_literals_uncover_no_login(void **state)
{
	(void)state;
	check(&proto_imap, false, (const char *const[]){
	    "C a NOOP {5}\r\n", "S a BAD what\r\n", "C b LOGIN bob hunter2\r\n", NULL },
	    "C: a NOOP {5}\nS: a BAD what\nC: [5 octets]\nC: [14 octets]\n");
}

/* A long line's end tells of a literal all the same, and binary data are no text. */
static void
long_and_odd_lines_are_cut(void **state)
{
	char line[800] = "S * 1 FETCH (", expected[1200];
	size_t begun = strlen(line);

	(void)state;
	memset(line + begun, 'x', 500);
	memcpy(line + begun + 500, " {7}\r\nprivate)\r\n", sizeof(" {7}\r\nprivate)\r\n"));
	snprintf(expected, sizeof(expected),
	    "S: %.400s [115 octets more]\nS: [7 octets]\nS: )\nC: [4 octets, not text]\n"
	    "C: [2 octets, unfinished]\n", line + 2);
	check(&proto_imap, false, (const char *const[]){ "!S ", line, "C a\x01\xff""b\r\nab", NULL },
	    expected);
	check(&proto_tcp, false, (const char *const[]){ "C x", "S y", NULL },
	    "C: [1 octets]\nS: [1 octets]\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_show_their_verb_alone),
		cmocka_unit_test(exchanges_show_sizes),
		cmocka_unit_test(mail_shows_sizes),
		cmocka_unit_test(mail_of_odd_kinds_shows_sizes),
		cmocka_unit_test(refused_literals_uncover_no_login),
		cmocka_unit_test(long_and_odd_lines_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
