/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp_relay_fuzz.c: a relayed SMTP session, by a script of what both sides
 * say, whole and cut in any way; and games of sides that keep to the rules
 * (see smtp_game.h).
 */
#include "fuzz.h"

#include "../unit/proto/smtp_game.h"

enum { SECTIONS_MAX = 200, MOVES_MAX = 1000 };

/* How it is cut, and where the cutting is. */
struct scissors {
	bool is_whole;
	unsigned cut;
};

/*
 * What a server says behind what it is left for is nobody's; and whether a reply was asked for depends on
 * what the reply before it made of the client's next words.
 */
static void
say(struct talk *t, char letter, struct slice text, struct scissors *scissors)
{
	int backs = t->backs;

	while (text.len > 0 && (letter == 'C' || (t->has_back && t->backs == backs))) {
		const char *newline = letter == 'S' ? memchr(text.data, '\n', text.len) : NULL;
		size_t most = newline != NULL ? (size_t)(newline - text.data) + 1 : text.len;
		size_t len = scissors->is_whole ? most : cut_next(&scissors->cut, most);

		(letter == 'C' ? talk_client : talk_server)(t, slice_make(text.data, len));
		text = slice_from(text, len);
	}
}

static void
act(struct talk *t, char letter, struct slice text, struct scissors *scissors)
{
	switch (letter) {
	case 'C':
	case 'S':
		say(t, letter, text, scissors);
		break;
	case 'X':			/* the server is lost */
		talk_lose_server(t);
		break;
	case 'N':			/* no other can be had */
		t->capabilities = NULL;
		break;
	case 'P':
		t->capabilities = "PIPELINING\nCHUNKING\n";
		break;
	case 'p':
		t->capabilities = "";
		break;
	}
}

static void
talk_by_script(struct talk *t, const struct talk_order *order, struct slice script, struct scissors scissors)
{
	struct slice text;
	char letter;

	talk_open(t, order);
	for (int i = 0; i < SECTIONS_MAX && script_next(&script, &letter, &text); i++)
		act(t, letter, text, &scissors);
}

static void
compare(const struct input *input)
{
	static const enum bare_newline policies[] = { BARE_NEWLINE_REJECT, BARE_NEWLINE_NORMALIZE,
		BARE_NEWLINE_PASS, BARE_NEWLINE_NORMALIZE };
	const struct talk_order order = {
		.bare_newline = policies[input->options >> 2 & 3],
		.chooses_anew = has_option(input, 1),
		.capabilities = "PIPELINING\nCHUNKING\n",
		/* where no reply is late, all may be pipelined up to the last error */
		.manners = { .soft_errors = has_option(input, 4) ? 0 : 3,
		    .hard_errors = has_option(input, 5) ? 2 : 20, .idles_max = 5, .counts_servers = true },
	};
	struct talk whole, pieces;

	talk_by_script(&whole, &order, input->body, (struct scissors){ .is_whole = true });
	talk_by_script(&pieces, &order, input->body, (struct scissors){ .cut = input->cut });
	must_equal(buf_slice(&whole.to_client), buf_slice(&pieces.to_client), "cutting changes no reply");
	must_equal(buf_slice(&whole.messages), buf_slice(&pieces.messages), "cutting changes no message");
	must(whole.end == pieces.end && whole.asked == pieces.asked, "cutting changes no wish");
	/* of a message that is rejected, as much is passed as came before its fault was seen */
	if (order.bare_newline != BARE_NEWLINE_REJECT)
		must_equal(buf_slice(&whole.to_server), buf_slice(&pieces.to_server),
		    "cutting changes nothing that is sent");
	talk_close(&whole);
	talk_close(&pieces);
}

/* By the bytes of the input, as long as there are some. */
static unsigned
deal(struct game *game, unsigned n)
{
	struct slice *bytes = game->owner;
	unsigned dealt = bytes->len > 0 ? (unsigned)(uint8_t)bytes->data[0] % n : n - 1;

	*bytes = slice_from(*bytes, bytes->len > 0 ? 1 : 0);
	return dealt;
}

static void
play(struct input *input)
{
	struct game *game = xcalloc(1, sizeof(*game));
	unsigned moves = input->body.len < MOVES_MAX ? (unsigned)input->body.len : MOVES_MAX;
	const char *wrong;

	game->deal = deal;
	game->owner = &input->body;
	wrong = game_play(game, moves, has_option(input, 1));
	must(wrong == NULL, wrong);
	xfree(game);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input;

	if (!input_read(data, size, &input))
		return 0;
	if (has_option(&input, 0))
		play(&input);
	else
		compare(&input);
	return 0;
}
