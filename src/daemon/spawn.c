/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.c: posix_spawn, which copies no memory and blocks no thread but this one. */
#include "daemon/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "daemon/handover.h"
#include "daemon/privileges.h"
#include "net/channel.h"

enum { ABOVE_FIXED = 10 };	/* so that no descriptor is overwritten before it is passed on */

char *
spawn_find_self(void)
{
	char path[PATH_MAX];
	ssize_t n;

	if (program_invocation_name[0] == '/')
		return xstrdup(program_invocation_name);
	if (strchr(program_invocation_name, '/') != NULL && getcwd(path, sizeof(path)) != NULL)
		return xasprintf("%s/%s", path, program_invocation_name);
	n = readlink("/proc/self/exe", path, sizeof(path));
	return n > 0 && (size_t)n < sizeof(path) ? xstrndup(path, (size_t)n) :
	    xstrdup(program_invocation_name);
}

/* This process's, and the variable; the strings are the environment's. */
static char **
make_environment(char *variable)
{
	size_t count = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = xcalloc(count + 2, sizeof(copy[0]));
	memcpy(copy, environ, count * sizeof(copy[0]));
	copy[count] = variable;
	return copy;
}

/* At a number that the child does not need for something else. */
static bool
move_up(int *fd)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, ABOVE_FIXED);

	if (moved < 0)
		return false;
	close(*fd);
	*fd = moved;
	return true;
}

static int
execute(const char *const argv[], int channel, int output, pid_t *pid)
{
	char variable[] = HANDOVER_VARIABLE "=1";
	char **environment = make_environment(variable);
	posix_spawn_file_actions_t actions;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, channel, HANDOVER_FD);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	privileges_lend(true);
	result = posix_spawn(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environment);
	privileges_lend(false);
	posix_spawn_file_actions_destroy(&actions);
	xfree(environment);
	return result;
}

bool
spawn(const char *const argv[], struct spawned *spawned, struct error *error)
{
	int channel[2], output[2] = { -1, -1 }, result;

	if (!channel_pair(channel, error))
		return false;
	if (pipe2(output, O_CLOEXEC) != 0 || !move_up(&channel[1]) || !move_up(&output[1]) ||
	    fcntl(output[0], F_SETFL, O_NONBLOCK) != 0)
		result = errno;
	else
		result = execute(argv, channel[1], output[1], &spawned->pid);
	close(channel[1]);
	if (output[1] >= 0)
		close(output[1]);
	if (result == 0) {
		spawned->channel = channel[0];
		spawned->output = output[0];
		return true;
	}
	close(channel[0]);
	if (output[0] >= 0)
		close(output[0]);
	return error_set(error, "cannot run %s: %s", argv[0], strerror(result));
}
