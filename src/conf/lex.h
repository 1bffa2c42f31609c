/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lex.h: a configuration as words, braces and ends of directives.
 *
 * A word ends at a blank, `;`, `{`, `}` or the end of the line; `#` begins a comment only where a word could
 * begin.  A word in "..." may hold all of these, with the escapes \" \\ and \$; it ends on its line and is a
 * word of its own.  \r \n \t and \x stay as they are, for the directives that know them (CONF_ESCAPES).
 * ${NAME} is the environment's, in plain and in quoted words, and is never split; a dollar before anything
 * but a brace is itself.  A backslash in a plain word is itself.
 */
#ifndef CONF_LEX_H
#define CONF_LEX_H

#include "conf/load.h"

extern const char lex_escape_problem[];		/* what is wrong with an escape that is not known */

enum token { TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_END, TOKEN_EOF, TOKEN_BAD };

struct lexer {
	const struct conf_source *source;
	const char *at, *end;
	int line, column;		/* of what `at` points to; columns count characters */
	bool is_plain;			/* ${ is itself */
	int skipped;			/* braces opened less closed in what TOKEN_BAD skipped */
	struct arena *arena;
	struct conf_problems *problems;
};

struct lexer lexer_start(const struct conf_source *source, struct arena *arena,
    struct conf_problems *problems);

/* TOKEN_END is a line's end or `;`.  TOKEN_BAD: the error is told and the rest of the line skipped. */
enum token lexer_next(struct lexer *lexer, struct conf_word *word);

/* Is the next thing, perhaps on a later line, a `{`?  Then it is taken. */
bool lexer_take_open(struct lexer *lexer);

#endif
