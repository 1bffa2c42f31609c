/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value.c: the words of a directive as the value of its field, by the kind of its row; defaults and ranges
 * are read by the same setters.
 */
#include "conf/load.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "conf/suggest.h"

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit no_units[] = { { 0 } };
static const struct unit size_units[] = {
	{ "b", 1 }, { "k", INT64_C(1) << 10 }, { "m", INT64_C(1) << 20 }, { "g", INT64_C(1) << 30 },
	{ "t", INT64_C(1) << 40 }, { 0 }
};
static const struct unit duration_units[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { 0 }
};

static const struct quantity {		/* the kinds that are a number with a unit */
	const struct unit *units;
	const char *noun, *examples;
} quantities[CONF_KIND_COUNT] = {
	[CONF_KIND_NUMBER] = { no_units, "a number", NULL },
	[CONF_KIND_SIZE] = { size_units, "a size", "64k 10m 1g" },
	[CONF_KIND_DURATION] = { duration_units, "a duration", "500ms 3s 5m 12h 7d" },
};

bool
value_one_word(const struct conf_words *words, struct error *error)
{
	if (words->count == 1)
		return true;
	if (words->count == 0)
		return error_set(error, "a value is missing");
	return error_set(error, "takes one value, not %zu", words->count);
}

void *
value_grow(struct arena *arena, void *items, size_t count, size_t item_size)
{
	void *grown;

	/* there is room up to the next power of two */
	if (count != 0 && (count & (count - 1)) != 0)
		return items;
	grown = arena_alloc(arena, (count == 0 ? 1 : count * 2) * item_size);
	if (count != 0)
		memcpy(grown, items, count * item_size);
	return grown;
}

static void
list_choices(const struct choice *choices, struct buf *out)
{
	for (const struct choice *c = choices; c->word != NULL; c++)
		buf_printf(out, "%s%s", c == choices ? "" : c[1].word == NULL ? " or " : ", ", c->word);
}

static bool
refuse_choice(const struct choice *choices, const char *noun, const char *word, struct error *error)
{
	struct suggest suggest = suggest_start(word);
	char phrase[SUGGEST_TEXT_MAX];
	struct buf list = { 0 };

	for (const struct choice *c = choices; c->word != NULL; c++)
		suggest_try(&suggest, c->word);
	list_choices(choices, &list);
	error_set(error, "%s is not %s%sone of %.*s%s", word, noun != NULL ? noun : "",
	    noun != NULL ? " or " : "", SLICE_ARGS(buf_slice(&list)), suggest_phrase(&suggest, phrase));
	buf_clear(&list);
	return false;
}

static const struct choice *
find_choice(const struct choice *choices, const char *word)
{
	for (const struct choice *c = choices; c->word != NULL; c++)
		if (strcmp(c->word, word) == 0)
			return c;
	return NULL;
}

/* The word that a quantity's row takes instead of a number; NULL: it is none. */
static const struct choice *
find_instead(const struct directive *d, const char *word)
{
	return d->choices != NULL ? find_choice(d->choices, word) : NULL;
}

/* What follows the digits of a quantity: the factor, or 0 and the error. */
static int64_t
read_unit(const struct quantity *q, const char *text, const char *unit, struct error *error)
{
	if (q->examples == NULL && *unit == '\0')
		return 1;
	if (q->examples == NULL) {
		error_set(error, "%s has a unit, but a plain number is wanted", text);
		return 0;
	}
	if (*unit == '\0') {
		if (strspn(text, "0") == strlen(text))
			return 1;
		error_set(error, "%s needs a unit: %s", text, q->examples);
		return 0;
	}
	for (const struct unit *u = q->units; u->name != NULL; u++)
		if (strcmp(u->name, unit) == 0)
			return u->factor;
	error_set(error, "%s is not %s: the unit %s is none of %s", text, q->noun, unit, q->examples);
	return 0;
}

static bool
parse_quantity(const struct directive *d, const char *text, int64_t *value, struct error *error)
{
	const struct quantity *q = &quantities[d->kind];
	const struct choice *choice = find_instead(d, text);
	size_t digits = strspn(text, "0123456789");
	int64_t factor;
	uint64_t number;

	if (choice != NULL) {
		*value = choice->value;
		return true;
	}
	if (digits == 0 || strspn(text + digits, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
	    strlen(text + digits)) {
		if (d->choices != NULL && digits == 0 && *text != '-')
			return refuse_choice(d->choices, q->noun, text, error);
		return error_set(error, "%s is not %s%s%s", text, q->noun,
		    q->examples != NULL ? " like " : "", q->examples != NULL ? q->examples : "");
	}
	factor = read_unit(q, text, text + digits, error);
	if (factor == 0)
		return false;
	if (!slice_to_number(slice_make(text, digits), (uint64_t)(INT64_MAX / factor), &number))
		return error_set(error, "%s is too large", text);
	*value = (int64_t)number * factor;
	return true;
}

static bool
check_range(const struct directive *d, const char *text, int64_t value, struct error *error)
{
	int64_t from = INT64_MIN, to = INT64_MAX;

	if (find_instead(d, text) != NULL)
		return true;
	if (d->from != NULL && !parse_quantity(d, d->from, &from, error))
		return false;
	if (d->to != NULL && !parse_quantity(d, d->to, &to, error))
		return false;
	if (value >= from && value <= to)
		return true;
	if (d->from == NULL)
		return error_set(error, "%s is more than %s", text, d->to);
	if (d->to == NULL)
		return error_set(error, "%s is less than %s", text, d->from);
	return error_set(error, "%s is outside %s to %s", text, d->from, d->to);
}

static bool
set_quantity(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	int64_t value;

	if (!value_one_word(words, error))
		return false;
	if (!parse_quantity(d, words->words[0], &value, error) ||
	    !check_range(d, words->words[0], value, error))
		return false;
	if (d->kind == CONF_KIND_NUMBER)
		*(int64_t *)field = value;
	else if (d->kind == CONF_KIND_SIZE)
		((struct size *)field)->bytes = value;
	else
		((struct duration *)field)->ms = value;
	return true;
}

static bool
parse_word(enum directive_kind kind, struct conf_words *words, size_t i, int64_t *value, struct error *error)
{
	const struct directive plain = { .kind = kind };

	words->bad = i;
	if (i >= words->count)
		return error_set(error, "value %zu is missing, %s", i + 1, quantities[kind].noun);
	return parse_quantity(&plain, words->words[i], value, error);
}

bool
conf_words_duration(struct conf_words *words, size_t i, struct duration *value, struct error *error)
{
	return parse_word(CONF_KIND_DURATION, words, i, &value->ms, error);
}

bool
conf_words_number(struct conf_words *words, size_t i, int64_t *value, struct error *error)
{
	return parse_word(CONF_KIND_NUMBER, words, i, value, error);
}

static bool
set_bool(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	static const struct choice bools[] = {
		{ "yes", true }, { "no", false }, { "on", true }, { "off", false }, { "true", true },
		{ "false", false }, { 0 }
	};
	const struct choice *choice;

	(void)d;
	if (!value_one_word(words, error))
		return false;
	choice = find_choice(bools, words->words[0]);
	if (choice == NULL)
		return error_set(error, "%s is neither yes nor no", words->words[0]);
	*(bool *)field = choice->value != 0;
	return true;
}

static bool
set_choice(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	const struct choice *choice;

	if (!value_one_word(words, error))
		return false;
	choice = find_choice(d->choices, words->words[0]);
	if (choice == NULL)
		return refuse_choice(d->choices, NULL, words->words[0], error);
	*(int *)field = choice->value;
	return true;
}

static bool
set_choices(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	for (size_t i = 0; i < words->count; i++) {
		const struct choice *choice = find_choice(d->choices, words->words[i]);

		words->bad = i;
		if (choice == NULL)
			return refuse_choice(d->choices, NULL, words->words[i], error);
		*(unsigned *)field |= (unsigned)choice->value;
	}
	return true;
}

const char *
conf_words_path(struct conf_words *words, size_t i)
{
	const char *word = words->words[i];

	if (*word != '/' && words->folder != NULL)
		word = arena_printf(words->arena, "%s/%s", words->folder, word);
	words->words[i] = word;
	return word;
}

static bool
set_text(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	struct string_list *list = field;

	if (!d->list && !value_one_word(words, error))
		return false;
	for (size_t i = 0; i < words->count; i++) {
		words->bad = i;
		if (d->kind == CONF_KIND_PATH) {
			if (words->words[i][0] == '\0')
				return error_set(error, "an empty path");
			conf_words_path(words, i);
		}
		if (!d->list) {
			*(const char **)field = words->words[i];
			continue;
		}
		list->items = value_grow(words->arena, list->items, list->count, sizeof(list->items[0]));
		list->items[list->count++] = words->words[i];
	}
	return true;
}

bool
conf_is_host(const char *name)
{
	enum { HOST_MAX = 255 };

	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr(".-_[]:", *c) == NULL)
			return false;
	return *name != '\0' && strlen(name) <= HOST_MAX;
}

static bool
set_host(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	if (words->count == 1 && !conf_is_host(words->words[0]))
		return error_set(error, "%s is not the name of a host", words->words[0]);
	return set_text(d, words, field, error);
}

static bool
set_custom(const struct directive *d, struct conf_words *words, void *field, struct error *error)
{
	return d->set(words, field, error);
}

bool
value_set(const struct directive *directive, struct conf_words *words, void *field, struct error *error)
{
	static bool (*const setters[CONF_KIND_COUNT])(const struct directive *, struct conf_words *, void *,
	    struct error *) = {
		[CONF_KIND_BOOL] = set_bool,
		[CONF_KIND_NUMBER] = set_quantity,
		[CONF_KIND_SIZE] = set_quantity,
		[CONF_KIND_DURATION] = set_quantity,
		[CONF_KIND_STRING] = set_text,
		[CONF_KIND_HOST] = set_host,
		[CONF_KIND_PATH] = set_text,
		[CONF_KIND_CHOICE] = set_choice,
		[CONF_KIND_CHOICES] = set_choices,
		[CONF_KIND_ADDRESS] = value_set_address,
		[CONF_KIND_NETWORK] = value_set_network,
		[CONF_KIND_CUSTOM] = set_custom,
	};

	if (directive->kind != CONF_KIND_CUSTOM && words->count == 0)
		return error_set(error, "a value is missing");
	if (setters[directive->kind] == NULL)
		return error_set(error, "cannot be read from words alone");
	if (!directive->list && directive->kind != CONF_KIND_CUSTOM)
		words->bad = words->count > 1 ? 1 : 0;
	return setters[directive->kind](directive, words, field, error);
}
