/* SPDX-License-Identifier: BSD-2-Clause */
/* host_test.c: hosts that an auth source gave: looked up, recognised, and only where they may be. */
#include "bound.h"
#include "name_server.h"

static const struct rig_text farm_text = { .farm = "affinity 15m" };
static const struct rig_text bounded_text = {
	.farm = "affinity 15m", .mechanisms = "PLAIN LOGIN; allow_hosts 10.0.0.0/8"
};

static void
names_close(struct rig *rig, struct name_server *names)
{
	all_leave(rig);
	name_server_close(names);
	bound_close(rig);
}

/* Nobody's in the pool any more. */
static void
move_away(const struct rig *rig, size_t server)
{
	struct addr elsewhere;

	assert_true(addr_parse(slice_of("192.0.2.1"), 143, &elsewhere));
	endpoint_set_addr(endpoint_at(rig, server), &elsewhere);
}

static void
a_name_that_is_a_servers_is_that_server(void **state)
{
	static const char *const lines[] = {
		"bob:{PLAIN}secret:host=d1.example.org port=PORT2\n",
		"bob:{PLAIN}secret:host=%n.example.org port=PORT2\n",
	};
	struct rig rig;
	struct peer client;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct name_server names = { .addresses = { "10.0.0.1", "127.0.0.1" } };

		/* whatever else may be dialled */
		decided_open(&rig, lines[i], &bounded_text);
		name_server_open(&names, &rig);
		ask_in(&rig, &client);
		agree(serve(&rig, 1), &client);
		expect_bound(&rig, 1);
		peer_close(&client);
		names_close(&rig, &names);
	}
}

static void
of_other_addresses_the_lowest_is_dialled(void **state)
{
	struct name_server names = { .addresses = { "192.0.2.9", "127.0.0.1", "203.0.113.1" } };
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:host=d1.example.org port=PORT1\n", &farm_text);
	name_server_open(&names, &rig);
	move_away(&rig, 0);
	s = ask_in(&rig, &client);
	agree(serve(&rig, 0), &client);
	assert_true(s->leg->endpoint->is_adhoc);
	expect_unbound(&rig);
	peer_close(&client);
	names_close(&rig, &names);
}

static void
what_is_not_found_is_a_temporary_failure(void **state)
{
	static const char *const lines[] = {
		"bob:{PLAIN}secret:host=none.example.org\n",
		"bob:{PLAIN}secret:host=silent.example.org\n",
	};
	static const struct rig_text text = { .farm = "affinity 15m", .pool = "login_timeout 1s" };
	struct rig rig;
	struct peer client;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct name_server names = { .is_silent = i == 1 };

		decided_open(&rig, lines[i], &text);
		name_server_open(&names, &rig);
		ask_in(&rig, &client);
		peer_expect(&client, unavailable);
		assert_true(names.asked > 0);
		assert_int_equal(rig.doors[0].count + rig.doors[1].count, 0);
		peer_close(&client);
		names_close(&rig, &names);
	}
}

static void
who_leaves_meanwhile_leaves_nothing(void **state)
{
	struct name_server names = { .is_silent = true };
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:host=d1.example.org\n", &farm_text);
	name_server_open(&names, &rig);
	s = ask_in(&rig, &client);
	while (s->leg == NULL || s->leg->way->question.lookup == NULL)
		turn_a_little(rig.loop);
	assert_int_equal(s->phase, FRONT_ROUTE);
	assert_string_equal(leg_doing(s->leg), "looking up the server's name");
	session_end(s, END_CLIENT_LOST);
	expect_all_gone(&rig);
	peer_close(&client);
	names_close(&rig, &names);
}

/* By its name in the configuration, without a question. */
static void
a_servers_own_name_is_not_looked_up(void **state)
{
	struct name_server names = { .addresses = { "127.0.0.1" } };
	struct rig rig;
	struct peer client;
	struct session *s;

	(void)state;
	decided_open(&rig, "bob:{PLAIN}secret:pool=second host=N.example.org\n", &(struct rig_text){
	    .top = "pool second { protocol imap; server n { address n.example.org } }" });
	name_server_open(&names, &rig);
	s = ask_in(&rig, &client);
	while (s->leg == NULL)
		turn_a_little(rig.loop);
	assert_false(s->leg->way->has_host);
	assert_string_equal(s->leg->way->server, "n");
	assert_int_equal(names.asked, 0);
	peer_close(&client);
	names_close(&rig, &names);
}

static void
only_allowed_hosts_are_dialled(void **state)
{
	static const char by_address[] = "bob:{PLAIN}secret:host=127.0.0.1 port=PORT1\n";
	static const char by_name[] = "bob:{PLAIN}secret:host=d1.example.org port=PORT1\n";
	static const char others[] = "PLAIN; allow_hosts 10.0.0.0/8";
	static const char its[] = "PLAIN; allow_hosts 10.0.0.0/8 127.0.0.1";
	static const struct {
		const char *line, *mechanisms;
		bool is_moved, is_allowed;
	} rows[] = {
		{ by_address, others, true, false },
		{ by_name, others, true, false },
		{ by_address, its, true, true },
		{ by_name, its, true, true },
		/* the pool's own always */
		{ by_address, others, false, true },
		{ by_name, others, false, true },
		{ "bob:{PLAIN}secret:server=d00\n", others, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct name_server names = { .addresses = { "127.0.0.1" } };
		struct rig rig;
		struct peer client;

		decided_open(&rig, rows[i].line, &(struct rig_text){ .mechanisms = rows[i].mechanisms });
		name_server_open(&names, &rig);
		if (rows[i].is_moved)
			move_away(&rig, 0);
		ask_in(&rig, &client);
		if (rows[i].is_allowed)
			agree(serve(&rig, 0), &client);
		else
			peer_expect(&client, unavailable);
		assert_int_equal(rig.doors[0].count, rows[i].is_allowed ? 1 : 0);
		peer_close(&client);
		names_close(&rig, &names);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_is_a_servers_is_that_server),
		cmocka_unit_test(of_other_addresses_the_lowest_is_dialled),
		cmocka_unit_test(what_is_not_found_is_a_temporary_failure),
		cmocka_unit_test(who_leaves_meanwhile_leaves_nothing),
		cmocka_unit_test(a_servers_own_name_is_not_looked_up),
		cmocka_unit_test(only_allowed_hosts_are_dialled),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
