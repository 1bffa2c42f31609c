/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * affinity_memory_test.c: one user, one server: binding, retention, rebinding and
 * moving with kicks, and all that may happen while somebody waits.
 */
#include "../net/tape.h"
#include "affinity_now.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "state/affinity.h"

enum { RETENTION = 60000, PATIENCE = 60000 };

static const struct slice bob = SLICE_LITERAL("bob");

/* Somebody who logs in. */
struct guest {
	struct affinity_request request;
	struct affinity_lease *lease;
	enum affinity_answer answer;
	int answers, kicks;
};

static void
on_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct guest *guest = request->owner;

	guest->answers++;
	guest->answer = answer;
	guest->lease = request->lease;
	assert_true((answer == AFFINITY_HERE) == (request->lease != NULL));
	loop_stop(request->loop);
}

static void
on_kick(void *owner)
{
	struct guest *guest = owner;

	guest->kicks++;
	assert_true(affinity_is_kicked(guest->lease));
	loop_stop(guest->request.loop);
}

static void
ask(struct affinity *affinity, struct loop *loop, struct guest *guest, const char *wanted, uint64_t replaces)
{
	memset(guest, 0, sizeof(*guest));
	guest->request = (struct affinity_request){
		.loop = loop, .user = bob, .wanted = wanted, .replaces = replaces,
		.deadline = loop_now(loop) + PATIENCE, .on_answer = on_answer, .on_kick = on_kick,
		.owner = guest,
	};
	affinity_open(affinity, &guest->request);
}

/* Is answered at once, and bound to `server`. */
static void
ask_and_expect(struct affinity *affinity, struct loop *loop, struct guest *guest, const char *wanted,
    const char *server)
{
	ask(affinity, loop, guest, wanted, 0);
	assert_int_equal(guest->answers, 1);
	assert_int_equal(guest->answer, strcmp(wanted, server) == 0 ? AFFINITY_HERE : AFFINITY_ELSEWHERE);
	assert_string_equal(guest->request.binding.server, server);
	assert_true(guest->request.binding.generation > 0);
	assert_null(guest->request.affinity);
}

/* Where bob is bound at that time; "" for nowhere. */
static const char *
bound_at(struct affinity *affinity, int64_t now)
{
	static struct affinity_binding binding;

	if (!affinity_peek_now(affinity, bob, now, &binding))
		return "";
	return binding.server;
}

static void
expect_bound(struct affinity *affinity, int64_t now, const char *server)
{
	assert_string_equal(bound_at(affinity, now), server);
}

struct scene {
	struct loop *loop;
	struct affinity *affinity;
};

static struct scene
scene_open(void)
{
	return (struct scene){ loop_new(0), affinity_new(&affinity_memory, RETENTION) };
}

static void
scene_close(struct scene *scene)
{
	turn_a_little(scene->loop);
	affinity_put(&scene->affinity);
	assert_null(scene->affinity);
	loop_free(&scene->loop);
}

/* Control asks, or a session that only looks: whatever it is of affinity.h. */
static void
ask_of(struct scene *s, struct guest *guest, void (*question)(struct affinity *, struct affinity_request *),
    const char *wanted)
{
	memset(guest, 0, sizeof(*guest));
	guest->request = (struct affinity_request){
		.loop = s->loop, .user = bob, .wanted = wanted, .deadline = loop_now(s->loop) + PATIENCE,
		.on_answer = on_answer, .owner = guest,
	};
	question(s->affinity, &guest->request);
}

static void
the_first_binds_and_others_follow(void **state)
{
	struct scene s = scene_open();
	struct guest first, second, third;

	(void)state;
	expect_bound(s.affinity, loop_now(s.loop), "");
	assert_int_equal(affinity_count(s.affinity), 0);
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	ask_and_expect(s.affinity, s.loop, &second, "d1", "d1");
	ask_and_expect(s.affinity, s.loop, &third, "d2", "d1");
	assert_int_equal(first.request.binding.generation, second.request.binding.generation);
	assert_int_equal(first.request.binding.generation, third.request.binding.generation);
	assert_int_equal(affinity_count(s.affinity), 1);
	assert_false(affinity_is_kicked(first.lease));
	assert_false(affinity_is_kicked(NULL));
	affinity_cancel(&first.request);
	affinity_close(&first.lease);
	affinity_close(&second.lease);
	assert_null(first.lease);
	affinity_close(&first.lease);
	assert_int_equal(first.kicks + second.kicks, 0);
	scene_close(&s);
}

static void
a_binding_outlives_the_last_session_for_a_while(void **state)
{
	struct scene s = scene_open();
	struct guest first, second;
	int64_t now = loop_now(s.loop);

	(void)state;
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	ask_and_expect(s.affinity, s.loop, &second, "d1", "d1");
	expect_bound(s.affinity, now + 1000 * RETENTION, "d1");
	affinity_close(&first.lease);
	expect_bound(s.affinity, now + 1000 * RETENTION, "d1");
	affinity_set_retention(s.affinity, 2 * RETENTION);
	affinity_close(&second.lease);
	expect_bound(s.affinity, now + 2 * RETENTION - 1, "d1");
	expect_bound(s.affinity, now + 2 * RETENTION, "");
	assert_int_equal(affinity_count(s.affinity), 0);
	ask_and_expect(s.affinity, s.loop, &first, "d2", "d2");
	affinity_close(&first.lease);
	scene_close(&s);
}

/* Nobody who only looked, was sent elsewhere or kicked in vain keeps a binding alive. */
static void
looking_writes_nothing(void **state)
{
	struct scene s = scene_open();
	struct guest first, stranger;
	int64_t now = loop_now(s.loop);

	(void)state;
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	affinity_close(&first.lease);
	expect_bound(s.affinity, now + RETENTION - 1, "d1");
	expect_bound(s.affinity, now + RETENTION, "");

	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	affinity_close(&first.lease);
	affinity_set_retention(s.affinity, 5 * RETENTION);
	ask_and_expect(s.affinity, s.loop, &stranger, "d2", "d1");
	assert_int_equal(kick_now(s.affinity, s.loop, bob), 0);
	ask_of(&s, &stranger, affinity_peek, NULL);
	assert_int_equal(stranger.answer, AFFINITY_BOUND);
	expect_bound(s.affinity, now + RETENTION, "");
	assert_int_equal(kick_now(s.affinity, s.loop, bob), 0);
	assert_false(move_now(s.affinity, s.loop, bob, "d2"));
	assert_int_equal(affinity_count(s.affinity), 0);
	scene_close(&s);
}

static void
a_rebind_kicks_and_waits_until_all_are_gone(void **state)
{
	struct scene s = scene_open();
	struct guest old[2], fresh[2], stale;
	uint64_t generation;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old[0], "d1", "d1");
	ask_and_expect(s.affinity, s.loop, &old[1], "d1", "d1");
	generation = old[0].request.binding.generation;
	ask(s.affinity, s.loop, &fresh[0], "d2", generation);
	/* two learned at once that the server is down: one replaces, the other only waits */
	ask(s.affinity, s.loop, &fresh[1], "d2", generation);
	assert_int_equal(fresh[0].answers + fresh[1].answers, 0);
	/* marked before any message comes */
	assert_int_equal(old[0].kicks, 0);
	assert_true(affinity_is_kicked(old[0].lease) && affinity_is_kicked(old[1].lease));
	expect_bound(s.affinity, loop_now(s.loop), "d2");
	ask_and_expect(s.affinity, s.loop, &stale, "d1", "d2");
	turn_a_little(s.loop);
	assert_int_equal(old[0].kicks, 1);
	assert_int_equal(old[1].kicks, 1);
	affinity_close(&old[0].lease);
	turn_a_little(s.loop);
	assert_int_equal(fresh[0].answers + fresh[1].answers, 0);
	affinity_close(&old[1].lease);
	await(s.loop, &fresh[0].answers, 1);
	await(s.loop, &fresh[1].answers, 1);
	assert_int_equal(fresh[0].answer, AFFINITY_HERE);
	assert_int_equal(fresh[1].answer, AFFINITY_HERE);
	assert_int_equal(fresh[0].request.binding.generation, fresh[1].request.binding.generation);
	assert_true(fresh[0].request.binding.generation > generation);
	/* the old generation is nobody's by now */
	ask(s.affinity, s.loop, &stale, "d3", generation);
	assert_int_equal(stale.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(stale.request.binding.server, "d2");
	turn_a_little(s.loop);
	assert_int_equal(old[0].kicks + old[1].kicks, 2);
	assert_int_equal(fresh[0].kicks + fresh[1].kicks, 0);
	affinity_close(&fresh[0].lease);
	affinity_close(&fresh[1].lease);
	scene_close(&s);
}

/* A binding that came after the one that was looked at has expired is another one. */
static void
no_generation_comes_again(void **state)
{
	struct scene s = scene_open();
	struct guest first, second, stale;
	uint64_t generation;

	(void)state;
	affinity_set_retention(s.affinity, 0);
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	generation = first.request.binding.generation;
	affinity_close(&first.lease);
	ask_and_expect(s.affinity, s.loop, &second, "d2", "d2");
	ask(s.affinity, s.loop, &stale, "d3", generation);
	assert_int_equal(stale.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(stale.request.binding.server, "d2");
	assert_false(affinity_is_kicked(second.lease));
	affinity_close(&second.lease);
	scene_close(&s);
}

static void
a_rebind_of_nobody_waits_for_nobody(void **state)
{
	struct scene s = scene_open();
	struct guest first, second;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	affinity_close(&first.lease);
	ask(s.affinity, s.loop, &second, "d2", first.request.binding.generation);
	assert_int_equal(second.answer, AFFINITY_HERE);
	affinity_close(&second.lease);
	scene_close(&s);
}

static void
a_kick_keeps_the_binding(void **state)
{
	struct scene s = scene_open();
	struct guest old, fresh;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	assert_int_equal(kick_now(s.affinity, s.loop, bob), 1);
	assert_int_equal(kick_now(s.affinity, s.loop, bob), 0);
	ask_and_expect(s.affinity, s.loop, &fresh, "d1", "d1");
	turn_a_little(s.loop);
	assert_int_equal(old.kicks, 1);
	assert_int_equal(fresh.kicks, 0);
	assert_false(affinity_is_kicked(fresh.lease));
	/* who was kicked already is waited for too, and told once */
	assert_true(move_now(s.affinity, s.loop, bob, "d2"));
	turn_a_little(s.loop);
	assert_int_equal(old.kicks, 1);
	assert_int_equal(fresh.kicks, 1);
	affinity_close(&fresh.lease);
	ask(s.affinity, s.loop, &fresh, "d2", 0);
	assert_int_equal(fresh.answers, 0);
	affinity_close(&old.lease);
	await(s.loop, &fresh.answers, 1);
	assert_int_equal(fresh.answer, AFFINITY_HERE);
	affinity_close(&fresh.lease);
	scene_close(&s);
}

static void
a_peek_tells_the_binding(void **state)
{
	struct scene s = scene_open();
	struct guest first, looks;

	(void)state;
	ask_of(&s, &looks, affinity_peek, NULL);
	assert_int_equal(looks.answers, 1);
	assert_int_equal(looks.answer, AFFINITY_UNBOUND);
	assert_string_equal(looks.request.binding.server, "");
	assert_int_equal(affinity_count(s.affinity), 0);
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	ask_of(&s, &looks, affinity_peek, NULL);
	assert_int_equal(looks.answer, AFFINITY_BOUND);
	assert_string_equal(looks.request.binding.server, "d1");
	assert_int_equal(looks.request.binding.generation, first.request.binding.generation);
	affinity_close(&first.lease);
	scene_close(&s);
}

static void
a_kick_tells_how_many(void **state)
{
	struct scene s = scene_open();
	struct guest old[2], control;

	(void)state;
	ask_of(&s, &control, affinity_kick, NULL);
	assert_int_equal(control.answer, AFFINITY_UNBOUND);
	ask_and_expect(s.affinity, s.loop, &old[0], "d1", "d1");
	ask_and_expect(s.affinity, s.loop, &old[1], "d1", "d1");
	ask_of(&s, &control, affinity_kick, NULL);
	assert_int_equal(control.answer, AFFINITY_BOUND);
	assert_int_equal(control.request.kicked, 2);
	assert_string_equal(control.request.binding.server, "d1");
	affinity_close(&old[0].lease);
	affinity_close(&old[1].lease);
	scene_close(&s);
}

static void
a_move_is_over_when_all_have_gone(void **state)
{
	struct scene s = scene_open();
	struct guest old, control;
	uint64_t generation;

	(void)state;
	ask_of(&s, &control, affinity_move, "d2");
	assert_int_equal(control.answer, AFFINITY_UNBOUND);
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	generation = old.request.binding.generation;
	ask_of(&s, &control, affinity_move, "d2");
	assert_int_equal(control.answers, 0);
	assert_int_equal(control.request.kicked, 1);
	expect_bound(s.affinity, loop_now(s.loop), "d2");
	affinity_close(&old.lease);
	await(s.loop, &control.answers, 1);
	assert_int_equal(control.answer, AFFINITY_BOUND);
	assert_string_equal(control.request.binding.server, "d2");
	assert_true(control.request.binding.generation > generation);
	/* nobody is there: at once */
	ask_of(&s, &control, affinity_move, "d3");
	assert_int_equal(control.answer, AFFINITY_BOUND);
	assert_int_equal(control.request.kicked, 0);
	expect_bound(s.affinity, loop_now(s.loop), "d3");
	scene_close(&s);
}

static void
a_move_may_end_in_other_ways(void **state)
{
	struct scene s = scene_open();
	struct guest old, late, overtaken, gone, last;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	/* at first nobody goes in time */
	memset(&late, 0, sizeof(late));
	late.request = (struct affinity_request){ .loop = s.loop, .user = bob, .wanted = "d2",
		.deadline = loop_now(s.loop) + 5, .on_answer = on_answer, .owner = &late };
	affinity_move(s.affinity, &late.request);
	await(s.loop, &late.answers, 1);
	assert_int_equal(late.answer, AFFINITY_LATER);
	expect_bound(s.affinity, loop_now(s.loop), "d2");
	/* then one is faster, and one does not wait */
	ask_of(&s, &overtaken, affinity_move, "d3");
	ask_of(&s, &gone, affinity_move, "d4");
	affinity_cancel(&gone.request);
	ask_of(&s, &last, affinity_move, "d5");
	assert_int_equal(overtaken.request.kicked + gone.request.kicked + last.request.kicked, 0);
	affinity_set_retention(s.affinity, 0);
	affinity_close(&old.lease);
	await(s.loop, &overtaken.answers, 1);
	await(s.loop, &last.answers, 1);
	/* the binding itself is over by now: nobody was there, and none is kept */
	assert_int_equal(last.answer, AFFINITY_BOUND);
	assert_int_equal(gone.answers, 0);
	expect_bound(s.affinity, loop_now(s.loop), "");
	scene_close(&s);
}

static void
a_move_hears_of_a_later_one(void **state)
{
	struct scene s = scene_open();
	struct guest old, overtaken;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	ask_of(&s, &overtaken, affinity_move, "d2");
	assert_true(move_now(s.affinity, s.loop, bob, "d3"));
	affinity_close(&old.lease);
	await(s.loop, &overtaken.answers, 1);
	assert_int_equal(overtaken.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(overtaken.request.binding.server, "d3");
	scene_close(&s);
}

enum { LISTED = 5000 };

struct listing {
	struct guest control;
	int seen[LISTED], sessions, rows;
};

static void
on_listed(struct affinity_request *request, struct slice user, const struct affinity_binding *binding,
    int sessions)
{
	struct listing *listing = request->owner;
	uint64_t number;

	assert_true(slice_to_number(user, LISTED - 1, &number));
	assert_string_equal(binding->server, number % 2 == 0 ? "d1" : "d2");
	assert_true(binding->generation > 0);
	listing->seen[number]++;
	listing->sessions += sessions;
	listing->rows++;
}

static void
bindings_are_listed_bit_by_bit(void **state)
{
	struct scene s = scene_open();
	static struct guest guests[LISTED];
	static char names[LISTED][8];
	struct listing listing = { .rows = 0 };
	int pages = 0;

	(void)state;
	for (int i = 0; i < LISTED; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		guests[i].request = (struct affinity_request){ .loop = s.loop, .user = slice_of(names[i]),
			.wanted = i % 2 == 0 ? "d1" : "d2", .on_answer = on_answer, .on_kick = on_kick,
			.owner = &guests[i] };
		affinity_open(s.affinity, &guests[i].request);
	}
	affinity_close(&guests[0].lease);		/* bound, but with no session */
	listing.control.request = (struct affinity_request){ .loop = s.loop, .on_answer = on_answer,
		.on_binding = on_listed, .owner = &listing };
	do {
		int before = listing.rows;

		affinity_list(s.affinity, &listing.control.request);
		assert_int_equal(listing.control.answer, AFFINITY_BOUND);
		assert_int_equal(listing.control.answers, ++pages);
		/* no worker waits long for the lock */
		assert_true(listing.rows - before < 200);
	} while (listing.control.request.cursor != 0);
	for (int i = 0; i < LISTED; i++) {
		assert_int_equal(listing.seen[i], 1);
		affinity_close(&guests[i].lease);
	}
	assert_int_equal(listing.sessions, LISTED - 1);
	scene_close(&s);
}

/* Moved again while the first move is under way: who is of either generation has to go. */
static void
two_moves_in_a_row(void **state)
{
	struct scene s = scene_open();
	struct guest old, to_d2, to_d3;
	int64_t now = loop_now(s.loop);

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	assert_true(move_now(s.affinity, s.loop, bob, "d2"));
	ask(s.affinity, s.loop, &to_d2, "d2", 0);
	assert_true(move_now(s.affinity, s.loop, bob, "d3"));
	ask(s.affinity, s.loop, &to_d3, "d3", 0);
	assert_int_equal(to_d2.answers + to_d3.answers, 0);
	affinity_close(&old.lease);
	await(s.loop, &to_d2.answers, 1);
	await(s.loop, &to_d3.answers, 1);
	assert_int_equal(to_d2.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(to_d2.request.binding.server, "d3");
	assert_int_equal(to_d3.answer, AFFINITY_HERE);
	affinity_close(&to_d3.lease);
	expect_bound(s.affinity, now, "d3");
	scene_close(&s);
}

static void
who_waits_too_long_is_told_later(void **state)
{
	struct scene s = scene_open();
	struct guest old, fresh;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	assert_true(move_now(s.affinity, s.loop, bob, "d2"));
	memset(&fresh, 0, sizeof(fresh));
	fresh.request = (struct affinity_request){ .loop = s.loop, .user = bob, .wanted = "d2",
		.deadline = loop_now(s.loop) + 5, .on_answer = on_answer, .on_kick = on_kick,
		.owner = &fresh };
	affinity_open(s.affinity, &fresh.request);
	assert_int_equal(fresh.answers, 0);
	await(s.loop, &fresh.answers, 1);
	assert_int_equal(fresh.answer, AFFINITY_LATER);
	assert_string_equal(fresh.request.binding.server, "d2");
	affinity_close(&old.lease);
	turn_a_little(s.loop);
	assert_int_equal(fresh.answers, 1);
	scene_close(&s);
}

static void
who_waits_may_leave(void **state)
{
	struct scene s = scene_open();
	struct guest old, gone, woken;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &old, "d1", "d1");
	assert_true(move_now(s.affinity, s.loop, bob, "d2"));
	ask(s.affinity, s.loop, &gone, "d2", 0);
	ask(s.affinity, s.loop, &woken, "d2", 0);
	affinity_cancel(&gone.request);
	affinity_cancel(&gone.request);
	affinity_close(&old.lease);
	/* its wake is under way, and finds it gone, with the affinity itself */
	affinity_cancel(&woken.request);
	affinity_put(&s.affinity);
	turn_a_little(s.loop);
	assert_int_equal(gone.answers + woken.answers, 0);
	scene_close(&s);
}

static void
a_lease_may_be_closed_with_its_kick_under_way(void **state)
{
	struct scene s = scene_open();
	struct guest first;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &first, "d1", "d1");
	assert_int_equal(kick_now(s.affinity, s.loop, bob), 1);
	affinity_close(&first.lease);
	affinity_put(&s.affinity);
	memset(&first, 0x5a, sizeof(first));
	turn_a_little(s.loop);
	scene_close(&s);
}

/* Those who wait for one user are woken for another, in vain, and wait on. */
static void
users_do_not_mix(void **state)
{
	struct scene s = scene_open();
	struct guest bobs, alices, waits;

	(void)state;
	ask_and_expect(s.affinity, s.loop, &bobs, "d1", "d1");
	memset(&alices, 0, sizeof(alices));
	alices.request = bobs.request;
	alices.request.user = slice_of("alice");
	alices.request.owner = &alices;
	affinity_open(s.affinity, &alices.request);
	assert_int_equal(affinity_count(s.affinity), 2);
	assert_true(move_now(s.affinity, s.loop, bob, "d2"));
	assert_true(move_now(s.affinity, s.loop, slice_of("alice"), "d2"));
	ask(s.affinity, s.loop, &waits, "d2", 0);
	affinity_close(&alices.lease);
	turn_a_little(s.loop);
	assert_int_equal(waits.answers, 0);
	affinity_close(&bobs.lease);
	await(s.loop, &waits.answers, 1);
	assert_int_equal(waits.answer, AFFINITY_HERE);
	affinity_close(&waits.lease);
	scene_close(&s);
}

/*
 * Threads that log the same user in without end, each now and then with the wish to move it.  Who has a lease
 * is counted by server, from after it was given until before it is closed: nobody may ever be in elsewhere.
 */
enum { LOGINS = 100000, MOVES = 1000, THREADS = 2, SERVERS = 3, RING = 3 };

static const char *const servers[SERVERS] = { "d1", "d2", "d3" };

/* Of all threads. */
static atomic_int inside[SERVERS], splits, rebinds, kicked;

struct crowd {
	struct affinity *affinity;
	struct loop *loop;
	struct guest guests[RING];	/* sessions that live on while others log in */
	int server_of[RING];
	int at, logins;
	int wanted;
	uint64_t random, replaces;
	pthread_t thread;
};

static void log_in_again(struct loop *loop, void *arg);

static void
crowd_leave(struct crowd *crowd, int i)
{
	if (crowd->guests[i].lease == NULL)
		return;
	atomic_fetch_sub(&inside[crowd->server_of[i]], 1);
	affinity_close(&crowd->guests[i].lease);
}

static void
on_crowd_kick(void *owner)
{
	struct crowd *crowd = owner;

	atomic_fetch_add(&kicked, 1);
	for (int i = 0; i < RING; i++)
		if (affinity_is_kicked(crowd->guests[i].lease))
			crowd_leave(crowd, i);
}

static int
number_of(const char *server)
{
	return server[1] - '1';
}

static void
crowd_enter(struct crowd *crowd)
{
	int server = number_of(crowd->guests[crowd->at].request.binding.server);

	crowd->server_of[crowd->at] = server;
	atomic_fetch_add(&inside[server], 1);
	for (int i = 0; i < SERVERS; i++)
		if (i != server && atomic_load(&inside[i]) > 0)
			atomic_fetch_add(&splits, 1);
	crowd->at = (crowd->at + 1) % RING;
}

static void
on_crowd_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct crowd *crowd = request->owner;
	struct guest *guest = &crowd->guests[crowd->at];

	crowd->logins++;
	crowd->random = crowd->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	crowd->replaces = 0;
	crowd->wanted = number_of(request->binding.server);
	if (answer == AFFINITY_HERE) {
		guest->lease = request->lease;
		crowd_enter(crowd);
		/* now and then its server is said to be down, perhaps by somebody who is late to know */
		if (crowd->random >> 59 == 0) {
			crowd->replaces = request->binding.generation;
			crowd->wanted = (crowd->wanted + 1) % SERVERS;
			atomic_fetch_add(&rebinds, 1);
		}
	}
	loop_post(crowd->loop, log_in_again, crowd);
}

static void
stop_crowd(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
log_in_again(struct loop *loop, void *arg)
{
	struct crowd *crowd = arg;
	struct guest *guest = &crowd->guests[crowd->at];

	if (crowd->logins >= LOGINS) {
		for (int i = 0; i < RING; i++)
			crowd_leave(crowd, i);
		/* behind the kicks that are under way */
		loop_post(loop, stop_crowd, crowd);
		return;
	}
	crowd_leave(crowd, crowd->at);
	guest->request = (struct affinity_request){ .loop = loop, .user = bob,
		.wanted = servers[crowd->wanted], .replaces = crowd->replaces,
		.deadline = clock_ms() + PATIENCE, .on_answer = on_crowd_answer, .on_kick = on_crowd_kick,
		.owner = crowd };
	affinity_open(crowd->affinity, &guest->request);
}

static void *
run_crowd(void *arg)
{
	loop_run(((struct crowd *)arg)->loop);
	return NULL;
}

static void
nobody_is_ever_on_two_servers(void **state)
{
	struct affinity *affinity = affinity_new(&affinity_memory, RETENTION);
	struct scene s = { loop_new(LOOP_CONTROL), affinity };
	struct crowd crowds[THREADS];
	struct guest control;

	(void)state;
	memset(crowds, 0, sizeof(crowds));
	for (int i = 0; i < THREADS; i++) {
		crowds[i].affinity = affinity;
		crowds[i].loop = loop_new(i);
		crowds[i].random = (uint64_t)i;
		crowds[i].wanted = i;
		loop_post(crowds[i].loop, log_in_again, &crowds[i]);
		assert_int_equal(pthread_create(&crowds[i].thread, NULL, run_crowd, &crowds[i]), 0);
	}
	for (int i = 0; i < MOVES; i++) {
		ask_of(&s, &control, affinity_move, servers[i % SERVERS]);
		await(s.loop, &control.answers, 1);
		ask_of(&s, &control, affinity_peek, NULL);
		kick_now(affinity, s.loop, bob);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(crowds[i].thread, NULL);
		assert_int_equal(crowds[i].logins, LOGINS);
		loop_free(&crowds[i].loop);
	}
	assert_int_equal(atomic_load(&splits), 0);
	for (int i = 0; i < SERVERS; i++)
		assert_int_equal(atomic_load(&inside[i]), 0);
	print_message("# %d logins, %d rebinds, %d kicks\n", THREADS * LOGINS, atomic_load(&rebinds),
	    atomic_load(&kicked));
	assert_true(atomic_load(&kicked) > 0);
	scene_close(&s);
}

static void
order(struct affinity *affinity, struct loop *loop, struct guest *guest, const char *server, int64_t hold_ms,
    void (*run)(struct affinity *affinity, struct affinity_request *request))
{
	memset(guest, 0, sizeof(*guest));
	guest->request = (struct affinity_request){
		.loop = loop, .user = bob, .wanted = server, .hold_ms = hold_ms,
		.deadline = loop_now(loop) + PATIENCE, .on_answer = on_answer, .owner = guest,
	};
	run(affinity, &guest->request);
}

/* Releases the hold of that mark; 0: any. */
static void
release(struct affinity *affinity, struct loop *loop, struct guest *guest, uint64_t mark)
{
	memset(guest, 0, sizeof(*guest));
	guest->request = (struct affinity_request){
		.loop = loop, .user = bob, .hold = mark, .deadline = loop_now(loop) + PATIENCE,
		.on_answer = on_answer, .owner = guest,
	};
	affinity_hold(affinity, &guest->request);
	assert_int_equal(guest->answers, 1);
}

static void
ignore_answer(struct affinity_request *request, enum affinity_answer answer)
{
	(void)request;
	(void)answer;
}

static void
nobody_gets_in_while_a_hold_stands(void **state)
{
	struct loop *loop = loop_new(0);
	struct affinity *affinity = affinity_new(&affinity_memory, RETENTION);
	struct guest hold, next, looker;

	(void)state;
	order(affinity, loop, &hold, NULL, PATIENCE, affinity_hold);
	assert_int_equal(hold.answer, AFFINITY_UNBOUND);
	assert_true(hold.request.binding.held_ms > 0);
	ask(affinity, loop, &next, "d1", 0);
	assert_int_equal(next.answers, 0);
	order(affinity, loop, &looker, NULL, 0, affinity_peek);
	assert_int_equal(looker.answer, AFFINITY_UNBOUND);
	assert_true(looker.request.binding.held_ms > 0);
	order(affinity, loop, &hold, NULL, 0, affinity_hold);
	await(loop, &next.answers, 1);
	assert_int_equal(next.answer, AFFINITY_HERE);
	/* by itself */
	order(affinity, loop, &hold, NULL, 100, affinity_hold);
	assert_int_equal(hold.answer, AFFINITY_BOUND);
	ask(affinity, loop, &looker, "d2", 0);
	assert_int_equal(looker.answers, 0);
	await(loop, &looker.answers, 1);
	assert_int_equal(looker.answer, AFFINITY_ELSEWHERE);
	affinity_close(&next.lease);
	affinity_put(&affinity);
	loop_free(&loop);
}

/* A hold has a mark: whoever made an older one ends no newer one. */
static void
a_hold_ends_by_its_own_mark(void **state)
{
	struct loop *loop = loop_new(0);
	struct affinity *affinity = affinity_new(&affinity_memory, RETENTION);
	struct guest first, longer, shorter, end;

	(void)state;
	order(affinity, loop, &first, NULL, PATIENCE / 2, affinity_hold);
	assert_true(first.request.hold != 0);
	order(affinity, loop, &longer, NULL, PATIENCE, affinity_hold);
	assert_int_not_equal(longer.request.hold, first.request.hold);
	order(affinity, loop, &shorter, NULL, PATIENCE / 2, affinity_hold);
	assert_int_equal(shorter.request.hold, longer.request.hold);
	release(affinity, loop, &end, first.request.hold);
	assert_true(end.request.binding.held_ms > PATIENCE / 2);
	release(affinity, loop, &end, longer.request.hold);
	assert_int_equal(end.request.binding.held_ms, 0);
	/* whatever it is */
	order(affinity, loop, &longer, NULL, PATIENCE, affinity_hold);
	release(affinity, loop, &end, 0);
	assert_int_equal(end.request.binding.held_ms, 0);
	affinity_put(&affinity);
	loop_free(&loop);
}

/* Who is on hold and bound nowhere is bound by a move, and on hold still. */
static void
a_move_binds_who_is_on_hold(void **state)
{
	struct loop *loop = loop_new(0);
	struct affinity *affinity = affinity_new(&affinity_memory, RETENTION);
	struct guest hold, mover, next;

	(void)state;
	order(affinity, loop, &hold, NULL, PATIENCE, affinity_hold);
	order(affinity, loop, &mover, "d2", 0, affinity_move);
	assert_int_equal(mover.answer, AFFINITY_BOUND);
	assert_int_equal(mover.request.kicked, 0);
	assert_string_equal(mover.request.binding.server, "d2");
	assert_true(mover.request.binding.held_ms > 0);
	ask(affinity, loop, &next, "d1", 0);
	assert_int_equal(next.answers, 0);
	release(affinity, loop, &hold, 0);
	await(loop, &next.answers, 1);
	assert_int_equal(next.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(next.request.binding.server, "d2");
	affinity_put(&affinity);
	loop_free(&loop);
}

static void
a_pin_outlives_bindings_and_wishes(void **state)
{
	struct loop *loop = loop_new(0);
	struct affinity *affinity = affinity_new(&affinity_memory, RETENTION);
	struct guest first, next, pin;

	(void)state;
	ask(affinity, loop, &first, "d1", 0);
	order(affinity, loop, &pin, "d2", 0, affinity_pin);
	assert_int_equal(pin.answer, AFFINITY_BOUND);
	/* as long as somebody is there */
	ask(affinity, loop, &next, "d1", 0);
	assert_int_equal(next.answer, AFFINITY_HERE);
	affinity_close(&first.lease);
	affinity_close(&next.lease);
	order(affinity, loop, &pin, NULL, 0, affinity_peek);
	assert_string_equal(pin.request.binding.server, "d2");
	assert_true(pin.request.binding.is_pinned);
	ask(affinity, loop, &next, "d1", 0);
	assert_int_equal(next.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(next.request.binding.server, "d2");
	ask(affinity, loop, &first, "d3", next.request.binding.generation);
	assert_int_equal(first.answer, AFFINITY_ELSEWHERE);
	order(affinity, loop, &pin, "d3", 0, affinity_move);
	assert_int_equal(pin.answer, AFFINITY_BOUND);
	ask(affinity, loop, &next, "d3", 0);
	assert_int_equal(next.answer, AFFINITY_HERE);
	affinity_close(&next.lease);
	order(affinity, loop, &pin, NULL, 0, affinity_pin);
	assert_false(pin.request.binding.is_pinned);
	affinity_put(&affinity);
	loop_free(&loop);
}

/* What holds then, in ms. */
static int64_t
hold_as(struct affinity *affinity, struct loop *loop, uint64_t *mark, int64_t ms, bool is_move)
{
	struct affinity_request request = {
		.loop = loop, .user = bob, .hold_ms = ms, .hold = *mark, .is_move = is_move,
		.deadline = loop_now(loop) + PATIENCE, .on_answer = ignore_answer,
	};

	affinity_hold(affinity, &request);
	*mark = request.hold;
	return request.binding.held_ms;
}

static void
a_move_ends_its_own_hold_alone(void **state)
{
	enum { SHORT = 30000, LONG = 60000 };
	struct affinity *affinity = affinity_new(&affinity_memory, RETENTION);
	struct loop *loop = loop_new(0);
	uint64_t move = 0, later = 0, any = 0;

	(void)state;
	assert_true(hold_as(affinity, loop, &any, SHORT, false) > 0);
	assert_true(hold_as(affinity, loop, &move, LONG, true) > SHORT);
	assert_true(hold_as(affinity, loop, &move, 0, true) > 0);
	any = 0;
	assert_int_equal(hold_as(affinity, loop, &any, 0, false), 0);
	(void)hold_as(affinity, loop, &move, SHORT, true);
	(void)hold_as(affinity, loop, &later, SHORT, true);
	assert_true(hold_as(affinity, loop, &any, 0, false) > 0);
	assert_true(hold_as(affinity, loop, &move, 0, true) > 0);
	assert_int_equal(hold_as(affinity, loop, &later, 0, true), 0);
	affinity_put(&affinity);
	loop_free(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_binds_and_others_follow),
		cmocka_unit_test(a_binding_outlives_the_last_session_for_a_while),
		cmocka_unit_test(looking_writes_nothing),
		cmocka_unit_test(a_rebind_kicks_and_waits_until_all_are_gone),
		cmocka_unit_test(no_generation_comes_again),
		cmocka_unit_test(a_rebind_of_nobody_waits_for_nobody),
		cmocka_unit_test(a_kick_keeps_the_binding),
		cmocka_unit_test(a_peek_tells_the_binding),
		cmocka_unit_test(a_kick_tells_how_many),
		cmocka_unit_test(a_move_is_over_when_all_have_gone),
		cmocka_unit_test(a_move_may_end_in_other_ways),
		cmocka_unit_test(a_move_hears_of_a_later_one),
		cmocka_unit_test(bindings_are_listed_bit_by_bit),
		cmocka_unit_test(two_moves_in_a_row),
		cmocka_unit_test(who_waits_too_long_is_told_later),
		cmocka_unit_test(who_waits_may_leave),
		cmocka_unit_test(a_lease_may_be_closed_with_its_kick_under_way),
		cmocka_unit_test(users_do_not_mix),
		cmocka_unit_test(nobody_is_ever_on_two_servers),
		cmocka_unit_test(nobody_gets_in_while_a_hold_stands),
		cmocka_unit_test(a_hold_ends_by_its_own_mark),
		cmocka_unit_test(a_move_binds_who_is_on_hold),
		cmocka_unit_test(a_move_ends_its_own_hold_alone),
		cmocka_unit_test(a_pin_outlives_bindings_and_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
