/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metric.h: what can be read of an object in numbers: one table beside its
 * struct.  A list of rows makes the fields of the counters and the rows of
 * the table, so that no counter is without a row.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/tally.h"

enum metric_kind {
	METRIC_KIND_COUNTER,	/* only grows: a tally for each thread, in the object's `counters` */
	METRIC_KIND_GAUGE	/* an atomic_int of the object, which all threads change */
};

struct metric {
	const char *name;	/* that of its field */
	const char *help;
	enum metric_kind kind;
	size_t offset;		/* in the object; of the first thread's */
	size_t stride;		/* to the next thread's */
};

struct metric_table {
	const char *of;		/* "endpoint" */
	const struct metric *rows;
	size_t count;
};

/* For lists of row(field, help): a field of the counters of one thread. */
#define METRIC_FIELD(field, text) _Atomic uint64_t field;

/* Rows; `type` is the object's.  A field of another type does not compile. */
#define METRIC_COUNTER(type, field, text) { \
	.name = #field, .help = text, .kind = METRIC_KIND_COUNTER, \
	.offset = _Generic(&((type *)0)->counters[0].field, \
	    _Atomic uint64_t *: offsetof(type, counters[0].field)), \
	.stride = sizeof(((type *)0)->counters[0]), \
}
#define METRIC_GAUGE(type, field, text) { \
	.name = #field, .help = text, .kind = METRIC_KIND_GAUGE, \
	.offset = _Generic(&((type *)0)->field, atomic_int *: offsetof(type, field)), \
}

const struct metric *metric_find(const struct metric_table *table, struct slice name);	/* or NULL */
/* What all threads have counted together; the object has counters for that many.  From any thread. */
int64_t metric_read(const struct metric *metric, const void *object, int threads);

#endif
