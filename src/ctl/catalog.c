/* SPDX-License-Identifier: BSD-2-Clause */
/* catalog.c: rows of `help json`. */
#include "ctl/catalog.h"

#include "base/slice.h"
#include "ctl/json.h"

const char *
catalog_name(const struct json_t *row)
{
	const char *name = json_text(json_member(row, "name"));

	return name != NULL ? name : "";
}

const char *
catalog_arguments(const struct json_t *row)
{
	const char *arguments = json_text(json_member(row, "arguments"));

	return arguments != NULL ? arguments : "";
}

bool
catalog_has_json(const struct json_t *row)
{
	return json_is_yes(json_member(row, "has_json"));
}

/* Words of the name, when all of them begin these; else 0. */
static int
matching_words(const char *name, char *const *words, int given)
{
	struct slice rest = slice_of(name), word;
	int count = 0;

	while ((word = slice_word(&rest)).len > 0) {
		if (count == given || !slice_equals(word, words[count]))
			return 0;
		count++;
	}
	return count;
}

const struct json_t *
catalog_find(const struct json_t *help, char *const *words, int given, int *count)
{
	const struct json_t *best = NULL;

	*count = 0;
	for (size_t i = 0; i < json_count(help); i++) {
		const struct json_t *row = json_item(help, i);
		int n = matching_words(catalog_name(row), words, given);

		if (n > *count) {
			*count = n;
			best = row;
		}
	}
	return best;
}
