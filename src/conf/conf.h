/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h: loading a configuration into the structs that its blocks' rows describe.  Everything lives in one
 * arena and does not change afterwards.  All errors of a run are collected, each with its place.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdio.h>

#include "conf/directive.h"

struct conf;

/* The errors found; begins as { 0 }. */
struct conf_problems {
	struct conf_problem *items;
	size_t count;
	size_t told;		/* with those that were told before */
	bool lacks_memory;
	struct conf_hidden *hidden;	/* lines that are not quoted, as they hold secrets */
	size_t hidden_count;
};

/* NULL when there were problems; they name file, line and column, and are printed in that order. */
struct conf *conf_load(const char *path, const struct block *root, struct conf_problems *problems);
/*
 * The same, also with problems: blocks that had one, or refer to one that had, are `broken`.  NULL where the
 * file itself cannot be read.
 */
struct conf *conf_load_whole(const char *path, const struct block *root, struct conf_problems *problems);
/* As conf_load from memory; `name` stands for the file in messages; paths begin at the current folder. */
struct conf *conf_load_text(const char *name, const char *text, const struct block *root,
    struct conf_problems *problems);
void conf_free(struct conf **conf);
void *conf_root(const struct conf *conf);	/* the root block's struct */

void conf_problems_print(const struct conf_problems *problems, FILE *out);
/* What is wrong in the words of the i-th alone, for where its place is of no interest. */
struct slice conf_problems_message(const struct conf_problems *problems, size_t i);
const char *conf_problems_text(const struct conf_problems *problems, size_t i);	/* whole lines */
void conf_problems_clear(struct conf_problems *problems);

/*
 * Reports an error at the place of a directive (or of its value number `i`), or of the block where that is
 * not written or `directive` is NULL.  Also after loading: opening files as another user is such a moment.
 * Of a block that no configuration holds (its `kind` is NULL) there is no place.
 */
void conf_error_at(struct conf_problems *problems, const struct conf_block *block, const char *directive,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void conf_error_at_value(struct conf_problems *problems, const struct conf_block *block,
    const char *directive, size_t i, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * False: memory was short since spare_begin, and what is done since is to be given up; told once, at the
 * block (NULL: nowhere) where it is first seen.
 */
bool conf_has_memory(struct conf_problems *problems, const struct conf_block *block);

enum conf_origin {
	CONF_ORIGIN_DEFAULT,		/* the row's default, or conf_set_default's */
	CONF_ORIGIN_DEFAULT_BLOCK,	/* a `default` block */
	CONF_ORIGIN_INHERITED,		/* the block it inherits from */
	CONF_ORIGIN_WRITTEN
};

enum conf_origin conf_origin(const struct conf_block *block, const char *directive);
/* Has somebody said it: there, in a `default` block or in the block it inherits from? */
bool conf_is_set(const struct conf_block *block, const char *directive);
struct conf_where conf_where(const struct conf_block *block, const char *directive);
/* "gatepost.conf:12"; returns out. */
const char *conf_where_text(struct conf_where where, char *out, size_t size);
enum { CONF_WHERE_MAX = 256 };		/* enough for most */

/* In prepare and check: the value where nobody wrote one; words are split at blanks.  Shown as a default. */
void conf_set_default(struct conf_context *context, struct conf_block *block, const char *directive,
    const char *text);
/* In prepare and check: as if the directive had never been written (it gets the row's default). */
void conf_unset(struct conf_context *context, struct conf_block *block, const char *directive);

/* The effective configuration: valid syntax, defaults marked, secrets masked. */
void conf_print(const struct conf *conf, FILE *out);

/*
 * What its files said when they were read: in hexadecimal digits the SHA-256 of the file; with `include`, of
 * the one so far, as 32 bytes, and the next file.  Returns out.
 */
enum { CONF_HASH_TEXT_MAX = 65 };
const char *conf_hash(const struct conf *conf, char out[CONF_HASH_TEXT_MAX]);

/* Calls each(directive's name) for what changed among the directives that need a restart. */
void conf_each_restart(const struct conf *old, const struct conf *now,
    void (*each)(const char *name, void *arg), void *arg);

/* Do two blocks, in whatever configurations, say the same?  The names of the blocks do not count. */
bool conf_is_same(const struct conf_block *a, const struct conf_block *b);

#endif
