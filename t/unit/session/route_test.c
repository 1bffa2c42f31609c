/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route_test.c: which server a route goes to and what it does behind a
 * failure, by the pool's kind; the queue; and that whatever happens no
 * connection stays counted.
 */
#include "../balance/pool_fixture.h"
#include "../net/tape.h"

#include <pthread.h>

#include "session/route.h"

enum { LONG_MS = 60000 };

struct answer {
	struct route route;
	int count, queued;
	struct endpoint *endpoint;
};

struct rig {
	struct fixture fixture;
	struct loop *loop;
	struct answer answers[2];
};

static void
on_routed(struct route *route, struct endpoint *endpoint, void *owner)
{
	struct answer *answer = owner;

	assert_ptr_equal(route, &answer->route);
	answer->count++;
	answer->endpoint = endpoint;
	loop_stop(route->loop);
}

static void
on_queued(struct route *route, void *owner)
{
	struct answer *answer = owner;

	assert_ptr_equal(route, &answer->route);
	assert_true(route->is_queued);
	answer->queued++;
}

static void
on_queued_leave(struct route *route, void *owner)
{
	on_queued(route, owner);
	route_cancel(route);
}

static void
rig_open(struct rig *rig, int balancer, const int *weights, size_t count)
{
	memset(rig, 0, sizeof(*rig));
	fixture_open(&rig->fixture, balancer, weights, count);
	rig->fixture.pool.options.login_timeout.ms = LONG_MS;
	rig->fixture.pool.options.queue_timeout.ms = LONG_MS;
	rig->fixture.pool.options.retries = 1;
	rig->loop = loop_new(0);
}

/* Nothing is counted or referred to any more, but by the table and the pool. */
static void
rig_close(struct rig *rig)
{
	for (int i = 0; i < 2; i++) {
		route_cancel(&rig->answers[i].route);
		route_cancel(&rig->answers[i].route);
	}
	turn_a_little(rig->loop);
	for (size_t i = 0; i < rig->fixture.pool.endpoint_count; i++) {
		struct endpoint *e = rig->fixture.pool.endpoints[i];

		assert_int_equal(atomic_load(&e->connections), 0);
		assert_int_equal(waiter_count(&e->queue), 0);
		assert_int_equal(atomic_load(&e->references), 3);	/* table, pool, roster */
	}
	loop_free(&rig->loop);
	fixture_close(&rig->fixture);
}

static void
start(struct rig *rig, int i)
{
	struct slice user = SLICE_LITERAL("bob");

	rig->answers[i].route = (struct route){ .loop = rig->loop, .pool = &rig->fixture.pool, .user = user,
		.on_routed = on_routed, .on_queued = on_queued, .owner = &rig->answers[i] };
	route_start(&rig->answers[i].route);
}

static struct endpoint *
expect_answer(struct rig *rig, int i, int count)
{
	await(rig->loop, &rig->answers[i].count, count);
	assert_int_equal(rig->answers[i].count, count);
	return rig->answers[i].endpoint;
}

static void
expect_none(struct rig *rig, int i, int count, const char *why)
{
	assert_null(expect_answer(rig, i, count));
	assert_string_equal(rig->answers[i].route.why, why);
}

static int
connections(const struct rig *rig, size_t i)
{
	return atomic_load(&rig->fixture.pool.endpoints[i]->connections);
}

static void
set_max(struct rig *rig, int max)
{
	for (size_t i = 0; i < rig->fixture.pool.endpoint_count; i++)
		endpoint_set_max_connections(rig->fixture.pool.endpoints[i], max);
}

static void
bound_tries_the_same_server_a_second_later(void **state)
{
	static const int weights[] = { 1, 1, 1 };
	struct rig rig;
	struct endpoint *first;
	int64_t began;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 3);
	start(&rig, 0);
	first = expect_answer(&rig, 0, 1);
	assert_non_null(first);
	began = loop_now(rig.loop);
	route_again(&rig.answers[0].route);
	assert_int_equal(rig.answers[0].count, 1);
	assert_int_equal(atomic_load(&first->connections), 0);
	assert_ptr_equal(expect_answer(&rig, 0, 2), first);
	assert_true(loop_now(rig.loop) - began >= 1000);
	assert_int_equal(atomic_load(&first->connections), 1);
	route_again(&rig.answers[0].route);
	expect_none(&rig, 0, 3, "the user's server cannot be had");
	rig_close(&rig);
}

/* Bound or not, the failed one is not asked again. */
static void
elsewhere_is_no_server_twice(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *first;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 2);
	start(&rig, 0);
	expect_answer(&rig, 0, 1);
	route_elsewhere(&rig.answers[0].route);
	expect_none(&rig, 0, 2, "the user's server puts it off");
	rig_close(&rig);
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	start(&rig, 0);
	first = expect_answer(&rig, 0, 1);
	route_elsewhere(&rig.answers[0].route);
	assert_ptr_not_equal(expect_answer(&rig, 0, 2), first);
	rig_close(&rig);
}

static void
bound_waits_for_a_second_no_longer_than_wanted(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	start(&rig, 0);
	expect_answer(&rig, 0, 1);
	route_again(&rig.answers[0].route);
	route_cancel(&rig.answers[0].route);
	assert_false(loop_timer_is_set(&rig.answers[0].route.timer));
	rig_close(&rig);
}

static void
unbound_tries_each_server_once(void **state)
{
	static const int weights[] = { 1, 1, 1 };
	struct rig rig;
	struct endpoint *tried[3];

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 3);
	rig.fixture.pool.options.retries = 3;
	start(&rig, 0);
	for (int i = 0; i < 3; i++) {
		tried[i] = expect_answer(&rig, 0, i + 1);
		assert_non_null(tried[i]);
		for (int j = 0; j < i; j++)
			assert_ptr_not_equal(tried[i], tried[j]);
		route_again(&rig.answers[0].route);
	}
	expect_none(&rig, 0, 4, "all servers failed");
	rig_close(&rig);
}

static void
unbound_gives_up_after_its_retries(void **state)
{
	static const int weights[] = { 1, 1, 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_roundrobin, weights, 3);
	start(&rig, 0);
	route_again(&rig.answers[0].route);
	assert_non_null(expect_answer(&rig, 0, 2));
	route_again(&rig.answers[0].route);
	expect_none(&rig, 0, 3, "too many servers failed");
	rig_close(&rig);
}

static void
none_is_usable_where_all_weigh_nothing(void **state)
{
	static const int weights[] = { 0, 0 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_roundrobin, weights, 2);
	start(&rig, 0);
	expect_none(&rig, 0, 1, "no server is usable");
	rig_close(&rig);
}

static void
gives_up_when_the_login_took_too_long(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	rig.fixture.pool.options.login_timeout.ms = 0;
	start(&rig, 0);
	route_again(&rig.answers[0].route);
	expect_none(&rig, 0, 2, "the login took too long");
	rig_close(&rig);
}

static void
a_full_server_is_passed_over_and_the_last_waited_for(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *first, *second;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	start(&rig, 0);
	first = expect_answer(&rig, 0, 1);
	start(&rig, 1);
	second = expect_answer(&rig, 1, 1);
	assert_ptr_not_equal(first, second);
	route_claim(&rig.answers[1].route);

	start(&rig, 1);
	assert_int_equal(rig.answers[1].count, 1);
	assert_true(rig.answers[1].route.is_queued);
	assert_int_equal(rig.answers[1].queued, 1);
	endpoint_release(second);
	route_cancel(&rig.answers[0].route);
	assert_non_null(expect_answer(&rig, 1, 2));
	assert_int_equal(connections(&rig, 0) + connections(&rig, 1), 1);
	rig_close(&rig);
}

static void
gets_the_room_that_another_leaves(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	struct endpoint *claimed;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	set_max(&rig, 1);
	start(&rig, 0);
	claimed = route_claim(&rig.answers[0].route);
	start(&rig, 1);
	turn_a_little(rig.loop);
	assert_int_equal(rig.answers[1].count, 0);
	endpoint_release(claimed);
	assert_int_equal(rig.answers[1].count, 0);
	assert_ptr_equal(expect_answer(&rig, 1, 1), claimed);
	assert_false(loop_timer_is_set(&rig.answers[1].route.timer));
	assert_int_equal(connections(&rig, 0), 1);
	rig_close(&rig);
}

/* The time for the login begins with the first server that is to be had, not with the wait for it. */
static void
may_leave_as_soon_as_it_is_queued(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct route *route = &rig.answers[0].route;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	start(&rig, 0);
	route->on_queued = on_queued_leave;
	assert_true(endpoint_take(rig.fixture.pool.endpoints[expect_answer(&rig, 0, 1) ==
	    rig.fixture.pool.endpoints[0]]));
	route_again(route);
	assert_int_equal(rig.answers[0].queued, 1);
	turn_a_little(rig.loop);
	assert_int_equal(rig.answers[0].count, 1);
	assert_int_equal(connections(&rig, 0) + connections(&rig, 1), 1);
	endpoint_release(rig.fixture.pool.endpoints[connections(&rig, 0) == 0]);
	rig_close(&rig);
}

static void
the_queue_takes_nothing_off_the_logins_time(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	struct endpoint *claimed;
	int64_t waited;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	rig.fixture.pool.options.login_timeout.ms = 1000;
	set_max(&rig, 1);
	start(&rig, 0);
	claimed = route_claim(&rig.answers[0].route);
	start(&rig, 1);
	for (waited = loop_now(rig.loop); loop_now(rig.loop) < waited + 20;)
		turn_a_little(rig.loop);
	endpoint_release(claimed);
	expect_answer(&rig, 1, 1);
	assert_true(rig.answers[1].route.deadline >= waited + 20 + 1000);
	rig_close(&rig);
}

static void
is_told_when_the_queue_took_too_long(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	struct endpoint *claimed;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	rig.fixture.pool.options.queue_timeout.ms = 20;
	set_max(&rig, 1);
	start(&rig, 0);
	claimed = route_claim(&rig.answers[0].route);
	start(&rig, 1);
	expect_none(&rig, 1, 1, "the queue took too long");
	rig.fixture.pool.options.queue_timeout.ms = 0;
	start(&rig, 1);
	expect_none(&rig, 1, 2, "the server is full");
	endpoint_release(claimed);
	rig_close(&rig);
}

/* Its time is counted from when it is joined, and ends with the login's. */
static void
the_queue_has_its_time_behind_tries_too(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	int64_t began;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	rig.fixture.pool.options.queue_timeout.ms = 200;
	rig.fixture.pool.options.retries = 2;
	set_max(&rig, 1);
	start(&rig, 0);
	route_again(&rig.answers[0].route);
	start(&rig, 1);
	route_claim(&rig.answers[1].route);
	began = loop_now(rig.loop);
	expect_none(&rig, 0, 2, "the queue took too long");
	assert_in_range(loop_now(rig.loop) - began, 1190, 3000);
	route_cancel(&rig.answers[0].route);

	endpoint_release(rig.fixture.pool.endpoints[0]);
	rig.fixture.pool.options.login_timeout.ms = 1100;
	rig.fixture.pool.options.queue_timeout.ms = LONG_MS;
	start(&rig, 0);
	route_again(&rig.answers[0].route);
	start(&rig, 1);
	route_claim(&rig.answers[1].route);
	expect_none(&rig, 0, 4, "the queue took too long");
	endpoint_release(rig.fixture.pool.endpoints[0]);
	rig_close(&rig);
}

static void
room_under_way_to_one_who_left_comes_back(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	struct endpoint *claimed;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	set_max(&rig, 1);
	start(&rig, 0);
	claimed = route_claim(&rig.answers[0].route);
	start(&rig, 1);
	endpoint_release(claimed);
	route_cancel(&rig.answers[1].route);
	assert_int_equal(connections(&rig, 0), 1);
	turn_a_little(rig.loop);
	assert_int_equal(rig.answers[1].count, 0);
	rig_close(&rig);
}

static void *
take_and_release(void *arg)
{
	struct endpoint *e = arg;

	for (int i = 0; i < 2000; i++)
		if (endpoint_take(e))
			endpoint_release(e);
	return NULL;
}

/* Others come and go on another thread while routes here wait, are answered and vanish. */
static void
no_room_is_lost_between_threads(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	pthread_t thread;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	set_max(&rig, 1);
	assert_int_equal(pthread_create(&thread, NULL, take_and_release, rig.fixture.pool.endpoints[0]), 0);
	for (int i = 0; i < 500; i++) {
		start(&rig, i % 2);
		if (i % 3 == 0)
			turn_a_little(rig.loop);
		route_cancel(&rig.answers[i % 2].route);
	}
	pthread_join(thread, NULL);
	start(&rig, 0);
	assert_non_null(expect_answer(&rig, 0, rig.answers[0].count > 0 ? rig.answers[0].count : 1));
	rig_close(&rig);
}

static int
dialling(const struct rig *rig, size_t i)
{
	return atomic_load(&rig->fixture.pool.endpoints[i]->dialling);
}

static void
a_try_dials_until_its_report(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 1);
	start(&rig, 0);
	start(&rig, 1);
	assert_int_equal(dialling(&rig, 0), 2);
	route_report(&rig.answers[0].route, ENDPOINT_OK, 1, "");
	assert_int_equal(dialling(&rig, 0), 1);
	endpoint_release(route_claim(&rig.answers[0].route));
	route_cancel(&rig.answers[1].route);		/* without one */
	assert_int_equal(dialling(&rig, 0), 0);
	start(&rig, 0);
	route_report(&rig.answers[0].route, ENDPOINT_LATER, 1, "");
	assert_int_equal(dialling(&rig, 0), 0);
	route_cancel(&rig.answers[0].route);
	assert_int_equal(dialling(&rig, 0), 0);
	rig_close(&rig);
}

static void
kill_all(struct rig *rig)
{
	for (size_t i = 0; i < rig->fixture.pool.endpoint_count; i++) {
		struct endpoint *e = rig->fixture.pool.endpoints[i];

		endpoint_set_observed(e, 10);
		while (!endpoint_is_dead(e)) {
			assert_true(endpoint_take(e));
			endpoint_report(e, 0, ENDPOINT_LATER, 0, "");
			endpoint_release(e);
		}
	}
}

/* One at a time each, where there is nobody else. */
static void
unbound_tries_the_dead_last(void **state)
{
	static const int weights[] = { 1, 1, 1 };
	struct rig rig;
	struct endpoint *alive;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 3);
	kill_all(&rig);
	alive = rig.fixture.pool.endpoints[1];
	endpoint_set_observed(alive, 0);
	endpoint_set_max_connections(alive, 1);
	start(&rig, 0);
	assert_ptr_equal(expect_answer(&rig, 0, 1), alive);
	start(&rig, 1);
	assert_true(rig.answers[1].route.is_queued);
	assert_ptr_equal(rig.answers[1].route.endpoint, alive);
	route_cancel(&rig.answers[1].route);

	endpoint_set_health(alive, HEALTH_DOWN, "");
	start(&rig, 1);
	assert_ptr_equal(expect_answer(&rig, 1, 1), rig.fixture.pool.endpoints[0]);
	route_cancel(&rig.answers[1].route);
	start(&rig, 1);
	assert_int_equal(dialling(&rig, 0), 1);
	route_report(&rig.answers[1].route, ENDPOINT_LATER, 0, "");
	route_again(&rig.answers[1].route);
	assert_ptr_equal(expect_answer(&rig, 1, 3), rig.fixture.pool.endpoints[2]);
	rig_close(&rig);
}

static void
bound_waits_for_the_dead(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *home;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 2);
	kill_all(&rig);
	start(&rig, 0);
	assert_true(rig.answers[0].route.is_queued);
	home = rig.answers[0].route.endpoint;
	assert_true(endpoint_is_dead(home));
	endpoint_tick(home, INT64_MAX);
	assert_ptr_equal(expect_answer(&rig, 0, 1), home);
	rig_close(&rig);
}

/* A pool without a queue tries again, and so it waits as long. */
static void
a_sick_server_is_waited_for_instead_of_retries(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	rig.fixture.pool.options.queue_timeout.ms = 0;
	kill_all(&rig);
	start(&rig, 0);
	assert_true(rig.answers[0].route.is_queued);
	endpoint_tick(rig.fixture.pool.endpoints[0], INT64_MAX);
	assert_non_null(expect_answer(&rig, 0, 1));
	rig.fixture.pool.options.retries = 0;
	start(&rig, 1);
	expect_none(&rig, 1, 1, "the server is full");
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_tries_the_same_server_a_second_later),
		cmocka_unit_test(elsewhere_is_no_server_twice),
		cmocka_unit_test(bound_waits_for_a_second_no_longer_than_wanted),
		cmocka_unit_test(unbound_tries_each_server_once),
		cmocka_unit_test(unbound_gives_up_after_its_retries),
		cmocka_unit_test(none_is_usable_where_all_weigh_nothing),
		cmocka_unit_test(gives_up_when_the_login_took_too_long),
		cmocka_unit_test(a_full_server_is_passed_over_and_the_last_waited_for),
		cmocka_unit_test(gets_the_room_that_another_leaves),
		cmocka_unit_test(may_leave_as_soon_as_it_is_queued),
		cmocka_unit_test(the_queue_takes_nothing_off_the_logins_time),
		cmocka_unit_test(is_told_when_the_queue_took_too_long),
		cmocka_unit_test(the_queue_has_its_time_behind_tries_too),
		cmocka_unit_test(room_under_way_to_one_who_left_comes_back),
		cmocka_unit_test(no_room_is_lost_between_threads),
		cmocka_unit_test(a_try_dials_until_its_report),
		cmocka_unit_test(unbound_tries_the_dead_last),
		cmocka_unit_test(bound_waits_for_the_dead),
		cmocka_unit_test(a_sick_server_is_waited_for_instead_of_retries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
