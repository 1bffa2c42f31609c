/* SPDX-License-Identifier: BSD-2-Clause */
/* report_test.c: the same cells as a table, as lines and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/report.h"

static const struct report_column columns[] = {
	{ "name", false }, { "count", true }, { "is_up", false }, { "at", false }, { "why", false },
};

static void
add_row(struct report *report, const char *name, int64_t count, const char *why)
{
	report_word(report, name);
	report_number(report, count);
	report_flag(report, count > 0);
	report_time(report, count > 0 ? 1000000000 : 0);
	report_word(report, why);
}

static void
assert_report(bool is_json, enum report_shape shape, int rows, const char *expected)
{
	struct admin_call call = { .wants_json = is_json };
	struct report report;

	report_begin(&report, &call, shape, columns, REPORT_COUNT(columns));
	if (rows > 0)
		add_row(&report, "d\xc3\xa9", 7, "a \"b\"");
	if (rows > 1)
		add_row(&report, "longer", -12, NULL);
	report_end(&report);
	buf_append(&call.out, "", 1);
	assert_string_equal(buf_data(&call.out), expected);
	buf_clear(&call.out);
}

static void
cells_stand_below_each_other(void **state)
{
	(void)state;
	assert_report(false, REPORT_TABLE, 2,
	    "name    count  is_up  at                    why\n"
	    "d\xc3\xa9          7  yes    2001-09-09T01:46:40Z  \"a \\\"b\\\"\"\n"
	    "longer    -12  no     -                     -\n");
	assert_report(false, REPORT_TABLE, 0, "name  count  is_up  at  why\n");
	assert_report(false, REPORT_RECORD, 1,
	    "name: d\xc3\xa9\ncount: 7\nis_up: yes\nat: 2001-09-09T01:46:40Z\nwhy: \"a \\\"b\\\"\"\n");
}

#define FIRST "{\"name\":\"d\xc3\xa9\",\"count\":7,\"is_up\":true,\"at\":\"2001-09-09T01:46:40Z\"," \
	"\"why\":\"a \\\"b\\\"\"}"

static void
json_has_names_and_types(void **state)
{
	(void)state;
	assert_report(true, REPORT_TABLE, 2,
	    "[" FIRST ",\n"
	    "{\"name\":\"longer\",\"count\":-12,\"is_up\":false,\"at\":null,\"why\":null}]\n");
	assert_report(true, REPORT_TABLE, 0, "[]\n");
	assert_report(true, REPORT_RECORD, 1,
	    FIRST "\n");
}

/* Log lines would cut it, and a character must not be cut in two. */
static void
long_texts_are_whole_in_json(void **state)
{
	static const struct report_column column[] = { { "text", false } };
	enum { CHARACTERS = 5000, OCTETS = 2 * CHARACTERS };
	static char text[OCTETS + 1];
	struct admin_call call = { .wants_json = true };
	struct report report;

	(void)state;
	/* an odd beginning has every boundary within a character */
	text[0] = 'x';
	for (size_t i = 1; i + 1 < OCTETS; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	report_begin(&report, &call, REPORT_RECORD, column, 1);
	report_text(&report, slice_of(text));
	report_end(&report);
	assert_int_equal(buf_len(&call.out), strlen("{\"text\":\"\"}\n") + strlen(text));
	assert_memory_equal(buf_data(&call.out) + strlen("{\"text\":\""), text, strlen(text));
	buf_clear(&call.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_stand_below_each_other),
		cmocka_unit_test(json_has_names_and_types),
		cmocka_unit_test(long_texts_are_whole_in_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
