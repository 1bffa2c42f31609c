/* SPDX-License-Identifier: BSD-2-Clause */
/* limiter_redis_test.c: limits hold over all proxies, as far as limiter.h says, through a real Redis. */
#include "shared_rig.h"

#include <time.h>

#include "state/limiter.h"

#ifdef HAVE_HIREDIS
enum { HOUR = 3600 * 1000, LIMIT = 8 };

static const struct limiter_rate eight_an_hour = { LIMIT, HOUR };

struct test {
	struct rig *rig;
	struct limiter *limiters[PROXIES];
	int proxy;
	const char *name;
};

static struct test
begin(void **state)
{
	struct test test = { .rig = *state };

	for (int i = 0; i < PROXIES; i++) {
		test.limiters[i] = limiter_new(1000);
		limiter_set_proxies(test.limiters[i], PROXIES - 1);
		limiter_share(test.limiters[i], test.rig->clusters[i]);
	}
	return test;
}

static void
end(struct test *test)
{
	for (int i = 0; i < PROXIES; i++)
		limiter_free(&test->limiters[i]);
}

static bool
take(struct test *test, int proxy, const char *name)
{
	return limiter_take(test->limiters[proxy], slice_of(name), eight_an_hour, loop_now(test->rig->loop));
}

static bool
enter(struct test *test, int proxy, const char *name)
{
	return limiter_enter(test->limiters[proxy], slice_of(name), LIMIT);
}

static bool
is_spent(void *arg)
{
	struct test *test = arg;

	return limiter_is_spent(test->limiters[test->proxy], slice_of(test->name), eight_an_hour,
	    loop_now(test->rig->loop));
}

static bool
is_spent_somewhere(void *arg)
{
	struct test *test = arg;
	bool is_somewhere = false;

	for (test->proxy = 0; test->proxy < PROXIES; test->proxy++)
		is_somewhere |= is_spent(test);
	test->proxy = 0;
	return is_somewhere;
}

static void
a_rate_is_spent_by_all_together(void **state)
{
	struct test test = begin(state);

	for (int i = 0; i < LIMIT / 2; i++)
		assert_true(take(&test, 0, "a"));
	for (int i = 0; i < LIMIT / 2; i++)
		assert_true(take(&test, 1, "a"));
	test.name = "a";
	await_that(test.rig, is_spent_somewhere, &test);
	/* each hears of the others as it tells, and these are what may be too many */
	for (int i = 0; i < PROXIES; i++)
		(void)take(&test, i, "a");
	await_that(test.rig, is_spent, &test);
	test.proxy = 1;
	await_that(test.rig, is_spent, &test);
	assert_false(take(&test, 0, "a"));
	assert_false(take(&test, 1, "a"));
	assert_true(take(&test, 1, "b"));
	end(&test);
}

/* Tries, and goes at once; so it is seen that another one would be too many. */
static bool
is_full(void *arg)
{
	struct test *test = arg;

	if (!enter(test, test->proxy, test->name))
		return true;
	limiter_leave(test->limiters[test->proxy], slice_of(test->name));
	return false;
}

static bool
has_room(void *arg)
{
	return !is_full(arg);
}

static void
who_is_at_another_proxy_counts(void **state)
{
	struct test test = begin(state);

	test.name = "a";
	for (int i = 0; i < LIMIT - 2; i++)
		assert_true(enter(&test, 0, "a"));
	for (int i = 0; i < 2; i++)
		assert_true(enter(&test, 1, "a"));
	test.proxy = 1;
	await_that(test.rig, is_full, &test);
	test.proxy = 0;
	await_that(test.rig, is_full, &test);
	assert_int_equal(limiter_present(test.limiters[0], slice_of("a")), LIMIT - 2);
	/* one goes there, and one more may come here */
	limiter_leave(test.limiters[1], slice_of("a"));
	await_that(test.rig, has_room, &test);
	end(&test);
}

static bool
is_gone(void *arg)
{
	struct test *test = arg;

	return limiter_count(test->limiters[0], LIMITER_PRESENT) == 0;
}

static void
who_has_left_leaves_nothing(void **state)
{
	struct test test = begin(state);

	for (int i = 0; i < LIMIT; i++)
		assert_true(enter(&test, 0, "a"));
	test.name = "a";
	await_that(test.rig, is_full, &test);
	assert_true(enter(&test, 1, "a"));
	assert_true(enter(&test, 1, "a"));
	test.proxy = 1;
	await_that(test.rig, is_full, &test);
	for (int i = 0; i < LIMIT; i++)
		limiter_leave(test.limiters[0], slice_of("a"));
	await_that(test.rig, is_gone, &test);
	await_that(test.rig, has_room, &test);
	end(&test);
}

static void
without_redis_a_proxy_counts_for_itself(void **state)
{
	struct test test = begin(state);

	test.name = "a";
	for (int i = 0; i < LIMIT; i++)
		assert_true(enter(&test, 0, "a"));
	for (int i = 0; i < 2; i++)
		assert_true(enter(&test, 1, "a"));
	test.proxy = 1;
	await_that(test.rig, is_full, &test);
	redis_server_stop(&test.rig->server);
	await_that(test.rig, has_room, &test);
	/* and it comes back without a word of anybody */
	redis_server_start(&test.rig->server, "");
	await_server(test.rig);
	assert_true(enter(&test, 1, "a"));
	await_that(test.rig, is_full, &test);
	end(&test);
}

static bool
no_key_is_left(void *arg)
{
	return count_keys(((struct test *)arg)->rig) == 0;
}

static bool
a_key_is_there(void *arg)
{
	return !no_key_is_left(arg);
}

static void
keys_of_rates_end_by_themselves(void **state)
{
	const struct limiter_rate quick = { 4, 2000 };
	struct test test = begin(state);
	struct limiter *limiter = test.limiters[0];

	for (int i = 0; i < 4; i++)
		assert_true(limiter_take(limiter, slice_of("a"), quick, loop_now(test.rig->loop)));
	await_that(test.rig, a_key_is_there, &test);
	await_that(test.rig, no_key_is_left, &test);
	end(&test);
}

/* Of "a", as another proxy would write them. */
#define SHARD_OF_A "gp:1:{here:10}:c"
#define HASH_OF_A "ca978112ca1bbdcafac231b39a23dc4d"

static void
write_present(const struct rig *rig, const char *count, int64_t until_s)
{
	char words[200];

	snprintf(words, sizeof(words), "hset %s %s '\"ffff %s %lld000;\"'", SHARD_OF_A, HASH_OF_A, count,
	    (long long)until_s);
	run_cli(rig, words);
}

static bool
is_told_beside(void *arg)
{
	const struct test *test = arg;
	char command[300];

	snprintf(command, sizeof(command), "redis-cli -s %s hget %s %s | grep -q '%s 4 '",
	    test->rig->server.path, SHARD_OF_A, HASH_OF_A,
	    cluster_incarnation(test->rig->clusters[0]));
	return system(command) == 0;
}

static void
absurd_numbers_are_clamped(void **state)
{
	enum { SOON = 20, LONG = 24 * 3600 };
	struct test test = begin(state);

	test.name = "a";
	/* a sum that is negative as Redis tells it */
	write_present(test.rig, "99999999999999999999", time(NULL) + SOON);
	for (int i = 0; i < LIMIT / 4; i++)
		assert_true(enter(&test, 0, "a"));
	await_that(test.rig, is_full, &test);
	/* who died before the clock of Redis was set back is not there for so long */
	write_present(test.rig, "8", time(NULL) + LONG);
	for (int i = 0; i < LIMIT / 4; i++)
		limiter_leave(test.limiters[0], slice_of("a"));
	await_that(test.rig, has_room, &test);
	for (int i = 0; i < LIMIT / 2; i++)
		assert_true(enter(&test, 0, "a"));
	await_that(test.rig, is_told_beside, &test);
	/* the answer is behind what was told */
	for (int i = 0; i < LIMIT / 2; i++)
		assert_true(enter(&test, 0, "a"));
	end(&test);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(a_rate_is_spent_by_all_together),
		REDIS_TEST(who_is_at_another_proxy_counts),
		REDIS_TEST(who_has_left_leaves_nothing),
		REDIS_TEST(without_redis_a_proxy_counts_for_itself),
		REDIS_TEST(absurd_numbers_are_clamped),
		REDIS_TEST(keys_of_rates_end_by_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
