/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread_pool.h: a few threads for what burns CPU (password hashes take up
 * to 300 ms), of low priority, so that loops come first.  A job's result
 * comes back to the loop that asked.
 */
#ifndef BASE_THREAD_POOL_H
#define BASE_THREAD_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
struct thread_pool;

/* Embedded in what the job needs, which belongs to the pool until `done`. */
struct thread_job {
	struct loop *loop;			/* where done is called */
	uint64_t key;				/* whom it is for: one key's jobs hardly delay others' */
	void (*run)(struct thread_job *job);	/* on a thread of the pool; unless cancelled before */
	void (*done)(struct thread_job *job);	/* on the loop; always comes, and frees */
	bool is_cancelled;			/* by thread_job_cancel */

	struct thread_pool *pool;		/* the pool's own, as what follows */
	struct list node;
	struct list all;
};

/*
 * Up to `threads` threads, which start when they are first needed.  `post`
 * has handle(loop, arg) called by the loop's thread: loop_post.  Beyond
 * `jobs` jobs that wait, only keys with few of them get in.
 */
struct thread_pool *thread_pool_new(int threads, int jobs,
    void (*post)(struct loop *loop, void (*handle)(struct loop *loop, void *arg), void *arg));
/* The loops still exist but run no more: what is not done yet is done here, by the caller's thread. */
void thread_pool_free(struct thread_pool **pool);
/* From any thread; false: there are too many jobs, and done will not come. */
bool thread_pool_submit(struct thread_pool *pool, struct thread_job *job);
/*
 * Nobody waits for the result any more; `done` comes all the same, soon unless a thread is at it.  The loop's
 * thread only, and before `done`.
 */
void thread_job_cancel(struct thread_job *job);

#endif
