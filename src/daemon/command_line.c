/* SPDX-License-Identifier: BSD-2-Clause */
/* command_line.c: options, and what they ask for. */
#include "daemon/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/xalloc.h"
#include "conf/document.h"
#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/log_document.h"
#include "daemon/protocol_document.h"

enum { EXIT_USAGE = 2 };

enum action { ACTION_RUN, ACTION_CHECK, ACTION_PRINT, ACTION_DOCUMENT, ACTION_VERSION, ACTION_HELP };

struct options {
	enum action action;
	const char *config_path;
	bool in_foreground;
	const char *document;
};

static const struct option long_options[] = {
	{ "document", required_argument, NULL, 'd' },
	{ "version",  no_argument,       NULL, 'v' },
	{ "help",     no_argument,       NULL, 'h' },
	{ 0 }
};

static const struct document {
	const char *name;
	void (*print)(const struct block *root, FILE *out);
	void (*print_protocols)(FILE *out);
} documents[] = {
	{ "conf", document_conf, protocol_document_conf },
	{ "mdoc", document_mdoc, protocol_document_mdoc },
	{ "log", log_document, NULL },
};

static void
print_usage(FILE *out)
{
	fputs("usage: gatepost [-c FILE] [-f]"
	    " [-t | -T | --document=conf|mdoc|commands|log | --version | -h]\n"
	    "  -c FILE     the configuration (" GATEPOST_CONFIG ")\n"
	    "  -f          stay in the foreground\n"
	    "  -t          check the configuration and end\n"
	    "  -T          print the effective configuration and end\n"
	    "  --document  print the reference of all directives: a file, or part of the manual page;\n"
	    "              or of operators' commands, or the fields of the log\n"
	    "  --version   print the version\n", out);
}

static bool
read_options(int argc, char **argv, struct options *options)
{
	int c;

	*options = (struct options){ .config_path = GATEPOST_CONFIG };
	while ((c = getopt_long(argc, argv, "c:tTfh", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config_path = optarg;
			break;
		case 't':
			options->action = ACTION_CHECK;
			break;
		case 'T':
			options->action = ACTION_PRINT;
			break;
		case 'f':
			options->in_foreground = true;
			break;
		case 'd':
			options->action = ACTION_DOCUMENT;
			options->document = optarg;
			break;
		case 'v':
			options->action = ACTION_VERSION;
			break;
		case 'h':
			options->action = ACTION_HELP;
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

static int
print_document(const char *name, const struct program *program)
{
	if (strcmp(name, "commands") == 0 && program->document_commands != NULL) {
		program->document_commands(stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		if (strcmp(documents[i].name, name) != 0)
			continue;
		documents[i].print(program->root, stdout);
		if (documents[i].print_protocols != NULL)
			documents[i].print_protocols(stdout);
		return EXIT_SUCCESS;
	}
	print_usage(stderr);
	return EXIT_USAGE;
}

/* The background works in /, and reads the configuration again at a reload. */
static int
run(const struct options *options, const struct program *program)
{
	const char *config_path = options->config_path;
	char *folder = NULL, *path;
	int status;

	if (!options->in_foreground && config_path[0] != '/')
		folder = getcwd(NULL, 0);
	path = folder != NULL ? xasprintf("%s/%s", folder, config_path) : xstrdup(config_path);
	xfree(folder);
	status = control_run(path, program, !options->in_foreground);
	xfree(path);
	return status;
}

int
command_line_run(int argc, char **argv, const struct program *program)
{
	struct options options;

	digest_init();
	if (!read_options(argc, argv, &options)) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	switch (options.action) {
	case ACTION_CHECK:
		return check_configuration(options.config_path, program);
	case ACTION_PRINT:
		return check_print(options.config_path, program->root);
	case ACTION_DOCUMENT:
		return print_document(options.document, program);
	case ACTION_VERSION:
		puts("gatepost " GATEPOST_VERSION);
		return EXIT_SUCCESS;
	case ACTION_HELP:
		print_usage(stdout);
		return EXIT_SUCCESS;
	case ACTION_RUN:
		break;
	}
	return run(&options, program);
}
