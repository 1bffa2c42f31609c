/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * document.c: walks the blocks from the root, each once, and writes for every row its name, what it takes,
 * its help, its default and its range.
 */
#include "conf/document.h"

#include <string.h>

#include "base/buf.h"
#include "conf/load.h"

enum { BLOCKS_MAX = 128, WIDTH = 78, TAB = 8 };

/* Blocks in the order they are met, each once. */
struct blocks {
	const struct block *items[BLOCKS_MAX];
	size_t count;
};

static void
collect(const struct block *kind, struct blocks *blocks)
{
	struct row_walk walk = row_walk_start(kind);
	struct row row;

	for (size_t i = 0; i < blocks->count; i++)
		if (blocks->items[i] == kind)
			return;
	if (blocks->count == BLOCKS_MAX)
		return;
	blocks->items[blocks->count++] = kind;
	while (row_next(&walk, &row))
		if (row.directive->kind == CONF_KIND_BLOCK)
			collect(row.directive->block, blocks);
}

/* What stands behind the name, as words for people: "duration", "off | optional | required", "name ...". */
static void
describe_argument(const struct directive *d, struct buf *out)
{
	static const char *const nouns[CONF_KIND_COUNT] = {
		[CONF_KIND_BOOL] = "yes | no", [CONF_KIND_NUMBER] = "number", [CONF_KIND_SIZE] = "size",
		[CONF_KIND_DURATION] = "duration", [CONF_KIND_STRING] = "text", [CONF_KIND_PATH] = "path",
		[CONF_KIND_HOST] = "host",
		[CONF_KIND_ADDRESS] = "address", [CONF_KIND_NETWORK] = "network",
	};
	const char *noun = d->kind == CONF_KIND_REFERENCE ? d->block->name : nouns[d->kind];

	if (d->kind == CONF_KIND_CUSTOM)
		noun = d->argument != NULL ? d->argument : "value";
	if (noun != NULL)
		buf_append_text(out, noun);
	for (const struct choice *c = d->choices; c != NULL && c->word != NULL; c++)
		buf_printf(out, "%s%s", noun == NULL && c == d->choices ? "" : " | ", c->word);
	if (d->list)
		buf_append_text(out, " ...");
}

static void
describe_title(const struct block *kind, struct buf *out)
{
	if (kind->title == TITLE_NAME)
		buf_append_text(out, "name");
	else if (kind->title == TITLE_OPTIONAL)
		buf_append_text(out, "[name]");
	else if (kind->title == TITLE_VALUE)
		describe_argument(kind->directives, out);
}

static bool
has_rows_in_braces(const struct block *kind)
{
	return kind->title != TITLE_VALUE || row_count(kind) > 1;
}

/* Default, range and flags as sentences, or nothing. */
static void
describe_limits(const struct directive *d, struct buf *out)
{
	if (d->value != NULL && (d->kind != CONF_KIND_BLOCK || *d->value != '\0'))
		buf_printf(out, "Default: %s.", *d->value != '\0' ? d->value : "empty");
	if (d->from != NULL && d->to != NULL)
		buf_printf(out, "%sRange: %s to %s.", buf_len(out) != 0 ? " " : "", d->from, d->to);
	else if (d->from != NULL)
		buf_printf(out, "%sAt least %s.", buf_len(out) != 0 ? " " : "", d->from);
	else if (d->to != NULL)
		buf_printf(out, "%sAt most %s.", buf_len(out) != 0 ? " " : "", d->to);
	if (d->flags & CONF_REQUIRED)
		buf_printf(out, "%sRequired.", buf_len(out) != 0 ? " " : "");
	if (d->list)
		buf_printf(out, "%sMay be repeated.", buf_len(out) != 0 ? " " : "");
	if (d->flags & CONF_RESTART)
		buf_printf(out, "%sA change needs a restart.", buf_len(out) != 0 ? " " : "");
}

static const char *
help_of(const struct directive *d)
{
	const char *help = d->kind == CONF_KIND_BLOCK ? d->block->help : d->help;

	return help != NULL ? help : "";
}

/* A word for mdoc: backslashes escaped, `x` set as literal; *is_literal is kept from word to word. */
static void
escape_mdoc(struct slice word, bool *is_literal, struct buf *out)
{
	for (size_t i = 0; i < word.len; i++) {
		if (word.data[i] == '\\') {
			buf_append_text(out, "\\e");
		} else if (word.data[i] == '`') {
			*is_literal = !*is_literal;
			buf_append_text(out, *is_literal ? "\\fB" : "\\fR");
		} else {
			buf_append(out, &word.data[i], 1);
		}
	}
}

void
document_mdoc_text(const char *text, FILE *out)
{
	struct slice rest = slice_of(text), word;
	bool is_literal = false;
	size_t column = 0;

	while ((word = slice_word(&rest)).len != 0) {
		struct buf escaped = { 0 };

		escape_mdoc(word, &is_literal, &escaped);
		if (column != 0 && column + 1 + buf_len(&escaped) > WIDTH) {
			putc('\n', out);
			column = 0;
		}
		fprintf(out, "%s%.*s", column != 0 ? " " : strchr(".'", *word.data) != NULL ? "\\&" : "",
		    SLICE_ARGS(buf_slice(&escaped)));
		column += 1 + buf_len(&escaped);
		buf_clear(&escaped);
		if (strchr(".!?", word.data[word.len - 1]) != NULL) {
			putc('\n', out);
			column = 0;
		}
	}
	if (column != 0)
		putc('\n', out);
}

/* An argument of a macro line: each word alone, so that none is taken for a macro. */
static void
print_mdoc_words(const char *macro, struct buf *words, FILE *out)
{
	struct slice rest = buf_slice(words), word;

	while ((word = slice_word(&rest)).len != 0) {
		if (slice_equals(word, "|"))
			fputs(" |", out);
		else
			fprintf(out, " %s \\&%.*s", macro, SLICE_ARGS(word));
	}
}

static void
print_mdoc_row(const struct directive *d, FILE *out)
{
	struct buf argument = { 0 }, limits = { 0 };

	if (d->kind == CONF_KIND_BLOCK)
		describe_title(d->block, &argument);
	else
		describe_argument(d, &argument);
	describe_limits(d, &limits);
	buf_append(&limits, "", 1);
	fprintf(out, ".It Ic %s", row_name(d));
	print_mdoc_words("Ar", &argument, out);
	if (d->kind == CONF_KIND_BLOCK && has_rows_in_braces(d->block))
		fputs(d->block->title == TITLE_VALUE ? " Op Brq Ar ..." : " Brq Ar ...", out);
	putc('\n', out);
	document_mdoc_text(help_of(d), out);
	document_mdoc_text(buf_data(&limits), out);
	buf_clear(&argument);
	buf_clear(&limits);
}

void
document_mdoc(const struct block *root, FILE *out)
{
	struct blocks blocks = { 0 };

	collect(root, &blocks);
	for (size_t i = 0; i < blocks.count; i++) {
		const struct block *kind = blocks.items[i];
		struct row_walk walk = row_walk_start(kind);
		struct row row;
		bool has_rows = false;

		fprintf(out, ".Ss %s\n", kind == root ? "Outside all blocks" : kind->name);
		if (kind->help != NULL)
			document_mdoc_text(kind->help, out);
		while (row_next(&walk, &row)) {
			if (kind->title == TITLE_VALUE && row.index == 0)
				continue;
			if (!has_rows)
				fputs(".Bl -tag -width Ds\n", out);
			has_rows = true;
			print_mdoc_row(row.directive, out);
		}
		if (has_rows)
			fputs(".El\n", out);
	}
}

static void
print_margin(int depth, FILE *out)
{
	putc('#', out);
	for (int i = 0; i < depth; i++)
		putc('\t', out);
}

/* Help as comment lines of at most WIDTH columns. */
static void
print_comment(const char *text, int depth, FILE *out)
{
	struct slice rest = slice_of(text), word;
	size_t column = 0, start = (size_t)depth * TAB + 2;

	while ((word = slice_word(&rest)).len != 0) {
		if (column != 0 && column + 1 + word.len > WIDTH) {
			putc('\n', out);
			column = 0;
		}
		if (column == 0) {
			print_margin(depth, out);
			putc('#', out);
			column = start;
		}
		fprintf(out, " %.*s", SLICE_ARGS(word));
		column += 1 + word.len;
	}
	if (column != 0)
		putc('\n', out);
}

static void print_reference(const struct block *kind, int depth, FILE *out);

static void
print_reference_block(const struct directive *d, int depth, FILE *out)
{
	enum { DEPTH_MAX = 6 };
	const struct block *kind = d->block;
	struct buf title = { 0 };

	if (d->value != NULL && *d->value != '\0')
		buf_append_text(&title, d->value);
	else if (kind->title != TITLE_OPTIONAL)
		describe_title(kind, &title);
	fprintf(out, "%s%.*s", buf_len(&title) != 0 ? " " : "", SLICE_ARGS(buf_slice(&title)));
	buf_clear(&title);
	if (!has_rows_in_braces(kind)) {
		putc('\n', out);
		return;
	}
	fputs(" {\n", out);
	if (depth < DEPTH_MAX)
		print_reference(kind, depth + 1, out);
	print_margin(depth, out);
	fputs("}\n", out);
}

static void
print_reference_row(const struct directive *d, int depth, FILE *out)
{
	struct buf argument = { 0 }, notes = { 0 };
	bool has_value = d->value != NULL && !(d->flags & CONF_COMPUTED) && d->kind != CONF_KIND_BLOCK;

	describe_limits(d, &notes);
	if (d->kind != CONF_KIND_BLOCK)
		describe_argument(d, &argument);
	if (has_value && d->choices != NULL)
		buf_printf(&notes, " Values: %.*s.", SLICE_ARGS(buf_slice(&argument)));
	buf_append(&notes, "", 1);
	print_comment(help_of(d), depth, out);
	print_comment(buf_data(&notes), depth, out);
	print_margin(depth, out);
	fputs(row_name(d), out);
	if (d->kind == CONF_KIND_BLOCK)
		print_reference_block(d, depth, out);
	else if (has_value)
		fprintf(out, " %s\n", *d->value != '\0' ? d->value : "\"\"");
	else
		fprintf(out, " %.*s\n", SLICE_ARGS(buf_slice(&argument)));
	buf_clear(&argument);
	buf_clear(&notes);
}

static void
print_reference(const struct block *kind, int depth, FILE *out)
{
	struct row_walk walk = row_walk_start(kind);
	struct row row;

	while (row_next(&walk, &row)) {
		if (kind->title == TITLE_VALUE && row.index == 0)
			continue;
		print_reference_row(row.directive, depth, out);
		if (depth == 0)
			putc('\n', out);
	}
}

void
document_conf(const struct block *root, FILE *out)
{
	print_reference(root, 0, out);
}
