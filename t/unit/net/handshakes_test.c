/* SPDX-License-Identifier: BSD-2-Clause */
/* handshakes_test.c: who waits when a turn's budget is used up, and in which order they go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "net/handshakes.h"

enum { COUNT = 4, DEAR_US = 60 * 1000 };

/* A handshake of one step, which takes as long as it says. */
struct client {
	struct handshake handshake;
	struct loop *loop;
	int64_t us;
	uint64_t went_at;		/* the loop's turn; 0: not yet */
};

static struct client *went[COUNT];
static int went_count;

static void
step(struct client *client)
{
	client->went_at = loop_turn(client->loop);
	went[went_count++] = client;
	handshake_took(client->loop, client->us);
}

static void
on_turn(struct handshake *handshake)
{
	step((struct client *)(void *)handshake);
}

static void
come(struct client *client, struct loop *loop, int64_t us, bool is_begun)
{
	*client = (struct client){ .handshake.on_turn = on_turn, .loop = loop, .us = us };
	if (handshake_may_go(loop, &client->handshake, is_begun))
		step(client);
}

static void
stop(struct loop *loop, void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void
run_a_turn(struct loop *loop)
{
	loop_post(loop, stop, NULL);
	loop_run(loop);
}

static int
open_loop(void **state)
{
	struct loop *loop = loop_new(0);

	went_count = 0;
	run_a_turn(loop);
	*state = loop;
	return 0;
}

static int
close_loop(void **state)
{
	struct loop *loop = *state;

	loop_free(&loop);
	assert_int_equal(handshakes_waiting(), 0);
	return 0;
}

static void
nobody_waits_within_the_budget(void **state)
{
	struct client clients[COUNT];

	for (int i = 0; i < COUNT; i++)
		come(&clients[i], *state, 100, false);
	assert_int_equal(went_count, COUNT);
	assert_int_equal(handshakes_waiting(), 0);
}

/* One goes in each turn, however dear it is. */
static void
later_ones_go_in_later_turns_in_their_order(void **state)
{
	struct client clients[COUNT];
	uint64_t paced = handshakes_paced();

	for (int i = 0; i < COUNT; i++)
		come(&clients[i], *state, DEAR_US, false);
	assert_int_equal(went_count, 1);
	assert_int_equal(handshakes_waiting(), COUNT - 1);
	assert_int_equal(handshakes_paced() - paced, COUNT - 1);
	for (int i = 1; i < COUNT; i++) {
		run_a_turn(*state);
		assert_int_equal(went_count, i + 1);
		assert_ptr_equal(went[i], &clients[i]);
		assert_true(clients[i].went_at > clients[i - 1].went_at);
	}
	assert_int_equal(handshakes_waiting(), 0);
}

static void
how_long_they_wait_is_told(void **state)
{
	enum { WAIT_MS = 20 };
	const struct timespec wait = { .tv_nsec = WAIT_MS * 1000 * 1000 };
	struct client clients[2];

	come(&clients[0], *state, DEAR_US, false);
	come(&clients[1], *state, DEAR_US, false);
	nanosleep(&wait, NULL);
	assert_int_equal(clients[1].handshake.waited_ms, 0);
	run_a_turn(*state);
	assert_int_equal(went_count, 2);
	assert_int_equal(clients[0].handshake.waited_ms, 0);
	assert_true(clients[1].handshake.waited_ms >= WAIT_MS - 1);
}

static void
those_that_are_begun_go_first(void **state)
{
	struct client clients[COUNT];

	come(&clients[0], *state, DEAR_US, false);
	come(&clients[1], *state, DEAR_US, false);
	come(&clients[2], *state, DEAR_US, true);
	come(&clients[3], *state, DEAR_US, true);
	for (int i = 1; i < COUNT; i++)
		run_a_turn(*state);
	assert_ptr_equal(went[1], &clients[2]);
	assert_ptr_equal(went[2], &clients[3]);
	assert_ptr_equal(went[3], &clients[1]);
}

/* Who comes while others wait does not overtake them, though there is time. */
static void
new_ones_stand_behind_those_who_wait(void **state)
{
	struct client clients[COUNT];

	come(&clients[0], *state, DEAR_US, false);
	come(&clients[1], *state, 100, false);
	run_a_turn(*state);
	assert_int_equal(went_count, 2);
	come(&clients[2], *state, DEAR_US, false);
	come(&clients[3], *state, 100, false);
	assert_int_equal(went_count, 3);
	assert_false(handshake_may_go(*state, &clients[3].handshake, false));
	assert_int_equal(handshakes_waiting(), 1);
	run_a_turn(*state);
	assert_ptr_equal(went[3], &clients[3]);
}

static void
who_leaves_waits_no_more(void **state)
{
	struct client clients[3];

	for (int i = 0; i < 3; i++)
		come(&clients[i], *state, DEAR_US, false);
	handshake_leave(&clients[1].handshake);
	handshake_leave(&clients[1].handshake);
	assert_int_equal(handshakes_waiting(), 1);
	run_a_turn(*state);
	run_a_turn(*state);
	assert_int_equal(went_count, 2);
	assert_ptr_equal(went[1], &clients[2]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_waits_within_the_budget, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(later_ones_go_in_later_turns_in_their_order, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(how_long_they_wait_is_told, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(those_that_are_begun_go_first, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(new_ones_stand_behind_those_who_wait, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(who_leaves_waits_no_more, open_loop, close_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
