/* SPDX-License-Identifier: BSD-2-Clause */
/* log_line_test.c: what lines look like: quoting, escapes and JSON, at the edges of UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log_line.h"

enum { TEST_TIME = 1795342830, TEST_MS = 123 };		/* 2026-11-22T10:20:30.123Z */

static void
check_line(struct log_line **line, const char *expected)
{
	struct buf out = { 0 };

	log_line_render(*line, &out);
	buf_append(&out, "", 1);
	assert_string_equal(buf_data(&out), expected);
	buf_clear(&out);
	log_line_free(line);
	assert_null(*line);
}

static struct log_line *
new_line(enum log_format format, int level)
{
	struct log_line *line = log_line_new(LOG_STREAM_MAIN, format, level);

	line->time_ms = (int64_t)TEST_TIME * 1000 + TEST_MS;
	return line;
}

static void
check_message(enum log_format format, struct slice message, const char *expected)
{
	struct log_line *line = new_line(format, LOG_WARNING);

	log_line_set_message(line, message);
	check_line(&line, expected);
}

#define TIME "2026-11-22T10:20:30.123Z"
#define TEXT TIME " warning: "
#define JSON "{\"time\":\"" TIME "\",\"level\":\"warning\",\"message\":"

static void
messages(void **state)
{
	(void)state;
	check_message(LOG_FORMAT_TEXT, slice_of("a \"b\" c\\d"), TEXT "a \"b\" c\\d\n");
	check_message(LOG_FORMAT_JSON, slice_of("a \"b\" c\\d"), JSON "\"a \\\"b\\\" c\\\\d\"}\n");
	check_message(LOG_FORMAT_TEXT, slice_of(""), TEXT "\n");
}

static void
forged_lines_are_escaped(void **state)
{
	struct slice message = slice_make("x\r\n\0\x1b[2J\x7f\xc2\x9b.", 12);

	(void)state;
	check_message(LOG_FORMAT_TEXT, message, TEXT "x\\x0d\\x0a\\x00\\x1b[2J\\x7f\\xc2\\x9b.\n");
	check_message(LOG_FORMAT_JSON, message,
	    JSON "\"x\\u000d\\u000a\\u0000\\u001b[2J\\u007f\\u00c2\\u009b.\"}\n");
}

static void
only_utf8_passes(void **state)
{
	static const char good[] =
	    "\xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";
	static const struct {
		const char *in, *out;
	} bad[] = {
		{ "\x80", "\\x80" },
		{ "\xc0\xaf", "\\xc0\\xaf" },			/* an overlong slash */
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },		/* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },	/* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
		{ "\xe2\x82", "\\xe2\\x82" },			/* cut short */
		{ "\xe2\x82\n", "\\xe2\\x82\\x0a" },
	};
	char expected[128];

	(void)state;
	snprintf(expected, sizeof(expected), TEXT "%s\n", good);
	check_message(LOG_FORMAT_TEXT, slice_of(good), expected);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(expected, sizeof(expected), TEXT "%s\n", bad[i].out);
		check_message(LOG_FORMAT_TEXT, slice_of(bad[i].in), expected);
	}
}

static const struct log_field fields[] = {
	{ .name = "session", .text = SLICE_LITERAL("7f3a") },
	{ .name = "user", .text = SLICE_LITERAL("bob \"the\\x\"") },
	{ .name = "empty", .text = SLICE_LITERAL("") },
	{ .name = "absent", .number = LOG_FIELD_UNSET },
	{ .name = "line", .text = SLICE_LITERAL("a\nevent") },
	{ .name = "in", .number = -5 },
	{ .name = "out", .number = 0 },
	{ .name = "seconds", .number = 12045, .is_ms = true },
};

#define TEXT_FIELDS "user=\"bob \\\"the\\\\x\\\"\" empty=\"\" line=\"a\\x0aevent\" in=-5 out=0 seconds=12.045"
#define JSON_FIELDS \
	"\"user\":\"bob \\\"the\\\\x\\\"\",\"empty\":\"\",\"line\":\"a\\u000aevent\",\"in\":-5," \
	"\"out\":0,\"seconds\":12.045"

static void
check_event(enum log_format format, const char *expected)
{
	struct log_line *line = new_line(format, LOG_INFO);

	log_line_set_event(line, "login", fields, sizeof(fields) / sizeof(fields[0]));
	check_line(&line, expected);
}

static void
events(void **state)
{
	(void)state;
	check_event(LOG_FORMAT_TEXT, TIME " event login session=7f3a " TEXT_FIELDS "\n");
	check_event(LOG_FORMAT_JSON,
	    "{\"time\":\"" TIME "\",\"event\":\"login\",\"session\":\"7f3a\"," JSON_FIELDS "}\n");
}

static void
long_text_is_cut_between_characters(void **state)
{
	static char message[LOG_TEXT_MAX + 100];
	struct log_line *line = new_line(LOG_FORMAT_TEXT, LOG_ERR);
	struct slice text;

	(void)state;
	memset(message, 'x', sizeof(message));
	memcpy(message + LOG_TEXT_MAX - 2, "\xe2\x82\xac", 3);	/* one byte too far */
	log_line_set_message(line, slice_make(message, sizeof(message)));
	text = buf_slice(&line->text);
	assert_int_equal(text.len, LOG_TEXT_MAX - 2 + 3);
	assert_true(slice_equals(slice_from(text, text.len - 4), "x..."));
	log_line_free(&line);
	line = new_line(LOG_FORMAT_TEXT, LOG_ERR);
	log_line_set_message(line, slice_make(message + 100, LOG_TEXT_MAX));
	assert_int_equal(buf_len(&line->text), LOG_TEXT_MAX);
	log_line_free(&line);
}

static void
values_in_messages(void **state)
{
	static const char *const rows[][2] = {
		{ "bob", "bob" },
		{ "", "\"\"" },
		{ "a b", "\"a b\"" },
		{ "x\" back=y", "\"x\\\" back=y\"" },
		{ "b\\c", "\"b\\\\c\"" },
		{ "t\tn", "\"t\\x09n\"" },
		{ "\xc3\xa4", "\xc3\xa4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = { 0 };

		log_line_quote(slice_of(rows[i][0]), &out);
		if (!slice_equals(buf_slice(&out), rows[i][1]))
			fail_msg("%s: %.*s", rows[i][0], SLICE_ARGS(buf_slice(&out)));
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(values_in_messages),
		cmocka_unit_test(forged_lines_are_escaped),
		cmocka_unit_test(only_utf8_passes),
		cmocka_unit_test(events),
		cmocka_unit_test(long_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
