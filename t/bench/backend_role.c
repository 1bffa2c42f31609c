/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backend_role.c: the mock's dialogues as tables of commands and replies.  A
 * login is good when it shows the password "secret".
 */
#include "backend_role.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"

enum { BULK_BYTES = 16 * 1024 * 1024, LITERAL_BYTES = 64 * 1024 };

#define IMAP_CAPABILITIES "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN"
#define SIEVE_CAPABILITIES "\"IMPLEMENTATION\" \"mock\"\r\n\"SIEVE\" \"fileinto\"\r\n\"SASL\" \"PLAIN\"\r\n" \
    "\"VERSION\" \"1.0\"\r\n"
#define SMTP_CAPABILITIES "250-mock\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-AUTH PLAIN\r\n" \
    "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n" \
    "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"

static SSL_CTX *starttls_ctx;

/* The reply to the fetch of a message, whole: "f" is the tag of the scenario's command. */
static char fetched[LITERAL_BYTES + 128];
static size_t fetched_len;

static const struct role roles[];
static struct {
	char host[INET_ADDRSTRLEN];
	unsigned port;
} ports[16];

static void
send_reply(struct session *session, const char *text)
{
	struct buf *out = &session->wire.out;
	const char *mark;

	for (; session->role->is_tagged && (mark = strchr(text, '$')) != NULL; text = mark + 1) {
		buf_append(out, text, (size_t)(mark - text));
		buf_append_text(out, session->tag);
	}
	buf_append_text(out, text);
}

static void
say_goodbye(struct session *session, struct slice arguments)
{
	(void)arguments;
	wire_close(&session->wire);
}

static void
begin_tls(struct session *session, struct slice arguments)
{
	(void)arguments;
	if (starttls_ctx != NULL)
		wire_start_tls(&session->wire, starttls_ctx);
	else
		wire_fail(&session->wire, "no certificate for STARTTLS");
}

static void
begin_mail(struct session *session, struct slice arguments)
{
	(void)arguments;
	session->state = SESSION_MAIL;
}

static void
begin_idle(struct session *session, struct slice arguments)
{
	(void)arguments;
	session->state = SESSION_IDLE;
}

static void
judge(struct session *session, bool is_good)
{
	send_reply(session, is_good ? session->role->accepted : session->role->refused);
}

static void
take_password(struct session *session, struct slice arguments)
{
	judge(session, memmem(arguments.data, arguments.len, "secret", 6) != NULL);
}

static void
take_proof(struct session *session, struct slice proof)
{
	struct buf plain = { 0 };
	bool is_base64;

	if (proof.len > 1 && proof.data[0] == '"' && proof.data[proof.len - 1] == '"')
		proof = slice_make(proof.data + 1, proof.len - 2);
	is_base64 = base64_decode(proof, &plain);
	session->state = SESSION_COMMANDS;
	judge(session, is_base64 && memmem(buf_slice(&plain).data, buf_len(&plain), "\0secret", 7) != NULL);
	buf_clear(&plain);
}

static void
begin_sasl(struct session *session, struct slice arguments)
{
	struct slice mechanism = slice_word(&arguments), proof = slice_word(&arguments);

	if (!slice_equals_nocase(mechanism, "PLAIN") && !slice_equals_nocase(mechanism, "\"PLAIN\"")) {
		judge(session, false);
	} else if (proof.len > 0) {
		take_proof(session, proof);
	} else {
		session->state = SESSION_PROOF;
		send_reply(session, session->role->challenge);
	}
}

static void
send_message(struct session *session, struct slice arguments)
{
	(void)arguments;
	session->wire.outflow = (struct outflow){ .data = fetched, .size = fetched_len, .end = fetched_len };
}

static void
send_bulk(struct session *session, struct slice arguments)
{
	(void)arguments;
	wire_send(&session->wire, "here {%d}\r\n", BULK_BYTES);
	session->wire.outflow = (struct outflow){
		.data = pattern, .size = PATTERN_SIZE, .end = BULK_BYTES, .tail = ")\r\ndone\r\n"
	};
}

/*
 * A question for a login is answered with the port that serves its protocol.  nginx asks by HTTP/1.0, once a
 * connection.
 */
static void
take_http_line(struct session *session, struct slice line)
{
	struct slice rest = line, name = slice_take(&rest, ':');

	if (line.len > 0) {
		if (slice_equals_nocase(name, "Auth-Protocol"))
			session->asked = role_find(slice_trim(rest));
		else if (slice_has_prefix(line, "GET "))
			session->keeps = memmem(line.data, line.len, "HTTP/1.1", strlen("HTTP/1.1")) != NULL;
		return;
	}
	if (session->asked != NULL) {
		size_t i = (size_t)(session->asked - roles);

		wire_send(&session->wire, "HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nContent-Length: 0\r\n");
		wire_send(&session->wire, "Auth-Server: %s\r\n", ports[i].host);
		wire_send(&session->wire, "Auth-Port: %u\r\n\r\n", ports[i].port);
	}
	if (session->asked == NULL || !session->keeps)
		wire_close(&session->wire);
}

static const struct answer imap_answers[] = {
	{ "CAPABILITY",   "* CAPABILITY " IMAP_CAPABILITIES "\r\n$ OK done\r\n", NULL },
	{ "STARTTLS",     "$ OK go on\r\n",                                      begin_tls },
	{ "LOGIN",        NULL,                                                  take_password },
	{ "AUTHENTICATE", NULL,                                                  begin_sasl },
	{ "ID",           "* ID NIL\r\n$ OK done\r\n",                           NULL },
	{ "NOOP",         "$ OK done\r\n",                                       NULL },
	{ "FETCH",        NULL,                                                  send_message },
	{ "IDLE",         "+ waiting\r\n",                                       begin_idle },
	{ "LOGOUT",       "* BYE until later\r\n$ OK done\r\n",                  say_goodbye },
	{ 0 }
};

static const struct answer pop3_answers[] = {
	{ "CAPA",         "+OK\r\nUSER\r\nUIDL\r\nTOP\r\nSASL PLAIN\r\n.\r\n",   NULL },
	{ "STLS",         "+OK go on\r\n",                                       begin_tls },
	{ "USER",         "+OK go on\r\n",                                       NULL },
	{ "PASS",         NULL,                                                  take_password },
	{ "AUTH",         NULL,                                                  begin_sasl },
	{ "STAT",         "+OK 1 4096\r\n",                                      NULL },
	{ "NOOP",         "+OK done\r\n",                                        NULL },
	{ "QUIT",         "+OK until later\r\n",                                 say_goodbye },
	{ 0 }
};

static const struct answer sieve_answers[] = {
	{ "CAPABILITY",   SIEVE_CAPABILITIES "OK\r\n",                           NULL },
	{ "STARTTLS",     "OK\r\n",                                              begin_tls },
	{ "AUTHENTICATE", NULL,                                                  begin_sasl },
	{ "HAVESPACE",    "OK\r\n",                                              NULL },
	{ "NOOP",         "OK\r\n",                                              NULL },
	{ "LOGOUT",       "OK\r\n",                                              say_goodbye },
	{ 0 }
};

static const struct answer smtp_answers[] = {
	{ "EHLO",         SMTP_CAPABILITIES,                                     NULL },
	{ "HELO",         "250 mock\r\n",                                        NULL },
	{ "STARTTLS",     "220 2.0.0 go on\r\n",                                 begin_tls },
	{ "XCLIENT",      "220 mock ESMTP\r\n",                                  NULL },
	{ "AUTH",         NULL,                                                  begin_sasl },
	{ "MAIL",         "250 2.1.0 fine\r\n",                                  NULL },
	{ "RCPT",         "250 2.1.5 fine\r\n",                                  NULL },
	{ "DATA",         "354 go on\r\n",                                       begin_mail },
	{ "RSET",         "250 2.0.0 fine\r\n",                                  NULL },
	{ "NOOP",         "250 2.0.0 fine\r\n",                                  NULL },
	{ "QUIT",         "221 2.0.0 until later\r\n",                           say_goodbye },
	{ 0 }
};

static const struct answer tcp_answers[] = {
	{ "ping",         "pong\r\n",                                            NULL },
	{ "give",         NULL,                                                  send_bulk },
	{ 0 }
};

static const struct role roles[] = {
	{ .name = "imap", .greeting = "* OK [CAPABILITY " IMAP_CAPABILITIES "] mock ready\r\n",
	    .answers = imap_answers, .accepted = "$ OK [CAPABILITY " IMAP_CAPABILITIES "] logged in\r\n",
	    .refused = "$ NO wrong\r\n", .challenge = "+ \r\n", .is_tagged = true },
	{ .name = "pop3", .greeting = "+OK mock ready\r\n", .answers = pop3_answers,
	    .accepted = "+OK logged in\r\n", .refused = "-ERR wrong\r\n", .challenge = "+ \r\n" },
	{ .name = "sieve", .greeting = SIEVE_CAPABILITIES "OK\r\n", .answers = sieve_answers,
	    .accepted = "OK\r\n", .refused = "NO\r\n", .challenge = "\"\"\r\n", .greets_again = true },
	{ .name = "smtp", .greeting = "220 mock ESMTP\r\n", .answers = smtp_answers,
	    .accepted = "235 2.7.0 logged in\r\n", .refused = "535 5.7.8 wrong\r\n",
	    .challenge = "334 \r\n" },
	{ .name = "tcp", .answers = tcp_answers },
	{ .name = "http", .line = take_http_line },
};

enum { ROLES = sizeof(roles) / sizeof(roles[0]) };
static_assert(ROLES <= sizeof(ports) / sizeof(ports[0]), "a port for each role");

void
role_init(SSL_CTX *ctx)
{
	char *at = fetched;

	starttls_ctx = ctx;
	at += sprintf(at, "* 1 FETCH (BODY[] {%d}\r\n", LITERAL_BYTES);
	memcpy(at, pattern, LITERAL_BYTES);
	at += LITERAL_BYTES;
	at += sprintf(at, ")\r\nf OK done\r\n");
	fetched_len = (size_t)(at - fetched);
}

const struct role *
role_find(struct slice name)
{
	for (size_t i = 0; i < ROLES; i++) {
		if (slice_equals(name, roles[i].name))
			return &roles[i];
	}
	return NULL;
}

void
role_note_port(const struct role *role, const struct sockaddr_in *host, unsigned port)
{
	inet_ntop(AF_INET, &host->sin_addr, ports[role - roles].host, sizeof(ports[0].host));
	ports[role - roles].port = port;
}

void
role_greet(struct session *session)
{
	if (session->role->greeting != NULL)
		send_reply(session, session->role->greeting);
}

static void
run_command(struct session *session, struct slice line)
{
	struct slice word;

	if (session->role->is_tagged) {
		struct slice tag = slice_word(&line);

		snprintf(session->tag, sizeof(session->tag), "%.*s", SLICE_ARGS(tag));
	}
	word = slice_word(&line);
	for (const struct answer *a = session->role->answers; a->command != NULL; a++) {
		if (!slice_equals_nocase(word, a->command))
			continue;
		if (a->reply != NULL)
			send_reply(session, a->reply);
		if (a->then != NULL)
			a->then(session, line);
		return;
	}
	fprintf(stderr, "%s: unknown command %.*s\n", session->role->name, SLICE_ARGS(word));
	wire_fail(&session->wire, "unknown command");
}

/* A line that ends in a literal's length is followed by the rest of the command, which has no line ends. */
static void
take_command_line(struct session *session, struct slice line)
{
	bool has_literal = line.len > 1 && line.data[line.len - 1] == '}';

	if (!has_literal && buf_len(&session->command) == 0) {
		run_command(session, line);
		return;
	}
	buf_append_slice(&session->command, line);
	if (!has_literal) {
		run_command(session, buf_slice(&session->command));
		buf_clear(&session->command);
	} else if (line.data[line.len - 2] != '+') {
		wire_send(&session->wire, "+ go on\r\n");
	}
}

void
role_line(struct session *session, struct slice line)
{
	if (session->role->line != NULL) {
		session->role->line(session, line);
		return;
	}
	switch (session->state) {
	case SESSION_COMMANDS:
		take_command_line(session, line);
		return;
	case SESSION_PROOF:
		take_proof(session, line);
		return;
	case SESSION_MAIL:
		if (!slice_equals(line, "."))
			return;
		session->state = SESSION_COMMANDS;
		send_reply(session, "250 2.0.0 queued\r\n");
		return;
	case SESSION_IDLE:
		session->state = SESSION_COMMANDS;
		send_reply(session, slice_equals_nocase(line, "DONE") ? "$ OK done\r\n" : "$ BAD no\r\n");
		return;
	}
}
