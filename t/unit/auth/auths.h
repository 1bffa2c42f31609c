/* SPDX-License-Identifier: BSD-2-Clause */
/* auths.h: a configuration of auth blocks alone, loaded from text. */
#ifndef UNIT_AUTH_AUTHS_H
#define UNIT_AUTH_AUTHS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/auth_source.h"
#include "conf/conf.h"

struct root {
	struct conf_block conf;
	struct conf_list auths;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, auths, &auth_block, 0),
	{ 0 }
};

static const struct block root_block = {
	.name = "root", .directives = root_directives, .size = BLOCK_SIZE(struct root),
};

/* It must be right. */
static inline struct conf *
load_auths(const char *text, struct conf_list *auths)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("text", text, &root_block, &problems);

	conf_problems_print(&problems, stderr);
	conf_problems_clear(&problems);
	assert_non_null(conf);
	*auths = ((const struct root *)conf_root(conf))->auths;
	return conf;
}

#endif
