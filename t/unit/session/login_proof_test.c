/* SPDX-License-Identifier: BSD-2-Clause */
/* login_proof_test.c: exchanges with whoever judges a proof, and what becomes of those that break off. */
#include "bound.h"
#include "session/login.h"

#define FIRST "biwsbj1ib2Iscj1hYmM="	/* n,,n=bob,r=abc */
#define FIRST_OF_STRANGER "biwsbj10aW0scj1hYmM="

static const char refused[] = "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n";
static const struct rig_text proofs = { .mechanisms = "auto", .pool = "login trusted" };

/* A line of so many bytes before its end. */
static size_t
hear_line(struct peer *client, const char *begin)
{
	const struct buf *heard = &client->heard;
	size_t len;

	peer_expect(client, begin);
	while (buf_len(heard) == 0 || buf_slice(heard).data[buf_len(heard) - 1] != '\n')
		loop_run(client->stream.loop);
	len = buf_len(heard);
	buf_clear(&client->heard);
	return len;
}

static struct session *
arrive(struct rig *rig, struct peer *client)
{
	struct session *s;

	decided_open(rig, "bob:{PLAIN}secret\n", &proofs);
	machine_set_weight(endpoint_at(rig, 1)->machine, 0);
	s = rig_client(rig, client);
	hear_line(client, "* OK ");
	return s;
}

static void
begin_scram(struct peer *client)
{
	peer_say(client, "a AUTHENTICATE SCRAM-SHA-256 " FIRST "\r\n");
	hear_line(client, "+ ");
}

static void
log_in(struct rig *rig, struct peer *client)
{
	struct peer *server;

	peer_say(client, "a LOGIN bob secret\r\n");
	server = door_accept(&rig->doors[0]);
	peer_say(server, server_greeting);
	expect_login(server, "", "bob", "trusted");
	agree(server, client);
}

static void
what_breaks_off_leaves_nothing(void **state)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{ "*\r\n", "a BAD " },
		{ "not base64\r\n", "a BAD " },
		{ "Yz1iaXdzLHI9YWJjLHA9QUFBQQ==\r\n", refused },	/* c=biws,r=abc,p=AAAA */
		{ "\r\n", refused },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;
		struct peer client;
		const struct session *s = arrive(&rig, &client);

		begin_scram(&client);
		peer_say(&client, rows[i].line);
		if (rows[i].answer == refused)
			peer_expect(&client, refused);
		else
			hear_line(&client, rows[i].answer);
		assert_null(s->login->auth.cancel);
		/* and once more, as another mechanism, and at last with the password */
		begin_scram(&client);
		peer_say(&client, "*\r\n");
		hear_line(&client, "a BAD ");
		peer_say(&client, "a AUTHENTICATE CRAM-MD5\r\n");
		hear_line(&client, "+ ");
		peer_say(&client, "Ym9iIDAwMDA=\r\n");		/* bob 0000 */
		peer_expect(&client, refused);
		log_in(&rig, &client);
		assert_string_equal(s->identity.user, "bob");
		peer_close(&client);
		bound_close(&rig);
	}
}

static void
strangers_hear_as_much(void **state)
{
	struct rig rig;
	struct peer client;
	size_t len;

	(void)state;
	arrive(&rig, &client);
	peer_say(&client, "a AUTHENTICATE SCRAM-SHA-256 " FIRST "\r\n");
	len = hear_line(&client, "+ ");
	peer_say(&client, "eA==\r\n");
	peer_expect(&client, refused);
	peer_say(&client, "a AUTHENTICATE SCRAM-SHA-256 " FIRST_OF_STRANGER "\r\n");
	assert_int_equal(hear_line(&client, "+ "), len);
	peer_say(&client, "eA==\r\n");
	peer_expect(&client, refused);
	peer_close(&client);
	bound_close(&rig);
}

static void
a_client_may_leave_in_the_middle(void **state)
{
	struct rig rig;
	struct peer client;

	(void)state;
	arrive(&rig, &client);
	begin_scram(&client);
	peer_close(&client);
	expect_all_gone(&rig);
	bound_close(&rig);
}

/* The time is that of the whole login, and does not begin anew with an answer. */
static void
the_time_goes_on_in_the_middle(void **state)
{
	struct rig_text text = proofs;
	struct rig rig;
	struct peer client;

	(void)state;
	text.listener = "auth staff\nlogin_timeout 500ms";
	decided_open(&rig, "bob:{PLAIN}secret\n", &text);
	rig_client(&rig, &client);
	hear_line(&client, "* OK ");
	begin_scram(&client);
	hear_line(&client, "* BYE ");
	await(client.stream.loop, &client.is_gone, 1);
	peer_close(&client);
	bound_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_breaks_off_leaves_nothing),
		cmocka_unit_test(strangers_hear_as_much),
		cmocka_unit_test(a_client_may_leave_in_the_middle),
		cmocka_unit_test(the_time_goes_on_in_the_middle),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
