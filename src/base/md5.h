/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * md5.h: the inner function of MD5 (RFC 1321), for states that were kept in the middle of a text.  Whole
 * digests are digest.h's.
 */
#ifndef BASE_MD5_H
#define BASE_MD5_H

#include <stdint.h>

#include "base/slice.h"

enum { MD5_SIZE = 16, MD5_BLOCK_SIZE = 64 };

void md5_begin(uint8_t state[MD5_SIZE]);
void md5_block(uint8_t state[MD5_SIZE], const uint8_t block[MD5_BLOCK_SIZE]);
/* The digest of one block that has made `state`, and of `rest` behind it. */
void md5_end(const uint8_t state[MD5_SIZE], struct slice rest, uint8_t out[MD5_SIZE]);

#endif
