/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmtp_relay_fuzz.c: a message for several servers, by a script of what all
 * sides say and what becomes of recipients, whole and cut in any way.
 */
#include "fuzz.h"

#include "../unit/proto/lmtp_talk.h"

enum { SECTIONS_MAX = 200 };

struct scissors {
	bool is_whole;
	unsigned cut;
};

/* Whether a reply was asked for depends on what the one before it made of the client's next words. */
static void
say(struct lmtp_talk *t, int server, struct slice text, struct scissors *scissors)
{
	while (text.len > 0) {
		const char *newline = server >= 0 ? memchr(text.data, '\n', text.len) : NULL;
		size_t most = newline != NULL ? (size_t)(newline - text.data) + 1 : text.len;
		size_t len = scissors->is_whole ? most : cut_next(&scissors->cut, most);

		if (server < 0)
			talk_client(t, slice_make(text.data, len));
		else
			talk_server(t, (unsigned)server, slice_make(text.data, len));
		text = slice_from(text, len);
	}
}

static unsigned
digit(struct slice text, size_t i)
{
	return i < text.len ? (unsigned)(uint8_t)text.data[i] : 0;
}

/* Letters that take no text go by their first octets. */
static void
act(struct lmtp_talk *t, char letter, struct slice text, struct scissors *scissors)
{
	static const struct fanout_refusal refusals[] = { { true, "550 5.1.1", "no" },
		{ false, "550 5.1.1", NULL } };
	unsigned recipient = digit(text, 0) % 16, server = digit(text, 1) % TALK_SERVERS;

	switch (letter) {
	case 'C':
		say(t, -1, text, scissors);
		break;
	case '0':
	case '1':
	case '2':
	case '3':
		say(t, letter - '0', text, scissors);
		break;
	case 'P':
		talk_placed(t, recipient, server, NULL);
		break;
	case 'U':
		talk_unplaced(t, recipient, text.len > 1 ? &refusals[digit(text, 1) % 2] : NULL);
		break;
	case 'M':
		talk_displaced(t, recipient);
		break;
	case 'X':
		talk_lose(t, server);
		break;
	case 'N':
		talk_come(t, server, digit(text, 0) % 2 ? "PIPELINING\nCHUNKING\n" : "",
		    digit(text, 0) % 4 > 1);
		break;
	}
}

static void
talk_by_script(struct lmtp_talk *t, enum bare_newline policy, struct slice script, struct scissors scissors)
{
	struct slice text;
	char letter;

	talk_open(t, policy);
	talk_come(t, 0, "PIPELINING\nCHUNKING\n", false);
	talk_come(t, 1, "PIPELINING\n", false);
	talk_come(t, 2, "", true);
	for (int i = 0; i < SECTIONS_MAX && script_next(&script, &letter, &text); i++)
		act(t, letter, text, &scissors);
}

/* The lines of the transcript that one of them hears. */
static void
pick(const struct lmtp_talk *t, const char *who, struct buf *out)
{
	struct slice rest = buf_slice(&t->transcript);

	while (rest.len > 0) {
		struct slice line = slice_take(&rest, '\n');

		if (slice_has_prefix(line, who))
			buf_printf(out, "%.*s\n", SLICE_ARGS(line));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum bare_newline policies[] = { BARE_NEWLINE_REJECT, BARE_NEWLINE_NORMALIZE,
		BARE_NEWLINE_PASS, BARE_NEWLINE_NORMALIZE };
	struct buf whole_client = { 0 }, pieces_client = { 0 };
	struct lmtp_talk whole, pieces;
	struct input input;
	enum bare_newline policy;

	if (!input_read(data, size, &input))
		return 0;
	policy = policies[input.options >> 2 & 3];
	talk_by_script(&whole, policy, input.body, (struct scissors){ .is_whole = true });
	talk_by_script(&pieces, policy, input.body, (struct scissors){ .cut = input.cut });
	pick(&whole, "C: ", &whole_client);
	pick(&pieces, "C: ", &pieces_client);
	must_equal(buf_slice(&whole_client), buf_slice(&pieces_client), "cutting changes no reply");
	must(whole.end == pieces.end, "cutting changes no end");
	buf_clear(&whole_client);
	buf_clear(&pieces_client);
	talk_close(&whole);
	talk_close(&pieces);
	return 0;
}
