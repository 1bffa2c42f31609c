/* SPDX-License-Identifier: BSD-2-Clause */
/* clock_test.c: times that go forward, at the pace of the monotonic clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static int64_t
read_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
lies_between_two_readings(void **state)
{
	int64_t before = read_ms(), ours = clock_ms(), after = read_ms();

	(void)state;
	assert_true(before <= ours && ours <= after);
}

static void
microseconds_are_of_the_same_clock(void **state)
{
	int64_t before = clock_ms(), ours = clock_us(), after = clock_ms();

	(void)state;
	assert_true(before <= ours / 1000 && ours / 1000 <= after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lies_between_two_readings),
		cmocka_unit_test(microseconds_are_of_the_same_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
