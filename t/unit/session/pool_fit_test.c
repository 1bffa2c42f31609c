/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_fit_test.c: what pools of a protocol that logs nobody in may say, and where they are told. */
#include "language.h"

#include "balance/balance.h"
#include "base/login_way.h"

#define SERVERS "server d01 { address 10.0.0.1:7 }"
#define LISTENER "listener raw { protocol tcp; bind *:7; pool raw }\n"

/* Plaintext would pass where TLS was asked for. */
static void
starttls_needs_a_protocol_that_has_it(void **state)
{
	static const char problem[] =
	    "server_tls starttls: tcp, which pool raw speaks, has no STARTTLS; say implicit or off";

	(void)state;
	expect_problem("pool raw { " SERVERS "; server_tls starttls }\n" LISTENER, problem);
	expect_problem("pool raw { " SERVERS "; server_tls starttls }\n" LISTENER, "conf:1:47: ");
	expect_problem("farm f { " SERVERS "; server_tls starttls }\n"
		       "pool raw { farm f }\n" LISTENER,
	    problem);
	expect_problem("default pool { server_tls starttls }\npool raw { " SERVERS " }\n" LISTENER, problem);
	expect_problem("default farm { server_tls starttls }\nfarm f { " SERVERS " }\n"
		       "pool raw { farm f }\n" LISTENER,
	    problem);
	expect_problem("default pool { server_tls starttls }\n"
		       "pool raw { " SERVERS "; server_tls implicit }\n" LISTENER,
	    NULL);
	expect_problem("pool raw { " SERVERS "; server_tls off }\n" LISTENER, NULL);
	expect_problem("tls main { certificate /c.pem }\npool imap { " SERVERS "; server_tls starttls }\n"
		       "listener imap { bind *:143; tls main; pool imap }\n",
	    NULL);
}

static void
servers_need_a_port(void **state)
{
	static const char two[] = "server a { address ::3 }; server b { address ::2 }";
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "pool raw { %s }\n%s", two, LISTENER);
	expect_problem(text,
	    "conf:1:31: address: ::3 lacks a port: tcp has no default, and pool raw no `port`");
	expect_problem(text, "conf:1:57: address: ::2 lacks a port");
	snprintf(text, sizeof(text), "farm f { %s }\npool raw { farm f }\n%s", two, LISTENER);
	expect_problem(text, "conf:1:29: address: ::3 lacks a port");
	snprintf(text, sizeof(text), "farm f { %s }\npool raw { farm f; port 7 }\n%s", two, LISTENER);
	expect_problem(text, NULL);
	expect_problem("pool raw { server a { address [::3]:7 } }\n" LISTENER, NULL);
}

static void
a_service_has_one_protocol_and_port(void **state)
{
	static const struct {
		const char *pools, *problem;
	} rows[] = {
		{ "pool raw { farm f; port 8 }", NULL },
		{ "pool raw { farm f; port 8 } pool b { farm f; port 8; protocol tcp }", NULL },
		{ "pool raw { farm f; port 8 } pool b { server x { address ::1 }; protocol smtp }", NULL },
		{ "pool raw { farm f; port 8 } pool b { farm g; port 9; protocol tcp }", NULL },
		{ "pool raw { farm f; port 8 } pool b { farm f; port 9; protocol tcp }",
		  "conf:3:38: pools raw and b, of another protocol or port, cannot share farm f: "
		  "srv _x._tcp.test tells one port for both" },
		{ "pool raw { farm f; port 8 } pool b { farm f; port 8; protocol smtp }",
		  "conf:3:38: pools raw and b, of another protocol or port" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
		    "farm f { server a { address ::2 }; server d { srv _x._tcp.test } }\n"
		    "farm g { server a { address ::2 } }\n%s\n%s",
		    rows[i].pools, LISTENER);
		expect_problem(text, rows[i].problem);
	}
}

static void
pools_without_users_say_nothing_of_them(void **state)
{
	static const struct {
		const char *said, *problem;
	} rows[] = {
		{ "balance user", "conf:1:12: balance user has no meaning with tcp, which knows no users" },
		{ "login password", "conf:1:12: tcp has no `login password`, only none" },
		{ "login trusted", "conf:1:12: tcp has no `login trusted`, only none" },
		{ "forward id", "conf:1:12: tcp has no `forward id`, only auto, proxy, proxy_v2, none" },
		{ "balance leastconn; login none; forward none", NULL },
		{ "forward auto", NULL },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "pool raw { %s; %s }\n%s", rows[i].said, SERVERS, LISTENER);
		expect_problem(text, rows[i].problem);
	}
}

static void
checks_fit_pool_and_protocol(void **state)
{
	static const struct {
		const char *said, *problem;
	} raw[] = {
		{ "check { kind tcp }", NULL },
		{ "check { kind login; user u; password_file /p }",
		    "conf:1:20: kind login: tcp, which pool raw speaks, has no login" },
		{ "check { tls implicit }",
		    "conf:1:20: tls: pool raw has server_tls off, so that nobody says whom to believe" },
		{ "check { tls off }", NULL },
		{ "check { tls starttls }; server_tls implicit",
		    "conf:1:20: tls starttls: tcp, which pool raw speaks, has no STARTTLS" },
		{ "check { kind none }", NULL },
	}, imap[] = {
		{ "check { kind send_expect; expect OK }",
		    "conf:2:21: kind send_expect knows no STARTTLS, which pool imap has" },
		{ "check { kind send_expect; expect OK; tls starttls }",
		    "conf:2:21: kind send_expect knows no STARTTLS" },
		{ "check { kind send_expect; expect OK; tls off }", NULL },
		{ "check { kind send_expect; expect OK; tls implicit; port 993 }", NULL },
		{ "check { kind login; user u; password_file /p; tls implicit }", NULL },
		{ "check { }; check { tls starttls }; check { kind tcp }", NULL },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(raw) / sizeof(raw[0]); i++) {
		snprintf(text, sizeof(text), "pool raw { %s; %s }\n%s", raw[i].said, SERVERS, LISTENER);
		expect_problem(text, raw[i].problem);
	}
	for (size_t i = 0; i < sizeof(imap) / sizeof(imap[0]); i++) {
		snprintf(text, sizeof(text),
		    "tls main { certificate /c.pem }\npool imap { %s; %s; server_tls starttls }\n"
		    "listener imap { bind *:143; tls main; pool imap }\n",
		    imap[i].said, SERVERS);
		expect_problem(text, imap[i].problem);
	}
}

/* A farm's and a default's words are for the other pools. */
static void
what_is_said_for_others_is_read_over(void **state)
{
	struct language *language;
	struct conf *conf = load("farm f { " SERVERS "; affinity 5m; balance user; login trusted }\n"
				 "default pool { forward id }\n"
				 "auth staff { source file; path /u }\n"
				 "pool raw { farm f }\npool imap { farm f }\n" LISTENER
				 "listener imap { bind *:1; starttls off; plaintext_login yes\n"
				 "  auth staff; pool imap }\n",
	    &language);
	const struct pool *raw = language->pools.items[0], *imap = language->pools.items[1];

	(void)state;
	assert_int_equal(raw->options.balance, BALANCER_leastconn);
	assert_int_equal(raw->options.login, LOGIN_NONE);
	assert_int_equal(raw->options.forward, FORWARD_AUTO);
	assert_int_equal(imap->options.balance, BALANCER_user);
	assert_int_equal(imap->options.login, LOGIN_TRUSTED);
	assert_int_equal(imap->options.forward, FORWARD_ID);
	conf_free(&conf);
}

static void
affinity_needs_the_balancer_of_users(void **state)
{
	static const char farm[] = "farm f { affinity 15m; " SERVERS " }\n", listener[] = LISTENER;
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "%spool imap { farm f; balance leastconn }\n", farm);
	expect_problem(text, "conf:2:21: balance must be user: farm f binds users to servers (affinity)");
	snprintf(text, sizeof(text), "%spool raw { farm f; balance roundrobin }\n%s", farm, listener);
	expect_problem(text, NULL);
	snprintf(text, sizeof(text), "%spool raw { farm f; balance user }\n%s", farm, listener);
	expect_problem(text, "conf:2:20: balance user has no meaning with tcp");
}

/* Whatever a server speaks: mail that comes by LMTP is a user's. */
static void
mail_for_recipients_is_balanced_by_user(void **state)
{
	static const char pool[] = "pool mx { " SERVERS "; protocol smtp; balance user }\n";
	static const char lmtp[] = "listener lmtp { bind 127.0.0.1:2024; pool mx }\n";
	static const char smtp[] = "listener smtp { bind 127.0.0.1:2025; pool mx; starttls off }\n";
	static const char imap[] = "listener imap { bind 127.0.0.1:2143; pool mx; starttls off }\n";
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "%s%s", pool, lmtp);
	expect_problem(text, NULL);
	snprintf(text, sizeof(text), "%s%s%s", pool, lmtp, smtp);
	expect_problem(text, "balance user has no meaning with smtp");
	snprintf(text, sizeof(text), "%s%s", pool, imap);
	expect_problem(text, "pool mx speaks smtp, and listener imap speaks imap");
}

/* A farm's and a default's factor are for those of its pools that may overflow. */
static void
a_hash_balance_factor_is_for_unbound_hashes(void **state)
{
	static const char imap[] = "pool imap { " SERVERS "; hash_balance_factor 150; balance %s }\n";
	char text[256];
	struct language *language;
	struct conf *conf;

	(void)state;
	snprintf(text, sizeof(text), imap, "user");
	expect_problem(text,
	    "conf:1:48: hash_balance_factor would send users of pool imap to several servers");
	expect_problem("farm f { affinity 15m; " SERVERS " }\n"
		       "pool imap { farm f; hash_balance_factor 150 }\n",
	    "conf:2:21: hash_balance_factor would send users of pool imap to several servers");
	snprintf(text, sizeof(text), imap, "leastconn");
	expect_problem(text,
	    "conf:1:48: hash_balance_factor has no meaning with balance leastconn, which is no hash");
	expect_problem("pool raw { " SERVERS "; hash_balance_factor 150 }\n" LISTENER,
	    "hash_balance_factor has no meaning with balance leastconn, which is no hash");
	expect_problem("pool raw { " SERVERS "; hash_balance_factor 150; balance source }\n" LISTENER, NULL);
	expect_problem("farm f { affinity 15m; " SERVERS " }\npool imap { farm f; balance source }\n",
	    "conf:2:21: balance must be user: farm f binds users to servers (affinity)");
	conf = load("farm f { " SERVERS "; hash_balance_factor 150; balance source }\n"
		    "default pool { hash_balance_factor 200 }\n"
		    "auth staff { source file; path /u }\n"
		    "pool raw { farm f }\npool imap { farm f; balance user }\n" LISTENER
		    "listener imap { bind *:1; starttls off; plaintext_login yes\n"
		    "  auth staff; pool imap }\n",
	    &language);
	assert_int_equal(((const struct pool *)language->pools.items[0])->options.hash_balance_factor, 150);
	assert_int_equal(((const struct pool *)language->pools.items[1])->options.hash_balance_factor, 0);
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starttls_needs_a_protocol_that_has_it),
		cmocka_unit_test(servers_need_a_port),
		cmocka_unit_test(a_service_has_one_protocol_and_port),
		cmocka_unit_test(pools_without_users_say_nothing_of_them),
		cmocka_unit_test(what_is_said_for_others_is_read_over),
		cmocka_unit_test(affinity_needs_the_balancer_of_users),
		cmocka_unit_test(checks_fit_pool_and_protocol),
		cmocka_unit_test(mail_for_recipients_is_balanced_by_user),
		cmocka_unit_test(a_hash_balance_factor_is_for_unbound_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
