/* SPDX-License-Identifier: BSD-2-Clause */
/* json.c: jansson, and nothing of it outside. */
#include "ctl/json.h"

#include <jansson.h>

struct json_t *
json_read(struct slice text, struct error *error)
{
	json_error_t why;
	json_t *value = json_loadb(text.data, text.len, JSON_DECODE_ANY, &why);

	if (value == NULL)
		error_set(error, "line %d: %s", why.line, why.text);
	return value;
}

void
json_drop(struct json_t **value)
{
	json_decref(*value);
	*value = NULL;
}

bool
json_is_list(const struct json_t *value)
{
	return json_is_array(value);
}

bool
json_is_record(const struct json_t *value)
{
	return json_is_object(value);
}

bool
json_is_amount(const struct json_t *value)
{
	return json_is_number(value);
}

bool
json_is_yes(const struct json_t *value)
{
	return json_is_true(value);
}

size_t
json_count(const struct json_t *list)
{
	return json_array_size(list);
}

const struct json_t *
json_item(const struct json_t *list, size_t i)
{
	return json_array_get(list, i);
}

const struct json_t *
json_member(const struct json_t *record, const char *name)
{
	return json_object_get(record, name);
}

const char *
json_text(const struct json_t *value)
{
	return json_string_value(value);
}

double
json_amount(const struct json_t *value)
{
	return json_number_value(value);
}

void
json_each(const struct json_t *record,
    void (*each)(const char *name, const struct json_t *value, void *arg), void *arg)
{
	/* jansson's iterator takes what it could change; nothing here does */
	union { const json_t *in; json_t *out; } object = { .in = record };

	for (void *i = json_object_iter(object.out); i != NULL; i = json_object_iter_next(object.out, i))
		each(json_object_iter_key(i), json_object_iter_value(i), arg);
}

static int
append(const char *data, size_t len, void *out)
{
	buf_append(out, data, len);
	return 0;
}

void
json_write(const struct json_t *value, struct buf *out)
{
	if (value == NULL)
		buf_append_text(out, "null");
	else
		json_dump_callback(value, append, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

void
json_write_text(const char *text, struct buf *out)
{
	json_t *value = json_string(text);

	/* what is not UTF-8 is no text */
	json_write(value, out);
	json_decref(value);
}

void
json_print(const struct json_t *value, struct buf *out)
{
	if (value == NULL || json_typeof(value) == JSON_NULL)
		buf_append_text(out, "-");
	else if (json_is_string(value))
		buf_append_text(out, json_string_value(value));
	else if (json_is_boolean(value))
		buf_append_text(out, json_is_true(value) ? "yes" : "no");
	else
		json_write(value, out);
}
