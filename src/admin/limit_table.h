/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit_table.h: what a block `limits` counts, as tables: its clients, its users, and these by client.  Read
 * a few at a time; a reader has copies of what it needs of the configuration, which may change meanwhile.
 */
#ifndef ADMIN_LIMIT_TABLE_H
#define ADMIN_LIMIT_TABLE_H

#include "access/limits.h"
#include "admin/report.h"
#include "base/buf.h"
#include "state/limiter.h"

enum limit_table_kind {
	LIMIT_TABLE_CLIENTS, LIMIT_TABLE_USERS, LIMIT_TABLE_USER_CLIENTS, LIMIT_TABLE_KINDS
};

/* What follows the block's title in the table's name; NULL: the block counts nothing of the kind. */
const char *limit_table_suffix(const struct limits *limits, enum limit_table_kind kind);

struct limit_reader {
	enum limit_table_kind kind;
	uint64_t block;
	struct limits_counts counts;
	struct limiter *limiter;
	enum limiter_kind part;
	uint64_t cursor;
	struct buf names;			/* found by one step, each behind its length */
	int64_t now;
};

struct limit_row {
	struct buf key;				/* "192.0.2.7", "bob", "bob 192.0.2.7" */
	const struct limit_reader *reader;
	struct limits_client client;
	int64_t *used;				/* in the order of columns; LIMIT_UNUSED: no limit */
};
enum { LIMIT_UNUSED = -1 };

void limit_reader_open(struct limit_reader *reader, const struct limits *limits,
    enum limit_table_kind kind, struct limiter *limiter);
void limit_reader_close(struct limit_reader *reader);
/* Reads some rows; false: that were the last. */
bool limit_reader_step(struct limit_reader *reader, int64_t now,
    void (*each)(const struct limit_row *row, void *arg), void *arg);

/* The columns of JSON, the key's first. */
const struct report_column *limit_table_columns(enum limit_table_kind kind, size_t *count);
void limit_row_report(const struct limit_row *row, struct report *report);
void limit_row_write(const struct limit_row *row, struct buf *out);	/* as HAProxy has it */
void limit_row_forget(const struct limit_row *row);	/* its rates; who is there stays counted */

#endif
