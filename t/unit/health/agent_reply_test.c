/* SPDX-License-Identifier: BSD-2-Clause */
/* agent_reply_test.c: each word, both of our own, what is none, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "health/agent_reply.h"

#define SHOWN_SIZE 512

/* All that was said, in a fixed order; unknown words stand in brackets. */
static const char *
show(const struct agent_reply *reply, char *out)
{
	static const char *const admins[] = { "", " ready", " drain", " maint" };
	static const char *const operationals[] = { "", " up", " down", " stopped", " fail" };
	const struct {
		const char *name;
		bool has;
		int value;
	} counts[] = {
		{ "percent", reply->has_percent, reply->percent },
		{ "weight", reply->has_weight, reply->weight },
		{ "max", reply->has_max_connections, reply->max_connections },
		{ "queue", reply->has_queue, reply->queue },
		{ "age", reply->has_age_s, reply->age_s },
	};
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i].has)
			used += (size_t)snprintf(out + used, SHOWN_SIZE - used, " %s=%d", counts[i].name,
			    counts[i].value);
	used += (size_t)snprintf(out + used, SHOWN_SIZE - used, "%s%s", admins[reply->admin],
	    operationals[reply->operational]);
	if (reply->unknown[0] != '\0')
		used += (size_t)snprintf(out + used, SHOWN_SIZE - used, " [%s]", reply->unknown);
	if (reply->reason[0] != '\0')
		used += (size_t)snprintf(out + used, SHOWN_SIZE - used, " # %s", reply->reason);
	return used > 0 ? out + 1 : out;
}

static void
words(void **state)
{
	static const struct {
		const char *line, *shown;
	} rows[] = {
		{ "75%", "percent=75" },
		{ "75%\n", "percent=75" },
		{ "75%\r\n", "percent=75" },
		{ "0%", "percent=0" },
		{ "100%", "percent=100" },
		{ "weight:100", "weight=100" },
		{ "weight:0", "weight=0" },
		{ "weight:50%", "percent=50" },
		{ "Weight:7", "weight=7" },
		{ "maxconn:30", "max=30" },
		{ "maxconn:0", "max=0" },
		{ "MAXCONN:30", "max=30" },
		{ "ready", "ready" },
		{ "drain", "drain" },
		{ "maint", "maint" },
		{ "up", "up" },
		{ "down", "down" },
		{ "stopped", "stopped" },
		{ "fail", "fail" },
		{ "UP Ready", "ready up" },
		{ "queue:1234", "queue=1234" },
		{ "age:17", "age=17" },
		{ "up ready 75% maxconn:8 queue:3 age:0", "percent=75 max=8 queue=3 age=0 ready up" },
		{ "up,ready,75%", "percent=75 ready up" },
		{ " \t,, up \t, 10%,maxconn:7 ,\t", "percent=10 max=7 up" },
		{ "down # queue 1234", "down # queue 1234" },
		{ "down #queue 1234", "down # queue 1234" },
		{ "down,#\t queue, 75%\r\n", "down # queue, 75%" },
		{ "down #", "down" },
		{ "down # \t \n", "down" },
		{ "fail # a # b", "fail # a # b" },
		{ "up # \xc3\xbc", "up # \xc3\xbc" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_reply reply;
		char shown[SHOWN_SIZE];

		assert_true(agent_reply_parse(slice_of(rows[i].line), &reply));
		assert_string_equal(show(&reply, shown), rows[i].shown);
	}
}

static void
the_later_word_counts(void **state)
{
	static const struct {
		const char *line, *shown;
	} rows[] = {
		{ "10% 20%", "percent=20" },
		{ "10% weight:20", "weight=20" },
		{ "weight:20 10%", "percent=10" },
		{ "weight:20 weight:10%", "percent=10" },
		{ "10% weight:257", "percent=10 [weight:257]" },
		{ "10% x%", "percent=10 [x%]" },
		{ "maxconn:1 maxconn:2", "max=2" },
		{ "maxconn:1 maxconn:x", "max=1 [maxconn:x]" },
		{ "drain ready", "ready" },
		{ "up down", "down" },
		{ "maint up", "maint up" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_reply reply;
		char shown[SHOWN_SIZE];

		assert_true(agent_reply_parse(slice_of(rows[i].line), &reply));
		assert_string_equal(show(&reply, shown), rows[i].shown);
	}
}

/* What is unknown is told, the first of it, and what stands beside it counts. */
static void
unknown_words(void **state)
{
	static const struct {
		const char *line, *shown;
		bool is_known;
	} rows[] = {
		{ "", "", false },
		{ "\n", "", false },
		{ " ,\t", "", false },
		{ "# only a reason", "# only a reason", false },
		{ "error # no permission", "[error] # no permission", false },
		{ "junk 40%", "percent=40 [junk]", true },
		{ "40% junk trash", "percent=40 [junk]", true },
		{ "75", "[75]", false },
		{ "%", "[%]", false },
		{ "-1%", "[-1%]", false },
		{ "+1%", "[+1%]", false },
		{ "7.5%", "[7.5%]", false },
		{ "75%%", "[75%%]", false },
		{ "75%x", "[75%x]", false },
		{ "down#reason", "[down#reason]", false },
		{ "downs", "[downs]", false },
		{ "dow", "[dow]", false },
		{ "weight:", "[weight:]", false },
		{ "weight:%", "[weight:%]", false },
		{ "weight:-1", "[weight:-1]", false },
		{ "weight: 5", "[weight:]", false },
		{ "maxconn:", "[maxconn:]", false },
		{ "maxconn:-1", "[maxconn:-1]", false },
		{ "maxconn:5%", "[maxconn:5%]", false },
		{ "queue:", "[queue:]", false },
		{ "age:1s", "[age:1s]", false },
		{ "HTTP/1.1 400 Bad Request", "[HTTP/1.1]", false },
		{ "SSH-2.0-OpenSSH_9.2p1\r\n", "[SSH-2.0-OpenSSH_9.2p1]", false },
		{ "a\x1b[31mb up", "up [a?[31mb]", true },
		{ "\xff\xfe up", "up [??]", true },
		{ "\x7f", "[?]", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_reply reply;
		char shown[SHOWN_SIZE];

		if (agent_reply_parse(slice_of(rows[i].line), &reply) != rows[i].is_known)
			fail_msg("\"%s\"", rows[i].line);
		assert_string_equal(show(&reply, shown), rows[i].shown);
	}
}

static void
numbers_have_limits(void **state)
{
	static const struct {
		const char *line, *shown;
	} rows[] = {
		{ "weight:256", "weight=256" },
		{ "weight:0256", "weight=256" },
		{ "weight:257", "[weight:257]" },
		{ "weight:18446744073709551617", "[weight:18446744073709551617]" },
		{ "101%", "percent=101" },
		{ "25600%", "percent=25600" },
		{ "25601%", "percent=25600" },
		{ "weight:300%", "percent=300" },
		{ "99999999999999999999999999%", "percent=25600" },
		{ "maxconn:999999", "max=999999" },
		{ "maxconn:1000000", "max=1000000" },
		{ "maxconn:1000001", "max=1000000" },
		{ "maxconn:10000000", "max=1000000" },
		{ "maxconn:4294967297", "max=1000000" },
		{ "queue:1000000000", "queue=1000000000" },
		{ "queue:1000000009", "queue=1000000000" },
		{ "queue:99999999999999999999", "queue=1000000000" },
		{ "age:2147483648", "age=1000000000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct agent_reply reply;
		char shown[SHOWN_SIZE];

		agent_reply_parse(slice_of(rows[i].line), &reply);
		assert_string_equal(show(&reply, shown), rows[i].shown);
	}
}

static void
the_first_line_counts(void **state)
{
	static const char nul[] = "up\0down";
	struct agent_reply reply;

	(void)state;
	assert_true(agent_reply_parse(slice_of("10%\n20% drain"), &reply));
	assert_int_equal(reply.percent, 10);
	assert_int_equal(reply.admin, AGENT_ADMIN_NONE);
	assert_true(agent_reply_parse(slice_of("up # why\rdown"), &reply));
	assert_string_equal(reply.reason, "why");
	assert_int_equal(reply.operational, AGENT_UP);
	assert_true(agent_reply_parse(slice_make(nul, sizeof(nul) - 1), &reply));
	assert_int_equal(reply.operational, AGENT_UP);
	assert_string_equal(reply.unknown, "");
}

/* A reason or a word that is longer than its place ends at a whole character. */
static void
oversize(void **state)
{
	static char line[70000];
	struct agent_reply reply;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "down # ", 7);
	assert_true(agent_reply_parse(slice_make(line, sizeof(line)), &reply));
	assert_int_equal(strlen(reply.reason), AGENT_REASON_SIZE - 1);

	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 5, " down", 5);
	assert_true(agent_reply_parse(slice_make(line, sizeof(line)), &reply));
	assert_int_equal(strlen(reply.unknown), AGENT_UNKNOWN_SIZE - 1);
	assert_int_equal(reply.operational, AGENT_DOWN);

	memcpy(line, "up # ", 5);
	memset(line + 5, 'x', AGENT_REASON_SIZE - 2);
	memcpy(line + 5 + AGENT_REASON_SIZE - 2, "\xc3\xbc", 2);
	assert_true(agent_reply_parse(slice_make(line, 5 + AGENT_REASON_SIZE), &reply));
	assert_int_equal(strlen(reply.reason), AGENT_REASON_SIZE - 2);

	memset(line, '9', sizeof(line));
	line[sizeof(line) - 1] = '%';
	assert_true(agent_reply_parse(slice_make(line, sizeof(line)), &reply));
	assert_int_equal(reply.percent, AGENT_PERCENT_MAX);
}

/* Whatever comes, the bounds hold and what is kept can be printed. */
static void
garbage(void **state)
{
	static const char bytes[] = "0919%%:,# \t\xc3\xbc\xff\x1b" "updownreadymaxconn:weight:age:queue:";

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char line[64];
		size_t len = (size_t)(random_number() % (sizeof(line) + 1));
		struct agent_reply reply;

		for (size_t i = 0; i < len; i++)
			line[i] = bytes[random_number() % (sizeof(bytes) - 1)];
		agent_reply_parse(slice_make(line, len), &reply);
		assert_in_range(reply.percent, 0, AGENT_PERCENT_MAX);
		assert_in_range(reply.weight, 0, AGENT_WEIGHT_MAX);
		assert_in_range(reply.max_connections, 0, AGENT_CONNECTIONS_MAX);
		assert_in_range(reply.queue, 0, AGENT_COUNT_MAX);
		assert_false(reply.has_percent && reply.has_weight);
		assert_true(slice_is_printable(slice_of(reply.reason)));
		assert_true(slice_is_printable(slice_of(reply.unknown)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(the_later_word_counts),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(numbers_have_limits),
		cmocka_unit_test(the_first_line_counts),
		cmocka_unit_test(oversize),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
