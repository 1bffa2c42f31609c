/* SPDX-License-Identifier: BSD-2-Clause */
/* privileges.h: from root to the service user, who keeps nothing but the right to open low ports. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What is in memory, passwords too, stays out of core dumps and of others' sight.  Before privileges_drop, as
 * far as that user could not do it; and after it, as the kernel begins anew with each change of user.
 */
void privileges_hide_memory(void);

/*
 * Becomes `user` (NULL: stays) for good, before any thread runs; nothing that
 * is executed later gains rights.  A process that is not root's can only stay
 * who it is.
 */
bool privileges_drop(const char *user, struct error *error);

/*
 * Whether a program that is executed in between keeps the right to low ports; this process has it anyway.
 * privileges_drop takes it back, too.
 */
void privileges_lend(bool is_lent);

/* Has this process the right to a port, as far as root's go?  Where no port is low, it has. */
bool privileges_allow_port(uint16_t port);
/* What to add to the error of a port that could not be bound: "" where it is no matter of privileges. */
const char *privileges_port_hint(uint16_t port);

#endif
