/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_game.h: a client and servers who keep to SMTP's rules and are dealt
 * what they do: every command has its reply, in order, and a message that the
 * client is told was taken was taken by a server, that one and once.
 */
#ifndef PROTO_SMTP_GAME_H
#define PROTO_SMTP_GAME_H

#include <stdio.h>

#include "proto/smtp_relay.h"

#include "smtp_talk.h"

enum { GAME_ASKED_MAX = 4096, GAME_MESSAGES_MAX = 4096 };

struct game;

/* A number below n. */
typedef unsigned game_deal(struct game *game, unsigned n);

/* What a reply must be to. */
struct asked {
	const char *codes;	/* the first digits that it may have, or whole codes with blanks between */
	uint32_t message;	/* its number, where it is its end; or 0 */
};

enum game_mode { GAME_COMMAND, GAME_DATA, GAME_CHUNK };

struct game {
	struct talk talk;
	game_deal *deal;
	void *owner;			/* of the dealer */
	struct asked asked[GAME_ASKED_MAX];
	unsigned asked_first, asked_count;
	struct buf client_out;		/* said, and not sent yet */
	bool awaits_data;		/* DATA was said: its reply decides what comes next */
	uint32_t messages, told;	/* begun; told to be taken */
	uint8_t taken[GAME_MESSAGES_MAX];	/* by servers, so often */
	/* the server */
	int backs;			/* talk.backs of then */
	enum game_mode mode;
	bool is_pipelining, is_in_mail, is_last;
	uint64_t chunk_left;
	const char *wrong;		/* what did not hold; NULL: all did */
};

static inline void
game_check(struct game *g, bool holds, const char *what)
{
	if (!holds && g->wrong == NULL)
		g->wrong = what;
}

static inline void
game_ask(struct game *g, const char *codes, uint32_t message)
{
	g->asked[(g->asked_first + g->asked_count++) % GAME_ASKED_MAX] = (struct asked){ codes, message };
}

static const struct game_command {
	const char *text, *codes;
} game_commands[] = {
	{ "MAIL FROM:<a@x>\r\n", "250 550 503 451" },
	{ "MAIL FROM:<b@x>\r\n", "250 550 503 451" },
	{ "RCPT TO:<c@x>\r\n", "250 550 503 451" },
	{ "RCPT TO:<d@x>\r\n", "250 550 503 451" },
	{ "NOOP\r\n", "250" },
	{ "RSET\r\n", "250" },
	{ "VRFY a\r\n", "502" },
	{ "HELP\r\n", "214" },
	{ "XCLIENT ADDR=1\r\n", "550" },
	{ "EHLO c.x\r\n", "250" },
};
enum { GAME_COMMANDS = sizeof(game_commands) / sizeof(game_commands[0]) };

static inline void
game_say_message(struct game *g)
{
	if (g->deal(g, 3) == 0)
		buf_append_text(&g->client_out, "..\r\n");
	buf_printf(&g->client_out, "id=%" PRIu32 "\r\n.\r\n", ++g->messages);
	game_ask(g, "2 4 5", g->messages);
}

static inline void
game_say_chunk(struct game *g)
{
	char id[32];
	int len;

	if (g->deal(g, 2) == 0) {
		buf_append_text(&g->client_out, g->deal(g, 2) == 0 ? "BDAT 0\r\n" : "BDAT 6\r\nQUIT\r\n");
		game_ask(g, "250 451 502 503 550", 0);
		return;
	}
	len = snprintf(id, sizeof(id), "id=%" PRIu32 "\r\n", ++g->messages);
	buf_printf(&g->client_out, "BDAT %d LAST\r\n%s", len, id);
	game_ask(g, "2 4 5", g->messages);
}

/* A few commands in a group; DATA is the last of one. */
static inline void
game_say_group(struct game *g)
{
	for (unsigned i = 0; i < 5 && !g->awaits_data && g->asked_count < GAME_ASKED_MAX - 8; i++) {
		unsigned which = g->deal(g, GAME_COMMANDS + 4);

		if (which < GAME_COMMANDS) {
			buf_append_text(&g->client_out, game_commands[which].text);
			game_ask(g, game_commands[which].codes, 0);
		} else if (which < GAME_COMMANDS + 2) {
			buf_append_text(&g->client_out, "DATA\r\n");
			game_ask(g, "354 451 503 554", 0);
			g->awaits_data = true;
		} else if (g->messages < GAME_MESSAGES_MAX - 2) {
			game_say_chunk(g);
		}
	}
}

static inline bool
game_fits(const char *codes, const char *reply)
{
	for (const char *code = codes; code != NULL; code = strchr(code, ' ')) {
		code += *code == ' ';
		if (strncmp(code, reply, strcspn(code, " ")) == 0)
			return true;
	}
	return false;
}

/* The last line of a reply. */
static inline void
game_hear(struct game *g, const char *line)
{
	struct asked asked = g->asked[g->asked_first % GAME_ASKED_MAX];

	game_check(g, g->asked_count > 0, "a reply is to something");
	if (g->asked_count == 0)
		return;
	g->asked_first++;
	g->asked_count--;
	game_check(g, game_fits(asked.codes, line), "a reply is to what was asked");
	if (asked.message != 0 && line[0] == '2') {
		g->told++;
		game_check(g, strtoul(line + 4, NULL, 10) == asked.message, "its own message was taken");
		game_check(g, g->taken[asked.message] == 1, "a message that is said to be taken is, once");
	}
	if (!g->awaits_data || g->asked_count > 0)
		return;
	g->awaits_data = false;
	if (strncmp(line, "354", 3) == 0)
		game_say_message(g);
}

static inline void
game_listen(struct game *g)
{
	struct buf *in = &g->talk.to_client;
	const char *newline;

	while (buf_len(in) > 0 && (newline = memchr(buf_data(in), '\n', buf_len(in))) != NULL) {
		size_t len = (size_t)(newline - buf_data(in)) + 1;
		char line[128] = "";

		memcpy(line, buf_data(in), len < sizeof(line) ? len : sizeof(line) - 1);
		buf_consume(in, len);
		if (line[3] != '-')
			game_hear(g, line);
	}
}

static inline void
game_send(struct game *g, unsigned most)
{
	struct slice out = buf_slice(&g->client_out);

	if (out.len > most)
		out.len = most;
	talk_client(&g->talk, out);
	buf_consume(&g->client_out, out.len);
}

/* A new server knows nothing of what went to the one before. */
static inline void
game_meet_server(struct game *g)
{
	if (g->backs == g->talk.backs)
		return;
	g->backs = g->talk.backs;
	buf_consume(&g->talk.to_server, g->talk.begun);
	g->mode = GAME_COMMAND;
	g->is_in_mail = false;
	g->is_pipelining = ((const struct smtp_state *)g->talk.state)->has_pipelining;
}

/* At times only a part of it comes, and then no more. */
static inline void
game_reply(struct game *g, const char *text)
{
	size_t len = strlen(text), part = g->deal(g, 4) == 0 ? g->deal(g, (unsigned)len) : len;

	talk_server(&g->talk, slice_make(text, part));
	if (part < len && g->deal(g, 4) == 0)
		talk_lose_server(&g->talk);
	else
		talk_server(&g->talk, slice_make(text + part, len - part));
}

/* What comes to a server as a message is one, and nothing but that. */
static inline void
game_take_message(struct game *g, const char *content)
{
	unsigned long id = strncmp(content, "id=", 3) == 0 ? strtoul(content + 3, NULL, 10) : 0;
	char reply[64];

	game_check(g, id > 0 && id <= g->messages && strcmp(strchr(content, '\r'), "\r\n") == 0,
	    "what comes as a message is a message");
	if (g->wrong != NULL)
		return;
	if (!g->is_in_mail || g->deal(g, 4) == 0) {
		bool is_later = g->deal(g, 2) == 0;

		snprintf(reply, sizeof(reply), "%s", is_later ? "451 no\r\n" : "550-no\r\n550 no\r\n");
	} else {
		g->taken[id]++;
		snprintf(reply, sizeof(reply), "250 %lu\r\n", id);
	}
	g->is_in_mail = false;
	game_reply(g, reply);
}

/* Takes so many octets; they end up in `text`, cut, and with a NUL. */
static inline void
game_take(struct game *g, size_t len, char text[128])
{
	size_t kept = len < 127 ? len : 127;

	memcpy(text, buf_data(&g->talk.to_server), kept);
	text[kept] = '\0';
	buf_consume(&g->talk.to_server, len);
}

static inline bool
game_serve_data(struct game *g)
{
	struct buf *in = &g->talk.to_server;
	const char *end = buf_len(in) > 0 ? memmem(buf_data(in), buf_len(in), "\r\n.\r\n", 5) : NULL;
	char text[128];

	if (end == NULL)
		return false;
	game_take(g, (size_t)(end - buf_data(in)) + 2, text);
	buf_consume(in, 3);
	g->mode = GAME_COMMAND;
	game_take_message(g, strncmp(text, "..\r\n", 4) == 0 ? text + 4 : text);
	return true;
}

static inline bool
game_serve_chunk(struct game *g)
{
	char text[128];

	if (buf_len(&g->talk.to_server) < g->chunk_left)
		return false;
	game_take(g, g->chunk_left, text);
	g->mode = GAME_COMMAND;
	if (g->is_last)
		game_take_message(g, text);
	else
		game_reply(g, g->is_in_mail ? "250 chunk\r\n" : "503 no mail\r\n");
	return true;
}

static inline void
game_run_command(struct game *g, const char *line)
{
	if (strncmp(line, "MAIL", 4) == 0) {
		game_check(g, !g->is_in_mail, "no MAIL within a mail reaches a server");
		g->is_in_mail = g->deal(g, 5) != 0;
		game_reply(g, g->is_in_mail ? "250-m\r\n250 m\r\n" : "550 m\r\n");
	} else if (strncmp(line, "RCPT", 4) == 0) {
		game_reply(g, g->is_in_mail && g->deal(g, 3) != 0 ? "250 r\r\n" : "550 r\r\n");
	} else if (strcmp(line, "DATA\r\n") == 0) {
		g->mode = g->is_in_mail && g->deal(g, 4) != 0 ? GAME_DATA : GAME_COMMAND;
		game_reply(g, g->mode == GAME_DATA ? "354 d\r\n" : "554 d\r\n");
	} else if (strncmp(line, "BDAT ", 5) == 0) {
		g->chunk_left = strtoul(line + 5, NULL, 10);
		g->is_last = strstr(line, "LAST") != NULL;
		g->mode = GAME_CHUNK;
	} else {
		game_check(g, strcmp(line, "NOOP\r\n") == 0 || strcmp(line, "RSET\r\n") == 0,
		    "what reaches a server is harmless");
		g->is_in_mail = g->is_in_mail && line[0] != 'R';
		game_reply(g, "250 ok\r\n");
	}
}

static inline bool
game_serve_command(struct game *g)
{
	struct buf *in = &g->talk.to_server;
	const char *newline = buf_len(in) > 0 ? memchr(buf_data(in), '\n', buf_len(in)) : NULL;
	char line[128];

	if (newline == NULL)
		return false;
	game_take(g, (size_t)(newline - buf_data(in)) + 1, line);
	game_check(g, g->is_pipelining || line[0] == 'B' || buf_len(in) == 0,
	    "who takes no groups gets none");
	game_run_command(g, line);
	return true;
}

/* The server does the next of what it was told to do; false: there is nothing that it could. */
static inline bool
game_serve(struct game *g)
{
	game_meet_server(g);
	if (!g->talk.has_back || g->wrong != NULL)
		return false;
	if (g->mode == GAME_DATA)
		return game_serve_data(g);
	return g->mode == GAME_CHUNK ? game_serve_chunk(g) : game_serve_command(g);
}

static inline void
game_move(struct game *g)
{
	static const char *const kinds[] = { "PIPELINING\nCHUNKING\n", "CHUNKING\n", "PIPELINING\n", NULL };

	switch (g->deal(g, 16)) {
	case 0:
		talk_lose_server(&g->talk);
		break;
	case 1:
		g->talk.capabilities = kinds[g->deal(g, 4)];
		break;
	case 2:
		talk_server(&g->talk, slice_of(g->deal(g, 2) == 0 ? "421 bye\r\n" : "garbage\r\n"));
		break;
	case 3:
	case 4:
	case 5:
		if (!g->awaits_data)
			game_say_group(g);
		break;
	case 6:
	case 7:
	case 8:
		game_send(g, 1 + g->deal(g, 40));
		break;
	default:
		game_serve(g);
		break;
	}
	game_listen(g);
}

/* All that was said is done. */
static inline void
game_end(struct game *g)
{
	bool goes_on = true;
	const char *at;

	while (goes_on && g->wrong == NULL) {
		goes_on = buf_len(&g->client_out) > 0;
		game_send(g, UINT32_MAX);
		goes_on |= game_serve(g);
		game_listen(g);
	}
	game_check(g, g->asked_count == 0, "everything has its reply");
	game_check(g, buf_len(&g->talk.to_client) == 0, "replies are whole");
	buf_append(&g->talk.messages, "", 1);
	for (at = strstr(buf_data(&g->talk.messages), "sent "); at != NULL; at = strstr(at + 1, "sent "))
		g->told--;
	game_check(g, g->told == 0, "each message that was taken is told of");
}

/* What did not hold; NULL: all did. */
static inline const char *
game_play(struct game *g, unsigned moves, bool chooses_anew)
{
	const struct talk_order order = { .capabilities = "PIPELINING\nCHUNKING\n",
		.chooses_anew = chooses_anew,
		/* in some games replies are late from early on */
		.manners = { .soft_errors = moves % 3 == 0 ? 4 : 0, .hard_errors = 1000000, .idles_max = 3,
		    .counts_servers = true } };

	talk_open(&g->talk, &order);
	for (unsigned i = 0; i < moves && g->wrong == NULL; i++)
		game_move(g);
	if (g->wrong == NULL)
		game_end(g);
	talk_close(&g->talk);
	buf_clear(&g->client_out);
	return g->wrong;
}

#endif
