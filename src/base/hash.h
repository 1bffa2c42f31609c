/* SPDX-License-Identifier: BSD-2-Clause */
/* hash.h: fast hashes and sums that need not withstand an attacker's choice.  Equal on every machine. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t n, uint64_t seed);	/* xxHash */
uint32_t hash_crc32c(const void *data, size_t n);		/* RFC 3720; slow: for short data */

#endif
