/* SPDX-License-Identifier: BSD-2-Clause */
/* check_settings_test.c: the block `check` in pools, farms and defaults: what it may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "balance/check_settings.h"
#include "balance/endpoint_table.h"
#include "balance/pool.h"
#include "conf/conf.h"

struct root {
	struct conf_block conf;
	struct conf_list farms, pools;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, farms, &farm_block, 0),
	CONF_BLOCKS(struct root, pools, &pool_block, 0),
	{ 0 }
};

static const struct block root_block = {
	.name = "", .directives = root_directives, .size = BLOCK_SIZE(struct root), .help = ""
};

static char *
print_problems(struct conf_problems *problems)
{
	char *printed = NULL;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	conf_problems_print(problems, out);
	fclose(out);
	conf_problems_clear(problems);
	return printed;
}

static struct conf *
load(const char *text, struct pool **pool)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("conf", text, &root_block, &problems);
	char *printed = print_problems(&problems);

	if (conf == NULL)
		fail_msg("%s: %s", text, printed);
	free(printed);
	*pool = ((struct root *)conf_root(conf))->pools.items[0];
	return conf;
}

static void
expect_problem(const char *text, const char *problem)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("conf", text, &root_block, &problems);
	char *printed = print_problems(&problems);

	if (conf != NULL || strstr(printed, problem) == NULL)
		fail_msg("%s: no \"%s\" in: %s", text, problem, printed);
	free(printed);
}

static const struct check_settings *
check_of(const struct pool *pool, size_t i)
{
	assert_true(i < pool->options.checks.count);
	return pool->options.checks.items[i];
}

static void
without_any_there_is_one_with_the_defaults(void **state)
{
	const struct check_settings *settings;
	struct pool *pool;
	struct conf *conf = load("pool imap { }", &pool);

	(void)state;
	assert_int_equal(pool->options.checks.count, 1);
	settings = check_of(pool, 0);
	assert_int_equal(settings->kind, CHECK_PROTOCOL);
	assert_int_equal(settings->interval.ms, 10000);
	assert_int_equal(settings->fast_interval.ms, 1000);
	assert_int_equal(settings->down_interval.ms, 10000);
	assert_int_equal(settings->timeout.ms, 3000);
	assert_int_equal(settings->rise, 2);
	assert_int_equal(settings->fall, 3);
	assert_int_equal(settings->port, 0);
	assert_int_equal(settings->tls, CHECK_TLS_OF_POOL);
	assert_false(settings->has_proxy);
	conf_free(&conf);
}

#define FARM "farm f { server a { address ::1 }"

static void
is_inherited_as_a_whole(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		int first;
	} rows[] = {
		{ FARM "; check { kind tcp }; check { rise 5 } } pool p { farm f }", 2, CHECK_TCP },
		{ FARM "; check { kind tcp } } pool p { farm f; check { rise 5 } }", 1, CHECK_PROTOCOL },
		{ "default pool { check { kind none } } pool p { }", 1, CHECK_NONE },
		{ "default pool { check { kind none } } pool p { check { kind tcp } check { kind tcp } }", 2,
		    CHECK_TCP },
		{ "default farm { check { kind tcp } } " FARM " } pool p { farm f }", 1, CHECK_TCP },
	};
	struct pool *pool;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf *conf = load(rows[i].text, &pool);

		assert_int_equal(pool->options.checks.count, rows[i].count);
		assert_int_equal(check_of(pool, 0)->kind, rows[i].first);
		conf_free(&conf);
	}
}

static void
lines_keep_their_order_and_their_bytes(void **state)
{
	static const char text[] = "pool p { check { kind send_expect\n"
				   "expect \"220 \"; send \"EHLO me\\r\\n\"; send \"\\x00\\xfF\\t\"\n"
				   "expect \"\\\\\\\\r\"; send QUIT\\r\\n\n"
				   "proxy off; tls implicit; port 26 } }";
	static const struct {
		bool is_expected;
		struct slice text;
	} wanted[] = {
		{ true, SLICE_LITERAL("220 ") },
		{ false, SLICE_LITERAL("EHLO me\r\n") },
		{ false, SLICE_LITERAL("\0\xff\t") },
		{ true, SLICE_LITERAL("\\r") },
		{ false, SLICE_LITERAL("QUIT\r\n") },
	};
	enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };
	char *printed = NULL;
	size_t size;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		const struct check_settings *settings;
		struct pool *pool;
		struct conf *conf = load(turn == 0 ? text : printed, &pool);
		FILE *out;

		free(printed);
		settings = check_of(pool, 0);
		assert_int_equal(settings->lines.count, WANTED);
		for (size_t i = 0; i < WANTED; i++) {
			const struct check_line *line = settings->lines.items[i];

			assert_int_equal(line->is_expected, wanted[i].is_expected);
			assert_int_equal(line->text.len, wanted[i].text.len);
			assert_memory_equal(line->text.data, wanted[i].text.data, line->text.len);
		}
		assert_true(settings->has_proxy && !settings->proxy);
		assert_int_equal(settings->tls, CHECK_TLS_IMPLICIT);
		assert_int_equal(settings->port, 26);
		out = open_memstream(&printed, &size);
		conf_print(conf, out);
		fclose(out);
		conf_free(&conf);
	}
	free(printed);
}

static void
what_does_not_fit_is_told_at_its_place(void **state)
{
	static const struct {
		const char *said, *problem;
	} rows[] = {
		{ "kind login", "conf:1:18: kind login needs a user" },
		{ "kind login; user u", "conf:1:18: kind login needs a password_file" },
		{ "user u", "conf:1:18: user has no meaning without kind login" },
		{ "password_file /p", "conf:1:18: password_file has no meaning without kind login" },
		{ "send x", "conf:1:18: send has no meaning without kind send_expect" },
		{ "expect x", "conf:1:18: expect has no meaning without kind send_expect" },
		{ "kind send_expect", "conf:1:18: kind send_expect needs send or expect" },
		{ "kind none; port 7", "conf:1:29: port has no meaning with kind none" },
		{ "kind none; proxy no", "conf:1:29: proxy has no meaning with kind none" },
		{ "kind none; tls off", "conf:1:29: tls has no meaning with kind none" },
		{ "kind http",
		    "conf:1:23: kind: http is not one of protocol, tcp, login, send_expect or none" },
		{ "rise 0", "rise: 0 is outside 1 to 100" },
		{ "kind send_expect; send", "conf:1:36: send: a value is missing" },
		{ "kind send_expect; send a b",
		    "conf:1:43: send: takes one text, in quotes where it has blanks" },
		{ "kind send_expect; expect \"\"", "conf:1:43: expect: an empty text" },
		{ "kind send_expect; send \\q", "conf:1:41: send: a backslash stands before r, n, t" },
		{ "kind send_expect; send \\x1g", "conf:1:41: send: a backslash stands before r, n, t" },
		{ "kind send_expect; send \\", "conf:1:41: send: a backslash stands before r, n, t" },
		{ "kind login; user \"a\\n\"; password_file /p",
		    "conf:1:37: in quotes a backslash stands before \", \\ or $ only" },
		{ "kind tcp } check { kind none",
		    "conf:1:37: kind none stands alone, and here are 2 checks" },
		{ "interval 10s } check none; check { ", "check needs a block" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "pool p { check { %s } }", rows[i].said);
		expect_problem(text, rows[i].problem);
		snprintf(text, sizeof(text),
		    "farm f { check { %s } server a { address ::1 } }\npool p { farm f }", rows[i].said);
		expect_problem(text, rows[i].problem);
	}
	expect_problem("default pool { check { kind none } check { kind tcp } } pool p { }",
	    "conf:1:24: kind none stands alone");
}

/* Each pool has the password to itself, so that one may be closed before the other. */
static void
passwords_come_and_go_with_their_pool(void **state)
{
	char path[] = "/tmp/gatepost-unit-XXXXXX", text[512];
	int fd = mkstemp(path);
	struct endpoint_table *table = endpoint_table_new(1);
	struct conf_problems problems = { 0 };
	struct conf *conf;
	struct pool *first, *second;
	char *printed;

	(void)state;
	assert_int_equal(write(fd, "secret\n", 7), 7);
	close(fd);
	snprintf(text, sizeof(text),
	    "default pool { check { } check { kind login; user probe; password_file %s } }\n"
	    "pool a { } pool b { }",
	    path);
	conf = load(text, &first);
	second = ((struct root *)conf_root(conf))->pools.items[1];
	assert_true(pool_open(first, table, &problems) && pool_open(second, table, &problems));
	assert_null(pool_check_password(first, check_of(first, 0)));
	pool_close(first);
	assert_string_equal(pool_check_password(second, check_of(second, 1)), "secret");
	unlink(path);
	assert_false(pool_open(first, table, &problems));
	assert_null(first->check_passwords);
	printed = print_problems(&problems);
	assert_non_null(strstr(printed, "conf:1:72: "));
	assert_non_null(strstr(printed, "No such file"));
	free(printed);
	pool_close(second);
	conf_free(&conf);
	endpoint_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_any_there_is_one_with_the_defaults),
		cmocka_unit_test(is_inherited_as_a_whole),
		cmocka_unit_test(lines_keep_their_order_and_their_bytes),
		cmocka_unit_test(what_does_not_fit_is_told_at_its_place),
		cmocka_unit_test(passwords_come_and_go_with_their_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
