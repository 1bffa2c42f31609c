/* SPDX-License-Identifier: BSD-2-Clause */
/* complete.c: words of `help json`, and names out of `show stat`. */
#include "ctl/complete.h"

#include <ctype.h>
#include <stdio.h>

#include "ctl/ask.h"
#include "ctl/catalog.h"
#include "ctl/json.h"
#include "ctl/stats.h"

struct completion {
	const char *place;
	struct slice begun;		/* of the word */
	struct buf said;		/* lines, each once */
};

static void
offer(struct completion *completion, struct slice word)
{
	struct slice rest = buf_slice(&completion->said), line;

	if (word.len == 0 || word.len < completion->begun.len ||
	    memcmp(word.data, completion->begun.data, completion->begun.len) != 0)
		return;
	while (rest.len > 0) {
		line = slice_take(&rest, '\n');
		if (line.len == word.len && memcmp(line.data, word.data, word.len) == 0)
			return;
	}
	buf_append_slice(&completion->said, word);
	buf_append_text(&completion->said, "\n");
}

/* The next word of a name whose first words are these. */
static void
offer_next(struct completion *completion, const char *name, char *const *words, int count)
{
	struct slice rest = slice_of(name), word;

	for (int i = 0; i < count; i++) {
		word = slice_word(&rest);
		if (!slice_equals(word, words[i]))
			return;
	}
	offer(completion, slice_word(&rest));
}

/* What an argument in capitals may be: objects of `show stat`. */
struct wanted {
	bool listeners, pools, endpoints, machines;
};

static struct wanted
wanted_by(struct slice argument)
{
	static const struct {
		const char *word;
		struct wanted wanted;
	} rows[] = {
		{ "POOL/SERVER",    { .endpoints = true } },
		{ "BACKEND/SERVER", { .endpoints = true } },
		{ "SERVER",         { .endpoints = true, .machines = true } },
		{ "POOL",           { .pools = true } },
		{ "BACKEND",        { .pools = true } },
		{ "LISTENER",       { .listeners = true } },
		{ "FRONTEND",       { .listeners = true } },
		{ "PROXY",          { .listeners = true, .pools = true } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (memmem(argument.data, argument.len, rows[i].word, strlen(rows[i].word)) != NULL)
			return rows[i].wanted;
	return (struct wanted){ 0 };
}

static void
offer_object(struct completion *completion, const struct json_t *object, const struct wanted *wanted)
{
	struct slice proxy = slice_of(stats_text(object, "pxname"));
	struct slice server = slice_of(stats_text(object, "svname"));
	enum stats_kind kind = stats_kind(object);
	struct buf name = { 0 };

	if ((kind == STATS_LISTENER && wanted->listeners) || (kind == STATS_POOL && wanted->pools))
		offer(completion, proxy);
	if (kind != STATS_SERVER)
		return;
	if (wanted->machines)
		offer(completion, server);
	buf_printf(&name, "%.*s/%.*s", SLICE_ARGS(proxy), SLICE_ARGS(server));
	if (wanted->endpoints)
		offer(completion, buf_slice(&name));
	buf_clear(&name);
}

static void
offer_objects(struct completion *completion, struct wanted wanted)
{
	struct error error;
	enum asked how;
	struct json_t *json;

	if (!wanted.listeners && !wanted.pools && !wanted.endpoints && !wanted.machines)
		return;
	json = ask_json(completion->place, "show stat", &how, &error);
	for (size_t i = 0; i < stats_count(json); i++)
		offer_object(completion, stats_object(json, i), &wanted);
	json_drop(&json);
}

/* An argument as help has it: "[ready|drain|maint]", "POOL/SERVER", "[over TIME]". */
static void
offer_argument(struct completion *completion, struct slice argument)
{
	while (argument.len > 0 && strchr("[{(<", argument.data[0]) != NULL)
		argument = slice_from(argument, 1);
	while (argument.len > 0 && strchr("]})>.", argument.data[argument.len - 1]) != NULL)
		argument.len--;
	while (argument.len > 0) {
		struct slice choice = slice_take(&argument, '|');

		if (choice.len > 0 && islower((unsigned char)choice.data[0]))
			offer(completion, choice);
		else
			offer_objects(completion, wanted_by(choice));
	}
}

static int
count_brackets(struct slice word)
{
	int count = 0;

	for (size_t i = 0; i < word.len; i++)
		count += (word.data[i] == '[') - (word.data[i] == ']');
	return count;
}

/*
 * The argument at its place; where some may be left out ("[over TIME]"), the first words of those behind it,
 * up to an argument that may not.
 */
static void
offer_arguments(struct completion *completion, const struct json_t *row, int at)
{
	struct slice rest = slice_of(catalog_arguments(row)), argument;
	int depth = 0;

	for (int i = 0; (argument = slice_word(&rest)).len > 0; i++) {
		bool begins_group = depth == 0 && argument.data[0] == '[';

		if (i == at || begins_group || (i > at && depth == 0))
			offer_argument(completion, argument);
		if (i >= at && depth == 0 && !begins_group)
			break;
		depth += count_brackets(argument);
	}
	if (catalog_has_json(row))
		offer(completion, slice_of("json"));
}

static void
offer_commands(struct completion *completion, char *const *words, int count)
{
	struct error error;
	enum asked how;
	struct json_t *help = ask_json(completion->place, "help", &how, &error);
	const struct json_t *row;
	int n;

	for (size_t i = 0; i < json_count(help); i++)
		offer_next(completion, catalog_name(json_item(help, i)), words, count);
	row = catalog_find(help, words, count, &n);
	if (row != NULL)
		offer_arguments(completion, row, count - n);
	json_drop(&help);
}

void
complete_print(const char *place, const char *const *names, char *const *words, int count)
{
	struct completion completion = {
		.place = place, .begun = slice_of(count > 0 ? words[count - 1] : ""),
	};

	if (count > 0)
		count--;
	for (; count == 0 && *names != NULL; names++)
		offer(&completion, slice_of(*names));
	offer_commands(&completion, words, count);
	fwrite(buf_slice(&completion.said).data, 1, buf_len(&completion.said), stdout);
	buf_clear(&completion.said);
}
