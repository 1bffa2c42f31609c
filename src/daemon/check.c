/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c: the configuration tried and shown. */
#include "daemon/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/spare.h"
#include "daemon/config.h"
#include "daemon/extension.h"
#include "daemon/generation.h"
#include "daemon/pid_file.h"
#include "daemon/privileges.h"
#include "session/listener_settings.h"

struct trial {
	struct conf_problems *problems;
	bool was_root;			/* as who starts it: what is allowed now is all that will be then */
};

static void
check_bind(const struct bind_settings *bind, void *arg)
{
	const struct trial *trial = arg;
	struct listen_spec spec;
	struct error error;
	char text[ADDR_TEXT_MAX];

	if (bind->conf.broken)
		return;
	spec = bind_spec(bind);
	if (!socket_check(&spec, &error))
		conf_error_at(trial->problems, &bind->conf, NULL, "%s", error.text);
	else if (trial->was_root && !privileges_allow_port(addr_port(&spec.addr)))
		conf_error_at(trial->problems, &bind->conf, NULL, "cannot listen at %s%s",
		    addr_format(&spec.addr, text), privileges_port_hint(addr_port(&spec.addr)));
}

/* What a start would make, and this must not. */
static void
check_places(const struct root *root, struct trial *trial)
{
	struct error error;

	if (!pid_file_check(root->pid_file, &error))
		conf_error_at_value(trial->problems, &root->conf, "pid_file", 0, "%s", error.text);
	root_each_bind(root, check_bind, trial);
}

/* Takes the configuration; what is whole of one with errors is opened too, so that one run tells all. */
static void
open_files(const char *config_path, struct conf *conf, const struct extension *extension,
    struct conf_problems *problems)
{
	const struct root *root = conf_root(conf);
	struct trial trial = { problems, geteuid() == 0 };
	struct generation *generation;
	struct assets assets;

	root_become_user(root, config_path, problems);
	check_places(root, &trial);
	if (extension != NULL)
		extension->check(root, problems);
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
	spare_end();
	return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
check_configuration(const char *config_path, const struct program *program)
{
	struct conf_problems problems = { 0 };
	struct conf *conf;

	spare_begin();
	conf = conf_load_whole(config_path, program->root, &problems);
	if (conf != NULL)
		open_files(config_path, conf, program->extension, &problems);
	if (problems.count == 0)
		puts("configuration is good");
	return finish(&problems);
}

int
check_print(const char *config_path, const struct block *root)
{
	struct conf_problems problems = { 0 };
	struct conf *conf;

	spare_begin();
	conf = conf_load(config_path, root, &problems);
	if (conf != NULL)
		conf_print(conf, stdout);
	conf_free(&conf);
	return finish(&problems);
}
