/* SPDX-License-Identifier: BSD-2-Clause */
/* metric.c: reading what a row points to. */
#include "base/metric.h"

const struct metric *
metric_find(const struct metric_table *table, struct slice name)
{
	for (size_t i = 0; i < table->count; i++)
		if (slice_equals(name, table->rows[i].name))
			return &table->rows[i];
	return NULL;
}

int64_t
metric_read(const struct metric *metric, const void *object, int threads)
{
	const void *first = (const char *)object + metric->offset;
	int64_t sum = 0;

	if (metric->kind == METRIC_KIND_GAUGE)
		return atomic_load_explicit((const atomic_int *)first, memory_order_relaxed);
	for (int i = 0; i < threads; i++) {
		const void *tally = (const char *)first + (size_t)i * metric->stride;

		sum += (int64_t)tally_read(tally);
	}
	return sum;
}
