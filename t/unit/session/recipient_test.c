/* SPDX-License-Identifier: BSD-2-Clause */
/* recipient_test.c: mail goes where its listener's lookup sources say, and waits for them. */
#include "fake_source.h"

#define NOBODY "451 4.3.0 Nobody can say now where this recipient belongs\r\n"
#define ELSEWHERE "451 4.3.0 Send to this recipient in a mail of its own\r\n"
#define NO_SERVER "451 4.3.2 No mail server is available, try again later\r\n"
#define LOST "451 4.3.0 Mail server was lost, try again later\r\n"
#define MAIL "MAIL FROM:<a@x>\r\n"
#define BOB "RCPT TO:<Bob+x@Example.org>\r\n"
#define MAIL_OK "250 2.1.0 Ok\r\n"

static struct session *
mx_open(struct rig *rig, struct peer *client, const char *top)
{
	char text[512];
	struct session *s;

	fake_request = NULL;
	fake_asked = fake_cancelled = 0;
	snprintf(text, sizeof(text), "auth fake { source file }\nusers { master_separator + }\n%s", top);
	rig_open_doors(rig, 2);
	rig_open_text(rig, &(struct rig_text){
	    .protocol = "smtp", .top = text, .pool = "forward none; balance leastconn",
	    .listener = "lookup fake" });
	rig_list_gate(rig);
	s = rig_client(rig, client);
	peer_say(client, "HELO c.example.org\r\n");
	peer_expect(client, "220 lb.example.com ESMTP ready\r\n250 lb.example.com\r\n");
	return s;
}

static struct peer *
serve(struct rig *rig, int server)
{
	return rig_serve_mail(rig, server, "250 PIPELINING\r\n");
}

static void
await_question(struct rig *rig)
{
	while (fake_request == NULL)
		turn_a_little(rig->loop);
}

static void
the_answer_says_where(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	(void)state;
	s = mx_open(&rig, &client, "");
	peer_say(&client, MAIL BOB "DATA\r\n");
	await_question(&rig);
	peer_expect(&client, MAIL_OK);
	assert_true(fake_request->is_lookup);
	assert_null(fake_request->credentials);
	assert_string_equal(fake_request->user, "bob@example.org");
	assert_string_equal(fake_request->identity->helo, "c.example.org");
	assert_true(slice_equals(fake_request->scene->mail, "MAIL FROM:<a@x>"));
	assert_true(slice_equals(fake_request->scene->recipient, "RCPT TO:<Bob+x@Example.org>"));
	fake_answer(&rig, &(struct auth_answer){
	    .verdict = AUTH_OK, .server = "d01", .refuses_login = true });
	server = serve(&rig, 1);
	peer_expect(server, MAIL);
	peer_say(server, "250 m\r\n");
	peer_expect(server, BOB "DATA\r\n");
	peer_say(server, "250 r\r\n354 d\r\n");
	peer_expect(&client, "250 r\r\n354 d\r\n");
	peer_say(&client, "hi\r\n.\r\n");
	peer_expect(server, "hi\r\n.\r\n");
	peer_say(server, "250 q\r\n");
	peer_expect(&client, "250 q\r\n");
	/* the same server is kept, and another one is not */
	peer_say(&client, MAIL BOB);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK, .server = "d01" });
	peer_expect(server, MAIL);
	peer_say(server, "250 m\r\n");
	peer_expect(server, BOB);
	peer_say(server, "250 r\r\n");
	peer_expect(&client, MAIL_OK "250 r\r\n");
	peer_say(&client, "RSET\r\n" MAIL BOB);
	peer_expect(server, "RSET\r\n");
	peer_say(server, "250 o\r\n");
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_BY_SERVER });
	peer_expect(server, MAIL);
	peer_say(server, "550 m\r\n");
	peer_expect(&client, "250 o\r\n" MAIL_OK "550 m\r\n");
	peer_say(&client, BOB);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK, .server = "d00" });
	peer_expect_end(server);
	server = serve(&rig, 0);
	peer_expect(server, MAIL);
	assert_int_equal(s->phase, FRONT_RELAY);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

static void
hosts_of_answers_are_dialled(void **state)
{
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	struct addr elsewhere;
	struct auth_answer answer = { .verdict = AUTH_OK, .host = "127.0.0.1" };

	(void)state;
	s = mx_open(&rig, &client, "");
	answer.port = addr_port(&rig.doors[1].addr);
	assert_true(addr_parse(slice_of("192.0.2.1"), 25, &elsewhere));
	endpoint_set_addr(endpoint_at(&rig, 1), &elsewhere);
	peer_say(&client, MAIL BOB BOB BOB);
	fake_answer(&rig, &answer);
	server = serve(&rig, 1);
	assert_true(session_endpoint(s)->is_adhoc);
	peer_expect(server, MAIL);
	peer_say(server, "250 m\r\n");
	peer_expect(server, BOB);
	fake_answer(&rig, &answer);
	peer_expect(server, BOB);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK });
	peer_say(server, "250 1\r\n250 2\r\n");
	peer_expect(&client, MAIL_OK "250 1\r\n250 2\r\n" ELSEWHERE);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

static void
what_fails_keeps_the_mail(void **state)
{
	static const struct {
		struct auth_answer answer;
		const char *reply;
	} rows[] = {
		{ { .verdict = AUTH_REFUSED }, NOBODY },
		{ { .verdict = AUTH_REFUSED, .code = "550 5.1.1", .reason = "No such user" },
		    "550 5.1.1 No such user\r\n" },
		{ { .verdict = AUTH_REFUSED, .reason = "No such user" }, "451 4.3.0 No such user\r\n" },
		{ { .verdict = AUTH_REFUSED, .code = "450 4.2.1", .wait_ms = 20, .reason = "Slowly" },
		    "450 4.2.1 Slowly\r\n" },
		{ { .verdict = AUTH_LATER }, NOBODY },
		{ { .verdict = AUTH_LATER, .code = "550 5.1.1" }, NOBODY },
		{ { .verdict = AUTH_OK, .pool = "none" }, NOBODY },
		{ { .verdict = AUTH_OK, .tls = AUTH_TLS_STARTTLS }, NOBODY },
		{ { .verdict = AUTH_OK, .delay_ms = 1000 }, NOBODY },
		{ { .verdict = AUTH_OK, .server = "d77" }, NO_SERVER },
		{ { .verdict = AUTH_OK, .host = "192.0.2.9" }, NO_SERVER },
	};
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, &client, "");
	((struct auth *)rig.language->auths.items[0])->allow_hosts =
	    (struct network_list){ .items = &(struct network){ .addr.sa.sa_family = AF_INET, .bits = 32 },
		.count = 1 };
	peer_say(&client, MAIL);
	peer_expect(&client, MAIL_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		peer_say(&client, BOB);
		fake_answer(&rig, &rows[i].answer);
		peer_expect(&client, rows[i].reply);
	}
	peer_say(&client, BOB);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK });
	server = serve(&rig, 0);
	peer_expect(server, MAIL);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

/* While the source is asked, while its refusal waits, with a server at hand that is lost. */
static void
whoever_leaves_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct rig rig;
		struct peer client, *server = NULL;
		struct session *s = mx_open(&rig, &client, "");

		peer_say(&client, MAIL BOB);
		peer_expect(&client, MAIL_OK);
		if (i == 2) {
			fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK });
			server = serve(&rig, 0);
			peer_expect(server, MAIL);
			peer_say(server, "250 m\r\n");
			peer_expect(server, BOB);
			peer_say(&client, BOB);
		}
		await_question(&rig);
		if (i == 1) {
			fake_answer(&rig, &(struct auth_answer){
			    .verdict = AUTH_LATER, .wait_ms = 3600 * 1000 });
			turn_a_little(rig.loop);
		}
		if (i == 2) {
			peer_close(server);
			peer_expect(&client, LOST LOST);
			assert_int_equal(fake_cancelled, 1);
		}
		if (i == 3)
			session_stop(s);
		else
			session_end(s, END_CLIENT_LOST);
		assert_int_equal(fake_cancelled, i == 1 ? 0 : 1);
		assert_null(fake_request);
		peer_close(&client);
		rig_close(&rig);
	}
}

/* It has said all it has to say. */
static void
a_half_closed_client_is_served(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	mx_open(&rig, &client, "");
	peer_say(&client, MAIL BOB "QUIT\r\n");
	stream_shut(&client.stream);
	await_question(&rig);
	turn_a_little(rig.loop);
	fake_answer(&rig, &(struct auth_answer){ .verdict = AUTH_OK, .server = "d01" });
	server = serve(&rig, 1);
	peer_expect(server, MAIL);
	peer_say(server, "250 m\r\n");
	peer_expect(server, BOB "QUIT\r\n");
	peer_say(server, "250 r\r\n");
	peer_expect(&client, MAIL_OK "250 r\r\n221 2.0.0 Goodbye\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	peer_close(server);
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_says_where),
		cmocka_unit_test(hosts_of_answers_are_dialled),
		cmocka_unit_test(what_fails_keeps_the_mail),
		cmocka_unit_test(whoever_leaves_leaves_nothing),
		cmocka_unit_test(a_half_closed_client_is_served),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
