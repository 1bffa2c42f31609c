/* SPDX-License-Identifier: BSD-2-Clause */
/* counters.h: that each counter of an object's threads is read under its own name. */
#ifndef UNIT_BASE_COUNTERS_H
#define UNIT_BASE_COUNTERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/metric.h"

#define COUNTER_NAME(field, text) #field,

static inline uint64_t
metric_of(const struct metric_table *table, const char *name, const void *object, int threads)
{
	const struct metric *metric = metric_find(table, slice_of(name));

	if (metric == NULL)
		fail_msg("%s has no metric %s", table->of, name);
	assert_true(strlen(metric->help) > 0);
	return (uint64_t)metric_read(metric, object, threads);
}

/* The counters of two threads, with fields in the order of the names, which count nothing yet. */
static inline void
expect_counters(const struct metric_table *table, const void *object, _Atomic uint64_t *const threads[2],
    const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		tally_add(&threads[0][i], 10 * (i + 1));
		tally_add(&threads[1][i], 1);
	}
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(metric_of(table, names[i], object, 2), 10 * (i + 1) + 1);
		assert_int_equal(metric_of(table, names[i], object, 1), 10 * (i + 1));
	}
}

#endif
