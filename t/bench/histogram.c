/* SPDX-License-Identifier: BSD-2-Clause */
/* histogram.c: HISTOGRAM_PARTS equal parts for each power of two. */
#include "histogram.h"

enum { PART_BITS = 5 };

static unsigned
index_of(uint64_t value)
{
	unsigned shift;

	if (value < HISTOGRAM_PARTS)
		return (unsigned)value;
	shift = 63U - (unsigned)__builtin_clzll(value) - PART_BITS;
	return (shift + 1) * HISTOGRAM_PARTS + (unsigned)(value >> shift) % HISTOGRAM_PARTS;
}

static uint64_t
middle_of(unsigned i)
{
	unsigned shift;

	if (i < HISTOGRAM_PARTS)
		return i;
	shift = i / HISTOGRAM_PARTS - 1;
	return (((uint64_t)HISTOGRAM_PARTS + i % HISTOGRAM_PARTS) << shift) + (((uint64_t)1 << shift) >> 1);
}

void
histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->counts[index_of(value)]++;
	histogram->count++;
}

uint64_t
histogram_at(const struct histogram *histogram, unsigned per_mille)
{
	uint64_t wanted = (histogram->count * per_mille + 999) / 1000, seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_SIZE && wanted > 0; i++) {
		seen += histogram->counts[i];
		if (seen >= wanted)
			return middle_of(i);
	}
	return 0;
}
