/* SPDX-License-Identifier: BSD-2-Clause */
/* session_list_test.c: cursors over sessions that come and go, whom a filter lets pass, how they end. */
#include "client.h"

#include "base/clock.h"
#include "session/relay.h"
#include "session/session_list.h"

enum { CROWD = 400 };

struct crowd {
	struct rig rig;
	struct peer peers[CROWD];
};

static struct session_order order;
static struct session_walk walk;
static int walks_done;

static void
on_done(struct session_walk *done)
{
	walks_done++;
	loop_stop(done->worker->loop);
}

static void
begin_walk(struct rig *rig)
{
	session_walk_clear(&walk);
	walks_done = 0;
	walk = (struct session_walk){ .worker = rig->worker, .order = &order, .on_done = on_done };
	session_walk_start(&walk);
}

/* How many sessions are met. */
static size_t
walk_all(struct rig *rig)
{
	begin_walk(rig);
	await(rig->loop, &walks_done, 1);
	return walk.count;
}

static size_t
count(struct rig *rig, const struct session_filter *filter)
{
	size_t met;

	order = (struct session_order){ .filter = *filter };
	met = walk_all(rig);
	session_walk_clear(&walk);
	return met;
}

static struct session *
come(struct crowd *crowd, int i)
{
	return rig_client(&crowd->rig, &crowd->peers[i]);
}

static struct crowd *
crowd_open(int size)
{
	struct crowd *crowd = xcalloc(1, sizeof(*crowd));

	rig_open(&crowd->rig, 1, "imap", "", "");
	for (int i = 0; i < size; i++)
		come(crowd, i);
	turn_a_little(crowd->rig.loop);
	order = (struct session_order){ 0 };
	return crowd;
}

static void
crowd_close(struct crowd *crowd, int size)
{
	session_walk_clear(&walk);
	for (int i = 0; i < size; i++)
		peer_close(&crowd->peers[i]);
	rig_close(&crowd->rig);
	xfree(crowd);
}

static struct session *
first_session(const struct rig *rig)
{
	return list_entry(rig->worker->sessions.next, struct session, node);
}

static void
tells_each_in_its_order(void **state)
{
	struct crowd *crowd = crowd_open(CROWD);
	const struct list *node = crowd->rig.worker->sessions.next;
	int64_t before = clock_us();

	(void)state;
	assert_int_equal(walk_all(&crowd->rig), CROWD);
	printf("# %d sessions in %d us\n", CROWD, (int)(clock_us() - before));
	for (const struct session_view *view = walk.views; view != NULL; view = view->next) {
		assert_string_equal(view->id, list_entry(node, struct session, node)->identity.session);
		assert_string_equal(view->phase, "command");
		assert_string_equal(view->doing, "waiting for a command");
		node = node->next;
	}
	assert_ptr_equal(node, &crowd->rig.worker->sessions);
	crowd_close(crowd, CROWD);
}

/* Between two pieces: those at the cursor, those before it and those behind it go, and others come. */
static void
survives_sessions_that_end_meanwhile(void **state)
{
	struct crowd *crowd = crowd_open(12);
	struct rig *rig = &crowd->rig;
	struct list *node = &rig->worker->sessions;
	struct session *sessions[12];

	(void)state;
	for (int i = 0; i < 12; i++) {
		node = node->next;
		sessions[i] = list_entry(node, struct session, node);
	}
	/* as it is behind a piece that met the first four */
	walk = (struct session_walk){ .worker = rig->worker, .next = &sessions[4]->node };
	list_append(&rig->worker->walks, &walk.node);
	session_stop(sessions[2]);
	assert_ptr_equal(walk.next, &sessions[4]->node);
	session_stop(sessions[4]);
	assert_ptr_equal(walk.next, &sessions[5]->node);
	session_stop(sessions[7]);
	assert_ptr_equal(walk.next, &sessions[5]->node);
	session_stop(sessions[5]);
	session_stop(sessions[6]);
	assert_ptr_equal(walk.next, &sessions[8]->node);
	for (int i = 8; i < 12; i++)
		session_stop(sessions[i]);
	assert_ptr_equal(walk.next, &rig->worker->sessions);
	list_remove(&walk.node);
	crowd_close(crowd, 12);
}

/* Ends as many as it meets, itself: each once. */
static void
ends_those_it_meets(void **state)
{
	struct crowd *crowd = crowd_open(CROWD);

	(void)state;
	order.action = SESSION_KICK;
	assert_int_equal(walk_all(&crowd->rig), CROWD);
	assert_int_equal(walk_all(&crowd->rig), 0);
	for (int i = 0; i < CROWD; i++) {
		peer_expect(&crowd->peers[i], client_greeting);
		peer_expect(&crowd->peers[i], "* BYE [UNAVAILABLE] Please connect again.\r\n");
	}
	order.action = SESSION_SHOW;
	assert_int_equal(walk_all(&crowd->rig), CROWD);
	assert_string_equal(walk.views->phase, "linger");
	session_walk_clear(&walk);
	order.filter.is_living = true;
	assert_int_equal(walk_all(&crowd->rig), 0);
	crowd_close(crowd, CROWD);
}

static void
ends_when_it_is_recalled(void **state)
{
	struct crowd *crowd = crowd_open(20);

	(void)state;
	atomic_store(&order.is_recalled, true);
	assert_int_equal(walk_all(&crowd->rig), 0);
	crowd_close(crowd, 20);
}

static void
filters_by_all_that_is_known(void **state)
{
	struct crowd *crowd = crowd_open(3);
	struct rig *rig = &crowd->rig;
	struct peer *server;
	struct session_filter client = { .has_client = true };
	struct session_filter id = { 0 };

	(void)state;
	peer_expect(&crowd->peers[0], client_greeting);
	server = rig_log_in(rig, &crowd->peers[0]);
	id.id = first_session(rig)->identity.session;
	assert_int_equal(count(rig, &id), 1);
	identity_set_origin(&first_session(rig)->identity, slice_of("theirs"));
	assert_int_equal(count(rig, &(struct session_filter){ .id = "theirs" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .id = "others" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .user = "bob" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .user = "bo" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .server = "d00" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .server = "imap/d00" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .server = "d0" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .server = "ima/d00" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .endpoint = "imap/d00" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .endpoint = "d00" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .pool = "imap" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .pool = "imap", .server = "d01" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .listener = "imap" }), 3);
	assert_int_equal(count(rig, &(struct session_filter){ .listener = "pop3" }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .protocol = "imap" }), 3);
	assert_int_equal(count(rig, &(struct session_filter){ .phase = "relay" }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .tls = SESSION_TLS_WITH }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .tls = SESSION_TLS_WITHOUT }), 3);
	assert_int_equal(count(rig, &(struct session_filter){ .older_ms = 100000 }), 0);
	assert_int_equal(count(rig, &(struct session_filter){ .idle_ms = 100000 }), 0);
	first_session(rig)->accepted_at -= 200000;
	assert_int_equal(count(rig, &(struct session_filter){ .older_ms = 100000 }), 1);
	assert_int_equal(count(rig, &(struct session_filter){ .idle_ms = 100000 }), 0);
	first_session(rig)->last_data -= 200000;
	assert_int_equal(count(rig, &(struct session_filter){ .idle_ms = 100000 }), 1);
	assert_true(network_parse(slice_of("192.0.2.0/24"), &client.client));
	assert_int_equal(count(rig, &client), 3);
	assert_true(network_parse(slice_of("192.0.2.8"), &client.client));
	assert_int_equal(count(rig, &client), 0);
	peer_close(server);
	crowd_close(crowd, 3);
}

static void
views_tell_what_is_relayed(void **state)
{
	struct crowd *crowd = crowd_open(1);
	struct peer *server;

	(void)state;
	peer_expect(&crowd->peers[0], client_greeting);
	server = rig_log_in(&crowd->rig, &crowd->peers[0]);
	peer_say(&crowd->peers[0], "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	peer_say(server, "b OK\r\n");
	peer_expect(&crowd->peers[0], "b OK\r\n");
	assert_int_equal(walk_all(&crowd->rig), 1);
	assert_string_equal(walk.views->user, "bob");
	assert_int_equal(walk.views->bytes_up, strlen("b NOOP\r\n"));
	assert_true(walk.views->bytes_down >= strlen("b OK\r\n"));
	assert_int_equal(walk.views->leg_count, 1);
	assert_string_equal(walk.views->legs[0].server, "imap/d00");
	assert_string_equal(walk.views->legs[0].doing, "relaying");
	assert_int_equal(addr_port(&walk.views->client), 4711);
	assert_false(walk.views->is_leaving);
	peer_close(server);
	crowd_close(crowd, 1);
}

/* Who is in the middle of something is let finish, unless it is to end at once. */
static void
kicked_sessions_leave_at_a_boundary(void **state)
{
	struct crowd *crowd = crowd_open(1);
	struct peer *client = &crowd->peers[0], *server;

	(void)state;
	peer_expect(client, client_greeting);
	server = rig_log_in(&crowd->rig, client);
	peer_say(server, "* 1 FETCH (BODY[] {4}\r\nab");
	peer_expect(client, "* 1 FETCH (BODY[] {4}\r\nab");
	order.action = SESSION_KICK;
	assert_int_equal(walk_all(&crowd->rig), 1);
	session_walk_clear(&walk);
	order.action = SESSION_SHOW;
	assert_int_equal(walk_all(&crowd->rig), 1);
	assert_true(walk.views->is_leaving);
	assert_string_equal(walk.views->phase, "drain");
	assert_int_equal(relay_leave_reason(first_session(&crowd->rig)), END_OPERATOR);
	peer_say(server, "cd)\r\n");
	peer_expect(client, "cd)\r\n* BYE [UNAVAILABLE] Please connect again.\r\n");
	peer_close(server);
	crowd_close(crowd, 1);
}

/* Not before their time; then also those that are never quiet. */
static void
a_kick_can_be_for_later(void **state)
{
	struct crowd *crowd = crowd_open(1);
	struct peer *client = &crowd->peers[0], *server;
	struct session *s;

	(void)state;
	peer_expect(client, client_greeting);
	server = rig_log_in(&crowd->rig, client);
	s = first_session(&crowd->rig);
	session_kick(s, loop_now(crowd->rig.loop) + 3600000);
	assert_int_equal(s->phase, FRONT_RELAY);
	session_kick(s, loop_now(crowd->rig.loop) + 7200000);
	assert_true(s->relay->leave_at <= loop_now(crowd->rig.loop) + 3600000);
	peer_say(client, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	s->relay->leave_at = loop_now(crowd->rig.loop);
	relay_on_time(s);
	peer_expect(client, "* BYE [UNAVAILABLE] Please connect again.\r\n");
	peer_close(server);
	crowd_close(crowd, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_each_in_its_order),
		cmocka_unit_test(survives_sessions_that_end_meanwhile),
		cmocka_unit_test(ends_those_it_meets),
		cmocka_unit_test(ends_when_it_is_recalled),
		cmocka_unit_test(filters_by_all_that_is_known),
		cmocka_unit_test(views_tell_what_is_relayed),
		cmocka_unit_test(kicked_sessions_leave_at_a_boundary),
		cmocka_unit_test(a_kick_can_be_for_later),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
