/* SPDX-License-Identifier: BSD-2-Clause */
/* redis_url_test.c: URLs of a Redis, good ones and bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net/redis_url.h"

static bool
set(struct arena *arena, const char *text, struct redis_url *url, struct error *error)
{
	const char *word = text;
	struct conf_words words = { .words = &word, .count = 1, .arena = arena };

	return redis_url_set(&words, url, error);
}

static void
assert_text(const char *is, const char *should)
{
	if (should == NULL)
		assert_null(is);
	else
		assert_string_equal(is, should);
}

static void
good_urls_are_read(void **state)
{
	static const struct {
		const char *text;
		struct redis_url url;
	} rows[] = {
		{ "redis://localhost", { "localhost", 6379, NULL, NULL, NULL, 0 } },
		{ "redis://10.0.0.5:7000/12", { "10.0.0.5", 7000, NULL, NULL, NULL, 12 } },
		{ "redis://[::1]:7000/", { "::1", 7000, NULL, NULL, NULL, 0 } },
		{ "redis://[2001:db8::1]", { "2001:db8::1", 6379, NULL, NULL, NULL, 0 } },
		{ "redis://:secret@r.example.com/1", { "r.example.com", 6379, NULL, NULL, "secret", 1 } },
		{ "redis://bob:a:b@r:1", { "r", 1, NULL, "bob", "a:b", 0 } },
		{ "redis://b%3ab:%40%2F%25x@r", { "r", 6379, NULL, "b:b", "@/%x", 0 } },
		{ "redis://bob:a@b@r", { "r", 6379, NULL, "bob", "a@b", 0 } },
		{ "unix:/run/redis/s", { NULL, 0, "/run/redis/s", NULL, NULL, 0 } },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct redis_url *should = &rows[i].url;
		struct error error = { "" };
		struct redis_url url;

		if (!set(arena, rows[i].text, &url, &error))
			fail_msg("%s: %s", rows[i].text, error.text);
		assert_text(url.host, should->host);
		assert_text(url.path, should->path);
		assert_text(url.user, should->user);
		assert_text(url.password, should->password);
		assert_int_equal(url.port, should->port);
		assert_int_equal(url.database, should->database);
	}
	arena_free(&arena);
}

static void
groups_are_read(void **state)
{
	static const struct {
		const char *text;
		enum redis_kind kind;
		const char *host, *second, *master;
		int database, port;
	} rows[] = {
		{ "redis://r:1/2", REDIS_SINGLE, "r", NULL, NULL, 2, 1 },
		{ "redis+sentinel://a,[::1]:7/mail/4", REDIS_SENTINEL, "a", "::1", "mail", 4, 26379 },
		{ "redis+sentinel://:pw@a:5/mail", REDIS_SENTINEL, "a", NULL, "mail", 0, 5 },
		{ "redis+cluster://a,b", REDIS_CLUSTER, "a", "b", NULL, 0, 6379 },
		{ "redis+cluster://", REDIS_CLUSTER, NULL, NULL, NULL, 0, 0 },
		{ "redis+cluster://a,,b", REDIS_CLUSTER, NULL, NULL, NULL, 0, 0 },
		{ "redis+cluster://a/1", REDIS_CLUSTER, NULL, NULL, NULL, 0, 0 },
		{ "redis+sentinel://a", REDIS_SENTINEL, NULL, NULL, NULL, 0, 0 },
		{ "redis+sentinel://a/mail/x", REDIS_SENTINEL, NULL, NULL, NULL, 0, 0 },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *word = rows[i].text;
		struct conf_words words = { .words = &word, .count = 1, .arena = arena };
		struct redis_group_url url;
		struct error error;
		const struct redis_place *first;

		assert_int_equal(redis_group_url_set(&words, &url, &error), rows[i].host != NULL);
		if (rows[i].host == NULL)
			continue;
		first = url.kind == REDIS_SINGLE ?
		    &(const struct redis_place){ url.url.host, url.url.port } : &url.places[0];
		assert_int_equal(url.kind, rows[i].kind);
		assert_string_equal(first->host, rows[i].host);
		assert_int_equal(first->port, rows[i].port);
		if (rows[i].second != NULL)
			assert_string_equal(url.places[1].host, rows[i].second);
		assert_text(url.master, rows[i].master);
		assert_int_equal(url.url.database, rows[i].database);
	}
	arena_free(&arena);
}

static void
bad_urls_are_told_without_a_password(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "rediss://:hidden@r:6379/0", "no TLS" },
		{ "http://r/", "redis://host" },
		{ "10.0.0.5:6379", "redis://host" },
		{ "redis://", "host" },
		{ "redis://:hidden@", "host" },
		{ "redis://::1:6379", "host" },
		{ "redis://[::1]6379", "port" },
		{ "redis://r:0", "port" },
		{ "redis://r:65536", "port" },
		{ "redis://r:", "port" },
		{ "redis://r:6379/x", "database" },
		{ "redis://r:6379/-1", "database" },
		{ "redis://hidden@r", "user:password" },
		{ "redis://bob:@r", "empty" },
		{ "redis://bob:hidden%4@r", "%" },
		{ "redis://bob:hidden%@r", "%" },
		{ "redis://bob:hidden%00@r", "%" },
		{ "redis://bob:hidden%zz@r", "%" },
		{ "unix:redis.sock", "root" },
	};
	struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error error = { "" };
		struct redis_url url;

		if (set(arena, rows[i].text, &url, &error))
			fail_msg("%s is taken", rows[i].text);
		if (strstr(error.text, rows[i].why) == NULL || strstr(error.text, "hidden") != NULL)
			fail_msg("%s: %s", rows[i].text, error.text);
	}
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_urls_are_read),
		cmocka_unit_test(groups_are_read),
		cmocka_unit_test(bad_urls_are_told_without_a_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
