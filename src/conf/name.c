/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * name.c: names that cannot be: directives nobody knows or that belong elsewhere, and titles of blocks; each
 * is told with the nearest one that can.
 */
#include "conf/load.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "conf/suggest.h"

/* The blocks that know a directive. */
struct owners {
	const struct block *kinds[8];
	size_t count;
};

static void
find_owners(const struct block *kind, const char *name, struct owners *owners, int depth)
{
	enum { ROOM = sizeof(owners->kinds) / sizeof(owners->kinds[0]) };
	struct row_walk walk = row_walk_start(kind);
	struct row row;

	for (size_t i = 0; i < owners->count; i++)
		if (owners->kinds[i] == kind)
			return;
	if (owners->count < ROOM && row_find(kind, name, &row))
		owners->kinds[owners->count++] = kind;
	while (depth > 0 && row_next(&walk, &row))
		if (row.directive->kind == CONF_KIND_BLOCK)
			find_owners(row.directive->block, name, owners, depth - 1);
}

static void
refuse_misplaced(const struct conf *conf, const struct conf_block *block, const struct conf_word *name,
    const struct owners *owners)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < owners->count; i++) {
		const char *owner = owners->kinds[i]->name;

		buf_printf(&text, "%s%s%s", i == 0 ? "" : i + 1 == owners->count ? " or " : ", ",
		    owners->kinds[i] == conf->root->kind ? "outside all blocks" : "in ",
		    owners->kinds[i] == conf->root->kind ? "" : owner);
	}
	problem_add(conf->problems, name->where, "%s does not belong %s%s, but %.*s", name->text,
	    block->parent != NULL ? "in " : "outside all blocks",
	    block->parent != NULL ? block->kind->name : "", SLICE_ARGS(buf_slice(&text)));
	buf_clear(&text);
}

void
name_refuse(const struct conf *conf, const struct conf_block *block, const struct conf_word *name)
{
	enum { OWNER_DEPTH = 4 };
	struct suggest suggest = suggest_start(name->text);
	char phrase[SUGGEST_TEXT_MAX];
	struct row_walk walk = row_walk_start(block->kind);
	struct owners owners = { 0 };
	struct row row;

	find_owners(conf->root->kind, name->text, &owners, OWNER_DEPTH);
	if (owners.count != 0) {
		refuse_misplaced(conf, block, name, &owners);
		return;
	}
	while (row_next(&walk, &row))
		suggest_try(&suggest, row_name(row.directive));
	suggest_try(&suggest, "include");
	problem_add(conf->problems, name->where, "%s is unknown%s%s%s", name->text,
	    block->parent != NULL ? " in " : "", block->parent != NULL ? block->kind->name : "",
	    suggest_phrase(&suggest, phrase));
}

static bool
is_name(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("._-@:+", *c) == NULL)
			return false;
	return *text != '\0' && strcmp(text, "none") != 0;
}

bool
name_check_title(const struct conf *conf, const struct block *kind, const struct conf_word *title)
{
	struct suggest suggest = suggest_start(title->text);
	char phrase[SUGGEST_TEXT_MAX];

	if (!is_name(title->text)) {
		problem_add(conf->problems, title->where,
		    "a name is made of letters, digits and . _ - @ : +, and is not none");
		return false;
	}
	if (kind->titles == NULL)
		return true;
	for (const char *const *t = kind->titles; *t != NULL; t++) {
		if (strcmp(*t, title->text) == 0)
			return true;
		suggest_try(&suggest, *t);
	}
	problem_add(conf->problems, title->where, "there is no %s %s%s", kind->name, title->text,
	    suggest_phrase(&suggest, phrase));
	return false;
}
