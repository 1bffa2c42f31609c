/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel_pipe_test.c: there are few pipes, empty ones are kept, and a refusal is taken as an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <unistd.h>

#include "net/kernel_pipe.h"

static void
so_many_are_had_and_come_back_empty(void **state)
{
	struct kernel_pipes pipes = { 0 };
	struct kernel_pipe *all[KERNEL_PIPES_MAX];
	char byte;

	(void)state;
	for (int i = 0; i < KERNEL_PIPES_MAX; i++) {
		all[i] = kernel_pipe_get(&pipes, 0);
		assert_non_null(all[i]);
	}
	assert_false(kernel_pipes_reserve(&pipes, 0));
	assert_null(kernel_pipe_get(&pipes, 0));

	/* bytes of one session never come to another */
	assert_int_equal(write(all[0]->in, "x", 1), 1);
	all[0]->len = 1;
	for (int i = 0; i < KERNEL_PIPES_MAX; i++)
		kernel_pipe_put(&pipes, &all[i]);
	assert_null(all[0]);
	assert_int_equal(pipes.count, KERNEL_PIPES_MAX - 1);
	for (int i = 0; i < KERNEL_PIPES_MAX; i++) {
		all[i] = kernel_pipe_get(&pipes, 0);
		assert_int_equal(all[i]->len, 0);
		assert_int_equal(read(all[i]->out, &byte, 1), -1);
	}
	for (int i = 0; i < KERNEL_PIPES_MAX; i++)
		kernel_pipe_put(&pipes, &all[i]);
	kernel_pipes_clear(&pipes);
	assert_int_equal(pipes.count, 0);
}

static void
where_the_kernel_gives_none_it_is_asked_again_later(void **state)
{
	struct kernel_pipes pipes = { 0 };
	struct kernel_pipe *pipe;
	struct rlimit limit, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_null(kernel_pipe_get(&pipes, 1000));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_null(kernel_pipe_get(&pipes, 1001));
	pipe = kernel_pipe_get(&pipes, 1000 * 1000);
	assert_non_null(pipe);
	kernel_pipe_put(&pipes, &pipe);
	kernel_pipes_clear(&pipes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_are_had_and_come_back_empty),
		cmocka_unit_test(where_the_kernel_gives_none_it_is_asked_again_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
