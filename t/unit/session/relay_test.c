/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_test.c: octets both ways without loss, half-closes, timeouts, last words only where they fit. */
#include "client.h"

#include "net/stream_memory.h"
#include "session/listener_kept.h"
#include "session/relay.h"

enum { MANY = 3 * 1024 * 1024 };

/* Octets that tell where they belong; NUL is not among them. */
static char *
make_pattern(unsigned step)
{
	char *pattern = xmalloc(MANY + 1);

	for (unsigned i = 0; i < MANY; i++)
		pattern[i] = (char)(1 + i * step % 251);
	pattern[MANY] = '\0';
	return pattern;
}

static void
open_relay(struct rig *rig, struct peer *client, struct peer **server, const char *listener)
{
	rig_open(rig, 1, "imap", "", listener);
	rig_client(rig, client);
	peer_expect(client, client_greeting);
	*server = rig_log_in(rig, client);
}

static void
open_tcp(struct rig *rig, struct peer *client, struct peer **server)
{
	rig_open(rig, 1, "tcp", "port 1", "");
	rig_client(rig, client);
	*server = door_accept(&rig->doors[0]);
	while (list_entry(rig->worker->sessions.next, struct session, node)->phase != FRONT_RELAY)
		turn_a_little(rig->loop);
}

static void
passes_all_octets_both_ways(void **state)
{
	struct rig rig;
	struct peer client, *server;
	char *up = make_pattern(7), *down = make_pattern(13);

	(void)state;
	open_relay(&rig, &client, &server, "");
	peer_say(&client, up);
	peer_say(server, down);
	peer_expect(server, up);
	peer_expect(&client, down);
	peer_close(&client);
	peer_expect_end(server);
	peer_close(server);
	expect_all_gone(&rig);
	assert_int_equal(rig.settings->listener->counters[0].bytes_up, MANY);
	assert_int_equal(rig.settings->listener->counters[0].bytes_down, MANY);
	assert_int_equal(stream_memory_used(), 0);
	rig_close(&rig);
	xfree(up);
	xfree(down);
}

static void
a_server_that_leaves_is_heard_to_the_end(void **state)
{
	struct rig rig;
	struct peer client, *server;
	char *down = make_pattern(13);

	(void)state;
	open_relay(&rig, &client, &server, "");
	stream_pause(&client.stream);
	peer_say(server, down);
	stream_shut(&server->stream);
	while (stream_kept(&list_entry(rig.worker->sessions.next, struct session, node)->front) == 0)
		turn_a_little(rig.loop);
	stream_resume(&client.stream);
	peer_expect(&client, down);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
	xfree(down);
}

static void
tcp_goes_on_behind_the_clients_end(void **state)
{
	struct rig rig;
	struct peer client, *server;
	char *down = make_pattern(13);

	(void)state;
	open_tcp(&rig, &client, &server);
	peer_say(&client, "GET");
	stream_shut(&client.stream);
	peer_expect(server, "GET");
	peer_expect_end(server);
	peer_say(server, down);
	stream_shut(&server->stream);
	peer_expect(&client, down);
	peer_expect_end(&client);
	expect_all_gone(&rig);
	peer_close(&client);
	rig_close(&rig);
	xfree(down);
}

static void
tcp_goes_on_behind_the_servers_end(void **state)
{
	struct rig rig;
	struct peer client, *server;
	char *up = make_pattern(7);
	int64_t ended;

	(void)state;
	open_tcp(&rig, &client, &server);
	peer_say(server, "HELLO");
	stream_shut(&server->stream);
	peer_expect(&client, "HELLO");
	peer_expect_end(&client);
	peer_say(&client, up);
	stream_shut(&client.stream);
	peer_expect(server, up);
	peer_expect_end(server);
	/* both have said all: nothing is left to linger for */
	ended = loop_now(rig.loop);
	expect_all_gone(&rig);
	assert_true(loop_now(rig.loop) - ended < 1000);
	peer_close(&client);
	rig_close(&rig);
	xfree(up);
}

/* Both have said all, and one has not read it all: the rest is in the proxy alone. */
static void
tcp_keeps_the_rest_when_both_ends_came(void **state)
{
	struct rig rig;
	struct peer client, *server, *slow, *quick;
	char words[64 * 1024];

	(void)state;
	memset(words, 'x', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	for (int up = 0; up < 2; up++) {
		struct session *s;
		struct stream *to;
		size_t said = 0;

		open_tcp(&rig, &client, &server);
		slow = up ? server : &client;
		quick = up ? &client : server;
		s = list_entry(rig.worker->sessions.next, struct session, node);
		to = up ? &s->leg->back->stream : &s->front;
		stream_pause(&slow->stream);
		for (; stream_kept(to) == 0; said += strlen(words)) {
			peer_say(quick, words);
			turn_a_little(rig.loop);
		}
		assert_int_equal(stream_kept(&quick->stream), 0);
		stream_shut(&quick->stream);
		stream_shut(&slow->stream);
		for (int i = 0; i < 8; i++)
			turn_a_little(rig.loop);
		stream_resume(&slow->stream);
		for (; said > 0; said -= strlen(words))
			peer_expect(slow, words);
		peer_expect_end(slow);
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
a_lost_server_is_told_of(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "");
	stream_reset(&server->stream);
	peer_expect(&client, "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* What it left unread makes its close a reset. */
static void
a_lost_client_leaves_its_server(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "");
	stream_pause(&client.stream);
	peer_say(server, "* 1 EXISTS\r\n");
	turn_a_little(rig.loop);
	peer_close(&client);
	peer_expect_end(server);
	expect_all_gone(&rig);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 0);
	rig_close(&rig);
}

static void
says_goodbye_to_an_idle_client(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 400ms");
	peer_expect(&client, "* BYE Disconnected: time is up.\r\n");
	peer_expect_end(&client);
	peer_expect_end(server);
	peer_close(&client);
	rig_close(&rig);
}

static void
says_nothing_within_a_literal(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 400ms");
	peer_say(server, "* 1 FETCH (BODY[] {100}\r\nhalf of");
	peer_expect(&client, "* 1 FETCH (BODY[] {100}\r\nhalf of");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* The server falls silent long after the session began: the timer must have looked for that. */
static void
a_reply_that_never_comes_is_noticed_late_in_a_session(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 1m; reply_timeout 100ms");
	wait_ms(rig.loop, 250);
	peer_say(&client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	peer_expect(&client, "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
an_idle_client_is_noticed_behind_a_late_reply(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 400ms; reply_timeout 1m");
	peer_say(&client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	wait_ms(rig.loop, 1000);
	peer_say(server, "b OK\r\n");
	peer_expect(&client, "b OK\r\n* BYE Disconnected: time is up.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* The client is the one to speak within its command, and in IDLE it is nobody's turn. */
static void
who_stops_within_a_command_is_idle(void **state)
{
	static const struct {
		const char *client, *server;
	} rows[] = {
		{ "b NO", NULL },
		{ "b APPEND x {100}\r\n", "+ go\r\n" },
		{ "b APPEND x {100+}\r\nhalf of", NULL },
		{ "b IDLE\r\n", "+ idling\r\n" },
	};
	struct rig rig;
	struct peer client, *server;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_relay(&rig, &client, &server, "idle_timeout 500ms; reply_timeout 100ms");
		peer_say(&client, rows[i].client);
		peer_expect(server, rows[i].client);
		if (rows[i].server != NULL) {
			peer_say(server, rows[i].server);
			peer_expect(&client, rows[i].server);
		}
		peer_expect(&client, "* BYE Disconnected: time is up.\r\n");
		peer_expect_end(&client);
		peer_close(&client);
		rig_close(&rig);
	}
}

/* It has announced a literal, and must not send it before it is told to. */
static void
a_prompt_that_never_comes_is_the_servers_silence(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 1m; reply_timeout 100ms");
	peer_say(&client, "b APPEND x {100}\r\n");
	peer_expect(&client, "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* The reply is there: that its end was not read yet is no fault of the server's. */
static void
who_does_not_read_a_reply_is_idle(void **state)
{
	struct rig rig;
	struct peer client, *server;
	char *down = make_pattern(13);
	struct session *s;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 1m; reply_timeout 200ms");
	s = list_entry(rig.worker->sessions.next, struct session, node);
	peer_say(&client, "b FETCH 1 BODY[]\r\n");
	peer_expect(server, "b FETCH 1 BODY[]\r\n");
	stream_pause(&client.stream);
	peer_say(server, "* 1 FETCH (BODY[] {3145728}\r\n");
	peer_say(server, down);
	peer_say(server, ")\r\nb OK\r\n");
	wait_ms(rig.loop, 800);
	assert_false(s->has_ended);
	assert_true(stream_kept(&s->front) > 0);
	stream_resume(&client.stream);
	peer_expect(&client, "* 1 FETCH (BODY[] {3145728}\r\n");
	peer_expect(&client, down);
	peer_expect(&client, ")\r\nb OK\r\n");
	peer_close(&client);
	peer_expect_end(server);
	peer_close(server);
	rig_close(&rig);
	xfree(down);
}

/* Nobody knows whose turn it is there, and the client has spoken last. */
static void
tcp_ends_in_a_silence_behind_the_clients_words(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "tcp", "port 1", "idle_timeout 300ms");
	rig_client(&rig, &client);
	server = door_accept(&rig.doors[0]);
	peer_say(&client, "HELLO");
	peer_expect(server, "HELLO");
	peer_expect_end(&client);
	peer_expect_end(server);
	peer_close(&client);
	rig_close(&rig);
}

static void
traffic_puts_the_timeout_off(void **state)
{
	struct rig rig;
	struct peer client, *server;
	int64_t last;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 800ms");
	for (int i = 0; i < 4; i++) {
		wait_ms(rig.loop, 300);
		peer_say(server, "* 1 EXISTS\r\n");
		peer_expect(&client, "* 1 EXISTS\r\n");
	}
	last = loop_now(rig.loop);
	peer_expect(&client, "* BYE Disconnected: time is up.\r\n");
	assert_true(loop_now(rig.loop) - last >= 790);
	peer_close(&client);
	rig_close(&rig);
}

/* The pool was dropped while it dialled, and all others had been told already. */
static void
who_reaches_a_dropped_server_is_told_to_go(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = rig_hear_login(&rig, login_line);
	rig.pool->options.close_spread.ms = 50;
	pool_drop(rig.pool);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(&client, "* BYE ");
	peer_expect_end(server);
	peer_close(server);
	peer_close(&client);
	rig_close(&rig);
}

/* So is one whose login was under way when the worker began to drain. */
static void
who_logs_in_while_draining_is_told_to_go(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "close_spread 50ms", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	worker_drain(rig.worker);
	turn_a_little(rig.loop);
	server = rig_log_in(&rig, &client);
	peer_expect(&client, "* BYE ");
	peer_expect_end(server);
	peer_close(server);
	peer_close(&client);
	rig_close(&rig);
}

/*
 * No boundary will ever be seen there: it ends in a silence, and not later in the middle of something,
 * whether it is to go some time or at once.
 */
static void
who_compresses_leaves_without_words_in_a_silence(void **state)
{
	enum { WELL_BEFORE_DRAIN_IS_OVER_MS = 5000 };
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	int64_t asked;

	(void)state;
	for (int at_once = 0; at_once < 2; at_once++) {
		open_relay(&rig, &client, &server, "");
		peer_say(&client, "c COMPRESS DEFLATE\r\n");
		peer_expect(server, "c COMPRESS DEFLATE\r\n");
		peer_say(server, "c OK deflating\r\n");
		peer_expect(&client, "c OK deflating\r\n");
		s = list_entry(rig.worker->sessions.next, struct session, node);
		asked = loop_now(rig.loop);
		if (at_once)
			session_finish(s);
		else
			relay_leave_at(s, asked);
		wait_ms(rig.loop, 300);
		peer_say(server, "zzz");
		peer_expect(&client, "zzz");
		peer_expect_end(&client);
		assert_true(loop_now(rig.loop) - asked < WELL_BEFORE_DRAIN_IS_OVER_MS);
		assert_int_equal(buf_len(&client.heard), 0);
		peer_close(&client);
		rig_close(&rig);
	}
}

/* It waits for its turn to go, and for its server no longer than before. */
static void
who_is_to_leave_later_still_notices_a_silent_server(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	open_relay(&rig, &client, &server, "idle_timeout 1m; reply_timeout 200ms");
	s = list_entry(rig.worker->sessions.next, struct session, node);
	peer_say(&client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	relay_leave_at(s, loop_now(rig.loop) + 60 * 60 * 1000);
	peer_expect(&client, "* BYE [UNAVAILABLE] ");
	peer_expect_end(server);
	peer_close(&client);
	rig_close(&rig);
}

static void
what_may_not_pass_ends_the_session(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	open_relay(&rig, &client, &server, "");
	peer_say(&client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	peer_say(&client, "c NOOP\r\nd UNAUTHENTICATE\r\n");
	peer_expect(&client, "* BYE This command does not pass here.\r\n");
	peer_expect_end(server);
	peer_close(&client);
	peer_close(server);
	expect_all_gone(&rig);
	rig_close(&rig);

	/* pipelined behind the login */
	rig_open(&rig, 1, "imap", "", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\nb UNAUTHENTICATE\r\n");
	stream_shut(&client.stream);
	server = rig_hear_login(&rig, login_line);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect_end(server);
	peer_close(&client);
	peer_close(server);
	expect_all_gone(&rig);
	rig_close(&rig);
}

/* What becomes of a session in IDLE whose server's state changes so. */
static void
change_server(struct rig *rig, int cause)
{
	struct endpoint *e = endpoint_at(rig, 0);

	switch (cause) {
	case 0:
		machine_set_admin(e->machine, ADMIN_MAINTENANCE, "");
		break;
	case 1:
		endpoint_set_admin(e, ADMIN_MAINTENANCE, "");
		break;
	case 2:
		endpoint_set_health(e, HEALTH_DOWN, "");
		break;
	case 3:
		machine_set_admin(e->machine, ADMIN_DRAIN, "");
		break;
	default:
		endpoint_set_on_down(e, false);
		endpoint_set_health(e, HEALTH_DOWN, "");
		break;
	}
}

static void
sessions_leave_a_server_in_maintenance_or_down(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	for (int cause = 0; cause < 5; cause++) {
		open_relay(&rig, &client, &server, "");
		service_set_close_spread(rig.pool->service, 20);
		change_server(&rig, cause);
		worker_send_away(rig.worker);
		worker_send_away(rig.worker);
		if (cause < 3) {
			peer_expect(&client, "* BYE ");
			peer_expect_end(server);
		} else {
			wait_ms(rig.loop, 100);
			assert_int_equal(client.is_gone, 0);
		}
		peer_close(&client);
		peer_close(server);
		rig_close(&rig);
	}
}

/* It was chosen before, and all others had been told already. */
static void
who_reaches_a_server_that_all_leave_is_told_to_go(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	for (int cause = 0; cause < 3; cause++) {
		rig_open(&rig, 1, "imap", "", "");
		service_set_close_spread(rig.pool->service, 20);
		rig_client(&rig, &client);
		peer_expect(&client, client_greeting);
		peer_say(&client, "a LOGIN bob secret\r\n");
		server = door_accept(&rig.doors[0]);
		peer_say(server, server_greeting);
		peer_expect(server, login_line);
		change_server(&rig, cause);
		peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
		peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
		peer_expect(&client, "* BYE ");
		peer_expect_end(server);
		peer_close(server);
		peer_close(&client);
		rig_close(&rig);
	}
}

/* A reply that is owed comes no more, where no timeout waits for it; at a server that is up it may. */
static void
a_dead_server_holds_nobody(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	for (int is_down = 0; is_down < 2; is_down++) {
		open_relay(&rig, &client, &server, "idle_timeout 1h; reply_timeout 1h");
		s = list_entry(rig.worker->sessions.next, struct session, node);
		peer_say(&client, "b NOOP\r\n");
		peer_expect(server, "b NOOP\r\n");
		change_server(&rig, is_down ? 2 : 0);
		relay_leave_at(s, loop_now(rig.loop) - RELAY_DRAIN_MS + 100);
		assert_true(loop_timer_is_set(&s->timer));
		if (is_down) {
			peer_expect(&client, "* BYE [UNAVAILABLE] ");
		} else {
			wait_ms(rig.loop, 1500);
			assert_int_equal(client.is_gone, 0);
		}
		peer_close(&client);
		peer_expect_end(server);
		peer_close(server);
		rig_close(&rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_all_octets_both_ways),
		cmocka_unit_test(a_server_that_leaves_is_heard_to_the_end),
		cmocka_unit_test(tcp_goes_on_behind_the_clients_end),
		cmocka_unit_test(tcp_goes_on_behind_the_servers_end),
		cmocka_unit_test(tcp_keeps_the_rest_when_both_ends_came),
		cmocka_unit_test(a_lost_server_is_told_of),
		cmocka_unit_test(a_lost_client_leaves_its_server),
		cmocka_unit_test(says_goodbye_to_an_idle_client),
		cmocka_unit_test(says_nothing_within_a_literal),
		cmocka_unit_test(a_reply_that_never_comes_is_noticed_late_in_a_session),
		cmocka_unit_test(an_idle_client_is_noticed_behind_a_late_reply),
		cmocka_unit_test(who_stops_within_a_command_is_idle),
		cmocka_unit_test(a_prompt_that_never_comes_is_the_servers_silence),
		cmocka_unit_test(who_does_not_read_a_reply_is_idle),
		cmocka_unit_test(tcp_ends_in_a_silence_behind_the_clients_words),
		cmocka_unit_test(traffic_puts_the_timeout_off),
		cmocka_unit_test(who_reaches_a_dropped_server_is_told_to_go),
		cmocka_unit_test(who_logs_in_while_draining_is_told_to_go),
		cmocka_unit_test(who_compresses_leaves_without_words_in_a_silence),
		cmocka_unit_test(who_is_to_leave_later_still_notices_a_silent_server),
		cmocka_unit_test(what_may_not_pass_ends_the_session),
		cmocka_unit_test(sessions_leave_a_server_in_maintenance_or_down),
		cmocka_unit_test(who_reaches_a_server_that_all_leave_is_told_to_go),
		cmocka_unit_test(a_dead_server_holds_nobody),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
