/* SPDX-License-Identifier: BSD-2-Clause */
/* leaving_test.c: when users leave a server that is up, and what ends the order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/endpoint.h"
#include "base/hash.h"

struct rig {
	struct service *service;
	struct machine *machine;
	struct endpoint *endpoint;
	struct away_observer observer;
	int told;
};

static void
on_away(struct endpoint *e, void *owner)
{
	struct rig *rig = owner;

	assert_ptr_equal(e, rig->endpoint);
	rig->told++;
}

static int
open_rig(void **state)
{
	static struct rig rig;

	rig = (struct rig){ .observer = { .on_away = on_away, .owner = &rig } };
	rig.service = service_new("imap");
	rig.machine = machine_new("f", "d1");
	rig.endpoint = endpoint_new(rig.service, rig.machine, 1);
	machine_configure(rig.machine, 1, ADMIN_READY);
	endpoint_observe_away(&rig.observer);
	*state = &rig;
	return 0;
}

static int
close_rig(void **state)
{
	struct rig *rig = *state;

	endpoint_observe_away(NULL);
	endpoint_put(&rig->endpoint);
	machine_put(&rig->machine);
	service_put(&rig->service);
	return 0;
}

static void
give(struct rig *rig, enum leaving_kind kind)
{
	const struct leaving_order order = { .kind = kind, .from = 1000, .until = 2000 };

	endpoint_set_leaving(rig->endpoint, &order);
}

static enum leaving_kind
kind_of(struct rig *rig)
{
	struct leaving_order order;

	endpoint_read_leaving(rig->endpoint, &order);
	return order.kind;
}

static void
an_order_of_a_drain_ends_with_it(void **state)
{
	struct rig *rig = *state;

	machine_set_admin(rig->machine, ADMIN_DRAIN, "");
	give(rig, LEAVING_ALL);
	assert_int_equal(rig->told, 1);
	endpoint_note_left(rig->endpoint);
	assert_int_equal(endpoint_count_left(rig->endpoint), 1);
	machine_set_weight(rig->machine, 7);
	assert_int_equal(kind_of(rig), LEAVING_ALL);
	machine_set_admin(rig->machine, ADMIN_READY, "");
	assert_int_equal(kind_of(rig), LEAVING_NOT);
	assert_int_equal(rig->told, 2);
	give(rig, LEAVING_ALL);
	assert_int_equal(endpoint_count_left(rig->endpoint), 0);
}

static void
an_order_to_strays_stays_whatever_the_state(void **state)
{
	struct rig *rig = *state;

	give(rig, LEAVING_STRAYS);
	machine_set_weight(rig->machine, 7);
	assert_int_equal(kind_of(rig), LEAVING_STRAYS);
	give(rig, LEAVING_NOT);
	assert_int_equal(kind_of(rig), LEAVING_NOT);
}

static void
users_are_spread_over_the_time(void **state)
{
	const struct leaving_order order = { .kind = LEAVING_ALL, .from = 1000, .until = 2000 };
	int early = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t at = leaving_time(&order, hash_bytes(&i, sizeof(i), 1));

		assert_in_range(at, 1000, 1999);
		assert_int_equal(at, leaving_time(&order, hash_bytes(&i, sizeof(i), 1)));
		early += at < 1500;
	}
	assert_in_range(early, 400, 600);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_order_of_a_drain_ends_with_it, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(an_order_to_strays_stays_whatever_the_state, open_rig,
		    close_rig),
		cmocka_unit_test(users_are_spread_over_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
