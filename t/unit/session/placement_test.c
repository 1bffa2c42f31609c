/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement_test.c: one user, one server, where the server judges the
 * password: what is bound when, who is sent where, and that nothing is held
 * by those who have left.
 */
#include "bound.h"

static void
nothing_is_bound_before_the_servers_ok(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	server = serve(&rig, home);
	expect_unbound(&rig);
	peer_say(server, "L NO wrong\r\n");
	peer_expect(&client, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	expect_unbound(&rig);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = serve(&rig, home);
	expect_unbound(&rig);
	agree(server, &client);
	expect_bound(&rig, home);
	assert_non_null(s->leg->lease);
	assert_int_equal(affinity_count(rig.bindings), 1);
	peer_close(&client);
	all_leave(&rig);
	expect_bound(&rig, home);
	bound_close(&rig);
}

static void
a_living_binding_wins_over_the_hash(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer clients[3], *server;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, name_of(&rig, !home));
	ask_in(&rig, &clients[0]);
	agree(serve(&rig, !home), &clients[0]);
	/* drained, it keeps the living; and what is retained lives */
	machine_set_weight(endpoint_at(&rig, !home)->machine, 0);
	ask_in(&rig, &clients[1]);
	agree(serve(&rig, !home), &clients[1]);
	affinity_close(&guest.lease);
	peer_close(&clients[0]);
	peer_close(&clients[1]);
	all_leave(&rig);
	expect_bound(&rig, !home);
	ask_in(&rig, &clients[2]);
	server = serve(&rig, !home);
	assert_int_equal(rig.doors[home].count, 0);
	agree(server, &clients[2]);
	peer_close(&clients[2]);
	bound_close(&rig);
}

static void
nobody_new_is_bound_to_a_drained_server(void **state)
{
	struct rig rig;
	struct peer client;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	machine_set_weight(endpoint_at(&rig, home)->machine, 0);
	ask_in(&rig, &client);
	agree(serve(&rig, !home), &client);
	expect_bound(&rig, !home);
	peer_close(&client);
	bound_close(&rig);
}

static void
expect_reports(const struct rig *rig, size_t server, uint64_t taken)
{
	const struct endpoint_counters *counters = &endpoint_at(rig, server)->counters[0];

	assert_true(tally_read(&counters->sessions) == taken);
	assert_true(tally_read(&counters->dialogue_failures) == 0);
}

/* Two first logins at once, on two workers: the later one follows before its client hears of it. */
static void
who_is_bound_elsewhere_meanwhile_goes_there(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *first, *second;
	struct session *s;
	int64_t deadline;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	first = serve(&rig, home);
	guest_come(&guest, &rig, name_of(&rig, !home));
	deadline = s->leg->way->route.deadline -= 100;
	peer_say(first, "L OK done\r\n");
	second = serve(&rig, !home);
	assert_true(s->leg->way->route.deadline == deadline);	/* the login has one, over all tries */
	peer_expect_end(first);
	assert_int_equal(buf_len(&client.heard), 0);
	assert_int_equal(atomic_load(&endpoint_at(&rig, home)->connections), 0);
	agree(second, &client);
	assert_ptr_equal(s->leg->endpoint, endpoint_at(&rig, !home));
	assert_int_equal(guest.kicks, 0);
	/* either server has taken one */
	expect_reports(&rig, home, 1);
	expect_reports(&rig, !home, 1);
	affinity_close(&guest.lease);
	peer_close(&client);
	bound_close(&rig);
}

static void
and_is_told_to_come_later_when_that_happens_twice(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *first, *second;
	struct session *s;
	int64_t deadline;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	first = serve(&rig, home);
	guest_come(&guest, &rig, name_of(&rig, !home));
	peer_say(first, "L OK done\r\n");
	second = serve(&rig, !home);
	deadline = s->leg->way->route.deadline -= 100;
	assert_true(move_now(rig.bindings, rig.loop, bob, name_of(&rig, home)));
	peer_say(second, "L OK done\r\n");
	peer_expect(&client, unavailable);
	peer_expect_end(second);
	await(rig.loop, &guest.kicks, 1);
	assert_null(s->leg);
	affinity_close(&guest.lease);
	expect_nobody_holds(&rig);
	/* in the same connection there is another first time */
	peer_say(&client, "a LOGIN bob secret\r\n");
	second = serve(&rig, home);
	assert_true(s->leg->way->route.deadline > deadline);
	agree(second, &client);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_server_that_is_down_is_replaced_after_a_kick(void **state)
{
	struct rig rig;
	struct affinity_binding before, after;
	struct peer old, client, *old_server, *server;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	ask_in(&rig, &old);
	old_server = serve(&rig, home);
	agree(old_server, &old);
	assert_true(affinity_peek_now(rig.bindings, bob, loop_now(rig.loop), &before));
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	server = serve(&rig, !home);
	turn_a_little(rig.loop);
	assert_int_equal(old.is_gone, 0);
	agree(server, &client);
	peer_expect_end(old_server);
	peer_expect(&old, "* BYE ");
	assert_true(affinity_peek_now(rig.bindings, bob, loop_now(rig.loop), &after));
	assert_true(after.generation > before.generation);
	expect_bound(&rig, !home);
	/* back again, it is not the user's any more */
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_UP, "");
	peer_close(&old);
	ask_in(&rig, &old);
	agree(serve(&rig, !home), &old);
	peer_close(&old);
	peer_close(&client);
	bound_close(&rig);
}

/* While it tries again there: once, it is replaced as one that was down from the start. */
static void
a_server_that_goes_down_is_tried_no_more(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t home;

	(void)state;
	bound_open(&rig, "queue_timeout 0s");
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	peer_say(door_accept(&rig.doors[home]), "* BYE not now\r\n");
	while (s->leg->back != NULL)
		turn_a_little(rig.loop);
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	peer_say(door_accept(&rig.doors[!home]), "* BYE not now\r\n");
	while (s->leg->back != NULL)
		turn_a_little(rig.loop);
	endpoint_set_health(endpoint_at(&rig, !home), HEALTH_DOWN, "");
	peer_expect(&client, unavailable);
	assert_int_equal(rig.doors[home].count + rig.doors[!home].count, 2);
	/* the next login has another first time */
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_UP, "");
	peer_say(&client, "a LOGIN bob secret\r\n");
	agree(serve(&rig, home), &client);
	expect_bound(&rig, home);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_login_waits_for_the_kicked_to_go(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *server;
	struct session *s;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, name_of(&rig, home));
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	s = ask_in(&rig, &client);
	server = serve(&rig, !home);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n* 1 EXISTS\r\n");
	await(rig.loop, &guest.kicks, 1);
	turn_a_little(rig.loop);
	assert_int_equal(s->phase, FRONT_ROUTE);
	assert_int_equal(buf_len(&client.heard), 0);
	affinity_close(&guest.lease);
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n* 1 EXISTS\r\n");
	assert_int_equal(s->phase, FRONT_RELAY);
	peer_close(&client);
	bound_close(&rig);
}

static void
but_not_for_ever(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client;
	size_t home;

	(void)state;
	bound_open(&rig, "login_timeout 1s");
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, name_of(&rig, home));
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	peer_say(serve(&rig, !home), "L OK done\r\n");
	peer_expect(&client, unavailable);
	assert_int_equal(atomic_load(&endpoint_at(&rig, !home)->connections), 0);
	affinity_close(&guest.lease);
	peer_close(&client);
	bound_close(&rig);
}

/* The server that took the login is lost, or the client, while the kicked are waited for. */
static void
who_leaves_while_it_waits_holds_nothing(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *server;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, name_of(&rig, home));
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	server = serve(&rig, !home);
	peer_say(server, "L OK done\r\n");
	await(rig.loop, &guest.kicks, 1);
	peer_close(server);
	server = serve(&rig, !home);
	peer_say(server, "L OK done\r\n");
	turn_a_little(rig.loop);
	assert_int_equal(buf_len(&client.heard), 0);
	session_stop(list_entry(rig.worker->sessions.next, struct session, node));
	peer_expect_end(server);
	affinity_close(&guest.lease);
	peer_close(&client);
	bound_close(&rig);
}

/* It has its outcome from the server's OK on: a loss behind that is none, and what follows another try. */
static void
a_try_has_one_outcome(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *server;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, name_of(&rig, home));
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	server = serve(&rig, !home);
	expect_reports(&rig, !home, 0);
	peer_say(server, "L OK done\r\n");
	await(rig.loop, &guest.kicks, 1);
	expect_reports(&rig, !home, 1);
	peer_close(server);
	server = serve(&rig, !home);
	expect_reports(&rig, !home, 1);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	affinity_close(&guest.lease);
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
	expect_reports(&rig, !home, 2);
	expect_reports(&rig, home, 0);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_server_that_is_no_more_is_replaced(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, "d99");
	ask_in(&rig, &client);
	peer_say(serve(&rig, home), "L OK [CAPABILITY IMAP4rev1] done\r\n");
	await(rig.loop, &guest.kicks, 1);
	affinity_close(&guest.lease);
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
	expect_bound(&rig, home);
	peer_close(&client);
	bound_close(&rig);
}

/* Its client came before the reload that brought the user's server. */
static void
an_old_session_replaces_no_new_server(void **state)
{
	struct snapshot newer = { 0 };
	struct rig rig;
	struct guest guest;
	struct peer client;

	(void)state;
	bound_open(&rig, "");
	guest_come(&guest, &rig, "d99");
	ask_in(&rig, &client);
	rig.worker->snapshot = &newer;
	peer_expect(&client, unavailable);
	rig.worker->snapshot = &rig.snapshot;
	assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
	turn_a_little(rig.loop);
	assert_int_equal(guest.kicks, 0);
	affinity_close(&guest.lease);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_failed_connect_sends_nobody_elsewhere(void **state)
{
	struct rig rig;
	struct peer client, *server;
	size_t home;

	(void)state;
	bound_open(&rig, "retries 1");
	home = home_of_bob(&rig);
	ask_in(&rig, &client);
	server = door_accept(&rig.doors[home]);
	peer_say(server, "* BYE not now\r\n");
	/* the same one, a second later */
	agree(serve(&rig, home), &client);
	peer_close(&client);
	all_leave(&rig);
	door_refuse(&rig.doors[home]);
	ask_in(&rig, &client);
	peer_expect(&client, unavailable);
	assert_int_equal(rig.doors[!home].count, 0);
	expect_bound(&rig, home);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_full_server_is_waited_for(void **state)
{
	struct rig rig;
	struct peer first, second, third, *server;
	size_t home;

	(void)state;
	bound_open(&rig, "max_connections 1");
	home = home_of_bob(&rig);
	ask_in(&rig, &first);
	server = serve(&rig, home);
	agree(server, &first);
	ask_in(&rig, &second);
	ask_in(&rig, &third);
	while (waiter_count(&endpoint_at(&rig, home)->queue) < 2)
		turn_a_little(rig.loop);
	peer_close(&second);
	while (waiter_count(&endpoint_at(&rig, home)->queue) > 1)
		turn_a_little(rig.loop);
	peer_close(&first);
	peer_close(server);
	agree(serve(&rig, home), &third);
	assert_int_equal(rig.doors[!home].count, 0);
	peer_close(&third);
	bound_close(&rig);
}

/* Of all that are relayed on that farm: each hears it in its own words. */
static void
a_kick_ends_the_session(void **state)
{
	struct rig rig;
	struct peer client, *server;
	size_t home;

	(void)state;
	bound_open(&rig, "");
	home = home_of_bob(&rig);
	ask_in(&rig, &client);
	server = serve(&rig, home);
	agree(server, &client);
	assert_int_equal(kick_now(rig.bindings, rig.loop, bob), 1);
	peer_expect(&client, "* BYE ");
	peer_expect_end(server);
	peer_close(&client);
	bound_close(&rig);
}

/* In the middle of a literal nothing can be said, but it ends all the same. */
static void
a_kick_writes_into_no_literal(void **state)
{
	static const char part[] = "* 1 FETCH (BODY[] {100}\r\nbegun";
	struct rig rig;
	struct peer client, *server;

	(void)state;
	bound_open(&rig, "");
	ask_in(&rig, &client);
	server = serve(&rig, home_of_bob(&rig));
	agree(server, &client);
	peer_say(server, part);
	peer_expect(&client, part);
	kick_now(rig.bindings, rig.loop, bob);
	peer_expect_end(server);
	peer_expect_end(&client);
	peer_close(&client);
	bound_close(&rig);
}

/* All that has affinity waits for its server, or any, and is bound when one is up. */
static void
a_login_waits_for_the_first_server_that_is_up(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t home;

	(void)state;
	for (int is_bound = 0; is_bound < 2; is_bound++) {
		bound_open(&rig, "");
		home = home_of_bob(&rig);
		if (is_bound) {
			ask_in(&rig, &client);
			agree(serve(&rig, home), &client);
			peer_close(&client);
			all_leave(&rig);
		}
		endpoint_set_health(endpoint_at(&rig, 0), HEALTH_DOWN, "");
		endpoint_set_health(endpoint_at(&rig, 1), HEALTH_DOWN, "");
		s = ask_in(&rig, &client);
		while (s->leg == NULL || !leg_is_queued(s->leg))
			turn_a_little(rig.loop);
		endpoint_set_health(endpoint_at(&rig, !home), HEALTH_UP, "");
		agree(serve(&rig, !home), &client);
		expect_bound(&rig, !home);
		peer_close(&client);
		bound_close(&rig);
	}
}

static void
and_is_told_when_none_comes_up(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	bound_open(&rig, "queue_timeout 50ms");
	endpoint_set_health(endpoint_at(&rig, 0), HEALTH_DOWN, "");
	endpoint_set_health(endpoint_at(&rig, 1), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	peer_expect(&client, unavailable);
	expect_unbound(&rig);
	peer_close(&client);
	bound_close(&rig);
}

/* Its users stay bound to the server, nobody is kicked, and new logins wait for it. */
static void
a_pool_that_is_not_vital_moves_nobody(void **state)
{
	struct rig rig;
	struct peer old, client, *server;
	struct session *s;
	size_t home;

	(void)state;
	bound_open(&rig, "vital no; on_down keep");
	home = home_of_bob(&rig);
	ask_in(&rig, &old);
	server = serve(&rig, home);
	agree(server, &old);
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	s = ask_in(&rig, &client);
	while (s->leg == NULL || !leg_is_queued(s->leg))
		turn_a_little(rig.loop);
	assert_int_equal(old.is_gone, 0);
	expect_bound(&rig, home);
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_UP, "");
	agree(serve(&rig, home), &client);
	peer_close(&client);

	rig.pool->options.queue_timeout.ms = 50;
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	peer_expect(&client, unavailable);
	peer_close(&client);
	/* maintenance is meant */
	rig.pool->options.queue_timeout.ms = TAPE_PATIENCE_MS;
	endpoint_set_admin(endpoint_at(&rig, home), ADMIN_MAINTENANCE, "");
	ask_in(&rig, &client);
	agree(serve(&rig, !home), &client);
	expect_bound(&rig, !home);
	peer_expect(&old, "* BYE ");
	peer_close(&old);
	peer_close(&client);
	bound_close(&rig);
}

static void
others_say(struct rig *rig, size_t server, int up, int down)
{
	struct endpoint *e = endpoint_at(rig, server);

	atomic_store(&e->others_up, up);
	atomic_store(&e->others_down, down);
	service_changed(e->service);
	service_wake(e->service);
}

/* Other proxies reach it: its users wait here; who is not bound to it goes elsewhere. */
static void
a_server_that_others_reach_keeps_its_users(void **state)
{
	struct rig rig;
	struct peer old, client;
	struct session *s;
	size_t home;

	(void)state;
	bound_open(&rig, "on_down keep; check_quorum majority");
	home = home_of_bob(&rig);
	ask_in(&rig, &old);
	agree(serve(&rig, home), &old);
	others_say(&rig, home, 2, 0);
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	s = ask_in(&rig, &client);
	while (s->leg == NULL || !leg_is_queued(s->leg))
		turn_a_little(rig.loop);
	assert_int_equal(old.is_gone, 0);
	expect_bound(&rig, home);
	/* who is not bound there */
	assert_int_equal(home_of_bob(&rig), !home);
	/* most of them agree now: whoever waits is bound anew, and the old session is kicked */
	others_say(&rig, home, 1, 1);
	agree(serve(&rig, !home), &client);
	expect_bound(&rig, !home);
	peer_expect(&old, "* BYE ");
	peer_close(&old);
	peer_close(&client);
	bound_close(&rig);
}

/* Through another proxy the user was bound there meanwhile. */
static void
so_does_one_who_is_bound_there_meanwhile(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *first;
	struct session *s;
	size_t home;

	(void)state;
	bound_open(&rig, "check_quorum majority");
	home = home_of_bob(&rig);
	others_say(&rig, !home, 2, 0);
	endpoint_set_health(endpoint_at(&rig, !home), HEALTH_DOWN, "");
	s = ask_in(&rig, &client);
	first = serve(&rig, home);
	guest_come(&guest, &rig, name_of(&rig, !home));
	peer_say(first, "L OK done\r\n");
	peer_expect_end(first);
	while (s->leg == NULL || !leg_is_queued(s->leg))
		turn_a_little(rig.loop);
	assert_int_equal(buf_len(&client.heard), 0);
	endpoint_set_health(endpoint_at(&rig, !home), HEALTH_UP, "");
	agree(serve(&rig, !home), &client);
	assert_int_equal(guest.kicks, 0);
	affinity_close(&guest.lease);
	peer_close(&client);
	bound_close(&rig);
}

static void
and_they_hear_to_come_later(void **state)
{
	struct rig rig;
	struct peer client;
	size_t home;

	(void)state;
	bound_open(&rig, "queue_timeout 50ms; check_quorum 2");
	home = home_of_bob(&rig);
	ask_in(&rig, &client);
	agree(serve(&rig, home), &client);
	peer_close(&client);
	all_leave(&rig);
	others_say(&rig, home, 1, 0);
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	peer_expect(&client, unavailable);
	expect_bound(&rig, home);
	peer_close(&client);
	/* nobody else is heard: this proxy's own word */
	others_say(&rig, home, 0, 0);
	ask_in(&rig, &client);
	agree(serve(&rig, !home), &client);
	expect_bound(&rig, !home);
	peer_close(&client);
	bound_close(&rig);
}

/* Nobody is up, and the pool takes that for a mistake: users go where they would. */
static void
a_pool_in_panic_sends_users_home(void **state)
{
	struct rig rig;
	struct peer client;
	size_t home;

	(void)state;
	bound_open(&rig, "panic yes");
	home = home_of_bob(&rig);
	endpoint_set_health(endpoint_at(&rig, 0), HEALTH_DOWN, "");
	endpoint_set_health(endpoint_at(&rig, 1), HEALTH_DOWN, "");
	for (int i = 0; i < 2; i++) {
		ask_in(&rig, &client);
		agree(serve(&rig, home), &client);
		expect_bound(&rig, home);
		peer_close(&client);
	}
	bound_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_bound_before_the_servers_ok),
		cmocka_unit_test(a_living_binding_wins_over_the_hash),
		cmocka_unit_test(nobody_new_is_bound_to_a_drained_server),
		cmocka_unit_test(who_is_bound_elsewhere_meanwhile_goes_there),
		cmocka_unit_test(and_is_told_to_come_later_when_that_happens_twice),
		cmocka_unit_test(a_server_that_is_down_is_replaced_after_a_kick),
		cmocka_unit_test(a_server_that_goes_down_is_tried_no_more),
		cmocka_unit_test(a_login_waits_for_the_kicked_to_go),
		cmocka_unit_test(but_not_for_ever),
		cmocka_unit_test(who_leaves_while_it_waits_holds_nothing),
		cmocka_unit_test(a_try_has_one_outcome),
		cmocka_unit_test(a_server_that_is_no_more_is_replaced),
		cmocka_unit_test(an_old_session_replaces_no_new_server),
		cmocka_unit_test(a_failed_connect_sends_nobody_elsewhere),
		cmocka_unit_test(a_full_server_is_waited_for),
		cmocka_unit_test(a_kick_ends_the_session),
		cmocka_unit_test(a_kick_writes_into_no_literal),
		cmocka_unit_test(a_login_waits_for_the_first_server_that_is_up),
		cmocka_unit_test(and_is_told_when_none_comes_up),
		cmocka_unit_test(a_pool_that_is_not_vital_moves_nobody),
		cmocka_unit_test(a_server_that_others_reach_keeps_its_users),
		cmocka_unit_test(so_does_one_who_is_bound_there_meanwhile),
		cmocka_unit_test(and_they_hear_to_come_later),
		cmocka_unit_test(a_pool_in_panic_sends_users_home),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
