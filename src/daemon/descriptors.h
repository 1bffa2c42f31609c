/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptors.h: how many sessions the limit of open files can carry. */
#ifndef DAEMON_DESCRIPTORS_H
#define DAEMON_DESCRIPTORS_H

#include <stdint.h>

/*
 * Raises RLIMIT_NOFILE to carry so many sessions, as far as it is allowed
 * (root before its drop may all; later only up to the hard limit), and
 * returns how many it carries: that number or less.  0 is as many as can be.
 */
int64_t descriptors_reserve(int64_t sessions, int threads, int binds);

#endif
