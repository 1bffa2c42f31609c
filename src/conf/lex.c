/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lex.c: words are copied to the arena with the environment filled in; everything that cannot be a word is
 * told at its exact place.
 */
#include "conf/lex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

const char lex_escape_problem[] = "in quotes a backslash stands before \", \\ or $ only";

struct lexer
lexer_start(const struct conf_source *source, struct arena *arena, struct conf_problems *problems)
{
	struct lexer lexer = { .source = source, .at = source->text, .end = source->text + source->len,
		.line = 1, .column = 1, .arena = arena, .problems = problems };

	if (source->len >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0)	/* a byte order mark */
		lexer.at += 3;
	return lexer;
}

static struct conf_where
place(const struct lexer *lexer)
{
	return (struct conf_where){ .source = lexer->source, .line = lexer->line, .column = lexer->column };
}

static void
step(struct lexer *lexer)
{
	if (*lexer->at == '\n') {
		lexer->line++;
		lexer->column = 1;
	} else if (((unsigned char)*lexer->at & 0xc0) != 0x80) {	/* not within a UTF-8 character */
		lexer->column++;
	}
	lexer->at++;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
ends_word(char c)
{
	return is_blank(c) || c == '\n' || c == ';' || c == '{' || c == '}';
}

static bool
is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

static bool
is_in_name(char c)		/* of a variable */
{
	return isalnum((unsigned char)c) || c == '_';
}

static void
skip_line(struct lexer *lexer)
{
	while (lexer->at < lexer->end && *lexer->at != '\n')
		step(lexer);
}

/* Skips the rest of the line behind an error, counting its braces, but not those of ${NAME}. */
static void
skip_bad(struct lexer *lexer)
{
	lexer->skipped = 0;
	while (lexer->at < lexer->end && *lexer->at != '\n') {
		if (*lexer->at == '$' && lexer->end - lexer->at > 1 && lexer->at[1] == '{') {
			step(lexer);
			do
				step(lexer);
			while (lexer->at < lexer->end && is_in_name(*lexer->at));
			if (lexer->at < lexer->end && *lexer->at == '}')
				step(lexer);
			continue;
		}
		lexer->skipped += *lexer->at == '{';
		lexer->skipped -= *lexer->at == '}';
		step(lexer);
	}
}

static void
skip_blanks(struct lexer *lexer, bool lines_too)
{
	for (; lexer->at < lexer->end; step(lexer)) {
		if (*lexer->at == '#') {
			skip_line(lexer);
			if (lexer->at == lexer->end || !lines_too)
				return;
		}
		if (!is_blank(*lexer->at) && !(lines_too && *lexer->at == '\n'))
			return;
	}
}

bool
lexer_take_open(struct lexer *lexer)
{
	struct lexer ahead = *lexer;

	skip_blanks(&ahead, true);
	if (ahead.at == ahead.end || *ahead.at != '{')
		return false;
	step(&ahead);
	*lexer = ahead;
	return true;
}

/* At "${": appends the variable's value. */
static bool
read_variable(struct lexer *lexer, struct buf *out)
{
	struct conf_where where = place(lexer);
	const char *start = lexer->at + 2, *at = start, *value;
	char *name;

	while (at < lexer->end && is_in_name(*at))
		at++;
	if (at == lexer->end || *at != '}' || at == start || isdigit((unsigned char)*start)) {
		problem_add(lexer->problems, where,
		    "${ begins a variable and needs a name and a }, as in ${NAME}");
		return false;
	}
	name = arena_strndup(lexer->arena, start, (size_t)(at - start));
	value = getenv(name);
	if (value == NULL) {
		problem_add(lexer->problems, where, "%s is not set in the environment", name);
		return false;
	}
	for (const char *c = value; *c != '\0'; c++) {
		if (is_control(*c)) {
			problem_add(lexer->problems, where, "%s has a control character in the environment",
			    name);
			return false;
		}
	}
	buf_append_text(out, value);
	while (lexer->at <= at)
		step(lexer);
	return true;
}

/* One character of a word, or a variable. */
static bool
read_piece(struct lexer *lexer, struct buf *out)
{
	if (is_control(*lexer->at)) {
		problem_add(lexer->problems, place(lexer), "a control character (byte 0x%02x)",
		    (unsigned char)*lexer->at);
		return false;
	}
	if (*lexer->at == '$' && !lexer->is_plain && lexer->end - lexer->at > 1 && lexer->at[1] == '{')
		return read_variable(lexer, out);
	buf_append(out, lexer->at, 1);
	step(lexer);
	return true;
}

static bool
read_escape(struct lexer *lexer, struct buf *out, struct conf_word *word)
{
	char c = lexer->end - lexer->at > 1 ? lexer->at[1] : '\n';
	bool is_kept = c == 'r' || c == 'n' || c == 't' || c == 'x';

	if (c != '"' && c != '\\' && c != '$' && !is_kept) {
		problem_add(lexer->problems, place(lexer), "%s", lex_escape_problem);
		return false;
	}
	if (is_kept && word->escape == 0)
		word->escape = lexer->column;
	buf_append(out, is_kept ? lexer->at : &c, is_kept ? 2 : 1);
	step(lexer);
	step(lexer);
	return true;
}

static bool
read_quoted(struct lexer *lexer, struct buf *out, struct conf_word *word)
{
	struct conf_where start = place(lexer);
	bool ok = true;

	step(lexer);
	while (ok && lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n') {
		if (*lexer->at == '\r' && lexer->end - lexer->at > 1 && lexer->at[1] == '\n')
			break;
		ok = *lexer->at == '\\' ? read_escape(lexer, out, word) : read_piece(lexer, out);
	}
	if (!ok)
		return false;
	if (lexer->at == lexer->end || *lexer->at != '"') {
		problem_add(lexer->problems, start, "this quote is not closed on its line");
		return false;
	}
	step(lexer);
	if (lexer->at < lexer->end && !ends_word(*lexer->at)) {
		problem_add(lexer->problems, place(lexer), "a blank is missing behind the closing quote");
		return false;
	}
	return true;
}

static bool
read_plain(struct lexer *lexer, struct buf *out)
{
	while (lexer->at < lexer->end && !ends_word(*lexer->at)) {
		if (*lexer->at == '"') {
			problem_add(lexer->problems, place(lexer),
			    "a quote within a word: put quotes around the whole word");
			return false;
		}
		if (!read_piece(lexer, out))
			return false;
	}
	return true;
}

static enum token
read_word(struct lexer *lexer, struct conf_word *word)
{
	struct lexer start = *lexer;
	struct buf text = { 0 };
	bool ok;

	word->where = place(lexer);
	word->quoted = *lexer->at == '"';
	word->escape = 0;
	ok = word->quoted ? read_quoted(lexer, &text, word) : read_plain(lexer, &text);
	if (ok) {
		word->text = arena_strndup(lexer->arena, buf_len(&text) != 0 ? buf_data(&text) : "",
		    buf_len(&text));
	} else {
		*lexer = start;
		skip_bad(lexer);
	}
	buf_wipe(&text);
	return ok ? TOKEN_WORD : TOKEN_BAD;
}

enum token
lexer_next(struct lexer *lexer, struct conf_word *word)
{
	skip_blanks(lexer, false);
	word->where = place(lexer);
	if (lexer->at == lexer->end)
		return TOKEN_EOF;
	switch (*lexer->at) {
	case '\n':
	case ';':
		step(lexer);
		return TOKEN_END;
	case '{':
		step(lexer);
		return TOKEN_OPEN;
	case '}':
		step(lexer);
		return TOKEN_CLOSE;
	default:
		return read_word(lexer, word);
	}
}
