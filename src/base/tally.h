/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally.h: a number that one thread counts up and every thread may read:
 * relaxed, and with no locked instruction, since its one writer needs none.
 * Of numbers that come and go, the mean and the largest are kept likewise.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t
tally_read(const _Atomic uint64_t *tally)
{
	return atomic_load_explicit(tally, memory_order_relaxed);
}

/* By its one writer only: of two, one's addition could be lost. */
static inline void
tally_add(_Atomic uint64_t *tally, uint64_t n)
{
	atomic_store_explicit(tally, tally_read(tally) + n, memory_order_relaxed);
}

/* The largest of all; by its one writer too, but that any thread may set it back to 0. */
static inline void
tally_raise(_Atomic uint64_t *tally, uint64_t n)
{
	if (n > tally_read(tally))
		atomic_store_explicit(tally, n, memory_order_relaxed);
}

static inline void
tally_reset(_Atomic uint64_t *tally)
{
	atomic_store_explicit(tally, 0, memory_order_relaxed);
}

enum { TALLY_MEAN_OF = 1024 };		/* the last so many, or nearly: each new one pushes out a mean one */

struct tally_mean {
	_Atomic uint64_t count, total;	/* of all */
	_Atomic uint64_t recent;	/* the sum of the last */
	_Atomic uint64_t most;
};

static inline void
tally_mean_add(struct tally_mean *mean, uint64_t n)
{
	uint64_t recent = tally_read(&mean->recent);

	if (tally_read(&mean->count) >= TALLY_MEAN_OF)
		recent -= recent / TALLY_MEAN_OF;
	atomic_store_explicit(&mean->recent, recent + n, memory_order_relaxed);
	tally_add(&mean->count, 1);
	tally_add(&mean->total, n);
	tally_raise(&mean->most, n);
}

#endif
