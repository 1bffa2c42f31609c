/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transcript.c: lines, literals and messages told apart in each direction.  Where it is in doubt, a size is
 * shown: what comes before the login's answer, and is no command that is known to be harmless, may be secret.
 */
#include "proto/transcript.h"

#include <string.h>

#include "base/digest.h"

enum { HEAD_WORDS = 2 };	/* the tag and the verdict */

static void
tell(struct transcript *t, enum transcript_side side, struct slice text)
{
	t->on_line(t, side, text);
}

/* "text [12 octets]" */
static void
tell_size(struct transcript *t, enum transcript_side side, struct slice text, uint64_t size, const char *what)
{
	struct buf out = { 0 };

	buf_append_slice(&out, text);
	buf_printf(&out, "%s[%llu octets%s]", text.len > 0 ? " " : "", (unsigned long long)size, what);
	tell(t, side, buf_slice(&out));
	buf_clear(&out);
}

static void
tell_counted(struct transcript *t, enum transcript_side side, const char *what)
{
	struct transcript_flow *flow = &t->flows[side];

	if (flow->counted > 0)
		tell_size(t, side, slice_make(NULL, 0), flow->counted, what);
	flow->counted = 0;
}

static bool
is_known(const struct transcript *t)
{
	return t->proto->verbs != NULL;
}

static bool
has_literals(const struct transcript *t)
{
	return t->proto->max_literals > 0;
}

/* "{12}", "{12+}": what a line ends with; false: no literal follows. */
static bool
ends_with_literal(const struct transcript_flow *flow, uint64_t *size)
{
	struct slice line = slice_trim(slice_make(flow->tail, flow->tail_len));
	size_t open = line.len;
	struct slice digits;

	if (line.len < 3 || line.data[line.len - 1] != '}')
		return false;
	while (open > 0 && line.data[open - 1] != '{')
		open--;
	if (open == 0)
		return false;
	digits = slice_make(line.data + open, line.len - 1 - open);
	if (digits.len > 0 && digits.data[digits.len - 1] == '+')
		digits.len--;
	return slice_to_number(digits, INT64_MAX, size);
}

static struct slice
head_word(struct slice line)
{
	const char *blank = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;

	return blank != NULL ? slice_make(line.data, (size_t)(blank - line.data)) : line;
}

/* Its name in the line, behind the tag; NULL: none that is known. */
static const struct verb *
find_verb(const struct transcript *t, struct slice line, struct slice *name)
{
	if (t->proto->is_tagged)
		line = slice_from(line, head_word(line).len + 1);
	*name = head_word(line);
	for (const struct verb *verb = t->proto->verbs; verb->name != NULL; verb++)
		if ((verb->flags & VERB_PREFIX) == 0 && slice_equals_nocase(*name, verb->name))
			return verb;
	return NULL;
}

/* What was cut off is counted; what is no text, too. */
static void
show(struct transcript *t, enum transcript_side side, struct slice line)
{
	size_t len = t->flows[side].len;

	if (!slice_is_printable(line))
		tell_size(t, side, slice_make(NULL, 0), len, ", not text");
	else if (len > line.len)
		tell_size(t, side, line, len - line.len, " more");
	else
		tell(t, side, line);
}

static void
show_head(struct transcript *t, enum transcript_side side, struct slice line, struct slice end)
{
	struct slice head = slice_make(line.data, (size_t)(end.data + end.len - line.data));
	size_t len = t->flows[side].len;

	if (len > head.len && slice_is_printable(head))
		tell_size(t, side, head, len - head.len, "");
	else
		show(t, side, head);
}

static void
mask(struct transcript *t, enum transcript_side side)
{
	tell_size(t, side, slice_make(NULL, 0), t->flows[side].len, "");
}

static bool
is_command(const char *command, struct slice name)
{
	return command != NULL && slice_equals_nocase(name, command);
}

/* What a command announces. */
static void
note_command(struct transcript *t, struct slice line, struct slice name)
{
	struct slice rest = slice_from(line, (size_t)(name.data - line.data) + name.len), word;
	uint64_t size;

	t->owed++;
	if (is_command(t->proto->data_command, name))
		t->awaits_data = true;
	word = slice_word(&rest);
	if (is_command(t->proto->chunk_command, name) && slice_to_number(word, INT64_MAX, &size))
		t->flows[TRANSCRIPT_CLIENT].literal = size;
}

/* True: nothing but its size is shown, nor of what follows it behind a literal. */
static bool
take_command(struct transcript *t, struct slice line)
{
	const struct verb *verb;
	struct slice name;

	if (t->is_exchange) {
		t->is_exchange = false;
		mask(t, TRANSCRIPT_CLIENT);
		return true;
	}
	verb = find_verb(t, line, &name);
	if (verb != NULL && (verb->flags & VERB_SECRET) != 0) {
		t->secrets++;
		t->owed++;
		show_head(t, TRANSCRIPT_CLIENT, line, name);
		return true;
	}
	if (t->secrets > 0 || (!t->is_settled && verb == NULL)) {
		mask(t, TRANSCRIPT_CLIENT);
		return true;
	}
	note_command(t, line, name);
	show(t, TRANSCRIPT_CLIENT, line);
	return false;
}

static bool
take_client(struct transcript *t, struct slice line)
{
	const struct transcript_flow *flow = &t->flows[TRANSCRIPT_CLIENT];

	if (!flow->is_continued)
		return take_command(t, line);
	/* a literal that was refused never comes, and what is taken for its end may be a login */
	if ((flow->is_masked || !t->is_settled) && flow->len > 0)
		mask(t, TRANSCRIPT_CLIENT);
	else if (flow->len > 0)
		show(t, TRANSCRIPT_CLIENT, line);
	return flow->is_masked;
}

/* What stands before the challenge in the line that asks for a response. */
static bool
is_challenge(const struct transcript *t, struct slice line, size_t *prefix)
{
	const char *prompt = t->proto->sasl_prompt, *percent = prompt != NULL ? strchr(prompt, '%') : NULL;

	if (percent == NULL || t->secrets == 0)
		return false;
	*prefix = (size_t)(percent - prompt);
	if (line.len + 1 == *prefix && line.data[line.len - 1] != ' ')
		*prefix = line.len;		/* "+" alone */
	return line.len >= *prefix && memcmp(line.data, prompt, *prefix) == 0;
}

/* "+OK": does a reply begin with it, and not a line of mail like "--boundary"? */
static bool
is_status(const struct transcript *t, struct slice line)
{
	struct slice word = head_word(line);

	for (const char *const *status = t->proto->status_words; *status != NULL; status++)
		if (slice_equals(word, *status))
			return true;
	return false;
}

/* Is it the last line of a reply to a command? */
static bool
is_final(const struct transcript *t, struct slice line)
{
	if (t->proto->is_tagged)
		return !slice_has_prefix(line, "* ") && !slice_has_prefix(line, "+");
	if (t->proto->status_words != NULL)
		return is_status(t, line);
	if (line.len > 0 && (line.data[0] == '"' || line.data[0] == '{'))
		return false;
	/* "250-" */
	return line.len < 4 || line.data[3] != '-' || line.data[0] < '0' || line.data[0] > '9';
}

static void
note_reply(struct transcript *t, struct slice line)
{
	if (!is_final(t, line))
		return;
	if (t->secrets > 0)
		t->secrets--;
	if (t->owed > 0)
		t->owed--;
	t->is_exchange = false;
	if (t->proto->data_go_ahead != NULL && slice_has_prefix(line, t->proto->data_go_ahead))
		t->flows[TRANSCRIPT_CLIENT].is_mail = true;
	if (t->owed == 0 || t->flows[TRANSCRIPT_CLIENT].is_mail)
		t->awaits_data = false;
}

/* "b NO [AUTHENTICATIONFAILED]": as much of an answer to a secret as repeats none. */
static void
show_verdict(struct transcript *t, struct slice line)
{
	struct slice rest = line, end = slice_make(line.data, 0), word;
	int words = t->proto->is_tagged ? HEAD_WORDS : 1;

	for (int i = 0; i <= words; i++) {
		word = slice_word(&rest);
		if (word.len == 0 || (i == words && (word.data[0] != '[' || word.data[word.len - 1] != ']')))
			break;
		end = word;
	}
	show_head(t, TRANSCRIPT_SERVER, line, end);
}

/* Quoted strings, and what is behind the last quote of a line that was cut, may be mail. */
static void
show_without_quoted(struct transcript *t, struct slice line)
{
	struct buf out = { 0 };

	while (line.len > 0) {
		const char *open = memchr(line.data, '"', line.len);
		size_t before = open != NULL ? (size_t)(open - line.data) : line.len, n = 0;
		struct slice rest = slice_from(line, before + 1);

		buf_append(&out, line.data, before);
		while (n < rest.len && rest.data[n] != '"')
			n += rest.data[n] == '\\' && n + 1 < rest.len ? 2 : 1;
		if (open != NULL)
			buf_printf(&out, "\"%zu octets\"", n);
		line = slice_from(rest, n + 1);
	}
	if (slice_is_printable(buf_slice(&out)))
		tell(t, TRANSCRIPT_SERVER, buf_slice(&out));
	else
		mask(t, TRANSCRIPT_SERVER);
	buf_clear(&out);
}

static void
show_reply(struct transcript *t, struct slice line)
{
	bool is_whole = t->flows[TRANSCRIPT_SERVER].len == line.len;
	bool is_free = t->is_settled && t->secrets == 0;	/* of secrets, but perhaps not of mail */
	bool is_doubtful = t->holds_secret == NULL ? t->secrets > 0 : !is_whole;

	if (is_free && t->proto->quotes_mail && memchr(line.data, '"', line.len) != NULL)
		show_without_quoted(t, line);
	else if (!is_free && t->holds_secret != NULL && is_whole && t->holds_secret(t, line))
		tell_size(t, TRANSCRIPT_SERVER, slice_make(NULL, 0), line.len, " that repeat a secret");
	else if (!is_free && is_doubtful)
		show_verdict(t, line);
	else
		show(t, TRANSCRIPT_SERVER, line);
}

static bool
take_server(struct transcript *t, struct slice line)
{
	struct transcript_flow *flow = &t->flows[TRANSCRIPT_SERVER];
	size_t prefix = 0;

	if (flow->is_continued && flow->len == 0)
		return false;
	if (!is_known(t)) {
		show(t, TRANSCRIPT_SERVER, line);
		return false;
	}
	if (!flow->is_continued && is_challenge(t, line, &prefix)) {
		t->is_exchange = true;
		show_head(t, TRANSCRIPT_SERVER, line, slice_trim(slice_make(line.data, prefix)));
		return false;
	}
	if (t->is_settled && t->proto->status_words != NULL && line.len > 0 && !is_status(t, line)) {
		flow->is_mail = !slice_equals(line, ".");
		flow->counted += flow->len + 2;
		if (!flow->is_mail)
			tell_counted(t, TRANSCRIPT_SERVER, "");
		return false;
	}
	show_reply(t, line);
	if (!flow->is_continued)
		note_reply(t, line);
	return false;
}

static void
forget_line(struct transcript_flow *flow)
{
	buf_wipe(&flow->line);
	secret_wipe(flow->tail, sizeof(flow->tail));
	flow->len = flow->tail_len = 0;
}

/* The line at hand has come to its end. */
static void
end_line(struct transcript *t, enum transcript_side side)
{
	struct transcript_flow *flow = &t->flows[side];
	struct slice line = buf_slice(&flow->line);
	bool is_masked;
	uint64_t size;

	if (flow->tail_len > 0 && flow->tail[flow->tail_len - 1] == '\r')
		flow->len--;
	if (line.len > flow->len)
		line.len = flow->len;
	if (flow->is_mail) {
		flow->counted += flow->len + 2;
		flow->is_mail = !slice_equals(line, ".");
		if (!flow->is_mail)
			tell_counted(t, side, " of mail");
	} else if (side == TRANSCRIPT_CLIENT && t->awaits_data) {
		mask(t, side);
	} else {
		is_masked = side == TRANSCRIPT_CLIENT ? take_client(t, line) : take_server(t, line);
		flow->is_continued = has_literals(t) && ends_with_literal(flow, &size);
		flow->is_masked = is_masked;
		if (flow->is_continued)
			flow->literal = size;
	}
	forget_line(flow);
}

/* Of mail, no more than tells a lone dot. */
static void
add(struct transcript_flow *flow, struct slice data)
{
	size_t tail = sizeof(flow->tail);
	struct slice end = slice_from(data, data.len > tail ? data.len - tail : 0);
	size_t kept_tail = flow->tail_len + end.len > tail ? tail - end.len : flow->tail_len;
	size_t most = flow->is_mail ? 2 : TRANSCRIPT_LINE_MAX, kept = buf_len(&flow->line);
	size_t room = kept < most ? most - kept : 0;

	buf_append(&flow->line, data.data, data.len < room ? data.len : room);
	flow->len += data.len;
	memmove(flow->tail, flow->tail + flow->tail_len - kept_tail, kept_tail);
	if (end.len > 0)
		memcpy(flow->tail + kept_tail, end.data, end.len);
	flow->tail_len = kept_tail + end.len;
}

void
transcript_feed(struct transcript *t, enum transcript_side side, struct slice data)
{
	struct transcript_flow *flow = &t->flows[side];

	if (t->is_opaque || (!is_known(t) && (side == TRANSCRIPT_CLIENT || !t->shows_server))) {
		tell_size(t, side, slice_make(NULL, 0), data.len, "");
		return;
	}
	while (data.len > 0) {
		const char *end;
		size_t n;

		if (flow->literal > 0) {
			n = data.len < flow->literal ? data.len : (size_t)flow->literal;
			flow->literal -= n;
			flow->counted += n;
			data = slice_from(data, n);
			if (flow->literal == 0)
				tell_counted(t, side, "");
			continue;
		}
		end = memchr(data.data, '\n', data.len);
		n = end != NULL ? (size_t)(end - data.data) : data.len;
		add(flow, slice_make(data.data, n));
		data = slice_from(data, end != NULL ? n + 1 : n);
		if (end != NULL)
			end_line(t, side);
	}
}

void
transcript_flush(struct transcript *t)
{
	for (int side = 0; side < 2; side++) {
		struct transcript_flow *flow = &t->flows[side];

		flow->counted += flow->len;
		tell_counted(t, (enum transcript_side)side, ", unfinished");
		forget_line(flow);
	}
}

void
transcript_begin_tls(struct transcript *t)
{
	transcript_clear(t);
	t->secrets = t->owed = 0;
	t->is_exchange = t->awaits_data = false;
}

void
transcript_clear(struct transcript *t)
{
	for (int side = 0; side < 2; side++) {
		forget_line(&t->flows[side]);
		t->flows[side] = (struct transcript_flow){ 0 };
	}
}
