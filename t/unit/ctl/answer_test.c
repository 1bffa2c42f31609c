/* SPDX-License-Identifier: BSD-2-Clause */
/* answer_test.c: where answers begin and end, whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/answer.h"

static void
keep(struct slice line, bool is_failure, void *arg)
{
	buf_append_text(arg, is_failure ? "!" : "");
	buf_append_slice(arg, line);
}

/* Failures' lines have a ! before them. */
static void
assert_heard(const char *said, const char *heard, bool has_failed, bool is_whole)
{
	for (size_t step = 1; step <= strlen(said); step += strlen(said) - 1) {
		struct buf out = { 0 };
		struct answer answer = { .on_line = keep, .arg = &out };

		for (struct slice rest = slice_of(said); rest.len > 0; rest = slice_from(rest, step))
			answer_feed(&answer, slice_make(rest.data, rest.len < step ? rest.len : step));
		assert_int_equal(answer_end(&answer), is_whole);
		assert_int_equal(answer.has_failed, has_failed);
		buf_append(&out, "", 1);
		assert_string_equal(buf_data(&out), heard);
		buf_clear(&out);
	}
}

static void
hears_answers(void **state)
{
	(void)state;
	assert_heard("\n\n", "", false, true);
	assert_heard("\n[6]: 0.1.0\n\n", "0.1.0\n", false, true);
	assert_heard("\n[3]: No such server.\n\n", "!No such server.\n", true, true);
	assert_heard("\n[6]: a\n\n\nb\n\n", "a\n\n\nb\n", false, true);
	assert_heard("\n[6]: a\n\n[3]: b\nc\n\n[6]: d\n\n", "a\n!b\n!c\nd\n", true, true);
	assert_heard("\n[6]: a\n[3]: is no prefix here\n\n", "a\n[3]: is no prefix here\n", false, true);
	assert_heard("\n[6]: a\n\n\n[6]: b\n\n", "a\n\nb\n", false, true);
}

static void
notices_a_cut(void **state)
{
	(void)state;
	assert_heard("\n[6]: a\nb\n", "a\nb\n", false, false);
	assert_heard("\n[6]: a\nb", "a\n", false, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hears_answers),
		cmocka_unit_test(notices_a_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
