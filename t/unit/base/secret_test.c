/* SPDX-License-Identifier: BSD-2-Clause */
/* secret_test.c: first lines of files, and files that have none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/secret.h"

/* What secret_read makes of a file with this content; the caller ends it with secret_free. */
static char *
read_content(const char *content, size_t n)
{
	char path[] = "/tmp/secret_test.XXXXXX", *secret;
	int fd = mkstemp(path);
	struct error error = { "" };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, n), n);
	close(fd);
	secret = secret_read(path, &error);
	assert_true(secret != NULL || strstr(error.text, path) != NULL);
	unlink(path);
	return secret;
}

static void
first_lines_are_taken(void **state)
{
	static const char *const contents[] = { "s3cret", "s3cret\n", "s3cret\r\nmore\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		char *secret = read_content(contents[i], strlen(contents[i]));

		assert_string_equal(secret, "s3cret");
		secret_free(&secret);
		assert_null(secret);
	}
}

static void
what_is_no_password_is_refused(void **state)
{
	static char long_line[2000];
	struct error error;

	(void)state;
	memset(long_line, 'x', sizeof(long_line));
	assert_null(read_content("", 0));
	assert_null(read_content("\nsecond\n", 8));
	assert_null(read_content("a\0b\n", 4));
	assert_null(read_content(long_line, sizeof(long_line)));
	assert_null(secret_read("/nowhere/at/all", &error));
	assert_non_null(strstr(error.text, "/nowhere/at/all"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_lines_are_taken),
		cmocka_unit_test(what_is_no_password_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
