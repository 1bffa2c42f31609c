/* SPDX-License-Identifier: BSD-2-Clause */
/* digest.h: OpenSSL's digests, and the wiping of secrets. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SHA256_SIZE = 32 };

void digest_sha256(const void *data, size_t n, uint8_t out[DIGEST_SHA256_SIZE]);
void secret_wipe(void *data, size_t n);		/* overwritten in a way no compiler removes */
void secret_free(char **text);			/* wipes a C string, frees it and sets NULL */

#endif
