/* SPDX-License-Identifier: BSD-2-Clause */
/* adhoc_test.c: who shares an endpoint of no pool, over several threads, and until when it is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "balance/adhoc.h"
#include "balance/endpoint_report.h"
#include "balance/endpoint_room.h"

enum { THREADS = 2, HOSTS = 16, ROUNDS = 20000 };

struct rig {
	struct adhoc_table *table;
	struct service *service;
};

static void
rig_open(struct rig *rig)
{
	rig->table = adhoc_table_new(THREADS);
	rig->service = service_new("imap");
}

/* The sanitizer sees what is not given back. */
static void
rig_close(struct rig *rig)
{
	adhoc_table_free(&rig->table);
	assert_null(rig->table);
	adhoc_table_free(&rig->table);
	assert_int_equal(atomic_load(&rig->service->references), 1);
	service_put(&rig->service);
}

static struct endpoint *
get(const struct rig *rig, const char *host, uint16_t port)
{
	struct addr addr;

	if (!addr_parse(slice_of(host), port, &addr))
		fail_msg("%s is no address", host);
	return adhoc_get(rig->table, rig->service, &addr);
}

static void
is_dead_for_all_where_tries_fail(void **state)
{
	enum { ERROR_LIMIT = 3 };
	struct rig rig;
	struct endpoint *e, *same;

	(void)state;
	rig_open(&rig);
	e = get(&rig, "192.0.2.1", 143);
	endpoint_set_observed(e, ERROR_LIMIT);
	while (!endpoint_is_dead(e)) {
		assert_true(endpoint_take(e));
		endpoint_report(e, 0, &(struct endpoint_outcome){ ENDPOINT_CONNECT_FAILED, 0, "", 0 });
		endpoint_release(e);
	}
	same = get(&rig, "192.0.2.1", 143);
	endpoint_set_observed(same, ERROR_LIMIT);
	assert_false(endpoint_take(same));
	endpoint_set_observed(same, ERROR_LIMIT + 1);
	assert_false(endpoint_take(same));
	assert_int_equal(endpoint_tick(same, same->window.dead_until), 0);
	assert_true(endpoint_take(same));
	endpoint_give_up(same);
	endpoint_put(&same);
	endpoint_put(&e);
	rig_close(&rig);
}

/* As a session that comes and goes. */
static void
use(const struct rig *rig, uint16_t port)
{
	struct endpoint *e = get(rig, "192.0.2.1", port);

	endpoint_put(&e);
}

static void
is_one_for_all_at_an_address(void **state)
{
	struct rig rig;
	struct endpoint *first, *second, *other;
	struct addr addr;

	(void)state;
	rig_open(&rig);
	first = get(&rig, "192.0.2.1", 143);
	second = get(&rig, "192.0.2.1", 143);
	assert_ptr_equal(first, second);
	assert_string_equal(first->name, "imap/192.0.2.1:143");
	assert_ptr_equal(first->service, rig.service);
	assert_true(first->is_adhoc);
	assert_int_equal(endpoint_weight(first), 1);
	addr = endpoint_addr(first);
	assert_int_equal(addr_port(&addr), 143);
	assert_true(endpoint_take(first));
	assert_true(endpoint_take(second));
	assert_int_equal(endpoint_load(first).connections, 2);
	endpoint_release(first);
	endpoint_release(second);
	other = get(&rig, "192.0.2.1", 1143);
	assert_ptr_not_equal(other, first);
	endpoint_put(&other);
	other = get(&rig, "2001:db8::1", 143);
	assert_string_equal(other->name, "imap/[2001:db8::1]:143");
	assert_int_equal(adhoc_count(rig.table), 3);
	endpoint_put(&other);
	endpoint_put(&first);
	endpoint_put(&second);
	rig_close(&rig);
}

static void
services_have_their_own(void **state)
{
	struct rig rig;
	struct service *pop3 = service_new("pop3");
	struct endpoint *e, *other;
	struct addr addr;

	(void)state;
	rig_open(&rig);
	e = get(&rig, "192.0.2.1", 143);
	addr = endpoint_addr(e);
	other = adhoc_get(rig.table, pop3, &addr);
	assert_ptr_not_equal(e, other);
	assert_string_equal(other->name, "pop3/192.0.2.1:143");
	endpoint_put(&e);
	endpoint_put(&other);
	rig_close(&rig);
	service_put(&pop3);
}

/* From the first sweep that sees no session: none is kept for less than its time. */
static void
is_kept_for_a_while_after_its_last_session(void **state)
{
	struct rig rig;
	struct endpoint *e, *again;
	int64_t now = 5000;

	(void)state;
	rig_open(&rig);
	e = get(&rig, "192.0.2.1", 143);
	assert_true(endpoint_take(e));
	assert_false(adhoc_sweep(rig.table, now));
	tally_add(&e->counters[0].sessions, 1);
	endpoint_put(&e);
	for (int i = 0; i < 3; i++)	/* its connection counts, too */
		assert_false(adhoc_sweep(rig.table, now += ADHOC_KEPT_MS));
	e = get(&rig, "192.0.2.1", 143);
	assert_int_equal(tally_read(&e->counters[0].sessions), 1);
	endpoint_release(e);
	endpoint_put(&e);
	now += 5000;
	assert_false(adhoc_sweep(rig.table, now));
	assert_false(adhoc_sweep(rig.table, now + ADHOC_KEPT_MS - 1));
	/* used for less time than lies between two sweeps */
	again = get(&rig, "192.0.2.1", 143);
	assert_int_equal(tally_read(&again->counters[0].sessions), 1);
	endpoint_put(&again);
	assert_false(adhoc_sweep(rig.table, now + ADHOC_KEPT_MS));
	assert_int_equal(adhoc_count(rig.table), 1);
	assert_true(adhoc_sweep(rig.table, now + 2 * ADHOC_KEPT_MS));
	assert_int_equal(adhoc_count(rig.table), 0);
	assert_false(adhoc_sweep(rig.table, now + 2 * ADHOC_KEPT_MS));
	again = get(&rig, "192.0.2.1", 143);
	assert_int_equal(tally_read(&again->counters[0].sessions), 0);
	endpoint_put(&again);
	rig_close(&rig);
}

static void
are_no_more_than_the_bound(void **state)
{
	struct rig rig;
	struct endpoint *known, *known_again, *alone, *another;

	(void)state;
	rig_open(&rig);
	for (uint16_t i = 0; i < ADHOC_MAX; i++)
		use(&rig, i + 1);
	assert_int_equal(adhoc_count(rig.table), ADHOC_MAX);
	known = get(&rig, "192.0.2.1", 1);
	known_again = get(&rig, "192.0.2.1", 1);
	assert_ptr_equal(known, known_again);
	alone = get(&rig, "192.0.2.1", ADHOC_MAX + 1);
	another = get(&rig, "192.0.2.1", ADHOC_MAX + 1);
	assert_ptr_not_equal(alone, another);
	assert_true(alone->is_adhoc);
	assert_int_equal(endpoint_weight(alone), 1);
	assert_int_equal(adhoc_count(rig.table), ADHOC_MAX);
	endpoint_put(&another);
	assert_false(adhoc_sweep(rig.table, 0));
	assert_true(adhoc_sweep(rig.table, ADHOC_KEPT_MS));
	assert_int_equal(adhoc_count(rig.table), 1);	/* the known one is in use */
	another = get(&rig, "192.0.2.1", ADHOC_MAX + 1);
	assert_int_equal(adhoc_count(rig.table), 2);
	endpoint_put(&alone);
	endpoint_put(&another);
	endpoint_put(&known);
	endpoint_put(&known_again);
	rig_close(&rig);
}

struct user {
	const struct rig *rig;
	int worker;
	atomic_bool is_done;
	bool sees_others;	/* what it holds is not what it is given again */
	pthread_t thread;
};

static void *
come_and_go(void *arg)
{
	struct user *user = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint16_t port = (uint16_t)(i % HOSTS + 1);
		struct endpoint *e = get(user->rig, "192.0.2.1", port), *held = e, *again;

		endpoint_take(e);
		endpoint_put(&e);
		tally_add(&held->counters[user->worker].sessions, 1);
		again = get(user->rig, "192.0.2.1", port);
		user->sees_others = user->sees_others || again != held;
		endpoint_put(&again);
		endpoint_release(held);
	}
	atomic_store(&user->is_done, true);
	return NULL;
}

static void
start(const struct rig *rig, struct user users[THREADS])
{
	for (int i = 0; i < THREADS; i++) {
		users[i] = (struct user){ .rig = rig, .worker = i };
		assert_int_equal(pthread_create(&users[i].thread, NULL, come_and_go, &users[i]), 0);
	}
}

static void
finish(struct user users[THREADS])
{
	for (int i = 0; i < THREADS; i++) {
		pthread_join(users[i].thread, NULL);
		assert_false(users[i].sees_others);
	}
}

static void
threads_share_counts(void **state)
{
	struct rig rig;
	struct user users[THREADS];
	uint64_t sessions = 0;

	(void)state;
	rig_open(&rig);
	start(&rig, users);
	finish(users);
	assert_int_equal(adhoc_count(rig.table), HOSTS);
	for (uint16_t i = 0; i < HOSTS; i++) {
		struct endpoint *e = get(&rig, "192.0.2.1", i + 1);

		assert_int_equal(endpoint_load(e).connections, 0);
		sessions += (uint64_t)metric_read(metric_find(&endpoint_metrics, slice_of("sessions")), e,
		    THREADS);
		endpoint_put(&e);
	}
	assert_int_equal(sessions, THREADS * ROUNDS);
	rig_close(&rig);
}

/* Time flies, so that whatever is idle for two sweeps is forgotten: never what somebody holds. */
static void
none_is_forgotten_under_its_user(void **state)
{
	struct rig rig;
	struct user users[THREADS];
	int64_t now = 0;

	(void)state;
	rig_open(&rig);
	start(&rig, users);
	while (!atomic_load(&users[0].is_done) || !atomic_load(&users[1].is_done)) {
		adhoc_sweep(rig.table, now);
		now += ADHOC_KEPT_MS;
	}
	finish(users);
	assert_in_range(adhoc_count(rig.table), 0, HOSTS);
	rig_close(&rig);
}

/* What balancers remember of the pool's servers stays. */
static void
a_host_that_is_asked_for_changes_nothing(void **state)
{
	struct rig rig;
	unsigned before;

	(void)state;
	rig_open(&rig);
	before = service_changes(rig.service);
	for (int i = 0; i < 3; i++) {
		struct endpoint *e = get(&rig, "192.0.2.1", 143);

		endpoint_put(&e);
	}
	assert_int_equal(service_changes(rig.service), before);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_is_asked_for_changes_nothing),
		cmocka_unit_test(is_dead_for_all_where_tries_fail),
		cmocka_unit_test(is_one_for_all_at_an_address),
		cmocka_unit_test(services_have_their_own),
		cmocka_unit_test(is_kept_for_a_while_after_its_last_session),
		cmocka_unit_test(are_no_more_than_the_bound),
		cmocka_unit_test(threads_share_counts),
		cmocka_unit_test(none_is_forgotten_under_its_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
