/* SPDX-License-Identifier: BSD-2-Clause */
/* local.h: which addresses are this machine's own, in the network namespace that we are in. */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include <stdbool.h>

#include "base/addr.h"

/* Loopback, what the kernel routes to ourselves, or 0.0.0.0 and ::.  Asks the kernel: some microseconds. */
bool local_has(const struct addr *addr);

#endif
