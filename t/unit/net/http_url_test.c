/* SPDX-License-Identifier: BSD-2-Clause */
/* http_url_test.c: what URLs say, and which are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_url.h"

static const struct good {
	const char *text, *plain, *host, *unix_path;
	uint16_t port;
	bool has_name;
} goods[] = {
	{ "http://127.0.0.1:9000/auth?x=%20y", "http://127.0.0.1:9000/auth?x=%20y", "127.0.0.1", NULL, 9000,
	    false },
	{ "http://127.0.0.1", "http://127.0.0.1/", "127.0.0.1", NULL, 80, false },
	{ "HTTP://a.test?q", "http://a.test/?q", "a.test", NULL, 80, true },
	{ "https://auth.example.com/x", "https://auth.example.com/x", "auth.example.com", NULL, 443, true },
	{ "https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x", "2001:db8::1", NULL, 8443, false },
	{ "http://[::1]", "http://[::1]/", "::1", NULL, 80, false },
	{ "unix:/run/a.sock:/auth", "http://localhost/auth", "localhost", "/run/a.sock", 0, false },
	{ "unix:/run/a.sock", "http://localhost/", "localhost", "/run/a.sock", 0, false },
	{ "http://unix:/run/a.sock:/auth", "http://localhost/auth", "localhost", "/run/a.sock", 0, false },
};

static void
same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

static void
good_ones_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		const struct good *good = &goods[i];
		struct http_url url;
		struct error error = { "" };

		if (!http_url_parse(good->text, &url, &error))
			fail_msg("%s: %s", good->text, error.text);
		same_text(url.text, good->text);
		same_text(url.plain, good->plain);
		same_text(url.host, good->host);
		same_text(url.unix_path, good->unix_path);
		assert_int_equal(url.port, good->port);
		assert_int_equal(url.has_name, good->has_name);
		http_url_clear(&url);
	}
}

static void
bad_ones_are_refused_with_a_reason(void **state)
{
	static const char *const bad[] = {
		"", "a.test", "a.test:80/x", "ftp://a.test/", "http://", "http:///x", "http://:80/",
		"http://a.test:0/", "http://a.test:65536/", "http://a.test:/", "http://a.test:80x/",
		"http://user:pass@a.test/", "http://a b/", "http://a.test/#x", "http://a.test/\r\nX: y",
		"http://a.test/\xc3\xa4", "http://::1/", "http://[::1/", "http://[]/", "http://[127.0.0.1]/",
		"http://[a.test]/", "http://[::1]x/", "http://a..test/", "unix:", "unix:a", "unix::/x",
		"unix:/a:x", "https://unix:/a:/x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct http_url url;
		struct error error = { "" };

		if (http_url_parse(bad[i], &url, &error))
			fail_msg("%s was taken", bad[i]);
		assert_string_not_equal(error.text, "");
		assert_null(url.text);
	}
}

static void
too_long_ones_are_refused(void **state)
{
	char text[4096];
	struct http_url url;
	struct error error;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "http://h/", strlen("http://h/"));
	text[sizeof(text) - 1] = '\0';
	assert_false(http_url_parse(text, &url, &error));
	memcpy(text, "unix:/", strlen("unix:/"));
	text[200] = '\0';
	assert_false(http_url_parse(text, &url, &error));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_taken_apart),
		cmocka_unit_test(bad_ones_are_refused_with_a_reason),
		cmocka_unit_test(too_long_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
