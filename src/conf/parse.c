/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.c: directives and blocks of a file as lines and objects.  After an error it goes on with the next
 * directive, so that one run tells them all.
 */
#include "conf/load.h"

#include <string.h>

#include "conf/lex.h"

struct parser {
	struct conf *conf;
	struct lexer lexer;
	struct conf_where where;	/* of the token last read */
};

struct statement {			/* a directive up to its end or its { */
	struct conf_word *words;	/* the name first */
	size_t count;
	enum token end;			/* OPEN: a block follows; CLOSE: the surrounding block ends with it */
	struct conf_where open;		/* of the { */
};

static void read_directives(struct parser *p, struct conf_block *block, const struct conf_where *open);

static enum token
next(struct parser *p, struct conf_word *word)
{
	enum token token = lexer_next(&p->lexer, word);

	p->where = word->where;
	return token;
}

static void
skip_block(struct parser *p, struct conf_where open, int depth)
{
	struct conf_word word;

	while (depth > 0) {
		switch (next(p, &word)) {
		case TOKEN_OPEN:
			depth++;
			break;
		case TOKEN_CLOSE:
			depth--;
			break;
		case TOKEN_BAD:
			depth += p->lexer.skipped;
			break;
		case TOKEN_EOF:
			problem_add(p->conf->problems, open, "this { is never closed");
			return;
		default:
			break;
		}
	}
}

/* Reads the words behind the name; false after an error within them, which is told. */
static bool
read_statement(struct parser *p, const struct conf_word *name, struct statement *s)
{
	struct conf_word word = *name;
	enum token token = TOKEN_WORD;

	*s = (struct statement){ 0 };
	while (token == TOKEN_WORD) {
		s->words = value_grow(p->conf->arena, s->words, s->count, sizeof(word));
		s->words[s->count++] = word;
		token = next(p, &word);
	}
	s->end = token;
	s->open = p->where;
	if (token == TOKEN_END && p->lexer.at[-1] == '\n' && lexer_take_open(&p->lexer)) {
		s->end = TOKEN_OPEN;
		s->open = (struct conf_where){ .source = p->lexer.source, .line = p->lexer.line,
			.column = p->lexer.column - 1 };
	}
	if (token != TOKEN_BAD)
		return true;
	s->end = p->lexer.skipped < 0 ? TOKEN_CLOSE : TOKEN_END;
	if (p->lexer.skipped > 0)
		skip_block(p, name->where, p->lexer.skipped);
	return false;
}

static void
read_body(struct parser *p, struct conf_block *nested, const struct statement *s)
{
	if (s->end == TOKEN_OPEN)
		read_directives(p, nested, &s->open);
}

/* Judges the words between a block's name and its {. */
static bool
check_title(struct parser *p, const struct block *kind, const struct statement *s)
{
	const struct conf_word *name = &s->words[0];
	size_t most = kind->title == TITLE_NONE ? 1 : 2;

	if (s->end != TOKEN_OPEN) {
		problem_add(p->conf->problems, name->where, "%s needs a block: %s%s { ... }", kind->name,
		    kind->name, kind->title == TITLE_NAME ? " NAME" : "");
		return false;
	}
	if (kind->title == TITLE_NAME && s->count < 2) {
		problem_add(p->conf->problems, name->where, "%s needs a name: %s NAME { ... }", kind->name,
		    kind->name);
		return false;
	}
	if (s->count > most) {
		problem_add(p->conf->problems, s->words[most].where, "%s takes %s before its {", kind->name,
		    most == 1 ? "no name" : "one name");
		return false;
	}
	return s->count < 2 || name_check_title(p->conf, kind, &s->words[1]);
}

static struct conf_line *
line_of(struct parser *p, const struct statement *s, size_t from, size_t count)
{
	struct conf_line *line = arena_alloc(p->conf->arena, sizeof(*line));

	line->where = s->words[0].where;
	line->words = s->words + from;
	line->count = count;
	return line;
}

static void
set_title_value(struct parser *p, struct conf_block *nested, struct conf_line *line)
{
	struct row_walk walk = row_walk_start(nested->kind);
	struct row row;

	if (!row_next(&walk, &row))
		return;
	if (line->count != 0)
		nested->title = line->words[0].text;
	else if (!(row.directive->flags & CONF_REQUIRED))
		return;
	object_set_line(p->conf, nested, &row, line);
}

/* bind *:143 *:144: an object for each word; with braces, or where the setter takes all words, one. */
static void
read_value_block(struct parser *p, struct conf_block *block, const struct row *row, const struct statement *s)
{
	const struct block *kind = row->directive->block;
	const struct directive *title = &kind->directives[0];
	bool is_each = row->directive->list && s->end != TOKEN_OPEN && !title->list &&
	    title->kind != CONF_KIND_CUSTOM && s->count > 2;

	if (s->count == 1 && s->end != TOKEN_OPEN) {
		problem_add(p->conf->problems, s->words[0].where, "%s: a value is missing", kind->name);
		block->broken = true;
		return;
	}
	for (size_t i = 1; i == 1 || (is_each && i < s->count); i++) {
		struct conf_block *nested = object_new(p->conf, kind, block);

		nested->where = is_each ? s->words[i].where : s->words[0].where;
		set_title_value(p, nested, line_of(p, s, i, is_each ? 1 : s->count - 1));
		read_body(p, nested, s);
		object_add_block(p->conf, block, row, nested);
	}
}

static void
read_titled_block(struct parser *p, struct conf_block *block, const struct row *row,
    const struct statement *s)
{
	const struct block *kind = row->directive->block;
	bool ok = check_title(p, kind, s);
	struct conf_block *nested;

	if (s->end != TOKEN_OPEN) {
		block->values[row->index].failed = block->broken = true;
		return;
	}
	nested = object_new(p->conf, kind, block);
	nested->where = s->words[0].where;
	nested->broken = !ok;
	if (ok && s->count > 1) {
		nested->title = s->words[1].text;
		nested->where = s->words[1].where;
	}
	if (ok && kind->title != TITLE_NONE)
		ok = object_register(p->conf, nested);
	read_body(p, nested, s);
	if (ok)
		object_add_block(p->conf, block, row, nested);
	else
		block->values[row->index].failed = block->broken = true;
}

static void
read_block(struct parser *p, struct conf_block *block, const struct row *row, const struct statement *s)
{
	const struct conf_value *value = &block->values[row->index];
	const struct block *kind = row->directive->block;
	struct conf_line *line = line_of(p, s, 1, s->count - 1);
	char first[256];

	if (!row->directive->list && (value->origin == CONF_ORIGIN_WRITTEN || value->none)) {
		problem_add(p->conf->problems, s->words[0].where, "%s is given twice; the first is at %s",
		    kind->name, conf_where_text(value->where, first, sizeof(first)));
		block->broken = true;
		if (s->end == TOKEN_OPEN)
			skip_block(p, s->open, 1);
		return;
	}
	if (line->count == 1 && s->end != TOKEN_OPEN && !line->words[0].quoted &&
	    strcmp(line->words[0].text, "none") == 0 && !row_has_word(&kind->directives[0], "none")) {
		object_set_line(p->conf, block, row, line);
		return;
	}
	if (kind->title == TITLE_VALUE)
		read_value_block(p, block, row, s);
	else
		read_titled_block(p, block, row, s);
}

/* default listener { ... } */
static void
read_default(struct parser *p, struct conf_block *root, const struct statement *s)
{
	struct conf_block *nested;
	struct row row;

	if (s->count != 2 || s->end != TOKEN_OPEN || !row_find(root->kind, s->words[1].text, &row) ||
	    row.directive->kind != CONF_KIND_BLOCK || !(row.directive->block->flags & BLOCK_HAS_DEFAULT)) {
		problem_add(p->conf->problems, s->words[s->count > 1 ? 1 : 0].where,
		    "default takes the name of a kind of block that can have defaults, and a { ... }");
		if (s->end == TOKEN_OPEN)
			skip_block(p, s->open, 1);
		return;
	}
	nested = object_new(p->conf, row.directive->block, root);
	nested->where = s->words[0].where;
	nested->broken = !object_register_default(p->conf, nested);
	read_body(p, nested, s);
}

static enum token
read_directive(struct parser *p, struct conf_block *block, const struct conf_word *name)
{
	struct statement s;
	struct row row = { 0 };
	bool ok = read_statement(p, name, &s);
	bool is_known = row_find(block->kind, name->text, &row);

	if (!ok) {
		block->broken = true;
		if (is_known)
			block->values[row.index].failed = true;
	} else if (is_known && row.directive->kind == CONF_KIND_BLOCK) {
		read_block(p, block, &row, &s);
	} else if (is_known && s.end != TOKEN_OPEN) {
		object_set_line(p->conf, block, &row, line_of(p, &s, 1, s.count - 1));
	} else if (strcmp(name->text, "default") == 0 && block == p->conf->root) {
		read_default(p, block, &s);
	} else if (strcmp(name->text, "include") == 0 && s.count == 2 && s.end != TOKEN_OPEN) {
		include_files(p->conf, block, &s.words[1]);
	} else {
		if (is_known)
			problem_add(p->conf->problems, s.open, "%s takes no block", name->text);
		else if (strcmp(name->text, "include") == 0)
			problem_add(p->conf->problems, name->where, "include takes one file or pattern");
		else
			name_refuse(p->conf, block, name);
		block->broken = true;
		if (s.end == TOKEN_OPEN)
			skip_block(p, s.open, 1);
	}
	return s.end == TOKEN_OPEN ? TOKEN_END : s.end;
}

static void
read_directives(struct parser *p, struct conf_block *block, const struct conf_where *open)
{
	for (;;) {
		struct conf_word word;
		enum token token = next(p, &word);

		if (!problem_has_memory(p->conf->problems, word.where))
			return;
		if (token == TOKEN_WORD)
			token = read_directive(p, block, &word);
		else if (token == TOKEN_BAD && p->lexer.skipped > 0)
			skip_block(p, p->where, p->lexer.skipped);
		else if (token == TOKEN_BAD && p->lexer.skipped < 0)
			token = TOKEN_CLOSE;
		if (token == TOKEN_CLOSE && open != NULL)
			return;
		if (token == TOKEN_CLOSE)
			problem_add(p->conf->problems, p->where, "this } closes nothing");
		if (token == TOKEN_OPEN) {
			problem_add(p->conf->problems, p->where, "a { without the name of a block before it");
			skip_block(p, p->where, 1);
		}
		if (token == TOKEN_EOF && open != NULL)
			problem_add(p->conf->problems, *open, "this { is never closed");
		if (token == TOKEN_EOF)
			return;
	}
}

void
parse_source(struct conf *conf, struct conf_block *block, const struct conf_source *source)
{
	struct parser p = { .conf = conf, .lexer = lexer_start(source, conf->arena, conf->problems) };

	read_directives(&p, block, NULL);
}
