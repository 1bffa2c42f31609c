/* SPDX-License-Identifier: BSD-2-Clause */
#include "smtp_scene.h"

#define MAIL_OK "250 2.1.0 Ok\r\n"
#define NO_RECIPIENT "503 5.5.1 There is no recipient\r\n"
#define ELSEWHERE "451 4.3.0 Send to this recipient in a mail of its own\r\n"
#define HOME_RCPT "RCPT TO:<b@home.example>\r\n"
#define AWAY_RCPT "RCPT TO:<c@away.example>\r\n"

static void
the_first_recipient_decides(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x> SIZE=9\r\n", MAIL_OK, NULL },
		{ 'C', HOME_RCPT, NULL, "MAIL FROM:<a@x> SIZE=9\r\n" },
		{ 'S', "250 m\r\n", NULL, HOME_RCPT },
		{ 'S', "250 r\r\n", "250 r\r\n", NULL },
		{ 'C', "DATA\r\n", NULL, "DATA\r\n" },
		{ 'S', "354 d\r\n", "354 d\r\n", NULL },
		{ 'C', "hi\r\n.\r\n", NULL, "hi\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", NULL },
		{ 'C', "MAIL FROM:<a@x>\r\n" AWAY_RCPT, MAIL_OK, "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", NULL, AWAY_RCPT },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .asked = 2, .messages = "<a@x> to 1 (b@home.example) not 0, 4: sent 250 q\n");
}

static void
who_belongs_elsewhere_is_put_off(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT AWAY_RCPT HOME_RCPT, MAIL_OK, "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", NULL, HOME_RCPT HOME_RCPT },
		{ 'S', "250 1\r\n", "250 1\r\n" ELSEWHERE, NULL },
		{ 'S', "250 2\r\n", "250 2\r\n", NULL },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .asked = 1);
}

/* Its refusal is the answer to the recipient it was sent for; the next one tries again. */
static void
a_refused_mail_answers_its_recipient(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT HOME_RCPT AWAY_RCPT, MAIL_OK, "MAIL FROM:<a@x>\r\n" },
		{ 'S', "550 no\r\n", "550 no\r\n", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "451 not now\r\n", "451 not now\r\n", "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", NULL, AWAY_RCPT },
		{ 'S', "250 r\r\n", "250 r\r\n", NULL },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .asked = 2);
}

static void
without_a_recipient_nothing_is_sent(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nDATA\r\nBDAT 3\r\nabcMAIL FROM:<b@x>\r\nRSET\r\nDATA\r\n",
		    MAIL_OK NO_RECIPIENT NO_RECIPIENT NESTED OK NO_MAIL, NULL },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .asked = 0);
}

static void
another_recipient_may_find_a_server(void **state)
{
	static const struct turn turns[] = {
		{ '-', NULL, NULL, NULL },
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT AWAY_RCPT, MAIL_OK NO_SERVER NO_SERVER, NULL },
		{ '+', pipelining, NULL, NULL },
		{ 'C', AWAY_RCPT, NULL, "MAIL FROM:<a@x>\r\n" },
		{ 'S', "250 m\r\n", NULL, AWAY_RCPT },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .asked = 3);
}

/* What a server says of the client itself is the client's to hear. */
static void
a_refused_client_hears_why(void **state)
{
	static const struct turn turns[] = {
		{ '-', "521 5.7.1 You are on a list", NULL, NULL },
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT, MAIL_OK "521 5.7.1 You are on a list\r\n", NULL },
		{ '-', "250 no refusal", NULL, NULL },
		{ 'C', HOME_RCPT, NO_SERVER, NULL },
		{ '-', "550", NULL, NULL },
		{ 'C', HOME_RCPT, "550\r\n", NULL },
		{ '-', NULL, NULL, NULL },
		{ 'C', HOME_RCPT, NO_SERVER, NULL },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .asked = 4);
}

static void
a_server_lost_at_the_mail_is_told_of(void **state)
{
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT, MAIL_OK, "MAIL FROM:<a@x>\r\n" },
		{ 'X', NULL, LOST, NULL },
		{ 'C', "DATA\r\n", LOST, NULL },
		{ 'C', "MAIL FROM:<a@x>\r\n", MAIL_OK, NULL },
		{ 'C', HOME_RCPT, NULL, "MAIL FROM:<a@x>\r\n" },
		{ 0 }
	};

	(void)state;
	PLAY_ASKING(turns, .messages = "<a@x> to 0 () not 0, 0: " LOST_LINE);
}

#define TOO_MANY "421 4.7.0 lb.example.com Error: too many errors\r\n"

/* Of a client that was screened out; no server is asked, and the log has all of it. */
static void
who_is_turned_down_hears_so_at_each_recipient(void **state)
{
#define DOWN "550 5.7.1 no\r\n"
	static const struct turn turns[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT AWAY_RCPT, MAIL_OK DOWN DOWN, NULL },
		{ 'C', "DATA\r\n", NO_RECIPIENT, NULL },
		{ 'C', "BDAT 4 LAST\r\nhi\r\nRSET\r\n", NO_RECIPIENT OK, NULL },
		{ 'C', HOME_RCPT, NO_MAIL, NULL },
		{ 'C', "MAIL FROM:<>\r\n" HOME_RCPT, MAIL_OK DOWN, NULL },
		{ 'C', "NOOP\r\nEHLO c.x\r\n", OK OUR_EHLO, NULL },
		{ 'C', "MAIL FROM:<b@x>\r\n" HOME_RCPT "QUIT\r\n", MAIL_OK DOWN BYE, NULL },
		{ 0 }
	};
	static const struct turn many[] = {
		{ 'C', "MAIL FROM:<a@x>\r\n" HOME_RCPT, MAIL_OK DOWN, NULL },
		{ 'C', "DATA\r\n", NO_RECIPIENT, NULL },
		{ 'C', "BDAT 0 LAST\r\n", NO_RECIPIENT TOO_MANY, NULL },
		{ 0 }
	};
	static const struct turn none[] = {
		{ 'C', "MAIL FROM:<a@x>\r\nDATA\r\n", MAIL_OK NO_RECIPIENT, NULL },
		{ 'C', "DATA\r\n", NO_RECIPIENT TOO_MANY, NULL },
		{ 0 }
	};
	struct scene scene = {
		.order = { .capabilities = pipelining, .chooses_anew = true, .turned_down = DOWN },
		.turns = turns, .end = TALK_DONE,
		.messages = "<a@x> to 0 () not 2, 0: ours 550 5.7.1 no\n"
			    "<> to 0 () not 1, 0: ours 550 5.7.1 no\n",
	};

	(void)state;
	play(&scene);
	scene.order.asks_recipients = scene.order.looks_up = true;
	play(&scene);
	scene = (struct scene){ .order = { .chooses_anew = true, .turned_down = DOWN,
	    .manners.hard_errors = 2 }, .turns = many, .end = TALK_FATAL };
	play(&scene);
	scene.turns = none;
	play(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_turned_down_hears_so_at_each_recipient),
		cmocka_unit_test(the_first_recipient_decides),
		cmocka_unit_test(who_belongs_elsewhere_is_put_off),
		cmocka_unit_test(a_refused_mail_answers_its_recipient),
		cmocka_unit_test(without_a_recipient_nothing_is_sent),
		cmocka_unit_test(another_recipient_may_find_a_server),
		cmocka_unit_test(a_refused_client_hears_why),
		cmocka_unit_test(a_server_lost_at_the_mail_is_told_of),
	};

	return cmocka_run_group_tests_name("smtp_recipients", tests, NULL, NULL);
}
