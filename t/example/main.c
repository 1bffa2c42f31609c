/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: gatepost with one block more, as a layer above daemon/ brings it, of one directive. */
#include "admin/admin_block.h"
#include "admin/cockpit.h"
#include "admin/command_document.h"
#include "daemon/command_line.h"

struct courier {
	struct conf_block conf;
	struct duration rest;
};

struct example_root {
	struct admin_root root;
	struct courier *courier;
};

static const struct directive courier_directives[] = {
	CONF_DURATION(struct courier, rest, "3s", "1s", "5m", 0,
	    "Time for which a courier sits down; no longer than `shutdown_timeout`."),
	{ 0 }
};

static void
check_courier(struct conf_context *context, void *object)
{
	const struct courier *courier = object;
	const struct root *root = (const struct root *)(const void *)courier->conf.parent;

	if (courier->rest.ms > root->shutdown_timeout.ms)
		conf_error_at_value(context->problems, &courier->conf, "rest", 0,
		    "rest: the courier would sleep over the end, after shutdown_timeout");
}

static const struct block courier_block = {
	.name = "courier", .directives = courier_directives, .size = BLOCK_SIZE(struct courier),
	.check = check_courier, .help = "Who carries satchels."
};

static const struct directive rows[] = {
	ADMIN_ROOT_ROWS(struct example_root),
	CONF_BLOCK(struct example_root, courier, &courier_block, "", 0),
	{ 0 }
};

int
main(int argc, char **argv)
{
	static const struct block root = ROOT_BLOCK(struct example_root, rows);
	static const struct program example = {
		.root = &root, .extension = &cockpit_extension,
		.document_commands = command_document_mdoc,
	};

	return command_line_run(argc, argv, &example);
}
