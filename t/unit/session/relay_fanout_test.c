/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_fanout_test.c: a session with several servers: questions about
 * recipients that are open side by side, what they hold, and what is left
 * when somebody leaves in the middle.
 */
#include "auth/auth_source.h"
#include "client.h"
#include "session/relay.h"
#include "session/slot.h"

enum { QUESTIONS_MAX = 8 };

static struct auth_request *questions[QUESTIONS_MAX];	/* by the digit behind the user's name */
static int asked, cancelled;

static int
number_of(const struct auth_request *request)
{
	int number = request->user[1] - '0';

	assert_in_range(number, 0, QUESTIONS_MAX - 1);
	return number;
}

static void
cancel(struct auth_request *request)
{
	assert_ptr_equal(questions[number_of(request)], request);
	questions[number_of(request)] = NULL;
	cancelled++;
}

static void
start(struct auth_request *request, const struct auth *auth)
{
	(void)auth;
	assert_true(request->is_lookup);
	assert_null(questions[number_of(request)]);
	questions[number_of(request)] = request;
	asked++;
	request->cancel = cancel;
	loop_stop(request->loop);
}

static unsigned
no_mechanisms(const struct auth *auth)
{
	(void)auth;
	return mechanisms_of_kind(CREDENTIAL_PASSWORD);
}

/* The archive's member of that name is not linked then. */
const struct auth_source auth_file = {
	.name = "file",
	.knows_users = true,
	.mechanisms = no_mechanisms,
	.start = start,
	.lookup = start,
};

static void
await_questions(struct rig *rig, int count)
{
	while (asked < count)
		turn_a_little(rig->loop);
}

static void
answer(int number, const struct auth_answer *what)
{
	struct auth_request *request = questions[number];

	assert_non_null(request);
	questions[number] = NULL;
	auth_answer(request, what);
}

static void
send_to(int number, const char *server)
{
	answer(number, &(struct auth_answer){ .verdict = AUTH_OK, .server = server });
}

static struct session *
open_lmtp(struct rig *rig, struct peer *client, const char *listener)
{
	char text[200];
	struct session *s;

	memset(questions, 0, sizeof(questions));
	asked = cancelled = 0;
	snprintf(text, sizeof(text), "lookup fake; %s", listener);
	rig_open_doors(rig, 2);
	rig_open_text(rig, &(struct rig_text){
	    .protocol = "lmtp", .top = "auth fake { source file }", .farm = "affinity 1s",
	    .pool = "forward none; retries 0", .listener = text });
	rig_list_gate(rig);
	s = rig_client(rig, client);
	peer_say(client, "LHLO c.x\r\n");
	peer_expect(client,
	    "220 lb.example.com LMTP ready\r\n250-lb.example.com\r\n250-PIPELINING\r\n"
	    "250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
	return s;
}

static struct peer *
serve(struct rig *rig, int server)
{
	struct peer *peer = door_accept(&rig->doors[server]);

	peer_say(peer, "220 d.x\r\n");
	peer_expect(peer, "LHLO lb.example.com\r\n");
	peer_say(peer, "250-d.x\r\n250 PIPELINING\r\n");
	return peer;
}

#define MAIL "MAIL FROM:<a@x>\r\n"
#define TO(number) "RCPT TO:<u" number "@x>\r\n"
#define MAIL_OK "250 2.1.0 Ok\r\n"
#define LOST "451 4.3.0 Mail server was lost, try again later\r\n"
#define NOT_NOW "451 4.3.0 Nobody can say now where this recipient belongs\r\n"
#define NO_SERVER "451 4.3.0 No mail server is available, try again later\r\n"
#define GO "354 Send the message, end with <CR><LF>.<CR><LF>\r\n"

static bool
is_held(const struct rig *rig, const char *user)
{
	struct affinity_binding binding;

	/* behind the retention only who is held is there still */
	return affinity_peek_now(rig->bindings, slice_of(user), loop_now(rig->loop) + 5000, &binding);
}

/* u0 is at server 0, u1 at 1, and both have heard of the message. */
static void
to_both(struct rig *rig, struct peer *client, struct peer *servers[2])
{
	peer_say(client, MAIL TO("0") TO("1") "DATA\r\n");
	await_questions(rig, 2);
	send_to(1, "d01");
	servers[1] = serve(rig, 1);
	peer_expect(servers[1], MAIL TO("1"));
	peer_say(servers[1], "250 m\r\n250 r1\r\n");
	send_to(0, "d00");
	servers[0] = serve(rig, 0);
	peer_expect(servers[0], MAIL TO("0"));
	peer_say(servers[0], "250 m\r\n250 r0\r\n");
	peer_expect(servers[0], "DATA\r\n");
	peer_expect(servers[1], "DATA\r\n");
	peer_say(servers[0], "354 d\r\n");
	peer_say(servers[1], "354 d\r\n");
	peer_expect(client, MAIL_OK "250 r0\r\n250 r1\r\n" GO);
}

static void
leave(struct rig *rig, struct peer *client, struct peer *servers[2])
{
	peer_close(client);
	for (int i = 0; i < 2; i++)
		if (servers[i] != NULL)
			peer_close(servers[i]);
	expect_all_gone(rig);
	rig_close(rig);
}

static void
questions_are_asked_side_by_side(void **state)
{
	struct rig rig;
	struct peer client, *servers[2];

	(void)state;
	open_lmtp(&rig, &client, "");
	to_both(&rig, &client, servers);
	assert_true(is_held(&rig, "u0@x"));
	assert_true(is_held(&rig, "u1@x"));
	peer_say(&client, "hi\r\n.\r\n");
	peer_expect(servers[0], "hi\r\n.\r\n");
	peer_expect(servers[1], "hi\r\n.\r\n");
	peer_say(servers[1], "250 f1\r\n");
	while (is_held(&rig, "u1@x"))
		turn_a_little(rig.loop);
	assert_true(is_held(&rig, "u0@x"));
	peer_say(servers[0], "250 f0\r\n");
	peer_expect(&client, "250 f0\r\n250 f1\r\n");
	assert_false(is_held(&rig, "u0@x"));
	/* both servers are kept; whom nobody knows is put off */
	peer_say(&client, MAIL TO("2") TO("3") TO("4"));
	await_questions(&rig, 5);
	answer(4, &(struct auth_answer){ .verdict = AUTH_LATER, .code = "550 5.1.1", .why = "down" });
	answer(3, &(struct auth_answer){ .verdict = AUTH_REFUSED, .code = "550 5.1.1", .reason = "No" });
	send_to(2, "d00");
	peer_expect(servers[0], MAIL TO("2"));
	peer_say(servers[0], "250 m\r\n250 r2\r\n");
	peer_expect(&client, MAIL_OK "250 r2\r\n550 5.1.1 No\r\n" NOT_NOW);
	assert_int_equal(rig.doors[0].count + rig.doors[1].count, 2);
	leave(&rig, &client, servers);
}

static void
whoever_leaves_leaves_nothing(void **state)
{
	struct rig rig;
	struct peer client, *servers[2] = { NULL, NULL };

	(void)state;
	open_lmtp(&rig, &client, "");
	peer_say(&client, MAIL TO("0") TO("1"));
	await_questions(&rig, 2);
	send_to(0, "d00");		/* which is dialled meanwhile */
	peer_close(&client);
	while (!list_is_empty(&rig.worker->sessions))
		turn_a_little(rig.loop);
	assert_int_equal(cancelled, 1);
	assert_false(is_held(&rig, "u0@x"));
	leave(&rig, &client, servers);
}

static void
servers_that_are_silent_are_given_up(void **state)
{
	struct rig rig;
	struct peer client, *servers[2];

	(void)state;
	open_lmtp(&rig, &client, "reply_timeout 1s");
	to_both(&rig, &client, servers);
	peer_say(&client, "hi\r\n.\r\n");
	peer_expect(servers[0], "hi\r\n.\r\n");
	peer_expect(servers[1], "hi\r\n.\r\n");
	peer_say(servers[1], "250 f1\r\n");
	peer_expect(&client, LOST "250 f1\r\n");
	peer_expect_end(servers[0]);
	assert_false(is_held(&rig, "u0@x"));
	leave(&rig, &client, servers);
}

/* The look before it comes at any time within those 50 s: the next one is not later than it has to be. */
static void
silence_is_noticed_when_the_time_is_up(void **state)
{
	struct rig rig;
	struct peer client, *servers[2];
	struct session *s;
	struct fan *fan;

	(void)state;
	s = open_lmtp(&rig, &client, "reply_timeout 50s");
	to_both(&rig, &client, servers);
	peer_say(&client, "hi\r\n.\r\n");
	peer_expect(servers[0], "hi\r\n.\r\n");
	peer_expect(servers[1], "hi\r\n.\r\n");
	peer_say(servers[1], "250 f1\r\n");
	while (is_held(&rig, "u1@x"))
		turn_a_little(rig.loop);
	fan = (struct fan *)(void *)s->relay->filter;
	for (int i = 0; i < 2; i++)
		fan->slots[i]->since = loop_now(rig.loop) - 50000 + 20;
	fan->clock.on_time(&fan->clock);
	peer_expect(&client, LOST "250 f1\r\n");
	peer_expect_end(servers[0]);
	leave(&rig, &client, servers);
}

static void
the_source_says_how_long_a_server_may_take(void **state)
{
	struct rig rig;
	struct peer client, *servers[2] = { NULL, NULL };

	(void)state;
	open_lmtp(&rig, &client, "");
	peer_say(&client, MAIL TO("0"));
	await_questions(&rig, 1);
	answer(0, &(struct auth_answer){ .verdict = AUTH_OK, .server = "d00", .timeout_ms = 50 });
	servers[0] = door_accept(&rig.doors[0]);	/* and says nothing */
	peer_expect(&client, MAIL_OK NO_SERVER);
	leave(&rig, &client, servers);
}

static void
on_kicked(struct affinity_request *request, enum affinity_answer what)
{
	*(enum affinity_answer *)request->owner = what;
}

static void
a_user_who_is_moved_gets_nothing(void **state)
{
	enum affinity_answer what = AFFINITY_HERE;
	struct rig rig;
	struct peer client, *servers[2];
	struct affinity_request kick;

	(void)state;
	open_lmtp(&rig, &client, "");
	to_both(&rig, &client, servers);
	kick = (struct affinity_request){ .loop = rig.loop, .user = slice_of("u0@x"),
		.deadline = loop_now(rig.loop) + 60000, .on_answer = on_kicked, .owner = &what };
	affinity_kick(rig.bindings, &kick);
	peer_expect_end(servers[0]);
	while (what == AFFINITY_HERE)
		turn_a_little(rig.loop);
	assert_int_equal(what, AFFINITY_BOUND);
	peer_say(&client, ".\r\n");
	peer_expect(servers[1], ".\r\n");
	peer_say(servers[1], "250 f1\r\n");
	peer_expect(&client, "451 4.3.0 The user is being moved, try again later\r\n250 f1\r\n");
	leave(&rig, &client, servers);
}

static void
a_message_that_was_sent_is_not_taken_back(void **state)
{
	struct rig rig;
	struct peer client, *servers[2];

	(void)state;
	open_lmtp(&rig, &client, "");
	to_both(&rig, &client, servers);
	peer_say(&client, ".\r\n");
	peer_expect(servers[0], ".\r\n");
	peer_expect(servers[1], ".\r\n");
	peer_close(&client);
	turn_a_little(rig.loop);
	peer_say(servers[1], "250 f1\r\n");
	while (is_held(&rig, "u1@x"))
		turn_a_little(rig.loop);
	assert_true(is_held(&rig, "u0@x"));
	peer_say(servers[0], "250 f0\r\n");
	peer_expect(servers[0], "QUIT\r\n");
	peer_expect_end(servers[0]);
	leave(&rig, &client, servers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_asked_side_by_side),
		cmocka_unit_test(whoever_leaves_leaves_nothing),
		cmocka_unit_test(servers_that_are_silent_are_given_up),
		cmocka_unit_test(silence_is_noticed_when_the_time_is_up),
		cmocka_unit_test(the_source_says_how_long_a_server_may_take),
		cmocka_unit_test(a_user_who_is_moved_gets_nothing),
		cmocka_unit_test(a_message_that_was_sent_is_not_taken_back),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
