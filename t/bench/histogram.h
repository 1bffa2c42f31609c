/* SPDX-License-Identifier: BSD-2-Clause */
/* histogram.h: many times in little memory, each known to 3 %. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_PARTS = 32, HISTOGRAM_SIZE = 64 * HISTOGRAM_PARTS };

/* Cleared memory is an empty one. */
struct histogram {
	uint64_t count, counts[HISTOGRAM_SIZE];
};

void histogram_add(struct histogram *histogram, uint64_t value);
/* The value that so many per mille are not above; 0 of an empty one. */
uint64_t histogram_at(const struct histogram *histogram, unsigned per_mille);

#endif
