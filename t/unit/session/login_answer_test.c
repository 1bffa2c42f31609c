/* SPDX-License-Identifier: BSD-2-Clause */
/* login_answer_test.c: what a client hears of its auth source's answer, when, and what becomes of it then. */
#include "fake_source.h"

#include "session/listener_kept.h"

#define WRONG "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
#define UNAVAILABLE "a NO [UNAVAILABLE] Account is temporarily unavailable.\r\n"
#define BYE "* BYE [UNAVAILABLE] Account is temporarily unavailable.\r\n"

static const char imap_login[] = "a LOGIN bob secret\r\n";
static const char pop3_login[] = "USER bob\r\nPASS secret\r\n";
static const char sieve_login[] = "AUTHENTICATE \"PLAIN\" \"AGJvYgBzZWNyZXQ=\"\r\n";
static const char submission_login[] = "EHLO c.example.org\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\n";

static void
decide_open(struct rig *rig, const char *protocol, const char *listener)
{
	char lines[128];

	fake_request = NULL;
	fake_asked = fake_cancelled = 0;
	snprintf(lines, sizeof(lines), "auth fake\n%s", listener);
	rig_open_doors(rig, 1);
	rig_open_text(rig, &(struct rig_text){
	    .protocol = protocol, .top = "auth fake { source file }", .listener = lines });
}

/* Sooner or later, behind whatever else was said. */
static void
hear_last(struct peer *client, const char *text)
{
	const struct buf *heard = &client->heard;
	size_t len = strlen(text);
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(client->stream.loop, &watchdog, loop_now(client->stream.loop) + TAPE_PATIENCE_MS);
	while (buf_len(heard) < len || memcmp(buf_data(heard) + buf_len(heard) - len, text, len) != 0) {
		if (client->is_gone)
			fail_msg("heard \"%.*s\" and not \"%s\"", SLICE_ARGS(buf_slice(heard)), text);
		loop_run(client->stream.loop);
	}
	loop_timer_stop(client->stream.loop, &watchdog);
	buf_clear(&client->heard);
}

static void
each_protocol_has_its_words(void **state)
{
	enum { NO, LATER };
	static const struct {
		const char *protocol, *login;
		int verdict;
		const char *code, *reason, *words;
		bool is_guess;
	} rows[] = {
		{ "imap", imap_login, NO, NULL, NULL, WRONG, true },
		{ "imap", imap_login, NO, NULL, "Ask us", "a NO [AUTHENTICATIONFAILED] Ask us\r\n", true },
		{ "imap", imap_login, NO, "EXPIRED", "Old", "a NO [EXPIRED] Old\r\n", true },
		{ "imap", imap_login, NO, "EXPIRED", NULL,
		    "a NO [EXPIRED] Authentication failed.\r\n", true },
		{ "imap", imap_login, NO, "LIMIT", NULL, "a NO [LIMIT] Try again later.\r\n", false },
		{ "imap", imap_login, NO, "535 5.7.8", "No", "a NO [AUTHENTICATIONFAILED] No\r\n", true },
		{ "imap", imap_login, NO, "X] y", "No", "a NO [AUTHENTICATIONFAILED] No\r\n", true },
		{ "imap", imap_login, LATER, NULL, NULL,
		    UNAVAILABLE, false },
		{ "imap", imap_login, LATER, NULL, "Moving\r\n", "a NO [UNAVAILABLE] Moving??\r\n", false },
		{ "imap", imap_login, LATER, "INUSE", NULL, "a NO [INUSE] Try again later.\r\n", false },
		{ "imap", imap_login, LATER, "AUTHENTICATIONFAILED", NULL,
		    UNAVAILABLE, false },
		{ "pop3", pop3_login, NO, NULL, "No", "-ERR [AUTH] No\r\n", true },
		{ "pop3", pop3_login, NO, "SYS/PERM", "No", "-ERR [SYS/PERM] No\r\n", true },
		{ "pop3", pop3_login, NO, "-ERR [LOGIN-DELAY] Retry later", "Slowly",
		    "-ERR [LOGIN-DELAY] Slowly\r\n", false },
		{ "pop3", pop3_login, NO, "-ERR Authentication failed", "No", "-ERR [AUTH] No\r\n", true },
		{ "pop3", pop3_login, LATER, NULL, "Later", "-ERR [SYS/TEMP] Later\r\n", false },
		{ "sieve", sieve_login, NO, NULL, "a \"b\"", "NO \"a \\\"b\\\"\"\r\n", true },
		{ "sieve", sieve_login, NO, "QUOTA", "Full", "NO (QUOTA) \"Full\"\r\n", true },
		{ "sieve", sieve_login, NO, "TRYLATER", "Soon", "NO (TRYLATER) \"Soon\"\r\n", false },
		{ "sieve", sieve_login, LATER, NULL, "Soon", "NO (TRYLATER) \"Soon\"\r\n", false },
		{ "submission", submission_login, NO, "535 5.7.8", "No", "535 5.7.8 No\r\n", true },
		{ "submission", submission_login, NO, "535", NULL, "535 Authentication failed.\r\n", true },
		{ "submission", submission_login, NO, "451 4.3.2", NULL, "451 4.3.2 Try again later.\r\n",
		    false },
		{ "submission", submission_login, NO, "451 5.3.2", "No", "535 5.7.0 No\r\n", true },
		{ "submission", submission_login, NO, "LIMIT", "No", "535 5.7.0 No\r\n", true },
		{ "submission", submission_login, LATER, "535 5.7.8", "Soon", "454 4.7.0 Soon\r\n", false },
		{ "submission", submission_login, LATER, "421 4.3.2", "Soon", "421 4.3.2 Soon\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;
		struct peer client;
		struct session *s;

		decide_open(&rig, rows[i].protocol, "");
		s = rig_client(&rig, &client);
		peer_say(&client, rows[i].login);
		fake_answer(&rig, &(struct auth_answer){
		    .verdict = rows[i].verdict == LATER ? AUTH_LATER : AUTH_REFUSED,
		    .code = rows[i].code, .reason = rows[i].reason });
		hear_last(&client, rows[i].words);
		assert_int_equal(s->phase, FRONT_COMMAND);
		assert_int_equal(s->login->manners.errors, rows[i].is_guess);
		assert_int_equal(rig.settings->listener->counters[0].failed_logins, rows[i].is_guess);
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
a_refusal_may_wait(void **state)
{
	enum { WAIT_MS = 60 };
	struct rig rig;
	struct peer client;
	int64_t before;

	(void)state;
	decide_open(&rig, "imap", "");
	rig_client(&rig, &client);
	peer_expect(&client, "* OK");
	for (int i = 0; i < 2; i++) {
		turn_a_little(rig.loop);
		buf_clear(&client.heard);
		peer_say(&client, "a LOGIN bob wrong\r\nb NOOP\r\n");
		before = loop_now(rig.loop);
		fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_REFUSED, .wait_ms = WAIT_MS });
		assert_int_equal(buf_len(&client.heard), 0);
		peer_expect(&client, WRONG);
		assert_true(loop_now(rig.loop) - before >= WAIT_MS);
		peer_expect(&client, "b OK NOOP completed.\r\n");
	}
	assert_int_equal(fake_asked, 2);
	peer_close(&client);
	rig_close(&rig);
}

/* Or its session is stopped. */
static void
who_leaves_meanwhile_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct rig rig;
		struct peer client;
		struct session *s;

		decide_open(&rig, "imap", i == 2 ? "login_timeout 500ms" : "");
		s = rig_client(&rig, &client);
		peer_expect(&client, "* OK");
		peer_say(&client, imap_login);
		fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_REFUSED, .wait_ms = 3600 * 1000 });
		turn_a_little(rig.loop);
		assert_int_equal(s->phase, FRONT_AUTH);
		if (i == 0)
			session_end(s, END_CLIENT_LOST);
		else if (i == 1)
			session_stop(s);
		expect_all_gone(&rig);
		peer_close(&client);
		rig_close(&rig);
	}
}

static void
a_failure_may_end_the_session(void **state)
{
	static const struct {
		struct auth_answer answer;
		const char *listener, *words;
	} rows[] = {
		{ { .verdict = AUTH_REFUSED }, "",
		    WRONG "* BYE Login was refused.\r\n" },
		{ { .verdict = AUTH_REFUSED, .wait_ms = 20, .reason = "No" }, "",
		    "a NO [AUTHENTICATIONFAILED] No\r\n* BYE Login was refused.\r\n" },
		{ { .verdict = AUTH_LATER, .reason = "Soon" }, "",
		    "a NO [UNAVAILABLE] Soon\r\n" BYE },
		{ { .verdict = AUTH_LATER }, "",
		    UNAVAILABLE BYE },
		{ { .verdict = AUTH_LATER }, "unavailable bye",
		    BYE },
		{ { .verdict = AUTH_LATER, .reason = "Soon" }, "unavailable bye",
		    "a NO [UNAVAILABLE] Soon\r\n" BYE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_answer answer = rows[i].answer;
		struct rig rig;
		struct peer client;

		answer.ends_session = *rows[i].listener == '\0';
		decide_open(&rig, "imap", rows[i].listener);
		rig_client(&rig, &client);
		peer_expect(&client, "* OK");
		turn_a_little(rig.loop);
		buf_clear(&client.heard);
		peer_say(&client, "a LOGIN bob secret\r\nb NOOP\r\n");
		fake_answer(&rig, &answer);
		peer_expect(&client, rows[i].words);
		peer_expect_end(&client);
		peer_close(&client);
		rig_close(&rig);
	}
}

/* Of the pool it is 30 s. */
static void
an_answer_bounds_the_servers_time(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	decide_open(&rig, "imap", "");
	rig_client(&rig, &client);
	peer_expect(&client, "* OK");
	turn_a_little(rig.loop);
	buf_clear(&client.heard);
	peer_say(&client, imap_login);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK, .timeout_ms = 200 });
	server = door_accept(&rig.doors[0]);
	peer_expect(&client, UNAVAILABLE);
	peer_expect_end(server);
	peer_say(&client, imap_login);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK });
	server = rig_hear_login(&rig, login_line);
	peer_say(server, "L OK done\r\n");
	peer_expect(&client, "a OK");
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

static void
an_answer_may_delay_a_login(void **state)
{
	enum { DELAY_MS = 60 };
	struct rig rig;
	struct peer client;
	int64_t before;

	(void)state;
	for (int i = 0; i < 2; i++) {
		decide_open(&rig, i == 0 ? "imap" : "pop3", "");
		rig_client(&rig, &client);
		peer_say(&client, i == 0 ? imap_login : pop3_login);
		while (fake_request == NULL)
			turn_a_little(rig.loop);
		before = loop_now(rig.loop);
		fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK, .delay_ms = DELAY_MS });
		door_accept(&rig.doors[0]);
		assert_true(loop_now(rig.loop) - before >= DELAY_MS);
		peer_close(&client);
		rig.snapshot.events = 0;
		door_close(&rig.doors[0]);
		rig_close(&rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_protocol_has_its_words),
		cmocka_unit_test(a_refusal_may_wait),
		cmocka_unit_test(who_leaves_meanwhile_leaves_nothing),
		cmocka_unit_test(a_failure_may_end_the_session),
		cmocka_unit_test(an_answer_bounds_the_servers_time),
		cmocka_unit_test(an_answer_may_delay_a_login),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
