/* SPDX-License-Identifier: BSD-2-Clause */
/* register_test.c: the last word holds at all proxies, by when it was said. */
#include "shared_rig.h"

#include <time.h>

#include "state/register.h"

#ifdef HAVE_HIREDIS
enum { MINUTE = 60 * 1000 };

struct side {
	struct rig *rig;
	struct shared_register *shared;
	char word[64];			/* of "s1", as last heard */
	int words, alls;
	bool stops;			/* with the first word */
	const char *wanted;
};

static void
on_word(void *owner, struct slice name, struct slice word, int64_t age_ms)
{
	struct side *side = owner;

	assert_true(age_ms >= 0);
	if (side->words++ == 0 && side->stops)
		loop_stop(side->rig->loop);
	if (slice_equals(name, "s1"))
		snprintf(side->word, sizeof(side->word), "%.*s", SLICE_ARGS(word));
}

static void
on_all(void *owner)
{
	((struct side *)owner)->alls++;
}

static void
start_side(struct side *side, struct rig *rig, int i)
{
	*side = (struct side){ .rig = rig };
	side->shared = register_new(&(struct register_settings){ .cluster = rig->clusters[i], .name = "test",
		.on_word = on_word, .on_all = on_all, .owner = side });
}

static bool
has_read_all(void *arg)
{
	return ((const struct side *)arg)->alls > 0;
}

static bool
has_heard(void *arg)
{
	const struct side *side = arg;

	return strcmp(side->word, side->wanted) == 0;
}

static void
await_word(struct side *side, const char *wanted)
{
	side->wanted = wanted;
	await_that(side->rig, has_heard, side);
}

static void
say(struct side *side, const char *word, int64_t age_ms)
{
	register_tell(side->shared, slice_of("s1"), slice_of(word), age_ms);
}

static bool
is_told(void *arg)
{
	return !register_is_telling(((const struct side *)arg)->shared, slice_of("s1"));
}

static void
the_last_word_holds(void **state)
{
	struct side one, two, late;

	start_side(&one, *state, 0);
	start_side(&two, *state, 1);
	await_that(*state, has_read_all, &one);
	await_that(*state, has_read_all, &two);
	say(&one, "drain", 0);
	await_word(&two, "drain");
	say(&two, "ready", 0);
	await_word(&one, "ready");
	/* said before that, and told later */
	say(&one, "maintenance", MINUTE);
	await_that(*state, is_told, &one);
	register_free(&two.shared);
	start_side(&late, *state, 1);
	await_that(*state, has_read_all, &late);
	assert_string_equal(late.word, "ready");
	register_free(&one.shared);
	register_free(&late.shared);
}

static void
what_is_said_without_redis_is_told_later(void **state)
{
	struct rig *rig = *state;
	struct side one, two;

	start_side(&one, rig, 0);
	start_side(&two, rig, 1);
	await_that(rig, has_read_all, &one);
	await_that(rig, has_read_all, &two);
	redis_server_stop(&rig->server);
	say(&one, "drain", 0);
	say(&one, "ready", 0);
	assert_true(register_is_telling(one.shared, slice_of("s1")));
	redis_server_start(&rig->server, "");
	await_server(rig);
	await_word(&two, "ready");
	await_that(rig, is_told, &one);
	register_free(&one.shared);
	register_free(&two.shared);
}

static bool
has_it(void *arg)
{
	const struct side *side = arg;
	char command[256];

	snprintf(command, sizeof(command), "redis-cli -s %s hget gp:1:{register:test} s1 | grep -q ' %s$'",
	    side->rig->server.path, side->wanted);
	return system(command) == 0;
}

/* Who was away while Redis lost its data has a word that nobody else would take any more. */
static void
a_late_word_beats_no_newer_one(void **state)
{
	struct rig *rig = *state;
	struct side one, two, late;

	start_side(&one, rig, 0);
	start_side(&two, rig, 1);
	await_that(rig, has_read_all, &one);
	await_that(rig, has_read_all, &two);
	say(&one, "ready", 0);
	await_word(&two, "ready");
	register_free(&one.shared);
	run_cli(rig, "flushall");
	/* it knows of nothing */
	start_side(&late, rig, 0);
	await_that(rig, has_read_all, &late);
	say(&late, "maintenance", MINUTE);
	await_word(&late, "ready");
	assert_string_equal(two.word, "ready");
	two.wanted = "ready";
	await_that(rig, has_it, &two);
	register_free(&two.shared);
	register_free(&late.shared);
}

static void
what_redis_has_lost_is_told_again(void **state)
{
	struct rig *rig = *state;
	struct side one, two;

	start_side(&one, rig, 0);
	start_side(&two, rig, 1);
	await_that(rig, has_read_all, &one);
	await_that(rig, has_read_all, &two);
	say(&one, "drain", 0);
	await_word(&two, "drain");
	/* the one that has said it is there no more */
	register_free(&one.shared);
	run_cli(rig, "flushall");
	cluster_tell_missed(rig->clusters[1]);
	two.wanted = "drain";
	await_that(rig, has_it, &two);
	/* an older one, as of a replica that had lagged behind */
	run_cli(rig, "hset gp:1:{register:test} s1 '1000000 abcdef ready'");
	cluster_tell_missed(rig->clusters[1]);
	await_that(rig, has_it, &two);
	assert_string_equal(two.word, "drain");
	register_free(&two.shared);
}

static bool
is_subscribed(void *arg)
{
	return cluster_misses(arg) > 0;
}

static bool
has_heard_some(void *arg)
{
	return ((const struct side *)arg)->words > 0;
}

static bool
has_read_all_twice(void *arg)
{
	return ((const struct side *)arg)->alls > 1;
}

static void
what_is_missed_while_all_is_read_is_read_again(void **state)
{
	struct rig *rig = *state;
	struct side one;

	/* in several pieces */
	run_cli(rig, "eval \"for i = 1, 3000 do redis.call('HSET', KEYS[1], i, '1000000 abcdef word') end\" "
		     "1 gp:1:{register:test}");
	await_that(rig, is_subscribed, rig->clusters[0]);
	start_side(&one, rig, 0);
	one.stops = true;
	await_that(rig, has_heard_some, &one);
	assert_int_equal(one.alls, 0);
	cluster_tell_missed(rig->clusters[0]);
	await_that(rig, has_read_all_twice, &one);
	register_free(&one.shared);
}

static void
an_older_word_that_is_read_meanwhile_does_not_hold(void **state)
{
	struct rig *rig = *state;
	struct side one;
	char words[128];

	await_that(rig, is_subscribed, rig->clusters[0]);
	start_side(&one, rig, 0);
	await_that(rig, has_read_all, &one);
	snprintf(words, sizeof(words), "hset gp:1:{register:test} s1 '%lld000000 abcdef old'",
	    (long long)time(NULL));
	run_cli(rig, words);
	/* it is asked first */
	cluster_tell_missed(rig->clusters[0]);
	say(&one, "new", 0);
	await_that(rig, has_read_all_twice, &one);
	await_that(rig, is_told, &one);
	assert_string_equal(one.word, "");
	one.wanted = "new";
	assert_true(has_it(&one));
	register_free(&one.shared);
}

static void
what_is_only_published_is_no_word(void **state)
{
	struct rig *rig = *state;
	struct side one, two;

	start_side(&one, rig, 0);
	start_side(&two, rig, 1);
	await_that(rig, has_read_all, &one);
	await_that(rig, has_read_all, &two);
	run_cli(rig, "publish gp:1:said \"$(printf 'register\\ntest\\nff\\n0\\ns1\\nforged')\"");
	say(&one, "drain", 0);
	await_word(&two, "drain");
	assert_string_not_equal(one.word, "forged");
	register_free(&one.shared);
	register_free(&two.shared);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(the_last_word_holds),
		REDIS_TEST(a_late_word_beats_no_newer_one),
		REDIS_TEST(what_redis_has_lost_is_told_again),
		REDIS_TEST(what_is_missed_while_all_is_read_is_read_again),
		REDIS_TEST(an_older_word_that_is_read_meanwhile_does_not_hold),
		REDIS_TEST(what_is_only_published_is_no_word),
		REDIS_TEST(what_is_said_without_redis_is_told_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
