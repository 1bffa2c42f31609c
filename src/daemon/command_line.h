/* SPDX-License-Identifier: BSD-2-Clause */
/* command_line.h: the whole program, but for which blocks its configuration has. */
#ifndef DAEMON_COMMAND_LINE_H
#define DAEMON_COMMAND_LINE_H

#include "conf/directive.h"

int command_line_run(int argc, char **argv, const struct block *root);	/* the exit status */

#endif
