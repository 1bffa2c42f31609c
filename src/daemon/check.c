/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c: the configuration tried and shown. */
#include "daemon/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/config.h"
#include "daemon/generation.h"
#include "daemon/pid_file.h"
#include "session/listener_settings.h"

static void
check_bind(const struct bind_settings *bind, void *arg)
{
	struct conf_problems *problems = arg;
	struct listen_spec spec;
	struct error error;

	if (bind->conf.broken)
		return;
	spec = bind_spec(bind);
	if (!socket_check(&spec, &error))
		conf_error_at(problems, &bind->conf, NULL, "%s", error.text);
}

/* What a start would make, and this must not. */
static void
check_folders(const struct root *root, struct conf_problems *problems)
{
	struct error error;

	if (!pid_file_check(root->pid_file, &error))
		conf_error_at_value(problems, &root->conf, "pid_file", 0, "%s", error.text);
	root_each_bind(root, check_bind, problems);
}

/* Takes the configuration; what is whole of one with errors is opened too, so that one run tells all. */
static void
open_files(const char *config_path, struct conf *conf, struct conf_problems *problems)
{
	const struct root *root = conf_root(conf);
	struct generation *generation;
	struct assets assets;

	root_become_user(root, config_path, problems);
	check_folders(root, problems);
	assets_init(&assets, root_threads(root));
	generation = generation_prepare(&assets, conf, NULL, problems);
	if (generation != NULL)
		generation_warn(generation);
	generation_undo(&generation);
	assets_clear(&assets);
}

static int
finish(struct conf_problems *problems)
{
	bool is_good = problems->count == 0;

	conf_problems_print(problems, stderr);
	conf_problems_clear(problems);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
check_configuration(const char *config_path)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_whole(config_path, &root_block, &problems);

	if (conf != NULL)
		open_files(config_path, conf, &problems);
	if (problems.count == 0)
		puts("configuration is good");
	return finish(&problems);
}

int
check_print(const char *config_path)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load(config_path, &root_block, &problems);

	if (conf != NULL)
		conf_print(conf, stdout);
	conf_free(&conf);
	return finish(&problems);
}
