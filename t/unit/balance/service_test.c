/* SPDX-License-Identifier: BSD-2-Clause */
/* service_test.c: what is counted, and what its users are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/service.h"

static void
lives_as_long_as_somebody_refers_to_it(void **state)
{
	struct service *service = service_new("imap"), *second = service_get(service);

	(void)state;
	assert_ptr_equal(service, second);
	service_put(&service);
	assert_null(service);
	assert_string_equal(second->name, "imap");
	service_put(&second);
	service_put(&second);	/* fine with NULL */
}

static void
tells_its_era_and_its_spread(void **state)
{
	struct service *service = service_new("imap");

	(void)state;
	assert_int_equal(service_era(service), 0);
	service_set_era(service, 3);
	service_set_close_spread(service, 7000);
	assert_int_equal(service_era(service), 3);
	assert_int_equal(service_close_spread(service), 7000);
	service_put(&service);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives_as_long_as_somebody_refers_to_it),
		cmocka_unit_test(tells_its_era_and_its_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
