/* SPDX-License-Identifier: BSD-2-Clause */
#include "language.h"

#include "session/route_rule.h"

#define POOLS \
	"pool mx { protocol smtp; server a { address 192.0.2.1 } }\n" \
	"pool eu { protocol smtp; server b { address ::2 } }\n" \
	"pool us { protocol smtp; server c { address ::3 } }\n"

static const char listener[] = POOLS
    "listener smtp { bind *:25; starttls off; pool mx\n"
    "  route one { recipient_domain example.de example.fr; pool eu }\n"
    "  route two { recipient_domain example.de example.com; pool us } }\n";

static void
the_first_rule_that_matches_decides(void **state)
{
	static const struct {
		const char *recipient, *pool;
	} rows[] = {
		{ "a@example.de", "eu" },
		{ "a@EXAMPLE.fr", "eu" },
		{ "\"x@example.de\"@example.com", "us" },
		{ "a@sub.example.de", "mx" },
		{ "a@", "mx" },
		{ "postmaster", "mx" },
		{ "", "mx" },
	};
	struct language *language;
	struct conf *conf = load(listener, &language);
	const struct listener_settings *l = language->listeners.items[0];

	(void)state;
	assert_true(route_rules_ask_recipients(&l->route));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct condition_subject subject = { .recipient = slice_of(rows[i].recipient) };

		assert_string_equal(route_rule_find(&l->route, &subject, l->pool)->conf.title, rows[i].pool);
	}
	conf_free(&conf);
}

static void
users_go_by_their_domain(void **state)
{
	struct language *language;
	struct conf *conf = load("pool imap { server a { address 192.0.2.1 } }\n"
				 "pool eu { server b { address ::2 } }\n"
				 "listener imap { bind *:1; starttls off; plaintext_login yes; pool imap\n"
				 "  route eu { domain example.de; pool eu } }\n",
	    &language);
	const struct listener_settings *l = language->listeners.items[0];
	struct condition_subject subject = { .user = slice_of("bob@example.de") };

	(void)state;
	assert_false(route_rules_ask_recipients(&l->route));
	assert_string_equal(route_rule_find(&l->route, &subject, l->pool)->conf.title, "eu");
	assert_string_equal(((struct pool *)language->pools.items[1])->protocol, "imap");
	subject.user = slice_of("bob");
	assert_string_equal(route_rule_find(&l->route, &subject, l->pool)->conf.title, "imap");
	conf_free(&conf);
}

static void
rules_fit_their_protocol(void **state)
{
	(void)state;
	expect_problem(POOLS "listener smtp { bind *:25; starttls off; pool mx\n"
			     "  route one { domain example.de; pool eu } }",
	    "conf:5:15: domain: smtp knows no users");
	expect_problem("pool imap { server a { address 192.0.2.1 } }\n"
		       "listener imap { bind *:1; starttls off; plaintext_login yes; pool imap\n"
		       "  route eu { recipient_domain example.de; pool imap } }",
	    "conf:3:14: recipient_domain: imap does not go by recipients");
	expect_problem(POOLS "pool imap { server d { address ::4 } }\n"
			     "listener smtp { bind *:25; starttls off; pool mx; route one { pool imap } }",
	    "pool imap speaks imap, and listener smtp speaks smtp");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(users_go_by_their_domain),
		cmocka_unit_test(rules_fit_their_protocol),
	};

	return cmocka_run_group_tests_name("route_rule", tests, NULL, NULL);
}
