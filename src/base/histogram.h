/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * histogram.h: many numbers (times, say) in little memory, each known to
 * within 6 %.  As with a tally, one thread adds and every thread may read.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#include "base/tally.h"

/* So many equal parts for each power of two; what is larger than 2^34 counts as that. */
enum { HISTOGRAM_PARTS = 8, HISTOGRAM_POWERS = 32, HISTOGRAM_SIZE = HISTOGRAM_POWERS * HISTOGRAM_PARTS };

/* Cleared memory is an empty one. */
struct histogram {
	_Atomic uint64_t total;		/* the sum of the numbers */
	_Atomic uint64_t counts[HISTOGRAM_SIZE];
};

/* What several threads' have together: cleared memory first, then histogram_read of each. */
struct histogram_sum {
	uint64_t count, total;
	uint64_t counts[HISTOGRAM_SIZE];
};

void histogram_add(struct histogram *histogram, uint64_t number);	/* by its one writer only */
void histogram_read(const struct histogram *histogram, struct histogram_sum *sum);
/* How many are not above this one, or are no more than 6 % above it. */
uint64_t histogram_up_to(const struct histogram_sum *sum, uint64_t number);
/* The number that so many per mille are not above; 0 where there is none. */
uint64_t histogram_at(const struct histogram_sum *sum, unsigned per_mille);

#endif
