/* SPDX-License-Identifier: BSD-2-Clause */
/* metric_test.c: rows are found by name and add up what several threads count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"

enum { THREADS = 3 };

#define DOOR_COUNTERS(row) \
	row(entered, "People who came in.") \
	row(left, "People who went out.")

struct door_counters {
	_Alignas(64) struct {
		DOOR_COUNTERS(METRIC_FIELD)
	};
};

struct door {
	const char *name;
	atomic_int inside, wide;
	struct door_counters counters[THREADS];
};

#define COUNTER_ROW(field, text) METRIC_COUNTER(struct door, field, text),
static const struct metric rows[] = {
	DOOR_COUNTERS(COUNTER_ROW)
	METRIC_GAUGE(struct door, inside, "People who are in."),
};
static const struct metric_table metrics = { "door", rows, sizeof(rows) / sizeof(rows[0]) };

static uint64_t
read_of(const struct door *door, const char *name, int threads)
{
	const struct metric *metric = metric_find(&metrics, slice_of(name));

	assert_non_null(metric);
	assert_string_equal(metric->name, name);
	return (uint64_t)metric_read(metric, door, threads);
}

static void
counters_add_up_over_threads(void **state)
{
	struct door door = { .name = "front" };

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		tally_add(&door.counters[i].entered, UINT64_C(1) << 40);
		tally_add(&door.counters[i].left, i + 1);
	}
	assert_int_equal(read_of(&door, "entered", THREADS), UINT64_C(3) << 40);
	assert_int_equal(read_of(&door, "left", THREADS), 6);
	assert_int_equal(read_of(&door, "left", 2), 3);
	assert_int_equal(read_of(&door, "left", 0), 0);
}

static void
a_gauge_is_read_once(void **state)
{
	struct door door = { .inside = 7, .wide = 90 };

	(void)state;
	assert_int_equal(read_of(&door, "inside", THREADS), 7);
	assert_int_equal(metric_find(&metrics, slice_of("inside"))->kind, METRIC_KIND_GAUGE);
	assert_int_equal(metric_find(&metrics, slice_of("left"))->kind, METRIC_KIND_COUNTER);
}

static void
each_field_of_the_list_has_its_row(void **state)
{
	(void)state;
	assert_int_equal(metrics.count, 3);
	assert_string_equal(metric_find(&metrics, slice_of("left"))->help, "People who went out.");
	assert_null(metric_find(&metrics, slice_of("wide")));
	assert_null(metric_find(&metrics, slice_of("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_add_up_over_threads),
		cmocka_unit_test(a_gauge_is_read_once),
		cmocka_unit_test(each_field_of_the_list_has_its_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
