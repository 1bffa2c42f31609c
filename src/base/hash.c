/* SPDX-License-Identifier: BSD-2-Clause */
/* hash.c: the adapter to xxHash, and its only includer. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t
hash_bytes(const void *data, size_t n, uint64_t seed)
{
	return XXH3_64bits_withSeed(n > 0 ? data : "", n, seed);
}

uint32_t
hash_crc32c(const void *data, size_t n)
{
	const uint32_t polynomial = UINT32_C(0x82f63b78);
	const uint8_t *bytes = data;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
	}
	return ~crc;
}
