/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.c: the objects that blocks become, and the values set in them, with where each came from.
 */
#include "conf/load.h"

#include <assert.h>
#include <string.h>

#include "conf/lex.h"

/* Texts of the program itself as words: split at blanks, the environment left alone. */
static struct conf_line *
line_of_text(struct arena *arena, const char *text, struct conf_problems *problems)
{
	struct conf_source *source = arena_alloc(arena, sizeof(*source));
	struct conf_line *line = arena_alloc(arena, sizeof(*line));
	struct conf_word word = { 0 };
	struct lexer lexer;
	enum token token;

	*source = (struct conf_source){ .name = "value", .text = text, .len = strlen(text) };
	lexer = lexer_start(source, arena, problems);
	lexer.is_plain = true;
	while ((token = lexer_next(&lexer, &word)) == TOKEN_WORD) {
		word.where = (struct conf_where){ 0 };
		line->words = value_grow(arena, line->words, line->count, sizeof(word));
		line->words[line->count++] = word;
	}
	return token == TOKEN_EOF ? line : NULL;
}

/* Reads a line's words into the field; the line's words become what the setter made of them. */
static bool
apply_line(const struct directive *d, struct conf_line *line, void *field, struct conf_words *words,
    struct error *error)
{
	const char **texts = arena_alloc(words->arena, (line->count + 1) * sizeof(*texts));
	bool *quoted = arena_alloc(words->arena, line->count + 1);
	const struct conf_source *source = line->where.source;

	for (size_t i = 0; i < line->count; i++) {
		texts[i] = line->words[i].text;
		quoted[i] = line->words[i].quoted;
	}
	words->words = texts;
	words->quoted = quoted;
	words->count = line->count;
	words->folder = source != NULL ? source->folder : NULL;
	if (!value_set(d, words, field, error))
		return false;
	for (size_t i = 0; i < line->count; i++)
		line->words[i].text = texts[i];
	return true;
}

static bool
is_plain_none(const struct directive *d, const struct conf_line *line)
{
	return line->count == 1 && !line->words[0].quoted && strcmp(line->words[0].text, "none") == 0 &&
	    !row_has_word(d, "none");
}

static bool
is_empty_by_none(const struct directive *d)	/* or else `none` brings the default back */
{
	return d->list || d->kind == CONF_KIND_PATH || d->kind == CONF_KIND_REFERENCE ||
	    d->kind == CONF_KIND_BLOCK;
}

static void
append_line(struct conf_value *value, struct conf_line *line)
{
	line->next = NULL;
	if (value->lines == NULL)
		value->lines = line;
	else
		value->last->next = line;
	value->last = line;
}

void
object_set_default(struct conf *conf, struct conf_block *block, const struct row *row, const char *text)
{
	const struct directive *d = row->directive;
	struct conf_value *value = &block->values[row->index];
	struct conf_words words = { .arena = conf->arena };
	struct conf_line *line;
	struct error error;

	memset(row_field(row, block), 0, d->size);
	value->origin = CONF_ORIGIN_DEFAULT;
	value->lines = value->last = NULL;
	if (text == NULL)
		return;
	line = line_of_text(conf->arena, text, conf->problems);
	if (line == NULL || is_plain_none(d, line))
		return;
	append_line(value, line);
	if (d->kind != CONF_KIND_REFERENCE &&
	    !apply_line(d, line, row_field(row, block), &words, &error)) {
		problem_add(conf->problems, block->where, "the default of %s: %s", row_name(d), error.text);
		block->broken = true;
	}
}

static void
set_row_default(struct conf *conf, struct conf_block *block, const struct row *row)
{
	const struct directive *d = row->directive;

	if (d->kind != CONF_KIND_BLOCK)
		object_set_default(conf, block, row, d->flags & CONF_COMPUTED ? NULL : d->value);
}

static void
set_none(struct conf *conf, struct conf_block *block, const struct row *row, struct conf_line *line)
{
	struct conf_value *value = &block->values[row->index];

	if (is_empty_by_none(row->directive)) {
		value->none = true;
		append_line(value, line);
		return;
	}
	set_row_default(conf, block, row);
	value->undone = true;
}

static void
set_words(struct conf *conf, struct conf_block *block, const struct row *row, struct conf_line *line)
{
	const struct directive *d = row->directive;
	struct conf_value *value = &block->values[row->index];
	struct conf_where where = line->where;
	struct conf_words words = { .arena = conf->arena, .count = line->count };
	const char *name = row_name(d);
	struct error error;
	bool ok;

	if (d->kind != CONF_KIND_REFERENCE)
		ok = apply_line(d, line, row_field(row, block), &words, &error);
	else if (line->count == 0)
		ok = error_set(&error, "a name is missing");
	else
		ok = d->list || value_one_word(&words, &error);
	if (ok) {
		append_line(value, line);
		return;
	}
	if (words.bad < line->count)
		where = line->words[words.bad].where;
	if (block->kind->title == TITLE_VALUE && row->index == 0)
		name = block->kind->name;
	problem_add(conf->problems, where, "%s: %s", name, error.text);
	value->failed = true;
	block->broken = true;
}

/* The place of an escape that this directive does not know; false: there is none. */
static bool
find_escape(const struct directive *d, const struct conf_line *line, struct conf_where *where)
{
	for (size_t i = 0; (d->flags & CONF_ESCAPES) == 0 && i < line->count; i++) {
		if (line->words[i].escape == 0)
			continue;
		*where = line->words[i].where;
		where->column = line->words[i].escape;
		return true;
	}
	return false;
}

/* Whatever is said of these words, now or later, does not quote them. */
static void
hide(const struct conf *conf, struct conf_line *line)
{
	problem_hide(conf->problems, line->where);
	line->where.is_hidden = true;
	for (size_t i = 0; i < line->count; i++) {
		problem_hide(conf->problems, line->words[i].where);
		line->words[i].where.is_hidden = true;
	}
}

void
object_set_line(struct conf *conf, struct conf_block *block, const struct row *row, struct conf_line *line)
{
	const struct directive *d = row->directive;
	struct conf_value *value = &block->values[row->index];
	bool is_first = value->origin != CONF_ORIGIN_WRITTEN && !value->undone;
	bool is_none = is_plain_none(d, line);
	bool has_none = value->none || value->undone || is_none;
	struct conf_where escape;

	if (d->flags & CONF_SECRET)
		hide(conf, line);
	if (!is_first && (has_none || !d->list)) {
		char first[256];

		problem_add(conf->problems, line->where, "%s is given twice%s; the first is at %s",
		    row_name(d), has_none ? ", once with none" : "",
		    conf_where_text(value->where, first, sizeof(first)));
		block->broken = true;
		return;
	}
	if (is_first) {
		value->where = line->where;
		value->lines = value->last = NULL;
		if (!row_is_field_written(row, block))
			memset(row_field(row, block), 0, d->size);
		value->origin = CONF_ORIGIN_WRITTEN;
	}
	if (find_escape(d, line, &escape)) {
		problem_add(conf->problems, escape, "%s", lex_escape_problem);
		value->failed = block->broken = true;
	} else if (is_none) {
		set_none(conf, block, row, line);
	} else {
		set_words(conf, block, row, line);
	}
}

struct conf_block *
object_new(struct conf *conf, const struct block *kind, const struct conf_block *parent)
{
	struct conf_block *block = arena_alloc(conf->arena, kind->size);
	struct conf_object *object = arena_alloc(conf->arena, sizeof(*object));
	struct row_walk walk = row_walk_start(kind);
	struct row row;

	assert(kind->size >= sizeof(*block));
	block->kind = kind;
	block->parent = parent;
	block->values = arena_alloc(conf->arena, (row_count(kind) + 1) * sizeof(*block->values));
	while (row_next(&walk, &row))
		set_row_default(conf, block, &row);
	block->object = object;
	object->block = block;
	object->previous = conf->last_object;
	if (conf->last_object != NULL)
		conf->last_object->next = object;
	else
		conf->objects = object;
	conf->last_object = object;
	return block;
}

void
object_add_block(struct conf *conf, struct conf_block *block, const struct row *row,
    struct conf_block *nested)
{
	struct conf_value *value = &block->values[row->index];

	if (value->origin != CONF_ORIGIN_WRITTEN)
		value->where = nested->where;
	value->origin = CONF_ORIGIN_WRITTEN;
	object_put_block(conf, block, row, nested);
}

void
object_put_block(struct conf *conf, struct conf_block *block, const struct row *row,
    struct conf_block *nested)
{
	void *field = row_field(row, block);
	struct conf_list *list = field;

	if (!row->directive->list) {
		*(struct conf_block **)field = nested;
		return;
	}
	list->items = value_grow(conf->arena, list->items, list->count, sizeof(list->items[0]));
	list->items[list->count++] = nested;
}

static char *
name_key(const struct conf *conf, const struct conf_block *parent, const char *kind, const char *title)
{
	return arena_printf(conf->arena, "%p %s %s", (const void *)parent, kind, title != NULL ? title : "");
}

static bool
register_as(struct conf *conf, struct conf_block *block, const char *prefix, const char *key)
{
	const struct conf_block *first = map_get(conf->names, slice_of(key));
	char text[256];

	if (first == NULL) {
		map_set(conf->names, slice_of(key), block);
		return true;
	}
	problem_add(conf->problems, block->where, "%s%s%s%s is given twice; the first is at %s", prefix,
	    block->kind->name, block->title != NULL ? " " : "", block->title != NULL ? block->title : "",
	    conf_where_text(first->where, text, sizeof(text)));
	return false;
}

bool
object_register(struct conf *conf, struct conf_block *block)
{
	return register_as(conf, block, "", name_key(conf, block->parent, block->kind->name, block->title));
}

/* `default` blocks have names of their own, as if they lay within nothing. */
bool
object_register_default(struct conf *conf, struct conf_block *block)
{
	block->object->is_default = true;
	return register_as(conf, block, "default ", name_key(conf, NULL, block->kind->name, NULL));
}

struct conf_block *
object_default(const struct conf *conf, const struct block *kind)
{
	return map_get(conf->names, slice_of(name_key(conf, NULL, kind->name, NULL)));
}

struct conf_block *
object_named(const struct conf *conf, const struct block *kind, const char *title)
{
	return map_get(conf->names, slice_of(name_key(conf, conf->root, kind->name, title)));
}
