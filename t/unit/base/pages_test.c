/* SPDX-License-Identifier: BSD-2-Clause */
/* pages_test.c: pages are zeroed, end where they should, and are in no core dump. */
#include "base/pages.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 3 * 65536 };

/* Has the kernel's note of the mapping that begins there the flag? */
static bool
has_flag(const void *at, const char *flag)
{
	FILE *in = fopen("/proc/self/smaps", "re");
	char line[1024];
	bool is_there = false, found = false;

	assert_non_null(in);
	while (fgets(line, sizeof(line), in) != NULL) {
		unsigned long begin, end;

		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			is_there = begin <= (uintptr_t)at && (uintptr_t)at < end;
		else if (is_there && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(in);
	return found;
}

static void
pages_are_in_no_core_dump(void **state)
{
	char *pages = pages_new(SIZE);

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(pages[i], 0);
	memset(pages, 'x', SIZE);
	assert_true(has_flag(pages, " dd"));
	assert_true(has_flag(pages + SIZE - 1, " dd"));
	assert_false(has_flag(&pages, " dd"));
	pages_free(pages, SIZE);
	pages_free(NULL, SIZE);
}

static void
nobody_writes_beyond(void **state)
{
	char *pages = pages_new(SIZE);
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		const struct rlimit no_core = { 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		((char *volatile)pages)[SIZE] = 'x';
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	pages_free(pages, SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_in_no_core_dump),
		cmocka_unit_test(nobody_writes_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
