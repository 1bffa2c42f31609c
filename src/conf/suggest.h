/* SPDX-License-Identifier: BSD-2-Clause */
/* suggest.h: the valid name nearest to a mistyped one. */
#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H

#include <stddef.h>

struct suggest {
	const char *word;	/* what was typed */
	const char *best;	/* the nearest so far; NULL: none is near enough */
	size_t distance;
};

enum { SUGGEST_TEXT_MAX = 72 };

struct suggest suggest_start(const char *word);
void suggest_try(struct suggest *suggest, const char *candidate);
/* "; did you mean NAME?" or nothing; returns out. */
const char *suggest_phrase(const struct suggest *suggest, char out[SUGGEST_TEXT_MAX]);

#endif
