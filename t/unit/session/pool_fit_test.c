/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_fit_test.c: what pools of a protocol that logs nobody in may say, and where they are told. */
#include "language.h"

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
	static const char two[] = "server a { address ::1 }; server b { address ::2 }";
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "pool raw { %s }\n%s", two, LISTENER);
	expect_problem(text,
	    "conf:1:31: address: ::1 lacks a port: tcp has no default, and pool raw no `port`");
	expect_problem(text, "conf:1:57: address: ::2 lacks a port");
	snprintf(text, sizeof(text), "farm f { %s }\npool raw { farm f }\n%s", two, LISTENER);
	expect_problem(text, "conf:1:29: address: ::1 lacks a port");
	snprintf(text, sizeof(text), "farm f { %s }\npool raw { farm f; port 7 }\n%s", two, LISTENER);
	expect_problem(text, NULL);
	expect_problem("pool raw { server a { address [::1]:7 } }\n" LISTENER, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starttls_needs_a_protocol_that_has_it),
		cmocka_unit_test(servers_need_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
