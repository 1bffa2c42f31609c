/* SPDX-License-Identifier: BSD-2-Clause */
/* map_test.c: setting, replacing and removing, while the table grows and closes gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/map.h"

enum { MANY = 5000 };

static struct slice
name_of(int i, char out[16])
{
	snprintf(out, 16, "user%d", i);
	return slice_of(out);
}

static void
sets_replaces_removes(void **state)
{
	struct map *map = map_new();
	int one = 1, two = 2;

	(void)state;
	assert_null(map_get(map, slice_of("a")));
	assert_null(map_remove(map, slice_of("a")));
	map_set(map, slice_of("a"), &one);
	map_set(map, slice_make("a\0b", 3), &two);
	map_set(map, slice_of(""), &two);
	assert_ptr_equal(map_get(map, slice_of("a")), &one);
	assert_ptr_equal(map_get(map, slice_make("a\0b", 3)), &two);
	assert_ptr_equal(map_get(map, slice_make(NULL, 0)), &two);
	map_set(map, slice_of("a"), &two);
	assert_int_equal(map_count(map), 3);
	assert_ptr_equal(map_remove(map, slice_of("a")), &two);
	assert_null(map_get(map, slice_of("a")));
	assert_int_equal(map_count(map), 2);
	map_free(&map);
	assert_null(map);
	map_free(&map);
}

static void
names_are_copied(void **state)
{
	struct map *map = map_new();
	char name[] = "first";
	int one = 1;

	(void)state;
	map_set(map, slice_of(name), &one);
	memcpy(name, "other", 5);
	assert_ptr_equal(map_get(map, slice_of("first")), &one);
	assert_null(map_get(map, slice_of("other")));
	map_free(&map);
}

/* Every removal is checked against all that must still be there. */
static void
removal_loses_nobody(void **state)
{
	static int values[MANY];
	struct map *map = map_new();
	char name[16];

	(void)state;
	for (int i = 0; i < MANY; i++)
		map_set(map, name_of(i, name), &values[i]);
	assert_int_equal(map_count(map), MANY);
	for (int i = 0; i < MANY; i += 2)
		assert_ptr_equal(map_remove(map, name_of(i, name)), &values[i]);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(map, name_of(i, name)), i % 2 == 0 ? NULL : &values[i]);
	for (int i = 0; i < MANY; i += 2)
		map_set(map, name_of(i, name), &values[i]);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(map_remove(map, name_of(i, name)), &values[i]);
	assert_int_equal(map_count(map), 0);
	map_free(&map);
}

static void
add_value(const char *name, void *value, void *arg)
{
	assert_string_equal(name, *(int *)value == 1 ? "one" : "ten");
	*(int *)arg += *(int *)value;
}

static void
each_is_called_once(void **state)
{
	struct map *map = map_new();
	int one = 1, ten = 10, sum = 0;

	(void)state;
	map_each(map, add_value, &sum);
	assert_int_equal(sum, 0);
	map_set(map, slice_of("one"), &one);
	map_set(map, slice_of("ten"), &ten);
	map_each(map, add_value, &sum);
	assert_int_equal(sum, 11);
	map_free(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_replaces_removes),
		cmocka_unit_test(names_are_copied),
		cmocka_unit_test(removal_loses_nobody),
		cmocka_unit_test(each_is_called_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
