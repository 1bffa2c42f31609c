/* SPDX-License-Identifier: BSD-2-Clause */
/* hash.h: fast hashes that need not withstand an attacker's choice (xxHash).  Equal on every machine. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *data, size_t n, uint64_t seed);

#endif
