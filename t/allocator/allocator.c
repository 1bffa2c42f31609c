/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * allocator.c: stands before malloc in a gatepost made for tests (make allocator).  It counts what is allocated,
 * and tells at SIGUSR1.
 *
 * With REFUSE_MEMORY in the environment it refuses memory to what accepts a client or loads a configuration:
 * the first time from its first allocation on, the next time from its second one, until it has got all it
 * wanted.  A load wants many thousands: from number REFUSE_MEMORY on it is tried with 6 % more each time.
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/reload.h"
#include "session/listener_kept.h"
#include "session/session.h"

enum { ENDLESS = -1, GRANTED_ALL = 100 };

/* What is called, and what is called instead. */
#define STANDS_BEFORE(function) __typeof__(function) __real_##function, __wrap_##function;
STANDS_BEFORE(malloc)
STANDS_BEFORE(calloc)
STANDS_BEFORE(realloc)
STANDS_BEFORE(aligned_alloc)
STANDS_BEFORE(free)
STANDS_BEFORE(log_reopen)
STANDS_BEFORE(session_open)
STANDS_BEFORE(reload_run)
STANDS_BEFORE(check_configuration)
STANDS_BEFORE(control_run)

/* What the thread may still have. */
static _Thread_local long granted = ENDLESS;
static _Thread_local bool was_refused;
static atomic_long accepting;		/* what the next client is granted */
static atomic_long live_blocks, live_bytes;

static bool
is_refused(void)
{
	if (granted == ENDLESS)
		return false;
	if (granted > 0) {
		granted--;
		return false;
	}
	was_refused = true;
	return true;
}

static void
grant(long count)
{
	granted = count;
	was_refused = false;
}

/* Was all granted that was wanted? */
static bool
grant_all(void)
{
	granted = ENDLESS;
	return !was_refused;
}

/* Up to which number each is tried; 0: memory is not refused. */
static long
dense_count(void)
{
	const char *dense = getenv("REFUSE_MEMORY");

	return dense != NULL ? strtol(dense, NULL, 10) : 0;
}

static long
next_count(long count)
{
	return count < dense_count() ? count + 1 : count + count / 16 + 1;
}

static void *
came(void *p)
{
	if (p != NULL) {
		atomic_fetch_add(&live_blocks, 1);
		atomic_fetch_add(&live_bytes, (long)malloc_usable_size(p));
	}
	return p;
}

static void
goes(void *p)
{
	if (p != NULL) {
		atomic_fetch_sub(&live_blocks, 1);
		atomic_fetch_sub(&live_bytes, (long)malloc_usable_size(p));
	}
}

void *
__wrap_malloc(size_t n)
{
	return is_refused() ? NULL : came(__real_malloc(n));
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : came(__real_calloc(count, size));
}

void *
__wrap_realloc(void *p, size_t n)
{
	if (is_refused())
		return NULL;
	goes(p);
	return came(__real_realloc(p, n));
}

void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return is_refused() ? NULL : came(__real_aligned_alloc(align, n));
}

void
__wrap_free(void *p)
{
	goes(p);
	__real_free(p);
}

void
__wrap_log_reopen(void)
{
	fprintf(stderr, "allocated: %ld blocks, %ld bytes\n", atomic_load(&live_blocks),
	    atomic_load(&live_bytes));
	__real_log_reopen();
}

void
__wrap_session_open(struct gate *gate, int fd, const struct addr *peer)
{
	const struct listener_counters *counters =
	    &gate->settings->listener->counters[gate->worker->index];

	if (dense_count() == 0) {
		__real_session_open(gate, fd, peer);
		return;
	}
	grant(atomic_fetch_add(&accepting, 1));
	__real_session_open(gate, fd, peer);
	if (!grant_all())
		return;
	atomic_store(&accepting, 0);
	fprintf(stderr, "a client of %s was served, %llu were refused\n", gate->settings->conf.title,
	    (unsigned long long)tally_read(&counters->refused));
}

void
__wrap_reload_run(struct control *control)
{
	long count = 0, tries = 0;

	if (dense_count() == 0) {
		__real_reload_run(control);
		return;
	}
	for (grant(count);; grant(count = next_count(count))) {
		__real_reload_run(control);
		tries++;
		if (grant_all())
			break;
	}
	fprintf(stderr, "reloaded with %ld allocations, try %ld\n", count, tries);
}

/* As a process of its own each time: it drops to the service user. */
int
__wrap_check_configuration(const char *config_path, const struct program *program)
{
	long count = 0;
	int status = 0;

	if (dense_count() == 0)
		return __real_check_configuration(config_path, program);
	do {
		pid_t child;

		fflush(NULL);
		child = fork();
		if (child == 0) {
			grant(count);
			status = __real_check_configuration(config_path, program);
			exit(grant_all() ? GRANTED_ALL + status : status);
		}
		count = next_count(count);
		if (child < 0 || waitpid(child, &status, 0) != child)
			return EXIT_FAILURE;
	} while (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
	fprintf(stderr, "checked with at most %ld allocations\n", count);
	/* what is refused once all is read and judged may be had from the spare */
	return WIFEXITED(status) && WEXITSTATUS(status) % GRANTED_ALL == EXIT_SUCCESS ? EXIT_SUCCESS : 2;
}

int
__wrap_control_run(const char *config_path, const struct program *program, bool in_background)
{
	const char *count = getenv("GRANTED_ALLOCATIONS");

	if (count != NULL)
		grant(strtol(count, NULL, 10));
	return __real_control_run(config_path, program, in_background);
}
