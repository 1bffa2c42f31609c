/* SPDX-License-Identifier: BSD-2-Clause */
/* waiter_test.c: what is handed out reaches the oldest, or comes back. */
#include "tape.h"

#include <pthread.h>
#include <stdatomic.h>

#include "net/waiter.h"

enum { HAND_OUTS = 500 };

struct seat {				/* somebody who waits */
	struct waiter *slot;
	struct loop *loop;
	int woken;
	int *order, rank;
};

static atomic_int came_back;		/* counted on several threads */

static void
on_wake(void *owner)
{
	struct seat *seat = owner;

	assert_null(seat->slot);
	seat->woken++;
	if (seat->order != NULL)
		seat->rank = ++*seat->order;
	loop_stop(seat->loop);
}

static void
on_unclaimed(void *owner)
{
	atomic_fetch_add(&came_back, 1);
	assert_non_null(owner);
}

static void
the_oldest_is_woken_first_and_once(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	int order = 0;
	struct seat first = { .loop = loop, .order = &order }, second = first;

	(void)state;
	waiter_list_init(&list, on_unclaimed, &list);
	assert_false(waiter_wake_one(&list));
	waiter_add(&list, loop, on_wake, &first, &first.slot);
	waiter_add(&list, loop, on_wake, &second, &second.slot);
	assert_int_equal(waiter_count(&list), 2);
	assert_true(waiter_wake_one(&list));
	assert_int_equal(first.woken, 0);
	assert_int_equal(waiter_count(&list), 1);
	assert_true(waiter_wake_one(&list));
	await(loop, &second.woken, 1);
	assert_int_equal(first.rank, 1);
	assert_int_equal(second.rank, 2);
	assert_int_equal(first.woken, 1);
	assert_false(waiter_wake_one(&list));
	waiter_cancel(&first.slot);
	waiter_list_clear(&list);
	loop_free(&loop);
}

static void
the_cancelled_are_passed_over(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	struct seat gone = { .loop = loop }, here = gone;

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, on_unclaimed, &list);
	waiter_add(&list, loop, on_wake, &gone, &gone.slot);
	waiter_add(&list, loop, on_wake, &here, &here.slot);
	waiter_cancel(&gone.slot);
	assert_null(gone.slot);
	assert_true(waiter_wake_one(&list));
	await(loop, &here.woken, 1);
	assert_int_equal(gone.woken, 0);
	assert_int_equal(atomic_load(&came_back), 0);
	waiter_list_clear(&list);
	loop_free(&loop);
}

static void
what_is_under_way_to_one_who_left_comes_back(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	struct seat gone = { .loop = loop };

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, on_unclaimed, &list);
	waiter_add(&list, loop, on_wake, &gone, &gone.slot);
	assert_true(waiter_wake_one(&list));
	waiter_cancel(&gone.slot);
	turn_a_little(loop);
	assert_int_equal(gone.woken, 0);
	assert_int_equal(atomic_load(&came_back), 1);
	waiter_list_clear(&list);
	loop_free(&loop);
}

/* A loop in a thread of its own, where waiters come, are woken, and sometimes leave before. */
struct house {
	struct loop *loop;
	struct waiter_list *list;
	struct seat seat;
	int entered, left;
	pthread_t thread;
};

static void wait_again(struct house *house);

static void
on_house_wake(void *owner)
{
	struct house *house = owner;

	house->seat.woken++;
	wait_again(house);
}

static void
wait_again(struct house *house)
{
	waiter_add(house->list, house->loop, on_house_wake, house, &house->seat.slot);
	if (++house->entered % 3 != 0)
		return;
	waiter_cancel(&house->seat.slot);
	house->left++;
	waiter_add(house->list, house->loop, on_house_wake, house, &house->seat.slot);
}

static void
on_enter(struct loop *loop, void *arg)
{
	(void)loop;
	wait_again(arg);
}

static void
on_leave(struct loop *loop, void *arg)
{
	struct house *house = arg;

	waiter_cancel(&house->seat.slot);
	loop_stop(loop);
}

static void *
run_house(void *arg)
{
	loop_run(((struct house *)arg)->loop);
	return NULL;
}

static void
nothing_is_lost_between_threads(void **state)
{
	struct house houses[2] = { 0 };
	struct waiter_list list;
	int handed_out = 0;

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, on_unclaimed, &list);
	for (int i = 0; i < 2; i++) {
		houses[i].loop = loop_new(i);
		houses[i].list = &list;
		loop_post(houses[i].loop, on_enter, &houses[i]);
		assert_int_equal(pthread_create(&houses[i].thread, NULL, run_house, &houses[i]), 0);
	}
	while (handed_out < HAND_OUTS)
		handed_out += waiter_wake_one(&list);
	for (int i = 0; i < 2; i++) {
		loop_post(houses[i].loop, on_leave, &houses[i]);
		pthread_join(houses[i].thread, NULL);
	}
	assert_int_equal(houses[0].seat.woken + houses[1].seat.woken + atomic_load(&came_back), HAND_OUTS);
	assert_true(houses[0].left + houses[1].left > 0);
	assert_int_equal(waiter_count(&list), 0);
	waiter_list_clear(&list);
	for (int i = 0; i < 2; i++)
		loop_free(&houses[i].loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_is_woken_first_and_once),
		cmocka_unit_test(the_cancelled_are_passed_over),
		cmocka_unit_test(what_is_under_way_to_one_who_left_comes_back),
		cmocka_unit_test(nothing_is_lost_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
