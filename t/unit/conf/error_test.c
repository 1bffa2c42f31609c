/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error_test.c: loads each bad/NAME.conf and compares what is told about it with bad/NAME.err, byte by byte.
 * With UPDATE=1 in the environment it writes the .err files instead; read them before committing.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "sample.h"

static char *
read_text(const char *path)
{
	enum { TEXT_MAX = 1 << 20 };
	char *text = xcalloc(1, TEXT_MAX);
	FILE *in = fopen(path, "r");

	if (in != NULL) {
		size_t n = fread(text, 1, TEXT_MAX - 1, in);

		text[n] = '\0';
		fclose(in);
	}
	return text;
}

static void
write_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static char *
load_bad(const char *path)
{
	struct conf_problems problems = { 0 };
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_null(conf_load(path, &sample_root, &problems));
	conf_problems_print(&problems, out);
	fclose(out);
	conf_problems_clear(&problems);
	return text;
}

static void
tells_every_error_at_its_place(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(chdir("t/unit/conf/bad"), 0);
	unsetenv("NOT_SET_ANYWHERE");
	assert_int_equal(glob("*.conf", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		char *golden = xasprintf("%.*s.err", (int)strlen(path) - 5, path), *text = load_bad(path);
		char *wanted;

		if (getenv("UPDATE") != NULL)
			write_text(golden, text);
		wanted = read_text(golden);
		assert_string_equal(text, wanted);
		xfree(wanted);
		free(text);
		xfree(golden);
	}
	globfree(&found);
}

static void
tells_what_file_cannot_be_read(void **state)
{
	char *text = load_bad("/nonexistent/gatepost.conf");

	(void)state;
	assert_string_equal(text, "cannot open /nonexistent/gatepost.conf: No such file or directory\n");
	free(text);
	text = load_bad("/");
	assert_string_equal(text, "/ is a folder, not a file\n");
	free(text);
	text = load_bad("/dev/zero");
	assert_string_equal(text, "/dev/zero is not a regular file\n");
	free(text);
}

static void
waits_for_no_fifo_and_takes_no_large_file(void **state)
{
	enum { LARGE = (16 << 20) + 1 };
	char folder[] = "/tmp/gatepost-unit-XXXXXX", *path, *text, *wanted;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	path = xasprintf("%s/file", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	text = load_bad(path);
	wanted = xasprintf("%s is not a regular file\n", path);
	assert_string_equal(text, wanted);
	free(text);
	xfree(wanted);
	unlink(path);
	file = fopen(path, "w");
	assert_int_equal(ftruncate(fileno(file), LARGE), 0);
	fclose(file);
	text = load_bad(path);
	wanted = xasprintf("%s is larger than 16 MiB\n", path);
	assert_string_equal(text, wanted);
	free(text);
	xfree(wanted);
	unlink(path);
	rmdir(folder);
	xfree(path);
}

static void
tells_thousands_of_errors(void **state)
{
	enum { LINES = 10050, TOLD = 10000 };
	struct conf_problems problems = { 0 };
	struct buf text = { 0 };
	char *said = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&said, &n);

	(void)state;
	for (int i = 0; i < LINES; i++)
		buf_printf(&text, "bad%d\n", i);
	buf_append(&text, "", 1);
	assert_null(conf_load_text("text", buf_data(&text), &sample_root, &problems));
	assert_int_equal(problems.count, TOLD + 1);
	conf_problems_print(&problems, out);
	fclose(out);
	assert_non_null(strstr(said, "text:10000:1: bad9999 is unknown\nbad9999\n^\nthere are more errors"));
	free(said);
	buf_clear(&text);
	conf_problems_clear(&problems);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_file_cannot_be_read),
		cmocka_unit_test(waits_for_no_fifo_and_takes_no_large_file),
		cmocka_unit_test(tells_every_error_at_its_place),
		cmocka_unit_test(tells_thousands_of_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
