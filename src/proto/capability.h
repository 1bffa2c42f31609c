/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capability.h: lists of what servers announce: one entry a line ("SIZE
 * 52428800\n"), sorted without regard to case up to the first blank, ASCII
 * upper case up to the first blank or "=".  No hand-kept lists: dials learn
 * them, sessions offer what all servers of a pool have.
 */
#ifndef PROTO_CAPABILITY_H
#define PROTO_CAPABILITY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/proto.h"

/* Keeps the list sorted and single; drops what is not printable. */
void capability_add(struct buf *list, struct slice entry);
bool capability_has(struct slice list, const char *name);
bool capability_has_mechanism(struct slice list, const char *name);	/* as "AUTH=NAME" */
struct slice capability_next(struct slice *rest);	/* takes an entry off the front; empty at the end */
bool capability_is_own(struct slice entry, const struct proto *proto);	/* one of proto->capability_own? */
/*
 * Keeps entries whose first word is in both.  Of numbers behind it, alone ("SIZE 1000") or named ("LIMITS
 * RCPTMAX=20"), the smaller one is kept; none and 0 are no bound (RFC 1870 section 3).  Of other words behind
 * it ("SIEVE fileinto vacation") those are kept that are in both.
 */
void capability_intersect(struct buf *list, struct slice other);
void capability_remove_own(struct buf *list, const struct proto *proto);
/* For write_capabilities: each entry of the offer between these words, less what is the proxy's own. */
void capability_write_offer(const struct dialogue *d, const char *before, const char *behind,
    struct buf *out);

#endif
