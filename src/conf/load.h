/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h: what the files of this folder share while a configuration is read: sources, words, the lines a
 * directive was written on, and the objects made of blocks.  Nothing outside this folder includes it.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include <sys/types.h>

#include "base/digest.h"
#include "base/map.h"
#include "conf/conf.h"

enum { CONF_MAX_ERRORS = 10000 };	/* every one; but what is no configuration at all must end */

struct conf_source {			/* a file */
	const char *name;		/* as messages call it */
	const char *folder;		/* where its relative paths begin; NULL: the current folder */
	const char *text;
	size_t len;
	int order;			/* of reading, for sorting problems */
	const struct conf_source *from;	/* the file that includes it */
	dev_t device;
	ino_t inode;
};

struct conf_word {
	const char *text;
	bool quoted;
	int escape;			/* the column of the first for CONF_ESCAPES alone; 0: none */
	struct conf_where where;
};

struct conf_line {			/* the values of one directive, without its name */
	struct conf_line *next;
	struct conf_where where;
	struct conf_word *words;
	size_t count;
};

struct conf_value {			/* one for each row of a block's object */
	enum conf_origin origin;
	bool none;			/* `none` was written and means empty */
	bool undone;			/* `none` was written and means the default */
	bool failed;			/* something was written, and wrong */
	struct conf_where where;
	struct conf_line *lines, *last;
};

struct conf_object {			/* all objects, in the order they were made: outer before nested */
	struct conf_object *previous, *next;
	struct conf_block *block;
	bool is_default;		/* a `default` block */
	bool is_merged;
	bool is_refused;		/* by its block's check */
};

struct conf {
	struct arena *arena;
	struct conf_problems *problems;	/* while it is loaded */
	struct conf_block *root;
	struct conf_object *objects, *last_object;
	struct map *names;		/* titled blocks, by name_key */
	int source_count;
	uint8_t hash[DIGEST_SHA256_SIZE];	/* of all files that were read, see conf_hash */
};

/* One row of a block, those within groups too. */
struct row {
	const struct directive *directive;
	size_t offset;			/* of the field in the block's struct */
	size_t index;			/* in conf_block.values */
};

enum { ROW_DEPTH = 4 };			/* groups within groups */

struct row_walk {
	const struct directive *at[ROW_DEPTH];
	size_t offset[ROW_DEPTH];
	int depth;
	size_t index;
};

/* row.c: rows of a block */
struct row_walk row_walk_start(const struct block *kind);
bool row_next(struct row_walk *walk, struct row *row);
bool row_find(const struct block *kind, const char *name, struct row *row);
const char *row_name(const struct directive *directive);
size_t row_count(const struct block *kind);
bool row_has_word(const struct directive *directive, const char *word);
/* Was the row written, or another that fills the same field (allow, deny ... fill one list)? */
bool row_is_field_written(const struct row *row, const struct conf_block *block);
static inline void *
row_field(const struct row *row, const struct conf_block *block)
{
	return (char *)(uintptr_t)block + row->offset;
}

/* value.c, value_net.c: the setters of each kind */
bool value_set(const struct directive *directive, struct conf_words *words, void *field, struct error *error);
bool value_set_address(const struct directive *directive, struct conf_words *words, void *field,
    struct error *error);
bool value_set_network(const struct directive *directive, struct conf_words *words, void *field,
    struct error *error);
bool value_one_word(const struct conf_words *words, struct error *error);
/* The items with room for one more: moved whenever `count` is a power of two. */
void *value_grow(struct arena *arena, void *items, size_t count, size_t item_size);

/* object.c: objects and what is set in them */
struct conf_block *object_new(struct conf *conf, const struct block *kind, const struct conf_block *parent);
void object_set_line(struct conf *conf, struct conf_block *block, const struct row *row,
    struct conf_line *line);
void object_set_default(struct conf *conf, struct conf_block *block, const struct row *row, const char *text);
void object_add_block(struct conf *conf, struct conf_block *block, const struct row *row,
    struct conf_block *nested);
/* The same without a word of who wrote it. */
void object_put_block(struct conf *conf, struct conf_block *block, const struct row *row,
    struct conf_block *nested);
bool object_register(struct conf *conf, struct conf_block *block);	/* false: its title is taken */
bool object_register_default(struct conf *conf, struct conf_block *block);
struct conf_block *object_default(const struct conf *conf, const struct block *kind);	/* NULL: none */
struct conf_block *object_named(const struct conf *conf, const struct block *kind, const char *title);

/* name.c */
void name_refuse(const struct conf *conf, const struct conf_block *block, const struct conf_word *name);
bool name_check_title(const struct conf *conf, const struct block *kind, const struct conf_word *title);

/* parse.c, include.c, complete.c */
void parse_source(struct conf *conf, struct conf_block *block, const struct conf_source *source);
void include_files(struct conf *conf, struct conf_block *block, const struct conf_word *word);
const struct conf_source *include_read(struct conf *conf, const char *path, const struct conf_source *from,
    struct error *error);
void resolve_references(struct conf *conf, struct conf_block *block, const struct row *row);
void resolve_all(struct conf *conf);

/* problem.c */
void problem_add(struct conf_problems *problems, struct conf_where where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The line holds a secret: it is quoted for no problem, nor for those that were added before. */
void problem_hide(struct conf_problems *problems, struct conf_where where);
/* conf_has_memory at a place.  Whoever walks what a user wrote stops when it is false. */
bool problem_has_memory(struct conf_problems *problems, struct conf_where where);

#endif
