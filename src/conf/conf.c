/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.c: a configuration as a whole, and questions about where its values come from.
 */
#include "conf/conf.h"

#include <assert.h>
#include <string.h>

#include "base/xalloc.h"
#include "conf/load.h"

static struct conf *
conf_new(struct conf_problems *problems)
{
	struct conf *conf = xcalloc(1, sizeof(*conf));

	conf->arena = arena_new();
	conf->names = map_new();
	conf->problems = problems;
	return conf;
}

void
conf_free(struct conf **conf)
{
	if (*conf == NULL)
		return;
	arena_free(&(*conf)->arena);
	if ((*conf)->names != NULL)
		map_free(&(*conf)->names);
	xfree(*conf);
	*conf = NULL;
}

static void
read_all(struct conf *conf, const struct block *root, const struct conf_source *source)
{
	conf->root = object_new(conf, root, NULL);
	conf->root->where.source = source;
	parse_source(conf, conf->root, source);
	resolve_all(conf);
	map_free(&conf->names);
	conf->problems = NULL;
}

struct conf *
conf_load_whole(const char *path, const struct block *root, struct conf_problems *problems)
{
	struct conf *conf = conf_new(problems);
	const struct conf_source *source;
	struct error error;

	source = include_read(conf, path, NULL, &error);
	if (source != NULL)
		read_all(conf, root, source);
	else
		problem_add(problems, (struct conf_where){ 0 }, "%s", error.text);
	/* without memory it is whole in no part */
	if (source == NULL || !conf_has_memory(problems, NULL))
		conf_free(&conf);
	return conf;
}

struct conf *
conf_load(const char *path, const struct block *root, struct conf_problems *problems)
{
	size_t before = problems->told;
	struct conf *conf = conf_load_whole(path, root, problems);

	if (problems->told != before)
		conf_free(&conf);
	return conf;
}

struct conf *
conf_load_text(const char *name, const char *text, const struct block *root, struct conf_problems *problems)
{
	struct conf *conf = conf_new(problems);
	struct conf_source *source = arena_alloc(conf->arena, sizeof(*source));
	size_t before = problems->told;

	source->name = arena_strdup(conf->arena, name);
	source->text = arena_strdup(conf->arena, text);
	source->len = strlen(text);
	source->order = conf->source_count++;
	read_all(conf, root, source);
	if (problems->told != before)
		conf_free(&conf);
	return conf;
}

void *
conf_root(const struct conf *conf)
{
	return conf->root;
}

const char *
conf_hash(const struct conf *conf, char out[CONF_HASH_TEXT_MAX])
{
	for (size_t i = 0; i < sizeof(conf->hash); i++)
		snprintf(out + 2 * i, 3, "%02x", conf->hash[i]);
	return out;
}

static const struct conf_value *
find(const struct conf_block *block, const char *directive)
{
	struct row row;
	bool found = row_find(block->kind, directive, &row);

	assert(found && "a directive the block does not have");
	return found ? &block->values[row.index] : NULL;
}

enum conf_origin
conf_origin(const struct conf_block *block, const char *directive)
{
	return find(block, directive)->origin;
}

bool
conf_is_set(const struct conf_block *block, const char *directive)
{
	return conf_origin(block, directive) != CONF_ORIGIN_DEFAULT;
}

struct conf_where
conf_where(const struct conf_block *block, const char *directive)
{
	struct row row;

	if (directive != NULL && block->kind != NULL && row_find(block->kind, directive, &row) &&
	    block->values[row.index].where.source != NULL)
		return block->values[row.index].where;
	return block != NULL ? block->where : (struct conf_where){ 0 };
}

const char *
conf_where_text(struct conf_where where, char *out, size_t size)
{
	snprintf(out, size, "%s:%d", where.source != NULL ? where.source->name : "default", where.line);
	return out;
}

void
conf_set_default(struct conf_context *context, struct conf_block *block, const char *directive,
    const char *text)
{
	struct row row;
	bool found = row_find(block->kind, directive, &row);

	assert(found && row.directive->kind != CONF_KIND_BLOCK);
	if (!found || block->values[row.index].origin != CONF_ORIGIN_DEFAULT)
		return;
	object_set_default(context->conf, block, &row, text);
	if (row.directive->kind == CONF_KIND_REFERENCE)
		resolve_references(context->conf, block, &row);
}

void
conf_unset(struct conf_context *context, struct conf_block *block, const char *directive)
{
	struct row row;
	bool found = row_find(block->kind, directive, &row);

	assert(found && row.directive->kind != CONF_KIND_BLOCK);
	if (!found)
		return;
	block->values[row.index] = (struct conf_value){ 0 };
	conf_set_default(context, block, directive,
	    row.directive->flags & CONF_COMPUTED ? NULL : row.directive->value);
}
