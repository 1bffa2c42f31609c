/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel_pipe.c: makes pipes when they are first needed and keeps the empty ones. */
#include "net/kernel_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/xalloc.h"

/* The user has had all it may, or descriptors ran out: asking for each chunk would cost more than copying. */
enum { RETRY_MS = 10 * 1000 };

static bool
make(struct kernel_pipes *pipes)
{
	struct kernel_pipe *pipe;
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	/* a smaller one costs more than reading and writing */
	if (fcntl(fds[1], F_SETPIPE_SZ, KERNEL_PIPE_SIZE) < KERNEL_PIPE_SIZE) {
		close(fds[0]);
		close(fds[1]);
		return false;
	}
	pipe = xmalloc(sizeof(*pipe));
	*pipe = (struct kernel_pipe){ .in = fds[1], .out = fds[0] };
	pipes->spare[pipes->spare_count++] = pipe;
	pipes->count++;
	return true;
}

bool
kernel_pipes_reserve(struct kernel_pipes *pipes, int64_t now)
{
	if (pipes->spare_count > 0)
		return true;
	if (pipes->count == KERNEL_PIPES_MAX || now < pipes->refused_until)
		return false;
	if (make(pipes))
		return true;
	pipes->refused_until = now + RETRY_MS;
	return false;
}

struct kernel_pipe *
kernel_pipe_get(struct kernel_pipes *pipes, int64_t now)
{
	return kernel_pipes_reserve(pipes, now) ? pipes->spare[--pipes->spare_count] : NULL;
}

static void
destroy(struct kernel_pipes *pipes, struct kernel_pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	xfree(pipe);
	pipes->count--;
}

void
kernel_pipe_put(struct kernel_pipes *pipes, struct kernel_pipe **pipe)
{
	struct kernel_pipe *p = *pipe;

	*pipe = NULL;
	if (p->len > 0)
		destroy(pipes, p);
	else
		pipes->spare[pipes->spare_count++] = p;
}

void
kernel_pipes_clear(struct kernel_pipes *pipes)
{
	while (pipes->spare_count > 0)
		destroy(pipes, pipes->spare[--pipes->spare_count]);
}
