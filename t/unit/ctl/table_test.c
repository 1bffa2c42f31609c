/* SPDX-License-Identifier: BSD-2-Clause */
/* table_test.c: columns that fit, what is cut, what becomes lines, and what a terminal must not see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/table.h"

static void
assert_printed(struct table *table, struct look look, const char *expected)
{
	struct buf out = { 0 };

	table_print(table, &look, &out);
	buf_append(&out, "", 1);
	assert_string_equal(buf_data(&out), expected);
	buf_clear(&out);
}

static void
fill(struct table *table, const char *note)
{
	table_add_column(table, "name", TABLE_TEXT);
	table_add_column(table, "state", TABLE_STATE);
	table_add_column(table, "sessions", TABLE_NUMBER);
	table_add_column(table, "note", TABLE_TEXT);
	table_add(table, slice_of("imap/b1"));
	table_add(table, slice_of("UP"));
	table_add_number(table, 12, 1000);
	table_add(table, slice_of(note));
	table_add(table, slice_of("b2"));
	table_add(table, slice_of("DOWN"));
	table_add_number(table, 14200, 1000);
	table_add(table, slice_of("x"));
}

static void
aligns_columns(void **state)
{
	struct table table = { 0 };

	(void)state;
	fill(&table, "y");
	assert_printed(&table, (struct look){ 0 },
	    "name     state  sessions  note\n"
	    "imap/b1  UP           12  y\n"
	    "b2       DOWN      14.2k  x\n");
	table_clear(&table);
}

static void
counts_columns_of_characters(void **state)
{
	struct table table = { 0 };

	(void)state;
	table_add_column(&table, "user", TABLE_TEXT);
	table_add_column(&table, "server", TABLE_TEXT);
	table_add(&table, slice_of("jörg"));
	table_add(&table, slice_of("b1"));
	table_add(&table, slice_of("日本"));
	table_add(&table, slice_of("b2"));
	table_add(&table, slice_of("e\xcc\x81" "a"));
	table_add(&table, slice_of("b3"));
	assert_printed(&table, (struct look){ 0 },
	    "user  server\n"
	    "jörg  b1\n"
	    "日本  b2\n"
	    "e\xcc\x81" "a    b3\n");
	table_clear(&table);
}

static void
cuts_the_widest(void **state)
{
	struct table table = { 0 };

	(void)state;
	fill(&table, "connection refused while connecting");
	assert_printed(&table, (struct look){ .width = 40 },
	    "name     state  sessions  note\n"
	    "imap/b1  UP           12  connection re…\n"
	    "b2       DOWN      14.2k  x\n");
	table_clear(&table);
}

static void
becomes_lines_where_nothing_fits(void **state)
{
	struct table table = { 0 };

	(void)state;
	fill(&table, "y");
	assert_printed(&table, (struct look){ .width = 20 },
	    "name: imap/b1\nstate: UP\nsessions: 12\nnote: y\n"
	    "\n"
	    "name: b2\nstate: DOWN\nsessions: 14.2k\nnote: x\n");
	table_clear(&table);
}

static void
drops_the_last_columns(void **state)
{
	struct table table = { .drops_columns = true, .tells_dropped = true };

	(void)state;
	fill(&table, "y");
	assert_printed(&table, (struct look){ .width = 22 },
	    "name     state\n"
	    "imap/b1  UP\n"
	    "b2       DOWN\n"
	    "(with --json, or wider: sessions note)\n");
	table_clear(&table);
}

static void
colours_states_and_heads(void **state)
{
	struct table table = { 0 };

	(void)state;
	table_add_column(&table, "name", TABLE_TEXT);
	table_add_column(&table, "status", TABLE_STATE);
	table_add(&table, slice_of("up"));
	table_add(&table, slice_of("DOWN"));
	table_add(&table, slice_of("b2"));
	table_add(&table, slice_of("UP 1/3"));
	assert_printed(&table, (struct look){ .has_colour = true },
	    "\033[1mname\033[0m  \033[1mstatus\033[0m\n"
	    "up    \033[1;31mDOWN\033[0m\n"
	    "b2    \033[33mUP 1/3\033[0m\n");
	table_clear(&table);
}

static void
escapes_what_a_terminal_obeys(void **state)
{
	struct table table = { 0 };

	(void)state;
	table_add_column(&table, "user", TABLE_TEXT);
	table_add(&table, slice_of("\033[2Jbob\n\xff"));
	assert_printed(&table, (struct look){ 0 }, "user\n\\x1b[2Jbob \\xff\n");
	table_clear(&table);
}

static void
knows_states(void **state)
{
	static const struct {
		const char *text;
		enum colour colour;
	} cases[] = {
		{ "UP", COLOUR_GREEN }, { "up", COLOUR_GREEN }, { "OPEN", COLOUR_GREEN },
		{ "UP 1/3", COLOUR_YELLOW }, { "DOWN", COLOUR_RED }, { "DOWN 1/2", COLOUR_YELLOW },
		{ "DOWN (agent)", COLOUR_RED }, { "DRAIN", COLOUR_YELLOW },
		{ "MAINT (via x/y)", COLOUR_YELLOW },
		{ "no check", COLOUR_NONE }, { "", COLOUR_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(text_state_colour(slice_of(cases[i].text)), cases[i].colour);
}

static void
shortens_amounts(void **state)
{
	static const struct {
		double amount;
		int unit;
		const char *text;
	} cases[] = {
		{ 0, 1000, "0" }, { 999, 1000, "999" }, { 1000, 1000, "1.0k" }, { 14200, 1000, "14.2k" },
		{ 812000, 1000, "812k" }, { 1048576, 1024, "1.0M" }, { 3e9, 1000, "3.0G" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = { 0 };

		text_append_amount(cases[i].amount, cases[i].unit, &out);
		buf_append(&out, "", 1);
		assert_string_equal(buf_data(&out), cases[i].text);
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns_columns),
		cmocka_unit_test(counts_columns_of_characters),
		cmocka_unit_test(cuts_the_widest),
		cmocka_unit_test(becomes_lines_where_nothing_fits),
		cmocka_unit_test(drops_the_last_columns),
		cmocka_unit_test(colours_states_and_heads),
		cmocka_unit_test(escapes_what_a_terminal_obeys),
		cmocka_unit_test(knows_states),
		cmocka_unit_test(shortens_amounts),
	};

	text_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
