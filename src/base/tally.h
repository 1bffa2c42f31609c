/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally.h: a number that one thread counts up and every thread may read:
 * relaxed, and with no locked instruction, since its one writer needs none.
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

#endif
