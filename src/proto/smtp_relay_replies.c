/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_relay_replies.c: replies are matched with commands in their order,
 * ours among the server's.  A reply to a message is only ever the server's
 * own: without one it is 451.
 */
#include "proto/smtp_relay.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"
#include "proto/answer_code.h"
#include "proto/reply.h"

enum {
	RECIPIENTS_MAX = 4096,		/* octets of recipients that are logged */
	ANSWER_MAX = 512		/* and of a refusal */
};

static const char *const texts[] = {
	[WORDS_OK]                = "250 2.0.0 Ok\r\n",
	[WORDS_TOO_MUCH_MAIL]     = "much mail",
	[WORDS_TOO_MANY_RECIPIENTS] = "many recipients",
	[WORDS_BYE]               = "221 2.0.0 Goodbye\r\n",
	[WORDS_HELP]              = "214 2.0.0 See RFC 5321\r\n",
	[WORDS_EHLO]              = NULL,
	[WORDS_HELO]              = NULL,
	[WORDS_MAIL_OK]           = "250 2.1.0 Ok\r\n",
	[WORDS_NO_RECIPIENT]      = "503 5.5.1 There is no recipient\r\n",
	[WORDS_TURNED_DOWN]       = NULL,
	[WORDS_ELSEWHERE]         = "451 4.3.0 Send to this recipient in a mail of its own\r\n",
	[WORDS_NO_MAIL]           = "503 5.5.1 MAIL comes first\r\n",
	[WORDS_NESTED_MAIL]       = "503 5.5.1 There is a MAIL already\r\n",
	[WORDS_MIXED]             = "503 5.5.1 DATA cannot follow BDAT\r\n",
	[WORDS_AUTHENTICATED]     = "503 5.5.1 You are logged in already\r\n",
	[WORDS_TLS_NOW]           = "503 5.5.1 It is too late for TLS\r\n",
	[WORDS_REFUSED]           = "502 5.5.1 Command is not available\r\n",
	[WORDS_NO_CHUNKS]         = "451 4.3.0 This server takes no chunks, try again later\r\n",
	[WORDS_NOT_YOURS]         = "550 5.7.0 Command is not for you\r\n",
	[WORDS_UNKNOWN]           = "500 5.5.2 Command is not known\r\n",
	[WORDS_SYNTAX]            = "501 5.5.4 Command or argument is malformed\r\n",
	[WORDS_TOO_LONG]          = "500 5.5.2 Line is too long\r\n",
	[WORDS_BARE_NEWLINE]      = "500 5.5.2 Line ends without CR\r\n",
	[WORDS_BARE_NEWLINE_DATA] = "550 5.5.2 Message has CR or LF that stand alone\r\n",
	[WORDS_CHUNK_SYNTAX]      = "501 5.5.4 Chunk size is malformed\r\n",
	[WORDS_FOREIGN]           = "221 2.7.0 Error: I can break rules, too. Goodbye.\r\n",
	[WORDS_TOO_MANY]          = NULL,
	[WORDS_LOST]              = "451 4.3.0 Mail server was lost, try again later\r\n",
	[WORDS_NO_SERVER]         = "451 4.3.2 No mail server is available, try again later\r\n",
};
static_assert(sizeof(texts) / sizeof(texts[0]) == WORDS_COUNT, "a text for all our words");

static const char *
text_of(const struct smtp_state *s, enum words words)
{
	if (words == WORDS_EHLO)
		return s->ehlo;
	if (words == WORDS_TURNED_DOWN)
		return s->turned_down;
	return words == WORDS_HELO ? s->helo : texts[words];
}

/* What was to be passed to the client comes first. */
static void
say(struct mediation *m, const char *text)
{
	buf_append_slice(&m->to_client, m->pass);
	m->pass = slice_of(NULL);
	buf_append_text(&m->to_client, text);
}

static void
say_ours(const struct smtp_state *s, enum owed_kind kind, enum words words, struct mediation *m)
{
	if (words == WORDS_TOO_MANY)
		manners_write_end(slice_of(s->helo), &m->to_client);
	else if (words == WORDS_TOO_MUCH_MAIL || words == WORDS_TOO_MANY_RECIPIENTS)
		manners_write_pace(texts[words], &s->identity->client, &m->to_client);
	else
		buf_append_text(&m->to_client, text_of(s, words));
	if (kind == OWED_OURS_DONE)
		m->wish = WISH_DONE;
	if (kind == OWED_OURS_FATAL)
		m->wish = words == WORDS_TOO_MANY ? WISH_TOO_MANY : WISH_FATAL;
}

bool
owed_is_full(const struct smtp_state *s)
{
	/* a greeting is owed two, and last words may stand behind them */
	return s->owed_count > OWED_MAX - 3;
}

static struct owed *
append(struct smtp_state *s)
{
	assert(s->owed_count < OWED_MAX);
	return &s->owed[(s->owed_first + s->owed_count++) % OWED_MAX];
}

void
owed_push(struct smtp_state *s, enum owed_kind kind, bool is_hidden)
{
	*append(s) = (struct owed){ .kind = (uint8_t)kind, .is_hidden = is_hidden };
}

void
owed_say(struct smtp_state *s, enum owed_kind kind, enum words words, struct mediation *m)
{
	if (s->owed_count == 0)
		say_ours(s, kind, words, m);
	else
		*append(s) = (struct owed){ .kind = (uint8_t)kind, .words = (uint8_t)words };
}

static void
end_by_errors(struct smtp_state *s, struct mediation *m)
{
	if (s->mode != MODE_OVER)
		owed_say(s, OWED_OURS_FATAL, WORDS_TOO_MANY, m);
	s->mode = MODE_OVER;
}

void
owed_count_error(struct smtp_state *s, struct mediation *m)
{
	manners_err(&s->manners);
	if (manners_are_spent(&s->manners))
		end_by_errors(s, m);
}

static struct owed
take_first(struct smtp_state *s)
{
	struct owed owed = s->owed[s->owed_first];

	s->owed_first = (s->owed_first + 1) % OWED_MAX;
	s->owed_count--;
	return owed;
}

static bool
is_ours(const struct owed *owed)
{
	return owed->kind <= OWED_OURS_FATAL;
}

bool
owed_is_final(const struct smtp_state *s)
{
	for (uint32_t i = 0; i < s->owed_count; i++)
		if (s->owed[(s->owed_first + i) % OWED_MAX].kind == OWED_FINAL)
			return true;
	return false;
}

/* Our own words that nothing else is owed before any more. */
static void
say_due(struct smtp_state *s, struct mediation *m)
{
	while (s->owed_count > 0 && is_ours(&s->owed[s->owed_first])) {
		struct owed owed = take_first(s);

		s->has_waited = false;
		say(m, "");
		say_ours(s, owed.kind, owed.words, m);
	}
}

static void
free_transaction(struct transaction **transaction)
{
	struct transaction *t = *transaction;

	*transaction = NULL;
	if (t == NULL)
		return;
	buf_clear(&t->from);
	buf_clear(&t->asked);
	buf_clear(&t->recipients);
	buf_clear(&t->refused_recipients);
	buf_clear(&t->answer);
	xfree(t);
}

void
smtp_relay_begin_call(struct smtp_state *s)
{
	free_transaction(&s->told);
}

void
smtp_relay_forget(struct smtp_state *s)
{
	free_transaction(&s->transaction);
	buf_clear(&s->mail);
	buf_clear(&s->mail_line);
	s->is_answered = false;
	s->transaction_state = TRANSACTION_NONE;
	s->is_chosen = s->has_server && !s->chooses_anew;
}

void
smtp_relay_begin(struct smtp_state *s, struct slice from)
{
	smtp_relay_forget(s);
	s->transaction = xcalloc(1, sizeof(*s->transaction));
	buf_append(&s->transaction->from, from.data, from.len < PATH_MAX_LOGGED ? from.len : PATH_MAX_LOGGED);
	s->transaction_state = TRANSACTION_OPEN;
	s->is_chunked = s->is_rejected = false;
	s->size = 0;
}

static void
tell(struct smtp_state *s, struct slice reply, bool is_accepted, struct mediation *m)
{
	struct transaction *t = s->transaction;

	s->transaction = NULL;
	smtp_relay_forget(s);
	if (t == NULL)
		return;
	free_transaction(&s->told);
	s->told = t;
	m->has_message = true;
	m->message = (struct mediated_message){
		.from = buf_slice(&t->from),
		.recipients = buf_slice(&t->recipients),
		.refused_recipients = buf_slice(&t->refused_recipients),
		.accepted = t->accepted,
		.refused = t->refused,
		.size = s->size,
		.reply = reply,
		.is_accepted = is_accepted,
	};
}

/* What no server has had is nobody's business. */
void
smtp_relay_give_up(struct smtp_state *s, struct mediation *m)
{
	struct transaction *t = s->transaction;
	bool has_happened = t != NULL && t->accepted + t->refused > 0;

	if (has_happened) {
		tell(s, buf_slice(&t->answer), false, m);
		m->message.is_ours = buf_len(&t->answer) == 0 || s->turned_down != NULL;
	}
	smtp_relay_forget(s);
}

void
smtp_relay_tell_message(struct smtp_state *s, enum owed_kind kind, enum words words, struct mediation *m)
{
	owed_say(s, kind, words, m);
	tell(s, slice_trim(slice_of(text_of(s, words))), false, m);
	m->message.is_ours = true;
}

static void
list_recipient(struct buf *list, struct slice address)
{
	if (buf_len(list) + address.len >= RECIPIENTS_MAX)
		return;
	buf_append_text(list, buf_len(list) > 0 ? ", " : "");
	buf_append_slice(list, address);
}

void
smtp_relay_refused(struct smtp_state *s, struct slice recipient)
{
	s->transaction->refused++;
	list_recipient(&s->transaction->refused_recipients, recipient);
}

void
smtp_write_refusal(struct buf *out, bool may_be_final, const char *code, const char *reason)
{
	bool is_temporary;
	struct slice own = code_take_smtp(slice_of(code), &is_temporary);

	/* whom nobody knows now may be known tomorrow: only who is asked can say that it is for good */
	if (own.len == 0 || (!may_be_final && !is_temporary))
		own = slice_of("451 4.3.0");
	buf_append_slice(out, own);
	buf_append_text(out, " ");
	if (reason != NULL && *reason != '\0')
		reply_write_text(out, slice_of(reason));
	else
		buf_append_text(out, own.data[0] == '5' ? "Recipient is refused" :
		    "Nobody can say now where this recipient belongs");
	buf_append_text(out, "\r\n");
}

void
smtp_relay_judged(void *state, enum judgement judgement, const char *code, const char *reason)
{
	struct smtp_state *s = state;

	s->judged = judgement;
	if (judgement == JUDGED_GOOD)
		return;
	s->wants_server = false;
	buf_clear(&s->judgement);
	if (judgement == JUDGED_ELSEWHERE)
		buf_append_text(&s->judgement, texts[WORDS_ELSEWHERE]);
	else
		smtp_write_refusal(&s->judgement, judgement != JUDGED_LATER, code, reason);
}

/* The first recipient whose reply was to come. */
static void
count_recipient(struct smtp_state *s, bool is_accepted)
{
	struct transaction *t = s->transaction;
	struct slice address;

	if (t == NULL || buf_len(&t->asked) == 0)
		return;
	address = slice_of(buf_data(&t->asked));
	if (is_accepted) {
		t->accepted++;
		list_recipient(&t->recipients, address);
	} else {
		smtp_relay_refused(s, address);
	}
	buf_consume(&t->asked, address.len + 1);
}

void
smtp_relay_turn_down(struct smtp_state *s, struct slice recipient)
{
	struct buf *answer = &s->transaction->answer;

	smtp_relay_refused(s, recipient);
	buf_clear(answer);
	buf_append_slice(answer, slice_trim(slice_of(s->turned_down)));
}

static void
keep_answer(struct smtp_state *s, struct slice line)
{
	if (s->transaction == NULL)
		return;
	buf_clear(&s->transaction->answer);
	buf_append(&s->transaction->answer, line.data, line.len < ANSWER_MAX ? line.len : ANSWER_MAX);
}

/* Can this be the reply to that? */
static bool
fits(enum owed_kind kind, int code)
{
	if (kind == OWED_DATA)
		return code == 354 || code / 100 > 3;
	return code / 100 != 3;
}

static void
take_reply(struct smtp_state *s, enum owed_kind kind, int code, struct slice line, struct mediation *m)
{
	bool is_accepted = code / 100 == 2;

	if (code >= 400)
		keep_answer(s, line);
	switch (kind) {
	case OWED_MAIL:
		if (!is_accepted)
			tell(s, line, false, m);
		break;
	case OWED_LATE_MAIL:
		if (is_accepted)
			buf_clear(&s->mail);
		s->is_answered = !is_accepted;
		break;
	case OWED_RCPT:
		count_recipient(s, is_accepted);
		break;
	case OWED_DATA:
		s->mode = code == 354 ? MODE_DATA : MODE_COMMAND;
		s->is_discarding = false;
		smtp_data_start(&s->data, s->bare_newline);
		break;
	case OWED_FINAL:
		tell(s, line, is_accepted, m);
		if (is_accepted)
			manners_forgive(&s->manners);
		break;
	default:
		break;
	}
}

static void
lose_server(struct smtp_state *s, const char *why, struct slice words, struct mediation *m)
{
	m->why = why;
	m->words = words;
	m->is_fault = s->owed_count > 0 || s->transaction_state == TRANSACTION_OPEN;
	smtp_relay_server_gone(s, m);
	if (m->wish == WISH_GO_ON)
		m->wish = WISH_NO_SERVER;
}

/* Says that a chunk was taken that is still being sent? */
static bool
is_early(const struct smtp_state *s, int code)
{
	return code / 100 == 2 && s->mode == MODE_CHUNK && !s->is_discarding && s->owed_count == 1;
}

/* What the server refuses may be the last error; but who has a whole message waits for its reply. */
static void
pass_reply(struct smtp_state *s, struct slice whole, int code, struct mediation *m)
{
	mediation_pass(m, &m->to_client, whole);
	s->has_waited = false;
	if (code < 400 || !s->manners.counts_servers)
		return;
	manners_err(&s->manners);
	if (!manners_are_spent(&s->manners) || s->mode == MODE_OVER)
		return;
	if (!owed_is_final(s))
		s->owed_count = 0;
	say(m, "");
	end_by_errors(s, m);
}

/* Is the reply that has come one that the client gets, and late?  An accepted mail is forgiven for first. */
static bool
is_late(const struct smtp_state *s, int code)
{
	const struct owed *first = &s->owed[s->owed_first];

	if (s->owed_count == 0 || first->is_hidden || (first->kind == OWED_FINAL && code / 100 == 2))
		return false;
	return manners_are_bad(&s->manners) && !s->has_waited && code != 421;
}

/* All lines of a reply; `last` is the last. */
static void
run_reply(struct smtp_state *s, struct slice whole, struct slice last, int code, struct mediation *m)
{
	struct owed owed;

	if (code == 421 || s->owed_count == 0) {
		lose_server(s, code == 421 ? "the server takes its leave" : "reply to nothing", last, m);
	} else if (!fits(s->owed[s->owed_first].kind, code) || is_early(s, code)) {
		lose_server(s, "reply to something else", last, m);
	} else {
		owed = take_first(s);
		take_reply(s, owed.kind, code, last, m);
		/* a refused MAIL is the answer to the recipient it was sent for */
		owed.is_hidden = owed.is_hidden && !(owed.kind == OWED_LATE_MAIL && s->is_answered);
		if (!owed.is_hidden)
			pass_reply(s, whole, code, m);
		else if (code / 100 != 2)
			lose_server(s, "the server forgets no transaction", last, m);
		say_due(s, m);
	}
}

void
smtp_relay_server(void *state, struct slice in, struct mediation *m)
{
	struct smtp_state *s = state;

	smtp_relay_begin_call(s);
	while (m->used < in.len && m->wish == WISH_GO_ON && !m->has_message) {
		struct slice whole, last;
		int code;

		switch (smtp_find_reply(slice_from(in, m->used), &whole, &last, &code)) {
		case SMTP_FOUND_PART:
			m->wish = WISH_MORE;
			break;
		case SMTP_FOUND_GARBAGE:
			lose_server(s, "garbled reply", slice_of(NULL), m);
			break;
		case SMTP_FOUND_WHOLE:
			if (is_late(s, code)) {
				m->wish = WISH_DELAY;
				break;
			}
			m->used += whole.len;
			run_reply(s, whole, last, code, m);
			break;
		}
	}
}

void
smtp_relay_server_refused(void *state, struct slice words)
{
	struct smtp_state *s = state;
	struct smtp_reply reply;

	buf_clear(&s->refusal);
	if (!smtp_take_reply(words, &reply) || !reply.is_last || reply.code < 500 || !smtp_is_clean(words))
		return;
	buf_append_slice(&s->refusal, words);
	buf_append_text(&s->refusal, "\r\n");
}

static void
settle_owed(struct smtp_state *s, struct mediation *m)
{
	while (s->owed_count > 0) {
		struct owed owed = take_first(s);

		if (owed.is_hidden)
			continue;
		s->has_waited = false;
		say(m, "");
		if (is_ours(&owed))
			say_ours(s, owed.kind, owed.words, m);
		else
			say(m, texts[owed.kind == OWED_NOTHING_ELSE ? WORDS_OK : WORDS_LOST]);
		if (owed.kind == OWED_DATA || owed.kind == OWED_FINAL) {
			tell(s, slice_trim(slice_of(texts[WORDS_LOST])), false, m);
			m->message.is_ours = true;
		}
	}
}

void
smtp_relay_server_gone(void *state, struct mediation *m)
{
	struct smtp_state *s = state;

	smtp_relay_begin_call(s);
	s->no_server = s->wants_server;
	s->has_server = s->is_chosen = s->wants_server = false;
	settle_owed(s, m);
	if (s->mode == MODE_DATA_ASKED)
		s->mode = MODE_COMMAND;
	if (s->mode == MODE_DATA || s->mode == MODE_CHUNK)
		s->is_discarding = true;
	/* a MAIL that no server has had can go to another */
	if (s->transaction_state == TRANSACTION_OPEN && !(s->no_server && buf_len(&s->mail) > 0))
		s->transaction_state = TRANSACTION_LOST;
}
