/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: gatepost, with the blocks that it has and the cockpit. */
#include "admin/admin_block.h"
#include "admin/cockpit.h"
#include "admin/command_document.h"
#include "daemon/command_line.h"

int
main(int argc, char **argv)
{
	static const struct program program = {
		.root = &admin_root_block, .extension = &cockpit_extension,
		.document_commands = command_document_mdoc,
	};

	return command_line_run(argc, argv, &program);
}
