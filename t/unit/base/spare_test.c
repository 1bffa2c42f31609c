/* SPDX-License-Identifier: BSD-2-Clause */
/* spare_test.c: who gets something from the spare, and that it is whole again when all is given back. */
#include "base/spare.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/xalloc.h"

enum { MIB = 1 << 20 };

static void
nobody_gets_what_was_not_begun(void **state)
{
	(void)state;
	assert_null(spare_take(1));
	assert_false(spare_is_used());
	spare_begin();
	assert_false(spare_is_used());
	spare_end();
	assert_null(spare_take(1));
}

static void
it_serves_and_tells(void **state)
{
	char *a, *b;

	(void)state;
	spare_begin();
	a = spare_take(100);
	b = spare_take(0);
	assert_non_null(a);
	assert_non_null(b);
	assert_true(spare_is_used());
	assert_int_equal((uintptr_t)a % SPARE_ALIGN, 0);
	assert_int_equal((uintptr_t)b % SPARE_ALIGN, 0);
	memset(a, 'a', 100);
	assert_true(spare_owns(a) && spare_owns(a + 99));
	assert_int_equal(spare_size(a), 100);
	assert_false(spare_owns(NULL) || spare_owns(&a));
	xfree(a);
	xfree(b);
	spare_end();
	spare_begin();
	assert_false(spare_is_used());
	spare_end();
}

static void
what_grows_leaves_it(void **state)
{
	char *p;

	(void)state;
	spare_begin();
	p = spare_take(5);
	memcpy(p, "abcd", 5);
	p = xrealloc(p, 3 * MIB);
	assert_false(spare_owns(p));
	assert_string_equal(p, "abcd");
	xfree(p);
	spare_end();
}

static void
it_ends(void **state)
{
	void *p, *q;

	(void)state;
	spare_begin();
	assert_null(spare_take(5 * MIB));
	assert_null(spare_take(SIZE_MAX));
	p = spare_take(3 * MIB);
	assert_non_null(p);
	assert_null(spare_take(MIB));
	q = spare_take(MIB / 2);
	assert_non_null(q);
	spare_end();

	/* low, but malloc has memory */
	spare_begin();
	assert_false(spare_is_used());
	xfree(p);
	assert_null(spare_take(MIB * 7 / 2));
	xfree(q);
	p = spare_take(MIB * 7 / 2);
	assert_non_null(p);
	xfree(p);
	spare_end();
}

/* What stays, wherever it lies, does not keep what was around it. */
static void
all_but_what_stays_comes_back(void **state)
{
	enum { COUNT = 300 };
	void *stays[COUNT], *goes[COUNT];

	(void)state;
	spare_begin();
	for (int i = 0; i < COUNT; i++) {
		for (int k = 0; k < COUNT; k++)
			goes[k] = spare_take((size_t)k);
		stays[i] = spare_take(100);
		for (int k = COUNT - 1; k >= 0; k--)
			xfree(goes[(k + i) % COUNT]);
		assert_non_null(stays[i]);
	}
	for (int i = 0; i < COUNT; i++)
		xfree(stays[i]);
	stays[0] = spare_take(MIB * 7 / 2);
	assert_non_null(stays[0]);
	xfree(stays[0]);
	spare_end();
}

static void *
take_and_free(void *arg)
{
	assert_null(spare_take(1));
	xfree(arg);
	return NULL;
}

static void
only_the_thread_that_began_takes_but_all_give_back(void **state)
{
	pthread_t thread;
	void *p;

	(void)state;
	spare_begin();
	p = spare_take(MIB * 7 / 2);
	assert_int_equal(pthread_create(&thread, NULL, take_and_free, p), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	p = spare_take(MIB * 7 / 2);
	assert_non_null(p);
	xfree(p);
	spare_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_gets_what_was_not_begun),
		cmocka_unit_test(it_serves_and_tells),
		cmocka_unit_test(what_grows_leaves_it),
		cmocka_unit_test(it_ends),
		cmocka_unit_test(all_but_what_stays_comes_back),
		cmocka_unit_test(only_the_thread_that_began_takes_but_all_give_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
