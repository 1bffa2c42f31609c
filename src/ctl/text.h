/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h: text on a terminal: how wide it is, where it is cut, and colours. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

enum colour { COLOUR_NONE, COLOUR_GREEN, COLOUR_RED, COLOUR_YELLOW, COLOUR_BOLD, COLOUR_DIM };

/* How output looks. */
struct look {
	int width;			/* columns; 0: as many as it takes */
	bool has_colour;
};

void text_init(void);			/* first of all: UTF-8, whatever the environment says */
size_t text_width(struct slice text);	/* columns of what is printable */
/* What a terminal could take for more than text is escaped as \x1b; line breaks become blanks. */
void text_append_printable(struct slice text, struct buf *out);
/* At most `width` columns of what is printable, with "…" at the end where it was cut. */
void text_append_cut(struct slice text, size_t width, struct buf *out);
void text_append_coloured(struct slice text, enum colour colour, const struct look *look, struct buf *out);
/* The colour of a server's or listener's state, HAProxy's words and ours: "UP 1/3", "down", "drain". */
enum colour text_state_colour(struct slice text);
/* "812", "14.2k", "3.1M": at most 6 columns; `unit` is 1000 or 1024. */
void text_append_amount(double amount, int unit, struct buf *out);

#endif
