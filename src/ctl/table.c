/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c: widths that fit, and lines. */
#include "ctl/table.h"

#include "base/xalloc.h"

enum {
	GAP = 2,
	NARROWEST = 6,			/* a column of text, cut */
	NARROWEST_BESIDE = 16,		/* where other columns may go instead */
	CELLS_AT_FIRST = 64
};

void
table_add_column(struct table *table, const char *name, enum table_kind kind)
{
	table->columns = xrealloc(table->columns, (table->column_count + 1) * sizeof(table->columns[0]));
	table->columns[table->column_count++] = (struct table_column){
		.name = xstrdup(name), .kind = kind, .width = text_width(slice_of(name)),
	};
}

void
table_add_coloured(struct table *table, struct slice text, enum colour colour)
{
	struct table_column *column = &table->columns[table->cell_count % table->column_count];
	struct buf printable = { 0 };
	size_t width;

	text_append_printable(text, &printable);
	width = text_width(buf_slice(&printable));
	if (width > column->width)
		column->width = width;
	if (table->cell_count == table->cell_room) {
		table->cell_room = table->cell_room > 0 ? table->cell_room * 2 : CELLS_AT_FIRST;
		table->cells = xrealloc(table->cells, table->cell_room * sizeof(table->cells[0]));
	}
	table->cells[table->cell_count++] = (struct table_cell){
		.text = xstrndup(buf_slice(&printable).data, buf_len(&printable)), .colour = colour,
	};
	buf_clear(&printable);
}

void
table_add(struct table *table, struct slice text)
{
	bool is_state = table->columns[table->cell_count % table->column_count].kind == TABLE_STATE;

	table_add_coloured(table, text, is_state ? text_state_colour(text) : COLOUR_NONE);
}

void
table_add_number(struct table *table, double number, int unit)
{
	struct buf text = { 0 };

	text_append_amount(number, unit, &text);
	table_add(table, buf_slice(&text));
	buf_clear(&text);
}

/* What is printed: the first `count` columns. */
struct layout {
	size_t *widths, count;
};

static size_t
total_width(const struct layout *layout)
{
	size_t total = 0;

	for (size_t i = 0; i < layout->count; i++)
		total += layout->widths[i] + (i > 0 ? GAP : 0);
	return total;
}

/* The widest column that may be cut; their count: there is none. */
static size_t
widest(const struct table *table, const struct layout *layout)
{
	size_t narrowest = table->drops_columns && layout->count > 1 ? NARROWEST_BESIDE : NARROWEST;
	const size_t *widths = layout->widths;
	size_t best = layout->count;

	for (size_t i = 0; i < layout->count; i++) {
		if (table->columns[i].kind == TABLE_NUMBER || widths[i] <= narrowest)
			continue;
		if (best == layout->count || widths[i] > widths[best])
			best = i;
	}
	return best;
}

/* False: it cannot be made to fit. */
static bool
fit(const struct table *table, const struct look *look, struct layout *layout)
{
	for (size_t i = 0; i < layout->count; i++)
		layout->widths[i] = table->columns[i].width;
	while (look->width > 0 && total_width(layout) > (size_t)look->width) {
		size_t i = widest(table, layout);

		if (i == layout->count)
			return false;
		layout->widths[i]--;
	}
	return true;
}

static bool
fit_or_drop(const struct table *table, const struct look *look, struct layout *layout)
{
	while (!fit(table, look, layout)) {
		if (!table->drops_columns || layout->count <= 1)
			return false;
		layout->count--;
	}
	return true;
}

/* Blanks at the end of a line would wrap where it is as wide as the terminal. */
static void
end_line(struct buf *out)
{
	struct slice text = buf_slice(out);

	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	buf_truncate(out, text.len);
	buf_append_text(out, "\n");
}

static void
append_blanks(size_t count, struct buf *out)
{
	buf_printf(out, "%*s", (int)count, "");
}

/* A cell at its place, and the gap before it. */
static void
print_cell(const struct table *table, size_t column, const struct table_cell *cell, size_t width,
    struct buf *line)
{
	static const struct look coloured = { .has_colour = true };
	struct buf text = { 0 };
	size_t used;

	text_append_cut(slice_of(cell->text), width, &text);
	used = text_width(buf_slice(&text));
	append_blanks(column > 0 ? GAP : 0, line);
	if (table->columns[column].kind == TABLE_NUMBER)
		append_blanks(width - used, line);
	text_append_coloured(buf_slice(&text), cell->colour, &coloured, line);
	if (table->columns[column].kind != TABLE_NUMBER)
		append_blanks(width - used, line);
	buf_clear(&text);
}

static void
print_rows(const struct table *table, const struct layout *layout, const struct look *look, struct buf *out)
{
	enum colour head = look->has_colour ? COLOUR_BOLD : COLOUR_NONE;

	for (size_t i = 0; i < layout->count; i++) {
		struct table_cell cell = { .text = table->columns[i].name, .colour = head };

		print_cell(table, i, &cell, layout->widths[i], out);
	}
	end_line(out);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t column = i % table->column_count;
		struct table_cell cell = table->cells[i];

		if (!look->has_colour)
			cell.colour = COLOUR_NONE;
		if (column < layout->count)
			print_cell(table, column, &cell, layout->widths[column], out);
		if (column + 1 == table->column_count)
			end_line(out);
	}
}

static void
tell_dropped(const struct table *table, const struct layout *layout, const struct look *look, struct buf *out)
{
	struct buf names = { 0 };

	if (layout->count == table->column_count || !table->tells_dropped)
		return;
	buf_append_text(&names, "(with --json, or wider:");
	for (size_t i = layout->count; i < table->column_count; i++)
		buf_printf(&names, " %s", table->columns[i].name);
	buf_append_text(&names, ")");
	text_append_coloured(buf_slice(&names), COLOUR_DIM, look, out);
	buf_append_text(out, "\n");
	buf_clear(&names);
}

static void
print_records(const struct table *table, const struct look *look, struct buf *out)
{
	for (size_t i = 0; i < table->cell_count; i++) {
		const struct table_cell *cell = &table->cells[i];
		size_t column = i % table->column_count;

		if (column == 0 && i > 0)
			buf_append_text(out, "\n");
		text_append_coloured(slice_of(table->columns[column].name), COLOUR_BOLD, look, out);
		buf_append_text(out, ": ");
		text_append_coloured(slice_of(cell->text), cell->colour, look, out);
		buf_append_text(out, "\n");
	}
}

void
table_print(const struct table *table, const struct look *look, struct buf *out)
{
	struct layout layout = { xcalloc(table->column_count + 1, sizeof(size_t)), table->column_count };

	if (fit_or_drop(table, look, &layout)) {
		print_rows(table, &layout, look, out);
		tell_dropped(table, &layout, look, out);
	} else {
		print_records(table, look, out);
	}
	xfree(layout.widths);
}

void
table_clear(struct table *table)
{
	for (size_t i = 0; i < table->column_count; i++)
		xfree(table->columns[i].name);
	for (size_t i = 0; i < table->cell_count; i++)
		xfree(table->cells[i].text);
	xfree(table->columns);
	xfree(table->cells);
	*table = (struct table){ 0 };
}
