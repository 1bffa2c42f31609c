/* SPDX-License-Identifier: BSD-2-Clause */
/* table_test.c: entries vanish when their time is up, without a timer; growth; many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/xalloc.h"
#include "state/table.h"

enum { NAME_MAX_LEN = 24 };

static atomic_int cleared;		/* counted on several threads */

struct value {
	char *text;
	int number;
};

static void
clear(void *value)
{
	struct value *v = value;

	xfree(v->text);
	atomic_fetch_add(&cleared, 1);
}

static struct slice
name_of(int number, char out[NAME_MAX_LEN])
{
	snprintf(out, NAME_MAX_LEN, "user%d", number);
	return slice_of(out);
}

static void
put(struct table *table, const char *name, int number, int64_t now, int64_t expires)
{
	struct table_entry *entry = table_lock(table, slice_of(name), now, true);
	struct value *value = table_value(entry);

	value->number = number;
	table_unlock(table, entry, expires);
}

/* The number, or 0 where there is none. */
static int
look(struct table *table, const char *name, int64_t now)
{
	struct table_entry *entry = table_lock(table, slice_of(name), now, false);
	int number;

	if (entry == NULL)
		return 0;
	number = ((struct value *)table_value(entry))->number;
	table_unlock(table, entry, table_expires(entry));
	return number;
}

static void
entries_live_until_their_time(void **state)
{
	struct table *table = table_new(sizeof(struct value), clear);
	struct table_entry *entry;
	struct value *value;

	(void)state;
	atomic_store(&cleared, 0);
	assert_int_equal(look(table, "a", 1), 0);
	put(table, "a", 7, 1, 100);
	assert_int_equal(look(table, "a", 99), 7);
	assert_int_equal(look(table, "A", 99), 0);
	assert_int_equal(look(table, "", 99), 0);
	assert_int_equal(atomic_load(&cleared), 0);
	assert_int_equal(look(table, "a", 100), 0);
	assert_int_equal(atomic_load(&cleared), 1);
	assert_int_equal(table_count(table), 0);

	/* another one of the same name is zero again, aligned, and the time can be changed */
	entry = table_lock(table, slice_of("a"), 100, true);
	value = table_value(entry);
	assert_null(value->text);
	assert_int_equal(value->number, 0);
	assert_int_equal((uintptr_t)value % sizeof(void *), 0);
	value->text = xstrdup("owned");
	value->number = 8;
	table_unlock(table, entry, TABLE_FOREVER);
	assert_int_equal(look(table, "a", INT64_MAX - 1), 8);
	table_relock(table, entry);
	assert_int_equal(table_expires(entry), TABLE_FOREVER);
	table_unlock(table, entry, 0);
	assert_int_equal(look(table, "a", 100), 0);
	assert_int_equal(atomic_load(&cleared), 2);

	/* what is there at the end is cleared too; names may be anything */
	put(table, "", 1, 100, TABLE_FOREVER);
	assert_int_equal(look(table, "", 100), 1);
	entry = table_lock(table, slice_make("x\0y", 3), 100, true);
	((struct value *)table_value(entry))->text = xstrdup("owned");
	table_unlock(table, entry, 200);
	assert_int_equal(look(table, "x", 100), 0);
	table_free(&table);
	assert_null(table);
	table_free(&table);
	assert_int_equal(atomic_load(&cleared), 4);
}

/* Calls about other names meet what has expired. */
static void
others_sweep_what_has_expired(void **state)
{
	enum { ENTRIES = 5000 };
	struct table *table = table_new(sizeof(struct value), clear);
	char name[NAME_MAX_LEN];

	(void)state;
	atomic_store(&cleared, 0);
	for (int i = 0; i < ENTRIES; i++)
		put(table, name_of(i, name).data, i, 1, 100);
	put(table, "stays", 1, 1, TABLE_FOREVER);
	assert_int_equal(table_count(table), ENTRIES + 1);
	for (int i = 0; i < ENTRIES * 4; i++)
		look(table, name_of(ENTRIES + i, name).data, 100);
	assert_int_equal(table_count(table), 1);
	assert_int_equal(atomic_load(&cleared), ENTRIES);
	assert_int_equal(look(table, "stays", 100), 1);
	table_free(&table);
}

static void
growth_loses_nothing(void **state)
{
	enum { ENTRIES = 100000 };
	struct table *table = table_new(sizeof(int), NULL);
	char name[NAME_MAX_LEN];

	(void)state;
	for (int i = 0; i < ENTRIES; i++) {
		struct table_entry *entry = table_lock(table, name_of(i, name), 1, true);

		*(int *)table_value(entry) = i;
		table_unlock(table, entry, 1000);
	}
	assert_int_equal(table_count(table), ENTRIES);
	for (int i = 0; i < ENTRIES; i++) {
		struct table_entry *entry = table_lock(table, name_of(i, name), 999, false);

		assert_non_null(entry);
		assert_int_equal(*(int *)table_value(entry), i);
		table_unlock(table, entry, table_expires(entry));
	}
	table_free(&table);
}

/* Threads count the same names up; entries come and go meanwhile. */
enum { THREADS = 4, ROUNDS = 20000, NAMES = 64 };

static void *
count_up(void *arg)
{
	struct table *table = arg;
	char name[NAME_MAX_LEN];

	for (int i = 0; i < ROUNDS; i++) {
		struct table_entry *entry = table_lock(table, name_of(i % NAMES, name), i, true);

		((struct value *)table_value(entry))->number++;
		table_unlock(table, entry, TABLE_FOREVER);
		entry = table_lock(table, name_of(NAMES + i, name), i, true);
		xfree(((struct value *)table_value(entry))->text);
		((struct value *)table_value(entry))->text = xstrdup("owned");
		table_unlock(table, entry, i + 10);
	}
	return NULL;
}

static void
threads_share_it(void **state)
{
	struct table *table = table_new(sizeof(struct value), clear);
	pthread_t threads[THREADS];
	char name[NAME_MAX_LEN];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, table), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < NAMES; i++)
		assert_int_equal(look(table, name_of(i, name).data, 1),
		    THREADS * (ROUNDS / NAMES + (i < ROUNDS % NAMES)));
	assert_true(table_count(table) < ROUNDS);
	table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_live_until_their_time),
		cmocka_unit_test(others_sweep_what_has_expired),
		cmocka_unit_test(growth_loses_nothing),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
