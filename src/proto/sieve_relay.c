/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sieve_relay.c: looks for UNAUTHENTICATE (RFC 5804 section 2.14.1), by which a client would become
 * another user at a server that is not theirs, and without having been asked who it is here.  Any line is
 * taken for a command, also one of a script, so that no server can see a command where we see none.
 */
#include "proto/sieve.h"

#include <string.h>
#include <strings.h>

static const char verb[] = "UNAUTHENTICATE";
enum { VERB_LEN = sizeof(verb) - 1 };

enum { NO_MATCH = VERB_LEN + 1 };	/* in `matched`: the line begins otherwise */

struct state {
	uint8_t matched;		/* octets of the verb that the line has begun with */
	bool is_forbidden;
};

static void
init(void *state)
{
	*(struct state *)state = (struct state){ 0 };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One more octet at the beginning of a line. */
static void
match(struct state *s, char c)
{
	if (s->matched == VERB_LEN)
		s->is_forbidden = true;		/* whatever ends the word: servers differ */
	else if (s->matched == 0 && is_blank(c))
		return;
	else if (strncasecmp(&verb[s->matched], &c, 1) == 0)
		s->matched++;
	else
		s->matched = NO_MATCH;
}

static bool
on_client(void *state, struct slice data)
{
	struct state *s = state;

	while (data.len > 0 && !s->is_forbidden) {
		const char *newline;

		if (s->matched != NO_MATCH && (data.data[0] != '\n' || s->matched == VERB_LEN)) {
			match(s, data.data[0]);
			data = slice_from(data, 1);
			continue;
		}
		newline = memchr(data.data, '\n', data.len);
		if (newline == NULL)
			break;
		data = slice_from(data, (size_t)(newline - data.data) + 1);
		s->matched = 0;
	}
	return !s->is_forbidden;
}

static unsigned
look(const void *state)
{
	(void)state;
	return FILTER_BLIND;
}

const struct relay_filter sieve_relay = {
	.size = sizeof(struct state),
	.init = init,
	.client = on_client,
	.look = look,
};
