/* SPDX-License-Identifier: BSD-2-Clause */
/* turn_heap_test.c: the earliest comes first, the lowest number of one time, and times wrap around. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/turn_heap.h"

enum { ROOM = 512 };

static void
gives_the_earliest_first(void **state)
{
	struct turn_heap_entry room[ROOM];
	struct turn_heap heap = { .entries = room };
	uint64_t times[ROOM], before = 0;

	(void)state;
	for (size_t i = 0; i < ROOM; i++) {
		times[i] = i * 7919 % 1009;
		turn_heap_push(&heap, times[i], i);
	}
	for (size_t i = 0; i < ROOM; i++) {
		size_t first = turn_heap_pop(&heap);

		assert_true(times[first] >= before);
		before = times[first];
	}
	assert_int_equal(heap.count, 0);
}

static void
of_one_time_the_lowest_number_is_first(void **state)
{
	struct turn_heap_entry room[5];
	struct turn_heap heap = { .entries = room };

	(void)state;
	for (size_t i = 5; i-- > 0;)
		turn_heap_push(&heap, 9, i);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(turn_heap_pop(&heap), i);
}

static void
times_wrap_around(void **state)
{
	struct turn_heap_entry room[3];
	struct turn_heap heap = { .entries = room };

	(void)state;
	turn_heap_push(&heap, 2, 0);
	turn_heap_push(&heap, UINT64_MAX, 1);
	turn_heap_push(&heap, UINT64_MAX - 5, 2);
	assert_int_equal(turn_heap_pop(&heap), 2);
	assert_int_equal(turn_heap_pop(&heap), 1);
	assert_int_equal(turn_heap_pop(&heap), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_earliest_first),
		cmocka_unit_test(of_one_time_the_lowest_number_is_first),
		cmocka_unit_test(times_wrap_around),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
