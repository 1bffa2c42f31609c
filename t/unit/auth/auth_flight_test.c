/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_flight_test.c: of equal questions that come together one is asked, whoever leaves meanwhile. */
#include "auth_cache_rig.h"

#include <pthread.h>

enum { CROWD = 100 };

#define CACHED_FILE "auth a { source file; path /u; cache_ttl 1h }"
#define CACHED_NEGATIVE "auth a { source file; path /u; cache_negative_ttl 1h }"

struct crowd {
	struct rig rig;
	struct ask asks[CROWD];
};

static void
crowd_open(struct crowd *crowd, const char *text, const char *user, const char *password)
{
	rig_open(&crowd->rig, text, 1);
	atomic_store(&holds, true);
	for (int i = 0; i < CROWD; i++)
		ask_init(&crowd->asks[i], &crowd->rig, user, password);
}

static void
crowd_start(struct crowd *crowd)
{
	for (int i = 0; i < CROWD; i++)
		auth_start(&crowd->asks[i].request);
}

static void
crowd_close(struct crowd *crowd)
{
	for (int i = 0; i < CROWD; i++)
		ask_end(&crowd->asks[i]);
	rig_close(&crowd->rig);
}

static void
on_stop(struct loop *loop, void *arg)
{
	*(bool *)arg = true;
	loop_stop(loop);
}

/* Handles all that was posted before, and what that posts. */
static void
handle_all(struct loop *loop)
{
	for (int i = 0; i < 2; i++) {
		bool is_over = false;

		loop_post(loop, on_stop, &is_over);
		while (!is_over)		/* answers stop the loop, too */
			loop_run(loop);
	}
}

static int
answers(const struct crowd *crowd)
{
	int count = 0;

	for (int i = 0; i < CROWD; i++)
		count += crowd->asks[i].answers;
	return count;
}

static int
held(const struct crowd *crowd)
{
	int count = 0;

	for (int i = 0; i < CROWD; i++)
		count += crowd->asks[i].is_held;
	return count;
}

static uint64_t
counted(const struct rig *rig, const char *name)
{
	const struct auth_kept *kept = rig_auth(rig)->kept;

	return (uint64_t)metric_read(metric_find(&auth_metrics, slice_of(name)), kept, kept->threads);
}

static void
one_asks_for_all(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	crowd_start(&crowd);
	handle_all(crowd.rig.loop);
	assert_int_equal(atomic_load(&asked), 1);
	assert_int_equal(answers(&crowd), 0);
	answer(&crowd.asks[0]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD);
	for (int i = 1; i < CROWD; i++) {
		assert_string_equal(crowd.asks[i].all, crowd.asks[0].all);
		assert_string_equal(crowd.asks[i].pass, "server's secret");
	}
	assert_int_equal(atomic_load(&asked), 1);
	assert_int_equal(counted(&crowd.rig, "waited"), CROWD - 1);
	assert_int_equal(questions(&crowd.rig, "bob", "secret", AUTH_OK), 0);
	crowd_close(&crowd);
}

static void
other_passwords_ask_for_themselves(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	buf_append_text(&crowd.asks[1].credentials.password, "s");
	crowd.asks[2].request.user = "eve";
	crowd_start(&crowd);
	assert_int_equal(atomic_load(&asked), 3);
	answer(&crowd.asks[1]);
	answer(&crowd.asks[2]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), 2);
	assert_int_equal(crowd.asks[1].answer.verdict, AUTH_REFUSED);
	answer(&crowd.asks[0]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD);
	crowd_close(&crowd);
}

static void
all_are_told_that_the_source_cannot_say(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "later", "secret");
	crowd_start(&crowd);
	answer(&crowd.asks[0]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(crowd.asks[i].answer.verdict, AUTH_LATER);
	assert_int_equal(atomic_load(&asked), 1);
	/* and it is asked again */
	atomic_store(&holds, false);
	assert_int_equal(questions(&crowd.rig, "later", "secret", AUTH_LATER), 1);
	crowd_close(&crowd);
}

/* Each who asks leaves, and the last one gets the answer. */
static void
another_asks_when_who_asked_leaves(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	crowd_start(&crowd);
	for (int i = 0; i < CROWD - 1; i++) {
		assert_true(crowd.asks[i].is_held);
		auth_cancel(&crowd.asks[i].request);
		assert_int_equal(crowd.asks[i].cancelled, 1);
		handle_all(crowd.rig.loop);
		assert_int_equal(held(&crowd), 1);
	}
	assert_int_equal(atomic_load(&asked), CROWD);
	answer(&crowd.asks[CROWD - 1]);
	assert_int_equal(answers(&crowd), 1);
	assert_int_equal(questions(&crowd.rig, "bob", "secret", AUTH_OK), 0);
	crowd_close(&crowd);
}

static void
who_waits_may_leave_at_any_time(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	crowd_start(&crowd);
	/* while it is waited, */
	for (int i = 10; i < 20; i++)
		auth_cancel(&crowd.asks[i].request);
	/* when it is one's turn to ask, */
	auth_cancel(&crowd.asks[0].request);
	auth_cancel(&crowd.asks[1].request);
	handle_all(crowd.rig.loop);
	assert_true(crowd.asks[2].is_held);
	assert_int_equal(atomic_load(&asked), 2);
	/* and when the answer is under way */
	answer(&crowd.asks[2]);
	for (int i = 30; i < 40; i++)
		auth_cancel(&crowd.asks[i].request);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD - 2 - 10 - 10);
	crowd_close(&crowd);
}

static void
when_all_leave_nothing_is_left(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	crowd_start(&crowd);
	for (int i = 0; i < CROWD; i++)
		auth_cancel(&crowd.asks[i].request);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), 0);
	assert_int_equal(held(&crowd), 0);
	atomic_store(&holds, false);
	assert_int_equal(questions(&crowd.rig, "bob", "secret", AUTH_OK), 1);
	assert_int_equal(auth_cache_count(rig_auth(&crowd.rig)->cache), 1);
	crowd_close(&crowd);
}

/* What was asked before a flush is told to those who asked, and to nobody who comes later. */
static void
a_flush_parts_those_before_from_those_after(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	for (int i = 0; i < CROWD / 2; i++)
		auth_start(&crowd.asks[i].request);
	auth_cache_flush(rig_auth(&crowd.rig)->cache, "bob");
	for (int i = CROWD / 2; i < CROWD; i++)
		auth_start(&crowd.asks[i].request);
	assert_int_equal(atomic_load(&asked), 2);
	answer(&crowd.asks[0]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD / 2);
	assert_int_equal(crowd.asks[CROWD - 1].answers, 0);
	/* who is new waits, too: nothing was kept */
	assert_int_equal(atomic_load(&asked), 2);
	answer(&crowd.asks[CROWD / 2]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD);
	assert_int_equal(questions(&crowd.rig, "bob", "secret", AUTH_OK), 0);
	crowd_close(&crowd);

	crowd_open(&crowd, CACHED_FILE, "bob", "secret");
	auth_start(&crowd.asks[0].request);
	auth_cache_flush(rig_auth(&crowd.rig)->cache, NULL);
	answer(&crowd.asks[0]);
	atomic_store(&holds, false);
	assert_int_equal(questions(&crowd.rig, "bob", "secret", AUTH_OK), 1);
	crowd_close(&crowd);
}

/* The source leads an exchange after all: that is each one's own. */
static void
challenges_are_for_one_alone(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "challenged", "secret");
	crowd_start(&crowd);
	answer(&crowd.asks[0]);
	handle_all(crowd.rig.loop);
	assert_int_equal(atomic_load(&asked), CROWD);
	assert_int_equal(held(&crowd), CROWD - 1);
	crowd_close(&crowd);
}

static void
each_address_asks_where_that_decides(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_FILE, "near", "secret");
	for (int i = 0; i < CROWD / 2; i++)
		assert_true(addr_parse(slice_of("192.0.2.8"), 1, &crowd.asks[i].identity.client));
	crowd_start(&crowd);
	assert_int_equal(atomic_load(&asked), 1);
	answer(&crowd.asks[0]);
	handle_all(crowd.rig.loop);
	/* one of each address; a refusal of that kind is not kept */
	assert_int_equal(held(&crowd), 2);
	assert_int_equal(atomic_load(&asked), 3);
	for (int i = 0; i < CROWD; i++)
		if (crowd.asks[i].is_held)
			answer(&crowd.asks[i]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(crowd.asks[i].answer.verdict, i < CROWD / 2 ? AUTH_REFUSED : AUTH_OK);
	crowd_close(&crowd);
}

/* As long as a wrong password of a user whom it knows takes, all who are not known take. */
static void
strangers_are_told_when_it_is_over(void **state)
{
	struct crowd crowd;

	(void)state;
	crowd_open(&crowd, CACHED_NEGATIVE, "nobody", "wrong");
	crowd_start(&crowd);
	answer(&crowd.asks[0]);
	assert_true(crowd.asks[0].is_pretence);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), 0);
	/* another one takes its place, and begins anew */
	auth_cancel(&crowd.asks[0].request);
	handle_all(crowd.rig.loop);
	assert_int_equal(atomic_load(&asked), 2);
	answer(&crowd.asks[1]);
	assert_int_equal(atomic_load(&pretended), 2);
	answer(&crowd.asks[1]);
	handle_all(crowd.rig.loop);
	assert_int_equal(answers(&crowd), CROWD - 1);
	assert_int_equal(questions(&crowd.rig, "nobody", "wrong", AUTH_REFUSED), 0);
	assert_int_equal(atomic_load(&pretended), 2);
	assert_int_equal(counted(&crowd.rig, "unknown"), 2);
	assert_int_equal(counted(&crowd.rig, "refused"), 0);
	crowd_close(&crowd);
}

/* Threads with a loop each, whose logins come together. */
enum { THREADS = 4, LOGINS = 50, ROUNDS = 40 };

struct party {
	struct rig *rig;
	pthread_barrier_t all;
	atomic_int answered;
};

struct guest {
	struct party *party;
	struct rig rig;
	int number;
	struct ask asks[LOGINS];
};

static bool
is_done(const struct guest *guest)
{
	for (int i = 0; i < LOGINS; i++)
		if (guest->asks[i].answers == 0)
			return false;
	return true;
}

/* Whoever asks is told; on the way some leave who ask, and the question goes on to another thread. */
static void
answer_held(struct guest *guest, int round)
{
	for (int i = 0; i < LOGINS; i++) {
		struct ask *ask = &guest->asks[i];

		if (!ask->is_held)
			continue;
		if ((round + guest->number + i) % 3 == 0 && ask->cancelled == 0) {
			auth_cancel(&ask->request);
			ask->answers++;
		} else {
			answer(ask);
		}
	}
}

static void *
run_guest(void *arg)
{
	struct guest *guest = arg;
	char user[16];

	for (int round = 0; round < ROUNDS; round++) {
		snprintf(user, sizeof(user), "bob%d", round);
		pthread_barrier_wait(&guest->party->all);
		for (int i = 0; i < LOGINS; i++) {
			ask_init(&guest->asks[i], &guest->rig, user, "secret");
			auth_start(&guest->asks[i].request);
		}
		if (round % 4 == 0)
			auth_cache_flush(rig_auth(guest->party->rig)->cache, round % 8 == 0 ? user : NULL);
		while (!is_done(guest)) {
			answer_held(guest, round);
			handle_all(guest->rig.loop);
		}
		for (int i = 0; i < LOGINS; i++) {
			assert_int_equal(guest->asks[i].answer.verdict, AUTH_OK);
			ask_end(&guest->asks[i]);
		}
		/* nothing is under way to anybody then, and all of that was handled behind it */
		pthread_barrier_wait(&guest->party->all);
		handle_all(guest->rig.loop);
	}
	return NULL;
}

static void
one_asks_for_all_threads(void **state)
{
	static struct guest guests[THREADS];
	struct party party = { 0 };
	pthread_t threads[THREADS];
	struct rig rig;
	uint64_t all;

	(void)state;
	rig_open(&rig, CACHED_FILE, THREADS);
	party.rig = &rig;
	atomic_store(&holds, true);
	assert_int_equal(pthread_barrier_init(&party.all, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		guests[i] = (struct guest){ .party = &party, .rig = rig, .number = i };
		guests[i].rig.loop = loop_new(i);
		assert_int_equal(pthread_create(&threads[i], NULL, run_guest, &guests[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	all = counted(&rig, "asked") + counted(&rig, "cached") + counted(&rig, "waited");
	assert_true(all >= (uint64_t)THREADS * LOGINS * ROUNDS);
	assert_int_equal(counted(&rig, "asked"), atomic_load(&asked));
	assert_true(counted(&rig, "waited") > 0);
	for (int i = 0; i < THREADS; i++)
		loop_free(&guests[i].rig.loop);
	pthread_barrier_destroy(&party.all);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_asks_for_all),
		cmocka_unit_test(other_passwords_ask_for_themselves),
		cmocka_unit_test(all_are_told_that_the_source_cannot_say),
		cmocka_unit_test(another_asks_when_who_asked_leaves),
		cmocka_unit_test(who_waits_may_leave_at_any_time),
		cmocka_unit_test(when_all_leave_nothing_is_left),
		cmocka_unit_test(a_flush_parts_those_before_from_those_after),
		cmocka_unit_test(challenges_are_for_one_alone),
		cmocka_unit_test(each_address_asks_where_that_decides),
		cmocka_unit_test(strangers_are_told_when_it_is_over),
		cmocka_unit_test(one_asks_for_all_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
