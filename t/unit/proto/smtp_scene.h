/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_scene.h: scenes for SMTP's mediator, played whole, octet by octet and
 * in two pieces of every size: what goes to each side must be the same.
 */
#ifndef PROTO_SMTP_SCENE_H
#define PROTO_SMTP_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "smtp_talk.h"

#define LOST "451 4.3.0 Mail server was lost, try again later\r\n"
#define NO_SERVER "451 4.3.2 No mail server is available, try again later\r\n"
#define HELP "214 2.0.0 See RFC 5321\r\n"
#define OK "250 2.0.0 Ok\r\n"
#define NO_MAIL "503 5.5.1 MAIL comes first\r\n"
#define NO_CHUNKS "451 4.3.0 This server takes no chunks, try again later\r\n"
#define REFUSED "502 5.5.1 Command is not available\r\n"
#define SYNTAX "501 5.5.4 Command or argument is malformed\r\n"
#define UNKNOWN "500 5.5.2 Command is not known\r\n"
#define BYE "221 2.0.0 Goodbye\r\n"
#define NESTED "503 5.5.1 There is a MAIL already\r\n"
#define BARE "500 5.5.2 Line ends without CR\r\n"
#define CHUNK_SYNTAX "501 5.5.4 Chunk size is malformed\r\n"
#define FOREIGN "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n"

/* Of messages that were not sent. */
#define LOST_LINE "ours 451 4.3.0 Mail server was lost, try again later\n"
#define BARE_LINE "ours 550 5.5.2 Message has CR or LF that stand alone\n"
#define OUR_HELO "250 lb.example.com\r\n"
#define OUR_EHLO "250-lb.example.com\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n"

static const char pipelining[] = "PIPELINING\nCHUNKING\n";

/* Who does what, and what goes to each side then. */
struct turn {
	/* C, S: client or server says; X: the server is lost; +, -: one can be had, or none, as it says */
	char who;
	const char *says;
	const char *to_client, *to_server;
};

enum cut { CUT_NONE, CUT_OCTETS, CUT_AT };

static inline void
expect(const struct turn *turn, const char *side, struct buf *got, const char *wanted)
{
	if (wanted == NULL)
		wanted = "";
	if (!slice_equals(buf_slice(got), wanted))
		fail_msg("behind %c \"%s\" to %s:\n%.*s\nnot:\n%s", turn->who, turn->says, side,
		    SLICE_ARGS(buf_slice(got)), wanted);
	buf_clear(got);
}

static inline void
say(struct talk *t, char who, struct slice said, enum cut cut, size_t at)
{
	while (said.len > 0) {
		size_t len = cut == CUT_OCTETS ? 1 : cut == CUT_AT && at > 0 && at < said.len ? at : said.len;

		(who == 'C' ? talk_client : talk_server)(t, slice_make(said.data, len));
		said = slice_from(said, len);
		at = 0;
	}
}

static inline void
take(struct talk *t, const struct turn *turn, enum cut cut, size_t at)
{
	switch (turn->who) {
	case 'C':
	case 'S':
		say(t, turn->who, slice_of(turn->says), cut, at);
		break;
	case 'X':
		talk_lose_server(t);
		break;
	case '+':
		t->capabilities = turn->says;
		break;
	case '-':
		t->capabilities = NULL;
		t->refusal = turn->says;
		break;
	}
}

struct scene {
	struct talk_order order;
	const struct turn *turns;
	const char *messages;
	enum talk_end end;
	int asked;			/* for a server, so often; 0: whatever */
	unsigned delays;		/* late replies */
};

static inline void
play_cut(const struct scene *scene, enum cut cut, size_t at)
{
	struct talk t;

	talk_open(&t, &scene->order);
	for (const struct turn *turn = scene->turns; turn->who != '\0'; turn++) {
		take(&t, turn, cut, at);
		expect(turn, "the client", &t.to_client, turn->to_client);
		expect(turn, "the server", &t.to_server, turn->to_server);
	}
	if (!slice_equals(buf_slice(&t.messages), scene->messages != NULL ? scene->messages : ""))
		fail_msg("messages:\n%.*s\nnot:\n%s", SLICE_ARGS(buf_slice(&t.messages)), scene->messages);
	assert_int_equal(t.end, scene->end);
	assert_int_equal(t.delays, scene->delays);
	if (scene->asked > 0)
		assert_int_equal(t.asked, scene->asked);
	talk_close(&t);
}

/* Whole, octet by octet, and in two pieces of every size. */
static inline void
play(const struct scene *scene)
{
	size_t longest = 0;

	for (const struct turn *turn = scene->turns; turn->who != '\0'; turn++)
		if (turn->says != NULL && strlen(turn->says) > longest)
			longest = strlen(turn->says);
	play_cut(scene, CUT_NONE, 0);
	play_cut(scene, CUT_OCTETS, 0);
	for (size_t at = 1; at < longest; at++)
		play_cut(scene, CUT_AT, at);
}

#define PLAY(turns, ...) \
	play(&(struct scene){ .order = { .capabilities = pipelining }, (turns), __VA_ARGS__ })
#define PLAY_BARE(policy, turns, ...) \
	play(&(struct scene){ .order = { .capabilities = pipelining, .bare_newline = (policy) }, \
	    .turns = (turns), __VA_ARGS__ })
/* Each transaction may go to another server. */
#define PLAY_ANEW(turns, ...) \
	play(&(struct scene){ .order = { .capabilities = pipelining, .chooses_anew = true }, \
	    .turns = (turns), __VA_ARGS__ })
/* And which, its first recipient says. */
#define PLAY_ASKING(turns, ...) \
	play(&(struct scene){ .order = { .capabilities = pipelining, .chooses_anew = true, \
	    .asks_recipients = true }, .turns = (turns), __VA_ARGS__ })

#endif
