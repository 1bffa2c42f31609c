/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_talk.h: SMTP's mediator between a client and servers that are only
 * bytes: does with its wishes what a session would do, and keeps what went to
 * each side.
 */
#ifndef PROTO_SMTP_TALK_H
#define PROTO_SMTP_TALK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/slice.h"
#include "base/xalloc.h"
#include "proto/smtp.h"

enum talk_end { TALK_GOES_ON, TALK_DONE, TALK_FATAL };

struct talk {
	struct identity identity;
	void *state;
	const char *capabilities;	/* of the next server; NULL: none can be had */
	const char *refusal;		/* as it would not have the client; or NULL */
	struct buf to_client, to_server;
	struct buf client_in, server_in;	/* what waits */
	struct buf messages;		/* a line for each */
	int asked;			/* for servers */
	int judged;			/* recipients */
	bool is_first;			/* that of the last judgement; and: */
	char about[128], lines[256];
	bool is_home;			/* the server at hand is that of home.example */
	bool wants_other;		/* it is not the one that was asked for last */
	int backs;			/* servers that came */
	size_t begun;			/* what was in to_server when the last one did */
	bool has_back, waits;
	unsigned delays;		/* late replies */
	enum talk_end end;
};

struct talk_order {
	enum bare_newline bare_newline;
	bool chooses_anew;
	const char *turned_down;	/* what each recipient hears; or NULL */
	bool asks_recipients;		/* those at home.example are of one server, the others of another */
	bool looks_up;
	struct manners manners;
	const char *capabilities;
};

static inline bool
talk_is_home(struct slice recipient)
{
	return memmem(recipient.data, recipient.len, "@home.example", strlen("@home.example")) != NULL;
}

static inline bool
talk_is_elsewhere(const void *owner, struct slice recipient)
{
	return ((const struct talk *)owner)->is_home != talk_is_home(recipient);
}

static inline void
talk_server_came(struct talk *t)
{
	struct slice capabilities = slice_of(t->capabilities);

	t->has_back = true;
	t->backs++;
	t->begun = buf_len(&t->to_server);
	smtp_mediator.server_came(t->state, &capabilities);
}

/* Mail may go to any server, or one is there already. */
static inline void
talk_open(struct talk *t, const struct talk_order *order)
{
	struct mediator_order given = {
		.hostname = "lb.example.com",
		.offer = slice_of("CHUNKING\n"),
		.identity = &t->identity,
		.chooses_anew = order->chooses_anew,
		.asks_recipients = order->asks_recipients,
		.looks_up = order->looks_up,
		.is_elsewhere = talk_is_elsewhere,
		.owner = t,
		.turned_down = order->turned_down,
		.bare_newline = order->bare_newline,
		.manners = order->manners,
	};

	memset(t, 0, sizeof(*t));
	t->state = xmalloc(smtp_mediator.size);
	memset(t->state, 0xff, smtp_mediator.size);
	t->capabilities = order->capabilities;
	smtp_mediator.init(t->state, &given);
	if (!order->chooses_anew && t->capabilities != NULL)
		talk_server_came(t);
}

static inline void
talk_close(struct talk *t)
{
	smtp_mediator.clear(t->state);
	xfree(t->state);
	buf_clear(&t->to_client);
	buf_clear(&t->to_server);
	buf_clear(&t->client_in);
	buf_clear(&t->server_in);
	buf_clear(&t->messages);
}

static inline void
talk_note_message(struct talk *t, const struct mediated_message *message)
{
	buf_printf(&t->messages, "<%.*s> to %" PRIu32 " (%.*s) not %" PRIu32 ", %" PRIu64 ": %s%s%.*s\n",
	    SLICE_ARGS(message->from), message->accepted, SLICE_ARGS(message->recipients), message->refused,
	    message->size, message->is_accepted ? "sent " : "", message->is_ours ? "ours " : "",
	    SLICE_ARGS(message->reply));
}

static inline void
talk_deliver(struct talk *t, struct mediation *m, bool from_client)
{
	buf_append_slice(&t->to_client, buf_slice(&m->to_client));
	if (t->has_back)
		buf_append_slice(&t->to_server, buf_slice(&m->to_server));
	buf_append_slice(from_client ? &t->to_server : &t->to_client, m->pass);
	if (from_client && !t->has_back && m->pass.len > 0)
		abort();	/* there is nobody to pass it to */
	if (m->has_message)
		talk_note_message(t, &m->message);
	buf_clear(&m->to_client);
	buf_clear(&m->to_server);
}

static inline bool talk_fulfil(struct talk *t, enum wish wish);

static inline void
talk_server_gone(struct talk *t)
{
	struct mediation m = { 0 };

	t->has_back = false;
	buf_clear(&t->server_in);
	smtp_mediator.server_gone(t->state, &m);
	talk_deliver(t, &m, false);
	talk_fulfil(t, m.wish);
}

static inline void
talk_no_server(struct talk *t)
{
	if (t->refusal != NULL)
		smtp_mediator.refused(t->state, slice_of(t->refusal));
	talk_server_gone(t);
}

/*
 * By whom the recipient is: "good" at home or away, "elsewhere" (and then always), "refused", "coded" or
 * "later"; where it is the first and good, a server comes for it.
 */
static inline void
talk_judge(struct talk *t)
{
	const char *code = NULL, *reason = NULL;
	enum judgement judgement = JUDGED_GOOD;

	t->judged++;
	if (t->about[0] == 'r')
		judgement = JUDGED_REFUSED;
	if (t->about[0] == 'c') {
		judgement = JUDGED_REFUSED;
		code = "550 5.1.1";
		reason = "Not here\r\n";
	}
	if (t->about[0] == 'l') {
		judgement = JUDGED_LATER;
		code = "550 5.1.1";
	}
	if (t->about[0] == 'e')
		judgement = JUDGED_ELSEWHERE;
	smtp_mediator.judged(t->state, judgement, code, reason);
	if (judgement != JUDGED_GOOD || !t->is_first)
		return;
	if (t->has_back)
		smtp_mediator.server_came(t->state, NULL);
	else if (t->capabilities != NULL)
		talk_server_came(t);
	else
		talk_no_server(t);
}

/* May the same input go on? */
static inline bool
talk_fulfil(struct talk *t, enum wish wish)
{
	switch (wish) {
	case WISH_GO_ON:
		return true;
	case WISH_MORE:
		return false;
	case WISH_WAIT:
		t->waits = true;
		return false;
	case WISH_DELAY:
		t->delays++;
		smtp_mediator.waited(t->state);
		return true;
	case WISH_SERVER:
		t->asked++;
		if (t->has_back && !t->wants_other)
			smtp_mediator.server_came(t->state, NULL);
		else if (t->capabilities != NULL)
			talk_server_came(t);
		else
			talk_no_server(t);
		return true;
	case WISH_JUDGEMENT:
		talk_judge(t);
		return true;
	case WISH_NO_SERVER:
		t->has_back = false;
		buf_clear(&t->server_in);
		return true;
	case WISH_DONE:
		t->end = TALK_DONE;
		return false;
	case WISH_TOO_MANY:
	case WISH_FATAL:
		t->end = TALK_FATAL;
		return false;
	}
	return false;
}

/* In memory of its very size, which is gone afterwards. */
static inline size_t
talk_call(struct talk *t, struct slice in, bool from_client, enum wish *wish)
{
	char *copy = xmalloc(in.len);
	struct mediation m = { 0 };

	memcpy(copy, in.data, in.len);
	(from_client ? smtp_mediator.client : smtp_mediator.server)(t->state, slice_make(copy, in.len), &m);
	if (m.used > in.len)
		abort();
	talk_deliver(t, &m, from_client);
	*wish = m.wish;
	if (m.wish == WISH_SERVER && m.recipient.len > 0) {
		t->wants_other = talk_is_elsewhere(t, m.recipient);
		t->is_home = talk_is_home(m.recipient);
	}
	if (m.wish == WISH_JUDGEMENT) {
		t->is_first = m.is_first;
		snprintf(t->about, sizeof(t->about), "%.*s", SLICE_ARGS(m.recipient));
		snprintf(t->lines, sizeof(t->lines), "%.*s|%.*s", SLICE_ARGS(m.mail), SLICE_ARGS(m.command));
	}
	xfree(copy);
	return m.used;
}

/* What waits of the client's. */
static inline void
talk_go_on(struct talk *t)
{
	bool goes_on = t->end == TALK_GOES_ON && !t->waits;

	while (goes_on && buf_len(&t->client_in) > 0) {
		enum wish wish;
		size_t used = talk_call(t, buf_slice(&t->client_in), true, &wish);

		buf_consume(&t->client_in, used);
		goes_on = talk_fulfil(t, wish);
		if (goes_on && used == 0 && wish == WISH_GO_ON)
			abort();	/* for ever */
	}
	/* nobody waits for words that are not to come */
	if (t->waits && t->end == TALK_GOES_ON && !smtp_mediator.server_owes(t->state))
		abort();
}

static inline void
talk_client(struct talk *t, struct slice said)
{
	if (t->end != TALK_GOES_ON)
		return;
	buf_append_slice(&t->client_in, said);
	talk_go_on(t);
}

static inline void
talk_server(struct talk *t, struct slice said)
{
	bool goes_on = true;

	if (t->end != TALK_GOES_ON || !t->has_back)
		return;
	buf_append_slice(&t->server_in, said);
	while (goes_on && t->end == TALK_GOES_ON && buf_len(&t->server_in) > 0) {
		enum wish wish;
		size_t used = talk_call(t, buf_slice(&t->server_in), false, &wish);

		buf_consume(&t->server_in, used);
		goes_on = talk_fulfil(t, wish);
	}
	t->waits = false;
	talk_go_on(t);
}

static inline void
talk_lose_server(struct talk *t)
{
	if (t->end != TALK_GOES_ON || !t->has_back)
		return;
	talk_server_gone(t);
	t->waits = false;
	talk_go_on(t);
}

#endif
