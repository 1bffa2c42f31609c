/* SPDX-License-Identifier: BSD-2-Clause */
/* login_led_test.c: exchanges that the auth source leads: who it is comes with its answer. */
#include "bound.h"
#include "leader.h"

#include "session/login.h"

/* RFC 5802's exchange, in base64. */
#define FIRST "biwsbj11c2VyLHI9Znlrbytk"	/* n,,n=user,r=fyko+d */
#define CHALLENGE "cj1meWtvK2QzcmZjLHM9UVNYLGk9NDA5Ng=="
#define FINAL "Yz1iaXdzLHI9ZnlrbytkM3JmYyxwPXYwWA=="	/* c=biws,r=fyko+d3rfc,p=v0X */
#define SIGNATURE "dj1ybUY5"

static const char challenge[] = "r=fyko+d3rfc,s=QSX,i=4096";
static const char refused[] = "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";

static const struct auth_answer ok = { .verdict = AUTH_OK, .user = "Bob" };

static void
open_led(struct rig *rig, const char *protocol, const char *directives)
{
	char top[256];

	snprintf(top, sizeof(top), "auth lead { source server; %s }", directives);
	rig_open_doors(rig, 1);
	rig_open_text(rig, &(struct rig_text){ .protocol = protocol, .top = top,
	    .pool = "login trusted; forward none", .listener = "auth lead" });
}

/* Everything that is said is of interest only from here on. */
static void
hear_line(struct peer *client, const char *begin)
{
	const struct buf *heard = &client->heard;

	peer_expect(client, begin);
	while (buf_len(heard) == 0 || buf_slice(heard).data[buf_len(heard) - 1] != '\n')
		loop_run(client->stream.loop);
	buf_clear(&client->heard);
}

static void
close_led(struct rig *rig, struct peer *client)
{
	peer_close(client);
	all_leave(rig);
	rig_close(rig);
}

/* What is said in each protocol; a server says one thing or two before it is shown bob, and one to that. */
static const struct way {
	const char *protocol, *greeting;
	const char *hello[2];		/* the client's, and the answer to it */
	const char *first, *prompt, *final, *signature, *nothing, *ok;
	const char *says[3], *shown;
} ways[] = {
	{ "imap", "* OK ", { NULL, NULL }, "a AUTHENTICATE SCRAM-SHA-1 " FIRST "\r\n",
	    "+ " CHALLENGE "\r\n", FINAL "\r\n", "+ " SIGNATURE "\r\n", "\r\n", "a OK ",
	    { "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] hi\r\n", NULL, "L OK x\r\n" },
	    "L AUTHENTICATE PLAIN AEJvYgB0cnVzdGVk\r\n" },
	{ "pop3", "+OK ", { NULL, NULL }, "AUTH SCRAM-SHA-1 " FIRST "\r\n",
	    "+ " CHALLENGE "\r\n", FINAL "\r\n", "+ " SIGNATURE "\r\n", "\r\n", "+OK ",
	    { "+OK hi\r\n", "+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN\r\n.\r\n", "+OK x\r\n" },
	    "CAPA\r\nAUTH PLAIN AEJvYgB0cnVzdGVk\r\n" },
	{ "submission", "220 ", { "EHLO there\r\n", "250-" }, "AUTH SCRAM-SHA-1 " FIRST "\r\n",
	    "334 " CHALLENGE "\r\n", FINAL "\r\n", "334 " SIGNATURE "\r\n", "\r\n", "235 ",
	    { "220 hi\r\n", "250-hi\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n", "235 2.7.0 x\r\n" },
	    "EHLO lb.example.com\r\nAUTH PLAIN AEJvYgB0cnVzdGVk\r\n" },
	{ "sieve", "\"IMPLEMENTATION\"", { NULL, NULL }, "AUTHENTICATE \"SCRAM-SHA-1\" \"" FIRST "\"\r\n",
	    "\"" CHALLENGE "\"\r\n", "\"" FINAL "\"\r\n", "\"" SIGNATURE "\"\r\n", "\"\"\r\n", "OK ",
	    { "\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto\"\r\nOK \"hi\"\r\n", NULL, "OK \"x\"\r\n" },
	    "AUTHENTICATE \"PLAIN\" \"AEJvYgB0cnVzdGVk\"\r\n" },
};

static void
serve_way(struct rig *rig, struct peer *client, const struct way *way)
{
	struct peer *server = door_accept(&rig->doors[0]);

	peer_say(server, way->says[0]);
	if (way->says[1] != NULL) {
		size_t line = strcspn(way->shown, "\n") + 1;
		char first[64];

		snprintf(first, sizeof(first), "%.*s", (int)line, way->shown);
		peer_expect(server, first);
		peer_say(server, way->says[1]);
		peer_expect(server, way->shown + line);
	} else {
		peer_expect(server, way->shown);
	}
	peer_say(server, way->says[2]);
	hear_line(client, way->ok);
}

static void
two_rounds_lead_to_a_server(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct auth_answer answers[] = {
			leader_challenge(challenge), leader_challenge("v=rmF9"), ok,
		};
		const struct way *way = &ways[i];
		struct rig rig;
		struct peer client;
		const struct session *s;

		open_led(&rig, way->protocol, "mechanisms SCRAM-SHA-1");
		leader_prepare(answers, 3);
		s = rig_client(&rig, &client);
		hear_line(&client, way->greeting);
		if (way->hello[0] != NULL) {
			peer_say(&client, way->hello[0]);
			hear_line(&client, way->hello[1]);
		}
		peer_say(&client, way->first);
		peer_expect(&client, way->prompt);
		assert_int_equal(leader.mechanism, MECHANISM_SCRAM_SHA_1);
		assert_string_equal(leader.heard, "n,,n=user,r=fyko+d");
		assert_string_equal(leader.user, "");
		peer_say(&client, way->final);
		peer_expect(&client, way->signature);
		assert_string_equal(leader.heard, "c=biws,r=fyko+d3rfc,p=v0X");
		peer_say(&client, way->nothing);
		serve_way(&rig, &client, way);
		assert_string_equal(leader.heard, "");
		assert_int_equal(leader.starts, 1);
		assert_int_equal(leader.responses, 2);
		assert_int_equal(leader.cancels, 0);
		assert_string_equal(s->identity.user, "bob");
		close_led(&rig, &client);
	}
}

static void
arrive(struct rig *rig, struct peer *client, const char *directives)
{
	open_led(rig, "imap", directives);
	rig_client(rig, client);
	hear_line(client, "* OK ");
}

static void
no_first_word_is_not_an_empty_one(void **state)
{
	static const struct {
		const char *line;
		bool has_initial;
	} rows[] = {
		{ "a AUTHENTICATE GSSAPI\r\n", false }, { "a AUTHENTICATE GSSAPI =\r\n", true },
		{ "a AUTHENTICATE gssapi eA==\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct auth_answer answers[] = {
			leader_challenge(""), { .verdict = AUTH_REFUSED },
		};
		struct rig rig;
		struct peer client;

		arrive(&rig, &client, "");
		leader_prepare(answers, 2);
		peer_say(&client, rows[i].line);
		peer_expect(&client, "+ \r\n");
		assert_int_equal(leader.mechanism, MECHANISM_GSSAPI);
		assert_int_equal(leader.has_initial, rows[i].has_initial);
		assert_string_equal(leader.heard, i == 2 ? "x" : "");
		peer_say(&client, "eQ==\r\n");
		peer_expect(&client, refused);
		assert_string_equal(leader.heard, "y");
		close_led(&rig, &client);
	}
}

static void
log_in(struct rig *rig, struct peer *client)
{
	leader_prepare(&ok, 1);
	peer_say(client, "a AUTHENTICATE PLAIN AGJvYgBzZWNyZXQ=\r\n");
	serve_way(rig, client, &ways[0]);
	assert_int_equal(leader.mechanism, MECHANISM_PLAIN);
	assert_string_equal(leader.user, "bob");
	assert_string_equal(leader.password, "secret");
}

/* The source hears that nothing more will come, and the session goes on. */
static void
what_breaks_off_is_cancelled(void **state)
{
	static const char *const lines[] = { "*\r\n", "not base64\r\n", "=\r\n", "eA\r\n" };
	const struct auth_answer answers[] = { leader_challenge(challenge) };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct rig rig;
		struct peer client;

		arrive(&rig, &client, "");
		for (int times = 0; times < 2; times++) {
			leader_prepare(answers, 1);
			peer_say(&client, ways[0].first);
			peer_expect(&client, ways[0].prompt);
			assert_int_equal(leader.cancels, 0);
			peer_say(&client, lines[i]);
			hear_line(&client, "a BAD ");
			assert_int_equal(leader.cancels, 1);
			assert_int_equal(leader.responses, 0);
		}
		log_in(&rig, &client);
		close_led(&rig, &client);
	}
}

static void
a_client_may_leave_at_any_time(void **state)
{
	const struct auth_answer answer = leader_challenge(challenge);

	(void)state;
	for (int is_late = 0; is_late < 2; is_late++) {
		struct rig rig;
		struct peer client;

		arrive(&rig, &client, "");
		leader_prepare(&answer, is_late != 0 ? 0 : 1);
		peer_say(&client, ways[0].first);
		if (is_late == 0)
			peer_expect(&client, ways[0].prompt);
		await(rig.loop, &leader.starts, 1);
		peer_close(&client);
		turn_a_little(rig.loop);
		/* as with all that is asked, the answer is awaited */
		if (is_late != 0)
			leader_say(leader.waiting, &answer);
		expect_all_gone(&rig);
		assert_int_equal(leader.cancels, 1);
		rig_close(&rig);
	}
}

/* Nothing that comes meanwhile is lost, or taken for an answer. */
static void
answers_may_be_late(void **state)
{
	const struct auth_answer late = leader_challenge(challenge);
	struct rig rig;
	struct peer client;

	(void)state;
	arrive(&rig, &client, "");
	leader_prepare(NULL, 0);
	peer_say(&client, ways[0].first);
	await(rig.loop, &leader.starts, 1);
	peer_say(&client, FINAL "\r\n");
	turn_a_little(rig.loop);
	assert_int_equal(leader.responses, 0);
	leader_say(leader.waiting, &late);
	peer_expect(&client, ways[0].prompt);
	await(rig.loop, &leader.responses, 1);
	assert_string_equal(leader.heard, "c=biws,r=fyko+d3rfc,p=v0X");
	leader_say(leader.waiting, &ok);
	serve_way(&rig, &client, &ways[0]);
	close_led(&rig, &client);
}

/* A source should wait for its client; one that does not harms only this login. */
static void
answers_that_nobody_awaits_end_the_exchange(void **state)
{
	const struct auth_answer first = leader_challenge(challenge), no = { .verdict = AUTH_REFUSED };
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	open_led(&rig, "imap", "");
	s = rig_client(&rig, &client);
	hear_line(&client, "* OK ");
	leader_prepare(&first, 1);
	peer_say(&client, ways[0].first);
	peer_expect(&client, ways[0].prompt);
	leader_say(&s->login->auth, &no);
	peer_expect(&client, refused);
	peer_say(&client, FINAL "\r\n");
	hear_line(&client, FINAL " BAD ");
	assert_int_equal(leader.responses, 0);
	leader_prepare(&first, 1);
	peer_say(&client, ways[0].first);
	peer_expect(&client, ways[0].prompt);
	leader_say(&s->login->auth, &ok);
	serve_way(&rig, &client, &ways[0]);
	close_led(&rig, &client);
}

static void
the_answer_says_who_it_is(void **state)
{
	static const char later[] = "a NO [UNAVAILABLE] Account is temporarily unavailable.\r\n";
	static const struct {
		const char *directives, *user;
		enum auth_verdict verdict;
		const char *heard;		/* NULL: the login is good */
	} rows[] = {
		{ "", "bob", AUTH_OK, NULL }, { "domains example.org", "bob@example.org", AUTH_OK, NULL },
		{ "", NULL, AUTH_OK, later }, { "", "", AUTH_OK, later },
		{ "domains example.org", NULL, AUTH_OK, later },
		{ "domains example.org", "bob@example.com", AUTH_OK, refused },
		{ "domains example.org", "bob", AUTH_OK, refused },
		{ "", NULL, AUTH_REFUSED, refused }, { "", "bob", AUTH_REFUSED, refused },
		{ "", NULL, AUTH_LATER, later }, { "domains example.org", "bob", AUTH_LATER, later },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct auth_answer answer = { .verdict = rows[i].verdict, .user = rows[i].user };
		struct rig rig;
		struct peer client, *server;

		arrive(&rig, &client, rows[i].directives);
		leader_prepare(&answer, 1);
		peer_say(&client, ways[0].first);
		if (rows[i].heard != NULL) {
			peer_expect(&client, rows[i].heard);
		} else {
			server = door_accept(&rig.doors[0]);
			peer_say(server, server_greeting);
			expect_login(server, "", rows[i].user, "trusted");
			agree(server, &client);
		}
		close_led(&rig, &client);
	}
}

/* Who was led before is nobody now. */
static void
a_name_is_not_kept_for_the_next_try(void **state)
{
	const struct auth_answer no = { .verdict = AUTH_REFUSED, .user = "bob" };
	const struct auth_answer nobody = { .verdict = AUTH_OK };
	struct rig rig;
	struct peer client;

	(void)state;
	arrive(&rig, &client, "");
	leader_prepare(&no, 1);
	peer_say(&client, ways[0].first);
	peer_expect(&client, refused);
	leader_prepare(&nobody, 1);
	peer_say(&client, ways[0].first);
	hear_line(&client, "a NO [UNAVAILABLE] ");
	assert_string_equal(leader.user, "");
	log_in(&rig, &client);
	close_led(&rig, &client);
}

/* No server could be shown a proof: none is offered, nor taken. */
static void
servers_that_want_passwords_leave_no_proofs(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	rig_open_doors(&rig, 1);
	rig_open_text(&rig, &(struct rig_text){ .protocol = "imap", .top = "auth lead { source server }",
	    .listener = "auth lead" });
	leader_prepare(&ok, 1);
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, ways[0].first);
	hear_line(&client, "a NO ");
	assert_int_equal(leader.starts, 0);
	close_led(&rig, &client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_rounds_lead_to_a_server),
		cmocka_unit_test(no_first_word_is_not_an_empty_one),
		cmocka_unit_test(what_breaks_off_is_cancelled),
		cmocka_unit_test(a_client_may_leave_at_any_time),
		cmocka_unit_test(answers_may_be_late),
		cmocka_unit_test(answers_that_nobody_awaits_end_the_exchange),
		cmocka_unit_test(the_answer_says_who_it_is),
		cmocka_unit_test(a_name_is_not_kept_for_the_next_try),
		cmocka_unit_test(servers_that_want_passwords_leave_no_proofs),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
