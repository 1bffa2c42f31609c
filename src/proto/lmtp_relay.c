/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_relay.c: a client's commands and data once LMTP is relayed (RFC 2033,
 * BDAT RFC 3030).  Recipients are placed side by side and answered in their
 * order; any other command waits until they are.  Nothing is refused for good
 * in our own name where a server may be the one to know: it would bounce.
 */
#include "proto/lmtp_relay.h"

#include <string.h>

#include "base/xalloc.h"
#include "proto/capability.h"

enum {
	COMMAND_MAX = 2048,
	PLACING_MAX = 64,		/* recipients without an answer: then the client has to wait */
	RECIPIENTS_MAX = 2000		/* of a message */
};

struct lmtp_verb {
	const char *name;
	enum wish (*run)(struct lmtp_state *s, struct slice line, struct slice args);
	bool idles;			/* leads nowhere */
};

/* Our own reply to a command; WISH_GO_ON. */
static enum wish
answer(struct lmtp_state *s, const char *words)
{
	lmtp_say(s, words);
	return WISH_GO_ON;
}

/* Last words. */
static enum wish
end_by(struct lmtp_state *s, const char *words, enum wish wish)
{
	s->mode = MODE_OVER;
	lmtp_say(s, words);
	return wish;
}

static enum wish
refuse(struct lmtp_state *s, const char *words)
{
	manners_err(&s->manners);
	return answer(s, words);
}

/* The client has named too many. */
static enum wish
refuse_for_now(struct lmtp_state *s, const char *what,
    enum wish (*refuse_by)(struct lmtp_state *s, const char *words))
{
	struct buf words = { 0 };

	manners_write_pace(what, &s->identity->client, &words);
	buf_append(&words, "", 1);
	refuse_by(s, buf_data(&words));
	buf_clear(&words);
	return WISH_GO_ON;
}

static bool
takes(const struct lmtp_state *s, enum mediator_count what)
{
	return s->host->takes == NULL || s->host->takes(s->owner, what);
}

static enum wish
run_mail(struct lmtp_state *s, struct slice line, struct slice args)
{
	if (!smtp_take_path(&args, "FROM", &s->from))
		return refuse(s, "501 5.5.4 Command or argument is malformed\r\n");
	if (s->mail != NULL)
		return refuse(s, "503 5.5.1 There is a MAIL already\r\n");
	if (!takes(s, MEDIATOR_MAIL))
		return refuse_for_now(s, "much mail", refuse);
	s->mail = xstrndup(line.data, line.len);
	s->from.data = s->mail + (s->from.data - line.data);
	return answer(s, "250 2.1.0 Ok\r\n");
}

static struct lmtp_recipient *
add_recipient(struct lmtp_state *s)
{
	struct lmtp_recipient *r;

	if (s->count == s->recipient_size) {
		s->recipient_size = s->recipient_size > 0 ? s->recipient_size * 2 : 8;
		s->recipients = xrealloc(s->recipients, s->recipient_size * sizeof(*s->recipients));
	}
	r = &s->recipients[s->count++];
	*r = (struct lmtp_recipient){ .server = FANOUT_SERVERS_MAX };
	return r;
}

/* In its place behind the recipients that were named before, whose answers may be to come. */
static enum wish
refuse_recipient(struct lmtp_state *s, const char *words)
{
	add_recipient(s)->state = RECIPIENT_OVER;
	lmtp_answer(s, s->count - 1, slice_of(words));
	return WISH_GO_ON;
}

static enum wish
run_rcpt(struct lmtp_state *s, struct slice line, struct slice args)
{
	struct lmtp_recipient *r;
	struct slice to;

	if (s->mail == NULL)
		return refuse(s, "503 5.5.1 MAIL comes first\r\n");
	if (s->is_chunk_begun)
		return refuse(s, "503 5.5.1 It is too late for recipients\r\n");
	if (s->count >= RECIPIENTS_MAX)
		return answer(s, "452 4.5.3 Too many recipients\r\n");
	if (!smtp_take_path(&args, "TO", &to) || to.len == 0) {
		manners_err(&s->manners);
		return refuse_recipient(s, "501 5.5.4 Command or argument is malformed\r\n");
	}
	if (!takes(s, MEDIATOR_RECIPIENT))
		return refuse_for_now(s, "many recipients", refuse_recipient);
	r = add_recipient(s);
	r->line = xstrndup(line.data, line.len);
	r->address = (unsigned)(to.data - line.data);
	r->address_len = (unsigned)to.len;
	s->host->place(s->owner, s->count - 1);
	return WISH_GO_ON;
}

/* RFC 2033 section 4.2: DATA without an accepted recipient is 503. */
static const char no_recipient[] = "503 5.5.1 There is no recipient\r\n";
static const char no_mail[] = "503 5.5.1 MAIL comes first\r\n";
static const char not_available[] = "502 5.5.1 Command is not available\r\n";

static enum wish
run_data(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	if (args.len > 0)
		return refuse(s, "501 5.5.4 Command or argument is malformed\r\n");
	if (s->mail == NULL)
		return refuse(s, no_mail);
	if (s->is_chunk_begun)
		return refuse(s, "503 5.5.1 DATA cannot follow BDAT\r\n");
	if (lmtp_count_accepted(s) == 0)
		return answer(s, no_recipient);
	s->mode = MODE_DATA_ASKED;
	lmtp_begin_data(s);
	return WISH_GO_ON;
}

/* The octets that follow are no commands, though they go nowhere. */
static enum wish
discard_chunk(struct lmtp_state *s, const char *words)
{
	if (s->chunk_left > 0)
		s->mode = MODE_CHUNK;
	s->is_discarding = s->chunk_left > 0;
	return answer(s, words);
}

static enum wish
run_bdat(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	if (!smtp_take_chunk(args, &s->chunk_size, &s->is_last_chunk))
		return end_by(s, "501 5.5.4 Chunk size is malformed\r\n", WISH_FATAL);
	s->chunk_left = s->chunk_size;
	if (!s->offers_chunking || s->mail == NULL) {
		manners_err(&s->manners);
		return discard_chunk(s, s->offers_chunking ? no_mail : not_available);
	}
	/* no error of the client's, as with DATA: it may have sent the chunk before it heard of refusals */
	if (lmtp_count_accepted(s) == 0)
		return discard_chunk(s, no_recipient);
	s->size += s->chunk_size;
	if (s->is_chunk_begun) {
		lmtp_begin_chunk(s);
	} else {
		s->is_chunk_begun = true;
		s->mode = MODE_CHUNK_ASKED;
		lmtp_begin_data(s);
	}
	return WISH_GO_ON;
}

static enum wish
run_rset(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	if (args.len > 0)
		return refuse(s, "501 5.5.4 Command or argument is malformed\r\n");
	lmtp_abandon(s);
	return answer(s, "250 2.0.0 Ok\r\n");
}

static enum wish
run_noop(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	(void)args;
	return answer(s, "250 2.0.0 Ok\r\n");
}

/* A greeting within a session is a RSET too (RFC 5321 section 4.1.4). */
static enum wish
run_lhlo(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	if (!smtp_helo_is_valid(args))
		return refuse(s, "501 5.5.4 Command or argument is malformed\r\n");
	lmtp_abandon(s);
	return answer(s, s->lhlo);
}

static enum wish
run_quit(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	(void)args;
	lmtp_abandon(s);
	return end_by(s, "221 2.0.0 Goodbye\r\n", WISH_DONE);
}

static enum wish
run_help(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	(void)args;
	return answer(s, "214 2.0.0 See RFC 2033\r\n");
}

static enum wish
run_starttls(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	(void)args;
	return refuse(s, "503 5.5.1 It is too late for TLS\r\n");
}

static enum wish
run_refused(struct lmtp_state *s, struct slice line, struct slice args)
{
	(void)line;
	(void)args;
	return refuse(s, not_available);
}

static const struct lmtp_verb verbs[] = {
	/* name, what it does, and whether it leads nowhere */
	{ "MAIL", run_mail, false },
	{ "RCPT", run_rcpt, false },
	{ "DATA", run_data, false },
	{ "BDAT", run_bdat, false },
	{ "RSET", run_rset, true },
	{ "NOOP", run_noop, true },
	{ "QUIT", run_quit, false },
	{ "LHLO", run_lhlo, true },
	{ "STARTTLS", run_starttls, false },
	{ "HELP", run_help, false },
	{ "AUTH", run_refused, false },
	{ "VRFY", run_refused, true },
	{ "EXPN", run_refused, false },
	{ "ETRN", run_refused, true },
	{ 0 }
};

static const char break_rules[] = "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n";

static enum wish
run_unknown(struct lmtp_state *s, struct slice line, struct slice word)
{
	if (smtp_is_foreign(line, word))
		return end_by(s, break_rules, WISH_FATAL);
	return refuse(s, slice_has_prefix_nocase(word, "X") ? "550 5.7.0 Command is not for you\r\n" :
	    "500 5.5.2 Command is not known\r\n");
}

/* A line that is no command at all; where octets were to follow it, they are not taken for commands. */
static enum wish
refuse_line(struct lmtp_state *s, struct slice line, const char *words)
{
	if (slice_has_prefix_nocase(slice_trim(line), "BDAT"))
		return end_by(s, "501 5.5.4 Chunk size is malformed\r\n", WISH_FATAL);
	return refuse(s, words);
}

/* One line, without its end. */
static enum wish
run_line(struct lmtp_state *s, struct slice line, bool is_bare)
{
	struct slice rest = line, word = slice_word(&rest);

	if (smtp_is_no_verb(line))
		return end_by(s, break_rules, WISH_FATAL);
	if (is_bare && s->bare_newline == BARE_NEWLINE_REJECT)
		return refuse_line(s, line, "500 5.5.2 Line ends without CR\r\n");
	if (!smtp_is_clean(line) || slice_has_prefix(line, " "))
		return refuse_line(s, line, "501 5.5.4 Command or argument is malformed\r\n");
	for (const struct lmtp_verb *verb = verbs; verb->name != NULL; verb++)
		if (slice_equals_nocase(word, verb->name)) {
			enum wish wish = verb->run(s, line, slice_trim(rest));

			if (verb->idles && manners_idle(&s->manners))
				manners_err(&s->manners);
			return wish;
		}
	return run_unknown(s, line, word);
}

/* Recipients beyond the last are not kept: their refusal waits until all others have their answers. */
static bool
may_run(const struct lmtp_state *s, struct slice line)
{
	bool is_recipient = slice_has_prefix_nocase(line, "RCPT") && s->mail != NULL &&
	    s->count < RECIPIENTS_MAX && !manners_are_spent(&s->manners) && !manners_are_bad(&s->manners);

	return lmtp_is_settled(s) || (is_recipient && s->count - s->told < PLACING_MAX);
}

static enum wish
end_by_errors(struct lmtp_state *s)
{
	struct buf words = { 0 };

	manners_write_end(slice_of(s->lhlo), &words);
	buf_append(&words, "", 1);
	end_by(s, buf_data(&words), WISH_TOO_MANY);
	buf_clear(&words);
	return WISH_TOO_MANY;
}

static enum wish
take_command(struct lmtp_state *s, struct slice in, size_t *used)
{
	const char *newline = memchr(in.data, '\n', in.len);
	size_t len = newline != NULL ? (size_t)(newline - in.data) + 1 : in.len;
	enum wish wish;
	bool is_bare;

	if (len <= COMMAND_MAX && newline == NULL)
		return WISH_MORE;
	if (!may_run(s, slice_make(in.data, len)))
		return WISH_WAIT;
	if (manners_are_spent(&s->manners))
		return end_by_errors(s);
	if (manners_are_bad(&s->manners) && !s->has_waited)
		return WISH_DELAY;
	s->has_waited = false;
	*used = len;
	if (len > COMMAND_MAX)
		return end_by(s, "500 5.5.2 Line is too long\r\n", WISH_FATAL);
	is_bare = len < 2 || in.data[len - 2] != '\r';
	wish = run_line(s, slice_make(in.data, len - (is_bare ? 1 : 2)), is_bare);
	if (wish == WISH_GO_ON && s->mode == MODE_COMMAND && lmtp_is_settled(s) &&
	    manners_are_spent(&s->manners))
		return end_by_errors(s);
	return wish;
}

static enum wish
end_data(struct lmtp_state *s)
{
	bool is_rejected = s->is_rejected;	/* the message may be forgotten soon */

	s->size = s->data.size;
	if (s->data.policy == BARE_NEWLINE_NORMALIZE && (s->data.has_bare_cr || s->data.has_bare_lf))
		s->host->note(s->owner, "bare CR or LF in data was made CRLF");
	lmtp_end_message(s);
	if (!is_rejected)
		return WISH_GO_ON;
	/* what comes behind may be data to somebody else: it must not be taken for commands */
	s->mode = MODE_OVER;
	return WISH_FATAL;
}

static enum wish
take_data(struct lmtp_state *s, struct slice in, size_t *used)
{
	struct buf own = { 0 };
	struct slice pass;
	bool is_end = smtp_data_take(&s->data, in, used, &pass, &own);

	if ((s->data.has_bare_cr || s->data.has_bare_lf) && s->data.policy == BARE_NEWLINE_REJECT &&
	    !s->is_rejected)
		lmtp_reject_data(s);
	lmtp_send_data(s, buf_slice(&own));
	lmtp_send_data(s, pass);
	buf_clear(&own);
	if (is_end)
		return end_data(s);
	return *used == in.len ? WISH_MORE : WISH_GO_ON;
}

static enum wish
take_chunk(struct lmtp_state *s, struct slice in, size_t *used)
{
	*used = s->chunk_left < in.len ? (size_t)s->chunk_left : in.len;
	s->chunk_left -= *used;
	if (s->is_discarding) {
		if (s->chunk_left == 0) {
			s->mode = MODE_COMMAND;
			s->is_discarding = false;
		}
		return WISH_GO_ON;
	}
	lmtp_send_chunk(s, slice_make(in.data, *used));
	if (s->chunk_left == 0)
		lmtp_end_chunk(s);
	return WISH_GO_ON;
}

static enum wish
on_client(void *state, struct slice in, size_t *used)
{
	struct lmtp_state *s = state;

	*used = 0;
	switch (s->mode) {
	case MODE_COMMAND:
		return take_command(s, in, used);
	case MODE_DATA:
		return take_data(s, in, used);
	case MODE_CHUNK:
		return take_chunk(s, in, used);
	case MODE_DATA_ASKED:
	case MODE_CHUNK_ASKED:
	case MODE_CHUNK_SENT:
	case MODE_FINAL:
		return WISH_WAIT;
	case MODE_OVER:
		*used = in.len;
		break;
	}
	return WISH_MORE;
}

static void
on_waited(void *state)
{
	struct lmtp_state *s = state;

	s->has_waited = true;
}

static struct fanout_recipient
on_recipient(const void *state, unsigned recipient)
{
	const struct lmtp_state *s = state;
	const struct lmtp_recipient *r = &s->recipients[recipient];

	return (struct fanout_recipient){
		.address = slice_make(r->line + r->address, r->address_len),
	};
}

static void
init(void *state, const struct fanout_order *order)
{
	struct lmtp_state *s = state;
	struct buf lhlo = { 0 };

	*s = (struct lmtp_state){
		.identity = order->identity,
		.host = order->host,
		.owner = order->owner,
		.bare_newline = order->bare_newline,
		.offers_chunking = capability_has(order->offer, "CHUNKING"),
		.manners = order->manners,
	};
	smtp_write_ehlo(&lhlo, order->hostname, order->offer, 0, 0);
	s->lhlo = xstrndup(buf_data(&lhlo), buf_len(&lhlo));
	buf_clear(&lhlo);
}

static void
clear(void *state)
{
	struct lmtp_state *s = state;

	lmtp_forget(s);
	xfree(s->recipients);
	for (unsigned k = 0; k < s->server_count; k++)
		lmtp_clear_server(&s->servers[k]);
	xfree(s->servers);
	buf_clear(&s->unplaced);
	xfree(s->lhlo);
}

static void
on_end(void *state)
{
	lmtp_abandon(state);
}

static bool
at_boundary(const void *state)
{
	const struct lmtp_state *s = state;

	return s->mode == MODE_COMMAND && s->mail == NULL;
}

static bool
may_speak(const void *state)
{
	const struct lmtp_state *s = state;

	/* within a message, too, as long as nobody has the end of it */
	return (s->mode == MODE_COMMAND && lmtp_is_settled(s)) || s->mode == MODE_DATA ||
	    s->mode == MODE_CHUNK;
}

static bool
takes_payload(const void *state)
{
	const struct lmtp_state *s = state;

	return s->mode == MODE_DATA || s->mode == MODE_CHUNK;
}

static bool
awaits_finals(const void *state)
{
	const struct lmtp_state *s = state;

	return s->mode == MODE_FINAL;
}

const struct fanout lmtp_fanout = {
	.size = sizeof(struct lmtp_state),
	.init = init,
	.clear = clear,
	.client = on_client,
	.waited = on_waited,
	.server_came = lmtp_server_came,
	.server = lmtp_server,
	.server_gone = lmtp_server_gone,
	.placed = lmtp_placed,
	.unplaced = lmtp_unplaced,
	.displaced = lmtp_displaced,
	.recipient = on_recipient,
	.end = on_end,
	.at_boundary = at_boundary,
	.may_speak = may_speak,
	.takes_payload = takes_payload,
	.awaits_finals = awaits_finals,
	.server_owes = lmtp_server_owes,
	.server_is_needed = lmtp_server_is_needed,
};
