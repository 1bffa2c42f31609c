/* SPDX-License-Identifier: BSD-2-Clause */
/* name_file.h: a file of names, one a line; blank lines and those that begin with # do not count. */
#ifndef ACCESS_NAME_FILE_H
#define ACCESS_NAME_FILE_H

#include "access/watched_file.h"
#include "base/slice.h"

extern const struct watched_kind name_file;
bool name_file_has(struct watched_file *file, struct slice name);	/* from any thread */

#endif
