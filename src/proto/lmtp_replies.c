/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_replies.c: what the client is told of a message: each recipient its
 * own server's words, in the order of recipients; and what the log is told.
 * A 2xx to a message is only ever the server's own.
 */
#include "proto/lmtp_relay.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/xalloc.h"

enum { RECIPIENTS_LOGGED_MAX = 4096 };	/* octets */

void
lmtp_say(struct lmtp_state *s, const char *words)
{
	s->host->say(s->owner, slice_of(words));
}

void
lmtp_set_reply(struct lmtp_recipient *r, struct slice words)
{
	xfree(r->reply);
	r->reply = xstrndup(words.data, words.len);
}

void
lmtp_conclude(struct lmtp_state *s, unsigned recipient, struct slice words)
{
	struct lmtp_recipient *r = &s->recipients[recipient];

	if (recipient >= s->told)
		r->was_accepted = false;
	lmtp_set_reply(r, words);
	if (r->state != RECIPIENT_OVER && r->line != NULL)
		s->host->release(s->owner, recipient);
	r->state = RECIPIENT_OVER;
}

static bool
is_of(const struct lmtp_recipient *r, unsigned server)
{
	return r->server == server && (r->state == RECIPIENT_ASKED || r->state == RECIPIENT_ACCEPTED);
}

void
lmtp_conclude_all(struct lmtp_state *s, unsigned server, struct slice words)
{
	for (unsigned i = 0; i < s->count; i++)
		if (is_of(&s->recipients[i], server))
			lmtp_conclude(s, i, words);
}

static void
list_recipient(struct buf *list, const struct lmtp_recipient *r)
{
	if (buf_len(list) + r->address_len >= RECIPIENTS_LOGGED_MAX)
		return;
	buf_append_text(list, buf_len(list) > 0 ? ", " : "");
	buf_append(list, r->line + r->address, r->address_len);
}

void
lmtp_tell(struct lmtp_state *s, unsigned server, struct slice words, bool is_ours)
{
	struct buf accepted = { 0 }, refused = { 0 };
	struct mediated_message message = { .from = s->from, .size = s->size, .reply = slice_trim(words),
		.is_ours = is_ours };

	for (unsigned i = 0; i < s->count; i++) {
		struct lmtp_recipient *r = &s->recipients[i];

		if (r->server != server || r->is_logged || r->line == NULL)
			continue;
		r->is_logged = true;
		list_recipient(r->is_delivered ? &accepted : &refused, r);
		message.accepted += r->is_delivered ? 1 : 0;
		message.refused += r->is_delivered ? 0 : 1;
	}
	message.recipients = buf_slice(&accepted);
	message.refused_recipients = buf_slice(&refused);
	message.is_accepted = message.accepted > 0;
	if (message.accepted + message.refused > 0)
		s->host->tell(s->owner, server, &message);
	buf_clear(&accepted);
	buf_clear(&refused);
}

void
lmtp_tell_all(struct lmtp_state *s)
{
	for (unsigned k = 0; k < s->server_count; k++) {
		struct slice last = buf_slice(&s->servers[k].last);

		lmtp_tell(s, k, last, last.len == 0);
	}
	lmtp_tell(s, FANOUT_SERVERS_MAX, buf_slice(&s->unplaced), true);
}

bool
lmtp_is_settled(const struct lmtp_state *s)
{
	return s->told == s->count;
}

unsigned
lmtp_count_accepted(const struct lmtp_state *s)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->count; i++)
		count += s->recipients[i].was_accepted ? 1 : 0;
	return count;
}

void
lmtp_forget(struct lmtp_state *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		xfree(s->recipients[i].line);
		xfree(s->recipients[i].there);
		xfree(s->recipients[i].reply);
	}
	for (unsigned k = 0; k < s->server_count; k++)
		lmtp_leave_message(&s->servers[k]);
	buf_clear(&s->unplaced);
	xfree(s->mail);
	s->mail = NULL;
	s->from = slice_of(NULL);
	s->count = s->told = s->final_told = 0;
	s->size = 0;
	s->is_chunk_begun = s->is_rejected = false;
	s->line_place = 0;
}

static void
finish(struct lmtp_state *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->recipients[i].is_delivered)
			manners_forgive(&s->manners);
	lmtp_tell_all(s);
	lmtp_forget(s);
	s->mode = MODE_COMMAND;
}

static void
say_reply(struct lmtp_state *s, struct lmtp_recipient *r)
{
	lmtp_say(s, r->reply);
	xfree(r->reply);
	r->reply = NULL;
}

static void
say_finals(struct lmtp_state *s)
{
	for (; s->final_told < s->count; s->final_told++) {
		struct lmtp_recipient *r = &s->recipients[s->final_told];

		if (!r->was_accepted)
			continue;
		if (r->reply == NULL)
			return;
		say_reply(s, r);
	}
	finish(s);
}

/* No server takes the data.  Where one may do so later, that is what the client hears. */
static void
refuse_data(struct lmtp_state *s)
{
	struct lmtp_recipient *chosen = NULL;

	for (unsigned i = 0; i < s->count; i++) {
		struct lmtp_recipient *r = &s->recipients[i];

		if (r->was_accepted && (chosen == NULL || (*chosen->reply == '5' && *r->reply == '4')))
			chosen = r;
	}
	assert(chosen != NULL);		/* or else nobody would have been asked */
	say_reply(s, chosen);
	finish(s);
}

static bool
has_part(const struct lmtp_state *s, enum lmtp_part part)
{
	for (unsigned k = 0; k < s->server_count; k++)
		if (s->servers[k].part == part)
			return true;
	return false;
}

static bool
has_owed_chunks(const struct lmtp_state *s)
{
	for (unsigned k = 0; k < s->server_count; k++)
		if (s->servers[k].part == PART_DATA && s->servers[k].done < s->servers[k].count)
			return true;
	return false;
}

static void
say_chunk_taken(struct lmtp_state *s)
{
	char words[64];

	snprintf(words, sizeof(words), "250 2.0.0 %" PRIu64 " octets\r\n", s->chunk_size);
	s->mode = MODE_COMMAND;
	lmtp_say(s, words);
}

void
lmtp_advance(struct lmtp_state *s)
{
	while (s->told < s->count && s->recipients[s->told].reply != NULL)
		say_reply(s, &s->recipients[s->told++]);
	if (s->mode == MODE_DATA_ASKED && !has_part(s, PART_ASKED)) {
		if (!has_part(s, PART_DATA)) {
			refuse_data(s);
			return;
		}
		s->mode = MODE_DATA;
		smtp_data_start(&s->data, s->bare_newline);
		lmtp_say(s, "354 Send the message, end with <CR><LF>.<CR><LF>\r\n");
	} else if (s->mode == MODE_CHUNK_ASKED && !has_part(s, PART_ASKED)) {
		lmtp_begin_chunk(s);
	} else if (s->mode == MODE_CHUNK_SENT && !has_owed_chunks(s)) {
		say_chunk_taken(s);
	} else if (s->mode == MODE_FINAL) {
		say_finals(s);
	}
}

void
lmtp_answer(struct lmtp_state *s, unsigned recipient, struct slice words)
{
	lmtp_conclude(s, recipient, words);
	lmtp_advance(s);
}
