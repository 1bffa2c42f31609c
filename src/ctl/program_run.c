/* SPDX-License-Identifier: BSD-2-Clause */
/* program_run.c: a child and a pipe. */
#include "ctl/program_run.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_BYTES = 4096, NOT_FOUND = 127 };

static void
become(const char *const *argv, int out)
{
	/* execvp takes what it could change, and does not */
	union { const char *const *in; char *const *out; } words = { .in = argv };
	int none = open("/dev/null", O_RDONLY);

	if (none != -1)
		dup2(none, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], words.out);
	_exit(NOT_FOUND);
}

bool
program_run(const char *const *argv, struct buf *out)
{
	int pipes[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0)
		become(argv, pipes[1]);
	close(pipes[1]);
	while (pid > 0 && ((n = read(pipes[0], buf_reserve(out, READ_BYTES), READ_BYTES)) > 0 ||
	    (n < 0 && errno == EINTR)))
		buf_added(out, n > 0 ? (size_t)n : 0);
	close(pipes[0]);
	while (pid > 0 && waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
