/* SPDX-License-Identifier: BSD-2-Clause */
/* hash.c: the adapter to xxHash, and its only includer. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t
hash_bytes(const void *data, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(n > 0 ? data : "", n, seed);
}
