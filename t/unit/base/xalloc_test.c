/* SPDX-License-Identifier: BSD-2-Clause */
/* xalloc_test.c: copies end with a NUL, memory is zeroed, and too much is refused. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/spare.h"
#include "base/xalloc.h"

static void
copies_end_with_nul(void **state)
{
	char *copy = xstrndup("pass\0word", 9), *empty = xstrndup(NULL, 0);
	char *text = xasprintf("%s-%d", "d", 3);

	(void)state;
	assert_memory_equal(copy, "pass\0word", 10);
	assert_string_equal(text, "d-3");
	assert_string_equal(empty, "");
	xfree(copy);
	xfree(text);
	xfree(empty);
	xfree(NULL);
}

static void
counted_memory_is_zero(void **state)
{
	static const char zeros[64 * 3];
	char *p = xcalloc(64, 3);

	(void)state;
	assert_memory_equal(p, zeros, sizeof(zeros));
	p = xrealloc(p, 1000);
	assert_memory_equal(p, zeros, sizeof(zeros));
	xfree(p);
	p = xcalloc(0, 8);
	assert_non_null(p);
	xfree(p);
}

static void
trying_is_the_same_where_there_is_memory(void **state)
{
	char *p = try_malloc(0);

	(void)state;
	assert_non_null(p);
	p = try_realloc(p, 4);
	memcpy(p, "abc", 4);
	p = try_realloc(p, 1 << 20);
	assert_string_equal(p, "abc");
	xfree(p);
	p = try_realloc(NULL, 1);
	assert_non_null(p);
	xfree(p);
	assert_true(xalloc_has(1 << 20));
}

static void
too_much_to_be_rounded_up_aborts(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		spare_begin();		/* which would have what is left of the sum */
		xfree(xcalloc_aligned(SIZE_MAX - 8));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_end_with_nul),
		cmocka_unit_test(counted_memory_is_zero),
		cmocka_unit_test(too_much_to_be_rounded_up_aborts),
		cmocka_unit_test(trying_is_the_same_where_there_is_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
