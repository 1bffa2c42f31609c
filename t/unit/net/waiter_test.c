/* SPDX-License-Identifier: BSD-2-Clause */
/* waiter_test.c: what is handed out reaches the oldest, or comes back. */
#include "tape.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/xalloc.h"
#include "net/waiter.h"

enum { HAND_OUTS = 500 };

struct seat {				/* somebody who waits */
	struct waiter *slot;
	struct loop *loop;
	int woken;
	int *order, rank;
};

static char present;			/* what is handed out */
static atomic_int came_back;		/* counted on several threads */

static void
on_wake(void *owner, void *gift)
{
	struct seat *seat = owner;

	assert_ptr_equal(gift, &present);
	assert_null(seat->slot);
	seat->woken++;
	if (seat->order != NULL)
		seat->rank = ++*seat->order;
	loop_stop(seat->loop);
}

static const struct waiter_duty wake_duty = { .on_wake = on_wake };

static void
on_unclaimed(void *owner, void *gift)
{
	assert_ptr_equal(gift, &present);
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
	assert_false(waiter_wake_one(&list, &present));
	waiter_add(&list, loop, &wake_duty, &first, &first.slot);
	waiter_add(&list, loop, &wake_duty, &second, &second.slot);
	assert_int_equal(waiter_count(&list), 2);
	assert_true(waiter_wake_one(&list, &present));
	assert_int_equal(first.woken, 0);
	assert_int_equal(waiter_count(&list), 1);
	assert_true(waiter_wake_one(&list, &present));
	await(loop, &second.woken, 1);
	assert_int_equal(first.rank, 1);
	assert_int_equal(second.rank, 2);
	assert_int_equal(first.woken, 1);
	assert_false(waiter_wake_one(&list, &present));
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
	waiter_add(&list, loop, &wake_duty, &gone, &gone.slot);
	waiter_add(&list, loop, &wake_duty, &here, &here.slot);
	waiter_cancel(&gone.slot);
	assert_null(gone.slot);
	assert_true(waiter_wake_one(&list, &present));
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
	waiter_add(&list, loop, &wake_duty, &gone, &gone.slot);
	assert_true(waiter_wake_one(&list, &present));
	assert_false(waiter_cancel(&gone.slot));
	assert_true(waiter_cancel(&gone.slot));
	memset(&gone, 0x5a, sizeof(gone));
	turn_a_little(loop);
	assert_int_equal(atomic_load(&came_back), 1);
	waiter_list_clear(&list);
	loop_free(&loop);
}

/* Two are woken, and the first takes the second with it; who waits again in its place is somebody else. */
static void
on_wake_and_cancel(void *owner, void *gift)
{
	struct seat *seat = owner, *other = seat + 1;

	(void)gift;
	seat->woken++;
	assert_false(waiter_cancel(&other->slot));
	loop_stop(seat->loop);
}

static const struct waiter_duty wake_and_cancel_duty = { .on_wake = on_wake_and_cancel };

static void
one_who_is_woken_may_cancel_another(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	struct seat seats[2] = { { .loop = loop }, { .loop = loop } };

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, on_unclaimed, &list);
	waiter_add(&list, loop, &wake_and_cancel_duty, &seats[0], &seats[0].slot);
	waiter_add(&list, loop, &wake_duty, &seats[1], &seats[1].slot);
	assert_true(waiter_wake_one(&list, &present));
	assert_true(waiter_wake_one(&list, &present));
	await(loop, &seats[0].woken, 1);
	waiter_add(&list, loop, &wake_duty, &seats[1], &seats[1].slot);
	turn_a_little(loop);
	assert_int_equal(seats[1].woken, 0);
	assert_int_equal(atomic_load(&came_back), 1);
	assert_true(waiter_wake_one(&list, &present));
	await(loop, &seats[1].woken, 1);
	waiter_list_clear(&list);
	loop_free(&loop);
}

/* What found nobody is for the next, as it is with a server's connections. */
static void
hand_on(void *owner, void *gift)
{
	struct waiter_list *list = owner;

	if (!waiter_wake_one(list, gift))
		atomic_fetch_add(&came_back, 1);
}

static void
what_comes_back_is_for_the_next(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	struct seat gone[2] = { { .loop = loop }, { .loop = loop } }, here = { .loop = loop };

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, hand_on, &list);
	waiter_add(&list, loop, &wake_duty, &gone[0], &gone[0].slot);
	waiter_add(&list, loop, &wake_duty, &gone[1], &gone[1].slot);
	waiter_add(&list, loop, &wake_duty, &here, &here.slot);
	assert_true(waiter_wake_one(&list, &present));
	assert_false(waiter_cancel(&gone[0].slot));
	assert_true(waiter_cancel(&gone[1].slot));
	await(loop, &here.woken, 1);
	assert_int_equal(gone[0].woken + gone[1].woken, 0);
	assert_int_equal(atomic_load(&came_back), 0);
	waiter_add(&list, loop, &wake_duty, &here, &here.slot);
	assert_true(waiter_wake_one(&list, &present));
	assert_false(waiter_cancel(&here.slot));
	turn_a_little(loop);
	assert_int_equal(atomic_load(&came_back), 1);
	waiter_list_clear(&list);
	loop_free(&loop);
}

/* A gift of a number: whoever does not want it is passed over, and keeps its place. */
struct chooser {
	struct seat seat;
	int wanted, got;
};

static void
on_choice(void *owner, void *gift)
{
	struct chooser *chooser = owner;

	chooser->got = gift != NULL ? *(int *)gift : -1;
}

static bool
is_wanted(void *owner, void *gift)
{
	const struct chooser *chooser = owner;

	return chooser->wanted == *(int *)gift;
}

static const struct waiter_duty choice_duty = { .on_wake = on_choice, .accepts = is_wanted };

static void
what_is_not_accepted_is_for_the_next(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	struct chooser choosers[3] = { { .wanted = 1 }, { .wanted = 2 }, { .wanted = 1 } };
	int gifts[] = { 1, 2, 3 };

	(void)state;
	waiter_list_init(&list, on_unclaimed, &list);
	for (int i = 0; i < 3; i++)
		waiter_add(&list, loop, &choice_duty, &choosers[i], &choosers[i].seat.slot);
	assert_false(waiter_wake_one(&list, &gifts[2]));
	assert_int_equal(waiter_count(&list), 3);
	assert_true(waiter_wake_one(&list, &gifts[1]));
	assert_false(waiter_wake_one(&list, &gifts[1]));
	assert_false(waiter_is_woken(choosers[0].seat.slot));
	assert_true(waiter_is_woken(choosers[1].seat.slot));
	assert_true(waiter_wake_one(&list, &gifts[0]));
	turn_a_little(loop);
	assert_int_equal(choosers[0].got, 1);
	assert_int_equal(choosers[1].got, 2);
	assert_int_equal(choosers[2].got, 0);
	waiter_cancel(&choosers[2].seat.slot);
	waiter_list_clear(&list);
	loop_free(&loop);
}

/* Without a gift nobody is asked, nothing comes back, and the list may be gone by then. */
static void
all_are_woken_without_a_gift(void **state)
{
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	struct chooser choosers[3] = { { .wanted = 1 }, { .wanted = 2 }, { .wanted = 3 } };

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, on_unclaimed, &list);
	waiter_wake_all(&list);
	for (int i = 0; i < 3; i++)
		waiter_add(&list, loop, &choice_duty, &choosers[i], &choosers[i].seat.slot);
	waiter_wake_all(&list);
	assert_int_equal(waiter_count(&list), 0);
	assert_false(waiter_cancel(&choosers[1].seat.slot));
	waiter_list_clear(&list);
	memset(&list, 0x5a, sizeof(list));
	turn_a_little(loop);
	assert_int_equal(choosers[0].got, -1);
	assert_int_equal(choosers[1].got, 0);
	assert_int_equal(choosers[2].got, -1);
	assert_int_equal(atomic_load(&came_back), 0);
	loop_free(&loop);
}

/* Somebody who waits until a point of time. */
struct patient {
	struct seat seat;
	struct loop_timer timer;
	int gave_up, handed_too_late;
};

static void
on_patience_over(struct loop_timer *timer)
{
	struct patient *patient = loop_owner(timer, struct patient, timer);

	patient->gave_up++;
	patient->handed_too_late += !waiter_cancel(&patient->seat.slot);
	loop_stop(patient->seat.loop);
}

static void
on_patient_wake(void *owner, void *gift)
{
	struct patient *patient = owner;

	(void)gift;
	patient->seat.woken++;
	loop_timer_stop(patient->seat.loop, &patient->timer);
	loop_stop(patient->seat.loop);
}

static const struct waiter_duty patient_wake_duty = { .on_wake = on_patient_wake };

static void
a_deadline_and_a_wake_are_never_both(void **state)
{
	enum { ROUNDS = 200 };
	struct loop *loop = loop_new(0);
	struct waiter_list list;
	int woken = 0, gave_up = 0, too_late = 0, handed_out = 0;

	(void)state;
	atomic_store(&came_back, 0);
	waiter_list_init(&list, on_unclaimed, &list);
	for (int i = 0; i < ROUNDS; i++) {
		struct patient patient = { .seat = { .loop = loop } };

		waiter_add(&list, loop, &patient_wake_duty, &patient, &patient.seat.slot);
		loop_timer_init(&patient.timer, on_patience_over);
		/* in the third case both are due in the same turn, in the fourth the deadline comes first */
		loop_timer_set(loop, &patient.timer, loop_now(loop) + (i % 4 == 0 ? 1000 : 0));
		if (i % 4 != 1)
			handed_out += waiter_wake_one(&list, &present);
		if (i % 4 == 3) {
			loop_timer_stop(loop, &patient.timer);
			on_patience_over(&patient.timer);
		}
		turn_a_little(loop);
		assert_int_equal(patient.seat.woken + patient.gave_up, 1);
		assert_null(patient.seat.slot);
		woken += patient.seat.woken;
		gave_up += patient.gave_up;
		too_late += patient.handed_too_late;
	}
	assert_int_equal(woken + too_late, handed_out);
	assert_int_equal(atomic_load(&came_back), too_late);
	assert_true(woken > 0 && gave_up > too_late && too_late > 0);
	assert_int_equal(waiter_count(&list), 0);
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
on_house_wake(void *owner, void *gift)
{
	struct house *house = owner;

	(void)gift;
	house->seat.woken++;
	wait_again(house);
}

static const struct waiter_duty house_wake_duty = { .on_wake = on_house_wake };

static void
wait_again(struct house *house)
{
	waiter_add(house->list, house->loop, &house_wake_duty, house, &house->seat.slot);
	if (++house->entered % 3 != 0)
		return;
	waiter_cancel(&house->seat.slot);
	house->left++;
	waiter_add(house->list, house->loop, &house_wake_duty, house, &house->seat.slot);
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
		handed_out += waiter_wake_one(&list, &present);
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

/*
 * A gate that so many may pass at once; who has to wait is handed the place of one who leaves.  Guests of two
 * threads come, and many vanish with their memory while they wait, some of them with the place under way.
 */
enum { PLACES = 3, CROWD = 8, VISITS = 20000 };

struct gate {
	pthread_mutex_t lock;
	struct waiter_list queue;
	int free;
	atomic_int inside, most, vanished, returned;
};

struct host {				/* of a thread's guests */
	struct gate *gate;
	struct loop *loop;
	int visits, under_way;
	pthread_t thread;
};

struct visitor {
	struct host *host;
	struct waiter *slot;
	bool has_entered;
};

static void
gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	if (!waiter_wake_one(&gate->queue, &present))
		gate->free++;
	pthread_mutex_unlock(&gate->lock);
}

static void
on_place_returned(void *owner, void *gift)
{
	struct gate *gate = owner;

	(void)gift;
	atomic_fetch_add(&gate->returned, 1);
	gate_leave(gate);
}

static void visit_again(struct loop *loop, void *arg);

/* Leaves, or vanishes from the queue. */
static void
on_visit_over(struct loop *loop, void *arg)
{
	struct visitor *visitor = arg;
	struct host *host = visitor->host;

	if (visitor->has_entered) {
		atomic_fetch_sub(&host->gate->inside, 1);
		gate_leave(host->gate);
	} else {
		atomic_fetch_add(&host->gate->vanished, 1);
		waiter_cancel(&visitor->slot);
	}
	memset(visitor, 0x5a, sizeof(*visitor));
	xfree(visitor);
	loop_post(loop, visit_again, host);
}

static void
on_entered(void *owner, void *gift)
{
	struct visitor *visitor = owner;
	struct gate *gate = visitor->host->gate;
	int inside = atomic_fetch_add(&gate->inside, 1) + 1, most = atomic_load(&gate->most);

	(void)gift;
	visitor->has_entered = true;
	while (inside > most && !atomic_compare_exchange_weak(&gate->most, &most, inside))
		;
}

static const struct waiter_duty entered_duty = { .on_wake = on_entered };

static void
visit_again(struct loop *loop, void *arg)
{
	struct host *host = arg;
	struct visitor *visitor;
	bool has_place;

	if (host->visits == VISITS) {
		if (--host->under_way == 0)
			loop_stop(loop);
		return;
	}
	host->visits++;
	visitor = xcalloc(1, sizeof(*visitor));
	visitor->host = host;
	pthread_mutex_lock(&host->gate->lock);
	has_place = host->gate->free > 0;
	if (has_place)
		host->gate->free--;
	else
		waiter_add(&host->gate->queue, loop, &entered_duty, visitor, &visitor->slot);
	pthread_mutex_unlock(&host->gate->lock);
	if (has_place)
		on_entered(visitor, &present);
	/* by then it may have been handed a place, be about to, or have waited in vain */
	loop_post(loop, on_visit_over, visitor);
}

static void *
run_host(void *arg)
{
	struct host *host = arg;

	host->under_way = CROWD;
	for (int i = 0; i < CROWD; i++)
		loop_post(host->loop, visit_again, host);
	loop_run(host->loop);
	return NULL;
}

static void
no_place_is_lost_nor_doubled(void **state)
{
	struct gate gate = { .free = PLACES };
	struct host hosts[2] = { { .visits = 0 } };

	(void)state;
	pthread_mutex_init(&gate.lock, NULL);
	waiter_list_init(&gate.queue, on_place_returned, &gate);
	for (int i = 0; i < 2; i++) {
		hosts[i].gate = &gate;
		hosts[i].loop = loop_new(i);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&hosts[i].thread, NULL, run_host, &hosts[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(hosts[i].thread, NULL);
	/* what is still on its way to those who left */
	for (int i = 0; i < 4; i++)
		turn_a_little(hosts[i % 2].loop);
	print_message("# %d visits: %d vanished, %d places came back\n", 2 * VISITS,
	    atomic_load(&gate.vanished), atomic_load(&gate.returned));
	assert_int_equal(gate.free, PLACES);
	assert_int_equal(atomic_load(&gate.inside), 0);
	assert_in_range(atomic_load(&gate.most), 1, PLACES);
	assert_true(atomic_load(&gate.vanished) > 0);
	assert_int_equal(waiter_count(&gate.queue), 0);
	waiter_list_clear(&gate.queue);
	pthread_mutex_destroy(&gate.lock);
	for (int i = 0; i < 2; i++)
		loop_free(&hosts[i].loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_is_woken_first_and_once),
		cmocka_unit_test(the_cancelled_are_passed_over),
		cmocka_unit_test(what_is_under_way_to_one_who_left_comes_back),
		cmocka_unit_test(one_who_is_woken_may_cancel_another),
		cmocka_unit_test(what_comes_back_is_for_the_next),
		cmocka_unit_test(what_is_not_accepted_is_for_the_next),
		cmocka_unit_test(all_are_woken_without_a_gift),
		cmocka_unit_test(a_deadline_and_a_wake_are_never_both),
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(no_place_is_lost_nor_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
