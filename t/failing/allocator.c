/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * allocator.c: stands before malloc in a gatepost made for tests (make failing), where memory is refused to what
 * accepts a client or loads a configuration: the first time from its first allocation on, the next time from its
 * second one, until it has got all it wanted.  A load wants many thousands: from GRANT_EACH on (200) it is
 * tried with 3 % more each time.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/reload.h"
#include "session/session.h"

enum { ENDLESS = -1 };

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void __real_session_open(struct gate *gate, int fd, const struct addr *peer);
void __real_reload_run(struct control *control);
int __real_check_configuration(const char *config_path);
int __real_control_run(const char *config_path, bool in_background);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void __wrap_session_open(struct gate *gate, int fd, const struct addr *peer);
void __wrap_reload_run(struct control *control);
int __wrap_check_configuration(const char *config_path);
int __wrap_control_run(const char *config_path, bool in_background);

/* What the thread may still have. */
static _Thread_local long granted = ENDLESS;
static _Thread_local bool was_refused;
static atomic_long accepting;		/* what the next client is granted */

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

static long
next_count(long count)
{
	const char *each = getenv("GRANT_EACH");
	long dense = each != NULL ? strtol(each, NULL, 10) : 200;

	return count < dense ? count + 1 : count + count / 32 + 1;
}

void *
__wrap_malloc(size_t n)
{
	return is_refused() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return is_refused() ? NULL : __real_realloc(p, n);
}

void *
__wrap_aligned_alloc(size_t align, size_t n)
{
	return is_refused() ? NULL : __real_aligned_alloc(align, n);
}

void
__wrap_session_open(struct gate *gate, int fd, const struct addr *peer)
{
	const struct listener_counters *counters =
	    &gate->settings->listener->counters[gate->worker->index];
	long count = atomic_fetch_add(&accepting, 1);

	grant(count);
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
__wrap_check_configuration(const char *config_path)
{
	long count = 0;
	int status = 0;

	do {
		pid_t child;

		fflush(NULL);
		child = fork();
		if (child == 0) {
			grant(count);
			status = __real_check_configuration(config_path);
			exit(grant_all() ? 100 + status : status);
		}
		count = next_count(count);
		if (child < 0 || waitpid(child, &status, 0) != child)
			return EXIT_FAILURE;
	} while (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
	fprintf(stderr, "checked with at most %ld allocations\n", count);
	return WIFEXITED(status) && WEXITSTATUS(status) == 100 + EXIT_SUCCESS ? EXIT_SUCCESS : 2;
}

int
__wrap_control_run(const char *config_path, bool in_background)
{
	const char *count = getenv("GRANTED_ALLOCATIONS");

	if (count != NULL)
		grant(strtol(count, NULL, 10));
	return __real_control_run(config_path, in_background);
}
