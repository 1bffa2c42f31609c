/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h: a configuration as names, words and blocks, without a notion of what they mean: for who only
 * looks.  Both what `gatepost -T` prints and the file itself can be read so.
 */
#ifndef CTL_SETTINGS_H
#define CTL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { SETTING_WORDS_MAX = 32 };		/* more are left out */

struct setting {
	char *words[SETTING_WORDS_MAX];		/* the first is its name */
	int count;
	struct setting *first, *last;		/* within its braces */
	struct setting *next;
};

struct setting *settings_read(struct slice text);	/* the root, whose name is "" */
void settings_free(struct setting **root);

/* The first of that name in a block, and the next one; NULL: none.  `block` may be NULL. */
const struct setting *setting_in(const struct setting *block, const char *name);
const struct setting *setting_again(const struct setting *setting);
const struct setting *setting_titled(const struct setting *block, const char *name, const char *title);
const char *setting_word(const struct setting *setting, int i);		/* "" where there is none */
/* A count or a size with its unit ("256m") of that name in the block; 0 where there is none. */
double setting_number(const struct setting *block, const char *name);

#endif
