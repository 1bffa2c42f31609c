/* SPDX-License-Identifier: BSD-2-Clause */
/* tally_test.c: what one thread counts another one reads, never torn and never less than before. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/tally.h"

enum { ROUNDS = 100000 };

#define BOTH_HALVES ((UINT64_C(1) << 32) + 1)

static void
adds_up(void **state)
{
	_Atomic uint64_t tally = 0;

	(void)state;
	tally_add(&tally, 3);
	tally_add(&tally, UINT64_C(1) << 40);
	assert_int_equal(tally_read(&tally), (UINT64_C(1) << 40) + 3);
}

static void
a_mean_forgets_what_is_long_ago(void **state)
{
	struct tally_mean mean = { 0 };

	(void)state;
	for (int i = 0; i < TALLY_MEAN_OF; i++)
		tally_mean_add(&mean, 100);
	assert_int_equal(tally_read(&mean.recent), 100 * TALLY_MEAN_OF);
	for (int i = 0; i < 10 * TALLY_MEAN_OF; i++)
		tally_mean_add(&mean, 7);
	assert_in_range(tally_read(&mean.recent) / TALLY_MEAN_OF, 7, 8);
	assert_int_equal(tally_read(&mean.count), 11 * TALLY_MEAN_OF);
	assert_int_equal(tally_read(&mean.total), 170 * TALLY_MEAN_OF);
	assert_int_equal(tally_read(&mean.most), 100);
	tally_reset(&mean.most);
	tally_mean_add(&mean, 5);
	assert_int_equal(tally_read(&mean.most), 5);
}

struct count {
	_Atomic uint64_t tally;
	atomic_bool is_done;
};

static void *
run(void *arg)
{
	struct count *count = arg;

	for (int i = 0; i < ROUNDS; i++)
		tally_add(&count->tally, BOTH_HALVES);
	atomic_store(&count->is_done, true);
	return NULL;
}

static void
may_be_read_meanwhile(void **state)
{
	struct count count = { 0 };
	uint64_t seen, before = 0;
	bool is_whole = true, grows = true;
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, run, &count), 0);
	while (!atomic_load(&count.is_done)) {
		seen = tally_read(&count.tally);
		is_whole = is_whole && seen >> 32 == (uint32_t)seen;
		grows = grows && seen >= before;
		before = seen;
	}
	pthread_join(writer, NULL);
	assert_true(is_whole);
	assert_true(grows);
	assert_int_equal(tally_read(&count.tally), ROUNDS * BOTH_HALVES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up),
		cmocka_unit_test(a_mean_forgets_what_is_long_ago),
		cmocka_unit_test(may_be_read_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
