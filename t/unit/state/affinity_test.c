/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_test.c: whatever keeps the bindings may answer later, never, or after nobody cares any more. */
#include "../net/tape.h"

#include "state/affinity_engine.h"

enum { RETENTION = 60000, PATIENCE = 60000 };

static const struct slice bob = SLICE_LITERAL("bob");

/* An engine far away: what it is asked, and what it answers when the test says so. */
struct far {
	struct affinity *affinity;
	struct affinity_request *pending;
	const char *asked;		/* the last question */
	int asks, cancels, closes, stops;
	bool answers_at_once;
};

static struct far far;			/* the store of the engine under test, which has no other way here */

static void
take(struct affinity_request *request, const char *question)
{
	struct far *store = request->affinity->store;

	store->asks++;
	store->asked = question;
	if (store->answers_at_once) {
		affinity_answer(request, AFFINITY_UNBOUND);
		return;
	}
	assert_null(store->pending);
	store->pending = request;
	request->work = store;
	affinity_wait(request);
}

static void
far_peek(struct affinity_request *request)
{
	take(request, "peek");
}

static void
far_open(struct affinity_request *request)
{
	take(request, "open");
}

static void
far_move(struct affinity_request *request)
{
	take(request, "move");
}

static void
far_kick(struct affinity_request *request)
{
	take(request, "kick");
}

static void
far_list(struct affinity_request *request)
{
	take(request, "list");
}

static void
far_cancel(struct affinity_request *request)
{
	struct far *store = request->work;

	if (store == NULL)
		return;
	assert_ptr_equal(store->pending, request);
	store->pending = NULL;
	store->cancels++;
}

static void
far_close(struct affinity_lease *lease)
{
	struct far *store = lease->affinity->store;

	assert_int_equal(store->stops, 0);
	store->closes++;
}

static size_t
far_count(void *store)
{
	return ((struct far *)store)->pending != NULL ? 1 : 0;
}

static void *
far_start(struct affinity *affinity, const struct affinity_place *place)
{
	(void)place;
	far = (struct far){ .affinity = affinity };
	return &far;
}

static void
far_stop(void *store)
{
	((struct far *)store)->stops++;
}

static const struct affinity_engine affinity_far = {
	.name = "far", .start = far_start, .stop = far_stop, .peek = far_peek, .open = far_open,
	.move = far_move, .kick = far_kick, .list = far_list, .cancel = far_cancel, .close = far_close,
	.count = far_count,
};

/* The answer has come to the engine. */
static void
tell(enum affinity_answer answer)
{
	struct affinity_request *request = far.pending;

	assert_non_null(request);
	far.pending = NULL;
	snprintf(request->binding.server, sizeof(request->binding.server), "d1");
	request->binding.generation = 7;
	if (answer == AFFINITY_HERE)
		request->lease = affinity_lease_new(request);
	affinity_answer(request, answer);
}

struct guest {
	struct affinity_request request;
	enum affinity_answer answer;
	struct affinity_lease *lease;
	int answers, kicks;
	bool asks_again;
};

static void
on_answer(struct affinity_request *request, enum affinity_answer answer)
{
	struct guest *guest = request->owner;

	assert_null(request->affinity);
	guest->answers++;
	guest->answer = answer;
	guest->lease = request->lease;
	loop_stop(request->loop);
	if (guest->asks_again) {
		guest->asks_again = false;
		affinity_open(far.affinity, request);
	}
}

static void
on_kick(void *owner)
{
	struct guest *guest = owner;

	guest->kicks++;
}

struct scene {
	struct loop *loop;
	struct affinity *affinity;
};

static struct scene
scene_open(void)
{
	return (struct scene){ loop_new(0), affinity_new(&affinity_far, RETENTION) };
}

static void
scene_close(struct scene *s)
{
	turn_a_little(s->loop);
	affinity_put(&s->affinity);
	assert_int_equal(far.stops, 1);
	loop_free(&s->loop);
}

typedef void question(struct affinity *affinity, struct affinity_request *request);

static void
ask(struct scene *s, struct guest *guest, question *ask_it, int64_t patience)
{
	*guest = (struct guest){ .answers = 0 };
	guest->request = (struct affinity_request){
		.loop = s->loop, .user = bob, .wanted = "d1", .deadline = loop_now(s->loop) + patience,
		.on_answer = on_answer, .on_kick = on_kick, .owner = guest,
	};
	ask_it(s->affinity, &guest->request);
}

static const struct row {
	const char *name;
	question *ask;
	enum affinity_answer answer;
} rows[] = {
	{ "peek", affinity_peek, AFFINITY_BOUND },
	{ "peek", affinity_peek, AFFINITY_UNBOUND },
	{ "open", affinity_open, AFFINITY_ELSEWHERE },
	{ "move", affinity_move, AFFINITY_BOUND },
	{ "kick", affinity_kick, AFFINITY_BOUND },
	{ "list", affinity_list, AFFINITY_BOUND },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void
every_answer_may_come_later(void **state)
{
	struct scene s = scene_open();

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct guest guest;

		ask(&s, &guest, rows[i].ask, PATIENCE);
		assert_string_equal(far.asked, rows[i].name);
		turn_a_little(s.loop);
		assert_int_equal(guest.answers, 0);
		assert_int_equal(affinity_count(s.affinity), 1);
		tell(rows[i].answer);
		assert_int_equal(guest.answers, 1);
		assert_int_equal(guest.answer, rows[i].answer);
		assert_string_equal(guest.request.binding.server, "d1");
		affinity_cancel(&guest.request);
		assert_false(loop_timer_is_set(&guest.request.timer));
	}
	assert_int_equal(far.asks, ROWS);
	assert_int_equal(far.cancels, 0);
	scene_close(&s);
}

static void
an_answer_may_come_at_once(void **state)
{
	struct scene s = scene_open();
	struct guest guest;

	(void)state;
	far.answers_at_once = true;
	for (size_t i = 0; i < ROWS; i++) {
		ask(&s, &guest, rows[i].ask, PATIENCE);
		assert_int_equal(guest.answers, 1);
		assert_int_equal(guest.answer, AFFINITY_UNBOUND);
	}
	scene_close(&s);
}

static void
what_is_cancelled_is_not_answered(void **state)
{
	struct scene s = scene_open();
	struct guest guest;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		ask(&s, &guest, rows[i].ask, 5);
		affinity_cancel(&guest.request);
		affinity_cancel(&guest.request);
		assert_int_equal(far.cancels, (int)i + 1);
		assert_null(far.pending);
		memset(&guest, 0x5a, sizeof(guest));
		wait_ms(s.loop, 10);
	}
	/* the last to care about the farm is the one that leaves */
	ask(&s, &guest, affinity_open, PATIENCE);
	affinity_put(&s.affinity);
	assert_int_equal(far.stops, 0);
	affinity_cancel(&guest.request);
	scene_close(&s);
}

static void
who_gets_no_answer_is_told_later(void **state)
{
	struct scene s = scene_open();

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct guest guest;

		ask(&s, &guest, rows[i].ask, 5);
		await(s.loop, &guest.answers, 1);
		assert_int_equal(guest.answer, AFFINITY_LATER);
		assert_int_equal(far.cancels, (int)i + 1);
		assert_null(guest.lease);
	}
	scene_close(&s);
}

/* As a session that looks at the binding first. */
static void
the_next_question_may_follow_from_the_answer(void **state)
{
	struct scene s = scene_open();
	struct guest guest;

	(void)state;
	ask(&s, &guest, affinity_peek, PATIENCE);
	guest.asks_again = true;
	tell(AFFINITY_BOUND);
	assert_int_equal(guest.answers, 1);
	assert_string_equal(far.asked, "open");
	assert_string_equal(guest.request.binding.server, "");
	tell(AFFINITY_HERE);
	assert_int_equal(guest.answers, 2);
	assert_non_null(guest.lease);
	affinity_close(&guest.lease);
	assert_int_equal(far.closes, 1);
	scene_close(&s);
}

static void
a_lease_is_kicked_once_and_not_when_closed(void **state)
{
	struct scene s = scene_open();
	struct guest stays, leaves;

	(void)state;
	ask(&s, &stays, affinity_open, PATIENCE);
	tell(AFFINITY_HERE);
	ask(&s, &leaves, affinity_open, PATIENCE);
	tell(AFFINITY_HERE);
	assert_false(affinity_is_kicked(stays.lease));
	assert_true(affinity_lease_kick(stays.lease));
	assert_false(affinity_lease_kick(stays.lease));
	assert_true(affinity_is_kicked(stays.lease));
	assert_int_equal(stays.kicks, 0);
	assert_true(affinity_lease_kick(leaves.lease));
	affinity_close(&leaves.lease);
	affinity_close(&leaves.lease);
	turn_a_little(s.loop);
	assert_int_equal(stays.kicks, 1);
	assert_int_equal(leaves.kicks, 0);
	assert_int_equal(far.closes, 1);
	/* a lease outlives what it was asked of */
	affinity_put(&s.affinity);
	assert_int_equal(far.stops, 0);
	affinity_close(&stays.lease);
	assert_int_equal(far.closes, 2);
	scene_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_may_come_later),
		cmocka_unit_test(an_answer_may_come_at_once),
		cmocka_unit_test(what_is_cancelled_is_not_answered),
		cmocka_unit_test(who_gets_no_answer_is_told_later),
		cmocka_unit_test(the_next_question_may_follow_from_the_answer),
		cmocka_unit_test(a_lease_is_kicked_once_and_not_when_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
