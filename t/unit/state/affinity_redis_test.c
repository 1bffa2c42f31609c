/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_redis_test.c: proxies that share a real Redis, and are left alone by it. */
#include "../net/tape.h"

#include <time.h>

#include "../net/redis_server.h"
#include "state/affinity_redis.h"
#include "state/cluster_members.h"

#ifdef HAVE_HIREDIS
enum { RETENTION = 60000, PATIENCE = 20000, TIMEOUT = 2000, LEASE = 90000, PROXIES = 2 };

struct rig {
	struct loop *loop;
	struct redis_server server;
	struct cluster *clusters[PROXIES];
	struct affinity *affinities[PROXIES];
};

struct asked {
	struct affinity_request request;
	int answers, kicks, bindings, sessions;
	enum affinity_answer answer;
};

static void
on_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct asked *asked = list_entry(request, struct asked, request);

	asked->answers++;
	asked->answer = answer;
	loop_stop(request->loop);
}

static void
on_kick(void *owner)
{
	struct asked *asked = owner;

	asked->kicks++;
	loop_stop(asked->request.loop);
}

static void
on_binding(struct affinity_request *request, struct slice user, const struct affinity_binding *binding,
    int sessions)
{
	struct asked *asked = list_entry(request, struct asked, request);

	assert_true(slice_has_prefix(user, "user"));
	assert_string_equal(binding->server, "d1");
	asked->bindings++;
	asked->sessions += sessions;
}

static void
run_cli(const struct rig *rig, const char *words)
{
	char command[512];

	snprintf(command, sizeof(command), "redis-cli -s %s %s >/dev/null", rig->server.path, words);
	assert_int_equal(system(command), 0);
}

static void
await_server(const struct rig *rig)
{
	char command[256];
	int tries = 0;

	snprintf(command, sizeof(command), "redis-cli -s %s ping 2>/dev/null | grep -q PONG",
	    rig->server.path);
	while (system(command) != 0) {
		assert_true(tries++ < 400);
		usleep(20 * 1000);
	}
}

static int
open_with(void **state, bool is_strict)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	rig->loop = loop_new(LOOP_CONTROL);
	assert_int_equal(redis_server_init(&rig->server), 0);
	redis_server_start(&rig->server, "");
	await_server(rig);
	for (int i = 0; i < PROXIES; i++) {
		struct cluster_settings settings = {
			.group.url.url.path = rig->server.path, .prefix = "gp",
			.name = i == 0 ? "lb1" : "lb2", .timeout_ms = TIMEOUT, .lease_ms = LEASE,
			.is_strict = is_strict,
		};

		rig->clusters[i] = cluster_new(&settings, 1);
		cluster_join(rig->clusters[i], rig->loop);
		rig->affinities[i] = affinity_new_shared(rig->clusters[i], "farm", RETENTION);
	}
	return 0;
}

static int
open_rig(void **state)
{
	return open_with(state, false);
}

static int
open_strict_rig(void **state)
{
	return open_with(state, true);
}

static int
close_rig(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < PROXIES; i++) {
		affinity_put(&rig->affinities[i]);
		cluster_leave(rig->clusters[i], rig->loop);
		cluster_free(&rig->clusters[i]);
	}
	redis_server_clear(&rig->server);
	loop_free(&rig->loop);
	free(rig);
	return 0;
}

static void
prepare(const struct rig *rig, struct asked *asked, const char *user, const char *wanted)
{
	*asked = (struct asked){ 0 };
	asked->request = (struct affinity_request){
		.loop = rig->loop, .user = slice_of(user), .wanted = wanted,
		.deadline = loop_now(rig->loop) + PATIENCE, .on_answer = on_answer, .on_kick = on_kick,
		.owner = asked,
	};
}

static enum affinity_answer
open_at(struct rig *rig, int proxy, struct asked *asked, const char *user, const char *wanted)
{
	prepare(rig, asked, user, wanted);
	affinity_open(rig->affinities[proxy], &asked->request);
	await(rig->loop, &asked->answers, 1);
	return asked->answer;
}

static void
leave(struct asked *asked)
{
	affinity_close(&asked->request.lease);
}

static void
the_first_one_binds_and_all_follow(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, c;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d2"), AFFINITY_ELSEWHERE);
	assert_string_equal(b.request.binding.server, "d1");
	assert_int_equal(b.request.binding.generation, a.request.binding.generation);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &c, "bob", NULL);
	affinity_peek(rig->affinities[1], &c.request);
	await(rig->loop, &c.answers, 1);
	assert_int_equal(c.answer, AFFINITY_BOUND);
	assert_true(c.request.binding.is_held);
	leave(&a);
	leave(&b);
	/* for the retention */
	assert_int_equal(open_at(rig, 0, &a, "bob", "d2"), AFFINITY_ELSEWHERE);
	run_cli(rig, "script flush");
	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	leave(&a);
}

static void
a_move_kicks_everywhere_and_waits_for_all(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, mover, next;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &mover, "bob", "d2");
	affinity_move(rig->affinities[0], &mover.request);
	await(rig->loop, &a.kicks, 1);
	await(rig->loop, &b.kicks, 1);
	assert_true(affinity_is_kicked(b.request.lease));
	prepare(rig, &next, "bob", "d2");
	affinity_open(rig->affinities[1], &next.request);
	wait_ms(rig->loop, 2 * AFFINITY_RETRY_MS);
	assert_int_equal(next.answers, 0);
	leave(&a);
	wait_ms(rig->loop, 2 * AFFINITY_RETRY_MS);
	assert_int_equal(next.answers + mover.answers, 0);
	leave(&b);
	await(rig->loop, &next.answers, 1);
	await(rig->loop, &mover.answers, 1);
	assert_int_equal(next.answer, AFFINITY_HERE);
	assert_int_equal(mover.answer, AFFINITY_BOUND);
	assert_int_equal(mover.request.kicked, 2);
	assert_false(affinity_is_kicked(next.request.lease));
	leave(&next);
}

static void
a_kick_spares_who_comes_later(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, kicker;

	assert_int_equal(open_at(rig, 1, &a, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &kicker, "bob", NULL);
	affinity_kick(rig->affinities[0], &kicker.request);
	await(rig->loop, &kicker.answers, 1);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	await(rig->loop, &a.kicks, 1);
	turn_a_little(rig->loop);
	assert_int_equal(b.kicks, 0);
	assert_int_equal(kicker.answer, AFFINITY_BOUND);
	leave(&a);
	leave(&b);
}

static void
who_replaces_a_server_kicks_its_sessions(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &b, "bob", "d2");
	b.request.replaces = a.request.binding.generation;
	affinity_open(rig->affinities[1], &b.request);
	await(rig->loop, &a.kicks, 1);
	leave(&a);
	await(rig->loop, &b.answers, 1);
	assert_int_equal(b.answer, AFFINITY_HERE);
	assert_string_equal(b.request.binding.server, "d2");
	leave(&b);
}

static void
what_redis_has_lost_comes_back(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	run_cli(rig, "flushall");
	shared_renew_all(rig->affinities[0]->store);
	do {
		if (open_at(rig, 1, &b, "bob", "d1") != AFFINITY_HERE)
			fail();
		leave(&b);
		prepare(rig, &b, "bob", NULL);
		affinity_peek(rig->affinities[1], &b.request);
		await(rig->loop, &b.answers, 1);
	} while (!b.request.binding.is_held);
	assert_int_equal(a.kicks, 0);
	/* both decide while nothing is known: the later one is told to go */
	run_cli(rig, "flushall");
	assert_int_equal(open_at(rig, 1, &b, "bob", "d2"), AFFINITY_HERE);
	shared_renew_all(rig->affinities[0]->store);
	await(rig->loop, &a.kicks, 1);
	assert_int_equal(b.kicks, 0);
	leave(&a);
	leave(&b);
}

static void
without_redis_each_decides_for_itself(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, c;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	redis_server_stop(&rig->server);
	/* what is known counts */
	assert_int_equal(open_at(rig, 0, &b, "bob", "d2"), AFFINITY_ELSEWHERE);
	assert_string_equal(b.request.binding.server, "d1");
	assert_int_equal(open_at(rig, 0, &b, "bob", "d1"), AFFINITY_HERE);
	leave(&b);
	assert_int_equal(open_at(rig, 1, &c, "eve", "d2"), AFFINITY_HERE);
	while (cluster_is_up(rig->clusters[0], rig->loop) || cluster_is_up(rig->clusters[1], rig->loop)) {
		struct asked more[PROXIES];

		for (int i = 0; i < PROXIES; i++)
			assert_int_equal(open_at(rig, i, &more[i], "more", "d1"), AFFINITY_HERE);
		for (int i = 0; i < PROXIES; i++)
			leave(&more[i]);
	}
	redis_server_start(&rig->server, "");
	while (!cluster_is_up(rig->clusters[0], rig->loop) || !cluster_is_up(rig->clusters[1], rig->loop))
		wait_ms(rig->loop, 20);
	for (int i = 0; i < PROXIES; i++)
		shared_renew_all(rig->affinities[i]->store);
	do {
		prepare(rig, &b, "eve", NULL);
		affinity_peek(rig->affinities[0], &b.request);
		await(rig->loop, &b.answers, 1);
	} while (b.answer != AFFINITY_BOUND || !b.request.binding.is_held);
	assert_string_equal(b.request.binding.server, "d2");
	assert_int_equal(a.kicks + c.kicks, 0);
	leave(&a);
	leave(&c);
}

/* Asks nothing that Redis would do when it goes on. */
static void
hang(struct rig *rig)
{
	struct asked asked;

	kill(rig->server.pid, SIGSTOP);
	for (int i = 0; i < PROXIES; i++)
		while (cluster_is_up(rig->clusters[i], rig->loop)) {
			open_at(rig, i, &asked, "more", "d1");
			leave(&asked);
		}
}

static void
go_on(struct rig *rig)
{
	kill(rig->server.pid, SIGCONT);
	while (!cluster_is_up(rig->clusters[0], rig->loop) || !cluster_is_up(rig->clusters[1], rig->loop))
		wait_ms(rig->loop, 1);
}

static void
a_guess_that_nobody_holds_is_void(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	hang(rig);
	prepare(rig, &b, "bob", "d2");
	b.request.replaces = a.request.binding.generation;
	affinity_open(rig->affinities[0], &b.request);
	await(rig->loop, &a.kicks, 1);
	assert_int_equal(b.answer, AFFINITY_HERE);
	leave(&a);
	leave(&b);
	go_on(rig);
	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	wait_ms(rig->loop, AFFINITY_RETRY_MS);
	assert_int_equal(a.kicks, 0);
	assert_false(affinity_is_kicked(a.request.lease));
	leave(&a);
}

static void
who_came_without_redis_stays_on_the_same_server(void **state)
{
	struct rig *rig = *state;
	struct shared *shared = rig->affinities[0]->store;
	struct asked a, b, c;

	/* logins come first */
	loop_timer_stop(rig->loop, &shared->renewal);
	hang(rig);
	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	go_on(rig);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	assert_int_equal(open_at(rig, 0, &c, "bob", "d2"), AFFINITY_ELSEWHERE);
	assert_int_equal(open_at(rig, 0, &c, "bob", "d1"), AFFINITY_HERE);
	wait_ms(rig->loop, AFFINITY_RETRY_MS);
	assert_int_equal(a.kicks + b.kicks + c.kicks, 0);
	leave(&a);
	leave(&b);
	leave(&c);
}

static void
who_came_without_redis_came_after_older_kicks(void **state)
{
	struct rig *rig = *state;
	struct shared *shared = rig->affinities[1]->store;
	struct asked a, b, c;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &c, "bob", NULL);
	affinity_kick(rig->affinities[0], &c.request);
	await(rig->loop, &c.answers, 1);
	leave(&a);
	hang(rig);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	go_on(rig);
	shared_renew_all(shared);
	wait_ms(rig->loop, 3 * AFFINITY_RETRY_MS);
	assert_int_equal(open_at(rig, 1, &a, "bob", "d1"), AFFINITY_HERE);
	assert_int_equal(b.kicks, 0);
	/* and before this one */
	prepare(rig, &c, "bob", NULL);
	affinity_kick(rig->affinities[0], &c.request);
	await(rig->loop, &b.kicks, 1);
	leave(&a);
	leave(&b);
}

/* The proxy had heard of a move and not whereto, and Redis has the older generation. */
static void
a_guess_of_the_same_server_gives_way(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, mover;

	assert_int_equal(open_at(rig, 1, &a, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &mover, "bob", "d2");
	affinity_move(rig->affinities[0], &mover.request);
	await(rig->loop, &a.kicks, 1);
	leave(&a);
	await(rig->loop, &mover.answers, 1);
	hang(rig);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d2"), AFFINITY_HERE);
	go_on(rig);
	shared_renew_all(rig->affinities[1]->store);
	wait_ms(rig->loop, 3 * AFFINITY_RETRY_MS);
	assert_int_equal(open_at(rig, 1, &a, "bob", "d2"), AFFINITY_HERE);
	wait_ms(rig->loop, AFFINITY_RETRY_MS);
	assert_int_equal(a.kicks + b.kicks, 0);
	leave(&a);
	leave(&b);
}

/* Redis knows that somebody is there. */
static void
await_lease(const struct rig *rig)
{
	char command[256];
	int tries = 0;

	snprintf(command, sizeof(command), "redis-cli -s %s keys '*:l' | grep -q :l", rig->server.path);
	while (system(command) != 0) {
		assert_true(tries++ < 400);
		wait_ms(rig->loop, 20);
	}
}

/* Redis loses a binding, and gets back an older one from a proxy that did not know of the newer. */
static void
an_older_binding_that_comes_back_keeps_nobody_out(void **state)
{
	struct rig *rig = *state;
	struct shared *shared[] = { rig->affinities[0]->store, rig->affinities[1]->store };
	struct asked old, new, other;

	assert_int_equal(open_at(rig, 0, &old, "bob", "d1"), AFFINITY_HERE);
	for (int i = 0; i < PROXIES; i++)
		loop_timer_stop(rig->loop, &shared[i]->renewal);
	run_cli(rig, "flushall");
	assert_int_equal(open_at(rig, 1, &new, "bob", "d1"), AFFINITY_HERE);
	run_cli(rig, "flushall");
	assert_true(new.request.binding.generation > old.request.binding.generation);
	shared_renew_begin(shared[0]);
	shared_renew_all(shared[0]);
	await_lease(rig);
	shared_renew_begin(shared[1]);
	shared_renew_all(shared[1]);
	wait_ms(rig->loop, 3 * AFFINITY_RETRY_MS);
	assert_int_equal(open_at(rig, 1, &other, "bob", "d1"), AFFINITY_HERE);
	wait_ms(rig->loop, AFFINITY_RETRY_MS);
	assert_int_equal(old.kicks + new.kicks + other.kicks, 0);
	leave(&old);
	leave(&new);
	leave(&other);
}

static void
who_has_sessions_here_is_bound_though_redis_forgot(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	run_cli(rig, "flushall");
	prepare(rig, &b, "bob", NULL);
	affinity_peek(rig->affinities[0], &b.request);
	await(rig->loop, &b.answers, 1);
	assert_int_equal(b.answer, AFFINITY_BOUND);
	assert_string_equal(b.request.binding.server, "d1");
	assert_int_equal(open_at(rig, 0, &b, "bob", "d1"), AFFINITY_HERE);
	assert_int_equal(a.kicks, 0);
	leave(&a);
	leave(&b);
	prepare(rig, &b, "eve", NULL);
	affinity_peek(rig->affinities[0], &b.request);
	await(rig->loop, &b.answers, 1);
	assert_int_equal(b.answer, AFFINITY_UNBOUND);
}

static void
all_bindings_are_told(void **state)
{
	enum { USERS = 700 };
	struct rig *rig = *state;
	struct asked *users = calloc(USERS, sizeof(*users)), list;
	static char names[USERS][16];

	for (int i = 0; i < USERS; i++) {
		snprintf(names[i], sizeof(names[i]), "user%d", i);
		assert_int_equal(open_at(rig, i % PROXIES, &users[i], names[i], "d1"), AFFINITY_HERE);
	}
	prepare(rig, &list, "", NULL);
	list.request.on_binding = on_binding;
	do {
		list.answers = 0;
		affinity_list(rig->affinities[0], &list.request);
		await(rig->loop, &list.answers, 1);
		assert_int_equal(list.answer, AFFINITY_BOUND);
	} while (list.request.cursor != 0);
	assert_true(list.bindings >= USERS && list.sessions >= USERS);
	for (int i = 0; i < USERS; i++)
		leave(&users[i]);
	free(users);
}

static void
stop_soon(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
who_gives_up_holds_nothing(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;

	/* so that it is connected */
	assert_int_equal(open_at(rig, 0, &a, "eve", "d1"), AFFINITY_HERE);
	leave(&a);
	prepare(rig, &a, "bob", "d1");
	affinity_open(rig->affinities[0], &a.request);
	loop_post(rig->loop, stop_soon, NULL);
	loop_run(rig->loop);
	affinity_cancel(&a.request);
	/* where it was quicker */
	leave(&a);
	/* nobody is in the way of a move */
	prepare(rig, &b, "bob", "d2");
	affinity_move(rig->affinities[1], &b.request);
	await(rig->loop, &b.answers, 1);
	assert_int_not_equal(b.answer, AFFINITY_LATER);
	assert_int_equal(a.kicks, 0);
}

static enum affinity_answer
order_at(struct rig *rig, int proxy, struct asked *asked,
    void (*order)(struct affinity *affinity, struct affinity_request *request))
{
	asked->answers = 0;
	order(rig->affinities[proxy], &asked->request);
	await(rig->loop, &asked->answers, 1);
	return asked->answer;
}

static void
nobody_gets_in_while_a_hold_stands(void **state)
{
	struct rig *rig = *state;
	struct asked a, next, hold, mover, peek;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &hold, "bob", NULL);
	hold.request.hold_ms = 60000;
	assert_int_equal(order_at(rig, 1, &hold, affinity_hold), AFFINITY_BOUND);
	assert_true(hold.request.binding.held_ms > 50000 && hold.request.hold != 0);
	assert_int_equal(a.kicks, 0);
	prepare(rig, &next, "bob", "d1");
	affinity_open(rig->affinities[0], &next.request);
	prepare(rig, &peek, "bob", NULL);
	peek.request.is_patient = true;
	affinity_peek(rig->affinities[1], &peek.request);
	/* a move is not in the way of its own hold */
	prepare(rig, &mover, "bob", "d2");
	affinity_move(rig->affinities[1], &mover.request);
	await(rig->loop, &a.kicks, 1);
	leave(&a);
	await(rig->loop, &mover.answers, 1);
	assert_int_equal(mover.answer, AFFINITY_BOUND);
	wait_ms(rig->loop, 2 * AFFINITY_RETRY_MS);
	assert_int_equal(next.answers + peek.answers, 0);
	/* that of another one stays */
	hold.request.hold_ms = 0;
	hold.request.hold--;
	assert_int_equal(order_at(rig, 1, &hold, affinity_hold), AFFINITY_BOUND);
	assert_true(hold.request.binding.held_ms > 0);
	assert_int_equal(order_at(rig, 1, &hold, affinity_hold), AFFINITY_BOUND);
	assert_int_equal(hold.request.binding.held_ms, 0);
	await(rig->loop, &next.answers, 1);
	await(rig->loop, &peek.answers, 1);
	assert_int_equal(next.answer, AFFINITY_ELSEWHERE);
	assert_string_equal(peek.request.binding.server, "d2");
}

/* Who is on hold and bound nowhere is bound by a move, and on hold still. */
static void
a_move_binds_who_is_on_hold(void **state)
{
	struct rig *rig = *state;
	struct asked hold, mover, next;

	prepare(rig, &mover, "bob", "d2");
	assert_int_equal(order_at(rig, 0, &mover, affinity_move), AFFINITY_UNBOUND);
	prepare(rig, &hold, "bob", NULL);
	hold.request.hold_ms = 60000;
	assert_int_equal(order_at(rig, 0, &hold, affinity_hold), AFFINITY_UNBOUND);
	assert_int_equal(order_at(rig, 1, &mover, affinity_move), AFFINITY_BOUND);
	assert_string_equal(mover.request.binding.server, "d2");
	assert_true(mover.request.binding.held_ms > 0);
	hold.request.hold_ms = 0;
	assert_int_equal(order_at(rig, 0, &hold, affinity_hold), AFFINITY_BOUND);
	assert_int_equal(open_at(rig, 0, &next, "bob", "d1"), AFFINITY_ELSEWHERE);
	assert_string_equal(next.request.binding.server, "d2");
}

static int
count_keys(const struct rig *rig)
{
	char command[256];
	FILE *cli;
	int count = -1;

	snprintf(command, sizeof(command), "redis-cli -s %s dbsize", rig->server.path);
	cli = popen(command, "r");
	assert_non_null(cli);
	assert_int_equal(fscanf(cli, "%d", &count), 1);
	assert_int_equal(pclose(cli), 0);
	return count;
}

/* The hold of a move: set, or ended by its mark.  What holds then, in ms. */
static int64_t
hold_of_move(struct rig *rig, uint64_t *mark, int64_t ms)
{
	struct asked asked;

	prepare(rig, &asked, "bob", NULL);
	asked.request.hold_ms = ms;
	asked.request.hold = *mark;
	asked.request.is_move = true;
	(void)order_at(rig, 1, &asked, affinity_hold);
	*mark = asked.request.hold;
	return asked.request.binding.held_ms;
}

static void
a_move_ends_its_own_hold_alone(void **state)
{
	enum { SHORT = 30000, LONG = 60000 };
	struct rig *rig = *state;
	struct asked hold;
	uint64_t first = 0, second = 0, none = 1;

	/* whichever is longer */
	for (int i = 0; i < 2; i++) {
		prepare(rig, &hold, "bob", NULL);
		hold.request.hold_ms = i == 0 ? SHORT : LONG;
		(void)order_at(rig, 0, &hold, affinity_hold);
		assert_true(hold_of_move(rig, &first, i == 0 ? LONG : SHORT) > SHORT);
		assert_true(hold_of_move(rig, &first, 0) > SHORT / 2);
		assert_int_equal(first, 0);
		prepare(rig, &hold, "bob", NULL);
		(void)order_at(rig, 0, &hold, affinity_hold);
		assert_int_equal(hold.request.binding.held_ms, 0);
	}
	/* the operator's release is not the move's, and the later move has the hold */
	(void)hold_of_move(rig, &first, SHORT);
	(void)hold_of_move(rig, &second, SHORT);
	prepare(rig, &hold, "bob", NULL);
	(void)order_at(rig, 0, &hold, affinity_hold);
	assert_true(hold.request.binding.held_ms > 0);
	assert_true(hold_of_move(rig, &none, 0) > 0);
	assert_true(hold_of_move(rig, &first, 0) > 0);
	assert_int_equal(hold_of_move(rig, &second, 0), 0);
}

static void
a_hold_ends_by_itself_and_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	struct asked hold, next;

	prepare(rig, &hold, "bob", NULL);
	hold.request.hold_ms = 400;
	assert_int_equal(order_at(rig, 0, &hold, affinity_hold), AFFINITY_UNBOUND);
	assert_int_equal(open_at(rig, 1, &next, "bob", "d1"), AFFINITY_HERE);
	leave(&next);
	prepare(rig, &hold, "eve", NULL);
	hold.request.hold_ms = 1;
	assert_int_equal(order_at(rig, 0, &hold, affinity_hold), AFFINITY_UNBOUND);
	wait_ms(rig->loop, 50);
	/* the binding of bob, and the words */
	while (count_keys(rig) != 2)
		wait_ms(rig->loop, 20);
}

static void
a_pin_outlives_bindings_and_wishes(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, pin, mover;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &pin, "bob", "d2");
	assert_int_equal(order_at(rig, 0, &pin, affinity_pin), AFFINITY_BOUND);
	/* who is there stays */
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	assert_int_equal(a.kicks, 0);
	leave(&a);
	leave(&b);
	do {
		prepare(rig, &b, "bob", NULL);
	} while (order_at(rig, 1, &b, affinity_peek) != AFFINITY_BOUND ||
	    strcmp(b.request.binding.server, "d2") != 0);
	assert_true(b.request.binding.is_pinned);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_ELSEWHERE);
	assert_string_equal(b.request.binding.server, "d2");
	/* its server may be down: nobody replaces it */
	prepare(rig, &a, "bob", "d3");
	a.request.replaces = b.request.binding.generation;
	assert_int_equal(order_at(rig, 0, &a, affinity_open), AFFINITY_ELSEWHERE);
	assert_string_equal(a.request.binding.server, "d2");
	/* a move takes it along */
	prepare(rig, &mover, "bob", "d3");
	assert_int_equal(order_at(rig, 0, &mover, affinity_move), AFFINITY_BOUND);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d2"), AFFINITY_ELSEWHERE);
	assert_string_equal(b.request.binding.server, "d3");
	prepare(rig, &pin, "bob", NULL);
	assert_int_equal(order_at(rig, 0, &pin, affinity_pin), AFFINITY_BOUND);
	assert_false(pin.request.binding.is_pinned);
}

static void
on_late_order(struct cluster_call *call, const struct redis_reply *reply)
{
	struct work *work = list_entry(call, struct work, call);

	assert_non_null(reply);
	loop_stop(work->loop);
}

static void
run_late(struct rig *rig, const struct cluster_script *script, const struct slice *args, int count)
{
	struct work *work = shared_work(rig->affinities[1]->store, rig->loop, slice_of("bob"), on_late_order);

	assert_true(shared_run(work, script, args, count));
	loop_run(rig->loop);
	while (work->call.link != NULL)
		loop_run(rig->loop);
	shared_work_free(work);
}

/* As of a proxy that hears late of a release, or an unpin, of a minute ago. */
static void
a_late_order_ends_no_newer_one(void **state)
{
	struct rig *rig = *state;
	struct asked hold, pin, peek;

	prepare(rig, &hold, "bob", NULL);
	hold.request.hold_ms = 60000;
	(void)order_at(rig, 0, &hold, affinity_hold);
	prepare(rig, &pin, "bob", "d2");
	(void)order_at(rig, 0, &pin, affinity_pin);
	run_late(rig, &affinity_script_hold, (const struct slice[]){ slice_of("0"), slice_of("0"),
		slice_of("bob"), slice_of(""), slice_of("60000") }, 5);
	run_late(rig, &affinity_script_pin, (const struct slice[]){ slice_of(""), slice_of("1000"),
		slice_of("bob"), slice_of("60000") }, 4);
	prepare(rig, &peek, "bob", NULL);
	assert_int_equal(order_at(rig, 0, &peek, affinity_peek), AFFINITY_BOUND);
	assert_string_equal(peek.request.binding.server, "d2");
	assert_true(peek.request.binding.held_ms > 0);
}

/* Of a proxy that has died, and of an older generation: for so many seconds. */
static void
add_lease(const struct rig *rig, int seconds)
{
	char command[512];

	snprintf(command, sizeof(command),
	    "redis-cli -s %s zadd \"$(redis-cli -s %s --scan --pattern 'gp:1:{farm:*}:l')\" "
	    "%lld000 deadbeef/1 >/dev/null", rig->server.path, rig->server.path,
	    (long long)time(NULL) + seconds);
	assert_int_equal(system(command), 0);
}

static void
leases_of_before_the_clock_was_set_back_are_none(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	add_lease(rig, 24 * 3600);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	leave(&a);
	leave(&b);
}

static void
a_clock_that_is_set_right_ends_no_lease(void **state)
{
	enum { LONGEST_S = 600, STEP_S = 60 };
	struct rig *rig = *state;
	struct asked a, next;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	add_lease(rig, LONGEST_S + STEP_S);
	prepare(rig, &next, "bob", "d1");
	affinity_open(rig->affinities[1], &next.request);
	wait_ms(rig->loop, 2 * AFFINITY_RETRY_MS);
	assert_int_equal(next.answers, 0);
	affinity_cancel(&next.request);
	leave(&a);
}

/* What was ordered before Redis' clock was set back by an hour. */
static void
order_an_hour_ahead(const struct rig *rig)
{
	long long later = (long long)time(NULL) + 3600;
	char command[512];

	snprintf(command, sizeof(command),
	    "redis-cli -s %s hset \"$(redis-cli -s %s --scan --pattern 'gp:1:{farm:*}:b')\" "
	    "o %lld000 i %lld000 k %lld000000 >/dev/null", rig->server.path, rig->server.path, later, later,
	    later);
	assert_int_equal(system(command), 0);
}

static void
orders_are_carried_out_after_the_clock_was_set_back(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, hold, pin, kick;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	leave(&a);
	order_an_hour_ahead(rig);
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	prepare(rig, &hold, "bob", NULL);
	hold.request.hold_ms = 60000;
	(void)order_at(rig, 0, &hold, affinity_hold);
	assert_true(hold.request.binding.held_ms > 0);
	order_an_hour_ahead(rig);
	prepare(rig, &hold, "bob", NULL);
	(void)order_at(rig, 0, &hold, affinity_hold);
	assert_int_equal(hold.request.binding.held_ms, 0);
	prepare(rig, &pin, "bob", "d2");
	(void)order_at(rig, 0, &pin, affinity_pin);
	assert_true(pin.request.binding.is_pinned);
	assert_int_equal(b.kicks, 0);
	prepare(rig, &kick, "bob", NULL);
	(void)order_at(rig, 0, &kick, affinity_kick);
	await(rig->loop, &b.kicks, 1);
	leave(&b);
}

/* Redis cannot be asked what came of it just then. */
static void
a_kick_that_was_heard_is_asked_for_again(void **state)
{
	struct rig *rig = *state;
	struct shared *shared = rig->affinities[0]->store;
	const struct slice parts[] = { slice_of("kick"), slice_of("farm"), slice_of("1"), slice_of("bob") };
	struct asked a;

	/* what a new subscription renews is in time */
	while (cluster_misses(rig->clusters[0]) == 0)
		wait_ms(rig->loop, 20);
	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	loop_timer_stop(rig->loop, &shared->renewal);
	order_an_hour_ahead(rig);
	run_cli(rig, "acl setuser default -hmget");
	shared->ear.on_message(&shared->ear, parts, 4);
	while (shared->hints > 0)
		wait_ms(rig->loop, 1);
	run_cli(rig, "acl setuser default +hmget");
	assert_int_equal(a.kicks, 0);
	shared_renew_begin(shared);
	await(rig->loop, &a.kicks, 1);
	leave(&a);
}

static void
what_is_only_published_kicks_nobody(void **state)
{
	struct rig *rig = *state;
	struct asked a, b, kick;

	assert_int_equal(open_at(rig, 0, &a, "bob", "d1"), AFFINITY_HERE);
	run_cli(rig, "publish gp:1:said \"$(printf 'kick\\nfarm\\n9999999999999999\\nbob')\"");
	run_cli(rig, "publish gp:1:said \"$(printf 'moved\\nfarm\\n9999999999999999\\nbob')\"");
	/* and nobody is kept out */
	assert_int_equal(open_at(rig, 1, &b, "bob", "d1"), AFFINITY_HERE);
	wait_ms(rig->loop, AFFINITY_RETRY_MS);
	assert_int_equal(a.kicks + b.kicks, 0);
	prepare(rig, &kick, "bob", NULL);
	assert_int_equal(order_at(rig, 1, &kick, affinity_kick), AFFINITY_BOUND);
	await(rig->loop, &a.kicks, 1);
	await(rig->loop, &b.kicks, 1);
	leave(&a);
	leave(&b);
}

static bool
is_ordered(const struct rig *rig, const char *field)
{
	char command[512];

	snprintf(command, sizeof(command),
	    "k=$(redis-cli -s %s --scan --pattern 'gp:1:{farm:*}:b') && test -n \"$k\" && "
	    "redis-cli -s %s hexists \"$k\" %s | grep -q 1", rig->server.path, rig->server.path, field);
	return system(command) == 0;
}

/* So many words of the register are as the pattern. */
static void
await_words(const struct rig *rig, const char *pattern, int count)
{
	char command[256];
	int tries = 0;

	snprintf(command, sizeof(command),
	    "test $(redis-cli -s %s hvals 'gp:1:{register:users/farm}' | grep -c ' %s$') = %d",
	    rig->server.path, pattern, count);
	while (system(command) != 0) {
		assert_true(tries++ < 1000);
		wait_ms(rig->loop, 20);
	}
}

static void
await_hearing(const struct rig *rig, int proxy, const char *name)
{
	const struct shared *shared = rig->affinities[proxy]->store;

	while (!register_knows(shared->words, slice_of(name)))
		wait_ms(rig->loop, 20);
}

static int64_t
no_sessions(void)
{
	return 0;
}

static void
orders_outlive_what_redis_loses(void **state)
{
	struct rig *rig = *state;
	struct asked pin, hold, peek;
	struct cluster_members *members = cluster_members_new(rig->clusters[1], "1", no_sessions);

	while (cluster_members_count(members) == 0)
		wait_ms(rig->loop, 20);
	prepare(rig, &pin, "bob", "d2");
	(void)order_at(rig, 0, &pin, affinity_pin);
	prepare(rig, &hold, "bob", NULL);
	hold.request.hold_ms = 60000;
	(void)order_at(rig, 0, &hold, affinity_hold);
	/* the other proxy has heard of it, and notices */
	await_hearing(rig, 1, "pin\tbob");
	await_hearing(rig, 1, "hold\tbob");
	run_cli(rig, "flushall");
	await_words(rig, "[d0-9]*", 2);
	while (!is_ordered(rig, "p") || !is_ordered(rig, "h"))
		wait_ms(rig->loop, 20);
	prepare(rig, &peek, "bob", NULL);
	assert_int_equal(order_at(rig, 0, &peek, affinity_peek), AFFINITY_BOUND);
	assert_string_equal(peek.request.binding.server, "d2");
	assert_true(peek.request.binding.held_ms > 30000 && peek.request.binding.held_ms <= 60000);
	/* what is over does not come back */
	prepare(rig, &pin, "bob", NULL);
	(void)order_at(rig, 1, &pin, affinity_pin);
	prepare(rig, &hold, "bob", NULL);
	(void)order_at(rig, 1, &hold, affinity_hold);
	await_words(rig, "-", 2);
	run_cli(rig, "flushall");
	await_words(rig, "-", 2);
	assert_false(is_ordered(rig, "p") || is_ordered(rig, "h"));
	cluster_members_free(&members);
}

static void
where_it_is_strict_sessions_end_with_their_leases(void **state)
{
	struct rig *rig = *state;
	struct asked a, b;
	struct shared *shared = rig->affinities[1]->store;

	shared->lease_ms = 1200;
	shared->renew_ms = 300;
	assert_int_equal(open_at(rig, 1, &a, "bob", "d1"), AFFINITY_HERE);
	/* renewed again and again */
	wait_ms(rig->loop, 2 * 1200);
	assert_int_equal(a.kicks, 0);
	redis_server_stop(&rig->server);
	await(rig->loop, &a.kicks, 1);
	assert_int_equal(open_at(rig, 1, &b, "eve", "d1"), AFFINITY_LATER);
	assert_int_equal(cluster_figure(rig->clusters[1], CLUSTER_EXPIRED), 1);
	leave(&a);
}

static void
count_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct asked *asked = list_entry(request, struct asked, request);
	int *left = asked->request.owner;

	asked->answer = answer;
	asked->answers++;
	if (--*left == 0)
		loop_stop(request->loop);
}

static void
first_logins_at_the_same_instant_split_nobody(void **state)
{
	enum { USERS = 10000, AT_ONCE = 500 };
	struct rig *rig = *state;
	struct asked *asked = calloc(PROXIES * AT_ONCE, sizeof(*asked));
	static char names[AT_ONCE][16];
	int splits = 0, nowhere = 0;

	for (int first = 0; first < USERS; first += AT_ONCE) {
		int left = PROXIES * AT_ONCE;

		for (int i = 0; i < PROXIES * AT_ONCE; i++) {
			struct asked *one = &asked[i];
			int n = i / PROXIES, proxy = (i + n) % PROXIES;

			snprintf(names[n], sizeof(names[n]), "user%d", first + n);
			/* each proxy would have it elsewhere */
			prepare(rig, one, names[n], proxy == 0 ? "d1" : "d2");
			one->request.on_answer = count_answer;
			one->request.owner = &left;
			affinity_open(rig->affinities[proxy], &one->request);
		}
		loop_run(rig->loop);
		for (int n = 0; n < AT_ONCE; n++) {
			const struct asked *one = &asked[PROXIES * n], *other = one + 1;
			bool here = one->answer == AFFINITY_HERE, there = other->answer == AFFINITY_HERE;

			splits += here && there;
			nowhere += !here && !there;
			assert_string_equal(one->request.binding.server, other->request.binding.server);
		}
		for (int i = 0; i < PROXIES * AT_ONCE; i++)
			leave(&asked[i]);
	}
	assert_int_equal(splits, 0);
	assert_int_equal(nowhere, 0);
	assert_int_equal(cluster_figure(rig->clusters[0], CLUSTER_LOCAL), 0);
	free(asked);
}

#define STRICT_TEST(name) cmocka_unit_test_setup_teardown(name, open_strict_rig, close_rig)
#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(the_first_one_binds_and_all_follow),
		REDIS_TEST(a_move_kicks_everywhere_and_waits_for_all),
		REDIS_TEST(a_kick_spares_who_comes_later),
		REDIS_TEST(who_replaces_a_server_kicks_its_sessions),
		REDIS_TEST(what_redis_has_lost_comes_back),
		REDIS_TEST(without_redis_each_decides_for_itself),
		REDIS_TEST(a_guess_that_nobody_holds_is_void),
		REDIS_TEST(who_came_without_redis_stays_on_the_same_server),
		REDIS_TEST(who_came_without_redis_came_after_older_kicks),
		REDIS_TEST(a_guess_of_the_same_server_gives_way),
		REDIS_TEST(an_older_binding_that_comes_back_keeps_nobody_out),
		REDIS_TEST(who_has_sessions_here_is_bound_though_redis_forgot),
		REDIS_TEST(all_bindings_are_told),
		REDIS_TEST(who_gives_up_holds_nothing),
		REDIS_TEST(nobody_gets_in_while_a_hold_stands),
		REDIS_TEST(a_move_binds_who_is_on_hold),
		REDIS_TEST(a_move_ends_its_own_hold_alone),
		REDIS_TEST(a_hold_ends_by_itself_and_leaves_nothing),
		REDIS_TEST(a_pin_outlives_bindings_and_wishes),
		REDIS_TEST(a_late_order_ends_no_newer_one),
		REDIS_TEST(leases_of_before_the_clock_was_set_back_are_none),
		REDIS_TEST(a_clock_that_is_set_right_ends_no_lease),
		REDIS_TEST(orders_are_carried_out_after_the_clock_was_set_back),
		REDIS_TEST(a_kick_that_was_heard_is_asked_for_again),
		REDIS_TEST(what_is_only_published_kicks_nobody),
		REDIS_TEST(orders_outlive_what_redis_loses),
		STRICT_TEST(where_it_is_strict_sessions_end_with_their_leases),
		REDIS_TEST(first_logins_at_the_same_instant_split_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
