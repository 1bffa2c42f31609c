/* SPDX-License-Identifier: BSD-2-Clause */
/* top.h: a live view of pools, servers and listeners. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl/ctl.h"

int top_run(const struct ctl_options *options);		/* the exit status; without a terminal one frame */

#endif
