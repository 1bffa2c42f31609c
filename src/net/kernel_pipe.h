/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_pipe.h: what moves from socket to socket without being copied goes
 * through a pipe of the kernel's, and stays in it while the receiver takes no
 * more.  A loop has a few; without one, reading and writing does as well.
 */
#ifndef NET_KERNEL_PIPE_H
#define NET_KERNEL_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KERNEL_PIPE_SIZE = 1024 * 1024,	/* fs.pipe-max-size; with a quarter of it uploads gain nothing */
	KERNEL_PIPES_MAX = 8		/* of a loop: eight loops' are what one user may have */
};

struct kernel_pipe {
	int in, out;			/* filled here, emptied there */
	size_t len;			/* bytes in it */
};

/* A loop's; zero at first. */
struct kernel_pipes {
	struct kernel_pipe *spare[KERNEL_PIPES_MAX];
	int spare_count, count;
	int64_t refused_until;		/* of loop_now: the kernel gave none */
};

/* Makes one where all are in use.  False: there is none to be had. */
bool kernel_pipes_reserve(struct kernel_pipes *pipes, int64_t now);
/* An empty one, or NULL. */
struct kernel_pipe *kernel_pipe_get(struct kernel_pipes *pipes, int64_t now);
/* What is still in it is lost. */
void kernel_pipe_put(struct kernel_pipes *pipes, struct kernel_pipe **pipe);
void kernel_pipes_clear(struct kernel_pipes *pipes);	/* the spare ones */

#endif
