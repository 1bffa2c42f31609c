/* SPDX-License-Identifier: BSD-2-Clause */
/* threads.c: one thread a worker, from start to join. */
#include "daemon/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"

enum { THREAD_NAME_MAX = 16 };		/* the kernel's bound, with the NUL */

struct threads {
	int count;
	pthread_t ids[];
};

static void *
run(void *arg)
{
	struct worker *worker = arg;

	loop_run(worker->loop);
	return NULL;
}

struct threads *
threads_start(struct worker **workers, int count, struct error *error)
{
	struct threads *threads = xcalloc(1, sizeof(*threads) + (size_t)count * sizeof(threads->ids[0]));
	sigset_t all, before;
	int result = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (threads->count < count) {
		char name[THREAD_NAME_MAX];

		result = pthread_create(&threads->ids[threads->count], NULL, run, workers[threads->count]);
		if (result != 0)
			break;
		snprintf(name, sizeof(name), "gatepost/%d", threads->count);
		pthread_setname_np(threads->ids[threads->count++], name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result == 0)
		return threads;
	for (int i = 0; i < threads->count; i++)
		worker_stop(workers[i]);
	error_set(error, "cannot start thread %d of %d: %s", threads->count + 1, count, strerror(result));
	threads_join(&threads);
	return NULL;
}

void
threads_join(struct threads **threads)
{
	for (int i = 0; i < (*threads)->count; i++)
		pthread_join((*threads)->ids[i], NULL);
	xfree(*threads);
	*threads = NULL;
}
