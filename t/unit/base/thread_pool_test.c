/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_pool_test.c: every job comes back, to its own loop; who asks for much delays others little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/thread_pool.h"

enum { JOBS = 200 };

/* What stands in for a thread's loop: messages in their order. */
struct loop {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct message {
		void (*handle)(struct loop *loop, void *arg);
		void *arg;
	} messages[JOBS];
	size_t count, handled;
};

static struct loop here = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct task {
	struct thread_job job;
	bool has_run, is_done;
	int order;		/* the how manieth it was to be done */
	sem_t *gate;		/* waited for while it runs */
	sem_t *begun;
};

static int done_count;

static void
post(struct loop *loop, void (*handle)(struct loop *loop, void *arg), void *arg)
{
	pthread_mutex_lock(&loop->lock);
	loop->messages[loop->count++] = (struct message){ handle, arg };
	pthread_cond_signal(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
}

static void
handle_messages(struct loop *loop, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct message message;

		pthread_mutex_lock(&loop->lock);
		while (loop->handled == loop->count)
			pthread_cond_wait(&loop->changed, &loop->lock);
		message = loop->messages[loop->handled++];
		pthread_mutex_unlock(&loop->lock);
		message.handle(loop, message.arg);
	}
	if (loop->handled == loop->count)
		loop->handled = loop->count = 0;
}

static void
run(struct thread_job *job)
{
	struct task *task = (struct task *)job;

	task->has_run = true;
	if (task->begun != NULL)
		sem_post(task->begun);
	while (task->gate != NULL && sem_wait(task->gate) != 0)
		;
}

static void
done(struct thread_job *job)
{
	struct task *task = (struct task *)job;

	assert_false(task->is_done);
	task->is_done = true;
	task->order = done_count++;
}

static bool
submit(struct thread_pool *pool, struct task *task, uint64_t key)
{
	task->job.loop = &here;
	task->job.key = key;
	task->job.run = run;
	task->job.done = done;
	return thread_pool_submit(pool, &task->job);
}

static int
set_up(void **state)
{
	(void)state;
	here.count = here.handled = 0;
	done_count = 0;
	return 0;
}

static void
every_job_comes_back(void **state)
{
	struct task tasks[JOBS] = { 0 };
	struct thread_pool *pool = thread_pool_new(3, JOBS, post);

	(void)state;
	for (size_t i = 0; i < JOBS; i++)
		assert_true(submit(pool, &tasks[i], i));
	handle_messages(&here, JOBS);
	for (size_t i = 0; i < JOBS; i++)
		assert_true(tasks[i].has_run && tasks[i].is_done);
	thread_pool_free(&pool);
	assert_null(pool);
	thread_pool_free(&pool);
}

/* One thread, which stands still in `first` until the gate opens. */
static struct thread_pool *
hold_pool(struct task *first, int jobs)
{
	struct thread_pool *pool = thread_pool_new(1, jobs, post);

	sem_init(first->gate, 0, 0);
	sem_init(first->begun, 0, 0);
	assert_true(submit(pool, first, 1));
	while (sem_wait(first->begun) != 0)
		;
	return pool;
}

static void
many_jobs_of_one_key_do_not_delay_another(void **state)
{
	sem_t gate, begun;
	struct task first = { .gate = &gate, .begun = &begun }, flood[100] = { 0 }, other = { 0 };
	struct thread_pool *pool = hold_pool(&first, JOBS);

	(void)state;
	for (size_t i = 0; i < 100; i++)
		assert_true(submit(pool, &flood[i], 1));
	assert_true(submit(pool, &other, 2));
	sem_post(&gate);
	handle_messages(&here, 102);
	assert_int_equal(first.order, 0);
	assert_in_range(other.order, 1, 2);
	for (size_t i = 1; i < 100; i++)
		assert_true(flood[i].order > flood[i - 1].order);
	thread_pool_free(&pool);
}

static void
too_many_jobs_are_refused(void **state)
{
	enum { MOST = 64 };
	sem_t gate, begun;
	struct task first = { .gate = &gate, .begun = &begun }, flood[MOST] = { 0 };
	struct task more = { 0 }, other = { 0 };
	struct thread_pool *pool = hold_pool(&first, MOST);

	(void)state;
	for (size_t i = 0; i < MOST; i++)
		assert_true(submit(pool, &flood[i], 1));
	assert_false(submit(pool, &more, 1));
	assert_true(submit(pool, &other, 2));		/* its lane is empty */
	assert_false(submit(pool, &more, 2));
	sem_post(&gate);
	handle_messages(&here, MOST + 2);
	assert_false(more.has_run || more.is_done);
	assert_true(submit(pool, &more, 1));
	handle_messages(&here, 1);
	thread_pool_free(&pool);
}

static void
what_is_cancelled_does_not_run(void **state)
{
	sem_t gate, begun;
	struct task first = { .gate = &gate, .begun = &begun }, second = { 0 };
	struct thread_pool *pool = hold_pool(&first, JOBS);

	(void)state;
	assert_true(submit(pool, &second, 1));
	thread_job_cancel(&second.job);
	thread_job_cancel(&first.job);		/* under way: it ends */
	assert_int_equal(here.count, 1);
	handle_messages(&here, 1);
	assert_true(second.is_done && !first.is_done);
	sem_post(&gate);
	handle_messages(&here, 1);
	assert_true(first.is_done && second.is_done && !second.has_run);
	thread_pool_free(&pool);
}

static void
the_end_does_what_is_left(void **state)
{
	sem_t gate, begun;
	struct task first = { .gate = &gate, .begun = &begun }, waiting[5] = { 0 };
	struct thread_pool *pool = hold_pool(&first, JOBS);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_true(submit(pool, &waiting[i], i));
	sem_post(&gate);
	thread_pool_free(&pool);		/* messages may have been posted; nobody handles them */
	assert_true(first.is_done);
	for (size_t i = 0; i < 5; i++)
		assert_true(waiting[i].is_done);
}

static struct {
	char name[16];
	int nice;
	sigset_t signals;
} seen;

static void
look_around(struct thread_job *job)
{
	(void)job;
	pthread_getname_np(pthread_self(), seen.name, sizeof(seen.name));
	seen.nice = getpriority(PRIO_PROCESS, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &seen.signals);
}

static void
threads_are_named_nice_and_deaf(void **state)
{
	struct thread_pool *pool = thread_pool_new(1, JOBS, post);
	struct task task = { .job = { .loop = &here, .run = look_around, .done = done } };

	(void)state;
	assert_true(thread_pool_submit(pool, &task.job));
	handle_messages(&here, 1);
	assert_string_equal(seen.name, "hash/0");
	assert_true(seen.nice >= 10);
	assert_true(getpriority(PRIO_PROCESS, 0) <= seen.nice);
	assert_true(sigismember(&seen.signals, SIGTERM) == 1 && sigismember(&seen.signals, SIGHUP) == 1);
	thread_pool_free(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_job_comes_back, set_up),
		cmocka_unit_test_setup(many_jobs_of_one_key_do_not_delay_another, set_up),
		cmocka_unit_test_setup(too_many_jobs_are_refused, set_up),
		cmocka_unit_test_setup(what_is_cancelled_does_not_run, set_up),
		cmocka_unit_test_setup(the_end_does_what_is_left, set_up),
		cmocka_unit_test_setup(threads_are_named_nice_and_deaf, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
