/* SPDX-License-Identifier: BSD-2-Clause */
/* stats.c: fields of objects. */
#include "ctl/stats.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/json.h"

static bool
is_field(const struct json_t *value)
{
	return json_is_record(json_member(value, "field"));
}

bool
stats_is(const struct json_t *json)
{
	const struct json_t *first = json_item(json, 0);

	return is_field(first) || is_field(json_item(first, 0));
}

size_t
stats_count(const struct json_t *json)
{
	return is_field(json_item(json, 0)) ? 1 : json_count(json);
}

const struct json_t *
stats_object(const struct json_t *json, size_t i)
{
	return is_field(json_item(json, 0)) ? json : json_item(json, i);
}

enum stats_kind
stats_kind(const struct json_t *object)
{
	static const char *const names[] = {
		[STATS_LISTENER] = "Frontend", [STATS_POOL] = "Backend", [STATS_SERVER] = "Server",
	};
	const char *type = json_text(json_member(json_item(object, 0), "objType"));

	for (int kind = 0; type != NULL && kind < STATS_OTHER; kind++)
		if (strcmp(names[kind], type) == 0)
			return (enum stats_kind)kind;
	return STATS_OTHER;
}

const struct json_t *
stats_value(const struct json_t *object, const char *field)
{
	for (size_t i = 0; i < json_count(object); i++) {
		const struct json_t *row = json_item(object, i);
		const char *name = json_text(json_member(json_member(row, "field"), "name"));

		if (name != NULL && strcmp(name, field) == 0)
			return json_member(json_member(row, "value"), "value");
	}
	return NULL;
}

const char *
stats_text(const struct json_t *object, const char *field)
{
	const char *text = json_text(stats_value(object, field));

	return text != NULL ? text : "";
}

double
stats_amount(const struct json_t *object, const char *field)
{
	const struct json_t *value = stats_value(object, field);
	const char *text = json_text(value);

	return text != NULL ? strtod(text, NULL) : json_amount(value);
}
