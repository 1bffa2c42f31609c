/* SPDX-License-Identifier: BSD-2-Clause */
/* guard_test.c: sessions before the counters of failed logins: what counts, who waits, who must go. */
#include "bound.h"

#include "access/penalty.h"
#include "session/listener_kept.h"

#define NEVER "auth_failure_delay 5m 5m"	/* who waits does so to the end of the test */

static const char refused[] = "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
static struct penalty *penalty;

/* `limits` is what stands in the block. */
static void
watch_open(struct rig *rig, const char *users, const char *limits, const char *listener)
{
	char top[256], lines[256];

	snprintf(top, sizeof(top), "limits l { %s }", limits);
	snprintf(lines, sizeof(lines), "limits l; %s %s", users != NULL ? "auth staff;" : "", listener);
	if (users != NULL) {
		decided_open(rig, users, &(struct rig_text){
		    .top = top, .pool = "retries 0", .listener = lines });
	} else {
		rig_open_doors(rig, 1);
		rig_open_text(rig, &(struct rig_text){
		    .protocol = "imap", .top = top, .pool = "retries 0", .listener = lines });
	}
	penalty = rig->snapshot.penalty = penalty_new(&counter_memory);
}

static void
watch_close(struct rig *rig)
{
	all_leave(rig);
	rig_close(rig);
	penalty_free(&penalty);
}

static struct session *
come(struct rig *rig, struct peer *client)
{
	struct session *s = rig_client(rig, client);

	peer_expect(client, client_greeting);
	return s;
}

static uint64_t
delayed(const struct rig *rig)
{
	return rig->settings->listener->counters[0].delayed_logins;
}

/* Turns until the counter says so. */
static void
await_delayed(struct rig *rig, uint64_t wanted)
{
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(rig->loop, &watchdog, loop_now(rig->loop) + TAPE_PATIENCE_MS);
	while (delayed(rig) < wanted)
		turn_a_little(rig->loop);
	loop_timer_stop(rig->loop, &watchdog);
	assert_int_equal(delayed(rig), wanted);
}

/* A login of bob's that the server refuses. */
static void
be_refused_there(struct rig *rig, struct peer *client)
{
	struct peer *server;

	peer_say(client, "a LOGIN bob secret\r\n");
	server = serve(rig, home_of_bob(rig));
	peer_say(server, "L NO wrong\r\n");
	peer_expect(client, refused);
	peer_close(server);
}

static void
a_guess_delays_the_next_login(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", "auth_failure_delay 20ms 20ms", "");
	s = come(&rig, &client);
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	assert_int_equal(delayed(&rig), 0);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 1);
	agree(serve(&rig, home_of_bob(&rig)), &client);
	assert_int_equal(s->phase, FRONT_RELAY);
	peer_close(&client);
	watch_close(&rig);
}

static void
unknown_names_wait_as_known_ones_do(void **state)
{
	static const char *const names[] = { "bob", "nobody" };
	struct rig rig;
	struct peer client;
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		watch_open(&rig, "bob:{PLAIN}secret\n", NEVER, "");
		come(&rig, &client);
		snprintf(line, sizeof(line), "a LOGIN %s wrong\r\n", names[i]);
		peer_say(&client, line);
		peer_expect(&client, refused);
		peer_say(&client, line);
		await_delayed(&rig, 1);
		peer_close(&client);
		watch_close(&rig);
	}
}

static void
who_leaves_while_waiting_leaves_nothing(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", NEVER, "");
	s = come(&rig, &client);
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 1);
	assert_true(guard_delays(s));
	assert_int_equal(s->phase, FRONT_AUTH);
	session_end(s, END_SHUTDOWN);
	peer_expect(&client, "* BYE [UNAVAILABLE] Please connect again.\r\n");
	peer_close(&client);
	watch_close(&rig);
}

static void
login_timeout_does_not_cut_a_delay(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", "auth_failure_delay 2200ms 2200ms", "login_timeout 2s");
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	peer_say(&client, "a LOGIN bob secret\r\n");
	agree(serve(&rig, home_of_bob(&rig)), &client);
	peer_close(&client);
	watch_close(&rig);
}

static void
who_was_right_once_waits_for_own_failures_only(void **state)
{
	struct rig rig;
	struct peer client, other;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", NEVER, "");
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob secret\r\n");
	agree(serve(&rig, home_of_bob(&rig)), &client);
	peer_close(&client);
	come(&rig, &other);
	peer_say(&other, "a LOGIN ann wrong\r\n");
	peer_expect(&other, refused);
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob secret\r\n");
	agree(serve(&rig, home_of_bob(&rig)), &client);
	peer_close(&client);
	assert_int_equal(delayed(&rig), 0);
	peer_say(&other, "a LOGIN ann wrong\r\n");
	await_delayed(&rig, 1);
	peer_close(&other);
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 2);
	peer_close(&client);
	watch_close(&rig);
}

static void
a_user_who_may_not_has_guessed_nothing(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret:nologin reason=closed\n", NEVER, "");
	come(&rig, &client);
	for (int i = 0; i < 2; i++) {
		peer_say(&client, "a LOGIN bob secret\r\n");
		peer_expect(&client, "a NO [CONTACTADMIN] closed\r\n");
	}
	assert_int_equal(delayed(&rig), 0);
	assert_int_equal(rig.settings->listener->counters[0].failed_logins, 2);
	/* but who does not know the password has */
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 1);
	peer_close(&client);
	watch_close(&rig);
}

static void
what_the_server_refuses_counts_and_its_ok_too(void **state)
{
	struct rig rig;
	struct peer client, other;

	(void)state;
	watch_open(&rig, NULL, NEVER, "");
	come(&rig, &client);
	rig_log_in(&rig, &client);
	come(&rig, &other);
	be_refused_there(&rig, &other);
	peer_say(&other, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 1);
	peer_close(&other);
	come(&rig, &other);
	/* another user at the address: the first one's success was its own */
	peer_say(&other, "a LOGIN ann secret\r\n");
	await_delayed(&rig, 2);
	peer_close(&other);
	peer_close(&client);
	watch_close(&rig);
}

static void
failures_that_are_not_the_clients_do_not_count(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	/* a server that does not take whom the source vouches for */
	watch_open(&rig, "bob:{PLAIN}secret\n", NEVER, "");
	come(&rig, &client);
	be_refused_there(&rig, &client);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = serve(&rig, home_of_bob(&rig));
	/* and one that leaves */
	peer_close(server);
	peer_expect(&client, unavailable);
	peer_close(&client);
	assert_int_equal(delayed(&rig), 0);
	watch_close(&rig);

	watch_open(&rig, NULL, NEVER, "");
	door_refuse(&rig.doors[0]);
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob secret\r\n");
	peer_expect(&client, unavailable);
	peer_say(&client, "a LOGIN bob secret\r\n");
	peer_expect(&client, unavailable);
	assert_int_equal(delayed(&rig), 0);
	peer_close(&client);
	watch_close(&rig);
}

static void
without_limits_or_when_exempt_nothing_counts(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	for (int i = 0; i < 3; i++) {
		watch_open(&rig, "bob:{PLAIN}secret\n",
		    i == 0 ? NEVER "; exempt 192.0.2.0/24; auth_ban 1 1h 1h" : NEVER "; auth_ban 1 1h 1h",
		    i == 1 ? "trusted 192.0.2.7" : "");
		if (i == 2)
			rig.settings->limits = NULL;
		rig_client(&rig, &client);
		peer_expect(&client, "* OK [CAPABILITY IMAP4rev1 SASL-IR ID IDLE AUTH=PLAIN AUTH=LOGIN] ");
		peer_expect(&client, "lb.example.com ready.\r\n");
		for (int k = 0; k < 3; k++) {
			peer_say(&client, "a LOGIN bob wrong\r\n");
			peer_expect(&client, refused);
		}
		assert_int_equal(delayed(&rig), 0);
		assert_int_equal(rig.settings->listener->counters[0].banned, 0);
		peer_close(&client);
		watch_close(&rig);
	}
}

static void
expect_told_away(struct rig *rig, struct peer *client, const char *from, uint64_t banned)
{
	char words[128];

	snprintf(words, sizeof(words), "* BYE [LIMIT] Too many failed logins from %s.\r\n", from);
	peer_expect(client, words);
	peer_expect_end(client);
	peer_close(client);
	assert_int_equal(rig->settings->listener->counters[0].banned, banned);
}

static void
expect_turned_away(struct rig *rig, struct peer *client, uint64_t banned)
{
	expect_told_away(rig, client, "192.0.2.7", banned);
}

static void
the_banned_are_turned_away(void **state)
{
	struct rig rig;
	struct peer client, there;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", "auth_failure_delay none; auth_ban 2 1h 1h", "");
	come(&rig, &there);
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob wrong\r\na LOGIN bob worse\r\n");
	peer_expect(&client, refused);
	peer_expect(&client, refused);
	expect_turned_away(&rig, &client, 1);
	rig_client(&rig, &client);
	expect_turned_away(&rig, &client, 2);
	/* one that was there before: with its next login */
	peer_say(&there, "a NOOP\r\n");
	peer_expect(&there, "a OK NOOP completed.\r\n");
	peer_say(&there, "a LOGIN bob secret\r\n");
	expect_turned_away(&rig, &there, 3);
	/* before a handshake there are no words */
	rig.gate.is_tls = true;
	rig_client(&rig, &client);
	peer_expect_end(&client);
	peer_close(&client);
	assert_int_equal(rig.settings->listener->counters[0].banned, 4);
	watch_close(&rig);
}

/* Others of its address have it banned while a login waits. */
static void
a_ban_meets_those_who_wait(void **state)
{
	struct rig rig;
	struct peer client, other;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", "auth_failure_delay 300ms 300ms; auth_ban 2 1h 1h", "");
	come(&rig, &client);
	come(&rig, &other);
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	peer_say(&other, "a LOGIN ann wrong\r\n");
	await_delayed(&rig, 1);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 2);
	peer_expect(&other, refused);
	/* both end at once: whose turn comes first counts first */
	peer_expect(&other, "* BYE [LIMIT] ");
	expect_turned_away(&rig, &client, 2);
	peer_close(&other);
	watch_close(&rig);
}

static void
whom_a_trusted_peer_tells_of_is_the_client(void **state)
{
	static const char told[] = "i ID (\"x-originating-ip\" \"198.51.100.7\")\r\n";
	struct rig rig;
	struct peer client;

	(void)state;
	watch_open(&rig, "bob:{PLAIN}secret\n", NEVER "; auth_ban 2 1h 1h", "trusted 192.0.2.7");
	come(&rig, &client);
	peer_say(&client, told);
	peer_expect(&client, "* ID (\"name\" \"gatepost\")\r\ni OK ID completed.\r\n");
	peer_say(&client, "a LOGIN bob wrong\r\n");
	peer_expect(&client, refused);
	peer_say(&client, "a LOGIN bob secret\r\n");
	await_delayed(&rig, 1);
	peer_close(&client);

	/* another one of its clients has failed, too */
	rig.settings->limits->auth_failure_delay.first_ms = 0;
	come(&rig, &client);
	peer_say(&client, told);
	peer_expect(&client, "* ID (\"name\" \"gatepost\")\r\ni OK ID completed.\r\n");
	peer_say(&client, "a LOGIN ann wrong\r\n");
	peer_expect(&client, refused);
	expect_told_away(&rig, &client, "198.51.100.7", 1);
	come(&rig, &client);
	peer_say(&client, told);
	peer_expect(&client, "* ID (\"name\" \"gatepost\")\r\ni OK ID completed.\r\n");
	expect_told_away(&rig, &client, "198.51.100.7", 2);
	/* and the peer may speak for itself */
	come(&rig, &client);
	peer_say(&client, "a LOGIN bob secret\r\n");
	agree(serve(&rig, home_of_bob(&rig)), &client);
	peer_close(&client);
	watch_close(&rig);
}

static void
whom_a_proxy_header_tells_of_is_the_client(void **state)
{
	static const char header[] = "PROXY TCP4 198.51.100.7 203.0.113.1 4711 143\r\n";
	struct rig rig;
	struct peer client;

	(void)state;
	for (int tls = 0; tls < 2; tls++) {
		watch_open(&rig, "bob:{PLAIN}secret\n", "auth_ban 1 1h 1h", "accept_proxy 192.0.2.0/24");
		rig_client(&rig, &client);
		peer_say(&client, header);
		peer_expect(&client, client_greeting);
		peer_say(&client, "a LOGIN bob wrong\r\n");
		peer_expect(&client, refused);
		expect_told_away(&rig, &client, "198.51.100.7", 1);
		rig.gate.is_tls = tls != 0;
		rig_client(&rig, &client);
		peer_say(&client, header);
		if (tls != 0)
			peer_expect_end(&client);
		else
			expect_told_away(&rig, &client, "198.51.100.7", 2);
		assert_int_equal(rig.settings->listener->counters[0].banned, 2);
		peer_close(&client);
		watch_close(&rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guess_delays_the_next_login),
		cmocka_unit_test(unknown_names_wait_as_known_ones_do),
		cmocka_unit_test(who_leaves_while_waiting_leaves_nothing),
		cmocka_unit_test(login_timeout_does_not_cut_a_delay),
		cmocka_unit_test(who_was_right_once_waits_for_own_failures_only),
		cmocka_unit_test(a_user_who_may_not_has_guessed_nothing),
		cmocka_unit_test(what_the_server_refuses_counts_and_its_ok_too),
		cmocka_unit_test(failures_that_are_not_the_clients_do_not_count),
		cmocka_unit_test(without_limits_or_when_exempt_nothing_counts),
		cmocka_unit_test(the_banned_are_turned_away),
		cmocka_unit_test(a_ban_meets_those_who_wait),
		cmocka_unit_test(whom_a_trusted_peer_tells_of_is_the_client),
		cmocka_unit_test(whom_a_proxy_header_tells_of_is_the_client),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
