/* SPDX-License-Identifier: BSD-2-Clause */
/* call_test.c: how lines become commands, commands words, and what is said to those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/call.h"

struct heard {
	int count;			/* of answers */
};

static void
on_done(struct admin_call *call)
{
	struct heard *heard = call->owner;

	heard->count++;
}

/* What a command is answered where there is nothing but commands. */
static char *
say(const char *text, enum admin_level level, bool has_failed)
{
	static char answer[16 * 1024];
	struct heard heard = { 0 };
	struct admin_call call = { .level = level, .on_done = on_done, .owner = &heard };

	call_run(&call, slice_of(text));
	assert_int_equal(heard.count, 1);
	assert_int_equal(call.has_failed, has_failed);
	assert_in_range(buf_len(&call.out), 1, sizeof(answer) - 1);
	memcpy(answer, buf_data(&call.out), buf_len(&call.out));
	answer[buf_len(&call.out)] = '\0';
	call_clear(&call);
	return answer;
}

static void
a_line_is_split_at_semicolons(void **state)
{
	static const struct { const char *line, *commands[4]; } rows[] = {
		{ "a;b c; d", { "a", "b c", " d" } },
		{ "a\\;b;c", { "a\\;b", "c" } },
		{ "a \"b;c\";d", { "a \"b;c\"", "d" } },
		{ "a \"b\\\";c\";d", { "a \"b\\\";c\"", "d" } },
		{ "a \"b;c", { "a \"b;c" } },
		{ "a;", { "a", "" } },
		{ ";", { "", "" } },
		{ "a\\", { "a\\" } },
		{ "", { "" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice line = slice_of(rows[i].line), text;
		bool has_more = true;

		for (size_t k = 0; rows[i].commands[k] != NULL; k++) {
			assert_true(has_more);
			has_more = call_split(&line, &text);
			assert_true(slice_equals(text, rows[i].commands[k]));
		}
		assert_false(has_more);
	}
}

static void
words_are_cut_at_blanks(void **state)
{
	(void)state;
	assert_string_equal(say("show cli level", ADMIN_LEVEL_USER, false), "user\n");
	assert_string_equal(say(" \tshow\tcli  level ", ADMIN_LEVEL_ADMIN, false), "admin\n");
	assert_string_equal(say("\"show\" c\\li le\"vel\"", ADMIN_LEVEL_OPERATOR, false), "operator\n");
	assert_non_null(strstr(say("\"show cli level\"", ADMIN_LEVEL_USER, true), "Unknown command"));
	assert_non_null(strstr(say("show version json", ADMIN_LEVEL_USER, false), "{\"version\":\""));
}

static void
what_is_near_is_told_first(void **state)
{
	static const char head[] =
	    "Unknown command, but maybe one of the following ones is a better match:\n";
	static const struct { const char *text, *first; } rows[] = {
		{ "shwo stat", "  show stat " }, { "show stta", "  show stat " }, { "show", "  show " },
		{ "dsable server a/b", "  disable server " },
		{ "set maxcon server a/b 1", "  set maxconn server " },
		{ "clear countres all", "  clear counters " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *answer = say(rows[i].text, ADMIN_LEVEL_USER, true);

		assert_memory_equal(answer, head, strlen(head));
		assert_memory_equal(answer + strlen(head), rows[i].first, strlen(rows[i].first));
	}
	assert_string_equal(say("xyzzy plugh", ADMIN_LEVEL_ADMIN, true),
	    "Unknown command: 'xyzzy'. `help` lists those there are.\n");
	assert_string_equal(say("  ", ADMIN_LEVEL_ADMIN, true),
	    "Unknown command: ''. `help` lists those there are.\n");
}

/* Without a cockpit nothing could be run: whoever has less than the level of a row comes no further. */
static void
each_row_asks_for_its_level(void **state)
{
	const struct admin_command *row;

	(void)state;
	for (size_t i = 0; (row = admin_command_row(i)) != NULL; i++) {
		assert_non_null(row->help);
		if (row->level > ADMIN_LEVEL_USER)
			assert_string_equal(say(row->name, (enum admin_level)(row->level - 1), true),
			    "Permission denied\n");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(row->name, admin_command_row(k)->name);
	}
}

static void
many_words_are_too_many(void **state)
{
	char line[4 * CALL_WORDS_MAX];

	(void)state;
	memset(line, 0, sizeof(line));
	for (size_t i = 0; i < CALL_WORDS_MAX; i++)
		memcpy(line + 2 * i, "a ", 2);
	assert_string_equal(say(line, ADMIN_LEVEL_ADMIN, true), "Too many words.\n");
}

static void
what_is_of_a_connection_needs_one(void **state)
{
	static const char *const lines[] = { "prompt", "quit", "operator", "set timeout cli 5",
		"set severity-output number" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(say(lines[i], ADMIN_LEVEL_OPERATOR, true),
		    "That is for those who are connected to a socket.\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_split_at_semicolons),
		cmocka_unit_test(words_are_cut_at_blanks),
		cmocka_unit_test(what_is_near_is_told_first),
		cmocka_unit_test(each_row_asks_for_its_level),
		cmocka_unit_test(many_words_are_too_many),
		cmocka_unit_test(what_is_of_a_connection_needs_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
