/* SPDX-License-Identifier: BSD-2-Clause */
/* agent_test.c: a machine's agent, which says what it is told to: what holds, and what changes nothing. */
#include "../session/door.h"

#include "base/xalloc.h"
#include "health/agent.h"

struct rig {
	struct loop *loop;
	struct door door;
	struct machine *machine;
	struct server server;
	struct agent *agent;
};

static void
rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->loop = loop_new(0);
	door_open(&rig->door, rig->loop);
	rig->machine = machine_new("farm", "d03");
	machine_set_weight(rig->machine, 4);
	rig->server.agent = (struct address){ .text = "as the door", .addr = rig->door.addr };
	rig->server.agent_interval.ms = 5;
	rig->agent = xcalloc(1, sizeof(*rig->agent));
}

static void
rig_start(struct rig *rig)
{
	agent_start(rig->agent, rig->loop, rig->machine, &rig->server, loop_now(rig->loop));
}

static void
rig_close(struct rig *rig)
{
	agent_stop(rig->agent);
	agent_stop(rig->agent);
	loop_defer(rig->loop, xfree, rig->agent);
	door_close(&rig->door);
	assert_int_equal(atomic_load(&rig->machine->references), 1);
	machine_put(&rig->machine);
	loop_free(&rig->loop);
}

/* The next question, and its answer, after which the agent is left alone. */
static void
answer(struct rig *rig, const char *text)
{
	struct peer *peer = door_accept(&rig->door);

	peer_say(peer, text);
	peer_expect_end(peer);
}

static struct machine_facts
facts_of(struct rig *rig)
{
	struct machine_facts facts;

	machine_read(rig->machine, &facts);
	return facts;
}

struct expected {
	int percent, weight, max_connections, admin, is_down;
};

static void
expect_facts(struct rig *rig, const struct expected *expected)
{
	struct machine_facts facts = facts_of(rig);

	assert_int_equal(facts.agent_percent, expected->percent);
	assert_int_equal(facts.agent_weight, expected->weight);
	assert_int_equal(facts.agent_max_connections, expected->max_connections);
	assert_int_equal(facts.agent_admin.state, expected->admin);
	assert_int_equal(facts.agent_down.state, expected->is_down);
	assert_int_equal(facts.weight, 4);
	assert_int_equal(facts.admin.state, ADMIN_READY);
}

static void
what_is_said_holds_until_it_says_otherwise(void **state)
{
	static const struct {
		const char *line;
		struct expected expected;
		const char *admin_why, *down_why;
	} rows[][4] = {
		{
			{ "75% maxconn:30\n",          { 75, -1, 30, ADMIN_READY, 0 }, "", "" },
			{ "drain # queue full\r\n",    { 75, -1, 30, ADMIN_DRAIN, 0 }, "queue full", "" },
			{ "down # disk\n",             { 75, -1, 30, ADMIN_DRAIN, 1 }, "queue full", "disk" },
			{ "ready weight:9 maxconn:0\n", { 100, 9, 0, ADMIN_READY, 1 }, "", "disk" },
		}, {
			{ "up maint\n",                { 100, -1, 0, ADMIN_MAINTENANCE, 0 }, "", "" },
			{ "up, ready\t0%\n",           { 0, -1, 0, ADMIN_READY, 0 }, "", "" },
			{ "stopped junk weight:50%\n", { 50, -1, 0, ADMIN_READY, 1 }, "", "" },
			{ "fail # a\nup\n",            { 50, -1, 0, ADMIN_READY, 1 }, "", "a" },
		},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig rig;

		rig_init(&rig);
		rig_start(&rig);
		for (size_t j = 0; j < sizeof(rows[0]) / sizeof(rows[0][0]); j++) {
			answer(&rig, rows[i][j].line);
			expect_facts(&rig, &rows[i][j].expected);
			assert_string_equal(facts_of(&rig).agent_admin.why, rows[i][j].admin_why);
			assert_string_equal(facts_of(&rig).agent_down.why, rows[i][j].down_why);
		}
		rig_close(&rig);
	}
}

static void
what_is_no_answer_changes_nothing(void **state)
{
	static const struct expected before = { 50, -1, 7, ADMIN_DRAIN, 1 };
	static const char *const lines[] = { "", "up ready 70%", "junk\n", "# up\n", NULL };
	char line[AGENT_LINE_MAX + 4];

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, "up ", 3);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct rig rig;
		struct peer *peer;

		rig_init(&rig);
		rig_start(&rig);
		answer(&rig, "drain down 50% maxconn:7\n");
		peer = door_accept(&rig.door);
		if (lines[i] != NULL) {
			peer_say(peer, lines[i]);
			stream_shut(&peer->stream);
		} else {
			line[AGENT_LINE_MAX] = '\n';	/* one too late */
			stream_write(&peer->stream, slice_make(line, AGENT_LINE_MAX + 1));
		}
		peer_expect_end(peer);
		expect_facts(&rig, &before);
		peer = door_accept(&rig.door);
		expect_facts(&rig, &before);
		line[AGENT_LINE_MAX - 1] = '\n';	/* just fits */
		stream_write(&peer->stream, slice_make(line, AGENT_LINE_MAX));
		peer_expect_end(peer);
		assert_int_equal(facts_of(&rig).agent_down.state, 0);
		line[AGENT_LINE_MAX - 1] = ' ';
		rig_close(&rig);
	}
}

static void
nor_does_a_reset_or_a_closed_port(void **state)
{
	static const struct expected before = { 50, -1, 0, ADMIN_READY, 1 };
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_init(&rig);
	rig_start(&rig);
	answer(&rig, "down 50%\n");
	peer = door_accept(&rig.door);
	stream_reset(&peer->stream);
	peer = door_accept(&rig.door);
	assert_true(rig.agent->is_mute);
	expect_facts(&rig, &before);
	door_refuse(&rig.door);
	peer_say(peer, "50%\n");
	peer_expect_end(peer);
	assert_false(rig.agent->is_mute);
	for (int i = 0; i < TAPE_PATIENCE_MS && !rig.agent->is_mute; i++)
		wait_ms(rig.loop, 1);
	assert_true(rig.agent->is_mute);
	expect_facts(&rig, &before);
	rig_close(&rig);
}

static void
a_silent_one_is_left_in_the_end(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_init(&rig);
	rig_start(&rig);
	peer = door_accept(&rig.door);
	peer_say(peer, "down");
	peer_expect_end(peer);
	assert_int_equal(facts_of(&rig).agent_down.state, 0);
	answer(&rig, "down\n");
	assert_int_equal(facts_of(&rig).agent_down.state, 1);
	rig_close(&rig);
}

static void
it_hears_what_is_to_be_sent_and_may_speak_slowly(void **state)
{
	struct rig rig;
	struct peer *peer;

	(void)state;
	rig_init(&rig);
	rig.server.agent_send = (struct check_text){ "how are you?\r\n", 14 };
	rig_start(&rig);
	peer = door_accept(&rig.door);
	peer_expect(peer, "how are you?\r\n");
	peer_say_slowly(peer, "drain # so so");
	assert_int_equal(facts_of(&rig).agent_admin.state, ADMIN_READY);
	peer_say(peer, "\n");
	peer_expect_end(peer);
	assert_int_equal(facts_of(&rig).agent_admin.state, ADMIN_DRAIN);
	rig_close(&rig);
}

static void
another_agent_is_asked_at_once(void **state)
{
	struct rig rig;
	struct door other;
	struct server server;
	struct peer *peer;

	(void)state;
	rig_init(&rig);
	door_open(&other, rig.loop);
	rig_start(&rig);
	answer(&rig, "75% drain\n");
	peer = door_accept(&rig.door);
	server = rig.server;
	server.agent.addr = other.addr;
	server.agent_interval.ms = 24 * 3600 * 1000;
	agent_move(rig.agent, &server);
	peer_expect_end(peer);
	expect_facts(&rig, &(struct expected){ 75, -1, 0, ADMIN_DRAIN, 0 });
	peer = door_accept(&other);
	peer_say(peer, "ready\n");
	peer_expect_end(peer);
	expect_facts(&rig, &(struct expected){ 75, -1, 0, ADMIN_READY, 0 });
	/* the same agent, but more often */
	assert_true(rig.agent->due_at > loop_now(rig.loop) + TAPE_PATIENCE_MS);
	server.agent_interval.ms = 5;
	agent_move(rig.agent, &server);
	door_accept(&other);
	door_close(&other);
	rig_close(&rig);
}

static void
nothing_holds_of_one_that_is_forgotten(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig);
	rig_start(&rig);
	answer(&rig, "maint down weight:7 maxconn:3 # all of it\n");
	expect_facts(&rig, &(struct expected){ 100, 7, 3, ADMIN_MAINTENANCE, 1 });
	door_accept(&rig.door);		/* it is asked just now */
	agent_forget(rig.agent);
	expect_facts(&rig, &(struct expected){ 100, -1, 0, ADMIN_READY, 0 });
	assert_string_equal(facts_of(&rig).agent_down.why, "");
	rig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_holds_until_it_says_otherwise),
		cmocka_unit_test(what_is_no_answer_changes_nothing),
		cmocka_unit_test(nor_does_a_reset_or_a_closed_port),
		cmocka_unit_test(a_silent_one_is_left_in_the_end),
		cmocka_unit_test(it_hears_what_is_to_be_sent_and_may_speak_slowly),
		cmocka_unit_test(another_agent_is_asked_at_once),
		cmocka_unit_test(nothing_holds_of_one_that_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
