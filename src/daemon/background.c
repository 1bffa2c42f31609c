/* SPDX-License-Identifier: BSD-2-Clause */
/* background.c: fork, and the pipe over which the child tells that it is ready. */
#include "daemon/background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's end of the pipe; -1: none.  The process's, as its standard descriptors are. */
static int ready_fd = -1;

void
background_fill_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void __attribute__((noreturn))
wait_for_child(pid_t child, int fd)
{
	char byte;
	int status;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EXIT_FAILURE);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

bool
background_enter(struct error *error)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(error, "cannot go into the background: %s", strerror(errno));
	child = fork();
	if (child > 0) {
		close(ends[1]);
		wait_for_child(child, ends[0]);
	}
	close(ends[0]);
	if (child < 0) {
		close(ends[1]);
		return error_set(error, "cannot go into the background: %s", strerror(errno));
	}
	ready_fd = ends[1];
	setsid();
	if (chdir("/") != 0)
		return error_set(error, "cannot go to /: %s", strerror(errno));
	return true;
}

void
background_ready(void)
{
	int null;

	if (ready_fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	(void)!write(ready_fd, "", 1);
	close(ready_fd);
	ready_fd = -1;
}
