/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h: rows with named cells, as a command answers them: an aligned table for people, or JSON.  Begun
 * once, then cell after cell in the order of the columns; the last cell of a row ends it.
 */
#ifndef ADMIN_REPORT_H
#define ADMIN_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "admin/call.h"

enum { REPORT_COLUMNS_MAX = 32 };

struct report_column {
	const char *name;	/* in words_with_lines_below: the head of the table, the key in JSON */
	bool is_number;		/* to the right */
};

enum report_shape {
	REPORT_TABLE,		/* any number of rows: JSON is an array of objects */
	REPORT_RECORD		/* one row, told as lines `name: value`: JSON is an object */
};

struct report {
	struct buf *out;
	const struct report_column *columns;
	size_t count, at;
	enum report_shape shape;
	bool is_json, has_rows;
	struct buf cells;			/* of the text: each with a NUL */
	size_t widths[REPORT_COLUMNS_MAX];
};

/* `columns` stays as long as the report. */
void report_begin(struct report *report, struct admin_call *call, enum report_shape shape,
    const struct report_column *columns, size_t count);
void report_text(struct report *report, struct slice text);	/* what is not printable is escaped */
void report_word(struct report *report, const char *text);	/* NULL: report_none */
void report_number(struct report *report, int64_t number);
void report_flag(struct report *report, bool flag);		/* yes, no; true, false */
void report_time(struct report *report, int64_t seconds);	/* since 1970, in UTC; 0: report_none */
void report_none(struct report *report);			/* "-"; null */
void report_end(struct report *report);				/* then call_done */

#define REPORT_COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

#endif
