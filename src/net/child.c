/* SPDX-License-Identifier: BSD-2-Clause */
/* child.c: posix_spawn, and a descriptor that tells of the end: no signal is needed. */
#include "net/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"

static void
end(struct child *child, int status)
{
	bool is_late = child->is_late;

	loop_io_stop(child->loop, &child->io);
	loop_timer_stop(child->loop, &child->timer);
	close(child->fd);
	child->pid = 0;
	child->on_end(child, status, is_late);
}

static void
on_ready(struct loop_io *io, int events)
{
	struct child *child = loop_owner(io, struct child, io);
	int status = 0;

	(void)events;
	if (waitpid(child->pid, &status, WNOHANG) == child->pid)
		end(child, status);
}

static void
on_time(struct loop_timer *timer)
{
	struct child *child = loop_owner(timer, struct child, timer);

	child->is_late = true;
	(void)kill(-child->pid, SIGKILL);
}

static char **
make_environment(char *const *more)
{
	size_t count = 0, added = 0;
	char **all;

	while (environ[count] != NULL)
		count++;
	while (more[added] != NULL)
		added++;
	all = xcalloc(count + added + 1, sizeof(all[0]));
	memcpy(all, environ, count * sizeof(all[0]));
	memcpy(all + count, more, added * sizeof(all[0]));
	return all;
}

/* In a group of its own, so that what it starts ends with it; signals are as a program expects them. */
static int
execute(const char *const *argv, char *const *more, pid_t *pid)
{
	char **environment = make_environment(more);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int result;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes,
	    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	result = posix_spawn(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv,
	    environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	xfree(environment);
	return result;
}

bool
child_start(struct child *child, const char *const *argv, char *const *more, int64_t timeout_ms,
    struct error *error)
{
	int result = execute(argv, more, &child->pid);

	if (result != 0) {
		child->pid = 0;
		return error_set(error, "cannot run %s: %s", argv[0], strerror(result));
	}
	child->fd = pidfd_open(child->pid, 0);
	if (child->fd < 0) {
		result = errno;
		(void)kill(-child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
		child->pid = 0;
		return error_set(error, "cannot wait for %s: %s", argv[0], strerror(result));
	}
	(void)fcntl(child->fd, F_SETFD, FD_CLOEXEC);
	child->is_late = false;
	loop_io_init(&child->io, child->fd, on_ready);
	loop_io_watch(child->loop, &child->io, LOOP_READ);
	loop_timer_init(&child->timer, on_time);
	loop_timer_set(child->loop, &child->timer, loop_now(child->loop) + timeout_ms);
	return true;
}

void
child_kill(struct child *child)
{
	if (child->pid == 0)
		return;
	loop_io_stop(child->loop, &child->io);
	loop_timer_stop(child->loop, &child->timer);
	(void)kill(-child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0);
	close(child->fd);
	child->pid = 0;
}
