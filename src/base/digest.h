/* SPDX-License-Identifier: BSD-2-Clause */
/* digest.h: OpenSSL's digests and what is made of them, the comparing and the wiping of secrets. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { DIGEST_SHA256_SIZE = 32, DIGEST_SIZE_MAX = 64 };
enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

/* The first call of all: OpenSSL takes its memory from xalloc from then on, and has its part of the spare. */
void digest_init(void);

void digest_sha256(const void *data, size_t n, uint8_t out[DIGEST_SHA256_SIZE]);
size_t digest_size(enum digest_kind kind);
/* Of one text behind the other; false where the machine's policy forbids the kind. */
bool digest_both(enum digest_kind kind, struct slice first, struct slice second,
    uint8_t out[DIGEST_SIZE_MAX]);
bool digest_hmac(enum digest_kind kind, struct slice key, struct slice data, uint8_t out[DIGEST_SIZE_MAX]);
/* A hundred times what is advised now: what a slip in a stored secret costs is about a minute of a thread. */
enum { DIGEST_ROUNDS_MAX = 100 * 1000 * 1000 };
/* RFC 8018's PBKDF2 with HMAC; the result is as long as the digest. */
bool digest_pbkdf2(enum digest_kind kind, struct slice password, struct slice salt, int rounds,
    uint8_t out[DIGEST_SIZE_MAX]);

/*
 * SipHash with 128 bits, for what is to be told apart though others choose it, and quickly: nobody who lacks
 * the secret finds two texts that are alike.
 */
enum { DIGEST_MARK_SIZE = 16 };
struct digest_marker;
struct digest_marker *digest_marker_new(void);		/* its secret is random, and in its memory only */
void digest_marker_free(struct digest_marker **marker);
/* From any thread. */
void digest_mark(const struct digest_marker *marker, struct slice text, uint8_t mark[DIGEST_MARK_SIZE]);

bool secret_equals(const void *a, const void *b, size_t n);	/* in a time that tells nothing of them */
void secret_wipe(void *data, size_t n);		/* overwritten in a way no compiler removes */
void secret_free(char **text);			/* wipes a C string, frees it and sets NULL */

#endif
