/* SPDX-License-Identifier: BSD-2-Clause */
/* cluster_members_test.c: proxies know of each other, and ask each other, and nobody else asks them. */
#include "shared_rig.h"

#include <time.h>

#include "state/cluster_members.h"

#ifdef HAVE_HIREDIS
static const char *const words[CLUSTER_QUESTION_WORDS] = { "one", "two", "three" };

struct side {
	struct cluster_members *members;
	struct cluster_poll poll;
	int questions, done;
	bool is_mute;			/* it answers nothing */
};

static int64_t
no_sessions(void)
{
	return 0;
}

static void
on_question(void *owner, const struct cluster_question *question, const char *subject,
    const char *const *asked)
{
	struct side *side = owner;

	assert_string_equal(subject, "what");
	for (int i = 0; i < CLUSTER_QUESTION_WORDS; i++)
		assert_string_equal(asked[i], words[i]);
	side->questions++;
	if (!side->is_mute)
		cluster_answer(side->members, question, 7);
}

static void
on_done(struct cluster_poll *poll)
{
	list_entry(poll, struct side, poll)->done++;
}

static bool
knows_all(void *arg)
{
	return cluster_members_count(((const struct side *)arg)->members) == PROXIES;
}

static void
start_side(struct side *side, struct rig *rig, int i)
{
	*side = (struct side){ .poll.on_done = on_done };
	side->members = cluster_members_new(rig->clusters[i], "1", no_sessions);
	cluster_members_on_question(side->members, on_question, side);
}

static void
begin(struct rig *rig, struct side sides[PROXIES])
{
	for (int i = 0; i < PROXIES; i++)
		start_side(&sides[i], rig, i);
	for (int i = 0; i < PROXIES; i++)
		await_that(rig, knows_all, &sides[i]);
}

static void
end(struct side sides[PROXIES])
{
	for (int i = 0; i < PROXIES; i++)
		cluster_members_free(&sides[i].members);
}

static bool
is_done(void *arg)
{
	return ((const struct side *)arg)->done > 0;
}

static bool
was_asked(void *arg)
{
	return ((const struct side *)arg)->questions > 0;
}

static void
proxies_answer_each_other(void **state)
{
	struct side sides[PROXIES];

	begin(*state, sides);
	cluster_ask(sides[0].members, &sides[0].poll, "what", words);
	await_that(*state, is_done, &sides[0]);
	assert_int_equal(sides[0].poll.answered, 1);
	assert_int_equal(sides[0].poll.sum, 7);
	end(sides);
}

static void
who_was_heard_of_later_than_now_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct side sides[PROXIES];
	char add[128];

	begin(rig, sides);
	snprintf(add, sizeof(add), "zadd gp:1:{proxies}:z %lld000 deadbeef", (long long)time(NULL) + 3600);
	run_cli(rig, add);
	cluster_ask(sides[0].members, &sides[0].poll, "what", words);
	await_that(rig, is_done, &sides[0]);
	for (int i = 0; i < PROXIES; i++)
		await_that(rig, knows_all, &sides[i]);
	run_cli(rig, "eval \"assert(not redis.call('zscore', KEYS[1], 'deadbeef'))\" 1 gp:1:{proxies}:z");
	end(sides);
}

static void
orders_without_signature_are_refused(void **state)
{
	struct rig *rig = *state;
	struct side sides[PROXIES];

	begin(rig, sides);
	begin_logging(rig);
	run_cli(rig, "publish gp:1:said "
		     "\"$(printf 'ask\\nff\\n1\\nlb9\\nwhat\\nforged\\ntwo\\nthree')\"");
	/* on_question would not bear the word; what is signed comes behind it */
	cluster_ask(sides[0].members, &sides[0].poll, "what", words);
	await_that(rig, is_done, &sides[0]);
	assert_int_equal(sides[0].poll.answered, 1);
	assert_int_equal(sides[1].questions, 1);
	end(sides);
	assert_int_equal(end_logging(rig, "an order is refused"), PROXIES);
}

static void
a_poll_under_way_ends_with_the_members(void **state)
{
	struct side sides[PROXIES];

	begin(*state, sides);
	sides[1].is_mute = true;
	cluster_ask(sides[0].members, &sides[0].poll, "what", words);
	await_that(*state, was_asked, &sides[1]);
	assert_int_equal(sides[0].done, 0);
	end(sides);
	assert_int_equal(sides[0].done, 1);
	assert_int_equal(sides[0].poll.asked, 1);
	assert_int_equal(sides[0].poll.answered, 0);
	cluster_poll_cancel(&sides[0].poll);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(proxies_answer_each_other),
		REDIS_TEST(who_was_heard_of_later_than_now_is_forgotten),
		REDIS_TEST(orders_without_signature_are_refused),
		REDIS_TEST(a_poll_under_way_ends_with_the_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
