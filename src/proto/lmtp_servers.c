/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_servers.c: what servers hear of a message, and what they say to it.
 * One that is lost, or was to get a mail that is not to come there any more,
 * costs its recipients a 451, and nobody else anything.
 */
#include "proto/lmtp_relay.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "proto/capability.h"

enum { LAST_MAX = 512 };		/* octets of a server's line that are logged */

static const char lost[] = "451 4.3.0 Mail server was lost, try again later\r\n";
static const char moved[] = "451 4.3.0 The user is being moved, try again later\r\n";
static const char no_server[] = "451 4.3.0 No mail server is available, try again later\r\n";
static const char bare_newline[] = "550 5.5.2 Message has CR or LF that stand alone\r\n";

void
lmtp_leave_message(struct lmtp_server *sv)
{
	sv->part = PART_NONE;
	sv->accepted_count = 0;
	sv->is_chunked = false;
	buf_clear(&sv->mail_refusal);
	buf_clear(&sv->last);
}

void
lmtp_clear_server(struct lmtp_server *sv)
{
	lmtp_leave_message(sv);
	xfree(sv->accepted);
	xfree(sv->tasks);
	*sv = (struct lmtp_server){ 0 };
}

static struct lmtp_task *
push(struct lmtp_server *sv, enum lmtp_task_kind kind, unsigned recipient)
{
	if (sv->done == sv->count)
		sv->done = sv->sent = sv->count = 0;
	if (sv->count == sv->task_size) {
		sv->task_size = sv->task_size > 0 ? sv->task_size * 2 : 8;
		sv->tasks = xrealloc(sv->tasks, sv->task_size * sizeof(*sv->tasks));
	}
	sv->tasks[sv->count] = (struct lmtp_task){ .kind = kind, .recipient = recipient };
	return &sv->tasks[sv->count++];
}

/* Of what is sent already, behind all else. */
static void
push_sent(struct lmtp_server *sv, enum lmtp_task_kind kind, unsigned recipient)
{
	push(sv, kind, recipient);
	sv->sent = sv->count;
}

static void
push_rset(struct lmtp_server *sv)
{
	push(sv, TASK_RSET, 0);
	sv->is_begun = false;
}

/* Where it has another name there, what stands behind its address stays. */
static void
write_rcpt(const struct lmtp_recipient *r, struct buf *out)
{
	const char *rest = r->line + r->address + r->address_len;

	if (r->there != NULL)
		buf_printf(out, "RCPT TO:<%s>%s\r\n", r->there, *rest == '>' ? rest + 1 : rest);
	else
		buf_printf(out, "%s\r\n", r->line);
}

static void
write_task(const struct lmtp_state *s, const struct lmtp_task *task, struct buf *out)
{
	switch (task->kind) {
	case TASK_RSET:
		buf_append_text(out, "RSET\r\n");
		break;
	case TASK_MAIL:
		buf_printf(out, "%s\r\n", s->mail);
		break;
	case TASK_RCPT:
		write_rcpt(&s->recipients[task->recipient], out);
		break;
	case TASK_DATA:
		buf_append_text(out, "DATA\r\n");
		break;
	case TASK_CHUNK:
	case TASK_FINAL:
		break;
	}
}

/* Sends what may be sent before more replies come. */
static void
pump(struct lmtp_state *s, unsigned server)
{
	struct lmtp_server *sv = &s->servers[server];
	struct buf out = { 0 };

	while (sv->sent < sv->count && (sv->has_pipelining || sv->sent == sv->done))
		write_task(s, &sv->tasks[sv->sent++], &out);
	if (buf_len(&out) > 0)
		s->host->send(s->owner, server, buf_slice(&out));
	buf_clear(&out);
}

void
lmtp_server_came(void *state, unsigned server, struct slice capabilities, bool is_single)
{
	struct lmtp_state *s = state;

	assert(server < FANOUT_SERVERS_MAX);
	if (server >= s->server_count) {
		s->servers = xrealloc(s->servers, (server + 1) * sizeof(*s->servers));
		memset(s->servers + s->server_count, 0,
		    (server + 1 - s->server_count) * sizeof(*s->servers));
		s->server_count = server + 1;
	}
	lmtp_clear_server(&s->servers[server]);
	s->servers[server].is_there = true;
	s->servers[server].is_single = is_single;
	s->servers[server].has_pipelining = capability_has(capabilities, "PIPELINING");
	s->servers[server].has_chunking = capability_has(capabilities, "CHUNKING");
}

/* No more comes of it: its recipients hear `words`, but for those that have had its own. */
static void
drop(struct lmtp_state *s, unsigned server, const char *words)
{
	struct lmtp_server *sv = &s->servers[server];

	bool is_done = sv->part == PART_NONE && buf_len(&sv->last) > 0;

	sv->is_there = false;
	lmtp_conclude_all(s, server, slice_of(words));
	lmtp_tell(s, server, is_done ? buf_slice(&sv->last) : slice_of(words), !is_done);
	lmtp_clear_server(sv);
}

/* The caller advances. */
static void
leave(struct lmtp_state *s, unsigned server, const char *words, const char *why, struct slice last)
{
	bool is_idle = !lmtp_server_is_needed(s, server);

	drop(s, server, words);
	s->host->leave(s->owner, server, why, last, is_idle);
}

void
lmtp_server_gone(void *state, unsigned server)
{
	struct lmtp_state *s = state;

	if (server >= s->server_count || !s->servers[server].is_there)
		return;
	drop(s, server, lost);
	lmtp_advance(s);
}

/* A name that fits between angle brackets as it is. */
static bool
is_path(struct slice address)
{
	struct buf whole = { 0 };
	struct slice rest, path;
	bool is_good;

	buf_printf(&whole, "TO:<%.*s>", SLICE_ARGS(address));
	rest = buf_slice(&whole);
	is_good = smtp_take_path(&rest, "TO", &path) && rest.len == 0 && path.len == address.len;
	buf_clear(&whole);
	return is_good;
}

static void
join(struct lmtp_server *sv)
{
	lmtp_leave_message(sv);
	if (sv->is_begun)
		push_rset(sv);
	push(sv, TASK_MAIL, 0);
	sv->part = PART_MAIL;
	sv->is_begun = true;
}

void
lmtp_placed(void *state, unsigned recipient, unsigned server, struct slice address)
{
	struct lmtp_state *s = state;
	struct lmtp_recipient *r = &s->recipients[recipient];
	struct lmtp_server *sv = &s->servers[server];

	assert(r->state == RECIPIENT_PLACING && server < s->server_count && sv->is_there);
	r->server = server;
	if (address.len > 0 && !is_path(address)) {
		lmtp_answer(s, recipient, slice_of(no_server));
		return;
	}
	if (address.len > 0)
		r->there = xstrndup(address.data, address.len);
	r->state = RECIPIENT_ASKED;
	if (sv->part == PART_NONE)
		join(sv);
	if (buf_len(&sv->mail_refusal) > 0) {
		lmtp_answer(s, recipient, buf_slice(&sv->mail_refusal));
		return;
	}
	push(sv, TASK_RCPT, recipient);
	pump(s, server);
}

void
lmtp_unplaced(void *state, unsigned recipient, const struct fanout_refusal *refusal)
{
	struct lmtp_state *s = state;

	assert(s->recipients[recipient].state == RECIPIENT_PLACING);
	buf_clear(&s->unplaced);
	if (refusal != NULL)
		smtp_write_refusal(&s->unplaced, refusal->may_be_final, refusal->code, refusal->reason);
	else
		buf_append_text(&s->unplaced, no_server);
	lmtp_answer(s, recipient, buf_slice(&s->unplaced));
}

void
lmtp_displaced(void *state, unsigned recipient)
{
	struct lmtp_state *s = state;
	struct lmtp_recipient *r = &s->recipients[recipient];
	unsigned server = r->server;
	bool is_at_server = r->state == RECIPIENT_ASKED || r->state == RECIPIENT_ACCEPTED;

	if (r->state == RECIPIENT_OVER || (is_at_server && s->servers[server].part == PART_FINAL))
		return;
	lmtp_conclude(s, recipient, slice_of(moved));
	if (is_at_server)
		leave(s, server, lost, "a user whose mail was on its way there is being moved",
		    slice_of(NULL));
	lmtp_advance(s);
}

void
lmtp_begin_data(struct lmtp_state *s)
{
	for (unsigned k = 0; k < s->server_count; k++) {
		struct lmtp_server *sv = &s->servers[k];

		if (sv->part != PART_MAIL)
			continue;
		if (sv->accepted_count == 0) {
			push_rset(sv);
			sv->part = PART_NONE;
		} else if (s->is_chunk_begun && sv->has_chunking) {
			sv->is_chunked = true;
			sv->part = PART_DATA;
		} else {
			push(sv, TASK_DATA, 0);
			sv->part = PART_ASKED;
		}
		pump(s, k);
	}
	lmtp_advance(s);
}

void
lmtp_send_data(struct lmtp_state *s, struct slice data)
{
	for (unsigned k = 0; data.len > 0 && k < s->server_count; k++)
		if (s->servers[k].part == PART_DATA)
			s->host->send(s->owner, k, data);
}

enum { PLACE_LINE, PLACE_TEXT, PLACE_CR };

/* Lines of a chunk as DATA has them: dots are stuffed, and what stands alone becomes CRLF. */
static void
stuff(uint8_t *place, struct slice in, struct buf *out)
{
	char *to = buf_reserve(out, in.len * 3);
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i];

		if (*place == PLACE_CR && c != '\n') {
			to[len++] = '\n';
			*place = PLACE_LINE;
		}
		if (c == '\n' && *place != PLACE_CR)
			to[len++] = '\r';
		if (c == '.' && *place == PLACE_LINE)
			to[len++] = '.';
		to[len++] = c;
		*place = c == '\r' ? PLACE_CR : c == '\n' ? PLACE_LINE : PLACE_TEXT;
	}
	buf_added(out, len);
}

static void
send_to(struct lmtp_state *s, bool is_chunked, struct slice data)
{
	for (unsigned k = 0; k < s->server_count; k++)
		if (s->servers[k].part == PART_DATA && s->servers[k].is_chunked == is_chunked)
			s->host->send(s->owner, k, data);
}

static bool
has_unchunked(const struct lmtp_state *s)
{
	for (unsigned k = 0; k < s->server_count; k++)
		if (s->servers[k].part == PART_DATA && !s->servers[k].is_chunked)
			return true;
	return false;
}

void
lmtp_send_chunk(struct lmtp_state *s, struct slice data)
{
	struct buf stuffed = { 0 };

	send_to(s, true, data);
	if (!has_unchunked(s))
		return;
	stuff(&s->line_place, data, &stuffed);
	send_to(s, false, buf_slice(&stuffed));
	buf_clear(&stuffed);
}

void
lmtp_begin_chunk(struct lmtp_state *s)
{
	char command[48];

	s->mode = MODE_CHUNK;
	snprintf(command, sizeof(command), "BDAT %" PRIu64 "%s\r\n", s->chunk_size,
	    s->is_last_chunk ? " LAST" : "");
	send_to(s, true, slice_of(command));
	if (s->chunk_size == 0)
		lmtp_end_chunk(s);
}

void
lmtp_end_chunk(struct lmtp_state *s)
{
	static const char *const tails[] = {
		[PLACE_LINE] = ".\r\n", [PLACE_TEXT] = "\r\n.\r\n", [PLACE_CR] = "\n.\r\n",
	};

	if (s->is_last_chunk) {
		send_to(s, false, slice_of(tails[s->line_place]));
		lmtp_end_message(s);
		return;
	}
	for (unsigned k = 0; k < s->server_count; k++)
		if (s->servers[k].part == PART_DATA && s->servers[k].is_chunked)
			push_sent(&s->servers[k], TASK_CHUNK, 0);
	s->mode = MODE_CHUNK_SENT;
	lmtp_advance(s);
}

void
lmtp_end_message(struct lmtp_state *s)
{
	for (unsigned k = 0; k < s->server_count; k++) {
		struct lmtp_server *sv = &s->servers[k];

		if (sv->part != PART_DATA)
			continue;
		sv->part = PART_FINAL;
		for (unsigned i = 0; i < (sv->is_single ? 1 : sv->accepted_count); i++)
			push_sent(sv, TASK_FINAL, sv->accepted[i]);
	}
	s->mode = MODE_FINAL;
	lmtp_advance(s);
}

void
lmtp_reject_data(struct lmtp_state *s)
{
	s->is_rejected = true;
	for (unsigned k = 0; k < s->server_count; k++)
		if (s->servers[k].part == PART_DATA)
			leave(s, k, bare_newline, "bare CR or LF in data", slice_of(NULL));
}

/* It has to forget what it knows of the message; within data it cannot be told so. */
static void
abandon_at(struct lmtp_state *s, unsigned server)
{
	struct lmtp_server *sv = &s->servers[server];
	bool is_between = sv->part == PART_NONE || sv->part == PART_MAIL ||
	    (sv->part == PART_DATA && sv->is_chunked && s->mode == MODE_COMMAND);

	if (!sv->is_there)
		return;
	if (!is_between) {
		leave(s, server, lost, "the message was given up", slice_of(NULL));
	} else if (sv->is_begun) {
		push_rset(sv);
		pump(s, server);
	}
}

void
lmtp_abandon(struct lmtp_state *s)
{
	if (s->mail == NULL)
		return;
	lmtp_tell_all(s);
	for (unsigned k = 0; k < s->server_count; k++)
		abandon_at(s, k);
	for (unsigned i = 0; i < s->count; i++)
		if (s->recipients[i].state != RECIPIENT_OVER)
			lmtp_conclude(s, i, slice_of(lost));
	lmtp_forget(s);
}

bool
lmtp_server_owes(const void *state, unsigned server)
{
	const struct lmtp_state *s = state;

	return server < s->server_count && s->servers[server].done < s->servers[server].count;
}

bool
lmtp_server_is_needed(const void *state, unsigned server)
{
	const struct lmtp_state *s = state;

	return lmtp_server_owes(s, server) ||
	    (server < s->server_count && s->servers[server].part != PART_NONE);
}

static void
keep_last(struct lmtp_server *sv, struct slice line)
{
	buf_clear(&sv->last);
	buf_append(&sv->last, line.data, line.len < LAST_MAX ? line.len : LAST_MAX);
}

/* A reply with all its lines, and the last of them without its end. */
struct lmtp_reply {
	struct slice whole, last;
	int code;
};

static void
take_rcpt(struct lmtp_state *s, unsigned server, unsigned recipient, const struct lmtp_reply *reply)
{
	struct lmtp_server *sv = &s->servers[server];
	struct lmtp_recipient *r = &s->recipients[recipient];

	if (buf_len(&sv->mail_refusal) > 0) {
		lmtp_conclude(s, recipient, buf_slice(&sv->mail_refusal));
		return;
	}
	if (reply->code >= 400) {
		keep_last(sv, reply->last);
		lmtp_conclude(s, recipient, reply->whole);
		return;
	}
	if (sv->accepted_count == sv->accepted_size) {
		sv->accepted_size = sv->accepted_size > 0 ? sv->accepted_size * 2 : 8;
		sv->accepted = xrealloc(sv->accepted, sv->accepted_size * sizeof(*sv->accepted));
	}
	sv->accepted[sv->accepted_count++] = recipient;
	r->state = RECIPIENT_ACCEPTED;
	r->was_accepted = true;
	lmtp_set_reply(r, reply->whole);
}

/* It will not have the data, or not more of it. */
static void
refuse_message(struct lmtp_state *s, unsigned server, const struct lmtp_reply *reply)
{
	struct lmtp_server *sv = &s->servers[server];

	keep_last(sv, reply->last);
	lmtp_conclude_all(s, server, reply->whole);
	sv->part = PART_NONE;
	push_rset(sv);
}

static void
deliver(struct lmtp_state *s, unsigned recipient, const struct lmtp_reply *reply)
{
	struct lmtp_recipient *r = &s->recipients[recipient];

	r->is_delivered = reply->code / 100 == 2;
	lmtp_conclude(s, recipient, reply->whole);
}

/* Whether there still is a transaction where a message was refused, only the server knows. */
static void
take_final(struct lmtp_state *s, unsigned server, unsigned recipient, const struct lmtp_reply *reply)
{
	struct lmtp_server *sv = &s->servers[server];
	bool is_last = sv->done == sv->count;

	keep_last(sv, reply->last);
	for (unsigned i = 0; sv->is_single && i < sv->accepted_count; i++)
		deliver(s, sv->accepted[i], reply);
	if (!sv->is_single)
		deliver(s, recipient, reply);
	if (is_last)
		sv->part = PART_NONE;
	sv->is_begun = sv->is_begun && reply->code / 100 != 2;
}

/* Can this be the reply to that? */
static bool
fits(enum lmtp_task_kind kind, int code)
{
	if (kind == TASK_DATA)
		return code == 354 || code >= 400;
	if (kind == TASK_RSET)
		return code / 100 == 2;
	return code / 100 != 3;
}

static void
take_reply(struct lmtp_state *s, unsigned server, const struct lmtp_task *task,
    const struct lmtp_reply *reply)
{
	struct lmtp_server *sv = &s->servers[server];

	switch (task->kind) {
	case TASK_RSET:
		break;
	case TASK_MAIL:
		if (reply->code >= 400) {
			keep_last(sv, reply->last);
			buf_append_slice(&sv->mail_refusal, reply->whole);
		}
		break;
	case TASK_RCPT:
		take_rcpt(s, server, task->recipient, reply);
		break;
	case TASK_DATA:
		if (reply->code == 354)
			sv->part = PART_DATA;
		else
			refuse_message(s, server, reply);
		break;
	case TASK_CHUNK:
		if (reply->code >= 400)
			refuse_message(s, server, reply);
		break;
	case TASK_FINAL:
		take_final(s, server, task->recipient, reply);
		break;
	}
}

static void
run_reply(struct lmtp_state *s, unsigned server, const struct lmtp_reply *reply)
{
	struct lmtp_server *sv = &s->servers[server];
	struct lmtp_task task;

	if (reply->code == 421 || sv->done == sv->sent) {
		leave(s, server, lost, reply->code == 421 ? "the server takes its leave" : "reply to nothing",
		    reply->last);
		return;
	}
	task = sv->tasks[sv->done];
	if (!fits(task.kind, reply->code)) {
		leave(s, server, lost, "reply to something else", reply->last);
		return;
	}
	sv->done++;
	take_reply(s, server, &task, reply);
	pump(s, server);
}

size_t
lmtp_server(void *state, unsigned server, struct slice in)
{
	struct lmtp_state *s = state;
	size_t used = 0;

	while (used < in.len && s->servers[server].is_there) {
		struct lmtp_reply reply;

		switch (smtp_find_reply(slice_from(in, used), &reply.whole, &reply.last, &reply.code)) {
		case SMTP_FOUND_PART:
			return used;
		case SMTP_FOUND_GARBAGE:
			leave(s, server, lost, "garbled reply", slice_of(NULL));
			break;
		case SMTP_FOUND_WHOLE:
			used += reply.whole.len;
			run_reply(s, server, &reply);
			break;
		}
		lmtp_advance(s);
	}
	return used;
}
