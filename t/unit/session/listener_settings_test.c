/* SPDX-License-Identifier: BSD-2-Clause */
/* listener_settings_test.c: defaults by protocol, and what is refused, in which words and where. */
#include "language.h"

#include "balance/endpoint_table.h"
#include "base/login_way.h"
#include "proto/proto.h"

#define SERVER "server d01 { address 10.0.0.1 }"

static const char smallest[] =
    "tls main { certificate /c.pem }\n"
    "pool imap { " SERVER " }\n"
    "pool raw { " SERVER "; port 7 }\n"
    "listener imap { bind *:143; bind_tls *:993; tls main; pool imap }\n"
    "listener plain { protocol tcp; bind 127.0.0.1:7; pool raw }\n";

static const struct listener_settings *
listener_at(const struct language *language, size_t i)
{
	assert_true(i < language->listeners.count);
	return language->listeners.items[i];
}

static const struct pool *
pool_at(const struct language *language, size_t i)
{
	assert_true(i < language->pools.count);
	return language->pools.items[i];
}

static void
imap_has_its_defaults(void **state)
{
	struct language *language;
	struct conf *conf = load(smallest, &language);
	const struct listener_settings *l = listener_at(language, 0);
	const struct pool *pool = pool_at(language, 0);

	(void)state;
	assert_ptr_equal(l->proto, &proto_imap);
	assert_int_equal(l->starttls, STARTTLS_REQUIRED);
	assert_false(l->plaintext_login);
	assert_int_equal(l->login_timeout.ms, 60 * 1000);
	assert_int_equal(l->idle_timeout.ms, 35 * 60 * 1000);
	assert_int_equal(l->reply_timeout.ms, 5 * 60 * 1000);
	assert_int_equal(l->max_errors, 5);
	assert_int_equal(l->unavailable, UNAVAILABLE_NO);
	assert_string_equal(l->hostname, "lb.example.com");
	assert_int_equal(l->tcp.keepalive_idle_s, 120);
	assert_int_equal(l->tcp.keepalive_interval_s, 30);
	assert_int_equal(l->tcp.keepalive_count, 4);
	assert_int_equal(l->tcp.user_timeout_ms, 180 * 1000);
	assert_string_equal(pool->protocol, "imap");
	assert_int_equal(pool->port, 143);
	assert_int_equal(pool->options.login, LOGIN_PASSWORD);
	assert_int_equal(pool->options.login_timeout.ms, 30 * 1000);
	assert_int_equal(pool->options.retries, 3);
	assert_int_equal(pool->options.queue_timeout.ms, 10 * 1000);
	conf_free(&conf);
}

static void
tcp_has_its_defaults(void **state)
{
	struct language *language;
	struct conf *conf = load(smallest, &language);
	const struct listener_settings *l = listener_at(language, 1);
	const struct pool *pool = pool_at(language, 1);

	(void)state;
	assert_ptr_equal(l->proto, &proto_tcp);
	assert_int_equal(l->starttls, STARTTLS_OFF);
	assert_int_equal(l->login_timeout.ms, 0);
	assert_int_equal(l->idle_timeout.ms, 60 * 60 * 1000);
	assert_int_equal(l->reply_timeout.ms, 0);
	assert_string_equal(pool->protocol, "tcp");
	assert_int_equal(pool->options.login, LOGIN_NONE);
	conf_free(&conf);
}

static void
balance_is_by_protocol(void **state)
{
	struct language *language;
	struct conf *conf = load(smallest, &language);
	struct conf_problems problems = { 0 };
	struct endpoint_table *table = endpoint_table_new(1);

	(void)state;
	for (size_t i = 0; i < language->pools.count; i++) {
		struct pool *pool = language->pools.items[i];

		assert_true(pool_open(pool, table, &problems));
		assert_int_equal(pool->is_bound, i == 0);
		pool_close(pool);
	}
	endpoint_table_free(&table);
	conf_free(&conf);
}

static void
what_is_written_wins(void **state)
{
	struct language *language;
	struct conf *conf = load(
	    "tls main { certificate /c.pem }\n"
	    "auth farm { source server }\n"
	    "default listener { auth farm; idle_timeout 31m; tcp_keepalive 5m 1m 3 }\n"
	    "pool imap { " SERVER "; balance leastconn; port 1143 }\n"
	    "pool raw { " SERVER "; port 7 }\n"
	    "listener imap { bind *:143 { freebind yes; backlog 7 }; tls main; pool imap; starttls optional\n"
	    "    login_timeout none; reply_timeout 1m; hostname mx.example.com }\n"
	    "listener plain { protocol tcp; bind [::1]:7; pool raw; idle_timeout none }\n",
	    &language);
	const struct listener_settings *l = listener_at(language, 0);
	struct listen_spec spec = bind_spec(l->bind.items[0]);

	(void)state;
	assert_int_equal(l->starttls, STARTTLS_OPTIONAL);
	assert_int_equal(l->login_timeout.ms, 0);
	assert_int_equal(l->idle_timeout.ms, 31 * 60 * 1000);
	assert_int_equal(l->reply_timeout.ms, 60 * 1000);
	assert_string_equal(l->hostname, "mx.example.com");
	assert_int_equal(l->tcp.keepalive_idle_s, 300);
	assert_int_equal(l->auth.count, 1);
	assert_false(bind_is_tls(l->bind.items[0]));
	assert_true(spec.dual_stack && spec.freebind);
	assert_int_equal(spec.backlog, 7);
	assert_int_equal(spec.addr.sa.sa_family, AF_INET6);
	assert_int_equal(addr_port(&spec.addr), 143);
	assert_int_equal(pool_at(language, 0)->port, 1143);
	l = listener_at(language, 1);
	assert_int_equal(l->auth.count, 0);
	assert_int_equal(l->idle_timeout.ms, 0);
	assert_false(bind_spec(l->bind.items[0]).dual_stack);
	conf_free(&conf);
}

#define POOL "pool imap { " SERVER " }\n"
#define TLS "tls main { certificate /c.pem }\n"

static void
tells_what_does_not_fit(void **state)
{
	(void)state;
	expect_problem(POOL "listener imap { bind_tls *:993; pool imap }",
	    "conf:2:17: bind_tls needs `tls NAME` in listener imap");
	expect_problem(POOL "listener imap { bind *:143; pool imap }",
	    "starttls required needs `tls NAME` in listener imap, or say `starttls off`");
	expect_problem(POOL "listener imap { bind *:143; pool imap; starttls optional }",
	    "conf:2:40: starttls optional needs `tls NAME`");
	expect_problem(POOL "listener imap { bind *:143; pool imap; starttls off }",
	    "conf:2:40: nobody can log in at `bind` of listener imap: there is no TLS, and "
	    "plaintext_login is no");
	expect_problem(POOL "listener imap { bind *:143; pool imap; starttls off; plaintext_login yes }",
	    NULL);
	expect_problem(POOL "listener imap { bind *:143; pool imap; starttls off; trusted 10.0.0.0/8 }",
	    NULL);
	expect_problem("pool raw { " SERVER "; port 7 }\n"
		       "listener raw { protocol tcp; bind *:7; pool raw; trusted 10.0.0.0/8 }",
	    "conf:2:50: trusted has no meaning with protocol tcp");
	expect_problem(TLS POOL "listener imap { bind_tls *:993; tls main; pool imap; starttls off }", NULL);
	expect_problem(TLS POOL "listener imap { tls main; pool imap }",
	    "a listener needs `bind` or `bind_tls`");
	expect_problem(TLS POOL "listener imap { bind *:143; tls main }",
	    "conf:3:10: listener imap needs pool");
	expect_problem(TLS POOL "listener door { bind *:143; tls main; pool imap }",
	    "conf:3:10: `protocol` is missing: the name door is not one");
	expect_problem(TLS POOL "listener imap { protocol gopher; bind *:143; tls main; pool imap }",
	    "conf:3:17: there is no protocol gopher: imap, lmtp, pop3, sieve, smtp, submission or tcp");
	expect_problem(POOL "listener raw { protocol tcp; bind *:143; pool imap }",
	    "conf:2:42: pool imap speaks imap, and listener raw speaks tcp");
	expect_problem(
	    "auth farm { source server }\npool raw { " SERVER "; port 7 }\n"
	    "listener raw { protocol tcp; bind *:7; pool raw; auth farm }",
	    "conf:3:50: auth has no meaning with protocol tcp");
	expect_problem("pool lonely { " SERVER " }", "`protocol` is missing: the name lonely is not one");
}

/* The manual's own example had words of the proxy's: such lists load, and a warning tells. */
static void
a_written_list_is_announced_without_the_proxys_words(void **state)
{
	static const char *const good[] = { "idle MOVE", "\"\"", "auto", "\"XLIST a b\" ID-X",
		"IMAP4rev1 STARTTLS auth=XOAUTH2 IDLE" };
	static const char *const lists[] = { "IDLE\nMOVE\n", "", NULL, "ID-X\nXLIST a b\n", "IDLE\n" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct language *language;
		struct conf *conf;

		snprintf(text, sizeof(text), TLS POOL
		    "listener imap { bind *:143; tls main; pool imap; capabilities %s }", good[i]);
		conf = load(text, &language);
		if (lists[i] == NULL)
			assert_null(listener_at(language, 0)->announced);
		else
			assert_string_equal(listener_at(language, 0)->announced, lists[i]);
		conf_free(&conf);
	}
	expect_problem(TLS POOL "listener imap { bind *:143; tls main; pool imap; capabilities IDLE auto }",
	    "conf:3:68: auto stands alone");
	expect_problem(TLS "pool smtp { " SERVER " }\n"
			   "listener smtp { bind *:25; tls main; pool smtp; capabilities \"\" }", NULL);
	expect_problem(TLS POOL "default listener { capabilities auto IDLE }\n"
				"listener imap { bind *:143; tls main; pool imap }",
	    "conf:3:33: auto stands alone");
}

/* What a `default` block says is wrong for some of its listeners: they are named. */
static void
names_the_listeners_that_a_default_does_not_fit(void **state)
{
	(void)state;
	expect_problem(POOL "default listener { starttls required; plaintext_login yes; pool imap }\n"
			    "listener a { protocol imap; bind *:143 }\n"
			    "listener b { protocol imap; bind *:144; starttls off }\n",
	    "conf:2:20: starttls required needs `tls NAME` in listener a");
	expect_problem(POOL "default listener { starttls off; pool imap }\n"
			    "listener a { protocol imap; bind *:143 }",
	    "conf:2:20: nobody can log in at `bind` of listener a");
	expect_problem(POOL "default listener { pool imap }\n"
			    "listener a { protocol tcp; bind *:143 }",
	    "conf:2:20: pool imap speaks imap, and listener a speaks tcp");
}

/* Nobody would be offered it there: TLS would be believed where there is none. */
static void
starttls_needs_a_protocol_that_has_it(void **state)
{
	static const char raw[] = TLS "pool raw { " SERVER "; port 7 }\n"
				      "default listener { tls main; starttls required }\n"
				      "listener raw { protocol tcp; bind *:7; pool raw }\n";
	struct language *language;
	struct conf *conf = load(raw, &language);

	(void)state;
	assert_int_equal(listener_at(language, 0)->starttls, STARTTLS_OFF);
	conf_free(&conf);
	expect_problem(TLS "pool raw { " SERVER "; port 7 }\n"
			   "listener raw { protocol tcp; bind *:7; tls main; pool raw; starttls optional }",
	    "conf:3:60: starttls has no meaning with protocol tcp");
	expect_problem(TLS "pool raw { " SERVER "; port 7 }\n"
			   "listener raw { protocol tcp; bind *:7; tls main; pool raw; starttls off }",
	    NULL);
}

static void
smtp_has_its_defaults(void **state)
{
	struct language *language;
	struct conf *conf = load(TLS
	    "pool smtp { " SERVER " }\npool submission { " SERVER " }\n"
	    "listener smtp { bind *:25; tls main; pool smtp }\n"
	    "listener submission { bind *:587; tls main; pool submission }", &language);
	const struct listener_settings *smtp = listener_at(language, 0);
	const struct listener_settings *submission = listener_at(language, 1);

	(void)state;
	assert_ptr_equal(smtp->proto, &proto_smtp);
	assert_int_equal(smtp->starttls, STARTTLS_OPTIONAL);
	assert_int_equal(smtp->login_timeout.ms, 5 * 60 * 1000);
	assert_int_equal(smtp->idle_timeout.ms, 6 * 60 * 1000);
	assert_int_equal(smtp->max_errors, 20);
	assert_int_equal(pool_at(language, 0)->port, 25);
	assert_int_equal(pool_at(language, 0)->options.login, LOGIN_NONE);
	assert_int_equal(pool_at(language, 0)->options.queue_timeout.ms, 0);
	assert_ptr_equal(submission->proto, &proto_submission);
	assert_int_equal(submission->starttls, STARTTLS_REQUIRED);
	assert_int_equal(submission->login_timeout.ms, 60 * 1000);
	assert_int_equal(submission->idle_timeout.ms, 6 * 60 * 1000);
	assert_int_equal(pool_at(language, 1)->port, 587);
	assert_int_equal(pool_at(language, 1)->options.login, LOGIN_PASSWORD);
	assert_int_equal(pool_at(language, 1)->options.queue_timeout.ms, 10 * 1000);
	conf_free(&conf);
}

/* Else everybody would be let in as anybody: the server is not asked, and nobody else is. */
static void
somebody_must_check_the_password(void **state)
{
	static const char *const logins[] = {
		"login none", "login trusted", "login master; master_user m; master_password_file /m"
	};
	static const struct {
		const char *auth, *problem;
	} rows[] = {
		{ "", "keeps it from the server, and there is no `auth`" },
		{ "; auth farm", "keeps it from the server, and `auth` leaves it to the server" },
		/* who is not in the file would be anybody */
		{ "; auth staff farm", "keeps it from the server, and `auth` leaves it to the server" },
		{ "; auth staff", NULL },
	};
	static const char any_auth[] = "auth staff { source file; path /u }\nauth farm { source server }\n"
				       "listener imap { bind *:143; tls main";
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			snprintf(text, sizeof(text), "%s; %s }\n%s; pool imap%s }",
			    TLS "pool imap { " SERVER, logins[i], any_auth, rows[k].auth);
			expect_problem(text, rows[k].problem);
		}
	}
	expect_problem(
	    TLS "pool imap { " SERVER "; login none }\nlistener imap { bind *:143; tls main; pool imap }",
	    "conf:3:39: nobody would check the password at listener imap");
}

static void
a_mechanism_must_be_left_to_offer(void **state)
{
	static const struct {
		const char *login, *auth, *problem;
	} rows[] = {
		{ "password", "proofs",
		    "conf:7:50: nobody could log in at listener imap: with `login password`" },
		{ "password", "both", NULL },
		{ "trusted; master_password_file /p", "proofs", NULL },
		{ "trusted; master_password_file /p", "proofs words",
		    "its `auth` have no mechanism in common" },
		{ "trusted; master_password_file /p", "both proofs", NULL },
		{ "trusted; master_password_file /p", "apop",
		    "its `auth` have no mechanism in common that its protocol has" },
	};
	static const char format[] =
	    TLS "pool imap { " SERVER "; login %s }\n"
		"auth proofs { source file; path /u; mechanisms CRAM-MD5 EXTERNAL }\n"
		"auth words { source file; path /u; mechanisms PLAIN }\n"
		"auth apop { source file; path /u; mechanisms APOP }\n"
		"auth both { source file; path /u; mechanisms PLAIN CRAM-MD5 }\n"
		"listener imap { bind *:143; tls main; pool imap; auth %s }";
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), format, rows[i].login, rows[i].auth);
		expect_problem(text, rows[i].problem);
	}
}

static void
a_pool_needs_servers_or_an_auth_that_names_hosts(void **state)
{
	static const struct {
		const char *auth, *second, *problem;
	} rows[] = {
		{ "", "staff", "conf:2:6: pool imap needs a farm or a server: no `auth` of listener imap" },
		{ "auth farm", "staff", "of listener imap" },
		{ "auth staff farm", "staff", "of listener imap" },
		{ "auth staff", "farm", "of listener second" },
		{ "auth staff", "staff", NULL },
	};
	static const char format[] =
	    TLS "pool imap { }\n"
		"auth staff { source file; path /u }\nauth farm { source server }\n"
		"listener imap { bind *:143; tls main; pool imap; %s }\n"
		"listener second { protocol imap; bind *:144; tls main; pool imap; auth %s }";
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), format, rows[i].auth, rows[i].second);
		expect_problem(text, rows[i].problem);
	}
}

static void
recipients_are_looked_up_by_who_can(void **state)
{
	static const char format[] =
	    TLS "auth staff { source file; path /u }\nauth farm { source server }\n"
		"pool %s { protocol %s%s }\n"
		"listener %s { bind *:125; tls main; plaintext_login yes; pool %s; lookup %s }";
	static const struct {
		const char *protocol, *server, *lookup, *problem;
	} rows[] = {
		{ "smtp", "; " SERVER, "staff", NULL },
		{ "smtp", "; " SERVER, "farm staff", NULL },
		{ "smtp", "", "staff", NULL },
		{ "smtp", "", "farm staff", "pool smtp needs a farm or a server" },
		{ "smtp", "; " SERVER, "farm", "nobody would be asked: farm cannot look users up" },
		{ "submission", "; " SERVER, "staff", "lookup has no meaning with protocol submission" },
		{ "imap", "; " SERVER, "staff", "lookup has no meaning with protocol imap" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *protocol = rows[i].protocol;

		snprintf(text, sizeof(text), format, protocol, protocol, rows[i].server, protocol, protocol,
		    rows[i].lookup);
		expect_problem(text, rows[i].problem);
	}
}

static void
a_protocol_has_its_ways(void **state)
{
	(void)state;
	expect_problem("pool imap { forward xclient; " SERVER " }",
	    "conf:1:13: imap has no `forward xclient`, only auto, id, proxy, proxy_v2, none");
	expect_problem("pool imap { login xclient; " SERVER " }",
	    "conf:1:13: imap has no `login xclient`, only password, master, trusted, none");
	expect_problem("pool tcp { forward id; port 7; " SERVER " }",
	    "conf:1:12: tcp has no `forward id`, only auto, proxy, proxy_v2, none");
	expect_problem("pool tcp { login password; port 7; " SERVER " }",
	    "conf:1:12: tcp has no `login password`, only none");
	expect_problem("pool tcp { login none; forward proxy_v2; port 7; " SERVER " }", NULL);
}

/* What is said once for pools of several protocols holds where it can. */
static void
shared_ways_are_for_those_that_have_them(void **state)
{
	static const char text[] =
	    "default pool { login trusted }\n"
	    "farm f { forward id; " SERVER " }\n"
	    "pool imap { farm f }\n"
	    "pool tcp { farm f; port 7 }\n"
	    "farm p { forward proxy_v2; " SERVER " }\n"
	    "pool raw { protocol tcp; farm p; port 7 }\n";
	struct language *language;
	struct conf *conf = load(text, &language);

	(void)state;
	assert_int_equal(pool_at(language, 0)->options.login, LOGIN_TRUSTED);
	assert_int_equal(pool_at(language, 0)->options.forward, FORWARD_ID);
	assert_int_equal(pool_at(language, 1)->options.login, LOGIN_NONE);
	assert_int_equal(pool_at(language, 1)->options.forward, FORWARD_AUTO);
	assert_int_equal(pool_at(language, 2)->options.forward, FORWARD_PROXY_V2);
	conf_free(&conf);
}

static void
tells_what_no_value_is(void **state)
{
	(void)state;
	expect_problem(TLS POOL "listener imap { bind *:143; tls main; pool imap; tcp_keepalive 2m 30s }",
	    "wants three values: idle interval count, as in 2m 30s 4");
	expect_problem(TLS POOL "listener imap { bind *:143; tls main; pool imap; tcp_keepalive 2m 30h 4 }",
	    "conf:3:67: tcp_keepalive: 30h is outside 1s to 32767s, in whole seconds");
	expect_problem(TLS POOL "listener imap { bind *:143; tls main; pool imap; tcp_keepalive 2m 30s 200 }",
	    "200 is outside 1 to 127");
	expect_problem(TLS POOL "listener imap { bind *; tls main; pool imap }", "port");
	expect_problem(TLS POOL "listener imap { bind *:143; tls main; pool imap; max_errors 0 }",
	    "0 is outside 1 to 100");
	expect_problem(TLS POOL "listener imap { bind *:143; tls main; pool imap; login_timeout 5h }",
	    "5h is outside 0s to 30m");
}

static void
peers_are_trusted_by_their_networks(void **state)
{
	static const char *const trusted[] = { "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", NULL };
	static const char *const others[] = { "10.2.0.1", "2001:db8:0:1::1", "127.0.0.1", NULL };
	struct language *language;
	struct conf *conf = load(TLS POOL
	    "listener imap { bind *:143; tls main; pool imap; trusted 10.1.0.0/16 2001:db8::/64 }\n"
	    "listener plain { protocol imap; bind *:144; tls main; pool imap }", &language);
	struct addr addr;

	(void)state;
	for (size_t i = 0; trusted[i] != NULL; i++) {
		assert_true(addr_parse(slice_of(trusted[i]), 1, &addr));
		assert_true(listener_trusts(listener_at(language, 0), &addr));
		assert_false(listener_trusts(listener_at(language, 1), &addr));
	}
	for (size_t i = 0; others[i] != NULL; i++) {
		assert_true(addr_parse(slice_of(others[i]), 1, &addr));
		assert_false(listener_trusts(listener_at(language, 0), &addr));
	}
	/* a unix socket has no address */
	addr = (struct addr){ .sa.sa_family = AF_UNIX };
	assert_false(listener_trusts(listener_at(language, 0), &addr));
	conf_free(&conf);
}

static void
no_server_is_the_proxy_itself(void **state)
{
	static const struct {
		const char *bind, *server;
		bool is_loop;
	} rows[] = {
		{ "127.0.0.2:1143", "127.0.0.2:1143", true },
		{ "127.0.0.2:1143", "127.0.0.2", true },	/* the pool's port */
		{ "127.0.0.2:1143", "127.0.0.2:143", false },
		{ "127.0.0.2:1143", "127.0.0.3:1143", false },
		{ "*:1143", "127.0.0.3:1143", true },
		{ "*:1143", "[::1]:1143", true },
		{ "*:1143", "127.0.0.3:143", false },
		{ "0.0.0.0:1143", "127.0.0.3:1143", true },
		{ "0.0.0.0:1143", "[::1]:1143", false },
		{ "[::]:1143", "[::1]:1143", true },
		{ "[::]:1143", "127.0.0.1:1143", false },
		/* other machines, who may listen at the same port */
		{ "*:1143", "192.0.2.1:1143", false },
		{ "*:1143", "[2001:db8::1]:1143", false },
		{ "*:1143 { interface eth0 }", "127.0.0.1:1143", false },
	};
	static const char format[] = TLS "pool imap { port 1143; server d01 { address %s } }\n"
					 "listener imap { bind *:993; bind %s; tls main; pool imap }";
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), format, rows[i].server, rows[i].bind);
		expect_problem(text, rows[i].is_loop ? "server d01 would be this proxy itself" : NULL);
	}
	expect_problem(TLS "farm f { server d01 { address 127.0.0.1 } }\n"
			   "pool imap { farm f; port 1143 }\npool tcp { farm f; port 7 }\n"
			   "listener imap { bind_tls *:7; tls main; pool imap }",
	    "conf:2:23: server d01 would be this proxy itself, which listens at 127.0.0.1:7");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imap_has_its_defaults),
		cmocka_unit_test(smtp_has_its_defaults),
		cmocka_unit_test(tcp_has_its_defaults),
		cmocka_unit_test(balance_is_by_protocol),
		cmocka_unit_test(what_is_written_wins),
		cmocka_unit_test(tells_what_does_not_fit),
		cmocka_unit_test(a_written_list_is_announced_without_the_proxys_words),
		cmocka_unit_test(names_the_listeners_that_a_default_does_not_fit),
		cmocka_unit_test(starttls_needs_a_protocol_that_has_it),
		cmocka_unit_test(somebody_must_check_the_password),
		cmocka_unit_test(a_mechanism_must_be_left_to_offer),
		cmocka_unit_test(a_pool_needs_servers_or_an_auth_that_names_hosts),
		cmocka_unit_test(recipients_are_looked_up_by_who_can),
		cmocka_unit_test(a_protocol_has_its_ways),
		cmocka_unit_test(shared_ways_are_for_those_that_have_them),
		cmocka_unit_test(peers_are_trusted_by_their_networks),
		cmocka_unit_test(no_server_is_the_proxy_itself),
		cmocka_unit_test(tells_what_no_value_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
