/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * imap_relay.c: follows lines, literals, IDLE and COMPRESS in what passes, so
 * that last words are only said between two responses.  Nothing is kept but
 * the state; literals are skipped by their count and lines found by memchr.
 * What cannot be IMAP, and all behind the OK of COMPRESS, is not looked at
 * any more: then the boundary is unknown for good.
 */
#include "proto/imap.h"

#include <string.h>

enum {
	DIGITS_MAX = 20,		/* of a literal's size; what has more is none */
	LITERAL_TAIL_MAX = 1 + DIGITS_MAX + 3,	/* "{", digits, "+", "}", CR: before the newline */
	VERB_MAX = 8			/* "COMPRESS", "PREAUTH": longer words are none of ours */
};

enum head { HEAD_START, HEAD_FIRST, HEAD_SECOND, HEAD_DONE };		/* of a command or a response */
enum tail { TAIL_NONE, TAIL_OPEN, TAIL_DIGITS, TAIL_PLUS, TAIL_CLOSED, TAIL_CR };

/* One direction. */
struct flow {
	uint64_t literal_left;
	uint64_t number;		/* of a literal that is being announced */
	uint32_t tag;			/* hash of the first word */
	uint8_t head : 3, tail : 3;
	bool is_synchronising : 1;
	bool is_odd : 1;		/* the first word is no tag in any way */
	uint8_t digits;			/* of `number` */
	char first;			/* the first character */
	uint8_t second_len;
	char second[VERB_MAX];		/* the second word, in upper case */
};

struct state {
	struct flow client, server;
	uint32_t client_tag, server_tag;	/* of the last whole command, of the last tagged reply */
	uint32_t compress_tag;
	bool is_blind;
	bool awaits_prompt;		/* the client has announced a literal and sent none of it */
	bool asked_idle, is_idle;
	bool asked_compress;
	bool is_forbidden;
};
_Static_assert(sizeof(struct state) <= 96, "each relayed session has one");

enum part { PART_MORE, PART_LITERAL, PART_END };

static uint32_t
hash_add(uint32_t hash, char c)
{
	return (hash ^ (uint8_t)c) * UINT32_C(16777619);	/* FNV-1a */
}

static void
start(struct flow *flow)
{
	flow->head = HEAD_START;
	flow->tail = TAIL_NONE;
	flow->second_len = 0;
	flow->tag = UINT32_C(2166136261);
}

static bool
is_visible(char c)
{
	return c > ' ' && c <= '~';
}

/* The first two words of a command or a response. */
static void
read_head(struct flow *flow, struct slice data)
{
	for (size_t i = 0; i < data.len && flow->head != HEAD_DONE; i++) {
		char c = data.data[i];

		if (c == '\r' || c == '\n') {
			if (flow->head != HEAD_START)
				flow->head = HEAD_DONE;
		} else if (flow->head == HEAD_START) {
			flow->first = c;
			flow->is_odd = !is_visible(c);
			flow->tag = hash_add(flow->tag, c);
			flow->head = HEAD_FIRST;
		} else if (c == ' ') {
			flow->head = flow->head == HEAD_FIRST ? HEAD_SECOND : HEAD_DONE;
		} else if (flow->head == HEAD_FIRST) {
			flow->tag = hash_add(flow->tag, c);
			flow->is_odd = flow->is_odd || !is_visible(c);
		} else if (flow->second_len < VERB_MAX) {
			flow->second[flow->second_len++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
		} else if (++flow->second_len == UINT8_MAX) {
			flow->head = HEAD_DONE;
		}
	}
}

static enum tail
next_tail(struct flow *flow, char c)
{
	bool has_number = flow->tail == TAIL_DIGITS;

	if (c == '{') {
		flow->number = 0;
		flow->digits = 0;
		flow->is_synchronising = true;
		return TAIL_OPEN;
	}
	if (c >= '0' && c <= '9' && (has_number || flow->tail == TAIL_OPEN)) {
		uint64_t digit = (uint64_t)(c - '0');

		if (flow->digits++ == DIGITS_MAX)
			return TAIL_NONE;
		if (flow->number > (UINT64_MAX - digit) / 10)
			flow->number = UINT64_MAX;
		else
			flow->number = flow->number * 10 + digit;
		return TAIL_DIGITS;
	}
	if (c == '+' && has_number) {
		flow->is_synchronising = false;
		return TAIL_PLUS;
	}
	if (c == '}' && (has_number || flow->tail == TAIL_PLUS))
		return TAIL_CLOSED;
	return c == '\r' && flow->tail == TAIL_CLOSED ? TAIL_CR : TAIL_NONE;
}

/* Does what was seen of the line, with these bytes as its latest, end in {n} or {n+}? */
static void
read_tail(struct flow *flow, struct slice data)
{
	if (data.len > LITERAL_TAIL_MAX) {
		flow->tail = TAIL_NONE;
		data = slice_from(data, data.len - LITERAL_TAIL_MAX);
	}
	for (size_t i = 0; i < data.len; i++)
		flow->tail = next_tail(flow, data.data[i]) & 7;
}

/* The same for a line that ends here; mostly one look is enough. */
static bool
ends_in_literal(struct flow *flow, struct slice data)
{
	size_t len = data.len > 1 && data.data[data.len - 1] == '\r' ? data.len - 1 : data.len;
	bool is_literal = false;

	if (len == 0 || data.data[len - 1] == '}' || data.data[len - 1] == '\r') {
		read_tail(flow, data);
		is_literal = flow->tail == TAIL_CLOSED || flow->tail == TAIL_CR;
	}
	flow->tail = TAIL_NONE;
	return is_literal;
}

/* Takes bytes up to the end of a line or of the data. */
static enum part
take_part(struct flow *flow, struct slice *data)
{
	const char *newline = memchr(data->data, '\n', data->len);
	size_t len = newline != NULL ? (size_t)(newline - data->data) : data->len;
	struct slice part = slice_make(data->data, len);

	if (flow->head != HEAD_DONE)
		read_head(flow, part);
	*data = slice_from(*data, part.len + (newline != NULL ? 1 : 0));
	if (newline != NULL)
		return ends_in_literal(flow, part) ? PART_LITERAL : PART_END;
	read_tail(flow, part);
	return PART_MORE;
}

static struct slice
skip_literal(struct flow *flow, struct slice data)
{
	size_t skipped = flow->literal_left < data.len ? (size_t)flow->literal_left : data.len;

	flow->literal_left -= skipped;
	return slice_from(data, skipped);
}

static bool
is_second(const struct flow *flow, const char *word)
{
	size_t len = flow->second_len <= VERB_MAX ? flow->second_len : 0;

	return slice_equals(slice_make(flow->second, len), word);
}

/*
 * RFC 8437: the client would become another user at a server that is not theirs, and without having been
 * asked here who it is.  No other command has as many letters and begins so.
 */
static bool
is_unauthenticate(const struct flow *flow)
{
	static const char verb[] = "UNAUTHENTICATE";

	return flow->second_len == sizeof(verb) - 1 && memcmp(flow->second, verb, VERB_MAX) == 0;
}

static void
on_client_command(struct state *s)
{
	struct flow *flow = &s->client;

	/* also where we take it for the end of IDLE: the server may have refused that */
	s->is_forbidden = s->is_forbidden || is_unauthenticate(flow);
	if (s->asked_idle || s->is_idle) {
		/* DONE: the end of IDLE, and no command */
		s->asked_idle = s->is_idle = false;
	} else if (flow->head == HEAD_DONE && flow->second_len > 0) {
		s->client_tag = flow->tag;
		s->asked_idle = is_second(flow, "IDLE");
		if (is_second(flow, "COMPRESS")) {
			s->asked_compress = true;
			s->compress_tag = flow->tag;
		}
	}
	start(flow);
}

static bool
on_client(void *state, struct slice data)
{
	struct state *s = state;

	if (data.len > 0)
		s->awaits_prompt = false;
	while (data.len > 0 && !s->is_blind) {
		if (s->client.literal_left > 0) {
			data = skip_literal(&s->client, data);
			continue;
		}
		switch (take_part(&s->client, &data)) {
		case PART_MORE:
			break;
		case PART_LITERAL:
			s->client.literal_left = s->client.number;
			s->awaits_prompt = s->client.is_synchronising && data.len == 0;
			break;
		case PART_END:
			on_client_command(s);
			break;
		}
	}
	return !s->is_forbidden;
}

static void
on_tagged(struct state *s)
{
	uint32_t tag = s->server.tag;

	s->server_tag = tag;
	if (tag == s->client_tag)
		s->asked_idle = s->is_idle = false;
	if (s->awaits_prompt && tag == s->client.tag) {
		/* the literal was refused: it will not come */
		s->awaits_prompt = false;
		s->client_tag = tag;
		s->client.literal_left = 0;
		start(&s->client);
	}
	if (s->asked_compress && tag == s->compress_tag) {
		s->asked_compress = false;
		s->is_blind = is_second(&s->server, "OK");
	}
}

/* Text for people may end in what looks like a literal; only data responses have literals. */
static bool
is_text(const struct flow *flow)
{
	if (flow->first != '*')
		return true;
	return is_second(flow, "OK") || is_second(flow, "NO") || is_second(flow, "BAD") ||
	    is_second(flow, "BYE") || is_second(flow, "PREAUTH");
}

static void
on_server_response(struct state *s)
{
	if (s->server.head == HEAD_START)
		return;
	if (s->server.first == '+') {
		s->awaits_prompt = false;
		s->is_idle = s->asked_idle;
	} else if (s->server.first != '*') {
		on_tagged(s);
	}
	start(&s->server);
}

static void
on_server(void *state, struct slice data)
{
	struct state *s = state;
	struct flow *flow = &s->server;

	while (data.len > 0 && !s->is_blind) {
		enum part part;

		if (flow->literal_left > 0) {
			data = skip_literal(flow, data);
			continue;
		}
		part = take_part(flow, &data);
		if (flow->head != HEAD_START && flow->is_odd) {
			s->is_blind = true;
		} else if (part == PART_LITERAL && !is_text(flow)) {
			flow->literal_left = flow->number;
		} else if (part != PART_MORE) {
			on_server_response(s);
		}
	}
}

static void
init(void *state)
{
	struct state *s = state;

	*s = (struct state){ 0 };
	start(&s->client);
	start(&s->server);
}

/*
 * In IDLE, or the last whole command was answered and no other begun.  The
 * last tags are compared instead of commands counted: a server that answers
 * out of order, and a client that pipelines commands of one tag (which RFC 9051
 * section 2.2.1 tells it not to), are misjudged for once, a wrong count would stay.
 */
static bool
is_quiet(const struct state *s)
{
	return s->client.head == HEAD_START && (s->is_idle || s->client_tag == s->server_tag);
}

static unsigned
look(const void *state)
{
	const struct state *s = state;
	unsigned seen = 0;

	if (s->is_blind)
		return FILTER_BLIND;
	if (s->server.head == HEAD_START)
		seen |= FILTER_BOUNDARY;
	if (is_quiet(s))
		seen |= FILTER_QUIET;
	/* the prompt for a literal, or what is not quiet though the client is between two commands */
	if (s->awaits_prompt || (s->client.head == HEAD_START && !is_quiet(s)))
		seen |= FILTER_OWED;
	return seen;
}

const struct relay_filter imap_relay = {
	.size = sizeof(struct state),
	.init = init,
	.client = on_client,
	.server = on_server,
	.look = look,
};
