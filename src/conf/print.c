/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.c: the effective configuration in its own syntax, so that reading it back gives the same: `default`
 * blocks and inheritance are worked in, defaults marked, secrets masked.
 */
#include "conf/load.h"

#include <string.h>

static void print_block(const struct conf_block *block, int depth, FILE *out);

static void
indent(int depth, FILE *out)
{
	for (int i = 0; i < depth; i++)
		putc('\t', out);
}

static bool
needs_quotes(const struct conf_word *word)
{
	return *word->text == '\0' || *word->text == '#' || strpbrk(word->text, " \t;{}\"") != NULL ||
	    strstr(word->text, "${") != NULL || (word->quoted && strcmp(word->text, "none") == 0);
}

static void
print_word(const struct conf_word *word, FILE *out)
{
	putc(' ', out);
	if (!needs_quotes(word)) {
		fputs(word->text, out);
		return;
	}
	putc('"', out);
	for (const char *c = word->text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\' || (*c == '$' && c[1] == '{'))
			putc('\\', out);
		putc(*c, out);
	}
	putc('"', out);
}

static void
print_words(const struct directive *d, const struct conf_line *line, FILE *out)
{
	if (d->flags & CONF_SECRET) {
		fputs(" ********", out);
		return;
	}
	for (size_t i = 0; i < line->count; i++)
		print_word(&line->words[i], out);
}

static const char *
mark(const struct conf_value *value)
{
	return value->origin == CONF_ORIGIN_DEFAULT ? " # default" : "";
}

static void
print_value(const struct row *row, const struct conf_value *value, int depth, FILE *out)
{
	for (const struct conf_line *l = value->lines; l != NULL; l = l->next) {
		indent(depth, out);
		fputs(row_name(row->directive), out);
		print_words(row->directive, l, out);
		fprintf(out, "%s\n", mark(value));
	}
}

/* Does the block say anything besides its title? */
static bool
has_content(const struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row;

	while (row_next(&walk, &row)) {
		const struct conf_list *list = row_field(&row, block);
		void *const *pointer = row_field(&row, block);

		if (row.index == 0 && block->kind->title == TITLE_VALUE)
			continue;
		if (row.directive->kind != CONF_KIND_BLOCK && block->values[row.index].lines != NULL)
			return true;
		if (row.directive->kind == CONF_KIND_BLOCK &&
		    (row.directive->list ? list->count != 0 : *pointer != NULL))
			return true;
	}
	return false;
}

static void
print_nested(const struct conf_block *block, const char *note, int depth, FILE *out)
{
	bool has_braces = block->kind->title != TITLE_VALUE || has_content(block);

	indent(depth, out);
	fputs(block->kind->name, out);
	if (block->kind->title == TITLE_VALUE && block->values[0].lines != NULL)
		print_words(block->kind->directives, block->values[0].lines, out);
	else if (block->title != NULL)
		fprintf(out, " %s", block->title);
	fprintf(out, "%s%s\n", has_braces ? " {" : "", note);
	if (!has_braces)
		return;
	print_block(block, depth + 1, out);
	indent(depth, out);
	fputs("}\n", out);
}

/* An earlier row fills the same list, and has printed all of it. */
static bool
is_printed(const struct conf_block *block, const struct row *row)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row other;

	while (row_next(&walk, &other) && other.index < row->index)
		if (other.offset == row->offset && other.directive->kind == CONF_KIND_BLOCK)
			return true;
	return false;
}

static void
print_blocks(const struct row *row, const struct conf_block *block, int depth, FILE *out)
{
	const struct conf_value *value = &block->values[row->index];
	const struct conf_list *list = row_field(row, block);
	struct conf_block *const *pointer = row_field(row, block);

	if (value->none) {
		print_value(row, value, depth, out);
	} else if (!row->directive->list) {
		if (*pointer != NULL)
			print_nested(*pointer, mark(value), depth, out);
	} else if (!is_printed(block, row)) {
		for (size_t i = 0; i < list->count; i++)
			print_nested(list->items[i], mark(value), depth, out);
	}
}

static void
print_block(const struct conf_block *block, int depth, FILE *out)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row;

	while (row_next(&walk, &row)) {
		if (row.directive->kind == CONF_KIND_BLOCK)
			print_blocks(&row, block, depth, out);
		else if (row.index != 0 || block->kind->title != TITLE_VALUE)
			print_value(&row, &block->values[row.index], depth, out);
	}
}

void
conf_print(const struct conf *conf, FILE *out)
{
	print_block(conf->root, 0, out);
}

static bool
is_same_line(const struct conf_line *a, const struct conf_line *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->words[i].text, b->words[i].text) != 0)
			return false;
	return true;
}

static bool
is_same_value(const struct conf_value *a, const struct conf_value *b)
{
	const struct conf_line *x = a->lines, *y = b->lines;

	while (x != NULL && y != NULL && is_same_line(x, y)) {
		x = x->next;
		y = y->next;
	}
	return x == NULL && y == NULL;
}

static void
compare(const struct conf_block *old, const struct conf_block *now, void (*each)(const char *name, void *arg),
    void *arg)
{
	struct row_walk walk = row_walk_start(now->kind);
	struct row row;

	while (row_next(&walk, &row)) {
		struct conf_block *const *a = row_field(&row, old), *const *b = row_field(&row, now);

		if (row.directive->kind != CONF_KIND_BLOCK) {
			if ((row.directive->flags & CONF_RESTART) &&
			    !is_same_value(&old->values[row.index], &now->values[row.index]))
				each(row_name(row.directive), arg);
		} else if (!row.directive->list && *a != NULL && *b != NULL) {
			compare(*a, *b, each, arg);
		}
	}
}

void
conf_each_restart(const struct conf *old, const struct conf *now,
    void (*each)(const char *name, void *arg), void *arg)
{
	compare(old->root, now->root, each, arg);
}

static bool
are_same_blocks(const struct row *row, const struct conf_block *a, const struct conf_block *b)
{
	const struct conf_list *x = row_field(row, a), *y = row_field(row, b);
	struct conf_block *const *one = row_field(row, a), *const *other = row_field(row, b);

	if (!row->directive->list)
		return *one == NULL || *other == NULL ? *one == *other : conf_is_same(*one, *other);
	for (size_t i = 0; i < x->count && i < y->count; i++)
		if (!conf_is_same(x->items[i], y->items[i]))
			return false;
	return x->count == y->count;
}

bool
conf_is_same(const struct conf_block *a, const struct conf_block *b)
{
	struct row_walk walk = row_walk_start(a->kind);
	struct row row;
	bool is_same = a->kind == b->kind;

	while (is_same && row_next(&walk, &row))
		is_same = row.directive->kind == CONF_KIND_BLOCK ? are_same_blocks(&row, a, b) :
		    is_same_value(&a->values[row.index], &b->values[row.index]);
	return is_same;
}
