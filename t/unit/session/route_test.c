/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route_test.c: which server a route goes to and what it does behind a
 * failure, by the pool's kind; the queue; and that whatever happens no
 * connection stays counted.
 */
#include "../balance/pool_fixture.h"
#include "../net/tape.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "balance/endpoint_room.h"
#include "balance/roster.h"
#include "session/route.h"

enum { LONG_MS = 60000, ANSWERS = 4, DEADLINE_S = 120 };

struct answer {
	struct route route;
	int count, queued, anew;
	struct endpoint *endpoint;
};

struct rig {
	struct fixture fixture;
	struct loop *loop;
	struct answer answers[ANSWERS];
	route_promise *keeps_promise;		/* of routes to come */
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

/* As a leg would, whose user is bound nowhere. */
static void
on_anew(struct route *route, void *owner)
{
	struct answer *answer = owner;

	answer->anew++;
	route_start(route);
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
	for (int i = 0; i < ANSWERS; i++) {
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
	assert_int_equal(waiter_count(&rig->fixture.pool.service->queue), 0);
	assert_int_equal(waiter_count(&rig->fixture.pool.service->hopefuls), 0);
	loop_free(&rig->loop);
	fixture_close(&rig->fixture);
}

static void
start(struct rig *rig, int i)
{
	struct slice user = SLICE_LITERAL("bob");

	rig->answers[i].route = (struct route){ .loop = rig->loop, .pool = &rig->fixture.pool, .user = user,
		.on_routed = on_routed, .on_queued = on_queued, .on_anew = on_anew,
		.keeps_promise = rig->keeps_promise, .owner = &rig->answers[i] };
	route_start(&rig->answers[i].route);
}

/* To this server and no other. */
static void
start_at(struct rig *rig, int i, size_t server)
{
	rig->answers[i].route = (struct route){ .loop = rig->loop, .pool = &rig->fixture.pool,
		.fixed = endpoint_get(rig->fixture.pool.endpoints[server]), .on_routed = on_routed,
		.on_queued = on_queued, .on_anew = on_anew, .owner = &rig->answers[i] };
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
	/* all have failed: any of them again, a second later */
	assert_int_equal(rig.answers[0].count, 3);
	assert_true(loop_timer_is_set(&rig.answers[0].route.timer));
	assert_non_null(expect_answer(&rig, 0, 4));
	route_again(&rig.answers[0].route);
	expect_none(&rig, 0, 5, "too many servers failed");
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
	for (int balancer = BALANCER_roundrobin; balancer <= BALANCER_user; balancer++) {
		rig_open(&rig, balancer, weights, 2);
		rig.fixture.pool.options.queue_timeout.ms = 0;
		start(&rig, 0);
		assert_int_equal(rig.answers[0].count, 1);
		expect_none(&rig, 0, 1, "no server is usable");
		rig.fixture.pool.options.queue_timeout.ms = 20;
		start(&rig, 0);
		assert_int_equal(rig.answers[0].queued, 1);
		expect_none(&rig, 0, 2, "no server is usable");
		assert_int_equal(rig.answers[0].anew, 0);
		rig_close(&rig);
	}
}

static struct endpoint *
server(const struct rig *rig, size_t i)
{
	return rig->fixture.pool.endpoints[i];
}

static void
fill(struct rig *rig, int i)
{
	assert_true(endpoint_take(server(rig, (size_t)i)));
}

static int
waiting(const struct rig *rig)
{
	return waiter_count(&rig->fixture.pool.service->queue);
}

/* Whichever server has room: the oldest first, and nobody overtakes. */
static void
an_unbound_pool_has_one_queue(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	fill(&rig, 0);
	fill(&rig, 1);
	for (int i = 0; i < 3; i++)
		start(&rig, i);
	assert_int_equal(waiting(&rig), 3);
	endpoint_release(server(&rig, 1));
	start(&rig, 3);
	assert_int_equal(rig.answers[3].count, 0);
	assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 1));
	endpoint_release(server(&rig, 0));
	assert_ptr_equal(expect_answer(&rig, 1, 1), server(&rig, 0));
	assert_int_equal(rig.answers[2].count + rig.answers[3].count, 0);
	route_cancel(&rig.answers[2].route);		/* leaves */
	route_cancel(&rig.answers[0].route);
	assert_ptr_equal(expect_answer(&rig, 3, 1), server(&rig, 1));
	rig_close(&rig);
}

/* Room that nobody was told of yet: whoever comes just then is behind those who wait for it. */
static void
nobody_overtakes_the_queue(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 1);
	set_max(&rig, 1);
	fill(&rig, 0);
	start(&rig, 0);
	start(&rig, 1);
	atomic_store(&server(&rig, 0)->max_connections, 2);
	start(&rig, 2);
	assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 0));
	assert_int_equal(rig.answers[1].count + rig.answers[2].count, 0);
	endpoint_release(server(&rig, 0));
	assert_ptr_equal(expect_answer(&rig, 1, 1), server(&rig, 0));
	rig_close(&rig);
}

static void
who_waits_for_just_that_server_goes_first(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	fill(&rig, 0);
	fill(&rig, 1);
	start(&rig, 0);
	start_at(&rig, 1, 0);
	endpoint_release(server(&rig, 0));
	assert_ptr_equal(expect_answer(&rig, 1, 1), server(&rig, 0));
	assert_int_equal(rig.answers[0].count, 0);
	endpoint_release(server(&rig, 1));
	assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 1));
	rig_close(&rig);
}

/* The next in the queue has it, and the one that was passed over keeps its place. */
static void
nobody_is_handed_a_server_that_failed_it(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *failed, *other;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	start(&rig, 0);
	failed = expect_answer(&rig, 0, 1);
	other = server(&rig, failed == server(&rig, 0));
	assert_true(endpoint_take(other));
	route_again(&rig.answers[0].route);
	assert_int_equal(waiting(&rig), 1);
	turn_a_little(rig.loop);
	assert_int_equal(rig.answers[0].count, 1);
	start(&rig, 1);			/* comes later, and may have it */
	assert_ptr_equal(expect_answer(&rig, 1, 1), failed);
	start(&rig, 2);
	endpoint_release(other);
	assert_ptr_equal(expect_answer(&rig, 0, 2), other);
	assert_int_equal(rig.answers[2].count, 0);
	rig_close(&rig);
}

static struct endpoint *keeper;		/* the one server that keeps promises; NULL: nobody does */

static bool
is_keeper(struct endpoint *endpoint, void *promise)
{
	(void)promise;
	return endpoint == keeper;
}

static void
a_promise_is_kept_or_waited_for(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	rig.keeps_promise = is_keeper;
	keeper = server(&rig, 1);
	start(&rig, 0);
	assert_ptr_equal(expect_answer(&rig, 0, 1), keeper);
	fill(&rig, 0);
	start(&rig, 1);
	endpoint_release(server(&rig, 0));
	turn_a_little(rig.loop);
	assert_int_equal(rig.answers[1].count, 0);
	route_cancel(&rig.answers[0].route);
	assert_ptr_equal(expect_answer(&rig, 1, 1), keeper);
	/* better another than none: when the queue is over, or where nobody keeps it */
	rig.fixture.pool.options.queue_timeout.ms = 20;
	start(&rig, 2);
	assert_ptr_equal(expect_answer(&rig, 2, 1), server(&rig, 0));
	route_cancel(&rig.answers[2].route);
	keeper = NULL;
	start(&rig, 3);
	assert_ptr_equal(expect_answer(&rig, 3, 1), server(&rig, 0));
	rig_close(&rig);
}

static void
a_bound_user_is_moved_by_no_promise(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *home;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 2);
	start(&rig, 0);
	home = expect_answer(&rig, 0, 1);
	rig.keeps_promise = is_keeper;
	keeper = server(&rig, home == server(&rig, 0));
	start(&rig, 1);
	assert_ptr_equal(expect_answer(&rig, 1, 1), home);
	rig_close(&rig);
}

/* As many as may, in the order of coming; the others go on waiting. */
static void
the_first_server_that_is_up_lets_in_as_many_as_may(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;

	(void)state;
	for (int balancer = BALANCER_roundrobin; balancer <= BALANCER_user; balancer++) {
		rig_open(&rig, balancer, weights, 2);
		set_max(&rig, 2);
		for (size_t i = 0; i < 2; i++)
			endpoint_set_health(server(&rig, i), HEALTH_DOWN, "");
		for (int i = 0; i < 3; i++)
			start(&rig, i);
		turn_a_little(rig.loop);
		assert_int_equal(rig.answers[0].count, 0);
		endpoint_set_health(server(&rig, 1), HEALTH_UP, "");
		assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 1));
		assert_ptr_equal(expect_answer(&rig, 1, 1), server(&rig, 1));
		turn_a_little(rig.loop);
		assert_int_equal(rig.answers[2].count, 0);
		assert_int_equal(connections(&rig, 1), 2);
		endpoint_set_max_connections(server(&rig, 1), 3);
		assert_ptr_equal(expect_answer(&rig, 2, 1), server(&rig, 1));
		rig_close(&rig);
	}
}

/* It has looked, the server came up, and only then it began to wait. */
static void
what_opens_before_it_waits_is_not_missed(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;
	unsigned changes;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 1);
	endpoint_set_health(server(&rig, 0), HEALTH_DOWN, "");
	changes = service_changes(rig.fixture.pool.service);
	start(&rig, 0);
	route_cancel(&rig.answers[0].route);
	endpoint_set_health(server(&rig, 0), HEALTH_UP, "");
	rig.answers[0].route.loop = rig.loop;
	route_await(&rig.answers[0].route, changes, "none");
	assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 0));
	assert_int_equal(rig.answers[0].anew, 1);
	rig_close(&rig);
}

enum cause { CAUSE_HEALTH, CAUSE_ADMIN, CAUSE_OWN_ADMIN, CAUSE_WEIGHT, CAUSE_ROSTER, CAUSES };

static void
shut(struct rig *rig, enum cause cause, bool is_shut)
{
	struct endpoint *e = server(rig, 0);

	switch (cause) {
	case CAUSE_HEALTH:
		endpoint_set_health(e, is_shut ? HEALTH_DOWN : HEALTH_UP, "");
		break;
	case CAUSE_ADMIN:
		machine_set_admin(e->machine, is_shut ? ADMIN_MAINTENANCE : ADMIN_READY, "");
		break;
	case CAUSE_OWN_ADMIN:
		endpoint_set_admin(e, is_shut ? ADMIN_DRAIN : ADMIN_READY, "");
		break;
	case CAUSE_WEIGHT:
		machine_set_weight(e->machine, is_shut ? 0 : 1);
		break;
	case CAUSE_ROSTER:
	case CAUSES:
		service_set_roster(rig->fixture.pool.service, roster_new(rig->fixture.pool.balancer,
		    &(struct roster_member){ .endpoint = e }, is_shut ? 0 : 1, FIXTURE_THREADS));
		break;
	}
}

static void
whatever_opens_a_server_wakes(void **state)
{
	static const int weights[] = { 1 };
	struct rig rig;

	(void)state;
	for (int balancer = BALANCER_roundrobin; balancer <= BALANCER_user; balancer++)
		for (enum cause cause = 0; cause < CAUSES; cause++) {
			rig_open(&rig, balancer, weights, 1);
			shut(&rig, cause, true);
			start(&rig, 0);
			turn_a_little(rig.loop);
			assert_int_equal(rig.answers[0].count, 0);
			shut(&rig, cause, false);
			assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 0));
			rig_close(&rig);
		}
}

/* Who waits at a server that goes down belongs to another one now. */
static void
a_queue_does_not_go_down_with_its_server(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *home;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 2);
	set_max(&rig, 1);
	start(&rig, 0);
	home = expect_answer(&rig, 0, 1);
	start(&rig, 1);
	assert_int_equal(waiter_count(&home->queue), 1);
	endpoint_set_health(home, HEALTH_DOWN, "");
	assert_ptr_equal(expect_answer(&rig, 1, 1), server(&rig, home == server(&rig, 0)));
	rig_close(&rig);
}

/* Nor does it leave its pool with it. */
static void
a_queue_does_not_leave_with_its_server(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	struct endpoint *home, *other;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 2);
	set_max(&rig, 1);
	start(&rig, 0);
	home = expect_answer(&rig, 0, 1);
	other = server(&rig, home == server(&rig, 0));
	start(&rig, 1);
	assert_int_equal(waiter_count(&home->queue), 1);
	service_set_roster(rig.fixture.pool.service, roster_new(rig.fixture.pool.balancer,
	    &(struct roster_member){ .endpoint = other }, 1, FIXTURE_THREADS));
	assert_ptr_equal(expect_answer(&rig, 1, 1), other);
	service_set_roster(rig.fixture.pool.service, roster_new(rig.fixture.pool.balancer,
	    (struct roster_member[]){ { home, 0 }, { other, 0 } }, 2, FIXTURE_THREADS));
	rig_close(&rig);
}

/* Room at a backup is for nobody as long as a server of the first tier is up, and for all when none is. */
static void
backups_serve_the_queue_when_the_others_are_down(void **state)
{
	static const int weights[] = { 1, 1 };
	struct roster_member members[2];
	struct rig rig;

	(void)state;
	rig_open(&rig, BALANCER_leastconn, weights, 2);
	set_max(&rig, 1);
	members[0] = (struct roster_member){ server(&rig, 0), 0 };
	members[1] = (struct roster_member){ server(&rig, 1), 1 };
	service_set_roster(rig.fixture.pool.service,
	    roster_new(rig.fixture.pool.balancer, members, 2, FIXTURE_THREADS));
	fill(&rig, 0);
	fill(&rig, 1);
	start(&rig, 0);
	endpoint_release(server(&rig, 1));
	turn_a_little(rig.loop);
	assert_int_equal(rig.answers[0].count, 0);
	endpoint_set_health(server(&rig, 0), HEALTH_DOWN, "");
	assert_ptr_equal(expect_answer(&rig, 0, 1), server(&rig, 1));
	endpoint_release(server(&rig, 0));
	rig_close(&rig);
}

/* One time for all queues that a login comes into before a server is tried. */
static void
queues_have_one_time_together(void **state)
{
	static const int weights[] = { 1, 1 };
	struct rig rig;
	int64_t began;

	(void)state;
	rig_open(&rig, BALANCER_user, weights, 2);
	rig.fixture.pool.options.queue_timeout.ms = 200;
	endpoint_set_health(server(&rig, 0), HEALTH_DOWN, "");
	endpoint_set_health(server(&rig, 1), HEALTH_DOWN, "");
	start(&rig, 0);
	began = rig.answers[0].route.queue_until;
	while (loop_now(rig.loop) < began - 100)
		turn_a_little(rig.loop);
	set_max(&rig, 1);
	fill(&rig, 0);
	endpoint_set_health(server(&rig, 0), HEALTH_UP, "");
	turn_a_little(rig.loop);
	assert_int_equal(waiter_count(&server(&rig, 0)->queue), 1);
	assert_true(rig.answers[0].route.queue_until == began);
	expect_none(&rig, 0, 1, "the queue took too long");
	endpoint_release(server(&rig, 0));
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
			endpoint_report(e, 0, &(struct endpoint_outcome){ ENDPOINT_LATER, 0, "", 0 });
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
	assert_int_equal(waiter_count(&rig.fixture.pool.service->queue), 1);
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

/* Clients of two threads, who come again and again, while servers go up and down and bounds change. */
enum { CROWDS = 2, VISITORS = 8, VISITS = 10000 };

struct crowd;

struct visitor {
	struct route route;
	struct crowd *crowd;
	char name[4];
};

struct crowd {
	struct rig *rig;
	struct loop *loop;
	struct visitor visitors[VISITORS];
	int visits, under_way, given_up, waited;
	atomic_bool is_over;
	pthread_t thread;
};

static void come(struct loop *loop, void *arg);

static void
leave(struct loop *loop, void *arg)
{
	struct visitor *visitor = arg;

	if (!visitor->route.is_queued)
		endpoint_release(route_claim(&visitor->route));
	else
		visitor->crowd->given_up++;
	route_cancel(&visitor->route);
	come(loop, visitor);
}

static void
on_visit(struct route *route, struct endpoint *endpoint, void *owner)
{
	struct visitor *visitor = owner;

	assert_non_null(endpoint);
	loop_post(route->loop, leave, visitor);
}

/* One in so many does not stay. */
static void
on_visit_queued(struct route *route, void *owner)
{
	struct visitor *visitor = owner;

	if (visitor->crowd->waited++ % 7 != 0)
		return;
	visitor->crowd->given_up++;
	route_cancel(route);
	loop_post(visitor->crowd->loop, come, visitor);
}

static void
on_visit_anew(struct route *route, void *owner)
{
	(void)owner;
	route_start(route);
}

static void
come(struct loop *loop, void *arg)
{
	struct visitor *visitor = arg;
	struct crowd *crowd = visitor->crowd;

	if (crowd->visits++ >= VISITS) {
		if (--crowd->under_way == 0)
			loop_stop(loop);
		return;
	}
	visitor->route = (struct route){ .loop = loop, .pool = &crowd->rig->fixture.pool,
		.user = slice_of(visitor->name), .on_routed = on_visit, .on_queued = on_visit_queued,
		.on_anew = on_visit_anew, .owner = visitor };
	route_start(&visitor->route);
}

static void *
run_crowd(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < VISITORS; i++) {
		crowd->visitors[i].crowd = crowd;
		snprintf(crowd->visitors[i].name, sizeof(crowd->visitors[i].name), "u%d", i);
		crowd->under_way++;
		loop_post(crowd->loop, come, &crowd->visitors[i]);
	}
	loop_run(crowd->loop);
	atomic_store(&crowd->is_over, true);
	return NULL;
}

static void
disturb(struct rig *rig, unsigned turn)
{
	struct endpoint *e = server(rig, turn % 2);

	endpoint_set_health(e, turn / 2 % 2 == 0 ? HEALTH_DOWN : HEALTH_UP, "");
	endpoint_set_max_connections(e, 1 + (int)(turn / 4 % 3));
	sched_yield();
}

/* A wake-up that is lost ends in the test's deadline. */
static void
nobody_is_forgotten_in_the_queue_of_the_pool(void **state)
{
	static const int weights[] = { 1, 1 };
	struct crowd crowds[CROWDS];
	struct rig rig;
	unsigned turn = 0;

	(void)state;
	for (int balancer = BALANCER_roundrobin; balancer <= BALANCER_user; balancer++) {
		rig_open(&rig, balancer, weights, 2);
		rig.fixture.pool.options.queue_timeout.ms = 60 * LONG_MS;
		set_max(&rig, 1);
		memset(crowds, 0, sizeof(crowds));
		for (int i = 0; i < CROWDS; i++) {
			crowds[i].rig = &rig;
			crowds[i].loop = loop_new(i);
			assert_int_equal(pthread_create(&crowds[i].thread, NULL, run_crowd, &crowds[i]), 0);
		}
		/* ends with both up */
		while (!atomic_load(&crowds[0].is_over) || !atomic_load(&crowds[1].is_over) || turn % 4 != 0)
			disturb(&rig, turn++);
		for (int i = 0; i < CROWDS; i++) {
			pthread_join(crowds[i].thread, NULL);
			turn_a_little(crowds[i].loop);
			turn_a_little(crowds[!i].loop);
			assert_true(crowds[i].waited > 0);
		}
		print_message("# %d and %d waited, %d and %d gave up, servers changed %u times\n",
		    crowds[0].waited, crowds[1].waited, crowds[0].given_up, crowds[1].given_up, turn);
		for (int i = 0; i < CROWDS; i++)
			loop_free(&crowds[i].loop);
		rig_close(&rig);
	}
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
		cmocka_unit_test(an_unbound_pool_has_one_queue),
		cmocka_unit_test(nobody_overtakes_the_queue),
		cmocka_unit_test(what_opens_before_it_waits_is_not_missed),
		cmocka_unit_test(who_waits_for_just_that_server_goes_first),
		cmocka_unit_test(nobody_is_handed_a_server_that_failed_it),
		cmocka_unit_test(a_promise_is_kept_or_waited_for),
		cmocka_unit_test(a_bound_user_is_moved_by_no_promise),
		cmocka_unit_test(the_first_server_that_is_up_lets_in_as_many_as_may),
		cmocka_unit_test(whatever_opens_a_server_wakes),
		cmocka_unit_test(a_queue_does_not_go_down_with_its_server),
		cmocka_unit_test(a_queue_does_not_leave_with_its_server),
		cmocka_unit_test(backups_serve_the_queue_when_the_others_are_down),
		cmocka_unit_test(queues_have_one_time_together),
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
		cmocka_unit_test(nobody_is_forgotten_in_the_queue_of_the_pool),
	};

	alarm(DEADLINE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
