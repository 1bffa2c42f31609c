/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suggest.c: nearness is the number of letters to insert, drop, change or swap with their neighbour
 * (Damerau and Levenshtein); a third of the word may be wrong, at least one letter.
 */
#include "conf/suggest.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH_MAX = 48 };	/* longer words are no typing mistake of a directive's name */

static size_t
min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
count_edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][LENGTH_MAX + 1];		/* the last three rows of the table, in turn */

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = min_of(changed, min_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min_of(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

struct suggest
suggest_start(const char *word)
{
	size_t len = strlen(word);

	/* the first distance that is too far */
	return (struct suggest){ .word = word, .distance = (len < 3 ? 1 : len / 3) + 1 };
}

void
suggest_try(struct suggest *suggest, const char *candidate)
{
	size_t len = strlen(suggest->word), candidate_len = strlen(candidate);
	size_t distance;

	if (len > LENGTH_MAX || candidate_len > LENGTH_MAX)
		return;
	distance = count_edits(suggest->word, len, candidate, candidate_len);
	if (distance < suggest->distance) {
		suggest->distance = distance;
		suggest->best = candidate;
	}
}

const char *
suggest_phrase(const struct suggest *suggest, char out[SUGGEST_TEXT_MAX])
{
	out[0] = '\0';
	if (suggest->best != NULL)
		snprintf(out, SUGGEST_TEXT_MAX, "; did you mean %s?", suggest->best);
	return out;
}
