/* SPDX-License-Identifier: BSD-2-Clause */
/* ticket_keys_test.c: proxies have the same keys for tickets, and one of them makes a new one in time. */
#include "shared_rig.h"

#include "state/ticket_keys.h"

#ifdef HAVE_HIREDIS
enum { HOUR = 3600 * 1000 };

struct side {
	struct rig *rig;
	struct ticket_keys *keys;
	uint8_t heard[TLS_TICKET_KEYS][TLS_TICKET_KEY_SIZE];
	int count, times;
};

static void
on_keys(void *owner, const uint8_t (*keys)[TLS_TICKET_KEY_SIZE], int count)
{
	struct side *side = owner;

	memcpy(side->heard, keys, (size_t)count * TLS_TICKET_KEY_SIZE);
	side->count = count;
	side->times++;
}

static void
start_side(struct side *side, struct rig *rig, int i, int64_t rotate_ms)
{
	*side = (struct side){ .rig = rig };
	side->keys = ticket_keys_new(&(struct ticket_keys_settings){ .cluster = rig->clusters[i],
		.rotate_ms = rotate_ms, .on_keys = on_keys, .owner = side });
	assert_non_null(side->keys);
}

static bool
has_heard(void *arg)
{
	return ((const struct side *)arg)->times > 0;
}

static void
look_again(struct side *side, int i, int64_t rotate_ms)
{
	struct rig *rig = side->rig;

	ticket_keys_free(&side->keys);
	start_side(side, rig, i, rotate_ms);
	await_that(rig, has_heard, side);
}

static void
proxies_have_the_same_keys(void **state)
{
	struct side one, two;

	start_side(&one, *state, 0, HOUR);
	start_side(&two, *state, 1, HOUR);
	await_that(*state, has_heard, &one);
	await_that(*state, has_heard, &two);
	assert_int_equal(one.count, 1);
	assert_int_equal(two.count, 1);
	assert_memory_equal(one.heard[0], two.heard[0], TLS_TICKET_KEY_SIZE);
	ticket_keys_free(&one.keys);
	ticket_keys_free(&two.keys);
}

static void
a_new_key_is_known_before_it_is_used(void **state)
{
	struct side one, two;
	uint8_t first[TLS_TICKET_KEY_SIZE];

	start_side(&one, *state, 0, HOUR);
	await_that(*state, has_heard, &one);
	memcpy(first, one.heard[0], sizeof(first));
	/* to this one it is old */
	start_side(&two, *state, 1, 1);
	await_that(*state, has_heard, &two);
	assert_int_equal(two.count, 2);
	assert_memory_equal(two.heard[0], first, sizeof(first));
	look_again(&two, 1, 1);
	look_again(&two, 1, 1);
	/* the first one has made room */
	assert_int_equal(two.count, TLS_TICKET_KEYS);
	for (int i = 0; i < two.count; i++)
		assert_memory_not_equal(two.heard[i], first, sizeof(first));
	ticket_keys_free(&one.keys);
	ticket_keys_free(&two.keys);
}

static void
another_secret_opens_nothing(void **state)
{
	struct rig *rig = *state;
	struct side one, two;

	start_side(&one, rig, 0, HOUR);
	await_that(rig, has_heard, &one);
	run_cli(rig, "lset gp:1:{tickets} 0 '1 not sealed by any of us'");
	start_side(&two, rig, 1, INT64_MAX / 1024);
	look_again(&one, 0, 1);
	assert_int_equal(two.times, 0);
	ticket_keys_free(&one.keys);
	ticket_keys_free(&two.keys);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(proxies_have_the_same_keys),
		REDIS_TEST(a_new_key_is_known_before_it_is_used),
		REDIS_TEST(another_secret_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
