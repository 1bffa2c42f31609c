/* SPDX-License-Identifier: BSD-2-Clause */
/* limits_test.c: the rows of the block, and who is one client. */
#include "limits.h"

static void
rows_are_read(void **state)
{
	const struct limits *limits = load("");

	(void)state;
	assert_int_equal(limits->ipv4_prefix, 32);
	assert_int_equal(limits->ipv6_prefix, 64);
	assert_int_equal(limits->exempt.count, 0);
	assert_int_equal(limits->auth_failure_delay.first_ms, 2000);
	assert_int_equal(limits->auth_failure_delay.longest_ms, 15000);
	assert_int_equal(limits->auth_known_ttl.ms, 24 * 3600 * 1000);
	assert_int_equal(limits->auth_ban.count, 0);
	assert_int_equal(limits->manners.soft_errors, 10);
	assert_int_equal(limits->manners.hard_errors, 20);
	assert_int_equal(limits->manners.error_delay.ms, 1000);
	assert_int_equal(limits->manners.junk_commands, 100);
	assert_int_equal(limits->manners.min_data_rate, 500);
	conf_free(&conf);
	limits = load("auth_failure_delay 200ms 1s; auth_ban 20 10m 1h");
	assert_int_equal(limits->auth_failure_delay.first_ms, 200);
	assert_int_equal(limits->auth_failure_delay.longest_ms, 1000);
	assert_int_equal(limits->auth_ban.count, 20);
	assert_int_equal(limits->auth_ban.within_ms, 600 * 1000);
	assert_int_equal(limits->auth_ban.for_ms, 3600 * 1000);
	conf_free(&conf);
	limits = load("auth_failure_delay none; auth_ban none");
	assert_int_equal(limits->auth_failure_delay.first_ms, 0);
	assert_int_equal(limits->auth_ban.count, 0);
	conf_free(&conf);
}

static void
refuses_what_makes_no_sense(void **state)
{
	static const char *const rows[] = {
		"auth_failure_delay 2s", "auth_failure_delay 2s 1s", "auth_failure_delay 0s 1s",
		"auth_failure_delay 2s 1h", "auth_failure_delay 2 15", "auth_failure_delay 2s 15s 15s",
		"auth_ban 20", "auth_ban 20 10m", "auth_ban 0 10m 1h", "auth_ban 20 0s 1h",
		"auth_ban 20 10m 60d", "auth_ban 10m 20 1h", "ipv4_prefix 33", "ipv6_prefix 0",
		"exempt office", "auth_known_ttl 1s",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (load(rows[i]) != NULL)
			fail_msg("%s was taken", rows[i]);
}

static void
assert_client(const struct limits *limits, const char *address, const char *text)
{
	struct addr addr = addr_of(address);
	struct limits_client client = limits_client(limits, &addr);
	char out[LIMITS_CLIENT_TEXT_MAX];

	assert_string_equal(limits_client_text(&client, out), text);
}

static void
a_client_is_its_leading_bits(void **state)
{
	const struct limits *limits = load("");
	struct addr local = { .sa.sa_family = AF_UNIX };

	(void)state;
	assert_client(limits, "192.0.2.7", "192.0.2.7");
	assert_client(limits, "::ffff:192.0.2.7", "192.0.2.7");
	assert_client(limits, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
	assert_int_equal(limits_client(limits, &local).len, 0);
	conf_free(&conf);
	limits = load("ipv4_prefix 21; ipv6_prefix 50");
	assert_client(limits, "192.0.15.7", "192.0.8.0/21");
	assert_client(limits, "::ffff:192.0.15.7", "192.0.8.0/21");
	assert_client(limits, "2001:db8:1:ffff:3::6", "2001:db8:1:c000::/50");
	conf_free(&conf);
	limits = load("ipv6_prefix 128");
	assert_client(limits, "2001:db8::6", "2001:db8::6");
	conf_free(&conf);
}

static void
exempt_networks_are_known(void **state)
{
	const struct limits *limits = load("exempt 10.0.0.0/8 ::1/128");
	struct addr addr = addr_of("10.1.2.3");

	(void)state;
	assert_true(limits_exempt(limits, &addr));
	addr = addr_of("::1");
	assert_true(limits_exempt(limits, &addr));
	addr = addr_of("11.1.2.3");
	assert_false(limits_exempt(limits, &addr));
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_read),
		cmocka_unit_test(refuses_what_makes_no_sense),
		cmocka_unit_test(a_client_is_its_leading_bits),
		cmocka_unit_test(exempt_networks_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
