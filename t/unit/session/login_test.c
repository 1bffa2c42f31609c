/* SPDX-License-Identifier: BSD-2-Clause */
/* login_test.c: whole sessions up to the login: what both sides hear, and what is left when it fails. */
#include "../balance/pick.h"
#include "client.h"

#include "balance/endpoint_room.h"
#include "session/listener_kept.h"

static void
logs_in_and_passes_both_ways(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	s = rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	server = rig_log_in(&rig, &client);
	assert_int_equal(s->phase, FRONT_RELAY);
	assert_null(s->login);
	assert_null(s->snapshot);
	assert_string_equal(s->identity.user, "bob");
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 1);
	peer_say(&client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	peer_say(server, "b OK\r\n");
	peer_expect(&client, "b OK\r\n");
	peer_close(&client);
	peer_expect_end(server);
	peer_close(server);
	expect_all_gone(&rig);
	assert_int_equal(rig.settings->listener->counters[0].logins, 1);
	assert_int_equal(rig.settings->listener->counters[0].bytes_up, strlen("b NOOP\r\n"));
	assert_int_equal(rig.settings->listener->counters[0].bytes_down, strlen("b OK\r\n"));
	assert_int_equal(rig.settings->listener->counters[0].most_connections, 1);
	assert_int_equal(rig.settings->listener->counters[0].ends[END_DONE], 1);
	assert_int_equal(endpoint_at(&rig, 0)->counters[0].tries, 1);
	assert_int_equal(endpoint_at(&rig, 0)->counters[0].most_connections, 1);
	assert_int_equal(endpoint_at(&rig, 0)->counters[0].bytes_up, strlen("b NOOP\r\n"));
	assert_int_equal(endpoint_at(&rig, 0)->counters[0].bytes_down, strlen("b OK\r\n"));
	for (int i = 0; i < ENDPOINT_TIME_COUNT; i++)
		assert_int_equal(endpoint_at(&rig, 0)->counters[0].times[i].count, 1);
	rig_close(&rig);
}

static void
passes_what_came_with_the_login(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\nb NOOP\r\n");
	server = door_accept(&rig.doors[0]);
	peer_say(&client, "c SEL");
	peer_say(server, server_greeting);
	peer_expect(server, login_line);
	peer_say(&client, "ECT x\r\n");
	turn_a_little(rig.loop);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n* 2 EXISTS\r\n* 3 EX");
	peer_expect(server, "b NOOP\r\nc SELECT x\r\n");
	peer_say(server, "ISTS\r\n");
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n* 2 EXISTS\r\n* 3 EXISTS\r\n");
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

/* A client may half-close behind what it pipelined; it is answered all the same. */
static void
serves_a_client_that_has_said_all(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\nb LOGOUT\r\n");
	stream_shut(&client.stream);
	server = rig_hear_login(&rig, login_line);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(server, "b LOGOUT\r\n");
	peer_expect_end(server);
	peer_say(server, "* BYE\r\nb OK\r\n");
	peer_close(server);
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n* BYE\r\nb OK\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
a_refused_login_may_be_tried_again(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "x LOGIN bob wrong\r\ny NOOP\r\n");
	server = rig_hear_login(&rig, WRONG_LOGIN_LINE);
	peer_say(server, "L NO [AUTHENTICATIONFAILED] bob is unknown here\r\n");
	peer_expect(&client, "x NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	peer_expect(&client, "y OK NOOP completed.\r\n");
	peer_expect_end(server);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 0);
	assert_int_equal(rig.settings->listener->counters[0].failed_logins, 1);
	peer_close(server);
	server = rig_log_in(&rig, &client);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

/* The claimed name decides on the server, and another one on another. */
static void
and_the_choice_is_made_anew(void **state)
{
	struct rig rig;
	struct peer client, *server;
	char name[2][16], line[64];

	(void)state;
	rig_open(&rig, 2, "imap", "balance user", "");
	for (int wanted = 0; wanted < 2; wanted++)
		for (int i = 0; i == 0 || pick_of(rig.pool, 0, &(struct balance_key){
		    .user = slice_of(name[wanted]) }) != endpoint_at(&rig, (size_t)wanted); i++)
			snprintf(name[wanted], sizeof(name[0]), "user%d", i);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	for (int i = 0; i < 4; i++) {
		snprintf(line, sizeof(line), "a LOGIN %s wrong\r\n", name[i % 2]);
		peer_say(&client, line);
		server = door_accept(&rig.doors[i % 2]);
		peer_say(server, server_greeting);
		peer_expect(server, "L AUTHENTICATE PLAIN ");
		if (i == 3)
			break;
		peer_say(server, "L NO no\r\n");
		peer_expect(&client, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
		assert_int_equal(rig.doors[0].count + rig.doors[1].count, i + 1);
	}
	peer_say(server, "L OK done\r\n");
	peer_expect(&client, "a OK");
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

static void
no_server_leaves_the_client_where_it_is(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	rig_open(&rig, 1, "imap", "retries 0", "");
	door_refuse(&rig.doors[0]);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\nb NOOP\r\n");
	peer_expect(&client, "a NO [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	peer_expect(&client, "b OK NOOP completed.\r\n");
	assert_int_equal(endpoint_at(&rig, 0)->counters[0].connect_failures, 1);
	peer_say(&client, "c LOGOUT\r\n");
	peer_expect(&client, "* BYE Logging out\r\nc OK Logout completed.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
no_server_ends_the_session_where_so_configured(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	rig_open(&rig, 1, "imap", "retries 0", "unavailable bye");
	door_refuse(&rig.doors[0]);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	peer_expect(&client, "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
the_last_of_many_logins_has_its_answer_too(void **state)
{
	enum { LOGINS = 20 };
	struct rig rig;
	struct peer client;

	(void)state;
	rig_open(&rig, 1, "imap", "retries 0; observe off", "");
	door_refuse(&rig.doors[0]);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	for (int i = 0; i < LOGINS; i++) {
		peer_say(&client, "a LOGIN bob secret\r\n");
		peer_expect(&client, "a NO [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	}
	peer_expect(&client, "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
an_unbound_login_goes_to_the_next_server(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 2, "imap", "balance roundrobin", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = door_accept(&rig.doors[0]);
	peer_say(server, "* BYE not now\r\n");
	server = door_accept(&rig.doors[1]);
	peer_say(server, server_greeting);
	peer_expect(server, login_line);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 0);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 1)->connections), 1);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

static void
too_many_errors_end_the_session(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "max_errors 3");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a FETCH 1 x\r\nb LOGIN bob wrong\r\nc FETCH 1 x\r\nd NOOP\r\n");
	server = rig_hear_login(&rig, WRONG_LOGIN_LINE);
	peer_say(server, "L NO no\r\n");
	peer_expect(&client, "a BAD Unknown command, or not before login.\r\n");
	peer_expect(&client, "b NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	peer_expect(&client, "c BAD Unknown command, or not before login.\r\n");
	peer_expect(&client, "* BYE Too many invalid commands.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
guesses_are_bounded_too(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "max_errors 1");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = rig_hear_login(&rig, login_line);
	peer_say(server, "L NO no\r\n");
	peer_expect(&client, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	peer_expect(&client, "* BYE Too many invalid commands.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
the_login_has_its_time(void **state)
{
	static const char bye[] = "* BYE Disconnected: time is up.\r\n";
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "login_timeout 500ms");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_expect(&client, bye);
	peer_expect_end(&client);
	peer_close(&client);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = door_accept(&rig.doors[0]);
	peer_expect(&client, bye);
	peer_expect_end(&client);
	peer_expect_end(server);
	peer_close(&client);
	rig_close(&rig);
}

static void
reads_no_endless_pipeline(void **state)
{
	static char noise[64 * 1024];
	struct rig rig;
	struct peer client, *server;

	(void)state;
	memset(noise, 'x', sizeof(noise) - 1);
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	peer_say(&client, noise);
	server = door_accept(&rig.doors[0]);
	for (int i = 0; i < 8; i++)
		turn_a_little(rig.loop);
	assert_true(stream_kept(&client.stream) > 0 || list_entry(rig.worker->sessions.next, struct session,
	    node)->front.stops != 0);
	peer_say(server, server_greeting);
	peer_expect(server, login_line);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(server, noise);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

/* The answer is shorter than what was read, and nothing is read after it. */
static void
what_is_read_before_the_login_does_not_stay(void **state)
{
	static const char line[] = "a XLOGIN bob %0200d\r\n";
	char command[256];
	struct rig rig;
	struct peer client;

	(void)state;
	snprintf(command, sizeof(command), line, 7);
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, command);
	peer_expect(&client, "a BAD ");
	assert_null(memmem(loop_scratch(rig.loop), LOOP_SCRATCH_SIZE, "00007", 5));
	peer_close(&client);
	rig_close(&rig);
}

static void
waits_in_the_queue_or_leaves_it(void **state)
{
	struct rig rig;
	struct peer first, second, third, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "max_connections 1", "");
	rig_client(&rig, &first);
	peer_expect(&first, client_greeting);
	server = rig_log_in(&rig, &first);
	rig_client(&rig, &second);
	peer_expect(&second, "* OK");
	peer_say(&second, "a LOGIN bob secret\r\n");
	rig_client(&rig, &third);
	peer_expect(&third, "* OK");
	peer_say(&third, "a LOGIN bob secret\r\n");
	while (waiter_count(&endpoint_at(&rig, 0)->queue) < 2)
		turn_a_little(rig.loop);
	peer_close(&second);
	while (waiter_count(&endpoint_at(&rig, 0)->queue) > 1)
		turn_a_little(rig.loop);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 1);
	peer_close(&first);
	peer_close(server);
	server = rig_hear_login(&rig, login_line);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 1);
	peer_close(&third);
	peer_say(server, "L OK done\r\n");
	peer_expect_end(server);
	peer_close(server);
	rig_close(&rig);
}

/* Nobody is waited with who has left while the first server was dialled. */
static void
who_has_closed_gets_no_place_in_the_queue(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 2, "imap", "balance roundrobin; max_connections 1", "");
	assert_true(endpoint_take(endpoint_at(&rig, 1)));
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = door_accept(&rig.doors[0]);
	stream_shut(&client.stream);
	turn_a_little(rig.loop);
	assert_int_equal(client.is_gone, 0);
	peer_say(server, "* BYE not now\r\n");
	peer_expect_end(&client);
	assert_int_equal(waiter_count(&rig.pool->service->queue), 0);
	endpoint_give_up(endpoint_at(&rig, 1));
	peer_close(&client);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in_and_passes_both_ways),
		cmocka_unit_test(passes_what_came_with_the_login),
		cmocka_unit_test(serves_a_client_that_has_said_all),
		cmocka_unit_test(a_refused_login_may_be_tried_again),
		cmocka_unit_test(and_the_choice_is_made_anew),
		cmocka_unit_test(no_server_leaves_the_client_where_it_is),
		cmocka_unit_test(no_server_ends_the_session_where_so_configured),
		cmocka_unit_test(the_last_of_many_logins_has_its_answer_too),
		cmocka_unit_test(an_unbound_login_goes_to_the_next_server),
		cmocka_unit_test(too_many_errors_end_the_session),
		cmocka_unit_test(guesses_are_bounded_too),
		cmocka_unit_test(the_login_has_its_time),
		cmocka_unit_test(reads_no_endless_pipeline),
		cmocka_unit_test(what_is_read_before_the_login_does_not_stay),
		cmocka_unit_test(waits_in_the_queue_or_leaves_it),
		cmocka_unit_test(who_has_closed_gets_no_place_in_the_queue),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
