/* SPDX-License-Identifier: BSD-2-Clause */
/* list_test.c: order, removal while walking, and nodes that are in no list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
	int number;
	struct list node;
};

static int
join(struct list *head)
{
	int digits = 0;

	list_each(node, head)
		digits = digits * 10 + list_entry(node, struct item, node)->number;
	return digits;
}

static void
keeps_order(void **state)
{
	struct list head;
	struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	for (int i = 0; i < 3; i++)
		list_append(&head, &items[i].node);
	assert_int_equal(join(&head), 123);
	list_remove(&items[1].node);
	assert_int_equal(join(&head), 13);
	list_append(&head, &items[1].node);
	assert_int_equal(join(&head), 132);
}

static void
current_may_be_removed(void **state)
{
	struct list head;
	struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };

	(void)state;
	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &items[i].node);
	list_each(node, &head)
		if (list_entry(node, struct item, node)->number != 2)
			list_remove(node);
	assert_int_equal(join(&head), 2);
}

static void
removing_twice_is_harmless(void **state)
{
	struct list head;
	struct item a = { .number = 1 }, b = { .number = 2 }, never = { 0 };

	(void)state;
	list_init(&head);
	list_append(&head, &a.node);
	list_append(&head, &b.node);
	list_remove(&a.node);
	list_remove(&a.node);
	list_remove(&never.node);
	assert_true(list_is_empty(&a.node));
	assert_true(list_is_empty(&never.node));
	assert_int_equal(join(&head), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(current_may_be_removed),
		cmocka_unit_test(removing_twice_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
