/* SPDX-License-Identifier: BSD-2-Clause */
/* pid_file.c: the file with the number of this process, locked while it lives. */
#include "daemon/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "daemon/folder.h"

enum { PID_TEXT_MAX = 16, PID_FILE_MODE = 0644 };

static bool
write_pid(int fd)
{
	char text[PID_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

bool
pid_file_renew(int fd)
{
	return write_pid(fd);
}

bool
pid_file_write(const char *path, int *fd, struct error *error)
{
	*fd = -1;
	if (path == NULL)
		return true;
	*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, PID_FILE_MODE);
	if (*fd < 0)
		return error_set(error, "%s: %s", path, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
		error_set(error, "%s: another gatepost is running", path);
	else if (!write_pid(*fd))
		error_set(error, "%s: %s", path, strerror(errno));
	else
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

bool
pid_file_check(const char *path, struct error *error)
{
	if (path == NULL || access(path, R_OK | W_OK) == 0 || (errno == ENOENT && folder_takes(path)))
		return true;
	return error_set(error, "%s: %s", path, strerror(errno));
}

void
pid_file_remove(const char *path, int *fd)
{
	if (*fd < 0)
		return;
	(void)unlink(path);
	close(*fd);
	*fd = -1;
}
