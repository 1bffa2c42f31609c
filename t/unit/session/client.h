/* SPDX-License-Identifier: BSD-2-Clause */
/* client.h: clients that come to a rig, what is said at their login, and a log that nobody reads. */
#ifndef UNIT_SESSION_CLIENT_H
#define UNIT_SESSION_CLIENT_H

#include "rig.h"

#include "base/log_sink.h"

static const char client_greeting[] =
    "* OK [CAPABILITY IMAP4rev1 SASL-IR ID IDLE AUTH=PLAIN AUTH=LOGIN] lb.example.com ready.\r\n";
static const char server_greeting[] = "* OK [CAPABILITY IMAP4rev1 IDLE SASL-IR AUTH=PLAIN] ready\r\n";
/* what a server hears of bob with "secret" */
static const char login_line[] = "L AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n";
/* and of bob with "wrong" */
#define WRONG_LOGIN_LINE "L AUTHENTICATE PLAIN AGJvYgB3cm9uZw==\r\n"

/* A client comes. */
static inline struct session *
rig_client(struct rig *rig, struct peer *client)
{
	struct addr addr;
	int fds[2];

	make_pair(fds);
	assert_true(addr_parse(slice_of("192.0.2.7"), 4711, &addr));
	peer_open(client, rig->loop, fds[0]);
	session_open(&rig->gate, fds[1], &addr);
	return list_entry(rig->worker->sessions.prev, struct session, node);
}

/* A login has come to the server, which has greeted, and heard this of it. */
static inline struct peer *
rig_hear_login(struct rig *rig, const char *line)
{
	struct peer *server = door_accept(&rig->doors[0]);

	peer_say(server, server_greeting);
	peer_expect(server, line);
	return server;
}

/* One for mail is dialled to the end. */
static inline struct peer *
rig_serve_mail(struct rig *rig, int server, const char *capabilities)
{
	struct peer *peer = door_accept(&rig->doors[server]);

	peer_say(peer, "220 d.example.com\r\n");
	peer_expect(peer, "EHLO lb.example.com\r\n");
	peer_say(peer, "250-d.example.com\r\n");
	peer_say(peer, capabilities);
	return peer;
}

/* The server takes bob in; the client has heard so. */
static inline struct peer *
rig_log_in(struct rig *rig, struct peer *client)
{
	struct peer *server;

	peer_say(client, "a LOGIN bob secret\r\n");
	server = rig_hear_login(rig, login_line);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	peer_expect(client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
	return server;
}

/* Every line is formatted, and nobody reads it. */
static inline int
quiet_log(void **state)
{
	const struct log_settings settings = { .target = LOG_TARGET_FILE, .path = "/dev/null",
		.level = LOG_DEBUG };
	struct error error;

	(void)state;
	for (int i = 0; i < LOG_STREAMS; i++)
		log_use((enum log_stream)i, &settings, log_sink_open(&settings, &error));
	log_start();
	return 0;
}

static inline int
end_log(void **state)
{
	(void)state;
	log_stop();
	return 0;
}

#endif
