/* SPDX-License-Identifier: BSD-2-Clause */
/* histogram.c: counts of numbers by their highest bits. */
#include "base/histogram.h"

enum { PART_BITS = 3 };

_Static_assert(1U << PART_BITS == (unsigned)HISTOGRAM_PARTS, "a part is a number of bits");

static unsigned
index_of(uint64_t number)
{
	unsigned shift;

	if (number < HISTOGRAM_PARTS)
		return (unsigned)number;
	shift = 63U - (unsigned)__builtin_clzll(number) - PART_BITS;
	if (shift > HISTOGRAM_POWERS - 2)
		return HISTOGRAM_SIZE - 1;
	return (shift + 1) * HISTOGRAM_PARTS + (unsigned)(number >> shift) % HISTOGRAM_PARTS;
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
histogram_add(struct histogram *histogram, uint64_t number)
{
	tally_add(&histogram->counts[index_of(number)], 1);
	tally_add(&histogram->total, number);
}

void
histogram_read(const struct histogram *histogram, struct histogram_sum *sum)
{
	sum->total += tally_read(&histogram->total);
	for (unsigned i = 0; i < HISTOGRAM_SIZE; i++) {
		uint64_t count = tally_read(&histogram->counts[i]);

		sum->counts[i] += count;
		sum->count += count;
	}
}

uint64_t
histogram_at(const struct histogram_sum *sum, unsigned per_mille)
{
	uint64_t wanted = (sum->count * per_mille + 999) / 1000, seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_SIZE && wanted > 0; i++) {
		seen += sum->counts[i];
		if (seen >= wanted)
			return middle_of(i);
	}
	return 0;
}

uint64_t
histogram_up_to(const struct histogram_sum *sum, uint64_t number)
{
	uint64_t count = 0;

	for (unsigned i = 0, last = index_of(number); i <= last; i++)
		count += sum->counts[i];
	return count;
}
