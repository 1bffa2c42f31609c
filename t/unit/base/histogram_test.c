/* SPDX-License-Identifier: BSD-2-Clause */
/* histogram_test.c: what a number is known to, quantiles, and several threads' together. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

enum { ROUNDS = 100000 };

static uint64_t
only(uint64_t number)
{
	struct histogram histogram = { 0 };
	struct histogram_sum sum = { 0 };

	histogram_add(&histogram, number);
	histogram_read(&histogram, &sum);
	assert_int_equal(sum.count, 1);
	assert_int_equal(sum.total, number);
	assert_int_equal(histogram_at(&sum, 1), histogram_at(&sum, 1000));
	return histogram_at(&sum, 500);
}

static void
each_number_is_known_to_six_per_cent(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 3000; n++)
		assert_in_range(only(n), n - n * 63 / 1000, n + n * 63 / 1000);
	for (unsigned i = 12; i < 34; i++)
		for (uint64_t n = (UINT64_C(1) << i) - 1; n <= (UINT64_C(1) << i) + 1; n++)
			assert_in_range(only(n), n - n * 63 / 1000, n + n * 63 / 1000);
	/* what is out of all proportion is just large */
	assert_true(only(UINT64_C(1) << 34) > UINT64_C(15) << 30);
	assert_int_equal(only(UINT64_C(1) << 34), only(UINT64_MAX));
}

static void
quantiles_lie_in_order(void **state)
{
	struct histogram histogram = { 0 }, other = { 0 };
	struct histogram_sum sum = { 0 };

	(void)state;
	assert_int_equal(histogram_at(&sum, 500), 0);
	for (unsigned i = 1; i <= 900; i++)
		histogram_add(&histogram, 100);
	for (unsigned i = 1; i <= 99; i++)
		histogram_add(&other, 10000);
	histogram_add(&other, 1000000);
	histogram_read(&histogram, &sum);
	histogram_read(&other, &sum);
	assert_int_equal(sum.count, 1000);
	assert_int_equal(sum.total, 900 * 100 + 99 * 10000 + 1000000);
	assert_in_range(histogram_at(&sum, 1), 94, 106);
	assert_in_range(histogram_at(&sum, 900), 94, 106);
	assert_in_range(histogram_at(&sum, 901), 9400, 10600);
	assert_in_range(histogram_at(&sum, 999), 9400, 10600);
	assert_in_range(histogram_at(&sum, 1000), 940000, 1060000);
}

static void *
add_many(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		histogram_add(arg, i);
	return NULL;
}

static void
may_be_read_meanwhile(void **state)
{
	struct histogram histogram = { 0 };
	struct histogram_sum sum = { 0 };
	uint64_t before = 0;
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, add_many, &histogram), 0);
	for (int i = 0; i < 1000; i++) {
		sum = (struct histogram_sum){ 0 };
		histogram_read(&histogram, &sum);
		assert_true(sum.count >= before);
		before = sum.count;
	}
	pthread_join(writer, NULL);
	sum = (struct histogram_sum){ 0 };
	histogram_read(&histogram, &sum);
	assert_int_equal(sum.count, ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_known_to_six_per_cent),
		cmocka_unit_test(quantiles_lie_in_order),
		cmocka_unit_test(may_be_read_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
