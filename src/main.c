/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: gatepost, with the blocks that it has. */
#include "daemon/command_line.h"
#include "daemon/config.h"

int
main(int argc, char **argv)
{
	return command_line_run(argc, argv, &root_block);
}
