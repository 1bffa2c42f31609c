/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * complete.c: what needs the whole configuration read: references, `default` blocks, inheritance, defaults
 * that depend on other values, and the checks of the blocks.
 */
#include <string.h>

#include "conf/load.h"
#include "conf/suggest.h"

static void
refuse_reference(struct conf *conf, struct conf_block *block, const struct row *row,
    const struct conf_line *line, const struct conf_word *word)
{
	const struct block *kind = row->directive->block;
	struct suggest suggest = suggest_start(word->text);
	char phrase[SUGGEST_TEXT_MAX];
	struct conf_where where = word->where.source != NULL ? word->where : line->where;

	for (const struct conf_object *o = conf->objects; o != NULL; o = o->next)
		if (o->block->kind == kind && o->block->parent == conf->root && o->block->title != NULL)
			suggest_try(&suggest, o->block->title);
	problem_add(conf->problems, where.source != NULL ? where : block->where,
	    "%s: there is no %s %s%s", row_name(row->directive), kind->name, word->text,
	    suggest_phrase(&suggest, phrase));
	block->values[row->index].failed = true;
	block->broken = true;
}

static void
resolve_word(struct conf *conf, struct conf_block *block, const struct row *row, const struct conf_line *line,
    const struct conf_word *word)
{
	const struct directive *d = row->directive;
	struct conf_block *found = object_named(conf, d->block, word->text);
	struct conf_list *list = row_field(row, block);

	if (found == NULL) {
		refuse_reference(conf, block, row, line, word);
	} else if (!d->list) {
		*(struct conf_block **)row_field(row, block) = found;
	} else {
		list->items = value_grow(conf->arena, list->items, list->count, sizeof(list->items[0]));
		list->items[list->count++] = found;
	}
}

void
resolve_references(struct conf *conf, struct conf_block *block, const struct row *row)
{
	const struct conf_value *value = &block->values[row->index];

	if (value->none)
		return;
	for (const struct conf_line *l = value->lines; l != NULL; l = l->next)
		for (size_t i = 0; i < l->count; i++)
			resolve_word(conf, block, row, l, &l->words[i]);
}

static void
resolve_block(struct conf *conf, struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row;

	while (row_next(&walk, &row))
		if (row.directive->kind == CONF_KIND_REFERENCE)
			resolve_references(conf, block, &row);
}

/* What was said in `from` counts in `block` where that says nothing itself. */
static void
merge(struct conf_block *block, const struct conf_block *from, enum conf_origin origin)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row, other;

	while (row_next(&walk, &row)) {
		struct conf_value *value = &block->values[row.index];
		const struct conf_value *source;

		if (value->undone || (row.directive->flags & CONF_OWN) || row_is_field_written(&row, block) ||
		    !row_find(from->kind, row_name(row.directive), &other))
			continue;
		source = &from->values[other.index];
		if (other.directive->kind != row.directive->kind ||
		    other.directive->size != row.directive->size ||
		    (source->origin == CONF_ORIGIN_DEFAULT && !source->undone))
			continue;
		memcpy(row_field(&row, block), row_field(&other, from), row.directive->size);
		*value = *source;
		value->origin = source->undone ? CONF_ORIGIN_DEFAULT : origin;
		block->broken = block->broken || source->failed;
	}
}

static void
merge_all(struct conf *conf, struct conf_object *object)
{
	struct conf_block *block = object->block;
	const struct conf_block *general, *other;

	if (object->is_merged)
		return;
	object->is_merged = true;	/* before the rest: objects may inherit in a circle */
	general = block->parent == conf->root ? object_default(conf, block->kind) : NULL;
	if (general != NULL)
		merge(block, general, CONF_ORIGIN_DEFAULT_BLOCK);
	other = block->kind->inherits != NULL ? block->kind->inherits(block) : NULL;
	if (other == NULL)
		return;
	merge_all(conf, other->object);
	merge(block, other, CONF_ORIGIN_INHERITED);
}

/* What no block takes from a `default` block must not stand there as if it did. */
static void
refuse_own(struct conf *conf, const struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row;

	while (row_next(&walk, &row)) {
		const struct conf_value *value = &block->values[row.index];

		if ((row.directive->flags & CONF_OWN) && value->origin == CONF_ORIGIN_WRITTEN)
			problem_add(conf->problems, value->where,
			    "%s cannot be a default: each %s has its own",
			    row_name(row.directive), block->kind->name);
	}
}

static bool
has_nested(const struct conf_block *block, const struct row *row)
{
	const struct conf_list *list = row_field(row, block);
	void *const *pointer = row_field(row, block);

	return row->directive->list ? list->count != 0 : *pointer != NULL;
}

/* Nested blocks that nobody wrote but that have a default. */
static void
make_missing(struct conf *conf, struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row, title;

	while (row_next(&walk, &row)) {
		const struct directive *d = row.directive;
		const struct conf_value *value = &block->values[row.index];
		struct row_walk nested_walk;
		struct conf_block *nested;

		if (d->kind != CONF_KIND_BLOCK || d->value == NULL || value->failed || value->none ||
		    has_nested(block, &row))
			continue;
		nested = object_new(conf, d->block, block);
		nested->where = block->where;
		object_put_block(conf, block, &row, nested);
		nested_walk = row_walk_start(d->block);
		if (d->block->title == TITLE_VALUE && *d->value != '\0' && row_next(&nested_walk, &title))
			object_set_default(conf, nested, &title, d->value);
		resolve_block(conf, nested);
	}
}

static void
require(struct conf *conf, struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row;

	while (row_next(&walk, &row)) {
		const struct directive *d = row.directive;
		const struct conf_value *value = &block->values[row.index];

		if (!(d->flags & CONF_REQUIRED) || value->failed || (value->lines != NULL && !value->none) ||
		    (d->kind == CONF_KIND_BLOCK && value->origin != CONF_ORIGIN_DEFAULT && !value->none) ||
		    (block->broken && (d->flags & CONF_COMPUTED)))
			continue;
		problem_add(conf->problems, block->where, "%s%s%s needs %s",
		    block->parent != NULL ? block->kind->name : "the configuration",
		    block->title != NULL ? " " : "", block->title != NULL ? block->title : "", row_name(d));
		block->broken = true;
	}
}

/* Is something broken that the block refers to? */
static bool
has_broken_reference(const struct conf_block *block)
{
	struct row_walk walk = row_walk_start(block->kind);
	struct row row;

	while (row_next(&walk, &row)) {
		const struct conf_list *list = row_field(&row, block);
		struct conf_block *const *pointer = row_field(&row, block);

		if (row.directive->kind != CONF_KIND_REFERENCE && row.directive->kind != CONF_KIND_BLOCK)
			continue;
		if (!row.directive->list) {
			if (*pointer != NULL && (*pointer)->broken)
				return true;
			continue;
		}
		for (size_t i = 0; i < list->count; i++)
			if (((const struct conf_block *)list->items[i])->broken)
				return true;
	}
	return false;
}

static void
spread_broken(struct conf *conf)
{
	bool is_changed = true;

	if (conf->problems->count == 0)
		return;
	while (is_changed) {
		is_changed = false;
		for (struct conf_object *o = conf->last_object; o != NULL; o = o->previous) {
			if (!o->block->broken && has_broken_reference(o->block))
				o->block->broken = is_changed = true;
		}
	}
}

/* What a check says is wrong counts once all have spoken: each looks at what the file says. */
static void
check_all(struct conf *conf, struct conf_context *context)
{
	for (struct conf_object *o = conf->last_object; o != NULL; o = o->previous) {
		const struct block *kind = o->block->kind;
		size_t before = conf->problems->told;

		if (!o->is_default && kind->check != NULL &&
		    (!o->block->broken || (kind->flags & BLOCK_CHECK_BROKEN)))
			kind->check(context, o->block);
		o->is_refused = conf->problems->told != before;
	}
	for (struct conf_object *o = conf->objects; o != NULL; o = o->next)
		o->block->broken = o->block->broken || o->is_refused;
	spread_broken(conf);
}

static void
resolve_object(struct conf *conf, struct conf_object *object)
{
	resolve_block(conf, object->block);
}

static void
complete(struct conf *conf, struct conf_object *object)
{
	if (object->is_default) {
		refuse_own(conf, object->block);
		return;
	}
	merge_all(conf, object);
	make_missing(conf, object->block);
}

static void
prepare(struct conf *conf, struct conf_object *object)
{
	struct conf_context context = { conf->arena, conf->problems, conf };

	if (!object->is_default && object->block->kind->prepare != NULL)
		object->block->kind->prepare(&context, object->block);
}

static void
require_all(struct conf *conf, struct conf_object *object)
{
	if (!object->is_default)
		require(conf, object->block);
}

void
resolve_all(struct conf *conf)
{
	static void (*const passes[])(struct conf *conf, struct conf_object *object) = {
		resolve_object, complete, prepare, require_all,
	};
	struct conf_context context = { conf->arena, conf->problems, conf };

	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
		for (struct conf_object *o = conf->objects; o != NULL; o = o->next) {
			if (!problem_has_memory(conf->problems, o->block->where))
				return;
			passes[i](conf, o);
		}
	}
	spread_broken(conf);
	check_all(conf, &context);
}
