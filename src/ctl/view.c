/* SPDX-License-Identifier: BSD-2-Clause */
/* view.c: tables and lines of JSON. */
#include "ctl/view.h"

#include "ctl/json.h"
#include "ctl/stats.h"
#include "ctl/table.h"

static bool
tells_state(const char *name)
{
	static const char *const words[] = { "state", "status", "health", "result" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(name, words[i]) != NULL)
			return true;
	return false;
}

static bool
has_column(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return true;
	return false;
}

/* A column is one of numbers where each row that has it has a number, or nothing. */
static bool
has_numbers(const struct json_t *list, const char *name)
{
	size_t numbers = 0;

	for (size_t i = 0; i < json_count(list); i++) {
		const struct json_t *value = json_member(json_item(list, i), name);

		if (json_text(value) != NULL)
			return false;
		numbers += json_is_amount(value);
	}
	return numbers > 0;
}

struct columns {
	struct table *table;
	const struct json_t *list;
};

static void
add_column(const char *name, const struct json_t *value, void *arg)
{
	const struct columns *columns = arg;
	enum table_kind kind = tells_state(name) ? TABLE_STATE : TABLE_TEXT;

	(void)value;
	if (has_column(columns->table, name))
		return;
	if (has_numbers(columns->list, name))
		kind = TABLE_NUMBER;
	table_add_column(columns->table, name, kind);
}

static void
print_list(const struct json_t *list, const struct look *look, struct buf *out)
{
	struct table table = { .drops_columns = true, .tells_dropped = true };
	struct columns columns = { &table, list };

	for (size_t i = 0; i < json_count(list); i++)
		json_each(json_item(list, i), add_column, &columns);
	for (size_t i = 0; i < json_count(list); i++) {
		for (size_t c = 0; c < table.column_count; c++) {
			struct buf cell = { 0 };

			json_print(json_member(json_item(list, i), table.columns[c].name), &cell);
			table_add(&table, buf_slice(&cell));
			buf_clear(&cell);
		}
	}
	table_print(&table, look, out);
	table_clear(&table);
}

struct lines {
	const struct look *look;
	struct buf *out;
};

static void
print_line(const char *name, const struct json_t *value, void *arg)
{
	const struct lines *lines = arg;
	struct buf raw = { 0 }, text = { 0 };
	struct slice rest, line;

	json_print(value, &raw);
	rest = buf_slice(&raw);
	line = slice_take(&rest, '\n');
	text_append_printable(line, &text);
	text_append_coloured(slice_of(name), COLOUR_BOLD, lines->look, lines->out);
	buf_append_text(lines->out, ": ");
	text_append_coloured(buf_slice(&text), tells_state(name) ? text_state_colour(line) : COLOUR_NONE,
	    lines->look, lines->out);
	buf_append_text(lines->out, "\n");
	while (rest.len > 0) {
		buf_append_text(lines->out, "    ");
		text_append_printable(slice_take(&rest, '\n'), lines->out);
		buf_append_text(lines->out, "\n");
	}
	buf_clear(&raw);
	buf_clear(&text);
}

static void
print_fields(const struct json_t *object, const struct look *look, struct buf *out)
{
	struct lines lines = { look, out };

	for (size_t i = 0; i < json_count(object); i++) {
		const struct json_t *row = json_item(object, i);
		const char *name = json_text(json_member(json_member(row, "field"), "name"));

		if (name != NULL)
			print_line(name, json_member(json_member(row, "value"), "value"), &lines);
	}
}

static void
add_figure(struct table *table, const struct json_t *value, int unit)
{
	struct buf text = { 0 };

	if (json_is_amount(value) && unit != 0)
		text_append_amount(json_amount(value), unit, &text);
	else
		json_print(value, &text);
	table_add(table, buf_slice(&text));
	buf_clear(&text);
}

static void
print_stats(const struct json_t *json, const struct look *look, struct buf *out)
{
	static const struct {
		const char *field, *head;
		enum table_kind kind;
		int unit;		/* of long figures; 0: as they are */
	} columns[] = {
		{ "pxname",       "proxy",    TABLE_TEXT,   0 },
		{ "svname",       "name",     TABLE_TEXT,   0 },
		{ "status",       "status",   TABLE_STATE,  0 },
		{ "scur",         "sessions", TABLE_NUMBER, 0 },
		{ "rate",         "rate",     TABLE_NUMBER, 0 },
		{ "qcur",         "queue",    TABLE_NUMBER, 0 },
		{ "weight",       "weight",   TABLE_NUMBER, 0 },
		{ "check_status", "check",    TABLE_TEXT,   0 },
		{ "last_chk",     "said",     TABLE_TEXT,   0 },
		{ "lastchg",      "since s",  TABLE_NUMBER, 0 },
		{ "econ",         "errors",   TABLE_NUMBER, 1000 },
		{ "smax",         "max",      TABLE_NUMBER, 0 },
		{ "stot",         "total",    TABLE_NUMBER, 1000 },
		{ "bin",          "in",       TABLE_NUMBER, 1024 },
		{ "bout",         "out",      TABLE_NUMBER, 1024 },
	};
	size_t count = sizeof(columns) / sizeof(columns[0]);
	struct table table = { .drops_columns = true, .tells_dropped = true };

	for (size_t c = 0; c < count; c++)
		table_add_column(&table, columns[c].head, columns[c].kind);
	for (size_t i = 0; i < stats_count(json); i++) {
		const struct json_t *object = stats_object(json, i);

		for (size_t c = 0; c < count; c++)
			add_figure(&table, stats_value(object, columns[c].field), columns[c].unit);
	}
	table_print(&table, look, out);
	table_clear(&table);
}

void
view_print(const struct json_t *json, const struct look *look, struct buf *out)
{
	struct lines lines = { look, out };

	if (stats_is(json) && stats_kind(stats_object(json, 0)) != STATS_OTHER) {
		print_stats(json, look, out);
	} else if (stats_is(json)) {
		print_fields(stats_object(json, 0), look, out);
	} else if (json_is_list(json) && json_count(json) == 0) {
		buf_append_text(out, "(none)\n");
	} else if (json_is_list(json) && json_is_record(json_item(json, 0))) {
		print_list(json, look, out);
	} else if (json_is_record(json)) {
		json_each(json, print_line, &lines);
	} else {
		json_print(json, out);
		buf_append_text(out, "\n");
	}
}
