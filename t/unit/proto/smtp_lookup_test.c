/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_lookup_test.c: SMTP's mediator where each recipient is asked about before a server hears of it. */
#include "smtp_scene.h"

#define MAIL_OK "250 2.1.0 Ok\r\n"
#define MAIL "MAIL FROM:<a@x> SIZE=9\r\n"
#define GOOD "RCPT TO:<good@x>\r\n"
#define GOOD_TOO "RCPT TO:<good2@x>\r\n"
#define UNKNOWN_RCPT "RCPT TO:<refused@x>\r\n"
#define CODED_RCPT "RCPT TO:<coded@x>\r\n"
#define LATER_RCPT "RCPT TO:<later@x>\r\n"
#define ELSEWHERE_RCPT "RCPT TO:<elsewhere@x>\r\n"
#define NOBODY "451 4.3.0 Nobody can say now where this recipient belongs\r\n"
#define CODED "550 5.1.1 Not here??\r\n"
#define ELSEWHERE "451 4.3.0 Send to this recipient in a mail of its own\r\n"

static void
play_lookup(const struct turn *turns, const char *messages)
{
	play(&(struct scene){
	    .order = { .capabilities = pipelining, .chooses_anew = true, .asks_recipients = true,
		.looks_up = true },
	    .turns = turns, .messages = messages,
	});
}

static void
the_first_good_one_gets_a_server(void **state)
{
	static const struct turn turns[] = {
		{ 'C', MAIL UNKNOWN_RCPT CODED_RCPT LATER_RCPT, MAIL_OK NOBODY CODED NOBODY, NULL },
		{ 'C', GOOD, NULL, MAIL },
		{ 'S', "250 m\r\n", NULL, GOOD },
		{ 'S', "250 r\r\n", "250 r\r\n", NULL },
		{ 'C', "DATA\r\n", NULL, "DATA\r\n" },
		{ 'S', "354 d\r\n", "354 d\r\n", NULL },
		{ 'C', "hi\r\n.\r\n", NULL, "hi\r\n.\r\n" },
		{ 'S', "250 q\r\n", "250 q\r\n", NULL },
		/* the server at hand will do */
		{ 'C', MAIL GOOD, MAIL_OK, MAIL },
		{ 'S', "250 m\r\n", NULL, GOOD },
		{ 0 }
	};

	(void)state;
	play_lookup(turns,
	    "<a@x> to 1 (good@x) not 3, 4: sent 250 q\n");
}

/* In their order, whatever the server owes. */
static void
later_ones_are_asked_about_too(void **state)
{
	static const struct turn turns[] = {
		{ 'C', MAIL GOOD CODED_RCPT GOOD_TOO ELSEWHERE_RCPT "DATA\r\n", MAIL_OK, MAIL },
		{ 'S', "250 m\r\n", NULL, GOOD },
		{ 'S', "250 1\r\n", "250 1\r\n" CODED, GOOD_TOO },
		{ 'S', "450 2\r\n", "450 2\r\n" ELSEWHERE, "DATA\r\n" },
		{ 0 }
	};

	(void)state;
	play_lookup(turns, NULL);
}

static void
without_a_server_the_mail_is_kept(void **state)
{
	static const struct turn turns[] = {
		{ '-', NULL, NULL, NULL },
		{ 'C', MAIL GOOD GOOD, MAIL_OK NO_SERVER NO_SERVER, NULL },
		{ '+', pipelining, NULL, NULL },
		{ 'C', CODED_RCPT GOOD, CODED, MAIL },
		{ 'S', "550 no\r\n", "550 no\r\n", NULL },
		{ 'C', GOOD_TOO, NULL, MAIL },
		{ 'S', "250 m\r\n", NULL, GOOD_TOO },
		{ 'X', NULL, LOST, NULL },
		{ 'C', GOOD, LOST, NULL },
		{ 'C', "RSET\r\n" MAIL GOOD, OK MAIL_OK, MAIL },
		{ 0 }
	};

	(void)state;
	play_lookup(turns, "<a@x> to 0 () not 4, 0: 550 no\n");
}

static void
whole_lines_are_told(void **state)
{
	struct talk t;

	(void)state;
	talk_open(&t, &(struct talk_order){ .capabilities = pipelining, .chooses_anew = true,
	    .asks_recipients = true, .looks_up = true });
	talk_client(&t, slice_of("mail from: <A@x>  SIZE=9\r\nRCPT TO:<good@X> NOTIFY=NEVER\r\n"));
	assert_true(t.is_first);
	assert_string_equal(t.about, "good@X");
	assert_string_equal(t.lines, "mail from: <A@x>  SIZE=9|RCPT TO:<good@X> NOTIFY=NEVER");
	talk_server(&t, slice_of("250 m\r\n"));
	talk_server(&t, slice_of("250 r\r\n"));
	talk_client(&t, slice_of("RCPT TO:<later@x>\r\n"));
	assert_false(t.is_first);
	assert_string_equal(t.lines, "mail from: <A@x>  SIZE=9|RCPT TO:<later@x>");
	assert_int_equal(t.judged, 2);
	talk_close(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_good_one_gets_a_server),
		cmocka_unit_test(later_ones_are_asked_about_too),
		cmocka_unit_test(without_a_server_the_mail_is_kept),
		cmocka_unit_test(whole_lines_are_told),
	};

	return cmocka_run_group_tests_name("smtp_lookup", tests, NULL, NULL);
}
