/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leg_test.c: a session with legs to several servers at once: each has its own
 * outcome, is lost, kicked or dropped alone, and none survives its session.
 */
#include "bound.h"

#include "session/leg.h"
#include "session/plan.h"

enum { LEGS_MAX = 3 };

/* Two users who belong on different servers. */
struct pair {
	const char *names[2];
	char other[16];
};

/* What each leg of a test was told last. */
static struct told {
	struct leg *leg;
	enum leg_event event;
	int count;
} told[LEGS_MAX];

/* Nothing is relayed here. */
static size_t
on_server(struct stream *stream, enum stream_event event, struct slice data, void *owner)
{
	(void)stream;
	(void)event;
	(void)owner;
	return data.len;
}

static void
on_leg(struct leg *leg, enum leg_event event)
{
	struct told *t = told;

	while (t->leg != NULL && t->leg != leg)
		t++;
	t->leg = leg;
	t->event = event;
	t->count++;
	if (event == LEG_READY) {
		stream_set_owner(&leg->back->stream, on_server, NULL);
		leg_settle(leg);
	}
	loop_stop(leg->session->worker->loop);
}

static void
await_leg(struct rig *rig, size_t i, enum leg_event event)
{
	while (told[i].count == 0)
		loop_run(rig->loop);
	assert_int_equal(told[i].count, 1);
	assert_int_equal(told[i].event, event);
	told[i].count = 0;
}

/* Towards the server of this user's, whom somebody vouches for. */
static struct leg *
send_leg(struct session *s, const char *user)
{
	const struct auth_answer vouched = { .verdict = AUTH_OK, .pass = "secret" };
	struct leg *leg = leg_new(s, s->snapshot, s->settings->pool, on_leg);

	leg->way->hostname = "lb.example.com";
	leg->way->mailbox = xstrdup(user);
	leg->way->key = slice_of(leg->way->mailbox);
	plan_take_credentials(leg->way, &vouched, user, NULL);
	for (struct told *t = told; t->leg != leg; t++) {
		if (t->leg != NULL)
			continue;
		*t = (struct told){ .leg = leg };
		break;
	}
	leg_start(leg);
	return leg;
}

static size_t
home_of(const struct rig *rig, const char *user)
{
	const struct balance_key key = { .user = slice_of(user) };

	return pick_of(rig->pool, 0, &key) == endpoint_at(rig, 0) ? 0 : 1;
}

/* A session before its login, in whose place a test sends legs; names[i] belongs on server i. */
static struct session *
pair_open(struct pair *pair, struct rig *rig, struct peer *client)
{
	const char *bobs = "bob";
	size_t home;

	memset(told, 0, sizeof(told));
	bound_open(rig, "retries 0");
	home = home_of(rig, bobs);
	pair->names[home] = bobs;
	for (int i = 0; i < 100; i++) {
		snprintf(pair->other, sizeof(pair->other), "user%d", i);
		if (home_of(rig, pair->other) != home)
			break;
	}
	pair->names[!home] = pair->other;
	assert_int_not_equal(home_of(rig, pair->other), home);
	return rig_client(rig, client);
}

static void
welcome(struct rig *rig, size_t server)
{
	struct peer *peer = door_accept(&rig->doors[server]);

	peer_say(peer, server_greeting);
	peer_expect(peer, "L AUTHENTICATE PLAIN ");
	buf_clear(&peer->heard);
	peer_say(peer, "L OK [CAPABILITY IMAP4rev1] done\r\n");
}

static void
each_goes_to_its_users_server(void **state)
{
	struct rig rig;
	struct pair pair;
	struct peer client;
	struct session *s = pair_open(&pair, &rig, &client);
	struct leg *legs[LEGS_MAX];

	(void)state;
	for (size_t i = 0; i < LEGS_MAX; i++)
		legs[i] = send_leg(s, pair.names[i % 2]);
	assert_ptr_equal(s->leg, legs[0]);
	assert_ptr_equal(legs[1]->next, legs[2]);
	for (size_t i = 0; i < LEGS_MAX; i++) {
		welcome(&rig, i % 2);
		await_leg(&rig, i, LEG_READY);
		assert_ptr_equal(legs[i]->endpoint, endpoint_at(&rig, i % 2));
		assert_ptr_equal(leg_endpoint(legs[i]), legs[i]->endpoint);
		assert_non_null(legs[i]->lease);
		assert_null(legs[i]->way);
	}
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 2);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 1)->connections), 1);
	leg_drop(&legs[0]);
	assert_null(legs[0]);
	assert_ptr_equal(s->leg, legs[1]);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->connections), 1);
	leg_drop(&legs[2]);
	assert_null(legs[1]->next);
	peer_close(&client);
	bound_close(&rig);
}

static void
one_that_cannot_be_had_costs_no_other(void **state)
{
	struct rig rig;
	struct pair pair;
	struct peer client;
	struct session *s = pair_open(&pair, &rig, &client);
	struct leg *lost;

	(void)state;
	door_refuse(&rig.doors[0]);
	lost = send_leg(s, pair.names[0]);
	send_leg(s, pair.names[1]);
	await_leg(&rig, 0, LEG_UNAVAILABLE);
	assert_string_equal(lost->way->why, "the user's server cannot be had");
	leg_drop(&lost);
	welcome(&rig, 1);
	await_leg(&rig, 1, LEG_READY);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_refusal_is_its_owners_to_read(void **state)
{
	struct rig rig;
	struct pair pair;
	struct peer client, *server;
	struct session *s = pair_open(&pair, &rig, &client);
	struct leg *leg = send_leg(s, pair.names[0]);

	(void)state;
	server = door_accept(&rig.doors[0]);
	peer_say(server, server_greeting);
	peer_expect(server, "L AUTHENTICATE PLAIN ");
	peer_say(server, "L NO not you\r\n");
	await_leg(&rig, 0, LEG_REFUSED);
	assert_true(slice_equals(buf_slice(&leg->back->dial->last), "L NO not you"));
	assert_null(leg->endpoint);
	buf_clear(&server->heard);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_kick_comes_to_its_users_leg(void **state)
{
	struct rig rig;
	struct pair pair;
	struct peer client;
	struct session *s = pair_open(&pair, &rig, &client);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		send_leg(s, pair.names[i]);
		welcome(&rig, i);
		await_leg(&rig, i, LEG_READY);
	}
	assert_int_equal(kick_now(rig.bindings, rig.loop, slice_of(pair.names[1])), 1);
	await_leg(&rig, 1, LEG_KICKED);
	assert_int_equal(told[0].count, 0);
	peer_close(&client);
	bound_close(&rig);
}

/* At each stage: chosen, dialled, ready. */
static void
none_survives_its_session(void **state)
{
	(void)state;
	for (int stage = 0; stage < 3; stage++) {
		struct rig rig;
		struct pair pair;
		struct peer client;
		struct session *s = pair_open(&pair, &rig, &client);

		send_leg(s, pair.names[0]);
		send_leg(s, pair.names[1]);
		if (stage >= 1)
			peer_say(door_accept(&rig.doors[0]), server_greeting);
		if (stage == 2) {
			welcome(&rig, 1);
			await_leg(&rig, 1, LEG_READY);
		}
		session_end(s, END_CLIENT_LEFT);
		assert_null(s->leg);
		turn_a_little(rig.loop);
		assert_int_equal(told[0].count, 0);
		peer_close(&client);
		bound_close(&rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_goes_to_its_users_server),
		cmocka_unit_test(one_that_cannot_be_had_costs_no_other),
		cmocka_unit_test(a_refusal_is_its_owners_to_read),
		cmocka_unit_test(a_kick_comes_to_its_users_leg),
		cmocka_unit_test(none_survives_its_session),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
