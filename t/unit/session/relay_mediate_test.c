/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mediate_test.c: mail sessions between sockets: servers that are lost,
 * replaced or not to be had, clients that pipeline, do not read or leave,
 * drains, reloads and timeouts.
 */
#include "client.h"

#include "balance/endpoint_room.h"
#include "proto/mediator.h"
#include "proto/proto.h"
#include "session/relay.h"

#define LOST "451 4.3.0 Mail server was lost, try again later\r\n"
#define NO_SERVER "451 4.3.2 No mail server is available, try again later\r\n"
#define SHUTDOWN "421 4.3.2 Please connect again.\r\n"

static const char plain_login[] = "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n";	/* bob, secret */
/* A mail up to the reply to DATA, in one group. */
static const char group[] = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n";
static const char accepted[] = "250 m\r\n250 r\r\n354 d\r\n";

static void
greet(struct peer *client)
{
	peer_expect(client, "220 lb.example.com ESMTP ready\r\n");
	peer_say(client, "HELO c.example.org\r\n");
	peer_expect(client, "250 lb.example.com\r\n");
}

/* A client that has said HELO, and servers of which the first is preferred. */
static struct session *
mx_open(struct rig *rig, int servers, struct peer *client, const char *listener)
{
	struct session *s;

	rig_open(rig, servers, "smtp", "forward none; balance leastconn", listener);
	rig_list_gate(rig);
	s = rig_client(rig, client);
	greet(client);
	return s;
}

/* Who comes to the server is dialled to the end. */
static struct peer *
serve(struct rig *rig, int server)
{
	return rig_serve_mail(rig, server, "250-PIPELINING\r\n250 CHUNKING\r\n");
}

static struct peer *
begin_data(struct rig *rig, int server, struct peer *client)
{
	struct peer *peer;

	peer_say(client, group);
	peer = serve(rig, server);
	peer_expect(peer, group);
	peer_say(peer, accepted);
	peer_expect(client, accepted);
	return peer;
}

static void
end_data(struct peer *client, struct peer *server)
{
	peer_say(client, "hi\r\n.\r\n");
	peer_expect(server, "hi\r\n.\r\n");
	peer_say(server, "250 queued\r\n");
	peer_expect(client, "250 queued\r\n");
}

static void
quit(struct peer *client, struct peer *server)
{
	peer_say(client, "QUIT\r\n");
	if (server != NULL) {
		peer_expect(server, "QUIT\r\n");
		peer_expect_end(server);
	}
	peer_expect(client, "221 2.0.0 Goodbye\r\n");
	peer_expect_end(client);
	peer_close(client);
}

static void
a_server_lost_between_mails_is_replaced(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, 2, &client, "");
	server = begin_data(&rig, 0, &client);
	end_data(&client, server);
	door_refuse(&rig.doors[0]);
	peer_close(server);
	turn_a_little(rig.loop);
	server = begin_data(&rig, 1, &client);
	end_data(&client, server);
	quit(&client, server);
	rig_close(&rig);
}

static void
a_server_lost_within_a_mail_fails_that_mail(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, 1, &client, "");
	server = begin_data(&rig, 0, &client);
	peer_say(&client, "hi\r\n");
	peer_expect(server, "hi\r\n");
	peer_close(server);
	turn_a_little(rig.loop);
	peer_say(&client, "more\r\n.\r\n");
	peer_expect(&client, LOST);
	server = begin_data(&rig, 0, &client);
	peer_say(&client, ".\r\nRSET\r\n");
	peer_expect(server, ".\r\n");
	stream_reset(&server->stream);
	peer_expect(&client, LOST "250 2.0.0 Ok\r\n");
	server = begin_data(&rig, 0, &client);
	end_data(&client, server);
	quit(&client, server);
	rig_close(&rig);
}

static void
no_server_fails_one_mail(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	s = mx_open(&rig, 1, &client, "");
	door_refuse(&rig.doors[0]);
	for (int i = 0; i < 2; i++) {
		peer_say(&client, "MAIL FROM:<a@x>\r\nNOOP\r\n");
		peer_expect(&client, NO_SERVER "250 2.0.0 Ok\r\n");
	}
	assert_int_equal(s->phase, FRONT_RELAY);
	quit(&client, NULL);
	rig_close(&rig);
}

/* The client is another by then, and its mail is one that loops. */
static void
a_trusted_peers_word_counts_for_its_mails(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	s = mx_open(&rig, 1, &client, "trusted 192.0.2.0/24");
	peer_say(&client, "XCLIENT ADDR=198.51.100.9 PORT=5 TTL=2\r\nHELO c.example.org\r\n");
	peer_expect(&client, "220 lb.example.com ESMTP ready\r\n250 lb.example.com\r\n");
	assert_int_equal(addr_port(&s->identity.client), 5);
	peer_say(&client, "XCLIENT ADDR=198.51.100.10 TTL=1\r\nHELO d.example.org\r\n");
	peer_expect(&client, "220 lb.example.com ESMTP ready\r\n250 lb.example.com\r\n");
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, NO_SERVER);
	assert_int_equal(rig.doors[0].count, 0);
	peer_say(&client, "XCLIENT ADDR=198.51.100.11\r\n");
	peer_expect(&client, "550 5.7.0 Command is not for you\r\n");
	quit(&client, NULL);
	rig_close(&rig);
}

/* What the client says while a server is dialled comes behind what it said before. */
static void
words_of_the_meantime_keep_their_order(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, 1, &client, "");
	peer_say(&client, "MAIL FROM:<a@x>\r\nRCPT T");
	server = door_accept(&rig.doors[0]);
	peer_say_slowly(&client, "O:<b@x>\r\nVRFY b\r\n");
	peer_say(server, "220 d.example.com\r\n");
	peer_expect(server, "EHLO lb.example.com\r\n");
	peer_say_slowly(&client, "DA");
	peer_say(server, "250 d.example.com\r\n");
	peer_expect(server, "MAIL FROM:<a@x>\r\n");
	peer_say(&client, "TA\r\n");
	peer_say(server, "250 m\r\n");
	peer_expect(server, "RCPT TO:<b@x>\r\n");
	peer_say_slowly(server, "250 r\r\n");
	peer_expect(server, "DATA\r\n");
	peer_say(server, "354 d\r\n");
	peer_expect(&client, "250 m\r\n250 r\r\n502 5.5.1 Command is not available\r\n354 d\r\n");
	end_data(&client, server);
	quit(&client, server);
	rig_close(&rig);
}

/* The half-close comes with all that is to be done. */
static void
a_half_closed_client_is_served_to_the_end(void **state)
{
	static const char *const ends[] = { "QUIT\r\n", "", "MAIL FR" };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct rig rig;
		struct peer client, *server;

		mx_open(&rig, 1, &client, "");
		peer_say(&client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 2 LAST\r\nhi");
		peer_say(&client, ends[i]);
		stream_shut(&client.stream);
		server = serve(&rig, 0);
		peer_expect(server, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 2 LAST\r\nhi");
		peer_say(server, "250 m\r\n250 r\r\n");
		peer_expect(&client, "250 m\r\n250 r\r\n");
		peer_say(server, "250 queued\r\n");
		peer_expect(&client, "250 queued\r\n");
		peer_expect(&client, i == 0 ? "221 2.0.0 Goodbye\r\n" : "");
		peer_expect_end(&client);
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
a_client_gone_within_data_ends_no_mail(void **state)
{
	static const char *const begun[] = { "DATA\r\n", "BDAT 9 LAST\r\n" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		struct peer client, *server;

		mx_open(&rig, 1, &client, "");
		peer_say(&client, "MAIL FROM:<a@x>\r\n");
		server = serve(&rig, 0);
		peer_say(&client, begun[i]);
		peer_expect(server, "MAIL FROM:<a@x>\r\n");
		peer_expect(server, begun[i]);
		peer_say(server, i == 0 ? "250 m\r\n354 d\r\n" : "250 m\r\n");
		peer_expect(&client, i == 0 ? "250 m\r\n354 d\r\n" : "250 m\r\n");
		peer_say(&client, "hi\r\n");
		peer_expect(server, "hi\r\n");
		stream_shut(&client.stream);
		peer_expect_end(server);
		peer_expect_end(&client);
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
a_drain_speaks_between_mails(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	/* nothing is under way */
	s = mx_open(&rig, 1, &client, "");
	server = begin_data(&rig, 0, &client);
	end_data(&client, server);
	session_finish(s);
	peer_expect(&client, SHUTDOWN);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
	/* a mail is, and the next one is there already */
	s = mx_open(&rig, 1, &client, "");
	server = begin_data(&rig, 0, &client);
	session_finish(s);
	peer_say(&client, "hi\r\n.\r\nMAIL FROM:<c@x>\r\n");
	peer_expect(server, "hi\r\n.\r\n");
	peer_say(server, "250 queued\r\n");
	peer_expect(&client, "250 queued\r\n" SHUTDOWN);
	peer_expect_end(&client);
	peer_expect_end(server);
	peer_close(&client);
	rig_close(&rig);
	/* only the beginning of a command is there */
	s = mx_open(&rig, 1, &client, "");
	server = begin_data(&rig, 0, &client);
	end_data(&client, server);
	peer_say(&client, "NO");
	turn_a_little(rig.loop);
	session_finish(s);
	peer_say(&client, "OP\r\n");
	peer_expect(&client, SHUTDOWN);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* Replies that nobody reads stop the reading of commands. */
static void
a_client_that_does_not_read_is_not_read(void **state)
{
	enum { COMMANDS = 20000 };
	struct rig rig;
	struct peer client;
	struct session *s;
	struct buf commands = { 0 };
	static const char help[] = "214 2.0.0 See RFC 5321\r\n";
	static const char command[] = "HELP and so on, 64 octets of it, so that replies are not longer\r\n";

	(void)state;
	s = mx_open(&rig, 1, &client, "");
	door_refuse(&rig.doors[0]);
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, NO_SERVER);
	stream_pause(&client.stream);
	for (int i = 0; i < COMMANDS; i++)
		buf_append_text(&commands, command);
	buf_append(&commands, "", 1);
	for (int i = 0; i < 8; i++) {
		peer_say(&client, buf_data(&commands));
		for (int k = 0; k < 20; k++)
			turn_a_little(rig.loop);
		assert_true(stream_kept(&s->front) < 1024 * 1024);
		assert_true(stream_unread(&s->front) <= 512 * 1024);
	}
	stream_resume(&client.stream);
	for (int i = 0; i < COMMANDS * 8; i++)
		peer_expect(&client, help);
	stream_shut(&client.stream);
	peer_expect_end(&client);
	peer_close(&client);
	buf_clear(&commands);
	rig_close(&rig);
}

static void
idle_clients_and_silent_servers_have_their_time(void **state)
{
	static const char reply[] = "250-hello\r\n";
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, 1, &client, "idle_timeout 400ms; reply_timeout 200ms");
	peer_say(&client, "MAIL FROM:<a@x>\r\nNOOP\r\n");
	server = serve(&rig, 0);
	peer_expect(server, "MAIL FROM:<a@x>\r\nNOOP\r\n");
	peer_expect(&client, LOST "250 2.0.0 Ok\r\n");
	peer_expect_end(server);
	/* another one, of whose reply each octet comes late */
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	server = serve(&rig, 0);
	peer_expect(server, "MAIL FROM:<a@x>\r\n");
	for (int i = 0; i < 1000 && buf_len(&client.heard) == 0; i++) {
		stream_write(&server->stream, slice_make(&reply[i % 11], 1));
		wait_ms(rig.loop, 5);
	}
	peer_expect(&client, LOST);
	peer_say(&client, "RSET\r\n");
	peer_expect(&client, "250 2.0.0 Ok\r\n421 4.4.2 lb.example.com Error: timeout exceeded\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* A server that takes no data is at fault, and not the client. */
static void
a_server_that_takes_nothing_is_lost(void **state)
{
	static char body[4 * 1024 * 1024];
	struct rig rig;
	struct peer client, *server;

	(void)state;
	memset(body, 'x', sizeof(body) - 1);
	mx_open(&rig, 1, &client, "idle_timeout 20s; reply_timeout 200ms");
	server = begin_data(&rig, 0, &client);
	stream_pause(&server->stream);
	for (int i = 0; i < 4; i++)
		peer_say(&client, body);
	peer_say(&client, "\r\n.\r\n");
	peer_expect(&client, LOST);
	quit(&client, NULL);
	rig_close(&rig);
}

/* Not usable at the moment, or not at all. */
static void
a_server_that_refuses_is_passed_over(void **state)
{
	static const char *const greetings[] = { "421 busy\r\n", "554 no\r\n", "hello\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		struct rig rig;
		struct peer client, *server;

		mx_open(&rig, 2, &client, "");
		peer_say(&client, group);
		server = door_accept(&rig.doors[0]);
		peer_say(server, greetings[i]);
		server = serve(&rig, 1);
		peer_expect(server, group);
		peer_say(server, accepted);
		peer_expect(&client, accepted);
		end_data(&client, server);
		quit(&client, server);
		rig_close(&rig);
	}
}

/* The server that it has is left for the one that the new configuration has. */
static void
a_reload_counts_from_the_next_mail(void **state)
{
	struct rig rig;
	struct peer client, *server, *old;
	struct listener_settings other;

	(void)state;
	mx_open(&rig, 2, &client, "");
	old = begin_data(&rig, 0, &client);
	machine_set_weight(endpoint_at(&rig, 0)->machine, 0);
	other = *rig.settings;
	rig.gate.settings = &other;
	end_data(&client, old);
	peer_say(&client, group);
	server = serve(&rig, 1);
	peer_expect_end(old);
	peer_expect(server, group);
	peer_say(server, accepted);
	peer_expect(&client, accepted);
	end_data(&client, server);
	/* a listener that is no more */
	list_remove(&rig.gate.node);
	peer_close(server);
	turn_a_little(rig.loop);
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, SHUTDOWN);
	peer_expect_end(&client);
	peer_close(&client);
	rig.gate.settings = rig.settings;
	rig_close(&rig);
}

/* What serves its backlog only is of a configuration that may be gone in the next turn. */
static void
a_dropped_bind_finds_no_other_server(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	mx_open(&rig, 1, &client, "");
	rig.gate.held = rig.worker->snapshot;
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, SHUTDOWN);
	peer_expect_end(&client);
	peer_close(&client);
	rig.gate.held = NULL;
	rig_close(&rig);
}

/* The MAIL was answered here, and no server has it: the recipient is put off, the mail not cut. */
static void
a_mail_without_a_listener_is_put_off(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	mx_open(&rig, 1, &client, "route one { recipient_domain example.de; pool smtp }");
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, "250 2.1.0 Ok\r\n");
	list_remove(&rig.gate.node);
	peer_say(&client, "RCPT TO:<b@example.de>\r\nRSET\r\n");
	peer_expect(&client, "451 4.3.2 No mail server is available, try again later\r\n250 2.0.0 Ok\r\n");
	quit(&client, NULL);
	rig_close(&rig);
}

static void
a_late_reply_leaves_the_client_its_time(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, 1, &client, "idle_timeout 300ms; reply_timeout 400ms");
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	server = serve(&rig, 0);
	peer_expect(server, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, LOST);
	peer_say(&client, "RSET\r\n");
	peer_expect(&client, "250 2.0.0 Ok\r\n");
	quit(&client, NULL);
	rig_close(&rig);
}

static void
who_idles_within_a_mail_is_told(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, 1, &client, "idle_timeout 300ms");
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	server = serve(&rig, 0);
	peer_expect(server, "MAIL FROM:<a@x>\r\n");
	peer_say(server, "250 m\r\n");
	peer_expect(&client, "250 m\r\n421 4.4.2 lb.example.com Error: timeout exceeded\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* That time is not the client's: a reload that tells it to go does not start its clock. */
static void
a_reload_while_a_server_is_dialled_costs_no_time(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	s = mx_open(&rig, 1, &client, "idle_timeout 300ms; reply_timeout 300ms");
	peer_say(&client, group);
	await(rig.loop, &rig.doors[0].count, 1);
	relay_leave_at(s, loop_now(rig.loop) + 100);
	assert_false(loop_timer_is_set(&s->timer));
	wait_ms(rig.loop, 500);
	server = serve(&rig, 0);
	peer_expect(server, group);
	peer_say(server, accepted);
	peer_expect(&client, accepted);
	end_data(&client, server);
	assert_true(loop_timer_is_set(&s->timer));
	quit(&client, server);
	rig_close(&rig);
}

/* A client whose first server puts it off, and the next is full. */
static struct peer *
open_queue_behind_server(struct rig *rig, struct peer *client)
{
	mx_open(rig, 2, client, "");
	rig->pool->options.queue_timeout.ms = TAPE_PATIENCE_MS * 2;
	atomic_store(&endpoint_at(rig, 1)->max_connections, 1);
	assert_true(endpoint_take(endpoint_at(rig, 1)));
	peer_say(client, "MAIL FROM:<a@x>\r\n");
	return door_accept(&rig->doors[0]);
}

static void
who_has_closed_gets_no_place_in_the_queue(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	for (int closes_first = 0; closes_first < 2; closes_first++) {
		server = open_queue_behind_server(&rig, &client);
		if (closes_first) {
			stream_shut(&client.stream);
			turn_a_little(rig.loop);
			assert_int_equal(client.is_gone, 0);
		}
		peer_say(server, "421 busy\r\n");
		if (!closes_first) {
			while (waiter_count(&rig.pool->service->queue) == 0)
				turn_a_little(rig.loop);
			stream_shut(&client.stream);
		}
		peer_expect_end(&client);
		assert_int_equal(waiter_count(&rig.pool->service->queue), 0);
		endpoint_give_up(endpoint_at(&rig, 1));
		peer_close(&client);
		rig_close(&rig);
	}
}

static const struct mediator *quiet_mediator;
static char long_words[4 * 1024 * 1024];

/* Much is said together with the wish for a server. */
static void
talk_and_wish(void *mediator_state, struct slice in, struct mediation *m)
{
	quiet_mediator->client(mediator_state, in, m);
	if (m->wish == WISH_SERVER)
		buf_append(&m->to_client, long_words, sizeof(long_words));
}

/* Once it has read what it was told. */
static void
a_client_that_was_deaf_is_heard_to_leave_the_queue(void **state)
{
	struct rig rig;
	struct peer client;
	struct proto proto;
	struct mediator mediator;
	struct session *s;

	(void)state;
	s = mx_open(&rig, 1, &client, "");
	rig.pool->options.queue_timeout.ms = TAPE_PATIENCE_MS * 2;
	quiet_mediator = s->proto->mediator;
	mediator = *quiet_mediator;
	mediator.client = talk_and_wish;
	proto = *s->proto;
	proto.mediator = &mediator;
	s->proto = rig.settings->proto = &proto;
	atomic_store(&endpoint_at(&rig, 0)->max_connections, 1);
	assert_true(endpoint_take(endpoint_at(&rig, 0)));
	memset(long_words, 'x', sizeof(long_words));
	stream_pause(&client.stream);
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	while (waiter_count(&rig.pool->service->queue) == 0)
		turn_a_little(rig.loop);
	assert_true(stream_kept(&s->front) > 0);
	stream_resume(&client.stream);
	while (buf_len(&client.heard) < sizeof(long_words))
		loop_run(rig.loop);
	buf_clear(&client.heard);
	stream_shut(&client.stream);
	peer_expect_end(&client);
	endpoint_give_up(endpoint_at(&rig, 0));
	peer_close(&client);
	rig_close(&rig);
}

/* Who comes to the server is dialled up to the reply to AUTH; of bob it must be told this, or anything. */
static struct peer *
greet_submission(struct rig *rig, const char *login)
{
	struct peer *server = door_accept(&rig->doors[0]);

	peer_say(server, "220 d.example.com\r\n");
	peer_expect(server, "EHLO lb.example.com\r\n");
	peer_say(server, "250-d.example.com\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n");
	peer_expect(server, login != NULL ? login : "AUTH PLAIN ");
	while (buf_len(&server->heard) == 0 && login == NULL)
		loop_run(rig->loop);
	if (login == NULL)
		buf_clear(&server->heard);
	return server;
}

/* Bob has come, and has a server. */
static struct peer *
log_in(struct rig *rig, struct peer *client, const char *login)
{
	struct peer *server;

	rig_client(rig, client);
	peer_expect(client, "220 lb.example.com ESMTP ready\r\n");
	peer_say(client, "EHLO c.example.org\r\n");
	peer_expect(client, "250-lb.example.com\r\n");
	turn_a_little(rig->loop);
	buf_clear(&client->heard);
	peer_say(client, plain_login);
	server = greet_submission(rig, login);
	peer_say(server, "235 ok\r\n");
	peer_expect(client, "235 2.7.0 Authentication succeeded.\r\n");
	return server;
}

/* The server judges his password. */
static struct peer *
submission_open(struct rig *rig, struct peer *client)
{
	rig_open(rig, 1, "submission", "forward none", "");
	rig_list_gate(rig);
	return log_in(rig, client, plain_login);
}

static void
a_user_is_told_of_a_lost_server(void **state)
{
	static const char bye[] = "421 4.3.2 No server is available now.\r\n";
	struct rig rig;
	struct peer client, *server;

	(void)state;
	/* between two mails */
	server = submission_open(&rig, &client);
	peer_say(&client, group);
	peer_expect(server, group);
	peer_say(server, accepted);
	peer_expect(&client, accepted);
	end_data(&client, server);
	peer_close(server);
	peer_expect(&client, bye);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
	/* within one, which fails first */
	server = submission_open(&rig, &client);
	peer_say(&client, group);
	peer_expect(server, group);
	peer_close(server);
	peer_expect(&client, LOST LOST LOST);
	peer_say(&client, "MAIL FROM:<a@x>\r\n");
	peer_expect(&client, bye);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
	/* by what it says */
	server = submission_open(&rig, &client);
	peer_say(server, "250 hello\r\n");
	peer_expect(&client, bye);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
	/* and in a mail that was begun anew without a word between */
	server = submission_open(&rig, &client);
	peer_say(&client, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
	peer_expect(server, "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
	peer_say(server, "250 m\r\n250 r\r\n");
	peer_expect(&client, "250 m\r\n250 r\r\n");
	peer_close(server);
	turn_a_little(rig.loop);
	peer_say(&client, "MAIL FROM:<c@x>\r\n");
	peer_expect(&client, bye);
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

/* The next server does not take our credentials: the client, who has none to give, may try later. */
static void
a_refused_relogin_fails_one_mail(void **state)
{
	char users[] = "/tmp/gatepost-users.XXXXXX", secret[] = "/tmp/gatepost-secret.XXXXXX";
	char top[256], pool[256];
	int users_fd = mkstemp(users), secret_fd = mkstemp(secret);
	struct rig rig;
	struct peer client, *server;

	(void)state;
	assert_int_equal(write(users_fd, "bob:{PLAIN}secret\n", 18), 18);
	assert_int_equal(write(secret_fd, "pw\n", 3), 3);
	snprintf(top, sizeof(top), "auth staff { source file; path %s }", users);
	snprintf(pool, sizeof(pool), "forward none; login master; master_user m; master_password_file %s",
	    secret);
	rig_open_doors(&rig, 1);
	rig_open_text(&rig, &(struct rig_text){ .protocol = "submission", .top = top, .pool = pool,
	    .listener = "auth staff" });
	rig_list_gate(&rig);
	server = log_in(&rig, &client, NULL);
	peer_close(server);
	for (int i = 0; i < 2; i++) {
		turn_a_little(rig.loop);
		peer_say(&client, "MAIL FROM:<a@x>\r\n");
		server = greet_submission(&rig, NULL);
		peer_say(server, i == 0 ? "535 no\r\n" : "235 ok\r\n");
		if (i == 0)
			peer_expect(&client, NO_SERVER);
	}
	peer_expect(server, "MAIL FROM:<a@x>\r\n");
	peer_say(server, "250 m\r\n");
	peer_expect(&client, "250 m\r\n");
	quit(&client, server);
	rig_close(&rig);
	close(users_fd);
	close(secret_fd);
	unlink(users);
	unlink(secret);
}

/* The era is that of the server at hand, whichever came before. */
static void
who_has_another_server_leaves_that_one_only(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	s = mx_open(&rig, 2, &client, "");
	service_set_close_spread(rig.pool->service, 20);
	server = begin_data(&rig, 0, &client);
	end_data(&client, server);
	assert_false(relay_is_outdated(s));
	/* no quiet moment has come before the next mail, which is for another server */
	endpoint_set_health(endpoint_at(&rig, 0), HEALTH_DOWN, "");
	assert_true(relay_is_outdated(s));
	relay_leave_at(s, loop_now(rig.loop) + 60 * 1000);
	peer_say(&client, group);
	peer_close(server);
	server = serve(&rig, 1);
	peer_expect(server, group);
	peer_say(server, accepted);
	peer_expect(&client, accepted);
	end_data(&client, server);
	assert_false(relay_is_outdated(s));
	assert_int_equal(s->relay->leave_at, 0);
	endpoint_send_away(endpoint_at(&rig, 1));
	assert_true(relay_is_outdated(s));
	worker_send_away(rig.worker);
	peer_expect(&client, "421 ");
	peer_close(&client);
	peer_expect_end(server);
	peer_close(server);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_lost_between_mails_is_replaced),
		cmocka_unit_test(a_server_lost_within_a_mail_fails_that_mail),
		cmocka_unit_test(no_server_fails_one_mail),
		cmocka_unit_test(a_trusted_peers_word_counts_for_its_mails),
		cmocka_unit_test(words_of_the_meantime_keep_their_order),
		cmocka_unit_test(a_half_closed_client_is_served_to_the_end),
		cmocka_unit_test(a_client_gone_within_data_ends_no_mail),
		cmocka_unit_test(a_drain_speaks_between_mails),
		cmocka_unit_test(a_client_that_does_not_read_is_not_read),
		cmocka_unit_test(idle_clients_and_silent_servers_have_their_time),
		cmocka_unit_test(a_server_that_takes_nothing_is_lost),
		cmocka_unit_test(a_server_that_refuses_is_passed_over),
		cmocka_unit_test(a_reload_counts_from_the_next_mail),
		cmocka_unit_test(a_dropped_bind_finds_no_other_server),
		cmocka_unit_test(a_mail_without_a_listener_is_put_off),
		cmocka_unit_test(a_late_reply_leaves_the_client_its_time),
		cmocka_unit_test(who_idles_within_a_mail_is_told),
		cmocka_unit_test(a_reload_while_a_server_is_dialled_costs_no_time),
		cmocka_unit_test(who_has_closed_gets_no_place_in_the_queue),
		cmocka_unit_test(a_client_that_was_deaf_is_heard_to_leave_the_queue),
		cmocka_unit_test(a_user_is_told_of_a_lost_server),
		cmocka_unit_test(a_refused_relogin_fails_one_mail),
		cmocka_unit_test(who_has_another_server_leaves_that_one_only),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
