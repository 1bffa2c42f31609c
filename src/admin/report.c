/* SPDX-License-Identifier: BSD-2-Clause */
/* report.c: cells are kept until the widths are known; JSON is written at once. */
#include "admin/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log_line.h"

enum { GAP = 2, NUMBER_MAX = 24, PIECE_MAX = 2048, UTF8_MAX = 4, TIME_MAX = 32 };

void
report_begin(struct report *report, struct admin_call *call, enum report_shape shape,
    const struct report_column *columns, size_t count)
{
	*report = (struct report){
		.out = &call->out, .columns = columns, .count = count, .shape = shape,
		.is_json = call->wants_json,
	};
	for (size_t i = 0; i < count; i++)
		report->widths[i] = strlen(columns[i].name);
	if (report->is_json && shape == REPORT_TABLE)
		buf_append_text(report->out, "[");
}

static void
begin_json_cell(struct report *report)
{
	if (report->at == 0)
		buf_append_text(report->out, report->has_rows ? ",\n{" : "{");
	else
		buf_append_text(report->out, ",");
	buf_printf(report->out, "\"%s\":", report->columns[report->at].name);
}

static void
end_cell(struct report *report)
{
	if (++report->at < report->count)
		return;
	report->at = 0;
	report->has_rows = true;
	if (report->is_json)
		buf_append_text(report->out, "}");
}

/* Columns are counted in characters: all bytes of a UTF-8 character but the first begin with 10. */
static size_t
width_of(struct slice text)
{
	size_t width = 0;

	for (size_t i = 0; i < text.len; i++)
		width += ((unsigned char)text.data[i] & 0xC0) != 0x80;
	return width;
}

static void
add_text_cell(struct report *report, struct slice text)
{
	size_t before = buf_len(&report->cells), width;
	struct slice cell;

	log_line_quote(text, &report->cells);
	cell = slice_from(buf_slice(&report->cells), before);
	width = width_of(cell);
	if (width > report->widths[report->at])
		report->widths[report->at] = width;
	buf_append(&report->cells, "", 1);
	end_cell(report);
}

/* A cell that is the same in both but for JSON's spelling. */
static void
add_plain(struct report *report, const char *text, const char *json)
{
	if (!report->is_json) {
		add_text_cell(report, slice_of(text));
		return;
	}
	begin_json_cell(report);
	buf_append_text(report->out, json);
	end_cell(report);
}

/* The whole text, which log lines would cut, in pieces that end between two characters. */
static void
append_json(struct slice text, struct buf *out)
{
	struct buf piece = { 0 };

	buf_append_text(out, "\"");
	while (text.len > 0) {
		size_t length = text.len < PIECE_MAX ? text.len : PIECE_MAX;

		while (length < text.len && length > PIECE_MAX - UTF8_MAX &&
		    ((unsigned char)text.data[length] & 0xC0) == 0x80)
			length--;
		log_line_append_json(slice_make(text.data, length), &piece);
		buf_append(out, buf_data(&piece) + 1, buf_len(&piece) - 2);
		buf_clear(&piece);
		text = slice_from(text, length);
	}
	buf_append_text(out, "\"");
}

void
report_text(struct report *report, struct slice text)
{
	if (!report->is_json) {
		add_text_cell(report, text);
		return;
	}
	begin_json_cell(report);
	append_json(text, report->out);
	end_cell(report);
}

void
report_word(struct report *report, const char *text)
{
	if (text != NULL)
		report_text(report, slice_of(text));
	else
		report_none(report);
}

void
report_number(struct report *report, int64_t number)
{
	char text[NUMBER_MAX];

	snprintf(text, sizeof(text), "%" PRId64, number);
	add_plain(report, text, text);
}

void
report_flag(struct report *report, bool flag)
{
	add_plain(report, flag ? "yes" : "no", flag ? "true" : "false");
}

void
report_time(struct report *report, int64_t seconds)
{
	time_t when = (time_t)seconds;
	char text[TIME_MAX];
	struct tm tm;

	if (when != 0 && gmtime_r(&when, &tm) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		report_word(report, text);
	else
		report_none(report);
}

void
report_none(struct report *report)
{
	add_plain(report, "-", "null");
}

static void
print_cell(struct report *report, size_t column, const char *text)
{
	size_t width = width_of(slice_of(text)), blanks = report->widths[column] - width;
	bool is_last = column + 1 == report->count;

	if (report->columns[column].is_number)
		buf_printf(report->out, "%*s%s", (int)blanks, "", text);
	else
		buf_printf(report->out, "%s%*s", text, is_last ? 0 : (int)blanks, "");
	buf_printf(report->out, "%*s", is_last ? 0 : GAP, "");
	if (is_last)
		buf_append_text(report->out, "\n");
}

static void
print_table(struct report *report)
{
	const char *cell = buf_data(&report->cells), *end = cell + buf_len(&report->cells);

	for (size_t i = 0; i < report->count; i++)
		print_cell(report, i, report->columns[i].name);
	for (size_t i = 0; cell < end; cell += strlen(cell) + 1, i = (i + 1) % report->count)
		print_cell(report, i, cell);
}

static void
print_record(struct report *report)
{
	const char *cell = buf_data(&report->cells), *end = cell + buf_len(&report->cells);

	for (size_t i = 0; cell < end; cell += strlen(cell) + 1, i++)
		buf_printf(report->out, "%s: %s\n", report->columns[i].name, cell);
}

void
report_end(struct report *report)
{
	if (report->is_json)
		buf_append_text(report->out, report->shape == REPORT_TABLE ? "]\n" : "\n");
	else if (report->shape == REPORT_TABLE)
		print_table(report);
	else
		print_record(report);
	buf_clear(&report->cells);
}
