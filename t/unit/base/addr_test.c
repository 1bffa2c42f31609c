/* SPDX-License-Identifier: BSD-2-Clause */
/* addr_test.c: the texts of addresses and networks, IPv4 in IPv6, and what is no address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/un.h>

#include "base/addr.h"

static struct addr
parse(const char *text, uint16_t port)
{
	struct addr addr;

	assert_true(addr_parse(slice_of(text), port, &addr));
	return addr;
}

static void
texts_both_ways(void **state)
{
	static const struct {
		const char *in, *host, *full;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1:143" },
		{ "255.100.10.9", "255.100.10.9", "255.100.10.9:143" },
		{ "2001:db8::1", "2001:db8::1", "[2001:db8::1]:143" },
		{ "[2001:DB8:0:0::1]", "2001:db8::1", "[2001:db8::1]:143" },
		{ "::", "::", "[::]:143" },
		{ "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:143" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:143" },
	};
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr addr = parse(rows[i].in, 143);

		assert_string_equal(addr_host(&addr, text), rows[i].host);
		assert_string_equal(addr_format(&addr, text), rows[i].full);
		assert_int_equal(addr_port(&addr), 143);
	}
}

static void
refuses_what_is_no_address(void **state)
{
	static const char *const bad[] = {
		"", "[]", "[", "]", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1 ", "[192.0.2.1]",
		"192.0.2.1:25", "[::1", "::1]", "[::1]:25", "2001:db8::1::2",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(addr_parse(slice_of(bad[i]), 0, &addr));
	assert_false(addr_parse(slice_make("192.0.2.1\0x", 11), 0, &addr));
}

static bool
has(const char *network_text, const char *addr_text)
{
	struct network network;
	struct addr addr = parse(addr_text, 25);

	assert_true(network_parse(slice_of(network_text), &network));
	return network_has(&network, &addr);
}

static void
networks(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.0.1"));
	assert_false(has("10.0.0.0/8", "11.0.0.0"));
	assert_true(has("192.0.2.128/25", "192.0.2.128"));
	assert_false(has("192.0.2.128/25", "192.0.2.127"));
	assert_true(has("0.0.0.0/0", "255.255.255.255"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_true(has("192.0.2.1", "192.0.2.1"));
	assert_false(has("192.0.2.1", "192.0.2.0"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(has("::1", "::1"));
	assert_false(has("::1", "::2"));
	assert_true(has("::/0", "2001:db8::1"));
	assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
	assert_false(has("::ffff:10.0.0.0/104", "11.1.2.3"));
}

static void
refuses_what_is_no_network(void **state)
{
	static const char *const bad[] = {
		"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "192.0.2.64/25", "::/129",
		"2001:db8::1/64", "10.0.0.0/8/8", "10/8", "::ffff:10.0.0.0/95", "10.0.0.0/8x",
	};
	struct network network;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(network_parse(slice_of(bad[i]), &network));
}

static void
mapped_addresses_become_ipv4(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(993) };
	struct addr plain = parse("10.1.2.3", 993), mapped = { .in6 = in6 }, from;
	struct network network;

	(void)state;
	memcpy(&in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
	from = addr_from_sockaddr((const struct sockaddr *)&in6, sizeof(in6));
	assert_true(addr_equals(&from, &plain));
	mapped.in6 = in6;
	assert_true(network_parse(slice_of("10.0.0.0/8"), &network));
	assert_true(network_has(&network, &mapped));
}

static void
sockaddrs_both_ways(void **state)
{
	static const char *const texts[] = { "192.0.2.7", "2001:db8::7" };
	struct sockaddr_storage ss;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct addr addr = parse(texts[i], 4190), back;
		socklen_t len = addr_to_sockaddr(&addr, &ss);

		assert_true(len > 0);
		back = addr_from_sockaddr((struct sockaddr *)&ss, len);
		assert_true(addr_equals(&addr, &back));
		addr_set_port(&back, 24);
		assert_int_equal(addr_port(&back), 24);
		assert_false(addr_equals(&addr, &back));
		back = addr_from_sockaddr((struct sockaddr *)&ss, 4);	/* cut short by the kernel */
		assert_int_equal(back.sa.sa_family, AF_UNSPEC);
	}
}

static void
unix_sockets(void **state)
{
	struct addr addr = { .sa = { .sa_family = AF_UNIX }, .path = "/run/x" };
	struct sockaddr_storage ss;
	char path[200] = { 0 }, text[ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(addr_format(&addr, text), "unix:/run/x");
	assert_string_equal(addr_host(&addr, text), "unix");
	assert_int_equal(addr_port(&addr), 0);
	assert_true(addr_to_sockaddr(&addr, &ss) > 0);
	assert_string_equal(((struct sockaddr_un *)(void *)&ss)->sun_path, "/run/x");
	memset(path, 'x', 108);
	addr.path = path;
	assert_int_equal(addr_to_sockaddr(&addr, &ss), 0);
	path[107] = '\0';
	assert_true(addr_to_sockaddr(&addr, &ss) > 0);
}

static void
names_are_no_mistaken_addresses(void **state)
{
	static const char *const good[] = { "a", "d1.example.org", "3com.example", "x_y-z" };
	static const char *const bad[] = { "", "10.0.0.300", "1", "-a", ".a", "a b", "a:1", "a/b", "::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(addr_is_name(slice_of(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(addr_is_name(slice_of(bad[i])));
}

static void
the_lowest_comes_first(void **state)
{
	static const char *const texts[] = { "9.0.0.1", "10.0.0.1", "192.0.2.1", "::1", "2001:db8::1" };
	enum { COUNT = sizeof(texts) / sizeof(texts[0]) };

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < COUNT; k++) {
			struct addr a = parse(texts[i], 2), b = parse(texts[k], 1);
			int order = addr_compare(&a, &b);

			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_both_ways),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(networks),
		cmocka_unit_test(refuses_what_is_no_network),
		cmocka_unit_test(mapped_addresses_become_ipv4),
		cmocka_unit_test(sockaddrs_both_ways),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(names_are_no_mistaken_addresses),
		cmocka_unit_test(the_lowest_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
