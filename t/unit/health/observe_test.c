/* SPDX-License-Identifier: BSD-2-Clause */
/* observe_test.c: what makes a server suspicious, and that the dead are let tried again in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "balance/endpoint_report.h"
#include "balance/endpoint_room.h"
#include "base/clock.h"
#include "health/observe.h"

enum { ERROR_LIMIT = 3, WORKERS = 2, DEADLINE_S = 60 };

struct heard {
	int count;
	struct endpoint *last;
	bool reports_again;		/* so many failures that it is suspicious once more */
};

struct rig {
	struct loop *loop;
	struct endpoint *e;
	struct observe *observe;
	struct heard heard;
};

static void
report_of(struct endpoint *e, enum endpoint_result result, int times, uint64_t who)
{
	for (int i = 0; i < times; i++) {
		/* straight from here, since who waits for room would be no failure */
		atomic_fetch_add(&e->dialling, 1);
		endpoint_report(e, 0, &(struct endpoint_outcome){ result, 0, "", who });
	}
}

static void
report(struct endpoint *e, enum endpoint_result result, int times)
{
	report_of(e, result, times, 0);
}

static void
on_suspicion(struct endpoint *e, void *owner)
{
	struct heard *heard = owner;

	heard->count++;
	heard->last = e;
	if (heard->reports_again)
		report(e, ENDPOINT_LATER, ERROR_LIMIT);
	heard->reports_again = false;
}

static void
rig_open(struct rig *rig, observe_callback *callback)
{
	struct service *service = service_new("imap");
	struct machine *machine = machine_new("dovecot", "d03");

	*rig = (struct rig){ .loop = loop_new(LOOP_CONTROL), .e = endpoint_new(service, machine, WORKERS) };
	machine_put(&machine);
	service_put(&service);
	endpoint_set_observed(rig->e, ERROR_LIMIT);
	rig->observe = observe_new(rig->loop, callback, &rig->heard);
}

/* Only the rig's reference is left. */
static void
rig_close(struct rig *rig)
{
	observe_free(&rig->observe);
	assert_int_equal(atomic_load(&rig->e->references), 1);
	endpoint_put(&rig->e);
	loop_free(&rig->loop);
}

static void
stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static int
heard(struct rig *rig)
{
	for (int i = 0; i < 3; i++) {
		loop_post(rig->loop, stop, NULL);
		loop_run(rig->loop);
	}
	return rig->heard.count;
}

static void
failures_in_a_row_are_suspicious(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, on_suspicion);
	rig.e->window.size = 1000;		/* far from dead */
	report(rig.e, ENDPOINT_CONNECT_FAILED, ERROR_LIMIT - 1);
	report(rig.e, ENDPOINT_REFUSED, 1);
	report(rig.e, ENDPOINT_TIMED_OUT, ERROR_LIMIT - 1);
	report(rig.e, ENDPOINT_GARBLED, 9);		/* neither counts nor forgets */
	report(rig.e, ENDPOINT_OWN_FAULT, 9);
	assert_int_equal(heard(&rig), 0);
	report(rig.e, ENDPOINT_LATER, 1);
	assert_int_equal(rig.heard.count, 0);		/* it is control's loop that tells */
	assert_int_equal(heard(&rig), 1);
	assert_ptr_equal(rig.heard.last, rig.e);
	report(rig.e, ENDPOINT_LATER, ERROR_LIMIT - 1);
	assert_int_equal(heard(&rig), 1);
	report(rig.e, ENDPOINT_LATER, 1);
	assert_int_equal(heard(&rig), 2);
	rig_close(&rig);
}

static void
several_users_who_hear_no_protocol_are_suspicious(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, on_suspicion);
	rig.e->window.size = 1000;		/* far from dead */
	report_of(rig.e, ENDPOINT_GARBLED, 50, 1);
	assert_int_equal(heard(&rig), 0);
	for (uint64_t who = 2; who < 2 + ERROR_LIMIT - 1; who++)
		report_of(rig.e, ENDPOINT_GARBLED, 1, who);
	assert_int_equal(heard(&rig), 1);
	rig_close(&rig);
}

static void
one_suspicion_is_under_way_at_most(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, on_suspicion);
	rig.e->window.size = 1000;		/* far from dead */
	report(rig.e, ENDPOINT_LATER, 50 * ERROR_LIMIT);
	rig.heard.reports_again = true;			/* while it is told */
	assert_int_equal(heard(&rig), 2);
	assert_int_equal(heard(&rig), 2);
	rig_close(&rig);
}

static void
who_is_not_observed_is_not_suspected(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, on_suspicion);
	endpoint_set_observed(rig.e, 0);
	report(rig.e, ENDPOINT_LATER, 50);
	assert_int_equal(heard(&rig), 0);
	rig_close(&rig);
}

static void
a_death_is_suspicious(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, on_suspicion);
	endpoint_set_observed(rig.e, 1000);
	while (!endpoint_is_dead(rig.e))
		report(rig.e, ENDPOINT_LATER, 1);
	assert_int_equal(heard(&rig), 1);
	rig_close(&rig);
}

static void
nobody_need_check(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	report(rig.e, ENDPOINT_LATER, 50);
	assert_int_equal(heard(&rig), 0);
	assert_true(endpoint_is_dead(rig.e));
	rig_close(&rig);
}

static void
what_nobody_reads_any_more_is_given_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, on_suspicion);
	report(rig.e, ENDPOINT_LATER, 50);
	assert_true(atomic_load(&rig.e->references) > 1);
	rig_close(&rig);
	assert_int_equal(rig.heard.count, 0);
}

static void
on_room(void *owner, void *gift)
{
	(void)gift;
	loop_stop(owner);
}

static const struct waiter_duty room_duty = { .on_wake = on_room };

/* Without it nobody would ever be let in: the test would not end. */
static void
the_dead_are_tried_again_in_time(void **state)
{
	struct rig rig;
	struct waiter *waiter;
	int64_t dead_until;

	(void)state;
	rig_open(&rig, on_suspicion);
	for (int round = 0; round < 2; round++) {
		while (!endpoint_is_dead(rig.e))
			report(rig.e, ENDPOINT_LATER, 1);
		dead_until = rig.e->window.dead_until;
		assert_false(endpoint_take_or_wait(rig.e, rig.loop, &room_duty, rig.loop, &waiter));
		loop_run(rig.loop);
		assert_true(clock_ms() >= dead_until);
		/* as the try of a worker that learnt of it now */
		assert_int_equal(atomic_load(&rig.e->dial_bound), 1);
		endpoint_give_up(rig.e);
	}
	rig_close(&rig);
}

/* Deaths that are cut short may be many in a short time. */
static void
of_many_deaths_the_last_is_remembered(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	for (int i = 0; i < 50; i++) {
		endpoint_reopen(rig.e);
		while (!endpoint_is_dead(rig.e))
			report(rig.e, ENDPOINT_LATER, 1);
	}
	heard(&rig);
	assert_int_equal(atomic_load(&rig.e->references), 2);
	rig_close(&rig);
}

static int64_t
die_for(struct endpoint *e, int ms)
{
	endpoint_reopen(e);
	e->window.dead_ms = ms / 2;
	while (!endpoint_is_dead(e))
		report(e, ENDPOINT_LATER, 1);
	return e->window.dead_until;
}

/* As two workers tell of them that were late; in the last row, of the second nothing was told yet. */
static void
of_two_deaths_the_later_one_counts_in_any_order(void **state)
{
	static const struct {
		int first_ms, second_ms;
		bool is_told;
	} rows[] = { { 20, 60, true }, { 60, 20, true }, { 20, 60, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;
		struct waiter *waiter;
		int64_t first, second;

		rig_open(&rig, on_suspicion);
		first = die_for(rig.e, rows[i].first_ms);
		second = rows[i].is_told ? die_for(rig.e, rows[i].second_ms) : first + rows[i].second_ms;
		rig.e->window.dead_until = first > second ? first : second;
		assert_false(endpoint_take_or_wait(rig.e, rig.loop, &room_duty, rig.loop, &waiter));
		loop_run(rig.loop);
		assert_true(clock_ms() >= first && clock_ms() >= second);
		assert_int_equal(atomic_load(&rig.e->dial_bound), 1);
		endpoint_give_up(rig.e);
		rig_close(&rig);
	}
}

static void
who_is_dead_for_longer_delays_nobody(void **state)
{
	struct rig rig;
	struct service *service = service_new("pop3");
	struct endpoint *other;
	struct waiter *long_waiter, *waiter;

	(void)state;
	rig_open(&rig, on_suspicion);
	other = endpoint_new(service, rig.e->machine, WORKERS);
	service_put(&service);
	endpoint_set_observed(other, ERROR_LIMIT);
	other->window.dead_ms = WINDOW_DEAD_MAX_MS;
	while (!endpoint_is_dead(other))
		report(other, ENDPOINT_LATER, 1);
	while (!endpoint_is_dead(rig.e))
		report(rig.e, ENDPOINT_LATER, 1);
	assert_false(endpoint_take_or_wait(other, rig.loop, &room_duty, rig.loop, &long_waiter));
	assert_false(endpoint_take_or_wait(rig.e, rig.loop, &room_duty, rig.loop, &waiter));
	loop_run(rig.loop);
	assert_null(waiter);
	assert_true(waiter_cancel(&long_waiter));
	endpoint_give_up(rig.e);
	observe_free(&rig.observe);
	endpoint_put(&other);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_in_a_row_are_suspicious),
		cmocka_unit_test(several_users_who_hear_no_protocol_are_suspicious),
		cmocka_unit_test(one_suspicion_is_under_way_at_most),
		cmocka_unit_test(who_is_not_observed_is_not_suspected),
		cmocka_unit_test(a_death_is_suspicious),
		cmocka_unit_test(nobody_need_check),
		cmocka_unit_test(what_nobody_reads_any_more_is_given_back),
		cmocka_unit_test(the_dead_are_tried_again_in_time),
		cmocka_unit_test(of_many_deaths_the_last_is_remembered),
		cmocka_unit_test(of_two_deaths_the_later_one_counts_in_any_order),
		cmocka_unit_test(who_is_dead_for_longer_delays_nobody),
	};

	alarm(DEADLINE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
