/* SPDX-License-Identifier: BSD-2-Clause */
/* catalog.h: the commands that a running gatepost has, as `help json` tells them. */
#ifndef CTL_CATALOG_H
#define CTL_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

struct json_t;

/* The row whose name is the longest that these words begin with; NULL: none.  *count: words of its name. */
const struct json_t *catalog_find(const struct json_t *help, char *const *words, int given, int *count);
const char *catalog_name(const struct json_t *row);
const char *catalog_arguments(const struct json_t *row);		/* "" where it takes none */
bool catalog_has_json(const struct json_t *row);

#endif
