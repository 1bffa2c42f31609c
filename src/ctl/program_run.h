/* SPDX-License-Identifier: BSD-2-Clause */
/* program_run.h: other programs, for what they print. */
#ifndef CTL_PROGRAM_RUN_H
#define CTL_PROGRAM_RUN_H

#include <stdbool.h>

#include "base/buf.h"

/* Appends what it prints, on both ways; false: it cannot be started, or its exit status is not 0. */
bool program_run(const char *const *argv, struct buf *out);

#endif
