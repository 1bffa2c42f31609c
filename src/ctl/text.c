/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c: characters, columns and escape sequences. */
#include "ctl/text.h"

#include <locale.h>
#include <wchar.h>

void
text_init(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
}

/* The columns of a character that is printable. */
static size_t
character_width(struct slice character)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	int width;

	if (character.len == 1)
		return 1;
	if (mbrtowc(&wide, character.data, character.len, &state) != character.len)
		return 1;
	width = wcwidth(wide);
	return width >= 0 ? (size_t)width : 1;
}

/* The character at the front of what is printable. */
static struct slice
first_character(struct slice text)
{
	size_t len = slice_printable(text);

	return slice_make(text.data, len > 0 ? len : 1);
}

size_t
text_width(struct slice text)
{
	size_t width = 0;

	while (text.len > 0) {
		struct slice character = first_character(text);

		width += character_width(character);
		text = slice_from(text, character.len);
	}
	return width;
}

void
text_append_printable(struct slice text, struct buf *out)
{
	while (text.len > 0) {
		size_t len = slice_printable(text);

		if (len > 0)
			buf_append(out, text.data, len);
		else if (text.data[0] == '\n' || text.data[0] == '\t')
			buf_append_text(out, " ");
		else
			buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text.data[0]);
		text = slice_from(text, len > 0 ? len : 1);
	}
}

void
text_append_cut(struct slice text, size_t width, struct buf *out)
{
	size_t used = 0;

	if (text_width(text) <= width) {
		buf_append_slice(out, text);
		return;
	}
	while (text.len > 0) {
		struct slice character = first_character(text);
		size_t columns = character_width(character);

		if (used + columns + 1 > width)
			break;
		buf_append_slice(out, character);
		used += columns;
		text = slice_from(text, character.len);
	}
	if (width > 0)
		buf_append_text(out, "…");
}

void
text_append_coloured(struct slice text, enum colour colour, const struct look *look, struct buf *out)
{
	static const char *const begins[] = {
		[COLOUR_NONE] = "", [COLOUR_GREEN] = "\033[32m", [COLOUR_RED] = "\033[1;31m",
		[COLOUR_YELLOW] = "\033[33m", [COLOUR_BOLD] = "\033[1m", [COLOUR_DIM] = "\033[2m",
	};
	bool is_coloured = look->has_colour && colour != COLOUR_NONE;

	buf_append_text(out, is_coloured ? begins[colour] : "");
	buf_append_slice(out, text);
	buf_append_text(out, is_coloured ? "\033[0m" : "");
}

enum colour
text_state_colour(struct slice text)
{
	static const struct {
		const char *word;
		enum colour colour;
	} words[] = {
		{ "up", COLOUR_GREEN }, { "open", COLOUR_GREEN }, { "ready", COLOUR_GREEN },
		{ "ok", COLOUR_GREEN }, { "usable", COLOUR_GREEN },
		{ "down", COLOUR_RED }, { "failed", COLOUR_RED }, { "stop", COLOUR_RED },
		{ "full", COLOUR_RED }, { "wrong", COLOUR_RED }, { "expired", COLOUR_RED },
		{ "drain", COLOUR_YELLOW }, { "maint", COLOUR_YELLOW }, { "maintenance", COLOUR_YELLOW },
		{ "nolb", COLOUR_YELLOW }, { "stopping", COLOUR_YELLOW }, { "note", COLOUR_YELLOW },
	};
	struct slice word = slice_word(&text), fraction = slice_word(&text);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!slice_equals_nocase(word, words[i].word))
			continue;
		/* on its way up or down: "UP 1/3" */
		if (fraction.len > 0 && fraction.data[0] >= '0' && fraction.data[0] <= '9')
			return COLOUR_YELLOW;
		return words[i].colour;
	}
	return COLOUR_NONE;
}

void
text_append_amount(double amount, int unit, struct buf *out)
{
	static const char *const suffixes[] = { "", "k", "M", "G", "T", "P" };
	size_t i = 0;

	while (amount >= unit && i + 1 < sizeof(suffixes) / sizeof(suffixes[0])) {
		amount /= unit;
		i++;
	}
	buf_printf(out, "%.*f%s", i > 0 && amount < 100 ? 1 : 0, amount, suffixes[i]);
}
