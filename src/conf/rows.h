/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows.h: the macros that make directive rows; part of directive.h.  A row whose field has another type
 * than its kind does not compile: _Generic finds no offset for it.
 *
 *	static const struct directive listener_directives[] = {
 *		CONF_DURATION(struct listener, login_timeout, "60s", "1s", "30m", 0, "Time for ..."),
 *		CONF_REFERENCE(struct listener, pool, NULL, &pool_block, CONF_REQUIRED, "The pool that ..."),
 *		CONF_BLOCKS(struct listener, binds, &bind_block, CONF_REQUIRED),
 *		{ 0 }
 *	};
 */
#ifndef CONF_ROWS_H
#define CONF_ROWS_H

#define CONF_FIELD(type, field) (((type *)0)->field)
#define CONF_OFFSET(type, field, wanted) _Generic(CONF_FIELD(type, field), wanted: offsetof(type, field))
/* For pointers to structs of any kind: comparing with a null pointer compiles for pointers only. */
#define CONF_POINTER(type, field) (offsetof(type, field) + 0 * sizeof(CONF_FIELD(type, field) == (void *)0))
/* The size of a block's struct, which must begin with `struct conf_block conf`. */
#define BLOCK_SIZE(type) \
	(sizeof(type) + 0 * sizeof(char[CONF_OFFSET(type, conf, struct conf_block) == 0 ? 1 : -1]))

#define CONF_ROW(type, field, kind_, wanted, default_, flags_, help_) \
	.name = #field, .kind = CONF_KIND_##kind_, .offset = CONF_OFFSET(type, field, wanted), \
	.size = sizeof(CONF_FIELD(type, field)), .value = (default_), .flags = (flags_), .help = (help_)

#define CONF_BOOL(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, BOOL, bool, default_, flags_, help_) }
#define CONF_NUMBER(type, field, default_, from_, to_, flags_, help_) \
	{ CONF_ROW(type, field, NUMBER, int64_t, default_, flags_, help_), .from = (from_), .to = (to_) }
#define CONF_SIZE(type, field, default_, from_, to_, flags_, help_) \
	{ CONF_ROW(type, field, SIZE, struct size, default_, flags_, help_), .from = (from_), .to = (to_) }
#define CONF_DURATION(type, field, default_, from_, to_, flags_, help_) \
	{ CONF_ROW(type, field, DURATION, struct duration, default_, flags_, help_), \
	    .from = (from_), .to = (to_) }

/* Plain values or one of some words that stand for a value: `threads auto`. */
#define CONF_NUMBER_OR(type, field, default_, words_, from_, to_, flags_, help_) \
	{ CONF_ROW(type, field, NUMBER, int64_t, default_, flags_, help_), .choices = (words_), \
	    .from = (from_), .to = (to_) }
#define CONF_DURATION_OR(type, field, default_, words_, from_, to_, flags_, help_) \
	{ CONF_ROW(type, field, DURATION, struct duration, default_, flags_, help_), .choices = (words_), \
	    .from = (from_), .to = (to_) }

#define CONF_STRING(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, STRING, const char *, default_, flags_, help_) }
#define CONF_STRINGS(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, STRING, struct string_list, default_, flags_, help_), .list = true }
/* The name of a host, as conf_is_host. */
#define CONF_HOST(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, HOST, const char *, default_, flags_, help_) }
/* `none` is NULL; relative paths begin at the file that says them. */
#define CONF_PATH(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, PATH, const char *, default_, flags_, help_) }
#define CONF_PATHS(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, PATH, struct string_list, default_, flags_, help_), .list = true }

#define CONF_CHOICE(type, field, default_, choices_, flags_, help_) \
	{ CONF_ROW(type, field, CHOICE, int, default_, flags_, help_), .choices = (choices_) }
#define CONF_CHOICES(type, field, default_, choices_, flags_, help_) \
	{ CONF_ROW(type, field, CHOICES, unsigned, default_, flags_, help_), .list = true, \
	    .choices = (choices_) }

#define CONF_ADDRESS(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, ADDRESS, struct address, default_, flags_, help_) }
#define CONF_ADDRESSES(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, ADDRESS, struct address_list, default_, flags_, help_), .list = true }
#define CONF_NETWORKS(type, field, default_, flags_, help_) \
	{ CONF_ROW(type, field, NETWORK, struct network_list, default_, flags_, help_), .list = true }

/* A pointer to (or a list of) blocks of the root, by name; they may be written later. */
#define CONF_REFERENCE(type, field, default_, block_, flags_, help_) \
	{ .name = #field, .kind = CONF_KIND_REFERENCE, .offset = CONF_POINTER(type, field), \
	    .size = sizeof(void *), .value = (default_), .block = (block_), .flags = (flags_), \
	    .help = (help_) }
#define CONF_REFERENCES(type, field, default_, block_, flags_, help_) \
	{ CONF_ROW(type, field, REFERENCE, struct conf_list, default_, flags_, help_), .list = true, \
	    .block = (block_) }

/* The setter is given the words; the field may have any type. */
#define CONF_CUSTOM_AS(name_, type, field, default_, setter_, argument_, flags_, help_) \
	{ .name = (name_), .kind = CONF_KIND_CUSTOM, .offset = offsetof(type, field), \
	    .size = sizeof(CONF_FIELD(type, field)), .value = (default_), .set = (setter_), \
	    .argument = (argument_), .flags = (flags_), .help = (help_) }
#define CONF_CUSTOM(type, field, default_, setter_, argument_, flags_, help_) \
	CONF_CUSTOM_AS(#field, type, field, default_, setter_, argument_, flags_, help_)
/* The setter is given these words, too: `none` else is the default. */
#define CONF_CUSTOM_OR(type, field, default_, words_, setter_, argument_, flags_, help_) \
	{ .name = #field, .kind = CONF_KIND_CUSTOM, .offset = offsetof(type, field), \
	    .size = sizeof(CONF_FIELD(type, field)), .value = (default_), .choices = (words_), \
	    .set = (setter_), .argument = (argument_), .flags = (flags_), .help = (help_) }

/*
 * Nested blocks, named as their block: any number (conf_list) or at most one (a pointer to its struct,
 * NULL where there is none; with CONF_REQUIRED it must be written).  Several rows may fill one list: then
 * it keeps the order in which allow, deny ... were written; conf.kind tells them apart.
 */
#define CONF_BLOCKS(type, field, block_, flags_) \
	{ .kind = CONF_KIND_BLOCK, .list = true, .offset = CONF_OFFSET(type, field, struct conf_list), \
	    .size = sizeof(struct conf_list), .block = (block_), .flags = (flags_) }
/* The same, and where none is written there is one with the defaults. */
#define CONF_BLOCKS_OR_ONE(type, field, block_, flags_) \
	{ .kind = CONF_KIND_BLOCK, .list = true, .offset = CONF_OFFSET(type, field, struct conf_list), \
	    .size = sizeof(struct conf_list), .value = "", .block = (block_), .flags = (flags_) }
/* `default_`: NULL, or "" for an object with defaults where none is written, or the words of its title. */
#define CONF_BLOCK(type, field, block_, default_, flags_) \
	{ .kind = CONF_KIND_BLOCK, .offset = CONF_POINTER(type, field), .size = sizeof(void *), \
	    .value = (default_), .block = (block_), .flags = (flags_) }

/* Rows of an embedded struct that several blocks share (a pool and its farm): written as the block's own. */
#define CONF_GROUP(type, field, rows_) \
	{ .name = "", .kind = CONF_KIND_GROUP, .offset = offsetof(type, field), \
	    .size = sizeof(CONF_FIELD(type, field)), .rows = (rows_) }

#endif
