/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_talk.h: a fan-out between a client and servers that are played, with a
 * transcript of all it does.  What a client has said and was not taken is
 * said again behind whatever else comes, as a session does it.
 */
#ifndef T_LMTP_TALK_H
#define T_LMTP_TALK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "proto/fanout.h"
#include "proto/smtp.h"

enum { TALK_SERVERS = 4, TALK_RECIPIENTS = 2000 };

struct lmtp_talk {
	void *state;
	struct buf transcript;
	struct buf in, from[TALK_SERVERS];	/* said, and not taken yet */
	bool is_there[TALK_SERVERS];
	char recipients[TALK_RECIPIENTS];	/* 'p': to be placed, 'h': held, 0: neither */
	enum wish end;				/* that ended the session; WISH_GO_ON: it goes on */
};

/* Each line with who hears it; a part of a line that has no end yet is told with a \ behind it. */
static void
talk_tell(struct lmtp_talk *t, const char *who, struct slice words)
{
	while (words.len > 0) {
		const char *newline = memchr(words.data, '\n', words.len);
		size_t len = newline != NULL ? (size_t)(newline - words.data) + 1 : words.len;
		struct slice line = slice_make(words.data, len);
		bool is_whole = len > 1 && memcmp(words.data + len - 2, "\r\n", 2) == 0;

		buf_printf(&t->transcript, "%s: %.*s%s\n", who, (int)(is_whole ? len - 2 : len), line.data,
		    is_whole ? "" : "\\");
		words = slice_from(words, len);
	}
}

static void
talk_say(void *owner, struct slice words)
{
	talk_tell(owner, "C", words);
}

static void
talk_send(void *owner, unsigned server, struct slice data)
{
	struct lmtp_talk *t = owner;
	char who[16];

	if (server >= TALK_SERVERS || !t->is_there[server])
		abort();
	snprintf(who, sizeof(who), "%u", server);
	talk_tell(t, who, data);
}

static void
talk_place(void *owner, unsigned recipient)
{
	struct lmtp_talk *t = owner;

	if (recipient >= TALK_RECIPIENTS || t->recipients[recipient] != 0)
		abort();
	t->recipients[recipient] = 'p';
	buf_printf(&t->transcript, "place %u\n", recipient);
}

static void
talk_release(void *owner, unsigned recipient)
{
	struct lmtp_talk *t = owner;

	if (recipient >= TALK_RECIPIENTS || t->recipients[recipient] == 0)
		abort();
	t->recipients[recipient] = 0;
	buf_printf(&t->transcript, "release %u\n", recipient);
}

static void
talk_leave(void *owner, unsigned server, const char *why, struct slice words, bool is_idle)
{
	struct lmtp_talk *t = owner;

	if (server >= TALK_SERVERS || !t->is_there[server])
		abort();
	t->is_there[server] = false;
	buf_clear(&t->from[server]);
	buf_printf(&t->transcript, "leave %u%s: %s%s%.*s\n", server, is_idle ? " idle" : "", why,
	    words.len > 0 ? ": " : "", SLICE_ARGS(words));
}

static void
talk_message(void *owner, unsigned server, const struct mediated_message *m)
{
	struct lmtp_talk *t = owner;

	buf_printf(&t->transcript, "tell %d: <%.*s> %llu +%u (%.*s) -%u (%.*s) %s %.*s\n",
	    server == FANOUT_SERVERS_MAX ? -1 : (int)server, SLICE_ARGS(m->from), (unsigned long long)m->size,
	    m->accepted, SLICE_ARGS(m->recipients), m->refused, SLICE_ARGS(m->refused_recipients),
	    m->is_accepted ? "accepted" : m->is_ours ? "failed" : "refused", SLICE_ARGS(m->reply));
}

static void
talk_note(void *owner, const char *why)
{
	struct lmtp_talk *t = owner;

	buf_printf(&t->transcript, "note: %s\n", why);
}

static const struct fanout_host talk_host = {
	.say = talk_say, .send = talk_send, .place = talk_place, .release = talk_release,
	.leave = talk_leave, .tell = talk_message, .note = talk_note,
};

static void
talk_come(struct lmtp_talk *t, unsigned server, const char *capabilities, bool is_single)
{
	if (t->is_there[server])
		return;
	t->is_there[server] = true;
	lmtp_fanout.server_came(t->state, server, slice_of(capabilities), is_single);
}

static struct manners manners = { .hard_errors = 5 };	/* what is borne */
static const struct identity nobody;

static void
talk_open(struct lmtp_talk *t, enum bare_newline bare_newline)
{
	const struct fanout_order order = {
		.hostname = "lb.x", .offer = slice_of("8BITMIME\nCHUNKING\n"), .bare_newline = bare_newline,
		.manners = manners, .identity = &nobody, .host = &talk_host, .owner = t,
	};

	memset(t, 0, sizeof(*t));
	t->state = xcalloc(1, lmtp_fanout.size);
	lmtp_fanout.init(t->state, &order);
}

/* What the client has said, as far as it is taken. */
static void
talk_go_on(struct lmtp_talk *t)
{
	while (buf_len(&t->in) > 0 && t->end == WISH_GO_ON) {
		size_t used = 0;
		enum wish wish = lmtp_fanout.client(t->state, buf_slice(&t->in), &used);

		buf_consume(&t->in, used);
		if (wish == WISH_DELAY) {
			buf_append_text(&t->transcript, "delay\n");
			lmtp_fanout.waited(t->state);
			continue;
		}
		if (wish == WISH_WAIT || wish == WISH_MORE)
			return;
		if (wish != WISH_GO_ON)
			t->end = wish;
	}
}

static void
talk_client(struct lmtp_talk *t, struct slice words)
{
	buf_append_slice(&t->in, words);
	talk_go_on(t);
}

static void
talk_server(struct lmtp_talk *t, unsigned server, struct slice words)
{
	if (!t->is_there[server])
		return;
	buf_append_slice(&t->from[server], words);
	if (buf_len(&t->from[server]) > 0) {
		struct buf said = t->from[server];
		size_t used;

		t->from[server] = (struct buf){ 0 };
		used = lmtp_fanout.server(t->state, server, buf_slice(&said));
		buf_consume(&said, used);
		if (t->is_there[server])
			buf_append_slice(&t->from[server], buf_slice(&said));
		buf_clear(&said);
	}
	talk_go_on(t);
}

static void
talk_lose(struct lmtp_talk *t, unsigned server)
{
	if (!t->is_there[server])
		return;
	t->is_there[server] = false;
	buf_clear(&t->from[server]);
	lmtp_fanout.server_gone(t->state, server);
	talk_go_on(t);
}

static void
talk_placed(struct lmtp_talk *t, unsigned recipient, unsigned server, const char *there)
{
	if (recipient >= TALK_RECIPIENTS || t->recipients[recipient] != 'p' || !t->is_there[server])
		return;
	t->recipients[recipient] = 'h';
	lmtp_fanout.placed(t->state, recipient, server, slice_of(there));
	talk_go_on(t);
}

static void
talk_unplaced(struct lmtp_talk *t, unsigned recipient, const struct fanout_refusal *refusal)
{
	if (recipient >= TALK_RECIPIENTS || t->recipients[recipient] != 'p')
		return;
	lmtp_fanout.unplaced(t->state, recipient, refusal);
	talk_go_on(t);
}

static void
talk_displaced(struct lmtp_talk *t, unsigned recipient)
{
	if (recipient >= TALK_RECIPIENTS || t->recipients[recipient] != 'h')
		return;
	lmtp_fanout.displaced(t->state, recipient);
	talk_go_on(t);
}

/* Frees all; nothing may be held any more then. */
static void
talk_close(struct lmtp_talk *t)
{
	lmtp_fanout.end(t->state);
	for (int i = 0; i < TALK_RECIPIENTS; i++)
		if (t->recipients[i] != 0)
			abort();
	lmtp_fanout.clear(t->state);
	xfree(t->state);
	buf_clear(&t->transcript);
	buf_clear(&t->in);
	for (int k = 0; k < TALK_SERVERS; k++)
		buf_clear(&t->from[k]);
}

#endif
