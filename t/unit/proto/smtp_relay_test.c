/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_relay_test.c: a client's commands, data and chunks once SMTP is
 * relayed: what of them reaches which server, and in which order all is
 * answered.
 */
#include "smtp_scene.h"

#include "proto/smtp_relay.h"

static void
local_replies_keep_their_place(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nVRFY b\r\nRCPT TO:<b@x>\r\nXCLIENT ADDR=1\r\n"
		    "foo\r\nRCPT TO:<c@x>\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n" },
		{ 'S', "250 m\r\n250 b\r\n550-c\r\n550 c\r\n",
		    "250 m\r\n" REFUSED "250 b\r\n550 5.7.0 Command is not for you\r\n" UNKNOWN
		    "550-c\r\n550 c\r\n",
		    "" },
		{ 'C', "HELP\r\nQUIT\r\n", HELP BYE, "QUIT\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .end = TALK_DONE);
}

static void
nothing_is_asked_of_no_server(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "NOOP\r\nRSET\r\nHELP\r\nEHLO c.x\r\nHELO c.x\r\nVRFY\r\n"
		    "RCPT TO:<b@x>\r\nDATA\r\nBDAT 3 LAST\r\nabcQUIT\r\n",
		    OK OK HELP OUR_EHLO OUR_HELO REFUSED NO_MAIL NO_MAIL NO_MAIL BYE,
		    "" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .end = TALK_DONE);
}

static void
a_server_without_pipelining_gets_one_at_a_time(void **state)
{
	static const struct turn turns[] = {
		{ '+', "", "", "" },
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nNOOP\r\nHELP\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n", "RCPT TO:<b@x>\r\n" },
		{ 'S', "250 r\r\n", "250 r\r\n", "NOOP\r\n" },
		{ 'S', "250 n\r\n", "250 n\r\n" HELP, "DATA\r\n" },
		{ 'S', "354 d\r\n", "354 d\r\n", "" },
		{ 'C', "hi\r\n.\r\nMAIL FROM:<c@x>\r\nQUIT\r\n", "", "hi\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", "MAIL FROM:<c@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n" BYE, "QUIT\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 1 (b@x) not 0, 4: sent 250 q\n", .end = TALK_DONE);
}

static void
what_follows_data_waits_for_its_reply(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nNOOP\r\nhi\r\n.\r\n"
		    "MAIL FROM:<c@x>\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n", "" },
		{ 'S', "354 d\r\n", "354 d\r\n", "NOOP\r\nhi\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 1 (b@x) not 0, 10: sent 250 q\n");
}

static void
what_follows_refused_data_is_commands(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nNOOP\r\nRSET\r\n" "MAIL FROM:<c@x>\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n550 r\r\n", "250 m\r\n550 r\r\n", "" },
		{ 'S', "554 no valid recipients\r\n", "554 no valid recipients\r\n", "NOOP\r\nRSET\r\n" },
		{ 'S', "250 n\r\n250 s\r\n", "250 n\r\n250 s\r\n", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 0 () not 1, 0: 554 no valid recipients\n");
}

static void
data_without_recipients_may_end_in_a_refusal(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n550 r\r\n354 d\r\n", "250 m\r\n550 r\r\n354 d\r\n", "" },
		{ 'C', ".\r\n", "", ".\r\n" },
		{ 'S', "554 none\r\n", "554 none\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 0 () not 1, 0: 554 none\n");
}

static void
recipients_are_told_apart(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:c@x\r\n"
		    "RCPT TO:<d@x> NOTIFY=NEVER\r\nRCPT TO:\r\nDATA\r\n",
		    "",
		    "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:c@x\r\n"
		    "RCPT TO:<d@x> NOTIFY=NEVER\r\nDATA\r\n" },
		{ 'S', "250 m\r\n251 r\r\n450 c\r\n250 d\r\n354 d\r\n",
		    "250 m\r\n251 r\r\n450 c\r\n250 d\r\n" SYNTAX "354 d\r\n", "" },
		{ 'C', "..\r\n.\r\n", "", "..\r\n.\r\n" },
		{ 'S', "250-two\r\n250 lines\r\n", "250-two\r\n250 lines\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 2 (b@x, d@x) not 1, 4: sent 250 lines\n");
}

static void
mail_behind_a_message_waits_for_its_reply(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "hi\r\n.\r\nRSET\r\nMAIL FROM:<c@x>\r\nRCPT TO:<d@x>\r\nDATA\r\n", "", "hi\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", "RSET\r\n" },
		{ 'S', "250 s\r\n", "250 s\r\n", "MAIL FROM:<c@x>\r\nRCPT TO:<d@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', ".\r\nQUIT\r\n", "", ".\r\n" },
		{ 'S', "250 q2\r\n", "250 q2\r\n" BYE, "QUIT\r\n" },
		{ 0 }
	};

	static const char messages[] =
	    "<a@x> to 1 (b@x) not 0, 4: sent 250 q\n<c@x> to 1 (d@x) not 0, 0: sent 250 q2\n";

	(void)state;
	PLAY(turns, .messages = messages, .end = TALK_DONE);
}

static void
mail_within_mail_is_refused(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nMAIL FROM:<b@x>\r\nMAIL FROM:<c@x>\r\n",
		    "", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "550 no\r\n", "550 no\r\n", "MAIL FROM:<b@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n" NESTED, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 0 () not 0, 0: 550 no\n");
}

static void
a_reset_is_the_servers_to_answer(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\nRCPT TO:<c@x>\r\n" "MAIL FROM:<d@x>\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\n" },
		{ 'S', "250 m\r\n550 r\r\n", "250 m\r\n550 r\r\n", "" },
		{ 'S', "250 s\r\n", "250 s\r\n" NO_MAIL, "MAIL FROM:<d@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n", "" },
		{ 'C', "RSET x\r\nRSET\r\nRSET\r\n", SYNTAX, "RSET\r\nRSET\r\n" },
		{ 'S', "250 s\r\n250 s\r\n", "250 s\r\n250 s\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
a_greeting_within_a_transaction_is_a_hidden_reset(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nEHLO c.x\r\nNOOP\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\nNOOP\r\n" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n", "" },
		{ 'S', "250-hidden\r\n250 s\r\n",
		    OUR_EHLO,
		    "" },
		{ 'S', "250 n\r\n", "250 n\r\n", "" },
		{ 'C', "RCPT TO:<b@x>\r\nHELO c.x\r\nEHLO\r\n", NO_MAIL, "RSET\r\n" },
		{ 'S', "250 s\r\n", OUR_HELO SYNTAX, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
a_server_that_forgets_nothing_is_left(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nEHLO c.x\r\nNOOP\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\nNOOP\r\n" },
		{ 'S', "250 m\r\n250 r\r\n500 what\r\n",
		    "250 m\r\n250 r\r\n" OUR_EHLO OK,
		    "" },
		{ 'C', "MAIL FROM:<a@x>\r\n", "", "MAIL FROM:<a@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .asked = 2);
}

static void
chunks_pass_by_their_count(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 6\r\nRSET\r\nBDAT 0\r\n"
		    "BDAT  04   last\r\n.\r\n\nMAIL FROM:<c@x>\r\n",
		    "",
		    "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 6\r\nRSET\r\nBDAT 0\r\n"
		    "BDAT 4 LAST\r\n.\r\n\n" },
		{ 'S', "250 m\r\n250 r\r\n250 six\r\n250 none\r\n",
		    "250 m\r\n250 r\r\n250 six\r\n250 none\r\n", "" },
		{ 'S', "250 q\r\n", "250 q\r\n", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 1 (b@x) not 0, 10: sent 250 q\n");
}

static void
an_empty_last_chunk_ends_a_message(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 2\r\nabBDAT 0 LAST\r\n" "QUIT\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 2\r\nabBDAT 0 LAST\r\n" },
		{ 'S', "250 m\r\n250 r\r\n250 two\r\n", "250 m\r\n250 r\r\n250 two\r\n", "" },
		{ 'S', "250 q\r\n", "250 q\r\n" BYE, "QUIT\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 1 (b@x) not 0, 2: sent 250 q\n", .end = TALK_DONE);
}

static void
refused_chunks_go_to_the_server_all_the_same(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 4\r\nabcdBDAT 4 LAST\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 4\r\nabcdBDAT 4 LAST\r\n" },
		{ 'S', "250 m\r\n550 r\r\n554 none\r\n", "250 m\r\n550 r\r\n554 none\r\n", "" },
		{ 'C', "efg", "", "efg" },
		{ 'S', "503 none\r\n", "503 none\r\n", "" },
		{ 'C', "hRSET\r\nMAIL FROM:<c@x>\r\n", "", "hRSET\r\n" },
		{ 'S', "250 s\r\n", "250 s\r\n", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 0 () not 1, 8: 503 none\n");
}

static void
data_does_not_follow_chunks(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 1\r\naDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 1\r\na" },
		{ 'S', "250 m\r\n250 r\r\n250 c\r\n",
		    "250 m\r\n250 r\r\n250 c\r\n503 5.5.1 DATA cannot follow BDAT\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
chunks_no_server_takes_are_drained(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", NO_MAIL NO_MAIL, "NOOP\r\n" },
		{ 'S', "250 n\r\n", "250 n\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
chunks_are_refused_where_the_server_has_none(void **state)
{
	static const struct turn turns[] = {
		{ '+', "PIPELINING", "", "" },
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\n"
		    "QUIT\r\nNOOP\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nNOOP\r\n" },
		{ 'S', "250 m\r\n250 r\r\n250 n\r\n",
		    "250 m\r\n250 r\r\n" NO_CHUNKS NO_CHUNKS "250 n\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns);
}

static void
chunks_whose_size_is_unclear_end_all(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 18446744073709551616\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n" CHUNK_SYNTAX, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .end = TALK_FATAL);
}

static void
the_largest_chunk_is_a_chunk(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 18446744073709551615\r\nabc",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 18446744073709551615\r\nabc" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n", "" },
		{ 'C', "def", "", "def" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
a_chunk_is_not_taken_before_it_was_sent(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 4 LAST\r\nab",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 4 LAST\r\nab" },
		{ 'S', "250 m\r\n250 r\r\n250 q\r\n", "250 m\r\n250 r\r\n" LOST, "" },
		{ 'C', "cdMAIL FROM:<c@x>\r\n", "", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 1 (b@x) not 0, 4: " LOST_LINE);
}

static void
header_lines_end_all(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nSubject: x\r\nMAIL FROM:<c@x>\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n" FOREIGN, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .end = TALK_FATAL);
}

static void
browsers_are_turned_away(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "POST / HTTP/1.1\r\nHost: x\r\n", FOREIGN, "" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .end = TALK_FATAL);
}

static void
odd_lines_are_refused(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "noop\r\r\nNOOP\n\r\nNO\rOP\r\n	NOOP\r\nNOOP \r\n",
		    SYNTAX BARE UNKNOWN SYNTAX SYNTAX SYNTAX, "" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns);
}

static void
bare_newlines_end_commands_where_they_may(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "NOOP\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\r\nNOOP\n",
		    OK, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nNOOP\r\n" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .chooses_anew = true,
	    .bare_newline = BARE_NEWLINE_NORMALIZE }, turns });
}

#define TOO_MANY "421 4.7.0 lb.example.com Error: too many errors\r\n"

static void
too_many_errors_end_all(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "foo\r\nMAIL FROM:<a@x>\r\nbar\r\nNOOP\r\n", UNKNOWN, "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n" UNKNOWN TOO_MANY, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners.hard_errors = 2 },
	    .turns = turns, .end = TALK_FATAL });
}

#define RCPT(name) "RCPT TO:<" name "@x>\r\n"
#define NOBODY "550 5.1.1 nobody\r\n"

/* One at a time, once replies are late. */
static void
refusals_of_the_server_are_errors(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n", "", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n", "" },
		{ 'C', RCPT("1") RCPT("2"), "", RCPT("1") RCPT("2") },
		{ 'S', NOBODY NOBODY, NOBODY NOBODY, "" },
		{ 'C', RCPT("3") "NOOP\r\n" RCPT("4") RCPT("5"), "", RCPT("3") },
		{ 'S', NOBODY, NOBODY, "NOOP\r\n" },
		{ 'S', "250 n\r\n", "250 n\r\n", RCPT("4") },
		{ 'S', NOBODY, NOBODY TOO_MANY, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners = { .soft_errors = 2,
	    .hard_errors = 4, .counts_servers = true } }, .turns = turns, .end = TALK_FATAL, .delays = 3 });
}

/* What was passed on before they were too many: those of the server are late, and the last is the last. */
static void
replies_that_are_under_way_are_late_too(void **state)
{
	static const char group[] = "MAIL FROM:<a@x>\r\n" RCPT("1") RCPT("2") RCPT("3") RCPT("4") RCPT("5");
	static const struct turn turns[] = {
		{ 'C', group, "", group },
		{ 'S', "250 m\r\n" NOBODY NOBODY NOBODY NOBODY NOBODY,
		    "250 m\r\n" NOBODY NOBODY NOBODY NOBODY TOO_MANY, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners = { .soft_errors = 2,
	    .hard_errors = 4, .counts_servers = true } }, .turns = turns, .end = TALK_FATAL, .delays = 2 });
}

/* Whether it was taken must be known, or it is sent again. */
static void
a_whole_message_is_answered_before_the_end(void **state)
{
	static const char group[] = "MAIL FROM:<a@x>\r\n" RCPT("1") RCPT("2") "BDAT 2 LAST\r\nhi";
	static const struct turn turns[] = {
		{ 'C', group, "", group },
		{ 'S', "250 m\r\n" NOBODY "250 r\r\n", "250 m\r\n" NOBODY "250 r\r\n", "" },
		{ 'S', "250 queued\r\n", "250 queued\r\n" TOO_MANY, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners = { .hard_errors = 1,
	    .counts_servers = true } }, .turns = turns, .end = TALK_FATAL,
	    .messages = "<a@x> to 1 (2@x) not 1, 2: sent 250 queued\n" });
}

static void
an_accepted_mail_is_forgiven_for(void **state)
{
	static const char group[] = "MAIL FROM:<a@x>\r\n" RCPT("1") RCPT("2") "DATA\r\n";
	static const struct turn turns[] = {
		{ 'C', "foo\r\nNOOP\r\n", UNKNOWN, "NOOP\r\n" },
		{ 'S', "250 n\r\n", "250 n\r\n", "" },
		{ 'C', group, "", group },
		{ 'S', "250 m\r\n" NOBODY "250 r\r\n354 d\r\n",
		    "250 m\r\n" NOBODY "250 r\r\n354 d\r\n", "" },
		{ 'C', "hi\r\n.\r\n", "", "hi\r\n.\r\n" },
		{ 'S', "250 queued\r\n", "250 queued\r\n", "" },
		{ 'C', "foo\r\nfoo\r\n", UNKNOWN UNKNOWN, "" },
		{ 'C', "RSET\r\n", "", "RSET\r\n" },
		{ 'S', "250 n\r\n", "250 n\r\n", "" },
		{ 'C', "RSET\r\n", "", "RSET\r\n" },
		{ 'S', "250 n\r\n", "250 n\r\n", "" },
		{ 'C', "EHLO a\r\n", "", "RSET\r\n" },
		{ 'S', "250 n\r\n", OUR_EHLO TOO_MANY, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners = { .hard_errors = 3,
	    .idles_max = 1, .counts_servers = true } }, .turns = turns, .end = TALK_FATAL,
	    .messages = "<a@x> to 1 (2@x) not 1, 4: sent 250 queued\n" });
}

/* Postfix forgives first, and says so at once. */
static void
what_is_taken_is_told_at_once(void **state)
{
#define WHOLE_MAIL "MAIL FROM:<a@x>\r\n" RCPT("1") "BDAT 2 LAST\r\nhi"
	static const struct turn turns[] = {
		{ 'C', WHOLE_MAIL "foo\r\n", "", WHOLE_MAIL },
		{ 'S', "250 m\r\n" NOBODY, "250 m\r\n" NOBODY, "" },
		{ 'S', "250 queued\r\n", "250 queued\r\n" UNKNOWN, "" },
		{ 'C', "HELP\r\n", HELP, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners = { .soft_errors = 1,
	    .counts_servers = true } }, .turns = turns, .delays = 1,
	    .messages = "<a@x> to 0 () not 1, 2: sent 250 queued\n" });
}

/* A greeting that the server hears as a RSET waits as all do, and what comes behind it waits again. */
static void
greetings_of_bad_clients_are_late(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "foo\r\n", UNKNOWN, "" },
		{ 'C', "EHLO a\r\nHELP\r\nHELP\r\n", "", "RSET\r\n" },
		{ 'S', "250 n\r\n", OUR_EHLO HELP HELP, "" },
		{ 0 }
	};

	(void)state;
	play(&(struct scene){ .order = { .capabilities = pipelining, .manners.soft_errors = 1 },
	    .turns = turns, .delays = 3 });
}

static void
say_often(struct talk *t, char who, const char *what, int times)
{
	for (int i = 0; i < times; i++)
		say(t, who, slice_of(what), CUT_NONE, 0);
}

/* However many replies are owed, a greeting that is one error too many finds room, and so do last words. */
static void
last_words_have_room_behind_all_that_is_owed(void **state)
{
	const struct talk_order order = { .capabilities = pipelining,
		.manners = { .hard_errors = 1, .idles_max = 1 } };
	const struct turn nothing = { .says = "" };

	(void)state;
	for (int before = OWED_MAX - 5; before <= OWED_MAX; before++) {
		struct talk t;

		talk_open(&t, &order);
		say_often(&t, 'C', "NOOP\r\n", 2);
		say_often(&t, 'S', "250 n\r\n", 2);
		say_often(&t, 'C', "MAIL FROM:<a@x>\r\n", 1);
		say_often(&t, 'S', "250 m\r\n", 1);
		buf_clear(&t.to_client);
		say_often(&t, 'C', RCPT("1"), before);
		say_often(&t, 'C', "EHLO a\r\n", 1);
		say_often(&t, 'S', "250 r\r\n", before);
		buf_consume(&t.to_client, (size_t)before * strlen("250 r\r\n"));
		say_often(&t, 'S', "250 n\r\n", 1);
		expect(&nothing, "the client", &t.to_client, OUR_EHLO TOO_MANY);
		assert_int_equal(t.end, TALK_FATAL);
		talk_close(&t);
	}
}

static void
bare_newlines_refuse_a_message(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "good\r\n", "", "good\r\n" },
		{ 'C', "\n", "", "" },
		{ 'C', ".\nbad\r\n.\r\nMAIL FROM:<c@x>\r\n",
		    "550 5.5.2 Message has CR or LF that stand alone\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages =
	    "<a@x> to 1 (b@x) not 0, 14: " BARE_LINE,
	    .end = TALK_FATAL);
}

static void
bare_newlines_become_good_ones(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "a\n.\nb\r\n.\r\n", "", "a\r\n..\r\nb\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY_BARE(BARE_NEWLINE_NORMALIZE, turns, .messages = "<a@x> to 1 (b@x) not 0, 7: sent 250 q\n");
}

static void
bare_newlines_pass(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "a\n.\nb\r\n.\r\n", "", "a\n.\nb\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY_BARE(BARE_NEWLINE_PASS, turns, .messages = "<a@x> to 1 (b@x) not 0, 7: sent 250 q\n");
}

static void
bare_newlines_of_a_lost_message_are_not_told(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'X', "", "", "" },
		{ 'C', "a\nb\r\n.\r\nNOOP\r\n", LOST OK, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 1 (b@x) not 0, 5: " LOST_LINE);
}

/* Under any policy, and without telling a server of it. */
static void
unclear_chunks_end_all(void **state)
{
	static const char *const lines[] = { "BDAT\r\n", "BDAT -1\r\n", "BDAT 1 LAST x\r\n",
		"bdat 1 FIRST\r\n", "BDAT 1x\r\n", "BDAT 3\t\r\n", "BDAT 3\r\r\n", "BDAT 3\n",
		" BDAT 3\r\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const struct turn turns[] = {
			{ 'C', "MAIL FROM:<a@x>\r\n", "", "MAIL FROM:<a@x>\r\n" },
			{ 'S', "250 m\r\n", "250 m\r\n", "" },
			{ 'C', lines[i], CHUNK_SYNTAX, "" },
			{ 'C', "QUIT\r\n", "", "" },
			{ 0 }
		};

		PLAY(turns, .end = TALK_FATAL);
	}
}

static void
a_nul_is_no_command(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t, &(struct talk_order){ .chooses_anew = true });
	talk_client(&t, slice_make("MAIL FROM:<a\0@x>\r\nNOOP\0\r\n", 25));
	assert_true(slice_equals(buf_slice(&t.to_client), SYNTAX SYNTAX));
	talk_close(&t);
}

static void
a_line_without_an_end_ends_all(void **state)
{
	enum { LEN = 1024 * 1024 };
	char *line = xmalloc(LEN);

	(void)state;
	memset(line, 'N', LEN);
	for (size_t piece = 1; piece <= LEN; piece *= 64) {
		struct talk t;

		talk_open(&t, &(struct talk_order){ .capabilities = pipelining });
		for (size_t at = 0; at < LEN; at += piece) {
			talk_client(&t, slice_make(line + at, piece < LEN - at ? piece : LEN - at));
			assert_true(piece == LEN || buf_len(&t.client_in) <= 4096);
		}
		assert_true(slice_equals(buf_slice(&t.to_client), "500 5.5.2 Line is too long\r\n"));
		assert_int_equal(t.end, TALK_FATAL);
		assert_int_equal(buf_len(&t.to_server), 0);
		talk_close(&t);
	}
	xfree(line);
}

/* Whole lines in `lines`. */
static uint32_t
count_lines(struct buf *lines)
{
	uint32_t count = 0;

	for (size_t i = 0; i < buf_len(lines); i++)
		count += buf_data(lines)[i] == '\n';
	buf_clear(lines);
	return count;
}

static void
many_recipients_keep_their_order(void **state)
{
	enum { MANY = 100000 };
	struct buf all = { 0 };
	struct talk t;
	uint32_t next = 0;

	(void)state;
	talk_open(&t, &(struct talk_order){ .capabilities = pipelining });
	buf_append_text(&all, "MAIL FROM:<a@x>\r\n");
	for (uint32_t i = 0; i < MANY; i++)
		buf_printf(&all, i % 10 == 0 ? "VRFY\r\n" : "RCPT TO:<%" PRIu32 "@x>\r\n", i);
	smtp_mediator.clear(t.state);
	smtp_mediator.init(t.state, &(struct mediator_order){ .hostname = "lb" });
	talk_server_came(&t);
	talk_client(&t, buf_slice(&all));
	buf_clear(&all);
	for (uint32_t sent = count_lines(&t.to_server); sent > 0; sent = count_lines(&t.to_server)) {
		assert_true(sent <= OWED_MAX);
		for (uint32_t i = 0; i < sent; i++, next++)
			buf_printf(&all, "%d %" PRIu32 "\r\n", next % 2 == 0 ? 250 : 550, next);
		talk_server(&t, buf_slice(&all));
		buf_clear(&all);
		assert_true(buf_len(&((struct smtp_state *)t.state)->transaction->asked) < OWED_MAX * 16);
	}
	assert_int_equal(count_lines(&t.to_client), MANY + 1);
	assert_int_equal(next, MANY * 9 / 10 + 1);
	talk_client(&t, slice_of("DATA\r\n"));
	talk_server(&t, slice_of("354 d\r\n"));
	talk_client(&t, slice_of(".\r\n"));
	talk_server(&t, slice_of("250 q\r\n"));
	assert_true(buf_len(&t.messages) < 5000);
	talk_close(&t);
}

/* No two servers agree about them. */
static void
blanks_before_a_command_are_refused(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "  NOOP\r\n MAIL FROM:<a@x>\r\n BDAT 3 LAST\r\nabc", SYNTAX SYNTAX CHUNK_SYNTAX, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .end = TALK_FATAL);
}

static void
mails_that_are_given_up_are_told_of(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n", "",
		    "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n" },
		{ 'S', "250 m\r\n250 b\r\n550 no c\r\n", "250 m\r\n250 b\r\n550 no c\r\n", "" },
		{ 'C', "RSET\r\n", "", "RSET\r\n" },
		{ 'S', "250 o\r\n", "250 o\r\n", "" },
		{ 'C', "MAIL FROM:<d@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<d@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250 m\r\n250 b\r\n", "250 m\r\n250 b\r\n", "" },
		{ 'C', "EHLO c\r\n", "", "RSET\r\n" },
		{ 'S', "250 o\r\n", OUR_EHLO, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages = "<a@x> to 1 (b@x) not 1, 0: 550 no c\n<d@x> to 1 (b@x) not 0, 0: ours \n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_replies_keep_their_place),
		cmocka_unit_test(nothing_is_asked_of_no_server),
		cmocka_unit_test(a_server_without_pipelining_gets_one_at_a_time),
		cmocka_unit_test(what_follows_data_waits_for_its_reply),
		cmocka_unit_test(what_follows_refused_data_is_commands),
		cmocka_unit_test(data_without_recipients_may_end_in_a_refusal),
		cmocka_unit_test(recipients_are_told_apart),
		cmocka_unit_test(mail_behind_a_message_waits_for_its_reply),
		cmocka_unit_test(mail_within_mail_is_refused),
		cmocka_unit_test(a_reset_is_the_servers_to_answer),
		cmocka_unit_test(a_greeting_within_a_transaction_is_a_hidden_reset),
		cmocka_unit_test(a_server_that_forgets_nothing_is_left),
		cmocka_unit_test(chunks_pass_by_their_count),
		cmocka_unit_test(an_empty_last_chunk_ends_a_message),
		cmocka_unit_test(refused_chunks_go_to_the_server_all_the_same),
		cmocka_unit_test(data_does_not_follow_chunks),
		cmocka_unit_test(chunks_no_server_takes_are_drained),
		cmocka_unit_test(chunks_are_refused_where_the_server_has_none),
		cmocka_unit_test(chunks_whose_size_is_unclear_end_all),
		cmocka_unit_test(the_largest_chunk_is_a_chunk),
		cmocka_unit_test(a_chunk_is_not_taken_before_it_was_sent),
		cmocka_unit_test(header_lines_end_all),
		cmocka_unit_test(browsers_are_turned_away),
		cmocka_unit_test(odd_lines_are_refused),
		cmocka_unit_test(bare_newlines_end_commands_where_they_may),
		cmocka_unit_test(too_many_errors_end_all),
		cmocka_unit_test(refusals_of_the_server_are_errors),
		cmocka_unit_test(replies_that_are_under_way_are_late_too),
		cmocka_unit_test(a_whole_message_is_answered_before_the_end),
		cmocka_unit_test(an_accepted_mail_is_forgiven_for),
		cmocka_unit_test(what_is_taken_is_told_at_once),
		cmocka_unit_test(greetings_of_bad_clients_are_late),
		cmocka_unit_test(last_words_have_room_behind_all_that_is_owed),
		cmocka_unit_test(bare_newlines_refuse_a_message),
		cmocka_unit_test(bare_newlines_become_good_ones),
		cmocka_unit_test(bare_newlines_pass),
		cmocka_unit_test(bare_newlines_of_a_lost_message_are_not_told),
		cmocka_unit_test(unclear_chunks_end_all),
		cmocka_unit_test(a_nul_is_no_command),
		cmocka_unit_test(a_line_without_an_end_ends_all),
		cmocka_unit_test(many_recipients_keep_their_order),
		cmocka_unit_test(blanks_before_a_command_are_refused),
		cmocka_unit_test(mails_that_are_given_up_are_told_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
