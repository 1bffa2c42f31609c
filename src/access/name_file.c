/* SPDX-License-Identifier: BSD-2-Clause */
/* name_file.c: a map of names that all have the same value. */
#include "access/name_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

static void *
load(const char *path, struct error *error)
{
	FILE *in = fopen(path, "re");
	struct map *names;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (in == NULL) {
		error_set(error, "%s: %s", path, strerror(errno));
		return NULL;
	}
	names = map_new();
	while ((len = getline(&line, &size, in)) >= 0) {
		struct slice name = slice_trim(slice_make(line, (size_t)len));

		if (name.len > 0 && name.data[0] != '#')
			map_set(names, name, names);
	}
	if (ferror(in)) {
		error_set(error, "%s: %s", path, strerror(errno));
		map_free(&names);
	}
	free(line);
	fclose(in);
	return names;
}

static void
unload(void *data)
{
	struct map *names = data;

	map_free(&names);
}

const struct watched_kind name_file = { load, unload };

bool
name_file_has(struct watched_file *file, struct slice name)
{
	struct watched_content *content = watched_file_hold(file);
	bool has = map_get(watched_data(content), name) != NULL;

	watched_let_go(&content);
	return has;
}
