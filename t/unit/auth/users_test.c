/* SPDX-License-Identifier: BSD-2-Clause */
/* users_test.c: the block `users`, and what becomes of the names that clients write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/users.h"
#include "base/xalloc.h"
#include "conf/conf.h"

struct root {
	struct conf_block conf;
	struct users *users;
};

static const struct directive root_directives[] = {
	CONF_BLOCK(struct root, users, &users_block, "", 0),
	{ 0 }
};

static const struct block root_block = {
	.name = "root", .directives = root_directives, .size = BLOCK_SIZE(struct root),
};

static struct conf *conf;	/* of the test that runs */

static const struct users *
load(const char *text)
{
	struct conf_problems problems = { 0 };
	const struct root *root;

	conf = conf_load_text("text", text, &root_block, &problems);
	conf_problems_print(&problems, stderr);
	assert_non_null(conf);
	root = conf_root(conf);
	return root->users;
}

static void
assert_login(const struct users *users, const char *login, const char *canonical)
{
	char *found = users_canonical(users, slice_of(login));

	assert_string_equal(found, canonical);
	xfree(found);
}

static void
is_lower_case_without_a_block(void **state)
{
	const struct users *users = load("");
	char *found;

	(void)state;
	assert_login(users, "Bob@Example.com", "bob@example.com");
	assert_login(users, "BOB", "bob");
	assert_login(users, "bob*master", "bob*master");
	assert_login(users, "", "");
	assert_login(users, "J\xc3\x96RG@X.DE", "j\xc3\x96rg@x.de");	/* no letters but ASCII's */
	found = users_canonical(users, slice_make("Bobby", 3));
	assert_string_equal(found, "bob");
	xfree(found);
	conf_free(&conf);
}

static void
keeps_the_case_where_told(void **state)
{
	const struct users *users = load("users { case keep; default_domain Example.com }");

	(void)state;
	assert_login(users, "Bob", "Bob@Example.com");
	assert_login(users, "Bob@x.Org", "Bob@x.Org");
	conf_free(&conf);
}

static void
adds_the_default_domain(void **state)
{
	const struct users *users = load("users { default_domain Example.com }");

	(void)state;
	assert_login(users, "Bob", "bob@example.com");
	assert_login(users, "bob@x.org", "bob@x.org");
	assert_login(users, "bob@", "bob@");
	assert_login(users, "", "");
	conf_free(&conf);
}

static void
leaves_out_the_master_user(void **state)
{
	const struct users *users = load("users { master_separator \"*\"; default_domain example.com }");

	(void)state;
	assert_login(users, "bob*master", "bob@example.com");
	assert_login(users, "Bob@x.org*master@y.org", "bob@x.org");
	assert_login(users, "bob*master@y.org", "bob@example.com");	/* the domain is the master's */
	assert_login(users, "bob*", "bob@example.com");
	assert_login(users, "*master", "*master@example.com");
	assert_true(slice_equals(users_master(users, slice_of("bob*master@y.org")), "master@y.org"));
	assert_true(slice_equals(users_master(users, slice_of("bob*")), ""));
	assert_true(slice_equals(users_master(users, slice_of("bob")), ""));
	conf_free(&conf);
}

static void
key_is_the_user_or_the_domain(void **state)
{
	(void)state;
	assert_true(slice_equals(users_key(load(""), "bob@x.org"), "bob@x.org"));
	conf_free(&conf);
	assert_true(slice_equals(users_key(load("users { key domain }"), "bob@x.org"), "x.org"));
	conf_free(&conf);
	assert_true(slice_equals(users_key(load("users { key domain }"), "bob"), "bob"));
	conf_free(&conf);
	assert_true(slice_equals(users_key(load("users { key domain }"), "bob@"), "bob@"));
	conf_free(&conf);
}

static void
refuses_what_makes_no_sense(void **state)
{
	static const char *const texts[] = {
		"users { master_separator ** }", "users { master_separator @ }",
		"users { master_separator \"\" }",
		"users { default_domain bob@x.org }", "users { default_domain \"\" }",
		"users { case upper }", "users { key address }",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct conf_problems problems = { 0 };

		if (conf_load_text("text", texts[i], &root_block, &problems) != NULL)
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(problems.count, 1);
		conf_problems_clear(&problems);
	}
}

static void
assert_recipient(const struct users *users, const char *address, const char *canonical, const char *detail)
{
	char *found = users_recipient(users, slice_of(address));
	struct slice behind = users_detail(users, slice_of(address));

	assert_string_equal(found, canonical);
	if (!slice_equals(behind, detail))
		fail_msg("%s has \"%.*s\" behind its user", address, SLICE_ARGS(behind));
	xfree(found);
}

static void
knows_whose_mail_it_is(void **state)
{
	const struct users *users = load("users { default_domain example.com }");

	(void)state;
	assert_recipient(users, "Bob@X.org", "bob@x.org", "");
	assert_recipient(users, "bob+Lists@x.org", "bob@x.org", "+Lists");
	assert_recipient(users, "bob+a+b", "bob@example.com", "+a+b");
	assert_recipient(users, "+bob@x.org", "+bob@x.org", "");
	assert_recipient(users, "bob@x+y.org", "bob@x+y.org", "");
	assert_recipient(users, "\"bob smith\"@x.org", "bob smith@x.org", "");
	assert_recipient(users, "\"bob\\\"s\"@x.org", "bob\"s@x.org", "");
	assert_recipient(users, "\"a@b\"@x.org", "a@b@x.org", "");
	assert_recipient(users, "@relay.org,@r2.org:bob+x@x.org", "bob@x.org", "+x");
	assert_recipient(users, "postmaster", "postmaster@example.com", "");
	assert_recipient(users, "", "", "");
	conf_free(&conf);
}

static void
delimits_as_is_told(void **state)
{
	const struct users *users = load("users { recipient_delimiter \"-+\"; master_separator \"*\" }");

	(void)state;
	assert_recipient(users, "bob-x+y@x.org", "bob@x.org", "-x+y");
	assert_recipient(users, "bob*admin@x.org", "bob*admin@x.org", "");	/* nobody logs in */
	conf_free(&conf);
	users = load("users { recipient_delimiter \"\" }");
	assert_recipient(users, "bob+x@x.org", "bob+x@x.org", "");
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_lower_case_without_a_block),
		cmocka_unit_test(keeps_the_case_where_told),
		cmocka_unit_test(adds_the_default_domain),
		cmocka_unit_test(leaves_out_the_master_user),
		cmocka_unit_test(key_is_the_user_or_the_domain),
		cmocka_unit_test(knows_whose_mail_it_is),
		cmocka_unit_test(delimits_as_is_told),
		cmocka_unit_test(refuses_what_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
