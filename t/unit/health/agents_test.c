/* SPDX-License-Identifier: BSD-2-Clause */
/* agents_test.c: which agents are asked, over configurations. */
#include "../session/door.h"

#include "balance/endpoint.h"
#include "balance/endpoint_table.h"
#include "balance/pool.h"
#include "conf/conf.h"
#include "health/agents.h"

struct root {
	struct conf_block conf;
	struct conf_list farms, pools;
};

static const struct directive root_directives[] = {
	CONF_BLOCKS(struct root, farms, &farm_block, 0),
	CONF_BLOCKS(struct root, pools, &pool_block, 0),
	{ 0 }
};

static const struct block root_block = {
	.name = "", .directives = root_directives, .size = BLOCK_SIZE(struct root), .help = ""
};

struct rig {
	struct loop *loop;
	struct endpoint_table *table;
	struct agents *agents;
	struct conf *conf;		/* NULL: none yet */
	struct door door;
};

static const struct conf_list *
pools_of(const struct conf *conf)
{
	return &((const struct root *)conf_root(conf))->pools;
}

static void
close_conf(struct rig *rig, struct conf **conf)
{
	for (size_t i = 0; *conf != NULL && i < pools_of(*conf)->count; i++)
		pool_close(pools_of(*conf)->items[i]);
	conf_free(conf);
	endpoint_table_forget_unused(rig->table);
}

/* The same order as the daemon's: the new one counts before the old one goes. */
static void
configure(struct rig *rig, const char *text)
{
	struct conf_problems problems = { 0 };
	struct conf *before = rig->conf;

	rig->conf = conf_load_text("text", text, &root_block, &problems);
	assert_non_null(rig->conf);
	for (size_t i = 0; i < pools_of(rig->conf)->count; i++) {
		assert_true(pool_open(pools_of(rig->conf)->items[i], rig->table, &problems));
		pool_commit(pools_of(rig->conf)->items[i]);
	}
	conf_problems_clear(&problems);
	agents_commit(rig->agents, pools_of(rig->conf));
	close_conf(rig, &before);
}

static void
rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->loop = loop_new(0);
	rig->table = endpoint_table_new(1);
	rig->agents = agents_new(rig->loop);
	door_open(&rig->door, rig->loop);
}

static void
rig_close(struct rig *rig)
{
	agents_free(&rig->agents);
	assert_null(rig->agents);
	agents_free(&rig->agents);
	door_close(&rig->door);
	close_conf(rig, &rig->conf);
	endpoint_table_free(&rig->table);
	loop_free(&rig->loop);
}

/* @ stands for the agent's address. */
static void
configure_with_agent(struct rig *rig, const char *text)
{
	struct buf written = { 0 };
	char addr[ADDR_TEXT_MAX];

	addr_format(&rig->door.addr, addr);
	for (; *text != '\0'; text++)
		buf_append_slice(&written, *text == '@' ? slice_of(addr) : slice_make(text, 1));
	buf_append(&written, "", 1);
	configure(rig, buf_data(&written));
	buf_clear(&written);
}

static const struct endpoint *
endpoint_at(const struct rig *rig, size_t i)
{
	return ((const struct pool *)pools_of(rig->conf)->items[i])->endpoints[0];
}

static void
a_server_that_pools_share_is_asked_once(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	configure_with_agent(&rig, "farm f { server d03 { address ::1; weight 4; agent @ } }\n"
				   "pool imap { farm f; port 1; balance leastconn; max_connections 9 }\n"
				   "pool pop3 { farm f; port 1; balance leastconn; max_connections 2 }\n");
	peer = door_accept(&rig.door);
	turn_a_little(rig.loop);
	assert_int_equal(rig.door.count, 1);
	peer_say(peer, "50% maxconn:3\n");
	peer_expect_end(peer);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->share), 2 * ENDPOINT_SHARE_ONE);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 1)->share), 2 * ENDPOINT_SHARE_ONE);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 0)->max_connections), 3);
	assert_int_equal(atomic_load(&endpoint_at(&rig, 1)->max_connections), 2);
	rig_close(&rig);
}

static void
a_reload_keeps_what_was_said_and_an_agent_that_goes_takes_it_along(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	configure_with_agent(&rig, "pool imap { port 1; balance leastconn\n"
				   "  server d03 { address ::1; agent @; agent_interval 1d } }\n");
	peer = door_accept(&rig.door);
	peer_say(peer, "down\n");
	peer_expect_end(peer);
	assert_true(endpoint_is_down(endpoint_at(&rig, 0)));
	configure_with_agent(&rig, "pool imap { port 2; balance leastconn\n"
				   "  server d03 { address ::1; agent @; agent_interval 1d } }\n");
	turn_a_little(rig.loop);
	assert_int_equal(rig.door.count, 1);
	assert_true(endpoint_is_down(endpoint_at(&rig, 0)));
	configure_with_agent(&rig, "pool imap { port 2; balance leastconn; server d03 { address ::1 } }\n");
	assert_false(endpoint_is_down(endpoint_at(&rig, 0)));
	configure_with_agent(&rig, "pool imap { port 2; balance leastconn\n"
				   "  server d03 { address ::1; agent @ } }\n");
	peer = door_accept(&rig.door);
	configure_with_agent(&rig, "pool imap { port 2; balance leastconn\n"
				   "  server d04 { address ::1; agent @ } }\n");
	peer_expect_end(peer);
	door_accept(&rig.door);
	rig_close(&rig);
}

static void
who_is_not_to_be_asked_is_left_alone(void **state)
{
	struct rig rig;
	struct machine *machine;
	struct peer *peer;

	(void)state;
	rig_open(&rig);
	configure_with_agent(&rig, "pool imap { port 1; balance leastconn\n"
				   "  server d03 { address ::1; agent @; agent_interval 1d }\n"
				   "  server d04 { address ::1 } }\n");
	machine = endpoint_at(&rig, 0)->machine;
	assert_true(agents_have(rig.agents, machine));
	peer = door_accept(&rig.door);
	atomic_store(&machine->agent_is_off, true);
	agents_follow(rig.agents, machine);
	peer_expect_end(peer);
	turn_a_little(rig.loop);
	assert_int_equal(rig.door.count, 1);
	atomic_store(&machine->agent_is_off, false);
	agents_follow(rig.agents, machine);
	peer = door_accept(&rig.door);
	peer_say(peer, "down\n");
	peer_expect_end(peer);
	assert_true(endpoint_is_down(endpoint_at(&rig, 0)));
	machine = ((const struct pool *)pools_of(rig.conf)->items[0])->endpoints[1]->machine;
	assert_false(agents_have(rig.agents, machine));
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_pools_share_is_asked_once),
		cmocka_unit_test(a_reload_keeps_what_was_said_and_an_agent_that_goes_takes_it_along),
		cmocka_unit_test(who_is_not_to_be_asked_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
