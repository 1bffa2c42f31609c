/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directive.h: what a configuration may say, as typed rows beside the structs they fill.  One row is the
 * parser, its error text, the check, the effective configuration, the manual entry and the reference.
 * A directive's name is its field's; defaults and ranges are texts as a user writes them. */
#ifndef CONF_DIRECTIVE_H
#define CONF_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/error.h"

struct size { int64_t bytes; };
struct duration { int64_t ms; };

struct address {		/* 192.0.2.1:143, [::1]:143, *:143, name:143, unix:/path; the port may miss */
	const char *text;	/* as written */
	const char *host;	/* without brackets; NULL for a unix socket */
	uint16_t port;		/* 0: none was written */
	struct addr addr;	/* family AF_UNSPEC for a name and for "*" */
};

struct string_list { const char **items; size_t count; };
struct network_list { struct network *items; size_t count; };
struct address_list { struct address *items; size_t count; };
struct conf_list { void **items; size_t count; };	/* pointers to nested or to named blocks */

/* Where a word is written; opaque but for printing. */
struct conf_where {
	const struct conf_source *source;
	int line, column;
	bool is_hidden;			/* messages do not quote the line: it holds a secret */
};

/* Every block's struct begins with it: `struct conf_block conf;`. */
struct conf_block {
	const struct block *kind;
	const char *title;			/* the block's name; NULL where it has none */
	struct conf_where where;
	const struct conf_block *parent;	/* the block around it; NULL for the root */
	struct conf_value *values;		/* where each directive was set, see conf_is_set */
	struct conf_object *object;		/* the loader's own */
	bool broken;				/* an error was found in it: some fields may be unset */
};

struct conf_context {			/* while a configuration is loaded */
	struct arena *arena;		/* lives as long as the configuration */
	struct conf_problems *problems;
	struct conf *conf;
};

/* A word of CHOICE, CHOICES (values are or-ed) or, next to plain values, of a number, size or duration. */
struct choice {
	const char *word;		/* NULL ends the table */
	int value;
};

/* The words of one directive, for a CUSTOM setter. */
struct conf_words {
	const char **words;		/* a setter may replace one (conf_words_path does): -T prints these */
	const bool *quoted;
	size_t count;
	size_t bad;			/* which word the error is about; the first where it is not set */
	struct arena *arena;
	const char *folder;		/* of the file, where relative paths begin; NULL: the current one */
};

/* Fills `field` (zero before); false with the error's text. */
typedef bool conf_setter(struct conf_words *words, void *field, struct error *error);
/* Word i as a path, which replaces the word. */
const char *conf_words_path(struct conf_words *words, size_t i);
/* Word i as a duration or a number; false with the error where it is not, or where there is no such word. */
bool conf_words_duration(struct conf_words *words, size_t i, struct duration *value, struct error *error);
bool conf_words_number(struct conf_words *words, size_t i, int64_t *value, struct error *error);
bool conf_is_host(const char *name);	/* letters, digits and ".-_[]:": fit for greetings */

enum directive_kind {
	CONF_KIND_END, CONF_KIND_BOOL, CONF_KIND_NUMBER, CONF_KIND_SIZE, CONF_KIND_DURATION, CONF_KIND_STRING,
	CONF_KIND_HOST, CONF_KIND_PATH, CONF_KIND_CHOICE, CONF_KIND_CHOICES, CONF_KIND_ADDRESS,
	CONF_KIND_NETWORK, CONF_KIND_REFERENCE, CONF_KIND_CUSTOM, CONF_KIND_BLOCK, CONF_KIND_GROUP,
	CONF_KIND_COUNT
};

enum directive_flag {
	CONF_REQUIRED = 1 << 0,
	CONF_RESTART = 1 << 1,		/* a reload cannot change it */
	CONF_SECRET = 1 << 2,		/* -T masks it, and what is said of it does not quote its line */
	CONF_COMPUTED = 1 << 3,		/* the default is prose ("by protocol"); prepare sets the value */
	CONF_OWN = 1 << 4,		/* never taken from a `default` block nor inherited */
	CONF_NEEDS_PORT = 1 << 5,	/* ADDRESS: a port must be written */
	CONF_NO_PORT = 1 << 6,		/* ADDRESS: none may be */
	CONF_NUMERIC = 1 << 7,		/* ADDRESS: no host name (`*` only together with CONF_ANY) */
	CONF_ANY = 1 << 8,		/* ADDRESS: `*` is all addresses */
	CONF_UNIX = 1 << 9,		/* ADDRESS: unix:PATH too; not NUMERIC, inet:HOST:PORT, too */
	CONF_ESCAPES = 1 << 10,		/* CUSTOM: quotes may hold \r \n \t \x, which the setter works out */
};

struct directive {
	const char *name;		/* NULL: the block's */
	enum directive_kind kind;
	bool list;
	size_t offset, size;		/* of the field */
	const char *value, *from, *to;	/* default and range; NULL: none, the field stays zero */
	unsigned flags;
	const struct choice *choices;
	const struct block *block;	/* BLOCK: what is nested; REFERENCE: the kind meant */
	const struct directive *rows;	/* GROUP: rows of an embedded struct, written as the block's own */
	conf_setter *set;		/* CUSTOM */
	const char *argument;		/* CUSTOM: the manual's name of the words, "idle interval" */
	const char *help;		/* sentences for the manual; `...` marks literal text */
};

enum block_title {
	TITLE_NONE,			/* users { } */
	TITLE_NAME,			/* pool imap { }: unique within the block around it */
	TITLE_OPTIONAL,			/* log { }, log access { } */
	TITLE_VALUE			/* bind *:143, bind *:143 { freebind yes }: the first row reads it */
};
enum block_flag {
	BLOCK_HAS_DEFAULT = 1 << 0,	/* `default NAME { }` is allowed (blocks of the root) */
	BLOCK_CHECK_BROKEN = 1 << 1	/* check runs even if something is broken: see conf.broken */
};

struct block {
	const char *name;
	const struct directive *directives;	/* TITLE_VALUE: the first row reads the title, which may
						   miss before a { where it is not REQUIRED */
	size_t size;				/* BLOCK_SIZE(struct listener) */
	enum block_title title;
	const char *const *titles;		/* the only names allowed, NULL ends; NULL: any */
	unsigned flags;
	/*
	 * Fills in defaults that depend on other fields; for outer blocks first, and after errors too: what
	 * is REQUIRED may then be NULL.
	 */
	void (*prepare)(struct conf_context *context, void *object);
	/* Rules over several fields; after every prepare, nested blocks first; may report many errors. */
	void (*check)(struct conf_context *context, void *object);
	/* The block (a pool's farm) whose directives of the same names are this one's defaults, or NULL. */
	const struct conf_block *(*inherits)(const void *object);
	const char *help;
};

#include "conf/rows.h"

#endif
