/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.c: words, ends of directives, braces. */
#include "ctl/settings.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum { DEEPEST = 16 };

struct reader {
	struct slice rest;
	struct setting *blocks[DEEPEST];	/* from the root to the one at hand */
	int depth;
	struct setting *at;			/* takes words; NULL: the next word begins one */
};

static void
free_all(struct setting *setting)
{
	while (setting != NULL) {
		struct setting *next = setting->next;

		for (int i = 0; i < setting->count; i++)
			xfree(setting->words[i]);
		free_all(setting->first);
		xfree(setting);
		setting = next;
	}
}

static void
add_word(struct reader *reader, char *word)
{
	struct setting *block = reader->blocks[reader->depth];

	if (reader->at == NULL) {
		reader->at = xcalloc(1, sizeof(*reader->at));
		if (block->last != NULL)
			block->last->next = reader->at;
		else
			block->first = reader->at;
		block->last = reader->at;
	}
	if (reader->at->count < SETTING_WORDS_MAX)
		reader->at->words[reader->at->count++] = word;
	else
		xfree(word);
}

/* A word at the front, without its quotes. */
static void
take_word(struct reader *reader)
{
	bool is_quoted = reader->rest.data[0] == '"';
	size_t i = is_quoted ? 1 : 0, len = 0;
	char *word = xmalloc(reader->rest.len + 1);

	for (; i < reader->rest.len; i++) {
		char c = reader->rest.data[i];

		if (is_quoted ? c == '"' : strchr(" \t\r\n;{}", c) != NULL)
			break;
		if (is_quoted && c == '\\' && i + 1 < reader->rest.len)
			c = reader->rest.data[++i];
		word[len++] = c;
	}
	word[len] = '\0';
	reader->rest = slice_from(reader->rest, is_quoted ? i + 1 : i);
	add_word(reader, xrealloc(word, len + 1));
}

static void
take_mark(struct reader *reader, char mark)
{
	reader->rest = slice_from(reader->rest, 1);
	if (mark == '{' && reader->at != NULL && reader->depth + 1 < DEEPEST)
		reader->blocks[++reader->depth] = reader->at;
	else if (mark == '}' && reader->depth > 0)
		reader->depth--;
	reader->at = NULL;
}

struct setting *
settings_read(struct slice text)
{
	struct setting *root = xcalloc(1, sizeof(*root));
	struct reader reader = { .rest = text, .blocks = { root } };

	while (reader.rest.len > 0) {
		char c = reader.rest.data[0];

		if (strchr("\n;{}", c) != NULL)
			take_mark(&reader, c);
		else if (strchr(" \t\r", c) != NULL)
			reader.rest = slice_from(reader.rest, 1);
		else if (c == '#')
			while (reader.rest.len > 0 && reader.rest.data[0] != '\n')
				reader.rest = slice_from(reader.rest, 1);
		else
			take_word(&reader);
	}
	return root;
}

void
settings_free(struct setting **root)
{
	free_all(*root);
	*root = NULL;
}

static const struct setting *
find(const struct setting *setting, const char *name)
{
	while (setting != NULL && strcmp(setting_word(setting, 0), name) != 0)
		setting = setting->next;
	return setting;
}

const struct setting *
setting_in(const struct setting *block, const char *name)
{
	return block != NULL ? find(block->first, name) : NULL;
}

const struct setting *
setting_again(const struct setting *setting)
{
	return find(setting->next, setting->words[0]);
}

const struct setting *
setting_titled(const struct setting *block, const char *name, const char *title)
{
	const struct setting *setting = setting_in(block, name);

	while (setting != NULL && strcmp(setting_word(setting, 1), title) != 0)
		setting = setting_again(setting);
	return setting;
}

const char *
setting_word(const struct setting *setting, int i)
{
	return setting != NULL && i < setting->count ? setting->words[i] : "";
}

double
setting_number(const struct setting *block, const char *name)
{
	char *unit = NULL;
	double number = strtod(setting_word(setting_in(block, name), 1), &unit);

	switch (*unit) {
	case 'k':
		return number * 1024;
	case 'm':
		return number * 1024 * 1024;
	case 'g':
		return number * 1024 * 1024 * 1024;
	default:
		return number;
	}
}
