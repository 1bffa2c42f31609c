/* SPDX-License-Identifier: BSD-2-Clause */
/* folder.h: whether files can be made, before any is. */
#ifndef DAEMON_FOLDER_H
#define DAEMON_FOLDER_H

#include <stdbool.h>

/* May this process make a file at `path`, as far as its folder goes?  false and errno. */
bool folder_takes(const char *path);

#endif
