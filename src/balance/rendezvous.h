/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rendezvous.h: weighted rendezvous hashing of keys on server names: every
 * proxy finds the same server whatever the order of its file, and a server
 * that leaves moves its own keys only.  For balancers that hash.
 */
#ifndef BALANCE_RENDEZVOUS_H
#define BALANCE_RENDEZVOUS_H

#include "balance/balance.h"

/* A balancer's new_state; the state that rendezvous_pick needs. */
struct balance_state *rendezvous_new(const struct tier *tier, int worker);
/*
 * The first in the key's own order of the tier's servers that have a weight and will do, or NULL.  will_do
 * is asked of some only, in no order.  An empty key is one, too.
 */
struct endpoint *rendezvous_pick(const struct tier *tier, struct balance_state *state, struct slice key,
    bool (*will_do)(struct endpoint *e, void *arg), void *arg);

#endif
