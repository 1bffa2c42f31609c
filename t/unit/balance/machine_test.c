/* SPDX-License-Identifier: BSD-2-Clause */
/* machine_test.c: whose word counts of file, operator and agent, and what is remembered of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "balance/endpoint.h"
#include "base/clock.h"

/* A server that two pools reach. */
struct rig {
	struct service *services[2];
	struct machine *machine;
	struct endpoint *endpoints[2];
};

static void
rig_open(struct rig *rig)
{
	static const char *const names[] = { "imap", "pop3" };

	rig->machine = machine_new("far", "d03");
	for (int i = 0; i < 2; i++) {
		rig->services[i] = service_new(names[i]);
		rig->endpoints[i] = endpoint_new(rig->services[i], rig->machine, 1);
	}
}

static void
rig_close(struct rig *rig)
{
	for (int i = 0; i < 2; i++) {
		endpoint_put(&rig->endpoints[i]);
		service_put(&rig->services[i]);
	}
	assert_int_equal(atomic_load(&rig->machine->references), 1);
	machine_put(&rig->machine);
	assert_null(rig->machine);
	machine_put(&rig->machine);	/* fine with NULL */
}

static void
expect_weight(const struct rig *rig, int weight, int share)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(endpoint_weight(rig->endpoints[i]), weight);
		assert_int_equal(endpoint_load(rig->endpoints[i]).share, share);
	}
}

static void
expect_admin(const struct rig *rig, enum admin_state state, const char *why)
{
	struct machine_facts facts;

	machine_read(rig->machine, &facts);
	assert_int_equal(facts.admin.state, (int)state);
	assert_string_equal(facts.admin.why, why);
}

static void
names_and_hash_are_its_own(void **state)
{
	struct rig rig;
	struct machine *other = machine_new("near", "d03"), *third = machine_new("far", "d04");

	(void)state;
	rig_open(&rig);
	assert_string_equal(rig.machine->farm, "far");
	assert_string_equal(rig.machine->name, "d03");
	assert_true(rig.machine->hash == other->hash);		/* of the name alone */
	assert_true(rig.machine->hash != third->hash);
	machine_put(&other);
	machine_put(&third);
	rig_close(&rig);
}

static void
the_files_weight_counts_where_it_is_new(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	expect_weight(&rig, 0, 0);
	machine_configure(rig.machine, 3, ADMIN_READY);
	expect_weight(&rig, 3, 3 * ENDPOINT_SHARE_ONE);
	machine_set_weight(rig.machine, 7);
	machine_configure(rig.machine, 3, ADMIN_READY);		/* a reload for some other reason */
	expect_weight(&rig, 7, 7 * ENDPOINT_SHARE_ONE);
	machine_configure(rig.machine, 4, ADMIN_READY);
	expect_weight(&rig, 4, 4 * ENDPOINT_SHARE_ONE);
	machine_configure(rig.machine, 0, ADMIN_READY);
	expect_weight(&rig, 0, 0);
	rig_close(&rig);
}

static void
expect_weighed(const struct rig *rig, int weight, const char *why)
{
	struct machine_facts facts;

	machine_read(rig->machine, &facts);
	assert_int_equal(facts.weight, weight);
	assert_string_equal(facts.weighed.why, why);
}

static void
an_operators_weight_is_told_until_the_file_has_another(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	machine_configure(rig.machine, 3, ADMIN_READY);
	machine_weigh(rig.machine, 7, "by bob: disks");
	expect_weighed(&rig, 7, "by bob: disks");
	expect_weight(&rig, 7, 7 * ENDPOINT_SHARE_ONE);
	machine_configure(rig.machine, 3, ADMIN_READY);
	expect_weighed(&rig, 7, "by bob: disks");
	machine_weigh(rig.machine, 3, "by bob: as it was");
	expect_weighed(&rig, 3, "");
	machine_weigh(rig.machine, 0, "by bob");
	expect_weight(&rig, 0, 0);
	machine_configure(rig.machine, 4, ADMIN_READY);
	expect_weighed(&rig, 4, "");
	rig_close(&rig);
}

static void
the_files_state_counts_where_it_is_new(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	machine_configure(rig.machine, 1, ADMIN_DRAIN);
	expect_admin(&rig, ADMIN_DRAIN, "configured");
	expect_weight(&rig, 0, 0);
	assert_true(machine_set_admin(rig.machine, ADMIN_READY, ""));
	machine_configure(rig.machine, 2, ADMIN_DRAIN);
	expect_admin(&rig, ADMIN_READY, "");
	expect_weight(&rig, 2, 2 * ENDPOINT_SHARE_ONE);
	machine_configure(rig.machine, 2, ADMIN_READY);		/* new, and so it is already */
	machine_configure(rig.machine, 2, ADMIN_MAINTENANCE);
	expect_admin(&rig, ADMIN_MAINTENANCE, "configured");
	assert_true(endpoint_is_down(rig.endpoints[0]));
	rig_close(&rig);
}

static void
since_and_why_are_kept(void **state)
{
	struct rig rig;
	struct machine_facts facts;
	int64_t before = clock_ms();

	(void)state;
	rig_open(&rig);
	machine_read(rig.machine, &facts);
	assert_int_equal(facts.admin.since, 0);
	assert_true(machine_set_admin(rig.machine, ADMIN_DRAIN, "new disks"));
	assert_false(machine_set_admin(rig.machine, ADMIN_DRAIN, "new disks"));
	machine_read(rig.machine, &facts);
	assert_true(facts.admin.since >= before && facts.admin.since <= clock_ms());
	assert_int_equal(facts.agent_admin.since, 0);		/* of others nobody spoke */
	rig.machine->admin.since = 5;
	assert_true(machine_set_admin(rig.machine, ADMIN_DRAIN, "newer disks"));
	machine_read(rig.machine, &facts);
	assert_int_equal(facts.admin.since, 5);			/* it has been so since then */
	expect_admin(&rig, ADMIN_DRAIN, "newer disks");
	assert_true(machine_set_admin(rig.machine, ADMIN_READY, ""));
	machine_read(rig.machine, &facts);
	assert_true(facts.admin.since >= before);
	rig_close(&rig);
}

static void
a_long_why_is_cut(void **state)
{
	char why[2 * STANDING_WHY_MAX];
	struct rig rig;
	struct machine_facts facts;

	(void)state;
	memset(why, 'x', sizeof(why));
	why[sizeof(why) - 1] = '\0';
	rig_open(&rig);
	assert_true(machine_set_admin(rig.machine, ADMIN_DRAIN, why));
	machine_read(rig.machine, &facts);
	assert_int_equal(strlen(facts.admin.why), STANDING_WHY_MAX - 1);
	assert_false(machine_set_admin(rig.machine, ADMIN_DRAIN, why));	/* the same */
	rig_close(&rig);
}

static void
what_an_agent_does_not_say_stays(void **state)
{
	struct rig rig;
	struct machine_facts facts;
	struct agent_word word = AGENT_WORD_NONE;

	(void)state;
	rig_open(&rig);
	machine_configure(rig.machine, 4, ADMIN_READY);
	assert_false(machine_obey_agent(rig.machine, &word));
	word.percent = 50;
	assert_true(machine_obey_agent(rig.machine, &word));
	assert_false(machine_obey_agent(rig.machine, &word));
	expect_weight(&rig, 4, 2 * ENDPOINT_SHARE_ONE);
	word = (struct agent_word){ -1, -1, 30, -1, 1, "queue is long" };
	assert_true(machine_obey_agent(rig.machine, &word));
	machine_read(rig.machine, &facts);
	assert_int_equal(facts.agent_percent, 50);
	assert_int_equal(facts.agent_max_connections, 30);
	assert_int_equal(facts.agent_down.state, 1);
	assert_string_equal(facts.agent_down.why, "queue is long");
	assert_string_equal(facts.agent_admin.why, "");
	assert_true(endpoint_is_down(rig.endpoints[1]));
	word = (struct agent_word){ 0, -1, 0, -1, 0, "" };
	assert_true(machine_obey_agent(rig.machine, &word));
	assert_false(endpoint_is_down(rig.endpoints[1]));
	expect_weight(&rig, 4, 0);
	machine_set_weight(rig.machine, 1);
	word.percent = 1;
	machine_obey_agent(rig.machine, &word);
	expect_weight(&rig, 1, 2);			/* 1 % of 256, downwards */
	rig_close(&rig);
}

/* The stricter one counts; each is taken back by whoever said it. */
static void
operator_and_agent_do_not_overrule_each_other(void **state)
{
	static const int expected[ADMIN_STATE_COUNT][ADMIN_STATE_COUNT] = {
		{ ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINTENANCE },
		{ ADMIN_DRAIN, ADMIN_DRAIN, ADMIN_MAINTENANCE },
		{ ADMIN_MAINTENANCE, ADMIN_MAINTENANCE, ADMIN_MAINTENANCE },
	};
	struct rig rig;

	(void)state;
	rig_open(&rig);
	machine_configure(rig.machine, 1, ADMIN_READY);
	for (int mine = 0; mine < ADMIN_STATE_COUNT; mine++)
		for (int agents = 0; agents < ADMIN_STATE_COUNT; agents++) {
			const struct agent_word word = { -1, -1, -1, agents, -1, "so I say" };

			machine_set_admin(rig.machine, (enum admin_state)mine, "");
			machine_obey_agent(rig.machine, &word);
			assert_int_equal(endpoint_weight(rig.endpoints[0]),
			    expected[mine][agents] == ADMIN_READY);
			assert_int_equal(endpoint_is_down(rig.endpoints[1]),
			    expected[mine][agents] == ADMIN_MAINTENANCE);
		}
	rig_close(&rig);
}

/* Balancers make anew what they remember: when something moved, and else not. */
static void
services_hear_of_changes(void **state)
{
	struct rig rig;
	unsigned changes;

	(void)state;
	rig_open(&rig);
	machine_configure(rig.machine, 1, ADMIN_READY);
	changes = service_changes(rig.services[1]);
	machine_set_weight(rig.machine, 2);
	assert_int_not_equal(service_changes(rig.services[1]), changes);
	changes = service_changes(rig.services[1]);
	machine_set_weight(rig.machine, 2);
	machine_configure(rig.machine, 1, ADMIN_READY);
	machine_set_admin(rig.machine, ADMIN_READY, "as before");
	assert_int_equal(service_changes(rig.services[1]), changes);
	rig_close(&rig);
}

static void
states_have_texts(void **state)
{
	(void)state;
	assert_string_equal(admin_state_text(ADMIN_READY), "ready");
	assert_string_equal(admin_state_text(ADMIN_DRAIN), "drain");
	assert_string_equal(admin_state_text(ADMIN_MAINTENANCE), "maintenance");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_hash_are_its_own),
		cmocka_unit_test(the_files_weight_counts_where_it_is_new),
		cmocka_unit_test(an_operators_weight_is_told_until_the_file_has_another),
		cmocka_unit_test(the_files_state_counts_where_it_is_new),
		cmocka_unit_test(since_and_why_are_kept),
		cmocka_unit_test(a_long_why_is_cut),
		cmocka_unit_test(what_an_agent_does_not_say_stays),
		cmocka_unit_test(operator_and_agent_do_not_overrule_each_other),
		cmocka_unit_test(services_hear_of_changes),
		cmocka_unit_test(states_have_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
