/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread_pool.c: jobs wait in lanes by their keys, and the threads take from
 * the lanes in turn: whoever fills one lane waits behind themselves.
 */
#include "base/thread_pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/xalloc.h"

enum {
	LANES = 64,
	NICE = 10,			/* about a tenth of a loop's share where both want a core */
	NAME_MAX_SIZE = 16		/* the kernel's bound, with the NUL */
};

struct lane {
	struct list jobs;		/* oldest first */
	int count;
};

struct thread_pool {
	pthread_mutex_t lock;
	pthread_cond_t has_work;
	void (*post)(struct loop *loop, void (*handle)(struct loop *loop, void *arg), void *arg);
	struct lane lanes[LANES];
	size_t next_lane;
	int jobs_max, waiting;
	struct list all;		/* whose done has not been called */
	bool is_ending;
	int threads_max, thread_count, idle_count;
	pthread_t threads[];
};

struct thread_pool *
thread_pool_new(int threads, int jobs,
    void (*post)(struct loop *loop, void (*handle)(struct loop *loop, void *arg), void *arg))
{
	struct thread_pool *pool = xcalloc(1, sizeof(*pool) + (size_t)threads * sizeof(pool->threads[0]));

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->has_work, NULL);
	pool->post = post;
	pool->threads_max = threads;
	pool->jobs_max = jobs;
	list_init(&pool->all);
	for (size_t i = 0; i < LANES; i++)
		list_init(&pool->lanes[i].jobs);
	return pool;
}

/* Under the lock, as what follows. */
static struct lane *
lane_of(struct thread_pool *pool, const struct thread_job *job)
{
	return &pool->lanes[job->key % LANES];
}

static void
unlink_job(struct thread_pool *pool, struct thread_job *job)
{
	list_remove(&job->node);
	lane_of(pool, job)->count--;
	pool->waiting--;
}

/* NULL: none waits. */
static struct thread_job *
take_job(struct thread_pool *pool)
{
	for (size_t i = 0; pool->waiting > 0 && i < LANES; i++) {
		struct lane *lane = &pool->lanes[pool->next_lane++ % LANES];
		struct thread_job *job;

		if (list_is_empty(&lane->jobs))
			continue;
		job = list_entry(lane->jobs.next, struct thread_job, node);
		unlink_job(pool, job);
		return job;
	}
	return NULL;
}

static void
on_done(struct loop *loop, void *arg)
{
	struct thread_job *job = arg;
	struct thread_pool *pool = job->pool;

	(void)loop;
	pthread_mutex_lock(&pool->lock);
	list_remove(&job->all);
	pthread_mutex_unlock(&pool->lock);
	job->done(job);
}

/* The caller's thread becomes one of low priority with a name; that this fails would be no harm. */
static void
settle_in(struct thread_pool *pool)
{
	char name[NAME_MAX_SIZE];

	pthread_mutex_lock(&pool->lock);
	for (int i = 0; i < pool->thread_count; i++)
		if (pthread_equal(pool->threads[i], pthread_self()))
			snprintf(name, sizeof(name), "hash/%u", (unsigned)i);
	pthread_mutex_unlock(&pool->lock);
	pthread_setname_np(pthread_self(), name);
	setpriority(PRIO_PROCESS, 0, NICE);	/* 0: on Linux this thread, not the process */
}

static void *
work(void *arg)
{
	struct thread_pool *pool = arg;

	settle_in(pool);
	pthread_mutex_lock(&pool->lock);
	while (!pool->is_ending) {
		struct thread_job *job = take_job(pool);

		if (job == NULL) {
			pool->idle_count++;
			pthread_cond_wait(&pool->has_work, &pool->lock);
			pool->idle_count--;
			continue;
		}
		pthread_mutex_unlock(&pool->lock);
		job->run(job);
		pool->post(job->loop, on_done, job);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Under the lock, which the new thread waits for before it looks for its name. */
static void
add_thread(struct thread_pool *pool)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&pool->threads[pool->thread_count], NULL, work, pool) == 0)
		pool->thread_count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool
thread_pool_submit(struct thread_pool *pool, struct thread_job *job)
{
	struct lane *lane = lane_of(pool, job);
	bool is_taken;

	job->pool = pool;
	pthread_mutex_lock(&pool->lock);
	if (pool->idle_count <= pool->waiting && pool->thread_count < pool->threads_max)
		add_thread(pool);
	is_taken = pool->thread_count > 0 &&
	    (pool->waiting < pool->jobs_max || lane->count < pool->jobs_max / LANES);
	if (is_taken) {
		list_append(&lane->jobs, &job->node);
		list_append(&pool->all, &job->all);
		lane->count++;
		pool->waiting++;
		pthread_cond_signal(&pool->has_work);
	}
	pthread_mutex_unlock(&pool->lock);
	return is_taken;
}

void
thread_job_cancel(struct thread_job *job)
{
	struct thread_pool *pool = job->pool;
	bool is_waiting;

	job->is_cancelled = true;
	pthread_mutex_lock(&pool->lock);
	is_waiting = !list_is_empty(&job->node);
	if (is_waiting)
		unlink_job(pool, job);
	pthread_mutex_unlock(&pool->lock);
	if (is_waiting)
		pool->post(job->loop, on_done, job);
}

void
thread_pool_free(struct thread_pool **pool)
{
	struct thread_pool *p = *pool;

	*pool = NULL;
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_ending = true;
	pthread_cond_broadcast(&p->has_work);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->thread_count; i++)
		pthread_join(p->threads[i], NULL);
	list_each(node, &p->all) {
		struct thread_job *job = list_entry(node, struct thread_job, all);

		job->is_cancelled = true;
		list_remove(node);
		job->done(job);
	}
	pthread_cond_destroy(&p->has_work);
	pthread_mutex_destroy(&p->lock);
	xfree(p);
}
