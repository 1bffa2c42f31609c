/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schema_test.c: what proxies of another release leave in Redis and say, as it was recorded: the oldest one
 * whose schema is this one's, and one that says more than is known here.  Whoever breaks these texts needs
 * another schema (cluster.h).
 */
#include "shared_rig.h"

#include <unistd.h>

#include "state/board.h"
#include "state/cluster_members.h"
#include "state/counter_redis.h"
#include "state/register.h"

#ifdef HAVE_HIREDIS
/* Scripts for redis-cli, as that proxy: lb9. */
static const char begin_script[] =
    "local t, inc = redis.call('TIME'), '00000000000000aa'\n"
    "local stamp = string.format('%.0f', t[1] * 1000000 + t[2])\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n";

static const char old_heartbeat[] =
    "redis.call('ZADD', 'gp:1:{proxies}:z', now + 9000, inc)\n"
    "redis.call('HSET', 'gp:1:{proxies}:h', inc, 'lb9\\n0.9.0\\n7\\n3\\n60000')\n";
static const char new_heartbeat[] =
    "redis.call('ZADD', 'gp:1:{proxies}:z', now + 9000, inc)\n"
    "redis.call('HSET', 'gp:1:{proxies}:h', inc, 'lb9\\n2.0.0\\n7\\n3\\n60000\\n1 2 x\\nregion eu\\n')\n";
static const char foreign_heartbeat[] =
    "redis.call('ZADD', 'gp:1:{proxies}:z', now + 9000, inc)\n"
    "redis.call('HSET', 'gp:1:{proxies}:h', inc, 'lb9\\n9.0.0\\n7\\n3\\n60000\\n7 8')\n";
static const char old_sheet[] =
    "redis.call('HSET', 'gp:1:{board:test}:s', inc, 'lb9\\nimap/d03 3 1 \\n')\n"
    "redis.call('ZADD', 'gp:1:{board:test}:l', now + 4500, inc)\n"
    "redis.call('ZADD', 'gp:1:{board:test}:c', stamp, inc)\n";
static const char old_word[] =
    "redis.call('HSET', 'gp:1:{register:test}', 's1', stamp .. ' ' .. inc .. ' 1\\t0\\tadmin\\tdisk')\n"
    "redis.call('PUBLISH', 'gp:1:said', 'register\\ntest\\n' .. inc .. '\\n0\\ns1\\n1\\t0\\tadmin\\tdisk')\n";
static const char new_word[] =
    "redis.call('HSET', 'gp:1:{register:test}', 's1', stamp .. ' ' .. inc .. ' 2\\t0\\tadmin\\tdisk\\teu')\n"
    "redis.call('PUBLISH', 'gp:1:said', 'register\\ntest\\n' .. inc .. '\\n0\\ns1\\n2\\t0\\tadmin\\tdisk\\teu"
    "\\n17\\neu')\n"
    "redis.call('PUBLISH', 'gp:1:said', 'weather\\ntest\\nrain')\n"
    "redis.call('PUBLISH', 'gp:1:said', 'register\\nnews\\n' .. inc .. '\\n0\\ns1\\nfog')\n";
static const char old_count[] =
    "redis.call('HSET', 'gp:1:{count:test:0}:v', '626f62', 3)\n"
    "redis.call('ZADD', 'gp:1:{count:test:0}:t', now + 60000, '626f62')\n"
    "redis.call('PUBLISH', 'gp:1:said', 'count\\ntest\\n' .. inc .. '\\n0\\n626f62 3 60000')\n";
static const char new_count[] =
    "redis.call('PUBLISH', 'gp:1:said', 'count\\ntest\\n' .. inc .. '\\n0\\n626f62 5 60000 x;"
    "6a6f65 2 60000 y\\nz')\n";

static void
play(const struct rig *rig, const char *script)
{
	char path[] = "/tmp/gatepost-schema.XXXXXX", words[128];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, begin_script, strlen(begin_script)), strlen(begin_script));
	assert_int_equal(write(fd, script, strlen(script)), strlen(script));
	close(fd);
	snprintf(words, sizeof(words), "--eval %s", path);
	run_cli(rig, words);
	unlink(path);
}

static int64_t
count_no_sessions(void)
{
	return 0;
}

struct lookout {
	struct cluster_members *members;
	const char *version;
	struct cluster_member found;
};

static bool
sees_member(void *arg)
{
	struct lookout *lookout = arg;

	for (size_t i = 0; i < cluster_members_count(lookout->members); i++) {
		lookout->found = *cluster_members_get(lookout->members, i);
		if (strcmp(lookout->found.version, lookout->version) == 0)
			return true;
	}
	return false;
}

static void
expect_member(struct rig *rig, struct lookout *lookout, const char *heartbeat, const char *version)
{
	play(rig, heartbeat);
	lookout->version = version;
	await_that(rig, sees_member, lookout);
	assert_string_equal(lookout->found.name, "lb9");
	assert_int_equal(lookout->found.sessions, 7);
	assert_int_equal(lookout->found.local, 3);
	assert_int_equal(lookout->found.uptime_ms, 60000);
	assert_false(lookout->found.is_self);
}

static void
expect_schemas(const struct lookout *lookout, int oldest, int newest, bool is_foreign)
{
	assert_int_equal(lookout->found.oldest, oldest);
	assert_int_equal(lookout->found.newest, newest);
	assert_int_equal(cluster_member_is_foreign(&lookout->found), is_foreign);
	assert_int_equal(cluster_members_foreign(lookout->members), is_foreign);
}

static void
heartbeats_tell_schemas(void **state)
{
	struct rig *rig = *state;
	struct lookout lookout = {
		.members = cluster_members_new(rig->clusters[0], "1.0.0", count_no_sessions),
	};

	expect_member(rig, &lookout, old_heartbeat, "0.9.0");
	expect_schemas(&lookout, 1, 1, false);
	expect_member(rig, &lookout, new_heartbeat, "2.0.0");
	expect_schemas(&lookout, 1, 2, false);
	expect_member(rig, &lookout, foreign_heartbeat, "9.0.0");
	expect_schemas(&lookout, 7, 8, true);
	cluster_members_free(&lookout.members);
}

/* What was heard last. */
struct heard {
	char text[200];
	const char *wanted;
	struct board *board;
};

static bool
has_heard(void *arg)
{
	const struct heard *heard = arg;

	return strcmp(heard->text, heard->wanted) == 0;
}

static void
expect_heard(struct rig *rig, struct heard *heard, const char *wanted)
{
	heard->wanted = wanted;
	await_that(rig, has_heard, heard);
}

static void
write_nothing(void *owner, struct buf *sheet)
{
	(void)owner;
	(void)sheet;
}

static void
note_sheet(const struct board_sheet *sheet, void *arg)
{
	struct heard *heard = arg;

	snprintf(heard->text, sizeof(heard->text), "%s: %.*s", sheet->proxy, SLICE_ARGS(sheet->text));
}

static void
on_sheets(void *owner)
{
	board_each(((struct heard *)owner)->board, note_sheet, owner);
}

static void
sheets_are_read(void **state)
{
	struct rig *rig = *state;
	struct heard heard = { .text = "" };

	heard.board = board_new(&(struct board_settings){ .cluster = rig->clusters[0], .name = "test",
		.write = write_nothing, .on_read = on_sheets, .owner = &heard });
	play(rig, old_sheet);
	expect_heard(rig, &heard, "lb9: imap/d03 3 1 \n");
	board_free(&heard.board);
}

static void
on_word(void *owner, struct slice name, struct slice word, int64_t age_ms)
{
	struct heard *heard = owner;

	assert_true(age_ms >= 0);
	snprintf(heard->text, sizeof(heard->text), "%.*s: %.*s", SLICE_ARGS(name), SLICE_ARGS(word));
}

static void
on_all(void *owner)
{
	(void)owner;
}

static void
words_are_read_and_heard(void **state)
{
	struct rig *rig = *state;
	struct heard heard = { .text = "" };
	struct shared_register *shared;

	play(rig, old_word);
	shared = register_new(&(struct register_settings){ .cluster = rig->clusters[0], .name = "test",
		.on_word = on_word, .on_all = on_all, .owner = &heard });
	expect_heard(rig, &heard, "s1: 1\t0\tadmin\tdisk");
	play(rig, new_word);
	expect_heard(rig, &heard, "s1: 2\t0\tadmin\tdisk\teu");
	play(rig, old_word);
	expect_heard(rig, &heard, "s1: 1\t0\tadmin\tdisk");
	register_free(&shared);
}

struct counted {
	struct counters *counters;
	int64_t now, wanted;
};

static bool
is_counted(void *arg)
{
	const struct counted *counted = arg;

	return counter_look(counted->counters, 0, slice_of("bob"), counted->now) == counted->wanted;
}

static void
expect_count(struct rig *rig, struct counted *counted, const char *script, int64_t wanted)
{
	play(rig, script);
	counted->now = loop_now(rig->loop);
	counted->wanted = wanted;
	await_that(rig, is_counted, counted);
}

static void
counters_are_read_and_heard(void **state)
{
	static const size_t limits[] = { 1000 };
	struct rig *rig = *state;
	const struct counter_sharing sharing = { rig->clusters[0], "test", 1 };
	struct counted counted = { .counters = counters_new_shared(&sharing, limits, 1) };

	expect_count(rig, &counted, old_count, 3);
	expect_count(rig, &counted, new_count, 5);
	assert_int_equal(counter_look(counted.counters, 0, slice_of("joe"), counted.now), 2);
	counters_free(&counted.counters);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(heartbeats_tell_schemas),
		REDIS_TEST(sheets_are_read),
		REDIS_TEST(words_are_read_and_heard),
		REDIS_TEST(counters_are_read_and_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
