/* SPDX-License-Identifier: BSD-2-Clause */
/* pid_file_test.c: a stale file is replaced, a living process's is not. */
#include "daemon/pid_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pid-file-test.XXXXXX";	/* of this run: set up once for all tests */
static char path[64];

static long
read_number(void)
{
	FILE *file = fopen(path, "r");
	long number = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld", &number), 1);
	fclose(file);
	return number;
}

static void
holds_the_number_while_it_lives(void **state)
{
	struct error error;
	int fd, second;

	(void)state;
	assert_true(pid_file_write(path, &fd, &error));
	assert_int_equal(read_number(), getpid());
	assert_false(pid_file_write(path, &second, &error));
	assert_non_null(strstr(error.text, "another gatepost is running"));
	assert_int_equal(second, -1);
	assert_int_equal(read_number(), getpid());
	pid_file_remove(path, &fd);
	assert_int_equal(access(path, F_OK), -1);
}

static void
replaces_a_stale_one(void **state)
{
	struct error error;
	FILE *file = fopen(path, "w");
	int fd;

	(void)state;
	assert_non_null(file);
	fputs("4194304000 and more\n", file);
	fclose(file);
	assert_true(pid_file_write(path, &fd, &error));
	assert_int_equal(read_number(), getpid());
	pid_file_remove(path, &fd);
}

static void
is_not_needed(void **state)
{
	struct error error;
	int fd;

	(void)state;
	assert_true(pid_file_write(NULL, &fd, &error));
	assert_int_equal(fd, -1);
	pid_file_remove(NULL, &fd);
	assert_false(pid_file_write("/nonexistent/pid", &fd, &error));
	assert_string_equal(error.text, "/nonexistent/pid: No such file or directory");
}

static void
can_be_checked_without_being_written(void **state)
{
	struct error error;
	int fd;

	(void)state;
	assert_true(pid_file_check(NULL, &error));
	assert_true(pid_file_check("pid", &error));
	assert_true(pid_file_check(path, &error));
	assert_int_equal(access(path, F_OK), -1);
	assert_true(pid_file_write(path, &fd, &error));
	assert_true(pid_file_check(path, &error));
	pid_file_remove(path, &fd);
	assert_false(pid_file_check("/nonexistent/pid", &error));
	assert_string_equal(error.text, "/nonexistent/pid: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_the_number_while_it_lives),
		cmocka_unit_test(replaces_a_stale_one),
		cmocka_unit_test(is_not_needed),
		cmocka_unit_test(can_be_checked_without_being_written),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/pid", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
