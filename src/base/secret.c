/* SPDX-License-Identifier: BSD-2-Clause */
/* secret.c: reads a password's file and leaves no copy of it behind. */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/xalloc.h"

enum { SECRET_MAX = 1024 };

char *
secret_read(const char *path, struct error *error)
{
	char text[SECRET_MAX + 1], *secret = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	size_t len = 0;

	if (n < 0)
		error_set(error, "%s: %s", path, strerror(errno));
	while (n > 0 && len < (size_t)n && text[len] != '\n' && text[len] != '\r' && text[len] != '\0')
		len++;
	if (n >= 0 && (len == 0 || len > SECRET_MAX || (len < (size_t)n && text[len] == '\0')))
		error_set(error, "%s: its first line is not a password of 1 to %d bytes", path, SECRET_MAX);
	else if (n >= 0)
		secret = xstrndup(text, len);
	secret_wipe(text, sizeof(text));
	if (fd >= 0)
		close(fd);
	return secret;
}
