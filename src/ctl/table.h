/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h: rows and columns that fit a terminal.  Columns first, then cell after cell.  What is too wide is
 * cut, the widest text first; where even that leaves too little, each row becomes lines of `name: value`, or
 * the last columns are left out.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "ctl/text.h"

enum table_kind { TABLE_TEXT, TABLE_NUMBER, TABLE_STATE };

struct table_column {
	char *name;
	enum table_kind kind;
	size_t width;			/* of the widest cell */
};

struct table_cell {
	char *text;			/* printable */
	enum colour colour;
};

struct table {
	struct table_column *columns;
	struct table_cell *cells;	/* row by row */
	size_t column_count, cell_count, cell_room;
	bool drops_columns;		/* those that matter least stand last */
	bool tells_dropped;		/* a line behind the rows names them */
};

void table_add_column(struct table *table, const char *name, enum table_kind kind);
void table_add(struct table *table, struct slice text);
void table_add_number(struct table *table, double number, int unit);	/* as text_append_amount */
void table_add_coloured(struct table *table, struct slice text, enum colour colour);
void table_print(const struct table *table, const struct look *look, struct buf *out);
void table_clear(struct table *table);

#endif
