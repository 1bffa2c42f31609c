/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * row.c: walking and finding the rows of a block.  Rows of a group count as the block's own, in the place
 * where the group stands.
 */
#include "conf/load.h"

#include <assert.h>
#include <string.h>

struct row_walk
row_walk_start(const struct block *kind)
{
	return (struct row_walk){ .at[0] = kind->directives };
}

static void
enter_group(struct row_walk *walk, const struct directive *group)
{
	assert(walk->depth + 1 < ROW_DEPTH);
	walk->offset[walk->depth + 1] = walk->offset[walk->depth] + group->offset;
	walk->at[++walk->depth] = group->rows;
}

bool
row_next(struct row_walk *walk, struct row *row)
{
	for (;;) {
		const struct directive *d = walk->at[walk->depth];

		if (d->kind == CONF_KIND_END) {
			if (walk->depth == 0)
				return false;
			walk->depth--;
			continue;
		}
		walk->at[walk->depth]++;
		if (d->kind == CONF_KIND_GROUP) {
			enter_group(walk, d);
			continue;
		}
		row->directive = d;
		row->offset = walk->offset[walk->depth] + d->offset;
		row->index = walk->index++;
		return true;
	}
}

const char *
row_name(const struct directive *directive)
{
	return directive->name != NULL ? directive->name : directive->block->name;
}

bool
row_find(const struct block *kind, const char *name, struct row *row)
{
	struct row_walk walk = row_walk_start(kind);

	while (row_next(&walk, row))
		if (strcmp(row_name(row->directive), name) == 0)
			return true;
	return false;
}

size_t
row_count(const struct block *kind)
{
	struct row_walk walk = row_walk_start(kind);
	struct row row;

	while (row_next(&walk, &row))
		;
	return walk.index;
}

bool
row_has_word(const struct directive *directive, const char *word)
{
	for (const struct choice *c = directive->choices; c != NULL && c->word != NULL; c++)
		if (strcmp(c->word, word) == 0)
			return true;
	return false;
}

bool
row_is_field_written(const struct row *row, const struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row other;

	while (row_next(&walk, &other))
		if (other.offset == row->offset && block->values[other.index].origin == CONF_ORIGIN_WRITTEN)
			return true;
	return false;
}
