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

/* Names that anybody makes up do not fill the memory; what would expire first goes. */
static void
a_limit_holds(void **state)
{
	enum { LIMIT = 6400, NAMES_MADE_UP = 200000 };
	struct table *table = table_new(sizeof(struct value), clear);
	char name[NAME_MAX_LEN];
	size_t full;
	int old = 0, young = 0;

	(void)state;
	atomic_store(&cleared, 0);
	table_set_limit(table, LIMIT);
	for (int i = 0; i < LIMIT; i++)
		put(table, name_of(i, name).data, 1, 1, i % 2 == 0 ? 1000 : 2000);
	full = table_count(table);
	assert_in_range(full, LIMIT * 9 / 10, LIMIT);
	for (int i = LIMIT; i < LIMIT + LIMIT / 4; i++)
		put(table, name_of(i, name).data, 1, 1, 3000);
	for (int i = 0; i < LIMIT; i += 2) {
		old += look(table, name_of(i, name).data, 1);
		young += look(table, name_of(i + 1, name).data, 1);
	}
	assert_true(young - old > LIMIT / 8);
	for (int i = 0; i < NAMES_MADE_UP; i++) {
		put(table, name_of(2 * LIMIT + i, name).data, 1, 1, 4000 + i);
		assert_true(i % 1000 != 0 || table_count(table) <= LIMIT);
	}
	/* the one that came last is there, whatever its time */
	put(table, "soon", 1, 1, 2);
	assert_int_equal(look(table, "soon", 1), 1);
	/* a lower limit is reached as others come, and without one all may */
	table_set_limit(table, LIMIT / 4);
	for (int i = 0; i < LIMIT * 2; i++)
		put(table, name_of(i, name).data, 1, 1, 1000000);
	assert_true(table_count(table) <= LIMIT / 4);
	table_set_limit(table, 0);
	for (int i = 0; i < LIMIT * 2; i++)
		put(table, name_of(i, name).data, 1, 1, 1000000);
	assert_int_equal(table_count(table), LIMIT * 2);
	table_free(&table);
}

static void
what_lives_for_ever_stays(void **state)
{
	enum { HELD = 1000 };
	struct table *table = table_new(sizeof(struct value), clear);
	char name[NAME_MAX_LEN];

	(void)state;
	table_set_limit(table, 1);
	for (int i = 0; i < HELD; i++) {
		put(table, name_of(i, name).data, 1, 1, TABLE_FOREVER);
		put(table, name_of(HELD + i, name).data, 1, 1, 100);
	}
	for (int i = 0; i < HELD; i++)
		assert_int_equal(look(table, name_of(i, name).data, 1), 1);
	assert_true(table_count(table) < 2 * HELD);
	table_free(&table);
}

/* With one name a shard at a time there would be nothing to choose from: these fill all of them. */
static void
who_is_used_stays(void **state)
{
	enum { LIMIT = 6400, USED = 64, OTHERS = 20 * LIMIT };
	struct table *table = table_new_lru(sizeof(struct value), clear);
	char name[NAME_MAX_LEN];

	(void)state;
	atomic_store(&cleared, 0);
	table_set_limit(table, LIMIT);
	for (int i = 0; i < USED; i++)
		put(table, name_of(i, name).data, i + 1, 1, 1000);
	/* they would all expire later than those who are used */
	for (int i = 0; i < OTHERS; i++) {
		put(table, name_of(USED + i, name).data, 1, 1, 2000);
		look(table, name_of(i % USED, name).data, 1);
		assert_true(i % 1000 != 0 || table_count(table) <= LIMIT);
	}
	for (int i = 0; i < USED; i++)
		assert_int_equal(look(table, name_of(i, name).data, 1), i + 1);
	/* the youngest of the others are there, the oldest are not */
	for (int i = 1; i <= LIMIT / 4; i++) {
		assert_int_equal(look(table, name_of(USED + OTHERS - i, name).data, 1), 1);
		assert_int_equal(look(table, name_of(USED + i, name).data, 1), 0);
	}
	table_free(&table);
	assert_int_equal(atomic_load(&cleared), USED + OTHERS);
}

/* What was given up at once takes nobody's place, and what is held makes no room. */
static void
what_is_of_no_use_makes_room_first(void **state)
{
	enum { LIMIT = 6400, KEPT = LIMIT / 2, HELD = 100, GUESSES = 20 * LIMIT };
	struct table *table = table_new_lru(sizeof(struct value), clear);
	char name[NAME_MAX_LEN];

	(void)state;
	table_set_limit(table, LIMIT);
	for (int i = 0; i < KEPT; i++)
		put(table, name_of(i, name).data, i + 1, 1, i < HELD ? TABLE_FOREVER : 1000);
	/* at this time none of them has expired yet: nothing sweeps them */
	for (int i = 0; i < GUESSES; i++)
		put(table, name_of(KEPT + i, name).data, 1, -1, 0);
	assert_true(table_count(table) <= LIMIT);
	for (int i = 0; i < KEPT; i++)
		assert_int_equal(look(table, name_of(i, name).data, 1), i + 1);
	for (int i = 0; i < GUESSES; i++)
		put(table, name_of(KEPT + i, name).data, 1, 1, 1000);
	for (int i = 0; i < HELD; i++)
		assert_int_equal(look(table, name_of(i, name).data, 1), i + 1);
	table_free(&table);
}

struct walk {
	struct table *table;
	int seen[4000];
	int visits, most;
};

static void
on_visit(struct slice name, void *value, int64_t expires, void *arg)
{
	struct walk *walk = arg;
	uint64_t number;

	(void)expires;
	name = slice_make(name.data + strlen("user"), name.len - strlen("user"));
	assert_true(slice_to_number(name, 3999, &number));
	assert_int_equal(((struct value *)value)->number, number + 1);
	walk->seen[number]++;
	walk->visits++;
}

static void
walk_on(struct walk *walk, uint64_t *cursor, int64_t now)
{
	int before = walk->visits;

	*cursor = table_walk(walk->table, *cursor, now, on_visit, walk);
	if (walk->visits - before > walk->most)
		walk->most = walk->visits - before;
}

static void
a_walk_meets_all_that_live(void **state)
{
	enum { BEFORE = 1000, ALL = 4000 };
	struct walk walk = { .table = table_new(sizeof(struct value), clear) };
	uint64_t cursor = 0;
	char name[NAME_MAX_LEN];
	int steps = 0;

	(void)state;
	walk_on(&walk, &cursor, 1);
	while (cursor != 0)
		walk_on(&walk, &cursor, 1);
	assert_int_equal(walk.visits, 0);
	for (int i = 0; i < BEFORE; i++)
		put(walk.table, name_of(i, name).data, i + 1, 1, i % 2 == 0 ? 100 : TABLE_FOREVER);
	/* the table grows meanwhile */
	do {
		walk_on(&walk, &cursor, 99);
		for (int i = BEFORE + steps * 100; i < ALL && i < BEFORE + (steps + 1) * 100; i++)
			put(walk.table, name_of(i, name).data, i + 1, 1, TABLE_FOREVER);
		steps++;
	} while (cursor != 0);
	for (int i = 0; i < BEFORE; i++)
		assert_true(walk.seen[i] >= 1);
	assert_true(walk.most < 300);
	/* what has expired is met by nobody, and gone */
	walk = (struct walk){ .table = walk.table };
	do {
		walk_on(&walk, &cursor, 100);
	} while (cursor != 0);
	for (int i = 0; i < ALL; i++)
		assert_int_equal(walk.seen[i], i >= BEFORE || i % 2 == 1);
	assert_int_equal(table_count(walk.table), ALL - BEFORE / 2);
	table_free(&walk.table);
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
look_at(struct slice name, void *value, int64_t expires, void *arg)
{
	const struct value *v = value;
	size_t *total = arg;

	(void)expires;
	*total += name.len + (v->text != NULL ? strlen(v->text) : 0);
}

/* Somebody lists them meanwhile, and changes the limit. */
static void *
walk_around(void *arg)
{
	struct table *table = arg;
	size_t total = 0;
	uint64_t cursor = 0;

	for (int i = 0; i < ROUNDS; i++) {
		cursor = table_walk(table, cursor, 0, look_at, &total);
		table_set_limit(table, i % 2 == 0 ? 0 : 500);
	}
	return NULL;
}

static void
threads_share_it(void **state)
{
	struct table *table = table_new(sizeof(struct value), clear);
	pthread_t threads[THREADS], walker;
	char name[NAME_MAX_LEN];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, table), 0);
	assert_int_equal(pthread_create(&walker, NULL, walk_around, table), 0);
	pthread_join(walker, NULL);
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
		cmocka_unit_test(a_limit_holds),
		cmocka_unit_test(what_lives_for_ever_stays),
		cmocka_unit_test(who_is_used_stays),
		cmocka_unit_test(what_is_of_no_use_makes_room_first),
		cmocka_unit_test(a_walk_meets_all_that_live),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
