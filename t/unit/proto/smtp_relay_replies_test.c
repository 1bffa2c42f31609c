/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_relay_replies_test.c: a server's replies once SMTP is relayed, good and
 * odd, and servers that are lost at every stage: one reply to each command,
 * and no message is taken but by its server.
 */
#include "smtp_game.h"
#include "smtp_scene.h"

static void
a_short_reply_is_one(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250\r\n550\n", "250\r\n550\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
a_reply_of_another_kind_ends_the_server(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n250 d\r\n", "250 m\r\n250 r\r\n" LOST, "" },
		{ 'C', "RSET\r\nMAIL FROM:<c@x>\r\n", OK, "MAIL FROM:<c@x>\r\n" },
		{ 'S', "354 m\r\n", LOST, "" },
		{ 'C', "RCPT TO:<c@x>\r\nBDAT 3\r\nabcBDAT 3 LAST\r\ndefMAIL FROM:<d@x>\r\n",
		    LOST LOST LOST, "MAIL FROM:<d@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages =
	    "<a@x> to 1 (b@x) not 0, 0: " LOST_LINE
	    "<c@x> to 0 () not 0, 0: " LOST_LINE, .asked = 3);
}

static void
a_reply_in_two_codes_ends_the_server(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250-m\r\n251 m\r\n250 r\r\n", LOST LOST, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns);
}

static void
garbage_ends_the_server(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250 m\r\ngarbage\r\n", "250 m\r\n" LOST, "" },
		{ 'C', "QUIT\r\n", BYE, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .end = TALK_DONE);
}

static void
a_server_that_takes_its_leave_is_gone(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nVRFY x\r\nNOOP\r\nRSET\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nNOOP\r\nRSET\r\n" },
		{ 'S', "250 m\r\n421 bye\r\n250 r\r\n", "250 m\r\n" LOST REFUSED OK OK, "" },
		{ 'C', "MAIL FROM:<c@x>\r\n", "", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .asked = 2);
}

static void
an_unasked_reply_ends_the_server(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n", "", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n250 early\r\n", "250 m\r\n", "" },
		{ 'C', "RCPT TO:<b@x>\r\nDATA\r\nMAIL FROM:<c@x>\r\n", LOST LOST, "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages =
	    "<a@x> to 0 () not 0, 0: " LOST_LINE);
}

static void
no_message_is_taken_before_its_end(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n250 q\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "hi\r\n.\r\nMAIL FROM:<c@x>\r\n", LOST, "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages =
	    "<a@x> to 1 (b@x) not 0, 4: " LOST_LINE);
}

static void
a_reply_cut_short_is_none(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 'S', "250 m\r\n250-r\r\n250 r", "250 m\r\n", "" },
		{ 'X', "", LOST, "" },
		{ 'C', "DATA\r\nRSET\r\n", LOST OK, "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .messages =
	    "<a@x> to 0 () not 0, 0: " LOST_LINE);
}

static void
lost_before_the_reply_to_mail(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nFOO\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'X', "", LOST LOST UNKNOWN LOST, "" },
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 0 () not 0, 0: " LOST_LINE, .asked = 2);
}

static void
lost_between_transactions(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\n" },
		{ 'S', "250 m\r\n250 r\r\n250 s\r\n", "250 m\r\n250 r\r\n250 s\r\n", "" },
		{ 'X', "", "", "" },
		{ 'C', "NOOP\r\nRSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n",
		    OK OK, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .asked = 2);
}

static void
lost_within_data(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "hi\r\n", "", "hi\r\n" },
		{ 'X', "", "", "" },
		{ 'C', "QUIT\r\n.x\r\n..\r\n.\r\nMAIL FROM:<c@x>\r\n", LOST, "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 1 (b@x) not 0, 18: " LOST_LINE, .asked = 2);
}

static void
lost_behind_data(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n" },
		{ 'S', "250 m\r\n250 r\r\n354 d\r\n", "250 m\r\n250 r\r\n354 d\r\n", "" },
		{ 'C', "hi\r\n.\r\nMAIL FROM:<c@x>\r\n", "", "hi\r\n.\r\n" },
		{ 'X', "", LOST, "MAIL FROM:<c@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n", "" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 1 (b@x) not 0, 4: " LOST_LINE, .asked = 2);
}

static void
lost_within_a_chunk(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 9\r\nabc",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 9\r\nabc" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n", "" },
		{ 'X', "", LOST, "" },
		{ 'C', "QUIT\r\nBDAT 0\r\nBDAT 3 LAST\r\n...MAIL FROM:<c@x>\r\n",
		    LOST LOST, "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 1 (b@x) not 0, 9: " LOST_LINE, .asked = 2);
}

static void
lost_within_the_last_chunk(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 9 LAST\r\nabc",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 9 LAST\r\nabc" },
		{ 'S', "250 m\r\n250 r\r\n", "250 m\r\n250 r\r\n", "" },
		{ 'X', "", LOST, "" },
		{ 'C', "QUIT\r\nMAIL FROM:<c@x>\r\n", "", "MAIL FROM:<c@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .messages = "<a@x> to 1 (b@x) not 0, 9: " LOST_LINE, .asked = 2);
}

static void
lost_with_all_sides_words_owed(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nEHLO c.x\r\nQUIT\r\nNOOP\r\n",
		    "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRSET\r\nQUIT\r\n" },
		{ 'X', "",
		    LOST LOST OUR_EHLO BYE,
		    "" },
		{ 0 }
	};

	(void)state;
	PLAY(turns, .end = TALK_DONE);
}

static void
no_server_for_a_mail_and_one_for_the_next(void **state)
{
	static const struct turn turns[] = {
		{ '-', "", "", "" },
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nMAIL FROM:<c@x>\r\n",
		    NO_SERVER NO_MAIL NO_SERVER, "" },
		{ '+', "PIPELINING\nCHUNKING", "", "" },
		{ 'C', "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n", "", "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .asked = 3);
}

static void
each_transaction_may_choose_or_none(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n", "", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "550 m\r\n", "550 m\r\n", "" },
		{ 'C', "MAIL FROM:<a@x>\r\n", "", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", "250 m\r\n", "" },
		{ 'C', "RSET\r\nMAIL FROM:<a@x>\r\n", "", "RSET\r\n" },
		{ 'S', "250 s\r\n", "250 s\r\n", "MAIL FROM:<a@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ANEW(turns, .asked = 3, .messages = "<a@x> to 0 () not 0, 0: 550 m\n");
	PLAY(turns, .messages = "<a@x> to 0 () not 0, 0: 550 m\n");
}

/* Up to 16 KiB in any number of lines, and no octet more. */
static void
a_reply_without_an_end_ends_the_server(void **state)
{
	static const char line[] = "250-0123456789\r\n";

	(void)state;
	for (int lines = 1000; lines <= 1100; lines += 100) {
		struct talk t;

		talk_open(&t, &(struct talk_order){ .capabilities = pipelining });
		talk_client(&t, slice_of("RSET\r\n"));
		for (int i = 0; i < lines; i++)
			talk_server(&t, slice_of(line));
		talk_server(&t, slice_of("250 x\r\n"));
		assert_true(buf_len(&t.server_in) == 0);
		if (lines == 1000)
			assert_int_equal(buf_len(&t.to_client), 1000 * strlen(line) + strlen("250 x\r\n"));
		else
			assert_true(slice_equals(buf_slice(&t.to_client), OK));
		assert_int_equal(t.has_back, lines == 1000);
		talk_close(&t);
	}
}

static void
a_nul_is_in_no_reply(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t, &(struct talk_order){ .capabilities = pipelining });
	talk_client(&t, slice_of("MAIL FROM:<a@x>\r\n"));
	talk_server(&t, slice_make("250 \0\r\n", 7));
	assert_true(slice_equals(buf_slice(&t.to_client), LOST));
	talk_close(&t);
}

static unsigned
deal(struct game *game, unsigned n)
{
	unsigned *seed = game->owner;

	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16 & 0x7fff) % n;
}

static void
whoever_plays_has_true_replies(void **state)
{
	struct game *game = xmalloc(sizeof(*game));

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		unsigned seed = i;
		const char *wrong;

		memset(game, 0, sizeof(*game));
		game->deal = deal;
		game->owner = &seed;
		wrong = game_play(game, 20 + i % 400, i % 2 != 0);
		if (wrong != NULL)
			fail_msg("game %u: not so: %s", i, wrong);
	}
	xfree(game);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_reply_is_one),
		cmocka_unit_test(a_reply_of_another_kind_ends_the_server),
		cmocka_unit_test(a_reply_in_two_codes_ends_the_server),
		cmocka_unit_test(garbage_ends_the_server),
		cmocka_unit_test(a_server_that_takes_its_leave_is_gone),
		cmocka_unit_test(an_unasked_reply_ends_the_server),
		cmocka_unit_test(no_message_is_taken_before_its_end),
		cmocka_unit_test(a_reply_cut_short_is_none),
		cmocka_unit_test(lost_before_the_reply_to_mail),
		cmocka_unit_test(lost_between_transactions),
		cmocka_unit_test(lost_within_data),
		cmocka_unit_test(lost_behind_data),
		cmocka_unit_test(lost_within_a_chunk),
		cmocka_unit_test(lost_within_the_last_chunk),
		cmocka_unit_test(lost_with_all_sides_words_owed),
		cmocka_unit_test(no_server_for_a_mail_and_one_for_the_next),
		cmocka_unit_test(each_transaction_may_choose_or_none),
		cmocka_unit_test(a_reply_without_an_end_ends_the_server),
		cmocka_unit_test(a_nul_is_in_no_reply),
		cmocka_unit_test(whoever_plays_has_true_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
