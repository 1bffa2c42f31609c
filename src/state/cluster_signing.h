/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cluster_signing.h: proxies' own messages, signed with a key that all of
 * them have: nobody else makes one, changes one, or says one again.
 */
#ifndef STATE_CLUSTER_SIGNING_H
#define STATE_CLUSTER_SIGNING_H

#include "base/buf.h"
#include "base/digest.h"

struct signing;

/* Both texts outlive it; incarnation: of the one that signs. */
struct signing *signing_new(const uint8_t key[DIGEST_SHA256_SIZE], const char *channel,
    const char *incarnation);
void signing_free(struct signing **signing);

/* Appends the message, signed.  now: Redis' time in ms, as far as it is known here. */
void signing_write(struct signing *signing, struct slice message, int64_t now, struct buf *out);
bool signing_is_signed(struct slice message);		/* or looks so */
/*
 * True, and without its signature: one of us has said it within the last minute, and it was not opened
 * before.  Messages of one incarnation are opened in the order in which they were signed.
 */
bool signing_open(struct signing *signing, struct slice *message, int64_t now);

#endif
