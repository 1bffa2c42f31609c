/* SPDX-License-Identifier: BSD-2-Clause */
/* settings_test.c: the grammar of the configuration, as far as one needs it to look around. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/settings.h"

static void
finds_what_is_there(void **state)
{
	struct setting *root = settings_read(slice_of(
	    "relay_memory 256m # default\n"
	    "max_connections 100; threads auto\n"
	    "pool imap { # a pool\n"
	    "\tserver b1 { address 10.0.0.1 }\n"
	    "\tserver b2 { address \"b 2\\\"\"; weight 2 }\n"
	    "}\n"
	    "pool smtp { source 10.0.0.8 10.0.0.9 }\n"));
	const struct setting *pool = setting_in(root, "pool"), *server = setting_in(pool, "server");

	(void)state;
	assert_true(setting_number(root, "relay_memory") == 256.0 * 1024 * 1024);
	assert_true(setting_number(root, "max_connections") == 100);
	assert_true(setting_number(root, "missing") == 0);
	assert_string_equal(setting_word(setting_in(root, "threads"), 1), "auto");
	assert_string_equal(setting_word(server, 1), "b1");
	server = setting_again(server);
	assert_string_equal(setting_word(setting_in(server, "address"), 1), "b 2\"");
	assert_null(setting_again(server));
	pool = setting_titled(root, "pool", "smtp");
	assert_string_equal(setting_word(setting_in(pool, "source"), 2), "10.0.0.9");
	assert_string_equal(setting_word(setting_in(pool, "source"), 3), "");
	assert_null(setting_titled(root, "pool", "none"));
	assert_null(setting_in(NULL, "pool"));
	settings_free(&root);
	assert_null(root);
}

/* What is no configuration is read somehow, and does no harm. */
static void
survives_nonsense(void **state)
{
	static const char *const texts[] = {
		"", "}}}}", "{{{{", "a {", "\"open", "\"\\", ";;;", "a{b{c{d{e{f{g{h{i{j{k{l{m{n{o{p{q{r{s{",
		"# only this",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct setting *root = settings_read(slice_of(texts[i]));

		assert_null(setting_in(root, "pool"));
		settings_free(&root);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_there),
		cmocka_unit_test(survives_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
