/* SPDX-License-Identifier: BSD-2-Clause */
/* command_line.h: the whole program, but for its blocks and its extension. */
#ifndef DAEMON_COMMAND_LINE_H
#define DAEMON_COMMAND_LINE_H

#include "daemon/program.h"

int command_line_run(int argc, char **argv, const struct program *program);	/* the exit status */

#endif
