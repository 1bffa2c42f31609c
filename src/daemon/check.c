/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c: the configuration tried and shown. */
#include "daemon/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/config.h"
#include "daemon/generation.h"

/* Takes the configuration. */
static bool
open_files(const char *config_path, struct conf *conf, struct conf_problems *problems)
{
	const struct root *root = conf_root(conf);
	struct generation *generation;
	struct assets assets;

	/* the files are tried all the same, so that one run tells as much as it can */
	root_become_user(root, config_path, problems);
	assets_init(&assets, root_threads(root));
	generation = generation_prepare(&assets, conf, NULL, problems);
	generation_undo(&generation);
	assets_clear(&assets);
	return problems->count == 0;
}

static int
finish(bool is_good, struct conf_problems *problems)
{
	conf_problems_print(problems, stderr);
	conf_problems_clear(problems);
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
check_configuration(const char *config_path)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load(config_path, &root_block, &problems);
	bool is_good = conf != NULL && open_files(config_path, conf, &problems);

	if (is_good)
		puts("configuration is good");
	return finish(is_good, &problems);
}

int
check_print(const char *config_path)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load(config_path, &root_block, &problems);

	if (conf != NULL)
		conf_print(conf, stdout);
	conf_free(&conf);
	return finish(problems.count == 0, &problems);
}
