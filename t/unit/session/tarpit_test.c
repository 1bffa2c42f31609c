/* SPDX-License-Identifier: BSD-2-Clause */
/* tarpit_test.c: what is borne before a mail: by `limits`, by the listener, under stress. */
#include "client.h"

enum { COMMANDS = 30 };

struct bound {
	const char *limits, *listener;
	int level;			/* of stress */
	int borne;			/* replies before the last words; COMMANDS: all are heard */
};

/* The same command again and again. */
static void
expect_bound(const struct bound *bound, const char *command, const char *reply)
{
	struct rig rig;
	struct peer client;
	char top[256], listener[256];

	rig_open_doors(&rig, 1);
	snprintf(top, sizeof(top), "limits l { error_delay 0s; %s }", bound->limits);
	snprintf(listener, sizeof(listener), "limits l; %s", bound->listener);
	rig_open_text(&rig, &(struct rig_text){
	    .protocol = "smtp", .pool = "forward none", .top = top, .listener = listener });
	atomic_store(&rig.settings->listener->stress.level, bound->level);
	rig_client(&rig, &client);
	peer_expect(&client, "220 lb.example.com ESMTP ready\r\n");
	for (int i = 0; i < COMMANDS; i++)
		peer_say(&client, command);
	peer_say(&client, "QUIT\r\n");
	for (int i = 0; i < bound->borne; i++)
		peer_expect(&client, reply);
	peer_expect(&client, bound->borne == COMMANDS ? "221 2.0.0 Goodbye.\r\n" :
	    "421 4.7.0 lb.example.com Error: too many errors\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	rig_close(&rig);
}

static void
errors_are_borne_as_limits_say(void **state)
{
	static const struct bound rows[] = {
		{ "hard_errors 4", "max_errors 2", STRESS_NONE, 4 },
		{ "hard_errors 4", "max_errors 9", STRESS_NONE, 4 },
		{ "hard_errors 0", "max_errors 3", STRESS_NONE, 3 },
		{ "hard_errors 4; exempt 192.0.2.7", "max_errors 2", STRESS_NONE, 2 },
		{ "hard_errors 9", "max_errors 2", STRESS_HIGH, 5 },
		{ "hard_errors 3", "", STRESS_HIGH, 3 },
		{ "hard_errors 9", "max_errors 2", STRESS_EXTREME, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_bound(&rows[i], "FOO\r\n", "500 5.5.1 Unknown command.\r\n");
}

/* One more than the limit is let pass, as by Postfix. */
static void
idle_commands_are_borne_as_limits_say(void **state)
{
	static const struct bound rows[] = {
		{ "junk_commands 5; hard_errors 2", "", STRESS_NONE, 8 },
		{ "junk_commands 0; hard_errors 2", "", STRESS_NONE, COMMANDS },
		{ "junk_commands 100; hard_errors 2", "", STRESS_HIGH, 13 },
		{ "junk_commands 0; hard_errors 2", "", STRESS_HIGH, 13 },
		{ "junk_commands 5; hard_errors 2", "", STRESS_HIGH, 8 },
		{ "junk_commands 100; hard_errors 2", "", STRESS_EXTREME, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_bound(&rows[i], "NOOP\r\n", "250 2.0.0 OK\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_borne_as_limits_say),
		cmocka_unit_test(idle_commands_are_borne_as_limits_say),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
