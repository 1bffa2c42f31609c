/* SPDX-License-Identifier: BSD-2-Clause */
/* seal.h: secrets that are kept so that only who has the key can read them: AES-256-GCM by OpenSSL. */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum { SEAL_KEY_SIZE = 32 };

/* Appends the sealed secret, a few bytes longer, and never twice the same. */
void seal_make(const uint8_t key[SEAL_KEY_SIZE], struct slice secret, struct buf *sealed);
/* Appends the secret; false, and nothing is there: it was sealed with another key, or has changed. */
bool seal_open(const uint8_t key[SEAL_KEY_SIZE], struct slice sealed, struct buf *secret);

#endif
