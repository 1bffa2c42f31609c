/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_gate_test.c: when there is a bound, how it moves, who waits, and that no place is lost. */
#include "auths.h"

#include "net/loop.h"

enum { MANY = 64 };

/* Its source is `server`, which says at once that the server decides: whoever gets in has a verdict then. */
struct rig {
	struct loop *loop;
	struct conf *conf;
	struct conf_list auths;
	struct auth *auth;
	struct question {
		struct auth_request request;
		struct rig *rig;
		int order;		/* of the verdicts; 0: none yet */
		enum auth_verdict verdict;
	} questions[MANY];
	int asked, verdicts;
};

static void
on_verdict(struct auth_request *request, const struct auth_answer *answer)
{
	struct question *question = (struct question *)(void *)request;

	question->order = ++question->rig->verdicts;
	question->verdict = answer->verdict;
}

static int
open_rig(void **state)
{
	struct rig *rig = test_calloc(1, sizeof(*rig));

	rig->loop = loop_new(0);
	rig->conf = load_auths("auth a { source server }", &rig->auths);
	rig->auth = rig->auths.items[0];
	rig->auth->timeout.ms = 60 * 1000;
	auth_keep(rig->auth, NULL, 1);
	*state = rig;
	return 0;
}

static int
close_rig(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(atomic_load(&rig->auth->kept->gate.busy), 0);
	assert_int_equal(waiter_count(&rig->auth->kept->gate.queue), 0);
	assert_int_equal(atomic_load(&rig->auth->kept->references), 1);
	auth_close(rig->auth);
	conf_free(&rig->conf);
	loop_free(&rig->loop);
	test_free(rig);
	return 0;
}

static void
stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
run_a_turn(struct rig *rig)
{
	loop_post(rig->loop, stop, NULL);
	loop_run(rig->loop);
}

/* True: it has a place, which it keeps. */
static bool
ask(struct rig *rig, bool is_away)
{
	struct question *question = &rig->questions[rig->asked++];

	question->rig = rig;
	question->request = (struct auth_request){ .loop = rig->loop, .chain = &rig->auths, .user = "u",
		.asked = rig->auth, .on_verdict = on_verdict };
	return auth_gate_enter(&question->request, rig->auth, is_away);
}

static void
ask_times(struct rig *rig, int times)
{
	for (int i = 0; i < times; i++)
		assert_true(ask(rig, false));
}

static void
leave(struct rig *rig, int first, int count, enum auth_gate_result result)
{
	for (int i = first; i < first + count; i++)
		auth_gate_leave(&rig->questions[i].request, result);
}

static int
bound_of(const struct rig *rig)
{
	return atomic_load(&rig->auth->kept->gate.bound);
}

static void
a_source_that_answers_has_no_bound(void **state)
{
	struct rig *rig = *state;

	ask_times(rig, MANY);
	leave(rig, 0, MANY, AUTH_GATE_ANSWERED);
	assert_int_equal(bound_of(rig), 0);
}

static void
one_cohort_of_failures_halves_once(void **state)
{
	struct rig *rig = *state;

	ask_times(rig, 40);
	leave(rig, 0, 10, AUTH_GATE_NO_REPLY);
	assert_int_equal(bound_of(rig), 20);
	leave(rig, 10, 30, AUTH_GATE_CANCELLED);
	assert_int_equal(bound_of(rig), 20);
	/* one that was asked since */
	assert_true(ask(rig, false));
	leave(rig, 40, 1, AUTH_GATE_NO_REPLY);
	assert_int_equal(bound_of(rig), 10);
}

static void
it_ends_at_one(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < 10; i++) {
		assert_true(ask(rig, false));
		leave(rig, i, 1, AUTH_GATE_NO_REPLY);
	}
	assert_int_equal(bound_of(rig), 1);
}

static void
who_comes_then_waits_in_order_and_answers_make_room(void **state)
{
	struct rig *rig = *state;

	ask_times(rig, 20);
	leave(rig, 0, 1, AUTH_GATE_NO_REPLY);
	assert_int_equal(bound_of(rig), 10);
	for (int i = 20; i < 30; i++) {
		assert_false(ask(rig, false));
		assert_true(auth_waits(&rig->questions[i].request));
	}
	leave(rig, 1, 4, AUTH_GATE_ANSWERED);
	run_a_turn(rig);
	assert_int_equal(rig->verdicts, 0);
	assert_int_equal(bound_of(rig), 14);
	leave(rig, 5, 1, AUTH_GATE_ANSWERED);
	for (int i = 0; i < 10; i++)
		run_a_turn(rig);
	assert_int_equal(rig->verdicts, 10);
	for (int i = 20; i < 30; i++) {
		assert_int_equal(rig->questions[i].order, i - 19);
		assert_int_equal(rig->questions[i].verdict, AUTH_BY_SERVER);
	}
	leave(rig, 6, 14, AUTH_GATE_ANSWERED);
	assert_int_equal(bound_of(rig), 0);
}

static void
those_who_wait_for_one_that_is_away_come_a_few_at_a_time(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < AUTH_GATE_FIRST; i++)
		assert_true(ask(rig, true));
	assert_false(ask(rig, true));
	assert_false(ask(rig, false));
	leave(rig, 0, AUTH_GATE_FIRST, AUTH_GATE_ANSWERED);
	run_a_turn(rig);
	run_a_turn(rig);
	assert_int_equal(rig->verdicts, 2);
}

static void
there_is_no_verdict_after_the_timeout(void **state)
{
	struct rig *rig = *state;

	rig->auth->timeout.ms = 1;
	for (int i = 0; i < AUTH_GATE_FIRST; i++)
		assert_true(ask(rig, true));
	assert_false(ask(rig, true));
	while (rig->verdicts == 0)
		run_a_turn(rig);
	assert_int_equal(rig->questions[AUTH_GATE_FIRST].verdict, AUTH_LATER);
	leave(rig, 0, AUTH_GATE_FIRST, AUTH_GATE_ANSWERED);
}

static void
a_place_on_its_way_to_one_who_left_goes_to_the_next(void **state)
{
	struct rig *rig = *state;

	for (int i = 0; i < AUTH_GATE_FIRST; i++)
		assert_true(ask(rig, true));
	for (int i = 0; i < 3; i++)
		assert_false(ask(rig, true));
	auth_cancel(&rig->questions[AUTH_GATE_FIRST + 1].request);	/* who only waits */
	leave(rig, 0, 1, AUTH_GATE_CANCELLED);
	auth_cancel(&rig->questions[AUTH_GATE_FIRST].request);		/* a place was given already */
	for (int i = 0; i < 3; i++)
		run_a_turn(rig);
	assert_int_equal(rig->verdicts, 1);
	assert_int_equal(rig->questions[AUTH_GATE_FIRST + 2].order, 1);
	leave(rig, 1, AUTH_GATE_FIRST - 1, AUTH_GATE_CANCELLED);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_source_that_answers_has_no_bound),
		WITH_RIG(one_cohort_of_failures_halves_once),
		WITH_RIG(it_ends_at_one),
		WITH_RIG(who_comes_then_waits_in_order_and_answers_make_room),
		WITH_RIG(those_who_wait_for_one_that_is_away_come_a_few_at_a_time),
		WITH_RIG(there_is_no_verdict_after_the_timeout),
		WITH_RIG(a_place_on_its_way_to_one_who_left_goes_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
