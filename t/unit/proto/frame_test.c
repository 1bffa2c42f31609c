/* SPDX-License-Identifier: BSD-2-Clause */
/* frame_test.c: the ends of commands, the same however the input is cut, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proto/frame.h"

static const struct frame_limits limits = { .max_line = 32, .max_literals = 16 };

struct row {
	const char *in;
	enum frame_result result;
	size_t scanned;			/* not looked at with FRAME_TOO_LONG */
	int prompts;
};

static const struct row literal_rows[] = {
	{ "a NOOP\r\n", FRAME_COMPLETE, 8, 0 },
	{ "a NOOP\nb", FRAME_COMPLETE, 7, 0 },
	{ "\n", FRAME_COMPLETE, 1, 0 },
	{ "\r\n", FRAME_COMPLETE, 2, 0 },
	{ "a NOOP\r", FRAME_MORE, 7, 0 },
	{ "a {3}\r\nxyz\r\nb", FRAME_COMPLETE, 12, 1 },
	{ "a {3+}\r\nxyz\r\nb", FRAME_COMPLETE, 13, 0 },
	{ "a {3}\nxyz\n", FRAME_COMPLETE, 10, 1 },
	{ "a ~{3+}\r\n\r\n\n b\r\n", FRAME_COMPLETE, 16, 0 },
	{ "a {0}\r\n\r\nb", FRAME_COMPLETE, 9, 1 },
	{ "a {0}\r\n", FRAME_MORE, 7, 1 },
	{ "a {003}\r\nxyz\r\n", FRAME_COMPLETE, 14, 1 },
	{ "a {2}\r\nxy {2+}\r\nzw {1}\r\nv\r\n", FRAME_COMPLETE, 27, 2 },
	{ "a {8}\r\n{1234+}\r {8+}\r\n{1234+}\n\r\n", FRAME_COMPLETE, 32, 1 },
	{ "a {17}\r\n", FRAME_LITERAL_TOO_BIG, 8, 0 },
	{ "a {16}\r\n", FRAME_MORE, 8, 1 },
	{ "a {9+}\r\n123456789 {8}\r\n", FRAME_LITERAL_TOO_BIG, 23, 0 },
	{ "a {18446744073709551616}\r\n", FRAME_LITERAL_TOO_BIG, 26, 0 },
	{ "a {99999999999999999999999}\r\n", FRAME_LITERAL_TOO_BIG, 29, 0 },
	{ "a {17+}\r\n", FRAME_TOO_LONG, 0, 0 },
	{ "a {18446744073709551615+}\r\n", FRAME_TOO_LONG, 0, 0 },
	{ "a {18446744073709551616+}\r\n", FRAME_TOO_LONG, 0, 0 },
	{ "0123456789012345678901234567890\n", FRAME_COMPLETE, 32, 0 },
	{ "01234567890123456789012345678901", FRAME_MORE, 32, 0 },
	{ "01234567890123456789012345678901\n", FRAME_TOO_LONG, 0, 0 },
	{ "{1+}\nx {1+}\nx {1+}\nx {1+}\nx {1+}\nx {1+}\nx {1+}\n", FRAME_TOO_LONG, 0, 0 },
	{ "aaaaaaaa {16}\r\n0123456789abcdef bbbbbbbb\r\n", FRAME_COMPLETE, 42, 1 },
	{ "a {}\r\n", FRAME_COMPLETE, 6, 0 },
	{ "a {+}\r\n", FRAME_COMPLETE, 7, 0 },
	{ "a {1-}\r\n", FRAME_COMPLETE, 8, 0 },
	{ "a {1 }\r\n", FRAME_COMPLETE, 8, 0 },
	{ "a {1} \r\n", FRAME_COMPLETE, 8, 0 },
	{ "a {1}\r\r\n", FRAME_COMPLETE, 8, 0 },
	{ "a 1}\r\n", FRAME_COMPLETE, 6, 0 },
	{ "1}\n", FRAME_COMPLETE, 3, 0 },
	{ "}\n", FRAME_COMPLETE, 2, 0 },
	{ "{1}\n", FRAME_MORE, 4, 1 },
};

static const struct row line_rows[] = {
	{ "HELO {3}\r\nxyz", FRAME_COMPLETE, 10, 0 },
	{ "HELO", FRAME_MORE, 4, 0 },
	{ "0123456789012345678901234567890\n", FRAME_COMPLETE, 32, 0 },
	{ "012345678901234567890123456789012", FRAME_TOO_LONG, 0, 0 },
};

/* `chunk` 0: in random pieces. */
static void
run(const struct row *row, size_t chunk,
    enum frame_result (*find)(struct frame *, struct slice, const struct frame_limits *))
{
	struct frame frame = { 0 };
	enum frame_result result = FRAME_MORE;
	size_t len = strlen(row->in);
	int prompts = 0;

	for (size_t end = 0; end < len && (result == FRAME_MORE || result == FRAME_PROMPT);) {
		end += chunk > 0 ? chunk : 1 + (size_t)random() % 7;
		end = end < len ? end : len;
		do {
			result = find(&frame, slice_make(row->in, end), &limits);
			prompts += result == FRAME_PROMPT;
		} while (result == FRAME_PROMPT);
	}
	if (result != row->result || (result != FRAME_TOO_LONG && frame.scanned != row->scanned) ||
	    prompts != row->prompts)
		fail_msg("\"%s\" by %zu: result %d, scanned %zu, prompts %d", row->in, chunk, result,
		    frame.scanned, prompts);
}

static void
literals_however_cut(void **state)
{
	(void)state;
	srandom(3);
	for (size_t i = 0; i < sizeof(literal_rows) / sizeof(literal_rows[0]); i++) {
		for (size_t chunk = 1; chunk < 60; chunk++)
			run(&literal_rows[i], chunk, frame_literals);
		for (int round = 0; round < 20; round++)
			run(&literal_rows[i], 0, frame_literals);
	}
}

static void
lines_however_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(line_rows) / sizeof(line_rows[0]); i++)
		for (size_t chunk = 1; chunk < 60; chunk++)
			run(&line_rows[i], chunk, frame_line);
}

/* Whatever comes, what is kept of a client never exceeds the limits. */
static void
noise_stays_within_limits(void **state)
{
	(void)state;
	srandom(5);
	for (int round = 0; round < 20000; round++) {
		struct frame frame = { 0 };
		char in[96];
		size_t len = (size_t)random() % sizeof(in);
		enum frame_result result;

		for (size_t i = 0; i < len; i++)
			in[i] = "ab {}+~0123\r\n\n"[random() % 14];
		do
			result = frame_literals(&frame, slice_make(in, len), &limits);
		while (result == FRAME_PROMPT);
		assert_true(frame.scanned <= len);
		if (result == FRAME_MORE)
			assert_int_equal(frame.scanned, len);
		if (result == FRAME_COMPLETE || result == FRAME_MORE)
			assert_true(frame.scanned <= limits.max_line + limits.max_literals);
	}
}

/* The caller may have had other limits before. */
static void
what_is_too_much_already_gets_no_more(void **state)
{
	static const struct frame_limits wide = { .max_line = 32, .max_literals = 20 };
	static const char in[] = "{17+}\r\n12345678901234567 {1+}\r\n";
	struct frame frame = { 0 };

	(void)state;
	assert_int_equal(frame_literals(&frame, slice_make(in, 24), &wide), FRAME_MORE);
	assert_int_equal(frame_literals(&frame, slice_of(in), &limits), FRAME_TOO_LONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_however_cut),
		cmocka_unit_test(lines_however_cut),
		cmocka_unit_test(what_is_too_much_already_gets_no_more),
		cmocka_unit_test(noise_stays_within_limits),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
