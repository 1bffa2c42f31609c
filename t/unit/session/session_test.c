/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_test.c: how sessions end: told to go at a boundary and within a
 * literal, at each phase, through TLS, and all at once with their worker.
 */
#include "tls_clients.h"

static const char shutdown_bye[] = "* BYE [UNAVAILABLE] Please connect again.\r\n";

static struct session *
open_relay(struct rig *rig, struct peer *client, struct peer **server)
{
	struct session *s;

	rig_open(rig, 1, "imap", "", "");
	s = rig_client(rig, client);
	peer_expect(client, client_greeting);
	*server = rig_log_in(rig, client);
	return s;
}

static void
a_client_may_log_out(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	s = rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGOUT\r\nb LOGIN bob secret\r\n");
	peer_expect(&client, "* BYE Logging out\r\na OK Logout completed.\r\n");
	peer_expect_end(&client);
	/* what it still says does no harm, and it has its last words for sure */
	assert_int_equal(s->phase, FRONT_LINGER);
	peer_say(&client, "c NOOP\r\n");
	turn_a_little(rig.loop);
	assert_false(client.stream.error);
	peer_close(&client);
	rig_close(&rig);
	assert_int_equal(rig.doors[0].count, 0);
}

/* It has said all, with its end, and reads when it gets to it. */
static void
a_client_that_is_slow_to_read_hears_its_last_words(void **state)
{
	static const char words[] = "* BYE Logging out\r\na OK Logout completed.\r\n";
	static const char noise[1024];
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t filled = 0;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	s = rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	stream_pause(&client.stream);
	for (ssize_t n = 0; n >= 0; n = write(s->front.fd, noise, sizeof(noise)))
		filled += (size_t)n;
	peer_say(&client, "a LOGOUT\r\n");
	turn_a_little(rig.loop);
	assert_int_equal(s->phase, FRONT_LINGER);
	assert_int_equal(stream_kept(&s->front), strlen(words));
	stream_shut(&client.stream);
	turn_a_little(rig.loop);
	stream_resume(&client.stream);
	while (buf_len(&client.heard) < filled + strlen(words) && !client.is_gone)
		loop_run(rig.loop);
	buf_consume(&client.heard, filled);
	peer_expect(&client, words);
	peer_expect_end(&client);
	/* nothing is waited for then */
	turn_a_little(rig.loop);
	assert_true(list_is_empty(&rig.worker->sessions));
	peer_close(&client);
	rig_close(&rig);
}

static void
a_client_that_does_not_go_is_cut_off(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGOUT\r\n");
	expect_all_gone(&rig);
	peer_close(&client);
	rig_close(&rig);
}

static void
is_told_to_go_between_two_responses(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	session_finish(open_relay(&rig, &client, &server));
	peer_expect(&client, shutdown_bye);
	peer_expect_end(&client);
	peer_expect_end(server);
	peer_close(&client);
	rig_close(&rig);
}

static void
is_told_to_go_behind_the_literal(void **state)
{
	static const char head[] = "* 1 FETCH (BODY[] {10}\r\n01234";
	struct rig rig;
	struct peer client, *server;
	struct session *s = open_relay(&rig, &client, &server);

	(void)state;
	peer_say(server, head);
	peer_expect(&client, head);
	session_finish(s);
	session_finish(s);
	turn_a_little(rig.loop);
	assert_int_equal(s->phase, FRONT_DRAIN);
	peer_say(&client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	peer_say(server, "56789");
	peer_expect(&client, "56789");
	peer_say(server, ")\r\n");
	peer_expect(&client, ")\r\n");
	peer_expect(&client, shutdown_bye);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* The stages at which a session is ended below. */
enum stage { AT_COMMAND, AT_ARGUMENT, AT_DIAL, AT_QUEUE, AT_RETRY, AT_RELAY, AT_DRAIN, AT_LINGER, STAGES };

/* Brings a session there; `first` is a client that has the only place where a queue is wanted. */

static struct session *
bring_to(struct rig *rig, enum stage stage, struct peer *first, struct peer *client)
{
	struct session *s;

	if (stage == AT_QUEUE) {
		rig_client(rig, first);
		peer_expect(first, client_greeting);
		rig_log_in(rig, first);
	}
	if (stage == AT_RETRY)
		door_refuse(&rig->doors[0]);
	s = rig_client(rig, client);
	peer_expect(client, "* OK [CAPABILITY IMAP4rev1 SASL-IR ID IDLE");
	buf_clear(&client->heard);
	switch (stage) {
	case AT_ARGUMENT:
		peer_say(client, "a LOGIN {3}\r\n");
		peer_expect(client, "+ OK\r\n");
		break;
	case AT_DIAL:
	case AT_QUEUE:
	case AT_RETRY:
		peer_say(client, "a LOGIN bob secret\r\nb NOOP\r\n");
		turn_a_little(rig->loop);
		turn_a_little(rig->loop);
		assert_int_equal(s->phase, FRONT_ROUTE);
		assert_int_equal(s->leg->way->route.is_queued, stage == AT_QUEUE);
		assert_int_equal(s->leg != NULL && s->leg->back != NULL, stage == AT_DIAL);
		break;
	case AT_RELAY:
	case AT_DRAIN:
		peer_say(rig_log_in(rig, client), "* 1 FETCH {10}\r\n");
		peer_expect(client, "* 1 FETCH {10}\r\n");
		if (stage == AT_DRAIN)
			session_finish(s);
		break;
	case AT_LINGER:
		peer_say(client, "a LOGOUT\r\n");
		peer_expect(client, "* BYE Logging out\r\na OK Logout completed.\r\n");
		break;
	default:
		break;
	}
	return s;
}

enum how { ENDED, CLIENT_GONE, FINISHED, STOPPED, WAYS };

/* Nothing is left, whatever happens when: rig_close looks. */
static void
can_end_at_each_stage(void **state)
{
	struct rig rig;
	struct peer first, client;

	(void)state;
	for (enum stage stage = 0; stage < STAGES; stage++) {
		for (enum how how = 0; how < WAYS; how++) {
			struct session *s;

			rig_open(&rig, 1, "imap", stage == AT_QUEUE ? "max_connections 1" : "retries 1", "");
			memset(&first, 0, sizeof(first));
			s = bring_to(&rig, stage, &first, &client);
			if (how == ENDED)
				session_end(s, END_SHUTDOWN);
			if (how == FINISHED)
				session_finish(s);
			if (how == STOPPED) {
				worker_stop(rig.worker);
				loop_run(rig.loop);
			}
			peer_close(&client);
			peer_close(&first);
			door_close(&rig.doors[0]);
			rig_close(&rig);
		}
	}
}

/* The room that the first one leaves is under way to the second when both end. */
static void
a_stop_loses_no_room_that_is_handed_over(void **state)
{
	struct rig rig;
	struct peer first, second;

	(void)state;
	rig_open(&rig, 1, "imap", "max_connections 1", "");
	bring_to(&rig, AT_QUEUE, &first, &second);
	worker_stop(rig.worker);
	while (!list_is_empty(&rig.worker->sessions))
		loop_run(rig.loop);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 0);
	peer_close(&first);
	peer_close(&second);
	rig_close(&rig);
}

static void
open_with_tls(struct rig *rig, struct peer *client, bool implicit)
{
	rig_open(rig, 1, "imap", "", "");
	rig->settings->front_tls = (struct tls_front){ .context = context, .alpn = "imap" };
	rig->settings->starttls = STARTTLS_REQUIRED;
	rig->settings->plaintext_login = false;
	rig->gate.is_tls = implicit;
	rig_client(rig, client);
}

static void
start_tls(struct peer *client, struct tls_back *tls)
{
	struct error error;

	*tls = (struct tls_back){ .client = tls_client_load(true, in_folder("mail.pem"), &error),
		.name = "lb.example.com", .alpn = "imap" };
	stream_connect_tls(&client->stream, tls);
	await(client->stream.loop, &client->is_ready, 1);
}

static void
logs_in_through_tls(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	struct tls_back tls;

	(void)state;
	for (int implicit = 0; implicit < 2; implicit++) {
		open_with_tls(&rig, &client, implicit);
		if (!implicit) {
			peer_expect(&client, greeting_before_tls);
			peer_say(&client, "a LOGIN bob secret\r\n");
			peer_expect(&client, "a NO [PRIVACYREQUIRED] Start TLS before you log in.\r\n");
			peer_say(&client, "b STARTTLS\r\n");
			peer_expect(&client, "b OK Begin TLS negotiation now.\r\n");
		}
		start_tls(&client, &tls);
		if (implicit)
			peer_expect(&client, client_greeting);
		server = rig_log_in(&rig, &client);
		s = list_entry(rig.worker->sessions.next, struct session, node);
		assert_string_equal(s->identity.tls_version, "TLSv1.3");
		session_finish(s);
		peer_expect(&client, shutdown_bye);
		peer_expect_end(&client);
		peer_close(&client);
		peer_close(server);
		rig_close(&rig);
		tls_client_free(&tls.client);
	}
}

static void
ends_where_plaintext_follows_starttls(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	open_with_tls(&rig, &client, false);
	peer_expect(&client, greeting_before_tls);
	peer_say(&client, "b STARTTLS\r\nc LOGIN eve secret\r\n");
	peer_expect(&client, "* BYE Nothing may follow STARTTLS.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* Port 25 has no secrets, and whoever requires TLS there means the mail. */
static void
takes_no_mail_before_required_tls(void **state)
{
	struct rig rig;
	struct peer refused, client;
	struct session *s;

	(void)state;
	rig_open(&rig, 1, "smtp", "", "");
	rig.settings->plaintext_login = false;
	rig.settings->starttls = STARTTLS_REQUIRED;
	rig_client(&rig, &refused);
	peer_expect(&refused, "220 lb.example.com ESMTP ready\r\n");
	peer_say(&refused, "HELO a\r\nMAIL FROM:<>\r\n");
	peer_expect(&refused, "250 lb.example.com\r\n530 5.7.0 Send STARTTLS first.\r\n");

	rig.settings->starttls = STARTTLS_OPTIONAL;
	s = rig_client(&rig, &client);
	peer_expect(&client, "220 lb.example.com ESMTP ready\r\n");
	peer_say(&client, "HELO a\r\nMAIL FROM:<>\r\n");
	peer_expect(&client, "250 lb.example.com\r\n");
	assert_int_not_equal(s->phase, FRONT_COMMAND);
	assert_string_equal(s->identity.helo, "a");
	session_finish(s);
	peer_close(&refused);
	peer_close(&client);
	rig_close(&rig);
}

/* Neither a client that speaks no TLS nor one that says nothing is told anything in the clear. */
static void
says_nothing_before_tls(void **state)
{
	struct rig rig;
	struct peer client;
	size_t heard;

	(void)state;
	open_with_tls(&rig, &client, true);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await(rig.loop, &client.is_gone, 1);
	heard = buf_len(&client.heard);
	assert_true(heard == 0 || buf_data(&client.heard)[0] == 0x15);	/* a TLS alert at most */
	peer_close(&client);
	rig_close(&rig);

	open_with_tls(&rig, &client, true);
	turn_a_little(rig.loop);
	session_finish(list_entry(rig.worker->sessions.next, struct session, node));
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_may_log_out),
		cmocka_unit_test(a_client_that_is_slow_to_read_hears_its_last_words),
		cmocka_unit_test(a_client_that_does_not_go_is_cut_off),
		cmocka_unit_test(is_told_to_go_between_two_responses),
		cmocka_unit_test(is_told_to_go_behind_the_literal),
		cmocka_unit_test(can_end_at_each_stage),
		cmocka_unit_test(a_stop_loses_no_room_that_is_handed_over),
		cmocka_unit_test(logs_in_through_tls),
		cmocka_unit_test(ends_where_plaintext_follows_starttls),
		cmocka_unit_test(takes_no_mail_before_required_tls),
		cmocka_unit_test(says_nothing_before_tls),
	};

	return cmocka_run_group_tests(tests, tls_clients_set_up, tls_clients_tear_down);
}
