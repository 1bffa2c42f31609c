/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_table_test.c: who is found again by its name, who is another, and who is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/adhoc.h"
#include "balance/endpoint_table.h"

static void
names_are_found_again(void **state)
{
	struct endpoint_table *table = endpoint_table_new(3);
	struct service *imap = endpoint_table_service(table, "imap");
	struct service *again = endpoint_table_service(table, "imap");
	struct machine *d01 = endpoint_table_machine(table, true, "far", "d01");
	struct machine *d01_again = endpoint_table_machine(table, true, "far", "d01");
	struct endpoint *e = endpoint_table_endpoint(table, imap, d01);
	struct endpoint *e_again = endpoint_table_endpoint(table, again, d01_again);

	(void)state;
	assert_int_equal(endpoint_table_threads(table), 3);
	assert_ptr_equal(imap, again);
	assert_ptr_equal(d01, d01_again);
	assert_ptr_equal(e, e_again);
	assert_string_equal(e->name, "imap/d01");
	assert_string_equal(e->server, "d01");
	assert_int_equal(atomic_load(&e->references), 3);	/* the table's, and two given */
	endpoint_put(&e);
	endpoint_put(&e_again);
	machine_put(&d01);
	machine_put(&d01_again);
	service_put(&imap);
	service_put(&again);
	endpoint_table_free(&table);
	assert_null(table);
	endpoint_table_free(&table);	/* fine with NULL */
}

/* A server's name is its farm's, or its pool's. */
static void
equal_names_elsewhere_are_others(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct machine *machines[] = {
		endpoint_table_machine(table, true, "mail", "d01"),
		endpoint_table_machine(table, false, "mail", "d01"),
		endpoint_table_machine(table, true, "far", "d01"),
		endpoint_table_machine(table, true, "mail", "d02"),
	};
	enum { COUNT = sizeof(machines) / sizeof(machines[0]) };

	(void)state;
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_ptr_not_equal(machines[i], machines[j]);
	for (int i = 0; i < COUNT; i++)
		machine_put(&machines[i]);
	endpoint_table_free(&table);
}

/* Its sessions keep the old one until they end. */
static void
a_pool_with_another_farm_has_another_endpoint(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct service *imap = endpoint_table_service(table, "imap");
	struct machine *old = endpoint_table_machine(table, true, "old", "d01");
	struct machine *now = endpoint_table_machine(table, true, "now", "d01");
	struct endpoint *before = endpoint_table_endpoint(table, imap, old);
	struct endpoint *after = endpoint_table_endpoint(table, imap, now);

	(void)state;
	assert_ptr_not_equal(before, after);
	assert_string_equal(before->name, after->name);
	assert_int_equal(atomic_load(&before->references), 1);	/* ours alone */
	assert_ptr_equal(before->machine, old);
	machine_set_weight(now, 2);
	assert_int_equal(endpoint_weight(after), 2);
	assert_int_equal(endpoint_weight(before), 0);
	endpoint_put(&before);
	endpoint_put(&after);
	machine_put(&old);
	machine_put(&now);
	service_put(&imap);
	endpoint_table_free(&table);
}

static void
who_is_not_used_is_forgotten(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct service *imap = endpoint_table_service(table, "imap");
	struct endpoint *endpoints[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "d00", "d01", "d02" };
		struct machine *machine = endpoint_table_machine(table, true, "far", names[i]);

		machine_set_weight(machine, 9);
		endpoints[i] = endpoint_table_endpoint(table, imap, machine);
		machine_put(&machine);
	}
	endpoint_table_forget_unused(table);
	assert_int_equal(endpoint_table_count(table), 3);
	endpoint_put(&endpoints[0]);
	endpoint_put(&endpoints[2]);
	endpoint_table_forget_unused(table);
	assert_int_equal(endpoint_table_count(table), 1);
	endpoints[0] = NULL;
	for (int i = 0; i < 2; i++) {		/* d00 is a new one, and knows nothing; d01 is the same */
		struct machine *machine = endpoint_table_machine(table, true, "far", i == 0 ? "d00" : "d01");

		assert_int_equal(machine->weight, i == 0 ? 0 : 9);
		machine_put(&machine);
	}
	endpoint_put(&endpoints[1]);
	service_put(&imap);
	endpoint_table_sweep(table, 0);
	assert_int_equal(endpoint_table_count(table), 0);
	imap = endpoint_table_service(table, "imap");
	assert_int_equal(atomic_load(&imap->references), 2);
	service_put(&imap);
	endpoint_table_free(&table);
}

/* They hold their service as long as they are known. */
static void
adhoc_ones_are_swept(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct service *imap = endpoint_table_service(table, "imap");
	struct addr addr;
	struct endpoint *e;

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.7"), 143, &addr));
	e = adhoc_get(endpoint_table_adhoc(table), imap, &addr);
	endpoint_put(&e);
	service_set_era(imap, 7);
	service_put(&imap);
	endpoint_table_sweep(table, 0);
	endpoint_table_sweep(table, ADHOC_KEPT_MS - 1);
	imap = endpoint_table_service(table, "imap");
	assert_int_equal(service_era(imap), 7);
	service_put(&imap);
	endpoint_table_sweep(table, ADHOC_KEPT_MS);
	imap = endpoint_table_service(table, "imap");
	assert_int_equal(service_era(imap), 0);
	service_put(&imap);
	assert_int_equal(adhoc_count(endpoint_table_adhoc(table)), 0);
	endpoint_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_again),
		cmocka_unit_test(equal_names_elsewhere_are_others),
		cmocka_unit_test(a_pool_with_another_farm_has_another_endpoint),
		cmocka_unit_test(who_is_not_used_is_forgotten),
		cmocka_unit_test(adhoc_ones_are_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
