/* SPDX-License-Identifier: BSD-2-Clause */
/* rendezvous_test.c: how evenly keys are spread, which of them move, and that no order or worker matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"

#include "balance/rendezvous.h"

enum { KEYS = 100000, MANY = 1000 };

static int homes[KEYS], homes_after[KEYS];	/* constant size, large for a stack */

static int
pick_key(const struct crowd *crowd, int worker, int number)
{
	char name[40];
	struct balance_key key = { 0 };

	snprintf(name, sizeof(name), "user%d@example.com", number);
	key.user = slice_of(name);
	return crowd_pick(crowd, worker, &key);
}

static void
pick_all(const struct crowd *crowd, int *out)
{
	for (int i = 0; i < KEYS; i++)
		out[i] = pick_key(crowd, 0, i);
}

static void
expect_spread(const struct crowd *crowd, const char *what)
{
	int counts[CROWD_MAX] = { 0 }, total = 0;
	double worst = 0, most = 0, least = 1e9;

	for (size_t i = 0; i < crowd->count; i++)
		total += endpoint_weight(crowd->endpoints[i]);
	for (int i = 0; i < KEYS; i++)
		counts[homes[i]]++;
	for (size_t i = 0; i < crowd->count; i++) {
		double fair = KEYS * (double)endpoint_weight(crowd->endpoints[i]) / total, off;

		if (fair == 0) {
			assert_int_equal(counts[i], 0);
			continue;
		}
		off = off_by(counts[i], fair);
		worst = off > worst ? off : worst;
		most = counts[i] / fair > most ? counts[i] / fair : most;
		least = counts[i] / fair < least ? counts[i] / fair : least;
	}
	printf("# %s: %d keys, %.3f to %.3f of the fair share, at most %.1f variances\n", what, KEYS,
	    least, most, worst);
	assert_true(worst < 25);
}

static void
keys_are_spread_by_weight(void **state)
{
	static const int weights[] = { 1, 1, 2, 4, 0, 8, 16, 100 };
	struct crowd *crowd = crowd_new(&balance_user, weights, sizeof(weights) / sizeof(weights[0]));

	(void)state;
	pick_all(crowd, homes);
	expect_spread(crowd, "weights 1 1 2 4 0 8 16 100");
	crowd_free(&crowd);
	crowd = crowd_new(&balance_user, NULL, 10);
	pick_all(crowd, homes);
	expect_spread(crowd, "10 equal servers");
	crowd_free(&crowd);
	crowd = crowd_new(&balance_user, NULL, 100);
	pick_all(crowd, homes);
	expect_spread(crowd, "100 equal servers");
	crowd_free(&crowd);
}

/* Moved are those of `server` to others, or those of others to it. */
static int
count_moved(const struct crowd *crowd, int server, bool is_gain)
{
	int moved = 0;

	pick_all(crowd, homes_after);
	for (int i = 0; i < KEYS; i++) {
		if (homes_after[i] == homes[i])
			continue;
		assert_int_equal(is_gain ? homes_after[i] : homes[i], server);
		moved++;
	}
	return moved;
}

static void
print_moved(const char *what, int moved, double fair)
{
	printf("# %s: %.3f %% of the keys move, %.3f %% is the least\n", what, 100.0 * moved / KEYS,
	    100 * fair);
	assert_true(off_by(moved, KEYS * fair) < 25);
}

static void
only_the_keys_of_a_leaving_server_move(void **state)
{
	enum { COUNT = 10, LEAVING = 3 };
	struct crowd *crowd = crowd_new(&balance_user, NULL, COUNT);
	int gained[COUNT] = { 0 }, moved;

	(void)state;
	pick_all(crowd, homes);
	machine_set_weight(crowd_machine(crowd, LEAVING), 0);
	moved = count_moved(crowd, LEAVING, false);
	print_moved("one of 10 leaves", moved, 0.1);
	for (int i = 0; i < KEYS; i++)
		gained[homes_after[i]] += homes[i] == LEAVING;
	assert_int_equal(gained[LEAVING], 0);
	for (int i = 0; i < COUNT; i++)		/* the others have a ninth each */
		assert_true(i == LEAVING || off_by(gained[i], moved / 9.0) < 25);
	/* the same for one that is down here, and back again */
	machine_set_weight(crowd_machine(crowd, LEAVING), 1);
	crowd_down(crowd, LEAVING);
	assert_int_equal(count_moved(crowd, LEAVING, false), moved);
	crowd_up(crowd, LEAVING);
	assert_int_equal(count_moved(crowd, LEAVING, false), 0);
	crowd_free(&crowd);
}

static void
a_weight_moves_no_more_than_it_must(void **state)
{
	struct crowd *crowd = crowd_new(&balance_user, NULL, 10);

	(void)state;
	pick_all(crowd, homes);
	machine_set_weight(crowd_machine(crowd, 2), 2);
	print_moved("one of 10 gets twice the weight", count_moved(crowd, 2, true), 2.0 / 11 - 1.0 / 10);
	pick_all(crowd, homes);
	machine_set_weight(crowd_machine(crowd, 2), 1);
	print_moved("and half of it again", count_moved(crowd, 2, false), 2.0 / 11 - 1.0 / 10);
	crowd_free(&crowd);
}

static void
one_of_a_thousand_moves_a_thousandth(void **state)
{
	struct crowd *crowd = crowd_new(&balance_user, NULL, MANY);
	int moved = 0, of_others = 0;

	(void)state;
	for (int i = 0; i < KEYS / 10; i++)
		homes[i] = pick_key(crowd, 0, i);
	machine_set_weight(crowd_machine(crowd, 500), 0);
	for (int i = 0; i < KEYS / 10; i++) {
		int home = pick_key(crowd, 0, i);

		moved += home != homes[i];
		of_others += home != homes[i] && homes[i] != 500;
	}
	printf("# one of %d leaves: %d of %d keys move\n", MANY, moved, KEYS / 10);
	assert_in_range(moved, 1, 30);
	assert_int_equal(of_others, 0);
	crowd_free(&crowd);
}

/* Also with weights, backwards, and beside others that came and went. */
static void
no_order_and_no_worker_matters(void **state)
{
	enum { COUNT = 50 };
	struct roster_member members[COUNT];
	struct crowd *crowd, *backwards;
	int weights[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i++)
		weights[i] = 1 + i * i % 7;
	crowd = crowd_new(&balance_user, weights, COUNT);
	backwards = crowd_new(&balance_user, weights, COUNT);
	roster_put(&backwards->roster);
	for (size_t i = 0; i < COUNT; i++)
		members[i] = (struct roster_member){ backwards->endpoints[COUNT - 1 - i], 0 };
	backwards->roster = roster_new(&balance_user, members, COUNT, CROWD_THREADS);
	for (int i = 0; i < KEYS / 10; i++)
		assert_int_equal(pick_key(crowd, i % CROWD_THREADS, i), pick_key(backwards, 0, i));
	crowd_free(&backwards);
	crowd_free(&crowd);
}

/* Of equal scores it is the name: here by one hash for both, which no two names have. */
static void
a_tie_goes_by_the_name(void **state)
{
	struct crowd *crowd = crowd_new(&balance_user, NULL, 2);

	(void)state;
	crowd_machine(crowd, 1)->hash = crowd_machine(crowd, 0)->hash;
	assert_int_equal(pick_key(crowd, 0, 1), 0);
	crowd_machine(crowd, 0)->name[1] = '9';
	assert_int_equal(pick_key(crowd, 0, 1), 1);
	crowd_free(&crowd);
}

static bool
is_not(struct endpoint *e, void *arg)
{
	return e != arg;
}

/* The next in order is the one that all agree on when the first leaves. */
static void
who_will_not_do_is_skipped_in_order(void **state)
{
	struct crowd *crowd = crowd_new(&balance_user, NULL, 5);
	const struct tier *tier = &crowd->roster->tiers[0];
	struct slice key = SLICE_LITERAL("bob");
	struct endpoint *first, *next;

	(void)state;
	first = rendezvous_pick(tier, tier->states[0], key, is_not, NULL);
	next = rendezvous_pick(tier, tier->states[0], key, is_not, first);
	assert_non_null(next);
	assert_ptr_not_equal(next, first);
	machine_set_weight(first->machine, 0);
	assert_ptr_equal(rendezvous_pick(tier, tier->states[0], key, is_not, NULL), next);
	for (size_t i = 0; i < crowd->count; i++)
		machine_set_weight(crowd_machine(crowd, i), 0);
	assert_null(rendezvous_pick(tier, tier->states[0], key, is_not, NULL));
	crowd_free(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_spread_by_weight),
		cmocka_unit_test(only_the_keys_of_a_leaving_server_move),
		cmocka_unit_test(a_weight_moves_no_more_than_it_must),
		cmocka_unit_test(one_of_a_thousand_moves_a_thousandth),
		cmocka_unit_test(no_order_and_no_worker_matters),
		cmocka_unit_test(a_tie_goes_by_the_name),
		cmocka_unit_test(who_will_not_do_is_skipped_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
