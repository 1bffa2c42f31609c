/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl.c: the command line. */
#include "ctl/ctl.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/ask.h"
#include "ctl/catalog.h"
#include "ctl/complete.h"
#include "ctl/doctor.h"
#include "ctl/json.h"
#include "ctl/top.h"
#include "ctl/view.h"
#include "ctl/window.h"

static const struct local_command {
	const char *name, *help;
	int (*run)(const struct ctl_options *options);
} local_commands[] = {
	{ "doctor", "say what is wrong with gatepost, its configuration and this machine", doctor_run },
	{ "top",    "watch pools, servers and sessions",                                   top_run },
};

enum { LOCAL_COUNT = sizeof(local_commands) / sizeof(local_commands[0]) };

static const struct option long_options[] = {
	{ "socket",   required_argument, NULL, 's' },
	{ "json",     no_argument,       NULL, 'j' },
	{ "no-color", no_argument,       NULL, 'n' },
	{ "complete", no_argument,       NULL, 'C' },
	{ "version",  no_argument,       NULL, 'v' },
	{ "help",     no_argument,       NULL, 'h' },
	{ 0 }
};

static void
print_usage(FILE *out)
{
	fputs("usage: gatepostctl [-s SOCKET] [-c FILE] [--json] [--no-color] COMMAND ...\n"
	    "  -s SOCKET   a socket's path, or HOST:PORT (GATEPOST_SOCKET, " GATEPOST_SOCKET ")\n"
	    "  -c FILE     the configuration that `doctor` reads (" GATEPOST_CONFIG ")\n"
	    "  --json      print what was asked for as JSON\n"
	    "  --no-color  no colours on a terminal (NO_COLOR)\n"
	    "  --version   print the version\n"
	    "commands:\n", out);
	for (size_t i = 0; i < LOCAL_COUNT; i++)
		fprintf(out, "  %-10s  %s\n", local_commands[i].name, local_commands[i].help);
	fputs("  help        list all that gatepost itself can be asked\n", out);
}

/* These are options wherever they stand: no command has such words. */
static int
take_switches(int argc, char **argv, struct ctl_options *options, bool *wants_colour)
{
	int count = 0;

	for (int i = 0; i < argc; i++) {
		if (i > 0 && strcmp(argv[i], "--json") == 0)
			options->wants_json = true;
		else if (i > 0 && strcmp(argv[i], "--no-color") == 0)
			*wants_colour = false;
		else
			argv[count++] = argv[i];
	}
	argv[count] = NULL;
	return count;
}

static void
look_around(struct ctl_options *options, bool wants_colour)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	options->is_terminal = isatty(STDOUT_FILENO) != 0 && !options->wants_json;
	if (!options->is_terminal)
		return;
	options->look.width = window_width(STDOUT_FILENO);
	options->look.has_colour = wants_colour && (no_colour == NULL || *no_colour == '\0') &&
	    terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static enum asked
print_json(const struct ctl_options *options, const char *line)
{
	struct buf out = { 0 };
	struct error error;
	enum asked how;
	struct json_t *json = ask_json_slowly(options->place, line, &how, &error);

	if (json == NULL) {
		fprintf(stderr, how == ASKED_LOST ? "gatepostctl: %s\n" : "%s\n", error.text);
		return how == ASKED_LOST ? how : ASKED_FAILED;
	}
	if (options->wants_json) {
		json_write(json, &out);
		buf_append_text(&out, "\n");
	} else {
		view_print(json, &options->look, &out);
	}
	fwrite(buf_slice(&out).data, 1, buf_len(&out), stdout);
	buf_clear(&out);
	json_drop(&json);
	return how;
}

/* Does this command answer in JSON, and is its answer wanted so? */
static bool
is_for_json(const struct ctl_options *options, char *const *words, int count, enum asked *how)
{
	const struct json_t *row;
	struct error error;
	struct json_t *help;
	bool has_json;
	int n;

	*how = ASKED_WELL;
	if (!options->wants_json && !options->is_terminal)
		return false;
	help = ask_json(options->place, "help", how, &error);
	if (*how == ASKED_LOST)
		fprintf(stderr, "gatepostctl: %s\n", error.text);
	row = catalog_find(help, words, count, &n);
	/* help is made for people as it is */
	has_json = row != NULL && catalog_has_json(row) &&
	    (options->wants_json || strcmp(catalog_name(row), "help") != 0);
	json_drop(&help);
	return has_json;
}

/* What stands behind << comes from standard input. */
static void
read_payload(char *const *words, int count, struct buf *payload)
{
	enum { BLOCK = 4096 };
	size_t n, len = strlen(words[count - 1]);

	if (len < 2 || strcmp(words[count - 1] + len - 2, "<<") != 0)
		return;
	while ((n = fread(buf_reserve(payload, BLOCK), 1, BLOCK, stdin)) > 0)
		buf_added(payload, n);
	/* an empty payload has its end all the same */
	if (buf_len(payload) == 0)
		buf_append_text(payload, "\n");
}

static int
ask_gatepost(const struct ctl_options *options, char *const *words, int count)
{
	struct buf line = { 0 }, payload = { 0 };
	enum asked how = ASKED_WELL;
	int status = CTL_USAGE;

	if (!ask_line(words, count, &line)) {
		fputs("gatepostctl: a word with a line break cannot be asked\n", stderr);
	} else if (is_for_json(options, words, count, &how)) {
		buf_append(&line, "", 1);
		status = (int)print_json(options, buf_data(&line));
	} else if (how == ASKED_LOST) {
		status = CTL_LOST;
	} else if (options->wants_json) {
		fputs("gatepostctl: this does not answer in JSON\n", stderr);
		status = CTL_FAILED;
	} else {
		read_payload(words, count, &payload);
		how = ask_print(options->place, buf_slice(&line), buf_slice(&payload));
		status = (int)how;
	}
	buf_clear(&line);
	buf_wipe(&payload);
	return status;
}

static int
run_command(const struct ctl_options *options, char *const *words, int count)
{
	for (size_t i = 0; i < LOCAL_COUNT; i++) {
		if (strcmp(words[0], local_commands[i].name) != 0)
			continue;
		if (count == 1)
			return local_commands[i].run(options);
		fprintf(stderr, "gatepostctl: %s takes no words behind it\n", words[0]);
		return CTL_USAGE;
	}
	return ask_gatepost(options, words, count);
}

static int
complete(const struct ctl_options *options, char *const *words, int count)
{
	const char *names[LOCAL_COUNT + 1] = { NULL };

	for (size_t i = 0; i < LOCAL_COUNT; i++)
		names[i] = local_commands[i].name;
	complete_print(options->place, names, words, count);
	return CTL_FINE;
}

int
ctl_run(int argc, char **argv)
{
	const char *place = getenv("GATEPOST_SOCKET");
	struct ctl_options options = { .place = GATEPOST_SOCKET, .config_path = GATEPOST_CONFIG };
	bool wants_colour = true;
	int c;

	text_init();
	if (place != NULL && *place != '\0')
		options.place = place;
	if (argc > 1 && strcmp(argv[1], "--complete") != 0)
		argc = take_switches(argc, argv, &options, &wants_colour);
	/* + : words behind the command are the command's, even "-1" */
	while ((c = getopt_long(argc, argv, "+s:c:h", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			options.place = optarg;
			break;
		case 'c':
			options.config_path = optarg;
			break;
		case 'C':
			return complete(&options, argv + optind, argc - optind);
		case 'v':
			puts("gatepostctl " GATEPOST_VERSION);
			return CTL_FINE;
		case 'h':
			print_usage(stdout);
			return CTL_FINE;
		default:
			print_usage(stderr);
			return CTL_USAGE;
		}
	}
	look_around(&options, wants_colour);
	if (optind < argc)
		return run_command(&options, argv + optind, argc - optind);
	print_usage(stderr);
	return CTL_USAGE;
}
