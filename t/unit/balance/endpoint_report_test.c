/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_report_test.c: what each result counts, what an observer hears, and who may dial after it. */
#include <unistd.h>

#include "../base/counters.h"
#include "pool_fixture.h"

#include "balance/endpoint_report.h"
#include "balance/endpoint_room.h"
#include "base/clock.h"
#include "net/loop.h"

enum { THREADS = 2, WORKER = 1, ERROR_LIMIT = 3, DEADLINE_S = 60 };

struct heard {
	int count, deaths;
	int64_t dead_until;
	const struct endpoint *endpoint;
	enum endpoint_result result;
	enum endpoint_verdict verdict;
};

static void
on_result(struct endpoint *e, enum endpoint_result result, enum endpoint_verdict verdict, void *owner)
{
	struct heard *heard = owner;

	heard->count++;
	heard->endpoint = e;
	heard->result = result;
	heard->verdict = verdict;
}

static void
on_dead(struct endpoint *e, int64_t until, void *owner)
{
	struct heard *heard = owner;

	heard->deaths++;
	heard->endpoint = e;
	heard->dead_until = until;
}

static struct endpoint *
make(void)
{
	struct service *service = service_new("imap");
	struct machine *machine = machine_new("dovecot", "d03");
	struct endpoint *e = endpoint_new(service, machine, THREADS);

	machine_put(&machine);
	service_put(&service);
	return e;
}

static void
tell(struct endpoint *e, enum endpoint_result result, int64_t took_ms)
{
	endpoint_report(e, WORKER, &(struct endpoint_outcome){ result, took_ms, "", 0 });
}

static uint64_t
all_of(const struct endpoint *e)
{
	static const char *const names[] = { ENDPOINT_COUNTERS(COUNTER_NAME) };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		sum += metric_of(&endpoint_metrics, names[i], e, THREADS);
	return sum;
}

static void
each_result_counts_as_what_it_is(void **state)
{
	static const struct {
		enum endpoint_result result;
		const char *metric, *text;
	} cases[] = {
		{ ENDPOINT_OK, "sessions", "ok" },
		{ ENDPOINT_CONNECT_FAILED, "connect_failures", "connect failed" },
		{ ENDPOINT_TIMED_OUT, "timeouts", "timed out" },
		{ ENDPOINT_TLS_FAILED, "tls_failures", "TLS failed" },
		{ ENDPOINT_LOST, "dialogue_failures", "connection lost" },
		{ ENDPOINT_GARBLED, "dialogue_failures", "out of protocol" },
		{ ENDPOINT_REFUSED, "refused", "refused" },
		{ ENDPOINT_LATER, "put_off", "temporary failure" },
		{ ENDPOINT_OWN_FAULT, "own_faults", "own fault" },
	};

	(void)state;
	assert_int_equal(sizeof(cases) / sizeof(cases[0]), ENDPOINT_RESULT_COUNT);
	for (size_t i = 0; i < ENDPOINT_RESULT_COUNT; i++) {
		struct endpoint *e = make();

		tell(e, cases[i].result, 5);
		assert_int_equal(metric_of(&endpoint_metrics, cases[i].metric, e, THREADS), 1);
		assert_int_equal(all_of(e), 1);
		assert_int_equal(metric_of(&endpoint_metrics, cases[i].metric, e, WORKER), 0);
		assert_string_equal(endpoint_result_text(cases[i].result), cases[i].text);
		endpoint_put(&e);
	}
}

static void
an_observer_hears_of_the_server_only(void **state)
{
	struct heard heard = { 0 };
	const struct endpoint_observer observer = { .on_result = on_result, .owner = &heard };
	struct endpoint *e = make();

	(void)state;
	endpoint_observe(&observer);
	for (int i = 0; i < ENDPOINT_OWN_FAULT; i++) {
		tell(e, (enum endpoint_result)i, 100 + i);
		assert_int_equal(heard.count, i + 1);
		assert_ptr_equal(heard.endpoint, e);
		assert_int_equal(heard.result, i);
		assert_int_equal(heard.verdict, ENDPOINT_UNJUDGED);
	}
	tell(e, ENDPOINT_OWN_FAULT, 0);
	assert_int_equal(heard.count, ENDPOINT_OWN_FAULT);
	endpoint_observe(NULL);
	tell(e, ENDPOINT_OK, 1);
	assert_int_equal(heard.count, ENDPOINT_OWN_FAULT);
	endpoint_put(&e);
}

static void
try(struct endpoint *e, enum endpoint_result result)
{
	assert_true(endpoint_take(e));
	tell(e, result, 0);
	endpoint_release(e);
}

static void
die(struct endpoint *e)
{
	while (!endpoint_is_dead(e))
		try(e, ENDPOINT_LATER);
}

static int
bound_of(const struct endpoint *e)
{
	return atomic_load(&e->dial_bound);
}

static void
dials_until_the_outcome(void **state)
{
	struct endpoint *e = make();

	(void)state;
	assert_true(endpoint_take(e));
	assert_true(endpoint_take(e));
	assert_int_equal(metric_of(&endpoint_metrics, "dialling", e, THREADS), 2);
	tell(e, ENDPOINT_OK, 1);
	assert_int_equal(atomic_load(&e->dialling), 1);
	assert_int_equal(atomic_load(&e->connections), 2);
	endpoint_give_up(e);
	assert_int_equal(atomic_load(&e->dialling), 0);
	assert_int_equal(atomic_load(&e->connections), 1);
	endpoint_release(e);
	assert_int_equal(atomic_load(&e->dialling), 0);
	endpoint_put(&e);
}

/* A verdict moves the window; the client's faults and ours do not. */
static void
each_result_moves_the_window_as_it_should(void **state)
{
	struct heard heard = { 0 };
	const struct endpoint_observer observer = { .on_result = on_result, .owner = &heard };

	(void)state;
	endpoint_observe(&observer);
	for (int i = 0; i < ENDPOINT_OWN_FAULT; i++) {
		bool is_bad = i == ENDPOINT_CONNECT_FAILED || i == ENDPOINT_TIMED_OUT ||
		    i == ENDPOINT_TLS_FAILED || i == ENDPOINT_LOST || i == ENDPOINT_LATER;
		bool is_good = i == ENDPOINT_OK || i == ENDPOINT_REFUSED;
		struct endpoint *e = make();

		endpoint_set_observed(e, ERROR_LIMIT);
		try(e, (enum endpoint_result)i);
		assert_int_equal(bound_of(e), is_bad ? WINDOW_INITIAL - 1 : 0);
		die(e);
		endpoint_reopen(e);
		assert_int_equal(bound_of(e), 1);
		try(e, (enum endpoint_result)i);
		assert_int_equal(bound_of(e), is_good ? 2 : is_bad ? WINDOW_CLOSED : 1);
		assert_int_equal(heard.verdict, is_good ? ENDPOINT_GOOD : is_bad ? ENDPOINT_BAD :
		    ENDPOINT_UNJUDGED);
		endpoint_put(&e);
	}
	endpoint_observe(NULL);
}

static void
our_own_faults_move_no_window(void **state)
{
	struct endpoint *e = make();

	(void)state;
	endpoint_set_observed(e, ERROR_LIMIT);
	die(e);
	endpoint_reopen(e);
	try(e, ENDPOINT_OWN_FAULT);
	assert_int_equal(bound_of(e), 1);
	endpoint_put(&e);
}

static void
a_bound_is_room(void **state)
{
	struct endpoint *e = make();
	struct balance_key key = { 0 };

	(void)state;
	machine_set_weight(e->machine, 1);
	endpoint_set_observed(e, ERROR_LIMIT);
	try(e, ENDPOINT_LOST);
	for (int i = 0; i < WINDOW_INITIAL - 1; i++)
		assert_true(endpoint_take(e));
	assert_false(endpoint_is_usable(e, &key));
	assert_false(endpoint_take(e));
	tell(e, ENDPOINT_OK, 1);
	assert_true(endpoint_is_usable(e, &key));	/* sessions that were let in are no matter */
	assert_true(endpoint_take(e));
	for (int i = 0; i < WINDOW_INITIAL - 1; i++)
		endpoint_give_up(e);
	endpoint_release(e);
	die(e);
	assert_false(endpoint_is_usable(e, &key));
	key.full_too = true;
	assert_true(endpoint_is_usable(e, &key));
	key.alive_only = true;
	assert_false(endpoint_is_usable(e, &key));
	endpoint_put(&e);
}

static void
nobody_is_judged_unobserved(void **state)
{
	struct endpoint *e = make();

	(void)state;
	for (int i = 0; i < 100; i++)
		try(e, ENDPOINT_LATER);
	assert_int_equal(bound_of(e), 0);
	endpoint_set_observed(e, ERROR_LIMIT);
	die(e);
	endpoint_set_observed(e, 0);
	assert_int_equal(bound_of(e), 0);
	endpoint_put(&e);
}

static void
an_observer_hears_of_each_death(void **state)
{
	struct heard heard = { 0 };
	const struct endpoint_observer observer = { on_result, on_dead, &heard };
	struct endpoint *e = make();
	int64_t now = clock_ms();

	(void)state;
	endpoint_observe(&observer);
	endpoint_set_observed(e, ERROR_LIMIT);
	assert_true(endpoint_take(e));
	assert_true(endpoint_take(e));
	die(e);
	tell(e, ENDPOINT_LATER, 1);	/* that were under way */
	assert_int_equal(heard.deaths, 1);
	assert_ptr_equal(heard.endpoint, e);
	assert_true(heard.dead_until >= now + WINDOW_DEAD_MIN_MS);
	endpoint_tick(e, heard.dead_until - 1);
	assert_true(endpoint_is_dead(e));
	endpoint_release(e);
	endpoint_give_up(e);
	/* a try counts from then on, and it began now */
	endpoint_tick(e, heard.dead_until);
	assert_false(endpoint_is_dead(e));
	try(e, ENDPOINT_LATER);
	assert_int_equal(heard.deaths, 1);
	try(e, ENDPOINT_OK);
	assert_int_equal(bound_of(e), 2);
	endpoint_set_observed(e, 0);
	endpoint_set_observed(e, ERROR_LIMIT);
	endpoint_observe(NULL);
	endpoint_put(&e);
}

static void
a_check_ends_the_dead_time(void **state)
{
	struct endpoint *e = make();

	(void)state;
	endpoint_set_observed(e, ERROR_LIMIT);
	endpoint_set_health(e, HEALTH_DOWN, "");
	die(e);
	endpoint_set_health(e, HEALTH_UP, "");
	assert_int_equal(bound_of(e), 1);
	die(e);
	endpoint_set_health(e, HEALTH_UP, "");		/* it was so all the time */
	assert_true(endpoint_is_dead(e));
	endpoint_put(&e);
}

static void
a_dead_tier_lets_its_backups_in(void **state)
{
	static const int weights[] = { 1, 1, 1 };
	struct balance_key full_too = { .full_too = true };
	struct fixture f;

	(void)state;
	fixture_open(&f, BALANCER_leastconn, weights, 3);
	f.servers[2].backup = true;
	pool_close(&f.pool);
	pool_open(&f.pool, f.table, NULL);
	pool_commit(&f.pool);
	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(fixture_pick(&f, 0, &any_user), 2);
		endpoint_set_observed(f.pool.endpoints[i], ERROR_LIMIT);
		die(f.pool.endpoints[i]);
	}
	assert_int_equal(fixture_pick(&f, 0, &any_user), 2);
	endpoint_reopen(f.pool.endpoints[1]);
	assert_true(endpoint_take(f.pool.endpoints[1]));
	assert_int_equal(fixture_pick(&f, 0, &any_user), -1);	/* alive, and full */
	assert_int_not_equal(fixture_pick(&f, 0, &full_too), 2);
	endpoint_give_up(f.pool.endpoints[1]);
	fixture_close(&f);
}

struct guest {
	struct waiter *waiter;
	bool is_in;
};

static void
on_room(void *owner, void *gift)
{
	struct guest *guest = owner;

	(void)gift;
	guest->is_in = true;
}

static const struct waiter_duty room_duty = { .on_wake = on_room };

static void
stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static int
count_in(struct loop *loop, const struct guest *guests, int count)
{
	int in = 0;

	loop_post(loop, stop, NULL);
	loop_run(loop);
	for (int i = 0; i < count; i++)
		in += guests[i].is_in;
	return in;
}

static void
those_who_wait_are_let_in_as_it_opens(void **state)
{
	enum { GUESTS = 12 };
	struct guest guests[GUESTS] = { 0 };
	struct loop *loop = loop_new(0);
	struct endpoint *e = make();
	struct addr other;

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.7"), 143, &other));
	endpoint_set_observed(e, ERROR_LIMIT);
	die(e);
	for (int i = 0; i < GUESTS; i++)
		assert_false(endpoint_take_or_wait(e, loop, &room_duty, &guests[i], &guests[i].waiter));
	endpoint_reopen(e);
	assert_int_equal(count_in(loop, guests, GUESTS), 1);
	tell(e, ENDPOINT_GARBLED, 1);
	assert_int_equal(count_in(loop, guests, GUESTS), 2);
	endpoint_give_up(e);
	assert_int_equal(count_in(loop, guests, GUESTS), 3);
	tell(e, ENDPOINT_OK, 0);		/* of two now */
	assert_int_equal(count_in(loop, guests, GUESTS), 5);
	endpoint_release(e);				/* a session that ends makes no room to dial */
	assert_int_equal(count_in(loop, guests, GUESTS), 5);
	waiter_cancel(&guests[5].waiter);
	endpoint_give_up(e);
	waiter_cancel(&guests[6].waiter);		/* its wake is under way */
	assert_int_equal(count_in(loop, guests, GUESTS), 5);
	assert_int_equal(count_in(loop, guests, GUESTS), 6);
	assert_true(guests[7].is_in);
	endpoint_set_addr(e, &other);
	assert_int_equal(count_in(loop, guests, GUESTS), GUESTS - 2);
	while (atomic_load(&e->dialling) > 0)
		endpoint_give_up(e);
	while (atomic_load(&e->connections) > 0)
		endpoint_release(e);
	endpoint_put(&e);
	loop_free(&loop);
}

/*
 * Several threads whose clients come again and again to a server that fails them more often than not.  No
 * loop spins: one that does would take whole slices of a busy processor from the one it waits for.
 */
enum { CLIENTS = 10, VISITS = 3000 };

struct crowd {
	struct endpoint *e;
	struct loop *loops[THREADS];
	atomic_int staying;		/* clients with visits left, of all threads */
};

struct client {
	struct crowd *crowd;
	struct loop *loop;
	struct waiter *waiter;
	int visits;
};

struct thread {
	pthread_t thread;
	struct client clients[CLIENTS];
};

static void come(struct client *client);

static void
stop_all(struct crowd *crowd)
{
	for (int i = 0; i < THREADS; i++)
		loop_post(crowd->loops[i], stop, NULL);
}

static void
leave(struct loop *loop, void *arg)
{
	struct client *client = arg;
	struct endpoint *e = client->crowd->e;
	int kind = ++client->visits % 7;

	if (kind == 0) {
		endpoint_give_up(e);
	} else {
		endpoint_report(e, loop_index(loop), &(struct endpoint_outcome){
		    .result = kind < 5 ? ENDPOINT_LOST : ENDPOINT_OK, .why = "" });
		endpoint_release(e);
	}
	endpoint_reopen(e);		/* it may have died by this one */
	if (client->visits < VISITS)
		come(client);
	else if (atomic_fetch_sub(&client->crowd->staying, 1) == 1)
		stop_all(client->crowd);
}

static void
on_client(void *owner, void *gift)
{
	struct client *client = owner;

	(void)gift;
	loop_post(client->loop, leave, client);
}

static const struct waiter_duty client_duty = { .on_wake = on_client };

static void
come(struct client *client)
{
	if (endpoint_take_or_wait(client->crowd->e, client->loop, &client_duty, client, &client->waiter))
		on_client(client, NULL);
}

static void *
run(void *arg)
{
	struct thread *thread = arg;

	for (int i = 0; i < CLIENTS; i++)
		come(&thread->clients[i]);
	loop_run(thread->clients[0].loop);
	return NULL;
}

static void
nobody_waits_for_ever_at_a_sick_server(void **state)
{
	static struct thread threads[THREADS];	/* constant size, large for a stack */
	struct crowd crowd = { .e = make(), .staying = THREADS * CLIENTS };

	(void)state;
	endpoint_set_observed(crowd.e, ERROR_LIMIT);
	for (int i = 0; i < THREADS; i++)
		crowd.loops[i] = loop_new(i);
	for (int i = 0; i < THREADS; i++) {
		for (int j = 0; j < CLIENTS; j++)
			threads[i].clients[j] = (struct client){ .crowd = &crowd, .loop = crowd.loops[i] };
		assert_int_equal(pthread_create(&threads[i].thread, NULL, run, &threads[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		loop_free(&crowd.loops[i]);
	assert_int_equal(atomic_load(&crowd.e->dialling), 0);
	assert_int_equal(atomic_load(&crowd.e->connections), 0);
	assert_int_equal(atomic_load(&crowd.e->references), 1);
	endpoint_put(&crowd.e);
}

static void
try_of(struct endpoint *e, enum endpoint_result result, uint64_t who)
{
	const struct endpoint_outcome outcome = { result, 0, "", who };

	assert_true(endpoint_take(e));
	endpoint_report(e, WORKER, &outcome);
	endpoint_release(e);
}

/* Their mailboxes may be sick, or what they send, and not the server. */
static void
one_who_fails_again_and_again_counts_once(void **state)
{
	static const enum endpoint_result results[] = { ENDPOINT_LATER, ENDPOINT_GARBLED };

	(void)state;
	for (size_t n = 0; n < sizeof(results) / sizeof(results[0]); n++) {
		struct endpoint *e = make();

		endpoint_set_observed(e, ERROR_LIMIT);
		for (uint64_t i = 0; i < 60; i++)
			try_of(e, results[n], 1 + i % 3);
		assert_false(endpoint_is_dead(e));
		for (uint64_t i = 0; i < ENDPOINT_SUFFERERS && !endpoint_is_dead(e); i++)
			try_of(e, results[n], 10 + i);
		assert_true(endpoint_is_dead(e));
		endpoint_put(&e);
	}
}

/* They were for the host that was there before. */
static void
tries_at_the_old_address_say_nothing_of_the_new_one(void **state)
{
	enum { TRIES = 10, TOOK_MS = 1000 };
	struct endpoint *e = make();
	struct addr other;

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.7"), 143, &other));
	endpoint_set_observed(e, ERROR_LIMIT);
	for (int i = 0; i < TRIES; i++)
		assert_true(endpoint_take(e));
	endpoint_set_addr(e, &other);
	for (int i = 0; i < TRIES; i++) {
		tell(e, ENDPOINT_TIMED_OUT, TOOK_MS);
		endpoint_release(e);
	}
	assert_false(endpoint_is_dead(e));
	endpoint_put(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tries_at_the_old_address_say_nothing_of_the_new_one),
		cmocka_unit_test(one_who_fails_again_and_again_counts_once),
		cmocka_unit_test(each_result_counts_as_what_it_is),
		cmocka_unit_test(an_observer_hears_of_the_server_only),
		cmocka_unit_test(dials_until_the_outcome),
		cmocka_unit_test(each_result_moves_the_window_as_it_should),
		cmocka_unit_test(our_own_faults_move_no_window),
		cmocka_unit_test(a_bound_is_room),
		cmocka_unit_test(nobody_is_judged_unobserved),
		cmocka_unit_test(an_observer_hears_of_each_death),
		cmocka_unit_test(a_check_ends_the_dead_time),
		cmocka_unit_test(a_dead_tier_lets_its_backups_in),
		cmocka_unit_test(those_who_wait_are_let_in_as_it_opens),
		cmocka_unit_test(nobody_waits_for_ever_at_a_sick_server),
	};

	alarm(DEADLINE_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
