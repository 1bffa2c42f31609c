/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * front_proxy_test.c: sessions that must begin with a PROXY header: in one
 * piece with what follows and byte by byte, for each kind of listener; and
 * what comes of bad ones.
 */
#include "tls_clients.h"

#define LINE "PROXY TCP4 198.51.100.7 203.0.113.1 4711 993\r\n"
#define BLOCK "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x24" "\xc6\x33\x64\x07\xcb\0\x71\x01\x12\x67\x03\xe1" \
    "\x20\x00\x0f\x01\0\0\0\0" "\x21\x00\x07TLSv1.2" "\x05\x00\x03x-7"
#define ACCEPT "accept_proxy 192.0.2.0/24"		/* where rig_client comes from */

static const char greeting_on_tls[] =
    "* OK [CAPABILITY IMAP4rev1 SASL-IR ID IDLE STARTTLS AUTH=PLAIN AUTH=LOGIN] lb.example.com ready.\r\n";

static void
say_bytes(struct peer *peer, const char *bytes, size_t n, bool slowly)
{
	for (size_t i = 0; slowly && i < n; i++) {
		stream_write(&peer->stream, slice_make(bytes + i, 1));
		turn_a_little(peer->stream.loop);
	}
	if (!slowly)
		stream_write(&peer->stream, slice_make(bytes, n));
}

static void
expect_client(const struct session *s, const char *client, const char *local, const char *via)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(&s->identity.client, text), client);
	if (local != NULL)
		assert_string_equal(addr_format(&s->identity.local, text), local);
	assert_true((s->via != NULL) == (via != NULL));
	if (via != NULL)
		assert_string_equal(addr_format(s->via, text), via);
}

static void
the_client_is_whom_the_header_tells(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	for (int slowly = 0; slowly < 2; slowly++) {
		rig_open(&rig, 1, "imap", "", ACCEPT);
		s = rig_client(&rig, &client);
		turn_a_little(rig.loop);
		assert_int_equal(s->phase, FRONT_PROXY);
		assert_int_equal(buf_len(&client.heard), 0);
		say_bytes(&client, LINE, sizeof(LINE) - 1, slowly);
		peer_expect(&client, client_greeting);
		expect_client(s, "198.51.100.7:4711", "203.0.113.1:993", "192.0.2.7:4711");
		peer_close(rig_log_in(&rig, &client));
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
what_follows_in_the_same_segment_is_the_clients(void **state)
{
	static const char all[] = LINE "a NOOP\r\nb LOGIN bob sec";
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "", ACCEPT);
	rig_client(&rig, &client);
	say_bytes(&client, all, sizeof(all) - 1, false);
	peer_expect(&client, client_greeting);
	peer_expect(&client, "a OK NOOP completed.\r\n");
	peer_say(&client, "ret\r\n");
	server = rig_hear_login(&rig, login_line);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(&client, "b OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_close(server);
	peer_close(&client);
	rig_close(&rig);
}

/* A FIN right behind it, too: what was pipelined is answered. */
static void
a_client_may_leave_at_once(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	rig_open(&rig, 1, "imap", "", ACCEPT);
	rig_client(&rig, &client);
	peer_say(&client, LINE "a LOGOUT\r\n");
	stream_shut(&client.stream);
	peer_expect(&client, client_greeting);
	peer_expect(&client, "* BYE Logging out\r\na OK Logout completed.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
without_a_login_it_goes_to_the_server(void **state)
{
	static const char all[] = LINE "hello";
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	for (int slowly = 0; slowly < 2; slowly++) {
		rig_open(&rig, 1, "tcp", "", ACCEPT);
		s = rig_client(&rig, &client);
		say_bytes(&client, all, sizeof(all) - 1, slowly);
		server = door_accept(&rig.doors[0]);
		peer_expect(server, "hello");
		expect_client(s, "198.51.100.7:4711", "203.0.113.1:993", "192.0.2.7:4711");
		peer_say(server, "hi");
		peer_expect(&client, "hi");
		peer_close(server);
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
the_peers_own_connection_has_its_address(void **state)
{
	static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	rig_open(&rig, 1, "imap", "", ACCEPT);
	s = rig_client(&rig, &client);
	say_bytes(&client, local, sizeof(local) - 1, true);
	peer_expect(&client, client_greeting);
	expect_client(s, "192.0.2.7:4711", NULL, NULL);
	peer_close(&client);
	rig_close(&rig);
}

static void
others_are_served_as_ever(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	rig_open(&rig, 1, "imap", "", "accept_proxy 192.0.2.8 2001:db8::/32");
	s = rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, LINE);
	peer_expect(&client, "PROXY BAD");
	expect_client(s, "192.0.2.7:4711", NULL, NULL);
	peer_close(&client);
	rig_close(&rig);
}

static void
open_with_tls(struct rig *rig, struct peer *client, bool implicit)
{
	rig_open(rig, 1, "imap", "", ACCEPT);
	rig->settings->front_tls = (struct tls_front){ .context = context, .alpn = "imap" };
	rig->settings->starttls = STARTTLS_REQUIRED;
	rig->settings->plaintext_login = false;
	rig->gate.is_tls = implicit;
	rig_client(rig, client);
}

/* Cuts a stream of bytes off its first ones: a peer whose header and hello are one segment. */
static void
join_with_hello(struct rig *rig, struct peer *client, struct tls_back *tls)
{
	struct session *s = list_entry(rig->worker->sessions.next, struct session, node);
	struct error error;

	*tls = (struct tls_back){ .client = tls_client_load(true, in_folder("mail.pem"), &error),
		.name = "lb.example.com", .alpn = "imap" };
	/* both wait in the socket when the session reads for the first time */
	assert_int_equal(send(client->stream.fd, LINE, sizeof(LINE) - 1, 0), sizeof(LINE) - 1);
	stream_connect_tls(&client->stream, tls);
	assert_int_equal(s->phase, FRONT_PROXY);
	await(rig->loop, &client->is_ready, 1);
}

static void
tls_may_begin_in_the_same_segment(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	struct tls_back tls;

	(void)state;
	open_with_tls(&rig, &client, true);
	s = list_entry(rig.worker->sessions.next, struct session, node);
	join_with_hello(&rig, &client, &tls);
	peer_expect(&client, client_greeting);
	expect_client(s, "198.51.100.7:4711", "203.0.113.1:993", "192.0.2.7:4711");
	assert_string_equal(s->identity.tls_version, "TLSv1.3");
	peer_close(rig_log_in(&rig, &client));
	peer_close(&client);
	rig_close(&rig);
	tls_client_free(&tls.client);
}

/* As the peer says that the client has TLS; STARTTLS is there all the same. */
static void
tls_with_the_peer_is_tls(void **state)
{
	char bytes[sizeof(BLOCK)];
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	for (int has_tls = 0; has_tls < 2; has_tls++) {
		open_with_tls(&rig, &client, false);
		s = list_entry(rig.worker->sessions.next, struct session, node);
		memcpy(bytes, BLOCK, sizeof(BLOCK));
		bytes[16 + 12 + 3] = (char)has_tls;
		say_bytes(&client, bytes, sizeof(bytes) - 1, false);
		if (has_tls) {
			peer_expect(&client, greeting_on_tls);
			assert_string_equal(s->identity.tls_version, "TLSv1.2");
			peer_close(rig_log_in(&rig, &client));
		} else {
			peer_expect(&client, greeting_before_tls);
			assert_null(s->identity.tls_version);
		}
		assert_string_equal(s->identity.origin, "x-7");
		expect_client(s, "198.51.100.7:4711", "203.0.113.1:993", "192.0.2.7:4711");
		peer_close(&client);
		rig_close(&rig);
	}
}

/* Nothing is ever said to them. */
static void
bad_headers_end_without_a_word(void **state)
{
	static const char *const bad[] = { "a LOGIN bob secret\r\n", "\x16\x03\x01\x02", "\n", "QUIT\r\n",
		"PROXY TCP4 198.51.100.7 203.0.113.1 4711\r\na NOOP\r\n", "\r\n\r\nGET / HTTP/1.1\r\n" };
	struct rig rig;
	struct peer client;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(bad) / sizeof(bad[0]); i++) {
		open_with_tls(&rig, &client, i % 2 != 0);
		peer_say(&client, bad[i / 2]);
		peer_expect_end(&client);
		peer_close(&client);
		rig_close(&rig);
		assert_int_equal(rig.doors[0].count, 0);
	}
}

enum how { CLOSED, SHUT, LATE, FINISHED, STOPPED, WAYS };

static void
end(struct rig *rig, struct peer *client, enum how how)
{
	struct session *s = list_entry(rig->worker->sessions.next, struct session, node);

	switch (how) {
	case CLOSED:
		peer_close(client);
		break;
	case SHUT:
		stream_shut(&client->stream);
		break;
	case LATE:
		session_wake_at(s, loop_now(rig->loop));
		break;
	case FINISHED:
		session_finish(s);
		break;
	default:
		session_stop(s);
		break;
	}
}

static void
it_can_end_before_the_header_has(void **state)
{
	static const char *const parts[] = { "", "P", "PROXY TCP4 198.51", "\r\n\r\n" };
	struct rig rig;
	struct peer client;

	(void)state;
	for (int part = 0; part < 4; part++) {
		for (enum how how = 0; how < WAYS; how++) {
			open_with_tls(&rig, &client, part % 2 != 0);
			peer_say(&client, parts[part]);
			turn_a_little(rig.loop);
			end(&rig, &client, how);
			if (how != CLOSED)
				peer_expect_end(&client);
			turn_a_little(rig.loop);
			assert_true(list_is_empty(&rig.worker->sessions));
			peer_close(&client);
			rig_close(&rig);
		}
	}
}

/* Where no login has a deadline none is left of the header's; where one has, it counts from the beginning. */
static void
its_deadline_is_over_with_it(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	for (int has_timeout = 0; has_timeout < 2; has_timeout++) {
		rig_open(&rig, 1, "imap", "", has_timeout ? ACCEPT "\nlogin_timeout 30s" :
		    ACCEPT "\nlogin_timeout none");
		s = rig_client(&rig, &client);
		assert_true(loop_timer_is_set(&s->timer));
		peer_say(&client, LINE);
		peer_expect(&client, client_greeting);
		assert_int_equal(loop_timer_is_set(&s->timer), has_timeout);
		peer_close(&client);
		rig_close(&rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_client_is_whom_the_header_tells),
		cmocka_unit_test(what_follows_in_the_same_segment_is_the_clients),
		cmocka_unit_test(a_client_may_leave_at_once),
		cmocka_unit_test(without_a_login_it_goes_to_the_server),
		cmocka_unit_test(the_peers_own_connection_has_its_address),
		cmocka_unit_test(others_are_served_as_ever),
		cmocka_unit_test(tls_may_begin_in_the_same_segment),
		cmocka_unit_test(tls_with_the_peer_is_tls),
		cmocka_unit_test(bad_headers_end_without_a_word),
		cmocka_unit_test(it_can_end_before_the_header_has),
		cmocka_unit_test(its_deadline_is_over_with_it),
	};

	return cmocka_run_group_tests(tests, tls_clients_set_up, tls_clients_tear_down);
}
