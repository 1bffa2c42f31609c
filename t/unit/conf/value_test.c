/* SPDX-License-Identifier: BSD-2-Clause */
/* value_test.c: single values and their bounds, read by a row as the file would read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/load.h"
#include "sample.h"

static struct arena *arena;
static struct error error;

static bool
read_value(const struct block *block, const char *name, const char *text, void *field)
{
	const char *all[8];
	bool quoted[8] = { false };
	struct conf_words words = { .words = all, .quoted = quoted, .arena = arena };
	char *rest = arena_strdup(arena, text);
	struct row row;

	assert_true(row_find(block, name, &row));
	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		all[words.count++] = word;
	memset(field, 0, row.directive->size);
	error.text[0] = '\0';
	return value_set(row.directive, &words, field, &error);
}

static void
reads_durations(void **state)
{
	static const struct { const char *text; int64_t ms; } good[] = {
		{ "500ms", 500 }, { "3s", 3000 }, { "5m", 300000 }, { "12h", 43200000 }, { "7d", 604800000 },
		{ "0", 0 }, { "0s", 0 }, { "106751991167d", 9223372036828800000 },
	};
	static const char *const bad[] = {
		"5", "5x", "5 s", "-5s", "1.5s", "1h30m", "s", "5S", "106751991168d", "99999999999999999999d",
		"", "0x5s", "+5s",
	};
	struct duration value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(read_value(&farm_block, "affinity", good[i].text, &value));
		assert_int_equal(value.ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(read_value(&farm_block, "affinity", bad[i], &value));
}

static void
reads_sizes(void **state)
{
	struct size value;

	(void)state;
	assert_true(read_value(&sample_root, "relay_memory", "2048k", &value));
	assert_int_equal(value.bytes, 2 << 20);
	assert_true(read_value(&sample_root, "relay_memory", "3g", &value));
	assert_int_equal(value.bytes, INT64_C(3) << 30);
	assert_false(read_value(&sample_root, "relay_memory", "1023k", &value));
	assert_string_equal(error.text, "1023k is less than 1m");
	assert_false(read_value(&sample_root, "relay_memory", "1048576", &value));
	assert_false(read_value(&sample_root, "relay_memory", "8388608t", &value));
	assert_string_equal(error.text, "8388608t is too large");
}

static void
reads_numbers_and_their_words(void **state)
{
	int64_t value;

	(void)state;
	assert_true(read_value(&sample_root, "threads", "256", &value));
	assert_int_equal(value, 256);
	assert_true(read_value(&sample_root, "threads", "auto", &value));
	assert_int_equal(value, 0);
	assert_false(read_value(&sample_root, "threads", "257", &value));
	assert_string_equal(error.text, "257 is outside 1 to 256");
	assert_false(read_value(&sample_root, "threads", "atuo", &value));
	assert_string_equal(error.text, "atuo is not a number or one of auto; did you mean auto?");
	assert_true(read_value(&log_block, "level", "9223372036854775807", &value));
	assert_false(read_value(&log_block, "level", "9223372036854775808", &value));
}

static void
reads_yes_and_no(void **state)
{
	static const char *const yes[] = { "yes", "on", "true" }, *const no[] = { "no", "off", "false" };
	bool value;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(read_value(&bind_block, "freebind", yes[i], &value));
		assert_true(value);
		assert_true(read_value(&bind_block, "freebind", no[i], &value));
		assert_false(value);
	}
	assert_false(read_value(&bind_block, "freebind", "1", &value));
	assert_false(read_value(&bind_block, "freebind", "YES", &value));
}

static void
reads_addresses(void **state)
{
	static const struct { const char *text, *host; uint16_t port; int family; } good[] = {
		{ "*:143", "*", 143, AF_UNSPEC }, { "127.0.0.1:1", "127.0.0.1", 1, AF_INET },
		{ "[::1]:65535", "::1", 65535, AF_INET6 },
		{ "mail-1.example.com:25", "mail-1.example.com", 25, AF_UNSPEC },
	};
	static const char *const bad[] = {
		"*", "143", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:", "::1", "[::1]",
		"[::1]143", "[::1", ":143", "a b:1", "-x:1", "10.0.0.256:1", "a/b:1", "unix:", "[x]:1x",
	};
	struct address value;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(read_value(&bind_block, "address", good[i].text, &value));
		assert_string_equal(value.host, good[i].host);
		assert_int_equal(value.port, good[i].port);
		assert_int_equal(value.addr.sa.sa_family, good[i].family);
		if (value.addr.sa.sa_family != AF_UNSPEC)
			assert_int_equal(addr_port(&value.addr), good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(read_value(&bind_block, "address", bad[i], &value));
	assert_true(read_value(&bind_block, "address", "unix:/run/x", &value));
	assert_string_equal(value.addr.path, "/run/x");
	assert_true(read_value(&server_block, "address", "2001:db8::1", &value));
	assert_int_equal(value.addr.sa.sa_family, AF_INET6);
	assert_false(read_value(&server_block, "address", "*", &value));
	assert_false(read_value(&server_block, "address", "unix:/run/x", &value));
}

static void
reads_lists(void **state)
{
	struct network_list networks;
	struct address_list addresses;
	unsigned mask;

	(void)state;
	assert_true(read_value(&listener_block, "trusted", "10.0.0.0/8 ::1 192.0.2.1 2001:db8::/32 0.0.0.0/0",
	    &networks));
	assert_int_equal(networks.count, 5);
	assert_int_equal(networks.items[3].bits, 32);
	assert_false(read_value(&listener_block, "trusted", "none 10.0.0.0/8", &networks));
	assert_false(read_value(&pool_block, "source", "name.example.com", &addresses));
	assert_true(read_value(&listener_block, "mechanisms", "LOGIN PLAIN", &mask));
	assert_int_equal(mask, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(reads_sizes),
		cmocka_unit_test(reads_numbers_and_their_words),
		cmocka_unit_test(reads_yes_and_no),
		cmocka_unit_test(reads_addresses),
		cmocka_unit_test(reads_lists),
	};
	int failed;

	arena = arena_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(&arena);
	return failed;
}
