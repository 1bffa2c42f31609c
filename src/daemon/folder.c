/* SPDX-License-Identifier: BSD-2-Clause */
/* folder.c: asks the system about the folder of a path. */
#include "daemon/folder.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

bool
folder_takes(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path) + 1);
	int result = access(folder, W_OK | X_OK), error = errno;

	xfree(folder);
	errno = error;
	return result == 0;
}
