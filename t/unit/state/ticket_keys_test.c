/* SPDX-License-Identifier: BSD-2-Clause */
/* ticket_keys_test.c: proxies have the same keys for tickets, and one of them makes a new one in time. */
#include "shared_rig.h"

#include <time.h>

#include "base/seal.h"
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
	run_cli(rig, "lset gp:1:{tickets:2} 0 '1 not sealed by any of us'");
	look_again(&one, 0, 1);
	start_side(&two, rig, 1, HOUR);
	await_that(rig, has_heard, &two);
	assert_int_equal(one.count, 1);
	assert_int_equal(two.count, 1);
	assert_memory_equal(one.heard[0], two.heard[0], TLS_TICKET_KEY_SIZE);
	ticket_keys_free(&one.keys);
	ticket_keys_free(&two.keys);
}

/* As a proxy would have done at the one time, and put into Redis as of the other. */
static void
put_key(struct rig *rig, int64_t sealed_at, int64_t since)
{
	uint8_t key[DIGEST_SHA256_SIZE];
	char plain[20 + TLS_TICKET_KEY_SIZE + 1] = "", command[200];
	struct buf sealed = { 0 };
	FILE *cli;

	snprintf(plain, sizeof(plain), "%020lld", (long long)sealed_at);
	assert_true(cluster_key(rig->clusters[0], "tickets", key));
	seal_make(key, slice_make(plain, sizeof(plain) - 1), &sealed);
	snprintf(command, sizeof(command), "redis-cli -s %s >/dev/null", rig->server.path);
	cli = popen(command, "w");
	assert_non_null(cli);
	fprintf(cli, "lpush gp:1:{tickets:2} \"%020lld ", (long long)since);
	for (size_t i = 0; i < buf_len(&sealed); i++)
		fprintf(cli, "\\x%02x", (unsigned char)buf_data(&sealed)[i]);
	fprintf(cli, "\"\n");
	assert_int_equal(pclose(cli), 0);
	buf_clear(&sealed);
}

static void
an_old_key_that_is_put_back_is_not_taken(void **state)
{
	enum { OLD = 10 };
	struct rig *rig = *state;
	struct side one, two;
	int64_t now = (int64_t)time(NULL) * 1000;

	start_side(&one, rig, 0, HOUR);
	await_that(rig, has_heard, &one);
	/* as it was, and with another date */
	put_key(rig, now - OLD * (int64_t)HOUR, now - OLD * (int64_t)HOUR);
	put_key(rig, now - OLD * (int64_t)HOUR, now);
	start_side(&two, rig, 1, HOUR);
	await_that(rig, has_heard, &two);
	assert_int_equal(two.count, 1);
	assert_memory_equal(one.heard[0], two.heard[0], TLS_TICKET_KEY_SIZE);
	/* one that is in its time is taken: it is the date that counts */
	put_key(rig, now, now);
	look_again(&two, 1, HOUR);
	assert_int_equal(two.count, 2);
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
		REDIS_TEST(an_old_key_that_is_put_back_is_not_taken),
		REDIS_TEST(another_secret_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
