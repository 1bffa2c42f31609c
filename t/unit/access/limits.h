/* SPDX-License-Identifier: BSD-2-Clause */
/* limits.h: a block `limits`, loaded from what stands in it. */
#ifndef UNIT_ACCESS_LIMITS_H
#define UNIT_ACCESS_LIMITS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "access/limits.h"
#include "conf/conf.h"

struct root {
	struct conf_block conf;
	struct conf_list limits;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, limits, &limits_block, 0),
	{ 0 }
};
static const struct block root_block = {
	.name = "", .directives = root_directives, .size = BLOCK_SIZE(struct root), .help = ""
};

static struct conf *conf;		/* the caller frees it */

/* NULL: it is refused. */
static inline const struct limits *
load(const char *rows)
{
	struct conf_problems problems = { 0 };
	char text[512];

	snprintf(text, sizeof(text), "limits l { %s }", rows);
	conf = conf_load_text("text", text, &root_block, &problems);
	conf_problems_clear(&problems);
	return conf != NULL ? ((struct root *)conf_root(conf))->limits.items[0] : NULL;
}

static inline struct addr
addr_of(const char *text)
{
	struct addr addr;

	assert_true(addr_parse(slice_of(text), 4711, &addr));
	return addr;
}

#endif
