/* SPDX-License-Identifier: BSD-2-Clause */
/* local.h: which addresses are this machine's own, in the network namespace that we are in. */
#ifndef NET_LOCAL_H
#define NET_LOCAL_H

#include <stdbool.h>

#include "base/addr.h"

/* Loopback, an interface's, or 0.0.0.0 and ::, which lead to ourselves.  Asks the kernel each time. */
bool local_has(const struct addr *addr);

#endif
