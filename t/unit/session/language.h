/* SPDX-License-Identifier: BSD-2-Clause */
/* language.h: a configuration of the blocks that sessions are made of, loaded from text. */
#ifndef UNIT_SESSION_LANGUAGE_H
#define UNIT_SESSION_LANGUAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access/limits.h"
#include "auth/auth.h"
#include "auth/users.h"
#include "balance/pool.h"
#include "conf/conf.h"
#include "session/listener_settings.h"
#include "session/pool_fit.h"

struct language {
	struct conf_block conf;
	const char *hostname;
	struct users *users;
	struct conf_list tls, auths, limits, farms, pools, listeners;
};

static const struct directive language_directives[] = {
	CONF_STRING(struct language, hostname, "lb.example.com", 0, ""),
	CONF_BLOCK(struct language, users, &users_block, "", 0),
	CONF_BLOCKS(struct language, tls, &tls_block, 0),
	CONF_BLOCKS(struct language, auths, &auth_block, 0),
	CONF_BLOCKS(struct language, limits, &limits_block, 0),
	CONF_BLOCKS(struct language, farms, &farm_block, 0),
	CONF_BLOCKS(struct language, pools, &pool_block, 0),
	CONF_BLOCKS(struct language, listeners, &listener_block, 0),
	{ 0 }
};

static inline void
prepare_language(struct conf_context *context, void *object)
{
	struct language *language = object;

	listener_settings_prepare(context, &language->listeners, language->hostname);
	pool_fit_prepare(context, &language->pools, &language->listeners);
}

static inline void
check_language(struct conf_context *context, void *object)
{
	struct language *language = object;

	listener_settings_check(context, &language->listeners);
	pool_fit_check(context, &language->pools, &language->listeners);
}

static const struct block language_block = {
	.name = "", .directives = language_directives, .size = BLOCK_SIZE(struct language),
	.flags = BLOCK_CHECK_BROKEN, .prepare = prepare_language, .check = check_language, .help = ""
};

/* It must be right. */
static inline struct conf *
load(const char *text, struct language **language)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("conf", text, &language_block, &problems);

	if (conf == NULL) {
		conf_problems_print(&problems, stderr);
		fail_msg("not loaded: %s", text);
	}
	conf_problems_clear(&problems);
	*language = conf_root(conf);
	return conf;
}

/* It must be refused, with this among what is printed; with NULL, it must not. */
static inline void
expect_problem(const char *text, const char *problem)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("conf", text, &language_block, &problems);
	char *printed = NULL;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	conf_problems_print(&problems, out);
	fclose(out);
	if ((problem == NULL) != (conf != NULL))
		fail_msg("%s: %s", text, printed);
	if (problem != NULL && strstr(printed, problem) == NULL)
		fail_msg("no \"%s\" in: %s", problem, printed);
	free(printed);
	conf_problems_clear(&problems);
	conf_free(&conf);
}

#endif
