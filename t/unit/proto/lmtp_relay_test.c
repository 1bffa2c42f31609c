/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_relay_test.c: what becomes of a message for several servers: who hears
 * what, and in which order, whatever goes wrong on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lmtp_talk.h"
#include "proto/lmtp_relay.h"

struct turn {
	char who;			/* see play_turn */
	const char *words;
	const char *wanted;		/* of the transcript */
};

#define SINGLE '9'

static struct lmtp_talk talk;

/*
 * C and 0 to 3 say something.  P "1 0 a@there": recipient 1 is placed at server 0.  U "1 550 5.1.1|why": it
 * is not; number 4: not now.  M "1": its user is moved.  X "0": server 0 is lost.  SINGLE "2": it comes, and
 * can do nothing.
 */
static void
play_turn(const struct turn *turn)
{
	const char *more = strlen(turn->words) > 2 ? turn->words + 2 : "";
	unsigned number = (unsigned)atoi(turn->words);
	struct fanout_refusal refusal;
	char text[200];
	char *bar;

	snprintf(text, sizeof(text), "%s", more);
	bar = strchr(text, '|');
	switch (turn->who) {
	case 'C':
		talk_client(&talk, slice_of(turn->words));
		break;
	case 'P':
		talk_placed(&talk, number, (unsigned)atoi(more), strlen(more) > 2 ? more + 2 : NULL);
		break;
	case 'U':
		if (bar != NULL)
			*bar = '\0';
		refusal = (struct fanout_refusal){ .may_be_final = number != 4, .code = text };
		refusal.reason = bar != NULL ? bar + 1 : NULL;
		talk_unplaced(&talk, number, bar != NULL ? &refusal : NULL);
		break;
	case 'X':
		talk_lose(&talk, number);
		break;
	case 'M':
		talk_displaced(&talk, number);
		break;
	case SINGLE:
		talk_come(&talk, number, "", true);
		break;
	default:
		talk_server(&talk, (unsigned)(turn->who - '0'), slice_of(turn->words));
		break;
	}
}

static void
play(const struct turn *turns, enum bare_newline bare_newline, enum wish end)
{
	talk_open(&talk, bare_newline);
	talk_come(&talk, 0, "PIPELINING\nCHUNKING\n", false);
	talk_come(&talk, 1, "PIPELINING\nCHUNKING\n", false);
	for (; turns->who != 0; turns++) {
		buf_clear(&talk.transcript);
		play_turn(turns);
		if (!slice_equals(buf_slice(&talk.transcript), turns->wanted))
			fail_msg("%c %s:\n%.*s-- in place of:\n%s", turns->who, turns->words,
			    SLICE_ARGS(buf_slice(&talk.transcript)), turns->wanted);
	}
	assert_int_equal(talk.end, end);
	talk_close(&talk);
}

#define MAIL "MAIL FROM:<s@x>\r\n"
#define RCPT(name) "RCPT TO:<" name "@x>\r\n"
#define LOST "451 4.3.0 Mail server was lost, try again later"
#define GO "C: 354 Send the message, end with <CR><LF>.<CR><LF>\n"

/* Up to the go-ahead: a at server 0, b at 1. */
#define TO_TWO \
	{ 'C', MAIL RCPT("a") RCPT("b") "DATA\r\n", "C: 250 2.1.0 Ok\nplace 0\nplace 1\n" }, \
	{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" }, \
	{ 'P', "1 1", "1: MAIL FROM:<s@x>\n1: RCPT TO:<b@x>\n" }, \
	{ '1', "250 m\r\n250 b\r\n", "" }, \
	{ '0', "250 m\r\n250 a\r\n", "C: 250 a\nC: 250 b\n0: DATA\n1: DATA\n" }, \
	{ '1', "354 go\r\n", "" }, \
	{ '0', "354 go\r\n", GO }

static void
replies_are_the_servers_and_in_order(void **state)
{
	static const struct turn turns[] = {
		TO_TWO,
		{ 'C', "hi\r\n.\r\n", "0: hi\n0: .\n1: hi\n1: .\n" },
		{ '1', "250 b has it\r\n", "release 1\n" },
		{ '0', "452-full\r\n452 of a\r\n",
		    "release 0\nC: 452-full\nC: 452 of a\nC: 250 b has it\n"
		    "tell 0: <s@x> 4 +0 () -1 (a@x) refused 452 of a\n"
		    "tell 1: <s@x> 4 +1 (b@x) -0 () accepted 250 b has it\n" },
		{ 'C', "MAIL FROM:<>\r\n" RCPT("c"), "C: 250 2.1.0 Ok\nplace 0\n" },
		{ 'P', "0 0", "0: RSET\n0: MAIL FROM:<>\n0: RCPT TO:<c@x>\n" },
		{ '0', "250 r\r\n250 m\r\n550 c\r\n", "release 0\nC: 550 c\n" },
		{ 'C', "DATA\r\n", "C: 503 5.5.1 There is no recipient\n" },
		{ 'C', "QUIT\r\n",
		    "tell 0: <> 0 +0 () -1 (c@x) refused 550 c\n0: RSET\nC: 221 2.0.0 Goodbye\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_DONE);
}

/* What the log has of a server that is done is its own word, though it goes before the others are. */
static void
who_leaves_behind_its_reply_has_it_told(void **state)
{
	static const struct turn turns[] = {
		TO_TWO,
		{ 'C', "hi\r\n.\r\n", "0: hi\n0: .\n1: hi\n1: .\n" },
		{ '1', "250 b has it\r\n", "release 1\n" },
		{ 'X', "1", "tell 1: <s@x> 4 +1 (b@x) -0 () accepted 250 b has it\n" },
		{ '0', "250 a too\r\n",
		    "release 0\nC: 250 a too\nC: 250 b has it\n"
		    "tell 0: <s@x> 4 +1 (a@x) -0 () accepted 250 a too\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
a_server_counts_by_its_own_order(void **state)
{
	static const struct turn turns[] = {
		{ 'C', MAIL RCPT("a") RCPT("b") RCPT("a"), "C: 250 2.1.0 Ok\nplace 0\nplace 1\nplace 2\n" },
		{ 'P', "2 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ 'P', "1 0 bb@y", "0: RCPT TO:<bb@y>\n" },
		{ 'P', "0 0", "0: RCPT TO:<a@x>\n" },
		{ '0', "250 m\r\n250 2\r\n250 1\r\n250 0\r\n", "C: 250 0\nC: 250 1\nC: 250 2\n" },
		{ 'C', "DATA\r\n", "0: DATA\n" },
		{ '0', "354 go\r\n", GO },
		{ 'C', ".\r\n", "0: .\n" },
		{ '0', "250 of 2\r\n250 of 1\r\n", "release 2\nrelease 1\n" },
		{ '0', "250 of 0\r\n",
		    "release 0\nC: 250 of 0\nC: 250 of 1\nC: 250 of 2\n"
		    "tell 0: <s@x> 0 +3 (a@x, b@x, a@x) -0 () accepted 250 of 0\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
who_is_not_placed_is_put_off(void **state)
{
	static const struct turn turns[] = {
		{ 'C', MAIL RCPT("a") RCPT("b") RCPT("c") RCPT("d") RCPT("e") "RCPT TO:<>\r\n" RCPT("f")
		    "NOOP\r\n",
		    "C: 250 2.1.0 Ok\nplace 0\nplace 1\nplace 2\nplace 3\nplace 4\nplace 6\n" },
		{ 'U', "1 550 5.1.1|no such user", "release 1\n" },
		{ 'U', "2 |be patient", "release 2\n" },
		{ 'U', "3 250 2.0.0|welcome", "release 3\n" },
		{ 'U', "4 550 5.1.1|perhaps", "release 4\n" },
		{ 'U', "0",
		    "release 0\nC: 451 4.3.0 No mail server is available, try again later\n"
		    "C: 550 5.1.1 no such user\nC: 451 4.3.0 be patient\nC: 451 4.3.0 welcome\n"
		    "C: 451 4.3.0 perhaps\nC: 501 5.5.4 Command or argument is malformed\n" },
		{ 'P', "6 1 a b@x",
		    "release 6\nC: 451 4.3.0 No mail server is available, try again later\n"
		    "C: 250 2.0.0 Ok\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
a_refused_sender_is_the_recipients_answer(void **state)
{
	static const struct turn turns[] = {
		{ 'C', MAIL RCPT("a") RCPT("b") RCPT("c"), "C: 250 2.1.0 Ok\nplace 0\nplace 1\nplace 2\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ 'P', "1 1", "1: MAIL FROM:<s@x>\n1: RCPT TO:<b@x>\n" },
		{ '0', "550 bad sender\r\n503 what\r\n", "release 0\nC: 550 bad sender\n" },
		{ '1', "250 m\r\n250 b\r\n", "C: 250 b\n" },
		{ 'P', "2 0", "release 2\nC: 550 bad sender\n" },
		{ 'C', "DATA\r\n", "0: RSET\n1: DATA\n" },
		{ '1', "354 go\r\n", GO },
		{ '0', "250 r\r\n", "" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
a_lost_server_costs_its_own(void **state)
{
	static const struct turn turns[] = {
		TO_TWO,
		{ 'C', "hi\r\n", "0: hi\n1: hi\n" },
		{ 'X', "0", "release 0\ntell 0: <s@x> 0 +0 () -1 (a@x) failed " LOST "\n" },
		{ 'C', "ho\r\n.\r\n", "1: ho\n1: .\nC: " LOST "\n" },
		{ '1', "250 b\r\n", "release 1\nC: 250 b\ntell 1: <s@x> 8 +1 (b@x) -0 () accepted 250 b\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
servers_are_lost_at_each_stage(void **state)
{
	static const struct turn before_answers[] = {
		{ 'C', MAIL RCPT("a") RCPT("b"), "C: 250 2.1.0 Ok\nplace 0\nplace 1\n" },
		{ 'P', "1 1", "1: MAIL FROM:<s@x>\n1: RCPT TO:<b@x>\n" },
		{ '1', "250 m\r\n250 b\r\n", "" },
		{ 'X', "1", "release 1\ntell 1: <s@x> 0 +0 () -1 (b@x) failed " LOST "\n" },
		{ 'U', "0",
		    "release 0\nC: 451 4.3.0 No mail server is available, try again later\nC: " LOST "\n" },
		{ 0 }
	};
	static const struct turn go_ahead[] = {
		{ 'C', MAIL RCPT("a") "DATA\r\n", "C: 250 2.1.0 Ok\nplace 0\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ '0', "250 m\r\n250 a\r\n", "C: 250 a\n0: DATA\n" },
		{ '0', "421 going\r\n",
		    "release 0\ntell 0: <s@x> 0 +0 () -1 (a@x) failed " LOST "\n"
		    "leave 0: the server takes its leave: 421 going\nC: " LOST "\n" },
		{ 'C', "RSET\r\n", "C: 250 2.0.0 Ok\n" },
		{ 0 }
	};
	static const struct turn finals[] = {
		TO_TWO,
		{ 'C', ".\r\n", "0: .\n1: .\n" },
		{ '0', "350 what\r\n",
		    "release 0\ntell 0: <s@x> 0 +0 () -1 (a@x) failed " LOST "\n"
		    "leave 0: reply to something else: 350 what\nC: " LOST "\n" },
		{ '1', "bla\r\n",
		    "release 1\ntell 1: <s@x> 0 +0 () -1 (b@x) failed " LOST "\n"
		    "leave 1: garbled reply\nC: " LOST "\n" },
		{ 'C', "NOOP\r\n", "C: 250 2.0.0 Ok\n" },
		{ 0 }
	};
	static const struct turn data[] = {
		TO_TWO,
		{ '0', "250 already\r\n",
		    "release 0\ntell 0: <s@x> 0 +0 () -1 (a@x) failed " LOST "\n"
		    "leave 0: reply to nothing: 250 already\n" },
		{ 'X', "1", "release 1\ntell 1: <s@x> 0 +0 () -1 (b@x) failed " LOST "\n" },
		{ 'C', "hi\r\n.\r\n", "C: " LOST "\nC: " LOST "\n" },
		{ 0 }
	};

	(void)state;
	play(before_answers, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	play(go_ahead, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	play(finals, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	play(data, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
an_idle_server_may_leave(void **state)
{
	static const struct turn turns[] = {
		{ '0', "421 idle for too long\r\n",
		    "leave 0 idle: the server takes its leave: 421 idle for too long\n" },
		{ 'X', "1", "" },
		{ 'C', "NOOP\r\n", "C: 250 2.0.0 Ok\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
data_may_be_refused(void **state)
{
	static const struct turn by_one[] = {
		{ 'C', MAIL RCPT("a") RCPT("b") "DATA\r\n", "C: 250 2.1.0 Ok\nplace 0\nplace 1\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ 'P', "1 1", "1: MAIL FROM:<s@x>\n1: RCPT TO:<b@x>\n" },
		{ '1', "250 m\r\n250 b\r\n", "" },
		{ '0', "250 m\r\n250 a\r\n", "C: 250 a\nC: 250 b\n0: DATA\n1: DATA\n" },
		{ '0', "554 no\r\n", "release 0\n0: RSET\n" },
		{ '1', "354 go\r\n", GO },
		{ 'C', ".\r\n", "1: .\nC: 554 no\n" },
		{ '1', "250 b\r\n",
		    "release 1\nC: 250 b\ntell 0: <s@x> 0 +0 () -1 (a@x) refused 554 no\n"
		    "tell 1: <s@x> 0 +1 (b@x) -0 () accepted 250 b\n" },
		{ 0 }
	};
	static const struct turn by_all[] = {
		{ 'C', MAIL RCPT("a") RCPT("b") "DATA\r\n", "C: 250 2.1.0 Ok\nplace 0\nplace 1\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ 'P', "1 1", "1: MAIL FROM:<s@x>\n1: RCPT TO:<b@x>\n" },
		{ '1', "250 m\r\n250 b\r\n", "" },
		{ '0', "250 m\r\n250 a\r\n", "C: 250 a\nC: 250 b\n0: DATA\n1: DATA\n" },
		{ '0', "554 no\r\n", "release 0\n0: RSET\n" },
		{ '1', "450 later\r\n",
		    "release 1\n1: RSET\nC: 450 later\n"
		    "tell 0: <s@x> 0 +0 () -1 (a@x) refused 554 no\n"
		    "tell 1: <s@x> 0 +0 () -1 (b@x) refused 450 later\n" },
		{ 'C', "NOOP\r\n", "C: 250 2.0.0 Ok\n" },
		{ 0 }
	};

	(void)state;
	play(by_one, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	play(by_all, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

#define MOVED "451 4.3.0 The user is being moved, try again later"
#define LEFT ": a user whose mail was on its way there is being moved\n"

static void
a_moved_user_gets_nothing_at_the_old_server(void **state)
{
	static const struct turn before[] = {
		TO_TWO,
		{ 'M', "0", "release 0\ntell 0: <s@x> 0 +0 () -1 (a@x) failed " LOST "\nleave 0" LEFT },
		{ 'C', "hi\r\n.\r\n", "1: hi\n1: .\nC: " MOVED "\n" },
		{ 0 }
	};
	static const struct turn behind[] = {
		TO_TWO,
		{ 'C', ".\r\n", "0: .\n1: .\n" },
		{ 'M', "0", "" },
		{ '0', "250 a\r\n", "release 0\nC: 250 a\n" },
		{ 0 }
	};

	(void)state;
	play(before, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	play(behind, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

/* Server 2 has neither PIPELINING nor CHUNKING, nor a reply for each recipient. */
static void
servers_of_smtp_have_one_reply(void **state)
{
	static const struct turn turns[] = {
		{ SINGLE, "2", "" },
		{ 'C', MAIL RCPT("a") RCPT("b") RCPT("c"), "C: 250 2.1.0 Ok\nplace 0\nplace 1\nplace 2\n" },
		{ 'P', "0 2", "2: MAIL FROM:<s@x>\n" },
		{ 'P', "1 1", "1: MAIL FROM:<s@x>\n1: RCPT TO:<b@x>\n" },
		{ 'P', "2 2", "" },
		{ '2', "250 m\r\n", "2: RCPT TO:<a@x>\n" },
		{ '1', "250 m\r\n250 b\r\n", "" },
		{ '2', "250 a\r\n", "2: RCPT TO:<c@x>\nC: 250 a\nC: 250 b\n" },
		{ '2', "250 c\r\n", "C: 250 c\n" },
		{ 'C', "BDAT 4\r\n.a\r\nBDAT 5 LAST\r\n\nb\rc.", "2: DATA\n" },
		{ '2', "354 go\r\n", "1: BDAT 4\n1: .a\n2: ..a\n" },
		{ '1', "250 chunk\r\n",
		    "C: 250 2.0.0 4 octets\n1: BDAT 5 LAST\n1: \n\\\n1: b\rc.\\\n"
		    "2: \n2: b\n2: c.\\\n2: \n2: .\n" },
		{ '2', "250 all\r\n", "release 0\nrelease 2\nC: 250 all\n" },
		{ '1', "250 b\r\n",
		    "release 1\nC: 250 b\nC: 250 all\n"
		    "tell 1: <s@x> 9 +1 (b@x) -0 () accepted 250 b\n"
		    "tell 2: <s@x> 9 +2 (a@x, c@x) -0 () accepted 250 all\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
chunks_go_nowhere_without_recipients(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "BDAT 6\r\nRSET\r\nNOOP\r\n", "C: 503 5.5.1 MAIL comes first\nC: 250 2.0.0 Ok\n" },
		{ 'C', MAIL "BDAT 6 LAST\r\nRSET\r\nNOOP\r\n",
		    "C: 250 2.1.0 Ok\nC: 503 5.5.1 There is no recipient\nC: 250 2.0.0 Ok\n" },
		{ 'C', RCPT("a"), "place 0\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ '0', "250 m\r\n250 a\r\n", "C: 250 a\n" },
		{ 'C', "BDAT 2\r\n\r\n", "0: BDAT 2\n0: \n" },
		{ '0', "552 full\r\n", "release 0\n0: RSET\nC: 250 2.0.0 2 octets\n" },
		{ 'C', "DATA\r\n" RCPT("b"),
		    "C: 503 5.5.1 DATA cannot follow BDAT\n"
		    "C: 503 5.5.1 It is too late for recipients\n" },
		{ 'C', "BDAT 0 LAST\r\n", "C: 552 full\ntell 0: <s@x> 2 +0 () -1 (a@x) refused 552 full\n" },
		{ 'C', "BDAT x\r\n", "C: 501 5.5.4 Chunk size is malformed\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_FATAL);
}

static void
a_message_may_be_given_up(void **state)
{
	static const struct turn turns[] = {
		{ 'C', MAIL RCPT("a") "RSET\r\n", "C: 250 2.1.0 Ok\nplace 0\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ '0', "250 m\r\n250 a\r\n",
		    "C: 250 a\ntell 0: <s@x> 0 +0 () -1 (a@x) failed \n0: RSET\n"
		    "release 0\nC: 250 2.0.0 Ok\n" },
		{ 'C', MAIL RCPT("a"), "C: 250 2.1.0 Ok\nplace 0\n" },
		{ 'P', "0 0", "0: MAIL FROM:<s@x>\n0: RCPT TO:<a@x>\n" },
		{ '0', "250 r\r\n250 m\r\n250 a\r\n", "C: 250 a\n" },
		{ 'C', "LHLO c.x\r\n",
		    "tell 0: <s@x> 0 +0 () -1 (a@x) failed \n0: RSET\nrelease 0\n"
		    "C: 250-lb.x\nC: 250-PIPELINING\nC: 250-8BITMIME\nC: 250-CHUNKING\n"
		    "C: 250 ENHANCEDSTATUSCODES\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
}

static void
bare_newlines_are_mended_or_rejected(void **state)
{
	static const struct turn mended[] = {
		TO_TWO,
		{ 'C', "a\nb\r\n.\r\n",
		    "0: a\n1: a\n0: b\n0: .\n1: b\n1: .\n"
		    "note: bare CR or LF in data was made CRLF\n" },
		{ 0 }
	};
	static const struct turn rejected[] = {
		TO_TWO,
		{ 'C', "a\nb",
		    "release 0\ntell 0: <s@x> 0 +0 () -1 (a@x) failed 550 5.5.2 Message has CR or LF "
		    "that stand alone\nleave 0: bare CR or LF in data\n"
		    "release 1\ntell 1: <s@x> 0 +0 () -1 (b@x) failed 550 5.5.2 Message has CR or LF "
		    "that stand alone\nleave 1: bare CR or LF in data\n" },
		{ 'C', "\r\n.\r\nNOOP\r\n",
		    "C: 550 5.5.2 Message has CR or LF that stand alone\n"
		    "C: 550 5.5.2 Message has CR or LF that stand alone\n" },
		{ 0 }
	};

	(void)state;
	play(mended, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	play(rejected, BARE_NEWLINE_REJECT, WISH_FATAL);
}

static void
errors_end_the_session(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "EHLO c\r\nVRFY a\r\nX\r\n",
		    "C: 500 5.5.2 Command is not known\n"
		    "C: 502 5.5.1 Command is not available\nC: 550 5.7.0 Command is not for you\n" },
		{ 'C', MAIL RCPT("a") "RCPT TO:<a b\r\nRCPT\r\n" RCPT("b"),
		    "C: 250 2.1.0 Ok\nplace 0\n" },
		{ 'U', "0",
		    "release 0\nC: 451 4.3.0 No mail server is available, try again later\n"
		    "C: 501 5.5.4 Command or argument is malformed\n"
		    "C: 501 5.5.4 Command or argument is malformed\n"
		    "C: 421 4.7.0 lb.x Error: too many errors\n" },
		{ 0 }
	};
	static const struct turn foreign[] = {
		{ 'C', "GET / HTTP/1.0\r\n", "C: 221 2.7.0 Error: I can break rules, too. Goodbye.\n" },
		{ 0 }
	};

	(void)state;
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_TOO_MANY);
	play(foreign, BARE_NEWLINE_NORMALIZE, WISH_FATAL);
}

/* Recipients are placed one by one then. */
static void
who_errs_is_heard_a_command_at_a_time(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "X\r\n" MAIL RCPT("a") RCPT("b"),
		    "C: 550 5.7.0 Command is not for you\ndelay\nC: 250 2.1.0 Ok\ndelay\nplace 0\n" },
		{ 'U', "0",
		    "release 0\nC: 451 4.3.0 No mail server is available, try again later\n"
		    "delay\nplace 1\n" },
		{ 0 }
	};

	(void)state;
	manners = (struct manners){ .soft_errors = 1 };
	play(turns, BARE_NEWLINE_NORMALIZE, WISH_GO_ON);
	manners = (struct manners){ .hard_errors = 5 };
}

/* A client that sends its chunk along with the recipients cannot know. */
static void
chunks_behind_refused_recipients_are_no_errors(void **state)
{
	static const char wanted[] =
	    "release 0\nC: 451 4.3.0 No mail server is available, try again later\n"
	    "C: 503 5.5.1 There is no recipient\n"
	    "tell -1: <s@x> 0 +0 () -1 (a@x) failed 451 4.3.0 No mail server is available, try again later\n"
	    "C: 250 2.0.0 Ok\n";

	(void)state;
	talk_open(&talk, BARE_NEWLINE_NORMALIZE);
	for (unsigned i = 0; i < 10; i++) {
		talk_client(&talk, slice_of(MAIL RCPT("a") "BDAT 6 LAST\r\nabcd\r\nRSET\r\n"));
		buf_clear(&talk.transcript);
		talk_unplaced(&talk, 0, NULL);
	}
	assert_int_equal(talk.end, WISH_GO_ON);
	assert_true(slice_equals(buf_slice(&talk.transcript), wanted));
	talk_close(&talk);
}

static void
recipients_beyond_the_last_are_not_kept(void **state)
{
	enum { MOST = 2000, MORE = 5000 };
	const struct lmtp_state *s;
	unsigned refused = 0;

	(void)state;
	talk_open(&talk, BARE_NEWLINE_NORMALIZE);
	s = talk.state;
	talk_client(&talk, slice_of(MAIL));
	for (unsigned i = 0; i < MOST + MORE; i++) {
		buf_clear(&talk.transcript);
		talk_client(&talk, slice_of(RCPT("a")));
		if (slice_equals(buf_slice(&talk.transcript), "C: 452 4.5.3 Too many recipients\n"))
			refused++;
		if (i < MOST)
			talk_unplaced(&talk, i, NULL);
	}
	assert_int_equal(refused, MORE);
	assert_int_equal(s->count, MOST);
	assert_in_range(s->recipient_size, MOST, 2 * MOST);
	talk_close(&talk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_the_servers_and_in_order),
		cmocka_unit_test(who_leaves_behind_its_reply_has_it_told),
		cmocka_unit_test(a_server_counts_by_its_own_order),
		cmocka_unit_test(who_is_not_placed_is_put_off),
		cmocka_unit_test(a_refused_sender_is_the_recipients_answer),
		cmocka_unit_test(a_lost_server_costs_its_own),
		cmocka_unit_test(servers_are_lost_at_each_stage),
		cmocka_unit_test(an_idle_server_may_leave),
		cmocka_unit_test(data_may_be_refused),
		cmocka_unit_test(a_moved_user_gets_nothing_at_the_old_server),
		cmocka_unit_test(servers_of_smtp_have_one_reply),
		cmocka_unit_test(chunks_go_nowhere_without_recipients),
		cmocka_unit_test(a_message_may_be_given_up),
		cmocka_unit_test(bare_newlines_are_mended_or_rejected),
		cmocka_unit_test(errors_end_the_session),
		cmocka_unit_test(who_errs_is_heard_a_command_at_a_time),
		cmocka_unit_test(chunks_behind_refused_recipients_are_no_errors),
		cmocka_unit_test(recipients_beyond_the_last_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
