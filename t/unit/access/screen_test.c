/* SPDX-License-Identifier: BSD-2-Clause */
/* screen_test.c: the rows of the block, what lists are asked, and what their answers are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "access/screen.h"
#include "access/screen_memory.h"
#include "conf/conf.h"

struct root {
	struct conf_block conf;
	struct conf_list screens;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, screens, &screen_block, 0),
	{ 0 }
};
static const struct block root_block = {
	.name = "", .directives = root_directives, .size = BLOCK_SIZE(struct root), .help = ""
};

static struct conf *conf;

/* NULL: it is refused. */
static const struct screen *
load(const char *title, const char *rows)
{
	struct conf_problems problems = { 0 };
	char text[1024];

	snprintf(text, sizeof(text), "screen %s { %s }", title, rows);
	conf = conf_load_text("text", text, &root_block, &problems);
	conf_problems_clear(&problems);
	return conf != NULL ? ((struct root *)conf_root(conf))->screens.items[0] : NULL;
}

static struct addr
addr_of(const char *text)
{
	struct addr addr;

	assert_true(addr_parse(slice_of(text), 4711, &addr));
	return addr;
}

static void
rows_are_read(void **state)
{
	const struct screen *screen = load("s", "");

	(void)state;
	assert_int_equal(screen->greeting_delay.ms, 6000);
	assert_int_equal(screen->pregreet, SCREEN_DROP);
	assert_int_equal(screen->passed_ttl.ms, 24 * 3600 * 1000);
	assert_int_equal(screen->action, SCREEN_ENFORCE);
	assert_int_equal(screen->threshold, 1);
	assert_int_equal(screen->zone_count, 0);
	conf_free(&conf);
	screen = load("s",
	    "allow 10.0.0.0/8; dnsbl a.test; dnsbl b.test { weight -3; name b }; dnsbl a.test { weight 7 }");
	assert_int_equal(screen->zone_count, 2);
	assert_string_equal(screen_zone(screen, 0)->zone, "a.test");
	assert_string_equal(screen_zone(screen, 1)->zone, "b.test");
	assert_int_equal(((struct dnsbl_rule *)screen->rules.items[1])->weight, -3);
	assert_true(screen_allows(screen, &(struct addr){ .in = addr_of("10.1.2.3").in }));
	assert_false(screen_allows(screen, &(struct addr){ .in = addr_of("11.1.2.3").in }));
	conf_free(&conf);
}

static void
refuses_what_makes_no_sense(void **state)
{
	static const char *const rows[] = {
		"pregreet log", "action ignore", "threshold 0", "threshold -1", "passed_ttl 0s",
		"greeting_delay 61s",
		"dnsbl a..test", "dnsbl \"a test\"", "dnsbl { weight 1 }",
		"dnsbl a1234567890123456789012345678901234567890.a1234567890123456789012345678901234567890."
		"a1234567890123456789012345678901234567890.a1234567890123456789012345678901234567890."
		"a1234567890123456789012345678901234567890",
		"dnsbl a.test { weight 1001 }", "dnsbl a.test { weight - }", "dnsbl a.test { weight 1 2 }",
		"dnsbl a.test { weight --1 }", "dnsbl a.test { weight 1.5 }",
		"dnsbl a.test { name \"a b\" }", "dnsbl a.test { name \"\" }",
		"dnsbl a.test { reply 127.0.0 }", "dnsbl a.test { reply 127.0.0.256 }",
		"dnsbl a.test { reply 127.0.0.2.3 }", "dnsbl a.test { reply \"\" }",
		"dnsbl a.test { reply 127.0.0.9-127.0.0.2 }", "dnsbl a.test { reply 127.0.0.2- }",
		"dnsbl a.test { reply ::1-::2 }", "dnsbl a.test { reply \"127.0.0.[]\" }",
		"dnsbl a.test { reply \"127.0.0.[2\" }", "dnsbl a.test { reply \"127.0.0.[4..2]\" }",
		"dnsbl a.test { reply \"127.0.0.[2;]\" }", "dnsbl a.test { reply \"127.0.0.2..4\" }",
		"dnsbl a.test { reply \"127.0.0.[2..]\" }", "dnsbl a.test { reply 127.0.0.2 nonsense }",
		"dnsbl a.test { reply 0127.0.0.2 }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (load("s", rows[i]) != NULL)
			fail_msg("%s was taken", rows[i]);
}

static void
assert_question(const struct screen *screen, const char *client, const char *wanted)
{
	struct addr addr = addr_of(client);
	struct buf out = { 0 };

	assert_true(screen_write_question(screen, 0, &addr, &out));
	if (!slice_equals(buf_slice(&out), wanted))
		fail_msg("%.*s, not %s", SLICE_ARGS(buf_slice(&out)), wanted);
	buf_clear(&out);
}

static void
addresses_are_asked_for_backwards(void **state)
{
	const struct screen *screen = load("s", "dnsbl a.test");
	struct addr local = { .sa.sa_family = AF_UNIX };
	struct buf out = { 0 };

	(void)state;
	assert_question(screen, "192.0.2.17", "17.2.0.192.a.test");
	assert_question(screen, "::ffff:192.0.2.17", "17.2.0.192.a.test");
	assert_question(screen, "2001:db8::567:89ab",
	    "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.a.test");
	assert_false(screen_write_question(screen, 0, &local, &out));
	conf_free(&conf);
}

static void
assert_matches(const char *reply, const char *address, bool is_met)
{
	struct dnsbl_answer answer = { .is_known = true, .count = 1 };
	char rows[128];
	const struct screen *screen;
	struct buf zones = { 0 };
	const char *worst;

	snprintf(rows, sizeof(rows), "dnsbl a.test { %s %s }", reply[0] != '\0' ? "reply" : "", reply);
	screen = load("s", rows);
	if (screen == NULL)
		fail_msg("%s was refused", rows);
	answer.addresses[0] = ntohl(addr_of(address).in.sin_addr.s_addr);
	if (screen_score(screen, &answer, &zones, &worst) != is_met)
		fail_msg("%s: %s", rows, address);
	buf_clear(&zones);
	conf_free(&conf);
}

static void
patterns_are_those_of_postscreen(void **state)
{
#define LISTED "\"127.0.0.[1;4..7;200]\""
	static const struct {
		const char *reply, *address;
		bool is_met;
	} rows[] = {
		{ "127.0.0.2", "127.0.0.2", true }, { "127.0.0.2", "127.0.0.3", false },
		{ "127.0.0.2-127.0.0.11", "127.0.0.2", true },
		{ "127.0.0.2-127.0.0.11", "127.0.0.11", true },
		{ "127.0.0.2-127.0.0.11", "127.0.0.1", false },
		{ "127.0.0.2-127.0.0.11", "127.0.0.12", false },
		{ "127.0.0.250-127.0.1.5", "127.0.1.0", true },
		{ "127.0.0.250-127.0.1.5", "127.0.1.6", false },
		{ "\"127.0.[0..255].3\"", "127.0.255.3", true },
		{ "\"127.0.[0..255].3\"", "127.0.0.4", false }, { LISTED, "127.0.0.1", true },
		{ LISTED, "127.0.0.5", true }, { LISTED, "127.0.0.7", true },
		{ LISTED, "127.0.0.200", true }, { LISTED, "127.0.0.2", false },
		{ LISTED, "127.0.0.8", false }, { "\"127.0.0.[1,3]\"", "127.0.0.3", true },
		{ "127.0.0.2 127.0.0.9", "127.0.0.9", true },
		{ "127.0.0.2 127.0.0.9", "127.0.0.3", false }, { "", "127.0.0.2", true },
		{ "", "127.255.254.1", true }, { "", "127.255.255.254", false },
		{ "", "192.0.2.1", false }, { "", "126.0.0.1", false }, { "", "128.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_matches(rows[i].reply, rows[i].address, rows[i].is_met);
}

static void
assert_score(const struct screen *screen, const struct dnsbl_answer *answers, const char *wanted)
{
	struct buf zones = { 0 }, got = { 0 };
	const char *worst;
	int64_t score = screen_score(screen, answers, &zones, &worst);

	buf_printf(&got, "%lld %.*s %s", (long long)score, SLICE_ARGS(buf_slice(&zones)),
	    worst != NULL ? worst : "-");
	if (!slice_equals(buf_slice(&got), wanted))
		fail_msg("%.*s, not %s", SLICE_ARGS(buf_slice(&got)), wanted);
	buf_clear(&got);
	buf_clear(&zones);
}

static void
weights_are_added_once_each(void **state)
{
	enum { FIRST = 0x7f000002 };
	static const char rows[] =
	    "dnsbl a.test { reply 127.0.0.2 127.0.0.3; weight 2; name a2 }; "
	    "dnsbl a.test { reply 127.0.0.4; weight 5; name a4 }; dnsbl b.test { weight -6; name b }";
	const struct screen *screen = load("s", rows);
	struct dnsbl_answer answers[2] = { { 0 }, { 0 } };

	(void)state;
	assert_score(screen, answers, "0  -");
	answers[0] = (struct dnsbl_answer){ true, 2, { FIRST, FIRST + 1 }, 0 };
	assert_score(screen, answers, "2 a2 a2");
	answers[0] = (struct dnsbl_answer){ true, 2, { FIRST + 1, FIRST + 2 }, 0 };
	assert_score(screen, answers, "7 a2,a4 a4");
	answers[1] = (struct dnsbl_answer){ true, 1, { FIRST }, 0 };
	assert_score(screen, answers, "1 a2,a4,b a4");
	answers[0].is_known = false;
	assert_score(screen, answers, "-6 b -");
	conf_free(&conf);
}

static void
who_has_passed_is_known_by_block_and_prefix(void **state)
{
	static const struct {
		const char *block, *client;
		bool is_known;
	} rows[] = {
		{ "one", "192.0.2.1", true }, { "one", "::ffff:192.0.2.1", true },
		{ "one", "192.0.2.2", false }, { "two", "192.0.2.1", false },
		{ "one", "2001:db8::7", true }, { "one", "2001:db8:0:1::7", false },
	};
	struct screen_memory *memory = screen_memory_new();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct addr addr = addr_of(i == 0 ? "192.0.2.1" : "2001:db8::1");
		struct screen_key key = screen_key(load("one", ""), &addr);

		screen_memory_let_pass(memory, &key, 1000, &(struct screen_passed){ 2000, 0 });
		conf_free(&conf);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr addr = addr_of(rows[i].client);
		struct screen_key key = screen_key(load(rows[i].block, ""), &addr);

		assert_int_equal(screen_memory_passed(memory, &key, 1999).greeting_until,
		    rows[i].is_known ? 2000 : 0);
		conf_free(&conf);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr addr = addr_of(rows[i].client);
		struct screen_key key = screen_key(load(rows[i].block, ""), &addr);

		assert_int_equal(screen_memory_passed(memory, &key, 2000).greeting_until, 0);
		conf_free(&conf);
	}
	screen_memory_free(&memory);
}

/* The later of the two has no part in the other. */
static void
each_test_is_passed_for_its_own_time(void **state)
{
	struct screen_memory *memory = screen_memory_new();
	struct addr addr = addr_of("192.0.2.1");
	struct screen_key key = screen_key(load("one", ""), &addr);
	struct screen_passed passed;

	(void)state;
	screen_memory_let_pass(memory, &key, 1000, &(struct screen_passed){ .lists_until = 2000 });
	passed = screen_memory_passed(memory, &key, 1999);
	assert_int_equal(passed.greeting_until, 0);
	assert_int_equal(passed.lists_until, 2000);
	screen_memory_let_pass(memory, &key, 1500, &(struct screen_passed){ .greeting_until = 5000 });
	passed = screen_memory_passed(memory, &key, 4999);
	assert_int_equal(passed.greeting_until, 5000);
	assert_int_equal(passed.lists_until, 2000);
	screen_memory_let_pass(memory, &key, 1500, &(struct screen_passed){ 4000, 3000 });
	passed = screen_memory_passed(memory, &key, 4999);
	assert_int_equal(passed.greeting_until, 5000);
	assert_int_equal(passed.lists_until, 3000);
	assert_int_equal(screen_memory_passed(memory, &key, 5000).greeting_until, 0);
	screen_memory_free(&memory);
	conf_free(&conf);
}

static void
lists_are_passed_as_long_as_their_answers_hold(void **state)
{
	enum { NOW = 1000, MINUTE = 60000, HOUR = 60 * MINUTE };
	static const struct {
		int64_t one, two;		/* 0: it is not known */
		int64_t until;
	} rows[] = {
		{ NOW + 5 * MINUTE, NOW + 9 * MINUTE, NOW + 5 * MINUTE },
		{ NOW + 9 * MINUTE, NOW + 5 * MINUTE, NOW + 5 * MINUTE },
		{ NOW + 1, NOW + HOUR, NOW + MINUTE },
		{ NOW - 5, NOW + HOUR, NOW + MINUTE },
		{ NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + HOUR },
		{ NOW + HOUR, 0, NOW + MINUTE },
	};
	const struct screen *screen = load("one", "dnsbl a.test { } dnsbl b.test { }");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct dnsbl_answer answers[] = {
			{ .is_known = rows[i].one != 0, .until = rows[i].one },
			{ .is_known = rows[i].two != 0, .until = rows[i].two },
		};

		assert_int_equal(screen_lists_until(screen, answers, NOW), rows[i].until);
	}
	conf_free(&conf);
}

/* However many there are. */
static void
memory_is_bounded(void **state)
{
	const struct screen *screen = load("s", "");
	size_t most = screen_memory_limit(SCREEN_MEMORY_PASSED);
	size_t answers_most = screen_memory_limit(SCREEN_MEMORY_ANSWERS);
	struct screen_memory *memory = screen_memory_new();
	struct dnsbl_answer answer = { .is_known = true };

	(void)state;
	for (uint32_t i = 0; i < 2 * most; i++) {
		struct addr addr = { .in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(i) } };
		struct screen_key key = screen_key(screen, &addr);
		char name[32];

		screen_memory_let_pass(memory, &key, 0, &(struct screen_passed){ 1000000 + i, 0 });
		snprintf(name, sizeof(name), "%u.test", i);
		screen_memory_keep(memory, slice_of(name), &answer, 0, 1000000);
	}
	assert_in_range(screen_memory_count(memory, SCREEN_MEMORY_PASSED), most / 2, most);
	assert_in_range(screen_memory_count(memory, SCREEN_MEMORY_ANSWERS), answers_most / 2, answers_most);
	screen_memory_free(&memory);
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_read),
		cmocka_unit_test(refuses_what_makes_no_sense),
		cmocka_unit_test(addresses_are_asked_for_backwards),
		cmocka_unit_test(patterns_are_those_of_postscreen),
		cmocka_unit_test(weights_are_added_once_each),
		cmocka_unit_test(who_has_passed_is_known_by_block_and_prefix),
		cmocka_unit_test(each_test_is_passed_for_its_own_time),
		cmocka_unit_test(lists_are_passed_as_long_as_their_answers_hold),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
