/* SPDX-License-Identifier: BSD-2-Clause */
/* local_test.c: our own addresses and others'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ifaddrs.h>

#include "net/local.h"

static void
addresses_of_every_machine(void **state)
{
	static const char *const own[] = { "127.0.0.1", "127.64.3.2", "::1", "0.0.0.0", "::",
		"::ffff:127.0.0.1", NULL };
	/* documentation's: nobody has them */
	static const char *const others[] = { "192.0.2.1", "128.0.0.1", "2001:db8::1", "::2", NULL };
	struct addr addr;

	(void)state;
	for (size_t i = 0; own[i] != NULL; i++) {
		assert_true(addr_parse(slice_of(own[i]), 143, &addr));
		if (!local_has(&addr))
			fail_msg("%s", own[i]);
	}
	for (size_t i = 0; others[i] != NULL; i++) {
		assert_true(addr_parse(slice_of(others[i]), 143, &addr));
		if (local_has(&addr))
			fail_msg("%s", others[i]);
	}
	addr = (struct addr){ .sa.sa_family = AF_UNIX, .path = "/run/x" };
	assert_false(local_has(&addr));
}

static void
addresses_of_the_interfaces(void **state)
{
	struct ifaddrs *all;

	(void)state;
	assert_int_equal(getifaddrs(&all), 0);
	for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		struct addr addr;

		if (one->ifa_addr == NULL || one->ifa_addr->sa_family == AF_PACKET)
			continue;
		addr = addr_from_sockaddr(one->ifa_addr, one->ifa_addr->sa_family == AF_INET ?
		    sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		addr_set_port(&addr, 143);
		assert_true(local_has(&addr));
	}
	freeifaddrs(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_of_every_machine),
		cmocka_unit_test(addresses_of_the_interfaces),
	};

	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
