/* SPDX-License-Identifier: BSD-2-Clause */
/* counter_redis_test.c: what one proxy counts, the others know, through a real Redis. */
#include "shared_rig.h"

#include "state/counter_redis.h"

#ifdef HAVE_HIREDIS
enum { SHARED, OWN, SPACES, MINUTE = 60 * 1000 };

struct test {
	struct rig *rig;
	struct counters *counters[PROXIES];
	/* what is_known waits for */
	int proxy;
	const char *name;
	int64_t wanted;
};

static const size_t limits[SPACES] = { 1 << 16, 1000 };

static void
start_counters(struct test *test, int i)
{
	const struct counter_sharing sharing = { test->rig->clusters[i], "test", 1u << SHARED };

	test->counters[i] = counters_new_shared(&sharing, limits, SPACES);
}

static struct test
begin(void **state)
{
	struct test test = { .rig = *state };

	for (int i = 0; i < PROXIES; i++)
		start_counters(&test, i);
	return test;
}

static void
end(struct test *test)
{
	for (int i = 0; i < PROXIES; i++)
		counters_free(&test->counters[i]);
}

struct asked {
	struct counter_request request;
	int answers;
};

static void
on_answer(struct counter_request *request, bool is_known)
{
	assert_true(is_known);
	list_entry(request, struct asked, request)->answers++;
}

static int64_t
act(struct test *test, int proxy, struct counter_wish wish)
{
	struct asked asked = { .request = { .loop = test->rig->loop, .wishes = &wish, .count = 1,
		.now = loop_now(test->rig->loop), .on_answer = on_answer } };

	counter_ask(test->counters[proxy], &asked.request);
	/* nobody waits for Redis */
	assert_int_equal(asked.answers, 1);
	return wish.value;
}

static int64_t
add(struct test *test, int proxy, int space, const char *name)
{
	return act(test, proxy, (struct counter_wish){ .act = COUNTER_ADD, .space = space,
	    .name = slice_of(name), .window_ms = MINUTE });
}

static int64_t
set(struct test *test, int proxy, const char *name, int64_t value)
{
	return act(test, proxy, (struct counter_wish){ .act = COUNTER_SET, .space = SHARED,
	    .name = slice_of(name), .window_ms = MINUTE, .value = value });
}

static bool
is_known(void *arg)
{
	struct test *test = arg;
	struct counters *counters = test->counters[test->proxy];

	return counter_look(counters, SHARED, slice_of(test->name), loop_now(test->rig->loop)) ==
	    test->wanted;
}

static void
await_value(struct test *test, int proxy, const char *name, int64_t wanted)
{
	test->proxy = proxy;
	test->name = name;
	test->wanted = wanted;
	await_that(test->rig, is_known, test);
}

static void
what_proxies_count_adds_up(void **state)
{
	struct test test = begin(state);

	for (int i = 0; i < 3; i++)
		assert_int_equal(add(&test, 0, SHARED, "a"), i + 1);
	await_value(&test, 1, "a", 3);
	assert_int_equal(add(&test, 1, SHARED, "a"), 4);
	add(&test, 0, SHARED, "a");
	await_value(&test, 0, "a", 5);
	await_value(&test, 1, "a", 5);
	end(&test);
}

static void
a_space_that_is_not_shared_stays_here(void **state)
{
	struct test test = begin(state);

	add(&test, 0, OWN, "a");
	add(&test, 0, SHARED, "b");
	await_value(&test, 1, "b", 1);
	assert_int_equal(counter_look(test.counters[1], OWN, slice_of("a"), loop_now(test.rig->loop)), 0);
	assert_int_equal(counter_look(test.counters[0], OWN, slice_of("a"), loop_now(test.rig->loop)), 1);
	end(&test);
}

static void
a_set_ends_what_was_counted_everywhere(void **state)
{
	struct test test = begin(state);

	add(&test, 0, SHARED, "a");
	add(&test, 1, SHARED, "a");
	await_value(&test, 0, "a", 2);
	await_value(&test, 1, "a", 2);
	assert_int_equal(set(&test, 1, "a", 0), 2);
	await_value(&test, 0, "a", 0);
	/* a mark that is there is no news */
	assert_int_equal(set(&test, 0, "m", 1), 0);
	await_value(&test, 1, "m", 1);
	assert_int_equal(set(&test, 1, "m", 1), 1);
	end(&test);
}

static void
who_comes_later_learns_it_all(void **state)
{
	enum { NAMES = 700 };		/* more than a page, and some batches */
	struct test test = begin(state);
	char name[16];

	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		add(&test, 0, SHARED, name);
	}
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		await_value(&test, 1, name, 1);
	}
	counters_free(&test.counters[1]);
	end_proxy(test.rig, 1);
	start_proxy(test.rig, 1);
	start_counters(&test, 1);
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		await_value(&test, 1, name, 1);
	}
	end(&test);
}

static bool
is_up_again(void *arg)
{
	const struct rig *rig = arg;

	return cluster_is_up(rig->clusters[0], rig->loop) && cluster_is_up(rig->clusters[1], rig->loop);
}

static void
without_redis_each_counts_for_itself(void **state)
{
	struct test test = begin(state);

	add(&test, 0, SHARED, "a");
	await_value(&test, 1, "a", 1);
	redis_server_stop(&test.rig->server);
	assert_int_equal(add(&test, 0, SHARED, "a"), 2);
	assert_int_equal(add(&test, 1, SHARED, "a"), 2);
	redis_server_start(&test.rig->server, "");
	await_server(test.rig);
	await_that(test.rig, is_up_again, test.rig);
	assert_int_equal(add(&test, 0, SHARED, "b"), 1);
	await_value(&test, 1, "b", 1);
	end(&test);
}

static bool
no_key_is_left(void *arg)
{
	return count_keys(((struct test *)arg)->rig) == 0;
}

static void
keys_end_with_their_counters(void **state)
{
	struct test test = begin(state);

	act(&test, 0, (struct counter_wish){ .act = COUNTER_ADD, .space = SHARED, .name = slice_of("a"),
	    .window_ms = 400 });
	await_value(&test, 1, "a", 1);
	await_that(test.rig, no_key_is_left, &test);
	end(&test);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(what_proxies_count_adds_up),
		REDIS_TEST(a_space_that_is_not_shared_stays_here),
		REDIS_TEST(a_set_ends_what_was_counted_everywhere),
		REDIS_TEST(who_comes_later_learns_it_all),
		REDIS_TEST(without_redis_each_counts_for_itself),
		REDIS_TEST(keys_end_with_their_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
