/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_relay.c: a client's commands and data once SMTP is relayed (RFC 5321,
 * PIPELINING RFC 2920, BDAT RFC 3030).  Only commands that are known to be
 * harmless reach a server; all else is answered here, in order.
 */
#include "proto/smtp_relay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "proto/capability.h"

enum { COMMAND_MAX = 2048 };

struct relay_verb {
	const char *name;
	/* Takes the line, `args` behind its verb, or sets a wish to wait. */
	void (*run)(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m);
	bool idles;			/* leads nowhere */
};

static void
consume(struct slice line, struct mediation *m)
{
	m->used += line.len;
}

/* Our own reply to a whole command. */
static void
answer(struct smtp_state *s, struct slice line, enum words words, struct mediation *m)
{
	consume(line, m);
	owed_say(s, OWED_OURS, words, m);
}

/* Nothing is owed before it. */
static void
answer_no_server(struct smtp_state *s, struct slice line, struct mediation *m)
{
	s->no_server = false;
	if (buf_len(&s->refusal) == 0) {
		answer(s, line, WORDS_NO_SERVER, m);
		return;
	}
	consume(line, m);
	buf_append_slice(&m->to_client, buf_slice(&s->refusal));
	buf_clear(&s->refusal);
}

static void
end(struct smtp_state *s, enum owed_kind kind, enum words words, struct mediation *m)
{
	s->mode = MODE_OVER;
	owed_say(s, kind, words, m);
}

static void
refuse(struct smtp_state *s, struct slice line, enum words words, struct mediation *m)
{
	answer(s, line, words, m);
	owed_count_error(s, m);
}

/* What is passed on joins what was passed on before, and what is ours stays in front. */
static void
send_own(struct slice data, struct mediation *m)
{
	buf_append_slice(&m->to_server, m->pass);
	buf_append_slice(&m->to_server, data);
	m->pass = slice_of(NULL);
}

static bool
ends_in_crlf(struct slice line)
{
	return line.len > 1 && line.data[line.len - 2] == '\r';
}

static void
pass_line(struct slice line, struct mediation *m)
{
	consume(line, m);
	if (ends_in_crlf(line)) {
		mediation_pass(m, &m->to_server, line);
	} else {
		send_own(slice_make(line.data, line.len - 1), m);
		buf_append_text(&m->to_server, "\r\n");
	}
}

/* May a command go to the server now?  If not, it waits for what comes from there. */
static bool
may_pass(const struct smtp_state *s, struct mediation *m)
{
	if (!owed_is_full(s) && (s->has_pipelining || s->owed_count == 0))
		return true;
	m->wish = WISH_WAIT;
	return false;
}

static void
forward(struct smtp_state *s, struct slice line, enum owed_kind kind, struct mediation *m)
{
	pass_line(line, m);
	owed_push(s, kind, false);
}

/* Which server it is for is known at the first recipient only. */
static void
hold_mail(struct smtp_state *s, struct slice line, struct slice from, struct mediation *m)
{
	smtp_relay_begin(s, from);
	buf_append_slice(&s->mail, slice_make(line.data, line.len - (ends_in_crlf(line) ? 2 : 1)));
	if (s->looks_up)
		buf_append_slice(&s->mail_line, buf_slice(&s->mail));
	buf_append_text(&s->mail, "\r\n");
	answer(s, line, WORDS_MAIL_OK, m);
}

/* Asked once for each command, though that may have to wait, and come again. */
static bool
is_taken(struct smtp_state *s, enum mediator_count what)
{
	if (!s->is_counted && s->takes != NULL && !s->takes(s->owner, what))
		return false;
	s->is_counted = true;
	return true;
}

static void
run_mail(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	struct slice from;

	if (!smtp_take_path(&args, "FROM", &from)) {
		refuse(s, line, WORDS_SYNTAX, m);
	} else if (s->owed_count > 0) {
		m->wish = WISH_WAIT;
	} else if (s->transaction_state == TRANSACTION_OPEN) {
		refuse(s, line, WORDS_NESTED_MAIL, m);
	} else if (!is_taken(s, MEDIATOR_MAIL)) {
		refuse(s, line, WORDS_TOO_MUCH_MAIL, m);
	} else if (s->asks_recipients || s->turned_down != NULL) {
		hold_mail(s, line, from, m);
	} else if (s->no_server) {
		answer_no_server(s, line, m);
	} else if (!s->is_chosen) {
		smtp_relay_forget(s);
		s->wants_server = true;
		m->wish = WISH_SERVER;
	} else {
		smtp_relay_begin(s, from);
		forward(s, line, OWED_MAIL, m);
	}
}

/* Whether the transaction is there that a command belongs to; if not, that was answered. */
static bool
is_within(struct smtp_state *s, struct slice line, struct mediation *m)
{
	if (s->transaction_state == TRANSACTION_NONE)
		refuse(s, line, WORDS_NO_MAIL, m);
	else if (s->transaction_state == TRANSACTION_LOST)
		answer(s, line, WORDS_LOST, m);
	return s->transaction_state == TRANSACTION_OPEN;
}

/* What would have sent the message is where a transaction without its server ends. */
static void
end_lost(struct smtp_state *s, struct slice line, struct mediation *m)
{
	consume(line, m);
	smtp_relay_tell_message(s, OWED_OURS, WORDS_LOST, m);
}

/* The first recipient, or one behind refused ones: the MAIL goes first, and alone. */
static void
begin_late(struct smtp_state *s, struct slice line, struct slice to, struct mediation *m)
{
	if (s->is_answered) {
		s->is_answered = false;
		smtp_relay_refused(s, to);
		consume(line, m);
	} else if (s->owed_count > 0) {
		m->wish = WISH_WAIT;
	} else if (s->no_server) {
		smtp_relay_refused(s, to);
		answer_no_server(s, line, m);
	} else if (!s->looks_up && (!s->is_chosen || s->is_elsewhere(s->owner, to))) {
		s->wants_server = true;
		m->recipient = to;
		m->wish = WISH_SERVER;
	} else {
		send_own(buf_slice(&s->mail), m);
		owed_push(s, OWED_LATE_MAIL, true);
		m->wish = WISH_WAIT;
	}
}

static bool
is_put_off(struct smtp_state *s, struct slice line, struct slice to, struct mediation *m)
{
	if (!s->asks_recipients || s->looks_up || !s->is_elsewhere(s->owner, to))
		return false;
	smtp_relay_refused(s, to);
	answer(s, line, WORDS_ELSEWHERE, m);
	return true;
}

static void
ask_about(struct smtp_state *s, struct slice line, struct slice to, struct mediation *m)
{
	s->judged = JUDGED_NOT;
	m->is_first = s->wants_server = buf_len(&s->mail) > 0;
	m->recipient = to;
	m->mail = buf_slice(&s->mail_line);
	m->command = slice_make(line.data, line.len - (ends_in_crlf(line) ? 2 : 1));
	m->wish = WISH_JUDGEMENT;
}

/* Whether the recipient may go on; if not, it was answered, or waits. */
static bool
is_judged_good(struct smtp_state *s, struct slice line, struct slice to, struct mediation *m)
{
	bool is_first = buf_len(&s->mail) > 0;

	if (is_first && (s->no_server || s->is_answered))
		return true;		/* that is its answer */
	if (s->judged != JUDGED_GOOD && s->owed_count > 0 && (is_first || s->judged != JUDGED_NOT)) {
		m->wish = WISH_WAIT;
		return false;
	}
	/* a server that was chosen for it may be gone again */
	if (s->judged == JUDGED_NOT || (s->judged == JUDGED_GOOD && is_first && !s->is_chosen)) {
		ask_about(s, line, to, m);
	} else if (s->judged != JUDGED_GOOD) {
		smtp_relay_refused(s, to);
		consume(line, m);
		buf_append_slice(&m->to_client, buf_slice(&s->judgement));
		if (s->judged == JUDGED_REFUSED && s->manners.counts_servers)
			owed_count_error(s, m);
	}
	return s->judged == JUDGED_GOOD;
}

static void
take_recipient(struct smtp_state *s, struct slice line, struct slice to, struct mediation *m)
{
	if (s->looks_up && !is_judged_good(s, line, to, m))
		return;
	if (buf_len(&s->mail) > 0) {
		begin_late(s, line, to, m);
	} else if (!is_put_off(s, line, to, m) && may_pass(s, m)) {
		buf_append(&s->transaction->asked, to.data,
		    to.len < PATH_MAX_LOGGED ? to.len : PATH_MAX_LOGGED);
		buf_append(&s->transaction->asked, "", 1);
		forward(s, line, OWED_RCPT, m);
	}
}

static void
count_recipient(struct smtp_state *s, struct slice line, struct slice to, struct mediation *m)
{
	if (!is_taken(s, MEDIATOR_RECIPIENT)) {
		smtp_relay_refused(s, to);
		refuse(s, line, WORDS_TOO_MANY_RECIPIENTS, m);
	} else if (s->turned_down != NULL) {
		smtp_relay_turn_down(s, to);
		refuse(s, line, WORDS_TURNED_DOWN, m);
	} else {
		take_recipient(s, line, to, m);
	}
}

static void
run_rcpt(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	size_t used = m->used;
	struct slice to;

	if (!smtp_take_path(&args, "TO", &to))
		refuse(s, line, WORDS_SYNTAX, m);
	else if (is_within(s, line, m))
		count_recipient(s, line, to, m);
	if (m->used > used)
		s->judged = JUDGED_NOT;
}

/* Who pipelines could not know, once, that the recipients before it are refused; all else is an error. */
static void
refuse_data(struct smtp_state *s, struct slice line, struct mediation *m)
{
	struct transaction *t = s->transaction;

	if (t->refused > 0 && !t->is_told)
		answer(s, line, WORDS_NO_RECIPIENT, m);
	else
		refuse(s, line, WORDS_NO_RECIPIENT, m);
	t->is_told = true;
}

static void
run_data(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	if (args.len > 0) {
		refuse(s, line, WORDS_SYNTAX, m);
	} else if (s->transaction_state == TRANSACTION_LOST) {
		end_lost(s, line, m);
	} else if (!is_within(s, line, m)) {
		return;
	} else if (buf_len(&s->mail) > 0) {
		refuse_data(s, line, m);
	} else if (s->is_chunked) {
		refuse(s, line, WORDS_MIXED, m);
	} else if (may_pass(s, m)) {
		forward(s, line, OWED_DATA, m);
		s->mode = MODE_DATA_ASKED;
	}
}

/* The octets that follow are no commands, whether they go anywhere or not. */
static void
begin_chunk(struct smtp_state *s, uint64_t octets, bool is_discarding)
{
	if (s->mode == MODE_OVER || octets == 0)
		return;
	s->mode = MODE_CHUNK;
	s->chunk_left = octets;
	s->is_discarding = is_discarding;
}

/* In our own spelling: who counts otherwise would take payload for commands. */
static void
send_chunk_size(struct smtp_state *s, struct slice line, uint64_t octets, bool is_last, struct mediation *m)
{
	char text[40];

	snprintf(text, sizeof(text), "BDAT %" PRIu64 "%s\r\n", octets, is_last ? " LAST" : "");
	consume(line, m);
	send_own(slice_of(text), m);
	owed_push(s, is_last ? OWED_FINAL : OWED_CHUNK, false);
}

static void
run_bdat(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	uint64_t octets;
	bool is_last;

	if (!smtp_take_chunk(args, &octets, &is_last)) {
		consume(line, m);
		end(s, OWED_OURS_FATAL, WORDS_CHUNK_SYNTAX, m);
	} else if (s->transaction_state == TRANSACTION_LOST && is_last) {
		end_lost(s, line, m);
		begin_chunk(s, octets, true);
	} else if (!is_within(s, line, m)) {
		begin_chunk(s, octets, true);
	} else if (buf_len(&s->mail) > 0) {
		refuse_data(s, line, m);
		begin_chunk(s, octets, true);
	} else if (!s->has_chunking) {
		/* another server may have what was offered */
		refuse(s, line, s->offers_chunking ? WORDS_NO_CHUNKS : WORDS_REFUSED, m);
		begin_chunk(s, octets, true);
	} else if (may_pass(s, m)) {
		send_chunk_size(s, line, octets, is_last, m);
		s->is_chunked = true;
		s->size += octets;
		begin_chunk(s, octets, false);
	}
}

/* Where a message was refused, only the server knows whether there still is a transaction. */
static void
run_rset(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	if (args.len > 0) {
		refuse(s, line, WORDS_SYNTAX, m);
		return;
	}
	if (!s->has_server)
		answer(s, line, WORDS_OK, m);
	else if (may_pass(s, m))
		forward(s, line, OWED_NOTHING_ELSE, m);
	else
		return;
	smtp_relay_give_up(s, m);
}

static void
run_noop(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	(void)args;
	if (!s->has_server)
		answer(s, line, WORDS_OK, m);
	else if (may_pass(s, m))
		forward(s, line, OWED_NOTHING_ELSE, m);
}

/* A greeting within a session is a RSET too (RFC 5321 section 4.1.4). */
static void
greet_anew(struct smtp_state *s, struct slice line, struct slice args, enum words words, struct mediation *m)
{
	if (!smtp_helo_is_valid(args)) {
		refuse(s, line, WORDS_SYNTAX, m);
		return;
	}
	if (s->has_server) {
		if (!may_pass(s, m))
			return;
		send_own(slice_of("RSET\r\n"), m);
		owed_push(s, OWED_NOTHING_ELSE, true);
	}
	smtp_relay_give_up(s, m);
	answer(s, line, words, m);
}

static void
run_ehlo(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	greet_anew(s, line, args, WORDS_EHLO, m);
}

static void
run_helo(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	greet_anew(s, line, args, WORDS_HELO, m);
}

static void
run_quit(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	(void)args;
	if (s->has_server && !may_pass(s, m))
		return;
	if (s->has_server)
		send_own(slice_of("QUIT\r\n"), m);
	consume(line, m);
	end(s, OWED_OURS_DONE, WORDS_BYE, m);
}

static void
run_help(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	(void)args;
	answer(s, line, WORDS_HELP, m);
}

static void
run_auth(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	(void)args;
	refuse(s, line, s->identity->user != NULL ? WORDS_AUTHENTICATED : WORDS_REFUSED, m);
}

static void
run_starttls(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	(void)args;
	refuse(s, line, WORDS_TLS_NOW, m);
}

static void
run_refused(struct smtp_state *s, struct slice line, struct slice args, struct mediation *m)
{
	(void)args;
	refuse(s, line, WORDS_REFUSED, m);
}

static const struct relay_verb verbs[] = {
	/* name, what it does, and whether it leads nowhere */
	{ "MAIL", run_mail, false },
	{ "RCPT", run_rcpt, false },
	{ "DATA", run_data, false },
	{ "BDAT", run_bdat, false },
	{ "RSET", run_rset, true },
	{ "NOOP", run_noop, true },
	{ "QUIT", run_quit, false },
	{ "EHLO", run_ehlo, true },
	{ "HELO", run_helo, true },
	{ "AUTH", run_auth, false },
	{ "STARTTLS", run_starttls, false },
	{ "HELP", run_help, false },
	{ "VRFY", run_refused, true },
	{ "EXPN", run_refused, false },
	{ "ETRN", run_refused, true },
	{ 0 }
};

/* Last words to a line that is no client's of ours, or leads out of step. */
static void
end_by(struct smtp_state *s, struct slice line, enum words words, struct mediation *m)
{
	consume(line, m);
	end(s, OWED_OURS_FATAL, words, m);
}

static void
run_unknown(struct smtp_state *s, struct slice line, struct slice word, struct mediation *m)
{
	if (smtp_is_foreign(slice_make(line.data, line.len - 1), word))
		end_by(s, line, WORDS_FOREIGN, m);
	else
		refuse(s, line, slice_has_prefix_nocase(word, "X") ? WORDS_NOT_YOURS : WORDS_UNKNOWN, m);
}

/* A line that is no command at all; where octets were to follow it, they are not taken for commands. */
static void
refuse_line(struct smtp_state *s, struct slice line, enum words words, struct mediation *m)
{
	if (slice_has_prefix_nocase(slice_trim(line), "BDAT"))
		end_by(s, line, WORDS_CHUNK_SYNTAX, m);
	else
		refuse(s, line, words, m);
}

/* One line with its end. */
static void
run_line(struct smtp_state *s, struct slice line, struct mediation *m)
{
	struct slice text = slice_make(line.data, line.len - (ends_in_crlf(line) ? 2 : 1));
	struct slice rest = text, word;
	size_t used = m->used;
	bool is_bare = s->bare_newline == BARE_NEWLINE_REJECT && !ends_in_crlf(line);

	if (smtp_is_no_verb(text)) {
		end_by(s, line, WORDS_FOREIGN, m);
		return;
	}
	if (is_bare || !smtp_is_clean(text) || slice_has_prefix_nocase(text, " ")) {
		refuse_line(s, line, is_bare ? WORDS_BARE_NEWLINE : WORDS_SYNTAX, m);
		return;
	}
	word = slice_word(&rest);
	for (const struct relay_verb *verb = verbs; verb->name != NULL; verb++)
		if (slice_equals_nocase(word, verb->name)) {
			verb->run(s, line, slice_trim(rest), m);
			if (m->used == used)
				return;
			s->is_counted = false;
			if (verb->idles && s->mode != MODE_OVER && manners_idle(&s->manners))
				owed_count_error(s, m);
			return;
		}
	run_unknown(s, line, word, m);
}

/* Of a client with bad manners one command is taken at a time, and each waits for its turn. */
static bool
has_to_wait(const struct smtp_state *s, struct mediation *m)
{
	if (!manners_are_bad(&s->manners) || (s->owed_count == 0 && s->has_waited))
		return false;
	m->wish = s->owed_count > 0 ? WISH_WAIT : WISH_DELAY;
	return true;
}

static void
take_commands(struct smtp_state *s, struct slice in, struct mediation *m)
{
	while (s->mode == MODE_COMMAND && m->wish == WISH_GO_ON && !m->has_message) {
		struct slice rest = slice_from(in, m->used);
		const char *newline = rest.len > 0 ? memchr(rest.data, '\n', rest.len) : NULL;
		size_t len = newline != NULL ? (size_t)(newline - rest.data) + 1 : rest.len;

		if (len > COMMAND_MAX) {
			consume(rest, m);
			end(s, OWED_OURS_FATAL, WORDS_TOO_LONG, m);
		} else if (newline == NULL) {
			m->wish = WISH_MORE;
		} else if (owed_is_full(s) || owed_is_final(s)) {
			/* what comes behind a message means what its reply makes of it */
			m->wish = WISH_WAIT;
		} else if (!has_to_wait(s, m)) {
			run_line(s, slice_make(rest.data, len), m);
			if (rest.data != in.data + m->used && s->owed_count == 0)
				s->has_waited = false;
		}
	}
}

static void
end_data(struct smtp_state *s, struct mediation *m)
{
	s->mode = MODE_COMMAND;
	s->size = s->data.size;
	if (s->is_rejected) {
		/* what comes behind may be data to somebody else: it must not be taken for commands */
		s->mode = MODE_OVER;
		smtp_relay_tell_message(s, OWED_OURS_FATAL, WORDS_BARE_NEWLINE_DATA, m);
	} else if (s->is_discarding) {
		smtp_relay_tell_message(s, OWED_OURS, WORDS_LOST, m);
	} else {
		owed_push(s, OWED_FINAL, false);
	}
	if (s->data.policy == BARE_NEWLINE_NORMALIZE && (s->data.has_bare_cr || s->data.has_bare_lf))
		m->why = "bare CR or LF in data was made CRLF";
}

static void
take_data(struct smtp_state *s, struct slice in, struct mediation *m)
{
	bool has_bare, is_end = smtp_data_take(&s->data, in, &m->used, &m->pass, &m->to_server);

	has_bare = s->data.has_bare_cr || s->data.has_bare_lf;
	if (has_bare && s->data.policy == BARE_NEWLINE_REJECT && !s->is_rejected && !s->is_discarding) {
		/* what the server has of the message must never end there */
		s->is_rejected = true;
		s->has_server = s->is_chosen = false;
		m->why = "bare CR or LF in data";
		m->wish = WISH_NO_SERVER;
	}
	if (s->is_rejected || s->is_discarding) {
		m->pass = slice_of(NULL);
		buf_clear(&m->to_server);
	}
	if (is_end)
		end_data(s, m);
	else if (m->used == in.len && m->wish == WISH_GO_ON)
		m->wish = WISH_MORE;
}

static void
take_chunk(struct smtp_state *s, struct slice in, struct mediation *m)
{
	m->used = s->chunk_left < in.len ? (size_t)s->chunk_left : in.len;
	s->chunk_left -= m->used;
	if (!s->is_discarding)
		m->pass = slice_make(in.data, m->used);
	if (s->chunk_left == 0)
		s->mode = MODE_COMMAND;
}

static void
on_client(void *state, struct slice in, struct mediation *m)
{
	struct smtp_state *s = state;

	smtp_relay_begin_call(s);
	switch (s->mode) {
	case MODE_COMMAND:
		take_commands(s, in, m);
		break;
	case MODE_DATA_ASKED:
		m->wish = WISH_WAIT;
		break;
	case MODE_DATA:
		take_data(s, in, m);
		break;
	case MODE_CHUNK:
		take_chunk(s, in, m);
		break;
	case MODE_OVER:
		m->used = in.len;
		break;
	}
}

static void
on_waited(void *state)
{
	struct smtp_state *s = state;

	s->has_waited = true;
}

static void
on_server_came(void *state, const struct slice *capabilities)
{
	struct smtp_state *s = state;

	s->has_server = s->is_chosen = true;
	s->wants_server = false;
	if (capabilities == NULL)
		return;
	s->has_pipelining = capability_has(*capabilities, "PIPELINING");
	s->has_chunking = capability_has(*capabilities, "CHUNKING");
}

static void
init(void *state, const struct mediator_order *order)
{
	struct smtp_state *s = state;
	struct buf ehlo = { 0 };

	*s = (struct smtp_state){
		.identity = order->identity,
		.bare_newline = order->bare_newline,
		.manners = order->manners,
		.offers_chunking = capability_has(order->offer, "CHUNKING"),
		.chooses_anew = order->chooses_anew,
		.asks_recipients = order->asks_recipients,
		.looks_up = order->looks_up,
		.is_elsewhere = order->is_elsewhere,
		.takes = order->takes,
		.owner = order->owner,
		.turned_down = order->turned_down,
	};
	smtp_write_ehlo(&ehlo, order->hostname, order->offer, 0, 0);
	s->ehlo = xstrndup(buf_data(&ehlo), buf_len(&ehlo));
	s->helo = xasprintf("250 %s\r\n", order->hostname);
	buf_clear(&ehlo);
}

static void
clear(void *state)
{
	struct smtp_state *s = state;

	smtp_relay_forget(s);
	smtp_relay_begin_call(s);
	buf_clear(&s->refusal);
	buf_clear(&s->judgement);
	xfree(s->ehlo);
	xfree(s->helo);
	s->ehlo = s->helo = NULL;
}

static bool
at_boundary(const void *state)
{
	const struct smtp_state *s = state;

	/* one that was lost with its server is no more than a word that the client has not had */
	return s->owed_count == 0 && s->mode == MODE_COMMAND && s->transaction_state != TRANSACTION_OPEN;
}

static bool
server_owes(const void *state)
{
	const struct smtp_state *s = state;

	/* but for the reply to a chunk that it does not have yet */
	return s->owed_count > (s->mode == MODE_CHUNK && !s->is_discarding ? 1 : 0);
}

static bool
may_speak(const void *state)
{
	const struct smtp_state *s = state;

	/* within a message, too, as long as nobody has the end of it */
	return s->mode != MODE_OVER && !server_owes(state);
}

static void
on_end(void *state, struct mediation *m)
{
	struct smtp_state *s = state;

	smtp_relay_begin_call(s);
	smtp_relay_give_up(s, m);
}

static bool
takes_payload(const void *state)
{
	const struct smtp_state *s = state;

	return s->mode == MODE_DATA || s->mode == MODE_CHUNK;
}

static bool
awaits_final(const void *state)
{
	return owed_is_final(state);
}

const struct mediator smtp_mediator = {
	.size = sizeof(struct smtp_state),
	.init = init,
	.clear = clear,
	.server_came = on_server_came,
	.server_gone = smtp_relay_server_gone,
	.refused = smtp_relay_server_refused,
	.judged = smtp_relay_judged,
	.waited = on_waited,
	.client = on_client,
	.server = smtp_relay_server,
	.end = on_end,
	.at_boundary = at_boundary,
	.may_speak = may_speak,
	.server_owes = server_owes,
	.takes_payload = takes_payload,
	.awaits_final = awaits_final,
};
