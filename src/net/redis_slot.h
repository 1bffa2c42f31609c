/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_slot.h: which part of a Redis Cluster has a key (its specification, "Key distribution model"). */
#ifndef NET_REDIS_SLOT_H
#define NET_REDIS_SLOT_H

#include "base/slice.h"

enum { REDIS_SLOTS = 16384 };

/* Of what stands in the first {}, if anything does, else of all of it. */
unsigned redis_slot(struct slice key);

#endif
