/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint_state_test.c: health and admin state, apart from each other and from the server's; slow starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/endpoint.h"
#include "base/clock.h"

enum { WEIGHT = 4, WHOLE = WEIGHT * ENDPOINT_SHARE_ONE };
enum { RAMP_MS = 1000000 };	/* no test takes a hundredth of it */

static struct endpoint *
make(struct machine *machine)
{
	struct service *service = service_new("imap");
	struct endpoint *e = endpoint_new(service, machine, 1);

	service_put(&service);
	machine_set_weight(machine, WEIGHT);
	return e;
}

static struct endpoint *
make_alone(void)
{
	struct machine *machine = machine_new("far", "d03");
	struct endpoint *e = make(machine);

	machine_put(&machine);
	return e;
}

static void
health_says_who_is_down(void **state)
{
	static const bool is_down[HEALTH_STATE_COUNT] = { [HEALTH_DOWN] = true, [HEALTH_UNRESOLVED] = true };
	struct endpoint *e = make_alone();

	(void)state;
	assert_false(endpoint_is_down(e));	/* unknown: takes sessions */
	for (int health = HEALTH_STATE_COUNT - 1; health >= 0; health--) {
		assert_true(endpoint_set_health(e, (enum health_state)health, "L4CON"));
		assert_false(endpoint_set_health(e, (enum health_state)health, "L4CON"));
		assert_int_equal(endpoint_is_down(e), is_down[health]);
		assert_int_equal(endpoint_weight(e), WEIGHT);	/* hashes know no health in their weights */
		assert_true(health_state_text((enum health_state)health)[0] != '\0');
	}
	endpoint_put(&e);
}

static void
facts_are_kept_apart(void **state)
{
	struct endpoint *e = make_alone();
	struct endpoint_facts facts;
	int64_t before = clock_ms();

	(void)state;
	endpoint_read(e, &facts);
	assert_int_equal(facts.health.since, 0);
	assert_int_equal(facts.slow_start_percent, 100);
	assert_true(endpoint_set_health(e, HEALTH_DOWN, "L4CON while connecting"));
	endpoint_set_progress(e, 1, 2);
	assert_true(endpoint_set_admin(e, ADMIN_DRAIN, "new disks"));
	endpoint_read(e, &facts);
	assert_int_equal(facts.health.state, HEALTH_DOWN);
	assert_string_equal(facts.health.why, "L4CON while connecting");
	assert_true(facts.health.since >= before);
	assert_int_equal(facts.passed, 1);
	assert_int_equal(facts.wanted, 2);
	assert_int_equal(facts.admin.state, ADMIN_DRAIN);
	assert_string_equal(facts.admin.why, "new disks");
	e->health.since = 5;
	assert_true(endpoint_set_health(e, HEALTH_DOWN, "L4TOUT"));	/* still, for another reason */
	assert_false(endpoint_set_admin(e, ADMIN_DRAIN, "new disks"));
	endpoint_read(e, &facts);
	assert_int_equal(facts.health.since, 5);
	assert_string_equal(facts.health.why, "L4TOUT");
	endpoint_put(&e);
}

/* Of the operator's words for the endpoint and for the server, and the agent's, the strictest counts. */
static void
the_strictest_admin_state_counts(void **state)
{
	struct machine *machine = machine_new("far", "d03");
	struct endpoint *imap = make(machine), *pop3 = make(machine);
	struct agent_word word = AGENT_WORD_NONE;

	(void)state;
	endpoint_set_admin(imap, ADMIN_DRAIN, "");
	assert_int_equal(endpoint_weight(imap), 0);
	assert_int_equal(endpoint_load(imap).share, 0);
	assert_false(endpoint_is_down(imap));		/* who is bound there stays */
	assert_int_equal(endpoint_weight(pop3), WEIGHT);
	machine_set_admin(machine, ADMIN_MAINTENANCE, "");
	assert_true(endpoint_is_down(imap));
	assert_true(endpoint_is_down(pop3));
	machine_set_admin(machine, ADMIN_READY, "");
	assert_false(endpoint_is_down(imap));
	assert_int_equal(endpoint_weight(imap), 0);
	word.admin = ADMIN_DRAIN;
	machine_obey_agent(machine, &word);
	endpoint_set_admin(imap, ADMIN_READY, "");
	assert_int_equal(endpoint_weight(imap), 0);
	word.admin = ADMIN_READY;
	machine_obey_agent(machine, &word);
	assert_int_equal(endpoint_weight(imap), WEIGHT);
	endpoint_set_admin(pop3, ADMIN_MAINTENANCE, "");
	assert_true(endpoint_is_down(pop3));
	assert_false(endpoint_is_down(imap));
	endpoint_put(&imap);
	endpoint_put(&pop3);
	machine_put(&machine);
}

/* Each is down for its own reasons, until the last one is gone. */
static void
up_is_who_has_no_reason_to_be_down(void **state)
{
	struct machine *machine = machine_new("far", "d03");
	struct endpoint *e = make(machine);
	struct agent_word word = AGENT_WORD_NONE;

	(void)state;
	word.is_down = 1;
	machine_obey_agent(machine, &word);
	endpoint_set_health(e, HEALTH_DOWN, "");
	endpoint_set_admin(e, ADMIN_MAINTENANCE, "");
	assert_int_equal(atomic_load(&e->flags), ENDPOINT_DOWN | ENDPOINT_MAINTENANCE);
	endpoint_set_health(e, HEALTH_UP, "");
	assert_int_equal(atomic_load(&e->flags), ENDPOINT_DOWN | ENDPOINT_MAINTENANCE);
	word.is_down = 0;
	machine_obey_agent(machine, &word);
	assert_int_equal(atomic_load(&e->flags), ENDPOINT_MAINTENANCE);
	endpoint_set_admin(e, ADMIN_READY, "");
	assert_false(endpoint_is_down(e));
	endpoint_put(&e);
	machine_put(&machine);
}

static void
pass(struct endpoint *e, int percent)
{
	e->ramp_from -= RAMP_MS / 100 * percent;
}

static void
a_recovery_starts_slowly(void **state)
{
	struct endpoint *e = make_alone();
	struct endpoint_facts facts;

	(void)state;
	endpoint_set_slow_start(e, RAMP_MS);
	endpoint_set_health(e, HEALTH_UP, "");			/* after unknown */
	assert_int_equal(endpoint_load(e).share, WHOLE);
	assert_true(endpoint_ramp(e));				/* it may come */
	assert_int_equal(endpoint_load(e).share, WHOLE);
	endpoint_set_health(e, HEALTH_DOWN, "");
	endpoint_set_health(e, HEALTH_UP, "");
	assert_int_equal(endpoint_load(e).share, WHOLE / 100);
	assert_int_equal(endpoint_weight(e), WEIGHT);
	pass(e, 50);
	assert_true(endpoint_ramp(e));
	assert_in_range(endpoint_load(e).share, WHOLE / 2, WHOLE * 51 / 100);
	endpoint_read(e, &facts);
	assert_in_range(facts.slow_start_percent, 50, 51);
	endpoint_set_slow_start(e, 0);				/* for recoveries to come */
	assert_true(endpoint_ramp(e));
	pass(e, 50);
	assert_false(endpoint_ramp(e));
	assert_int_equal(endpoint_load(e).share, WHOLE);
	endpoint_set_health(e, HEALTH_DOWN, "");
	endpoint_set_health(e, HEALTH_UP, "");
	assert_int_equal(endpoint_load(e).share, WHOLE);
	endpoint_put(&e);
}

static void
who_falls_again_starts_again(void **state)
{
	struct endpoint *e = make_alone();

	(void)state;
	endpoint_set_slow_start(e, RAMP_MS);
	endpoint_set_health(e, HEALTH_DOWN, "");
	endpoint_set_health(e, HEALTH_UP, "");
	pass(e, 90);
	assert_true(endpoint_ramp(e));
	assert_true(endpoint_load(e).share >= WHOLE * 9 / 10);
	endpoint_set_health(e, HEALTH_DOWN, "");
	endpoint_set_health(e, HEALTH_UP, "");
	assert_int_equal(endpoint_load(e).share, WHOLE / 100);
	/* the least that there is is not nothing, but for an agent's 0 */
	machine_set_weight(e->machine, 1);
	machine_obey_agent(e->machine, &(const struct agent_word){ 1, -1, -1, -1, -1, "" });
	assert_int_equal(endpoint_load(e).share, 1);
	machine_obey_agent(e->machine, &(const struct agent_word){ 0, -1, -1, -1, -1, "" });
	assert_int_equal(endpoint_load(e).share, 0);
	endpoint_put(&e);
}

static void
slow_start_is_for_all_who_come_back(void **state)
{
	struct endpoint *e = make_alone();

	(void)state;
	endpoint_set_slow_start(e, RAMP_MS);
	endpoint_set_health(e, HEALTH_UP, "");
	endpoint_set_admin(e, ADMIN_DRAIN, "");
	endpoint_set_admin(e, ADMIN_READY, "");			/* it had sessions all the time */
	assert_int_equal(endpoint_load(e).share, WHOLE);
	endpoint_set_admin(e, ADMIN_MAINTENANCE, "");
	endpoint_set_admin(e, ADMIN_READY, "");
	assert_int_equal(endpoint_load(e).share, WHOLE / 100);
	pass(e, 100);
	assert_true(endpoint_ramp(e));
	assert_int_equal(endpoint_load(e).share, WHOLE);
	endpoint_set_health(e, HEALTH_UNRESOLVED, "");
	endpoint_set_health(e, HEALTH_UP, "");
	assert_int_equal(endpoint_load(e).share, WHOLE);
	endpoint_put(&e);
}

static void
a_share_has_a_bound(void **state)
{
	struct endpoint *e = make_alone();

	(void)state;
	machine_set_weight(e->machine, MACHINE_WEIGHT_MAX);
	machine_obey_agent(e->machine, &(const struct agent_word){ 1000000, -1, -1, -1, -1, "" });
	assert_int_equal(endpoint_load(e).share, ENDPOINT_SHARE_MAX);
	endpoint_put(&e);
}

static void
the_service_hears_of_changes(void **state)
{
	struct endpoint *e = make_alone();
	unsigned changes = service_changes(e->service);

	(void)state;
	endpoint_set_health(e, HEALTH_UP, "");			/* as good as unknown */
	endpoint_set_progress(e, 1, 3);
	assert_int_equal(service_changes(e->service), changes);
	endpoint_set_health(e, HEALTH_DOWN, "");
	assert_int_equal(service_changes(e->service), changes + 1);
	endpoint_set_admin(e, ADMIN_DRAIN, "");
	assert_int_equal(service_changes(e->service), changes + 2);
	endpoint_put(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_says_who_is_down),
		cmocka_unit_test(facts_are_kept_apart),
		cmocka_unit_test(the_strictest_admin_state_counts),
		cmocka_unit_test(up_is_who_has_no_reason_to_be_down),
		cmocka_unit_test(a_recovery_starts_slowly),
		cmocka_unit_test(who_falls_again_starts_again),
		cmocka_unit_test(slow_start_is_for_all_who_come_back),
		cmocka_unit_test(a_share_has_a_bound),
		cmocka_unit_test(the_service_hears_of_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
