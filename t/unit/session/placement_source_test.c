/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement_source_test.c: placement where an auth source decides: bound
 * before the dial, sent where the source says, and nothing held by those who
 * leave at any stage.
 */
#include "bound.h"

#include "balance/endpoint_room.h"

static const struct rig_text farm_text = { .farm = "affinity 15m" };
static const char plain_bob[] = "bob:{PLAIN}secret\n";

static void
a_source_that_decides_binds_before_the_dial(void **state)
{
	struct rig rig;
	struct peer client, *server;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	expect_unbound(&rig);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = door_accept(&rig.doors[home]);
	expect_bound(&rig, home);
	peer_say(server, server_greeting);
	peer_expect(server, login_line);
	agree(server, &client);
	assert_int_equal(rig.doors[0].count + rig.doors[1].count, 1);
	peer_close(&client);
	bound_close(&rig);
}

static void
what_the_server_does_not_take_is_given_back(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	peer_say(serve(&rig, home), "L NO gatepost is not trusted here\r\n");
	peer_expect(&client, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	assert_null(s->leg);
	expect_nobody_holds(&rig);
	peer_close(&client);
	bound_close(&rig);
}

/* While it dials, and when its server has just agreed: it is placed once more, and no more than that. */
static void
who_is_kicked_before_the_ok_is_placed_again(void **state)
{
	struct rig rig;
	struct peer client, *server, *second;
	struct session *s;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	for (int agreed = 0; agreed < 2; agreed++) {
		server = serve(&rig, home);
		if (agreed)
			peer_say(server, "L OK done\r\n");
		assert_int_equal(kick_now(rig.bindings, rig.loop, bob), 1);
		peer_expect_end(server);
		second = serve(&rig, home);
		assert_int_equal(buf_len(&client.heard), 0);
		assert_int_equal(kick_now(rig.bindings, rig.loop, bob), 1);
		peer_expect(&client, unavailable);
		peer_expect_end(second);
		assert_true(s->leg == NULL || s->leg->lease == NULL);
		expect_nobody_holds(&rig);
		peer_say(&client, "a LOGIN bob secret\r\n");
	}
	/* moved is kicked too, and there it goes */
	server = serve(&rig, home);
	assert_true(move_now(rig.bindings, rig.loop, bob, name_of(&rig, !home)));
	peer_expect_end(server);
	agree(serve(&rig, !home), &client);
	peer_close(&client);
	bound_close(&rig);
}

/* The flag is seen although the message about it has not come yet. */
static void
a_kick_that_is_on_its_way_counts(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	server = serve(&rig, home);
	kick_now(rig.bindings, rig.loop, bob);
	s->leg->back->try->on_event(s->leg->back, BACK_EVENT_READY, s->leg);
	peer_expect_end(server);
	agree(serve(&rig, home), &client);
	peer_close(&client);
	bound_close(&rig);
}

static void
decided_logins_dial_when_the_kicked_are_gone(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	guest_come(&guest, &rig, name_of(&rig, home));
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	await(rig.loop, &guest.kicks, 1);
	turn_a_little(rig.loop);
	assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
	affinity_close(&guest.lease);
	agree(serve(&rig, !home), &client);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_lease_is_held_over_the_tries(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	peer_say(door_accept(&rig.doors[home]), "* BYE not now\r\n");
	while (s->leg == NULL || s->leg->back != NULL)
		turn_a_little(rig.loop);
	assert_non_null(s->leg->lease);
	assert_string_equal(server_of_bob(&rig, INT64_MAX - 1), name_of(&rig, home));
	agree(serve(&rig, home), &client);
	peer_close(&client);
	bound_close(&rig);
}

/* The lease on it is given back, so that the login does not wait for itself. */
static void
a_bound_server_that_goes_down_is_replaced(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &farm_text);
	home = home_of_bob(&rig);
	s = ask_in(&rig, &client);
	peer_say(door_accept(&rig.doors[home]), "* BYE not now\r\n");
	while (s->leg == NULL || s->leg->back != NULL)
		turn_a_little(rig.loop);
	expect_bound(&rig, home);
	endpoint_set_health(endpoint_at(&rig, home), HEALTH_DOWN, "");
	agree(serve(&rig, !home), &client);
	expect_bound(&rig, !home);
	peer_close(&client);
	bound_close(&rig);
}

/* How far a login has come when its session ends. */
enum stage {
	STAGE_DELAY, STAGE_KICK, STAGE_QUEUE, STAGE_CONNECT, STAGE_DIAL, STAGE_RETRY, STAGE_RELAY, STAGES
};

static void
reach(struct rig *rig, enum stage stage, struct guest *guest, struct session *s, struct peer *client)
{
	size_t home = home_of_bob(rig);
	struct peer *server;

	switch (stage) {
	case STAGE_DELAY:
		while (!loop_timer_is_set(&s->login->delay))
			turn_a_little(rig->loop);
		break;
	case STAGE_KICK:
		await(rig->loop, &guest->kicks, 1);
		break;
	case STAGE_QUEUE:
		while (s->leg == NULL || !leg_is_queued(s->leg))
			turn_a_little(rig->loop);
		break;
	case STAGE_CONNECT:
		door_accept(&rig->doors[home]);
		break;
	case STAGE_DIAL:
		serve(rig, home);
		break;
	case STAGE_RETRY:
		peer_say(door_accept(&rig->doors[home]), "* BYE not now\r\n");
		while (s->leg == NULL || !loop_timer_is_set(&s->leg->way->route.timer))
			turn_a_little(rig->loop);
		break;
	default:
		server = serve(rig, home);
		agree(server, client);
		break;
	}
}

static void
leaves_nothing_behind_at(enum stage stage, bool is_stopped)
{
	const char *line = stage == STAGE_DELAY ? "bob:{PLAIN}secret:delay_until=SOON\n" : plain_bob;
	struct rig rig;
	struct guest guest = { 0 };
	struct peer client;
	struct session *s;
	size_t home;

	decided_open(&rig, line, &(struct rig_text){ .farm = "affinity 15m", .pool = "max_connections 1" });
	home = home_of_bob(&rig);
	if (stage == STAGE_KICK) {
		guest_come(&guest, &rig, name_of(&rig, !home));
		endpoint_set_health(endpoint_at(&rig, !home), HEALTH_DOWN, "");
	}
	if (stage == STAGE_QUEUE)
		assert_true(endpoint_take(endpoint_at(&rig, home)));
	s = ask_in(&rig, &client);
	reach(&rig, stage, &guest, s, &client);
	if (is_stopped)
		session_stop(s);
	peer_close(&client);
	if (!is_stopped && stage != STAGE_RELAY)
		session_end(s, END_CLIENT_LOST);
	all_leave(&rig);
	affinity_close(&guest.lease);
	if (stage == STAGE_QUEUE)
		endpoint_give_up(endpoint_at(&rig, home));
	bound_close(&rig);
}

static void
nothing_is_left_behind_at_any_stage(void **state)
{
	(void)state;
	for (int stage = 0; stage < STAGES; stage++) {
		leaves_nothing_behind_at((enum stage)stage, false);
		leaves_nothing_behind_at((enum stage)stage, true);
	}
}

static void
a_wait_without_a_login_timeout_has_none(void **state)
{
	static const char *const listeners[] = { "auth staff; login_timeout none", "auth staff" };
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	for (int i = 0; i < 2; i++) {
		decided_open(&rig, "bob:{PLAIN}secret:delay_until=SOON\n",
		    &(struct rig_text){ .farm = "affinity 15m", .listener = listeners[i] });
		s = ask_in(&rig, &client);
		reach(&rig, STAGE_DELAY, NULL, s, &client);
		assert_int_equal(loop_timer_is_set(&s->timer), i);
		peer_close(&client);
		session_end(s, END_CLIENT_LOST);
		bound_close(&rig);
	}
}

/* While the auth source was asked. */
static void
who_has_closed_gets_no_place_in_the_queue(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;
	size_t home;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:delay_until=SOON\n",
	    &(struct rig_text){ .farm = "affinity 15m", .pool = "max_connections 1" });
	home = home_of_bob(&rig);
	assert_true(endpoint_take(endpoint_at(&rig, home)));
	s = ask_in(&rig, &client);
	reach(&rig, STAGE_DELAY, NULL, s, &client);
	stream_shut(&client.stream);
	turn_a_little(rig.loop);
	assert_int_equal(s->phase, FRONT_AUTH);
	loop_timer_set(rig.loop, &s->login->delay, loop_now(rig.loop));
	peer_expect_end(&client);
	endpoint_give_up(endpoint_at(&rig, home));
	peer_close(&client);
	bound_close(&rig);
}

static void
the_sources_server_is_the_first_choice(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client;
	size_t home;

	(void)state;
	for (size_t wanted = 0; wanted < 2; wanted++) {
		/* its name, or its address: one endpoint */
		decided_open(&rig, wanted ? "bob:{PLAIN}secret:server=d01\n" :
		    "bob:{PLAIN}secret:host=127.0.0.1 port=PORT1\n", &farm_text);
		ask_in(&rig, &client);
		agree(serve(&rig, wanted), &client);
		expect_bound(&rig, wanted);
		peer_close(&client);
		all_leave(&rig);
		/* it wins over a living binding: who is elsewhere is kicked, and awaited */
		assert_true(move_now(rig.bindings, rig.loop, bob, name_of(&rig, !wanted)));
		guest_come(&guest, &rig, name_of(&rig, !wanted));
		ask_in(&rig, &client);
		await(rig.loop, &guest.kicks, 1);
		turn_a_little(rig.loop);
		assert_int_equal(rig.doors[wanted].count, 1);
		affinity_close(&guest.lease);
		agree(serve(&rig, wanted), &client);
		expect_bound(&rig, wanted);
		assert_int_equal(rig.doors[!wanted].count, 0);
		peer_close(&client);
		bound_close(&rig);
	}
	/* another store than the source's would be empty */
	decided_open(&rig, "bob:{PLAIN}secret:server=d01\n", &farm_text);
	home = home_of_bob(&rig);
	rig.pool->options.queue_timeout.ms = 0;
	endpoint_set_health(endpoint_at(&rig, 1), HEALTH_DOWN, "");
	ask_in(&rig, &client);
	peer_expect(&client, unavailable);
	assert_int_equal(rig.doors[home].count, 0);
	expect_unbound(&rig);
	peer_close(&client);
	bound_close(&rig);
}

/* A host without a port, as old databases have it, whose server has a port of its own. */
/* Where the server judges, a wrong password moves nobody. */
static void
and_moves_nobody_before_the_servers_ok(void **state)
{
	struct rig rig;
	struct guest guest;
	struct peer client, *server;

	(void)state;
	decided_open(&rig, "bob::nopassword server=d01\n", &farm_text);
	guest_come(&guest, &rig, name_of(&rig, 0));
	ask_in(&rig, &client);
	peer_say(serve(&rig, 1), "L NO wrong\r\n");
	peer_expect(&client, "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	assert_int_equal(guest.kicks, 0);
	expect_bound(&rig, 0);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = serve(&rig, 1);
	peer_say(server, "L OK [CAPABILITY IMAP4rev1] done\r\n");
	await(rig.loop, &guest.kicks, 1);
	assert_int_equal(buf_len(&client.heard), 0);
	affinity_close(&guest.lease);
	peer_expect(&client, "a OK [CAPABILITY IMAP4rev1] done\r\n");
	expect_bound(&rig, 1);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_host_without_a_port_is_its_server(void **state)
{
	struct rig rig;
	struct peer client;
	struct addr elsewhere;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:host=127.0.0.1\n", &farm_text);
	assert_true(addr_parse(slice_of("192.0.2.1"), 143, &elsewhere));
	endpoint_set_addr(endpoint_at(&rig, 0), &elsewhere);
	ask_in(&rig, &client);
	agree(serve(&rig, 1), &client);
	expect_bound(&rig, 1);
	peer_close(&client);
	bound_close(&rig);
}

/* No server's of the pool: dialled for this session alone, and bound to nothing. */
static void
another_host_is_shared_by_its_sessions(void **state)
{
	static const char line[] = "bob:{PLAIN}secret:host=127.0.0.1 port=PORT2\n";
	struct rig rig;
	struct peer clients[2], *server;
	struct session *s;
	struct addr elsewhere;

	(void)state;
	decided_open(&rig, line, &farm_text);
	assert_true(addr_parse(slice_of("192.0.2.1"), 143, &elsewhere));
	endpoint_set_addr(endpoint_at(&rig, 1), &elsewhere);
	s = ask_in(&rig, &clients[0]);
	/* tried again as a bound one is */
	peer_say(door_accept(&rig.doors[1]), "* BYE not now\r\n");
	server = serve(&rig, 1);
	agree(server, &clients[0]);
	assert_null(strstr(s->leg->endpoint->name, "d01"));
	assert_non_null(strstr(s->leg->endpoint->name, "imap/127.0.0.1:"));
	assert_int_equal(atomic_load(&s->leg->endpoint->connections), 1);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 1)->connections), 0);
	expect_unbound(&rig);
	ask_in(&rig, &clients[1]);
	server = serve(&rig, 1);
	peer_say(server, "L NO no\r\n");
	peer_expect(&clients[1], "a NO ");
	peer_close(&clients[0]);
	peer_close(&clients[1]);
	bound_close(&rig);
}

/* A reload that changes nothing but what was done to the pool. */
static void
reload(struct rig *rig)
{
	struct worker_change *change = xcalloc(1, sizeof(*change));

	list_init(&change->gates);
	change->snapshot = &rig->snapshot;
	worker_commit(rig->worker, change);
	turn_a_little(rig->loop);
}

static void
and_goes_with_its_pool(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	struct addr elsewhere;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:host=127.0.0.1 port=PORT1\n",
	    &(struct rig_text){ .farm = "affinity 15m", .pool = "close_spread 0s" });
	assert_true(addr_parse(slice_of("192.0.2.1"), 143, &elsewhere));
	endpoint_set_addr(endpoint_at(&rig, 0), &elsewhere);
	s = ask_in(&rig, &client);
	server = serve(&rig, 0);
	agree(server, &client);
	reload(&rig);
	assert_false(s->has_ended);
	pool_drop(rig.pool);
	reload(&rig);
	peer_expect(&client, "* BYE ");
	peer_expect_end(server);
	peer_close(&client);
	bound_close(&rig);
}

static void
the_sources_pool_is_of_the_same_farm(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:pool=second\n", &(struct rig_text){ .farm = "affinity 15m",
	    .top = "pool second { protocol imap; farm f; login trusted }" });
	ask_in(&rig, &client);
	server = door_accept(&rig.doors[home_of_bob(&rig)]);
	peer_say(server, server_greeting);
	expect_login(server, "", "bob", "trusted");
	agree(server, &client);
	expect_bound(&rig, home_of_bob(&rig));
	assert_int_equal(atomic_load(&endpoint_at(&rig, home_of_bob(&rig))->connections), 0);
	peer_close(&client);
	bound_close(&rig);
}

/* Each of the names logs in at the home of `mailbox`, as `there`. */
static void
meet(struct rig *rig, const char *const *names, const char *mailbox, const char *there)
{
	struct balance_key key = { .user = slice_of(mailbox) };
	size_t home = pick_of(rig->pool, 0, &key) == endpoint_at(rig, 0) ? 0 : 1;

	for (; *names != NULL; names++) {
		struct peer client, *server;

		ask_in_as(rig, &client, *names);
		server = door_accept(&rig->doors[home]);
		peer_say(server, server_greeting);
		expect_login(server, "", there, "secret");
		agree(server, &client);
		peer_close(&client);
	}
}

static void
users_of_one_mailbox_meet(void **state)
{
	static const char lines[] =
	    "a1:{PLAIN}secret:destuser=Shared\na2:{PLAIN}secret:destuser=Shared\n"
	    "a3:{PLAIN}secret:destuser=Shared\na4:{PLAIN}secret:destuser=SHARED user=shared\n"
	    "b1:{PLAIN}secret:user=U5\nb2:{PLAIN}secret:user=U5\nb3:{PLAIN}secret:user=U5\n";
	static const char *const by_destuser[] = { "a1", "a2", "a3", NULL };
	static const char *const by_both[] = { "a4", NULL };
	static const char *const by_user[] = { "b1", "b2", "b3", NULL };

	(void)state;
	for (int affine = 0; affine < 2; affine++) {
		struct rig rig;

		decided_open(&rig, lines, affine ? &farm_text : &(struct rig_text){ 0 });
		meet(&rig, by_destuser, "shared", "Shared");
		meet(&rig, by_both, "shared", "SHARED");
		assert_true(!affine || affinity_count(rig.bindings) == 1);
		meet(&rig, by_user, "u5", "U5");
		assert_true(!affine || affinity_count(rig.bindings) == 2);
		bound_close(&rig);
	}
}

static void
a_pool_needs_no_servers_where_hosts_are_named(void **state)
{
	static const char lines[] =
	    "bob:{PLAIN}secret:pool=second host=127.0.0.1 port=PORT1\ntim:{PLAIN}secret:pool=second\n";
	struct rig rig;
	struct peer client;

	(void)state;
	decided_open(&rig, lines,
	    &(struct rig_text){ .top = "pool second { protocol imap }" });
	ask_in(&rig, &client);
	agree(serve(&rig, 0), &client);
	peer_close(&client);
	ask_in_as(&rig, &client, "tim");
	peer_expect(&client, unavailable);
	peer_close(&client);
	bound_close(&rig);
}

static void
what_cannot_be_is_unavailable(void **state)
{
	static const char *const lines[] = {
		"bob:{PLAIN}secret:server=d77\n",
		"bob:{PLAIN}secret:pool=none\n",
		/* the proxy's own address */
		"bob:{PLAIN}secret:host=127.0.0.1 port=1\n",
		"bob:{PLAIN}secret:host=::1 port=1\n",
		"bob:{PLAIN}secret:host=127.0.0.1 port=PORT1 ssl=yes\n",
		"bob:{PLAIN}secret:host=127.0.0.1 port=PORT1 starttls=any-cert\n",
		"bob:{PLAIN}secret:delay_until=SOON000\n",
	};
	struct rig rig;
	struct peer client;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(lines) / sizeof(lines[0]); i++) {
		decided_open(&rig, lines[i / 2], i % 2 ? &farm_text : &(struct rig_text){ 0 });
		ask_in(&rig, &client);
		peer_expect(&client, unavailable);
		assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
		peer_close(&client);
		bound_close(&rig);
	}
}

/* Whoever they came through: a loop ends by its hops. */
static void
sessions_with_no_hops_left_go_nowhere(void **state)
{
	static const struct rig_text text = {
		.farm = "affinity 15m", .listener = "auth staff; trusted 192.0.2.0/24"
	};
	struct rig rig;
	struct peer client;

	(void)state;
	decided_open(&rig, plain_bob, &text);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a ID (\"x-proxy-ttl\" \"1\")\r\n");
	peer_expect(&client, "* ID (\"name\" \"gatepost\")\r\na OK ID completed.\r\n");
	peer_say(&client, "a LOGIN bob secret\r\n");
	peer_expect(&client, unavailable);
	assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
	expect_unbound(&rig);
	peer_close(&client);
	bound_close(&rig);
}

/* One proxy tries again: the first. */
static void
sessions_of_other_proxies_are_put_off_at_once(void **state)
{
	static const struct rig_text text = {
		.farm = "affinity 15m", .listener = "auth staff; trusted 192.0.2.0/24"
	};
	struct rig rig;
	struct peer client;
	size_t home;

	(void)state;
	decided_open(&rig, plain_bob, &text);
	home = home_of_bob(&rig);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a ID (\"x-proxy-ttl\" \"4\")\r\n");
	peer_expect(&client, "* ID (\"name\" \"gatepost\")\r\na OK ID completed.\r\n");
	for (int i = 1; i <= 2; i++) {
		peer_say(&client, "a LOGIN bob secret\r\n");
		peer_say(door_accept(&rig.doors[home]), "* BYE not now\r\n");
		peer_expect(&client, unavailable);
		assert_int_equal(rig.doors[home].count, i);
	}
	peer_close(&client);
	bound_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_that_decides_binds_before_the_dial),
		cmocka_unit_test(what_the_server_does_not_take_is_given_back),
		cmocka_unit_test(who_is_kicked_before_the_ok_is_placed_again),
		cmocka_unit_test(a_kick_that_is_on_its_way_counts),
		cmocka_unit_test(decided_logins_dial_when_the_kicked_are_gone),
		cmocka_unit_test(a_lease_is_held_over_the_tries),
		cmocka_unit_test(a_bound_server_that_goes_down_is_replaced),
		cmocka_unit_test(nothing_is_left_behind_at_any_stage),
		cmocka_unit_test(a_wait_without_a_login_timeout_has_none),
		cmocka_unit_test(who_has_closed_gets_no_place_in_the_queue),
		cmocka_unit_test(the_sources_server_is_the_first_choice),
		cmocka_unit_test(and_moves_nobody_before_the_servers_ok),
		cmocka_unit_test(a_host_without_a_port_is_its_server),
		cmocka_unit_test(another_host_is_shared_by_its_sessions),
		cmocka_unit_test(and_goes_with_its_pool),
		cmocka_unit_test(the_sources_pool_is_of_the_same_farm),
		cmocka_unit_test(users_of_one_mailbox_meet),
		cmocka_unit_test(a_pool_needs_no_servers_where_hosts_are_named),
		cmocka_unit_test(what_cannot_be_is_unavailable),
		cmocka_unit_test(sessions_with_no_hops_left_go_nowhere),
		cmocka_unit_test(sessions_of_other_proxies_are_put_off_at_once),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
