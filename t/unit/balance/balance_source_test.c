/* SPDX-License-Identifier: BSD-2-Clause */
/* balance_source_test.c: what of an address counts, who is next, and the bound of a hot server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crowd.h"

static int
pick_from(const struct crowd *crowd, const char *client, uint16_t port)
{
	struct balance_key key = { 0 };
	struct addr addr;

	assert_true(addr_parse(slice_of(client), port, &addr));
	key.client = &addr;
	return crowd_pick(crowd, 0, &key);
}

static int
pick_numbered(const struct crowd *crowd, int number)
{
	char client[40];

	snprintf(client, sizeof(client), "10.%d.%d.%d", number >> 16 & 255, number >> 8 & 255, number & 255);
	return pick_from(crowd, client, 4000);
}

static void
the_address_counts_without_its_port(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 100);
	/* as a socket for both families has it */
	const struct addr mapped = { .in6 = { .sin6_family = AF_INET6, .sin6_port = 5,
	    .sin6_addr.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 7 } } };
	const struct balance_key key = { .client = &mapped };
	int differ = 0;

	(void)state;
	assert_false(balance_source.binds);
	for (uint16_t port = 1; port < 200; port++) {
		assert_int_equal(pick_from(crowd, "192.0.2.7", port), pick_from(crowd, "192.0.2.7", 1000));
		assert_int_equal(pick_from(crowd, "2001:db8::7", port), pick_from(crowd, "2001:db8::7", 9));
	}
	assert_int_equal(crowd_pick(crowd, 0, &key), pick_from(crowd, "192.0.2.7", 6));
	for (int i = 0; i < 50; i++)
		differ += pick_numbered(crowd, i) != pick_numbered(crowd, i + 1);
	assert_in_range(differ, 40, 50);
	crowd_free(&crowd);
}

static void
clients_without_an_address_are_one(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 10);
	const struct addr local = { .sa.sa_family = AF_UNIX, .path = "/run/x" };
	struct balance_key key = { 0 };
	int home = crowd_pick(crowd, 0, &key);

	(void)state;
	assert_true(home >= 0);
	key.client = &local;
	key.user = slice_of("bob");
	assert_int_equal(crowd_pick(crowd, 1, &key), home);
	crowd_free(&crowd);
}

/* Proxies of several releases serve one cluster: these never change. */
static void
releases_and_machines_agree(void **state)
{
	static const int weights[] = { 1, 2, 1, 3, 1, 1, 4, 1 };
	static const char servers[] = "dfchbdbeg";
	struct crowd *crowd = crowd_new(&balance_source, weights, 8);
	char found[sizeof(servers)] = { 0 };

	(void)state;
	for (int i = 0; i < (int)sizeof(servers) - 2; i++)
		found[i] = (char)('a' + pick_numbered(crowd, i));
	found[sizeof(servers) - 2] = (char)('a' + pick_from(crowd, "2001:db8::25", 0));
	assert_string_equal(found, servers);
	crowd_free(&crowd);
}

static void
goes_on_in_order_where_down_full_tried_or_unable(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 6);
	struct addr client;
	struct balance_key key = { .client = &client };
	int home, next;
	const struct endpoint *tried[1];

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.9"), 0, &client));
	home = crowd_pick(crowd, 0, &key);
	crowd_down(crowd, (size_t)home);
	next = crowd_pick(crowd, 0, &key);
	assert_int_not_equal(next, home);
	key.down_too = true;
	assert_int_equal(crowd_pick(crowd, 0, &key), home);
	key.down_too = false;
	crowd_up(crowd, (size_t)home);
	assert_int_equal(crowd_pick(crowd, 0, &key), home);
	crowd_fill(crowd, (size_t)home);
	assert_int_equal(crowd_pick(crowd, 0, &key), next);
	key.full_too = true;
	assert_int_equal(crowd_pick(crowd, 0, &key), home);
	tried[0] = crowd->endpoints[home];
	key.tried = tried;
	key.tried_count = 1;
	assert_int_equal(crowd_pick(crowd, 0, &key), next);
	key = (struct balance_key){ .client = &client, .keeps_promise = crowd_keeps_promise,
		.promise = crowd->endpoints[(next + 1) % 6] };
	assert_int_equal(crowd_pick(crowd, 0, &key), (next + 1) % 6);
	crowd_free(&crowd);
}

/* Neither is the same on every proxy. */
static void
neither_agents_nor_slow_starts_move_anybody(void **state)
{
	enum { CLIENTS = 500 };
	struct crowd *crowd = crowd_new(&balance_source, NULL, 5);
	int before[CLIENTS];

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		before[i] = pick_numbered(crowd, i);
	crowd_agent(crowd, 1, 0);
	crowd_ramp(crowd, 2, 1);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pick_numbered(crowd, i), before[i]);
	crowd_free(&crowd);
}

/* All come from one address. */
static void
take_hot(const struct crowd *crowd, int sessions, int *taken)
{
	struct addr client;
	struct balance_key key = { .client = &client };

	assert_true(addr_parse(slice_of("192.0.2.1"), 0, &client));
	memset(taken, 0, crowd->count * sizeof(*taken));
	for (int i = 0; i < sessions; i++)
		taken[crowd_take(crowd, 0, &key)]++;
}

static void
without_a_factor_all_of_one_address_meet(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 4);
	int taken[4], busy = 0;

	(void)state;
	take_hot(crowd, 100, taken);
	for (int i = 0; i < 4; i++)
		busy += taken[i] > 0;
	assert_int_equal(busy, 1);
	crowd_free(&crowd);
}

static void
a_factor_bounds_a_hot_server(void **state)
{
	static const int weights[] = { 1, 2, 1, 4 };
	static const int factors[] = { 100, 125, 200 };
	int taken[4];

	(void)state;
	for (size_t f = 0; f < sizeof(factors) / sizeof(factors[0]); f++) {
		struct crowd *crowd = crowd_new(&balance_source, weights, 4);

		crowd->roster->hash_balance_factor = factors[f];
		take_hot(crowd, 800, taken);
		printf("# hash_balance_factor %d: 800 sessions of one address, weights 1 2 1 4:", factors[f]);
		for (int i = 0; i < 4; i++) {
			printf(" %d", taken[i]);
			assert_true(taken[i] <= factors[f] * weights[i]);	/* 100 to a weight */
		}
		printf("\n");
		crowd_free(&crowd);
	}
}

/* The session itself counts: of n servers n times the average is all there is. */
static void
a_factor_of_all_is_no_bound(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 2);
	int taken[2];

	(void)state;
	crowd->roster->hash_balance_factor = 200;
	take_hot(crowd, 50, taken);
	assert_true(taken[0] == 50 || taken[1] == 50);
	crowd_free(&crowd);
}

/* The first in order is at the bound and only the rest is elsewhere, all of it at the second. */
static void
what_is_over_goes_on_in_order(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 10);
	int taken[10], home, next;

	(void)state;
	home = pick_from(crowd, "192.0.2.1", 0);
	crowd_down(crowd, (size_t)home);
	next = pick_from(crowd, "192.0.2.1", 0);
	crowd_up(crowd, (size_t)home);
	crowd->roster->hash_balance_factor = 600;
	take_hot(crowd, 1000, taken);
	assert_in_range(taken[home], 598, 602);
	assert_in_range(taken[next], 398, 402);
	crowd_free(&crowd);
}

static void
who_is_down_has_no_part_in_the_average(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 4);
	int taken[4], home;

	(void)state;
	crowd_down(crowd, 0);
	crowd_down(crowd, 3);
	home = pick_from(crowd, "192.0.2.1", 0);
	crowd->roster->hash_balance_factor = 150;
	take_hot(crowd, 100, taken);
	assert_int_equal(taken[home], 75);
	assert_int_equal(taken[3 - home], 25);
	crowd_free(&crowd);
}

static void
a_factor_leaves_nobody_without_a_server(void **state)
{
	struct crowd *crowd = crowd_new(&balance_source, NULL, 3);
	struct addr client;
	const struct endpoint *tried[2] = { crowd->endpoints[0], crowd->endpoints[1] };
	struct balance_key key = { .client = &client, .tried = tried, .tried_count = 2 };

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.1"), 0, &client));
	crowd->roster->hash_balance_factor = 100;
	for (int i = 0; i < 20; i++)		/* far above the average, but who else is there? */
		assert_int_equal(crowd_take(crowd, 0, &key), 2);
	key.tried_count = 0;
	assert_int_not_equal(crowd_pick(crowd, 0, &key), 2);
	crowd_down(crowd, 0);
	crowd_down(crowd, 1);
	assert_int_equal(crowd_pick(crowd, 0, &key), 2);
	crowd_down(crowd, 2);
	assert_int_equal(crowd_pick(crowd, 0, &key), -1);
	crowd_free(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_address_counts_without_its_port),
		cmocka_unit_test(clients_without_an_address_are_one),
		cmocka_unit_test(releases_and_machines_agree),
		cmocka_unit_test(goes_on_in_order_where_down_full_tried_or_unable),
		cmocka_unit_test(neither_agents_nor_slow_starts_move_anybody),
		cmocka_unit_test(without_a_factor_all_of_one_address_meet),
		cmocka_unit_test(a_factor_bounds_a_hot_server),
		cmocka_unit_test(a_factor_of_all_is_no_bound),
		cmocka_unit_test(what_is_over_goes_on_in_order),
		cmocka_unit_test(who_is_down_has_no_part_in_the_average),
		cmocka_unit_test(a_factor_leaves_nobody_without_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
