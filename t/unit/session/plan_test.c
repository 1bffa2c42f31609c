/* SPDX-License-Identifier: BSD-2-Clause */
/* plan_test.c: what a server is shown of a user, by the pool's `login` and the words of the auth source. */
#include "bound.h"

#include "session/plan.h"

static char secret_path[] = "/tmp/gatepost-secret.XXXXXX";

static int
write_secret(void **state)
{
	int fd = mkstemp(secret_path);

	if (fd < 0 || dprintf(fd, "master-pass\r\nsecond line\n") < 0)
		return -1;
	close(fd);
	return quiet_log(state);
}

static int
remove_secret(void **state)
{
	unlink(secret_path);
	return end_log(state);
}

/* What the first server hears when the client says `command`. */
static void
expect_shown(const char *line, const char *pool, const char *command, const char *const shown[3])
{
	struct rig_text text = { .pool = pool, .farm = "" };
	struct rig rig;
	struct peer client, *server;
	struct session *s;

	decided_open(&rig, line, &text);
	machine_set_weight(endpoint_at(&rig, 1)->machine, 0);
	s = rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, command);
	server = door_accept(&rig.doors[0]);
	peer_say(server, server_greeting);
	expect_login(server, shown[0], shown[1], shown[2]);
	agree(server, &client);
	assert_string_equal(s->identity.user, "bob");
	peer_close(&client);
	bound_close(&rig);
}

static void
shows_whom_the_pool_and_the_source_say(void **state)
{
	char master[256], trusted[256];
	const struct {
		const char *fields, *pool, *authzid, *user, *password;
	} rows[] = {
		{ "{PLAIN}secret", "", "", "bob", "secret" },
		{ "{PLAIN}secret:destuser=b2", "", "", "b2", "secret" },
		{ "{PLAIN}secret:pass=other", "", "", "bob", "other" },
		{ "{PLAIN}secret:destuser=b2 pass=other", "", "", "b2", "other" },
		{ "{PLAIN}secret:master=m pass=other", "", "bob", "m", "other" },
		{ "{PLAIN}secret:master=m", "", "bob", "m", "secret" },
		{ "{PLAIN}secret:master=m destuser=b2 pass=x", master, "b2", "m", "x" },
		{ "{PLAIN}secret", master, "bob", "proxy", "master-pass" },
		{ "{PLAIN}secret:destuser=b2", master, "b2", "proxy", "master-pass" },
		{ "{PLAIN}secret:pass=other", master, "", "bob", "other" },
		{ "{PLAIN}secret", trusted, "", "bob", "master-pass" },
		{ "{PLAIN}secret:destuser=b2", trusted, "", "b2", "master-pass" },
		{ "{PLAIN}secret", "login trusted", "", "bob", "trusted" },
		{ ":nopassword", "", "", "Bob", "secret" },
		{ ":nopassword destuser=b2", "", "", "b2", "secret" },
		{ ":nopassword user=bob", "", "", "bob", "secret" },
		{ ":nopassword master=m", "", "bob", "m", "secret" },
	};
	char line[256];

	(void)state;
	snprintf(master, sizeof(master), "login master; master_user proxy; master_password_file %s",
	    secret_path);
	snprintf(trusted, sizeof(trusted), "login trusted; master_password_file %s", secret_path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const shown[] = { rows[i].authzid, rows[i].user, rows[i].password };

		snprintf(line, sizeof(line), "bob:%s\n", rows[i].fields);
		expect_shown(line, rows[i].pool, "a LOGIN Bob secret\r\n", shown);
	}
}

/* A protocol that takes users by name is not among those that the rig can load. */
static void
shows_a_name_alone_where_the_pool_says_so(void **state)
{
	const struct {
		struct auth_answer answer;
		const char *user;		/* by the name alone; NULL: with credentials */
	} rows[] = {
		{ { .verdict = AUTH_OK }, "bob" },
		{ { .verdict = AUTH_OK, .destuser = "b2" }, "b2" },
		{ { .verdict = AUTH_OK, .pass = "other" }, NULL },
		{ { .verdict = AUTH_OK, .master = "m", .pass = "other" }, NULL },
		{ { .verdict = AUTH_OK, .master = "m", .pass = "" }, NULL },
	};
	struct rig rig;
	struct peer client, *server;
	struct session *s;
	const struct dial_order *order;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret\n", &(struct rig_text){ 0 });
	machine_set_weight(endpoint_at(&rig, 1)->machine, 0);
	s = ask_in(&rig, &client);
	server = serve(&rig, 0);
	order = &s->leg->way->plan.order;
	assert_int_equal(order->login, LOGIN_PASSWORD);
	assert_string_equal(order->hostname, "lb.example.com");
	rig.pool->options.login = LOGIN_XCLIENT;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		plan_take_credentials(s->leg->way, &rows[i].answer, "bob", NULL);
		plan_fill(s->leg, endpoint_at(&rig, 0));
		assert_int_equal(order->login, rows[i].user != NULL ? LOGIN_XCLIENT : LOGIN_PASSWORD);
		if (rows[i].user != NULL)
			assert_true(slice_equals(buf_slice(&order->credentials->user), rows[i].user));
	}
	agree(server, &client);
	peer_close(&client);
	bound_close(&rig);
}

/* Its client comes over a unix socket, and has an address all the same. */
static void
tells_of_the_client_in_the_way_of_the_pool(void **state)
{
	struct rig rig;
	struct peer client, *server;

	(void)state;
	rig_open(&rig, 1, "imap", "forward proxy", "");
	rig_client(&rig, &client);
	peer_expect(&client, client_greeting);
	peer_say(&client, "a LOGIN bob secret\r\n");
	server = door_accept(&rig.doors[0]);
	peer_expect(server, "PROXY TCP4 192.0.2.7 0.0.0.0 4711 0\r\n");
	peer_say(server, server_greeting);
	peer_expect(server, login_line);
	agree(server, &client);
	peer_close(&client);
	all_leave(&rig);
	rig_close(&rig);
}

/* A source that leaves it to the server, and a server that is not shown what the client said; or nothing. */
static void
what_no_server_is_shown_opens_nothing(void **state)
{
	char master[256];
	const struct {
		const char *line, *pool, *top;
	} rows[] = {
		{ "bob::nopassword\n", master, "" },
		{ "bob::nopassword\n", "login trusted", "" },
		{ "bob::nopassword\n", "login none", "" },
		{ "bob:{PLAIN}secret:pass=other\n", "login none", "" },
		{ "bob:{PLAIN}secret:master=m\n", "login none", "" },
		{ "bob::nopassword pass=secret\n", "", "" },
		{ "bob::nopassword master=m pass=secret\n", "", "" },
		{ "bob::nopassword pool=open\n", "",
		    "pool open { protocol imap; login trusted; server x { address 127.0.0.1 } }" },
	};
	struct rig rig;
	struct peer client;

	(void)state;
	snprintf(master, sizeof(master), "login master; master_user proxy; master_password_file %s",
	    secret_path);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decided_open(&rig, rows[i].line,
		    &(struct rig_text){ .pool = rows[i].pool, .top = rows[i].top });
		ask_in(&rig, &client);
		peer_expect(&client, unavailable);
		assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
		peer_close(&client);
		bound_close(&rig);
	}
}

static void
refusals_are_told_with_their_reason(void **state)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {
		{ "bob:{PLAIN}secret:nologin\n", "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n" },
		{ "bob:{PLAIN}secret:nologin reason=Pay\n", "a NO [CONTACTADMIN] Pay\r\n" },
		/* who has not shown to be bob learns nothing */
		{ "bob:{PLAIN}other:nologin reason=Pay\n",
		    "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n" },
		{ "bob:{PLAIN}secret:allow_nets=10.0.0.0/8\n",
		    "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n" },
	};
	struct rig rig;
	struct peer client;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		decided_open(&rig, rows[i].line, &(struct rig_text){ .farm = "affinity 15m" });
		ask_in(&rig, &client);
		peer_expect(&client, rows[i].answer);
		assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
		expect_unbound(&rig);
		peer_close(&client);
		bound_close(&rig);
	}
}

/* Who acts for the user shows a password, and a client that has proved to know one has shown none. */
static void
a_master_user_needs_a_password_to_show(void **state)
{
	struct pool pool = { .options.login = LOGIN_TRUSTED };
	struct credentials client = { .mechanism = MECHANISM_SCRAM_SHA_256 };
	struct auth_answer answer = { .verdict = AUTH_OK, .master = "m" };

	(void)state;
	assert_non_null(plan_refusal(&pool, &answer, &client));
	answer.pass = "other";
	assert_null(plan_refusal(&pool, &answer, &client));
	/* nor does an empty one: a name alone would be the master's */
	answer.pass = "";
	assert_non_null(plan_refusal(&pool, &answer, &client));
	pool.options.login = LOGIN_XCLIENT;
	assert_non_null(plan_refusal(&pool, &answer, &client));
	pool.options.login = LOGIN_TRUSTED;
	answer.pass = answer.master = NULL;
	assert_null(plan_refusal(&pool, &answer, &client));
	pool.options.login = LOGIN_PASSWORD;
	assert_non_null(plan_refusal(&pool, &answer, &client));
	client.mechanism = MECHANISM_NONE;
	assert_null(plan_refusal(&pool, &answer, &client));
}

/* The time that the source wants is not the client's. */
static void
a_delay_is_waited_for(void **state)
{
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:delay_until=SOON\n", &(struct rig_text){
	    .listener = "auth staff\nlogin_timeout 1s" });
	machine_set_weight(endpoint_at(&rig, 1)->machine, 0);
	s = ask_in(&rig, &client);
	while (!loop_timer_is_set(&s->login->delay))
		turn_a_little(rig.loop);
	assert_int_equal(rig.doors[0].count, 0);
	for (int64_t until = loop_now(rig.loop) + 1200; loop_now(rig.loop) < until;)
		turn_a_little(rig.loop);
	assert_int_equal(s->phase, FRONT_AUTH);
	loop_timer_set(rig.loop, &s->login->delay, loop_now(rig.loop));
	agree(serve(&rig, 0), &client);
	peer_close(&client);
	bound_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_whom_the_pool_and_the_source_say),
		cmocka_unit_test(shows_a_name_alone_where_the_pool_says_so),
		cmocka_unit_test(tells_of_the_client_in_the_way_of_the_pool),
		cmocka_unit_test(what_no_server_is_shown_opens_nothing),
		cmocka_unit_test(refusals_are_told_with_their_reason),
		cmocka_unit_test(a_master_user_needs_a_password_to_show),
		cmocka_unit_test(a_delay_is_waited_for),
	};

	return cmocka_run_group_tests(tests, write_secret, remove_secret);
}
