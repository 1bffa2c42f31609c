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
struct slice capability_next(struct slice *rest);	/* takes an entry off the front; empty at the end */
bool capability_is_among(struct slice entry, const char *const *words);	/* "AUTH=*" is a prefix */
bool capability_is_own(struct slice entry, const struct proto *proto);	/* never taken from a server */
/*
 * Keeps entries whose first word is in both.  Of numbers behind it, alone ("SIZE 1000") or named ("LIMITS
 * RCPTMAX=20"), the smaller one is kept; none and 0 are no bound (RFC 1870 section 3).  Of other words behind
 * it ("SIEVE fileinto vacation") those are kept that are in both.
 */
void capability_intersect(struct buf *list, struct slice other);
/* Appends what is not the proxy's own; the list stays in order. */
void capability_pass(struct slice list, const struct proto *proto, struct buf *out);
/* Each entry between these words. */
void capability_write(struct slice list, const char *before, const char *behind, struct buf *out);

#endif
