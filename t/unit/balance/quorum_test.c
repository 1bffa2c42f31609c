/* SPDX-License-Identifier: BSD-2-Clause */
/* quorum_test.c: how many proxies must find a server down, by words and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "balance/endpoint_table.h"
#include "balance/quorum.h"

static const struct verdict {
	int64_t wanted;
	int up, down;			/* other proxies; this one finds it down */
	bool agrees;
} verdicts[] = {
	{ QUORUM_NONE, 5, 0, true },
	{ QUORUM_MAJORITY, 0, 0, true },
	{ QUORUM_MAJORITY, 1, 0, false },
	{ QUORUM_MAJORITY, 0, 1, true },
	{ QUORUM_MAJORITY, 1, 1, true },
	{ QUORUM_MAJORITY, 2, 1, false },
	{ QUORUM_MAJORITY, 2, 2, true },
	{ 2, 7, 0, false },
	{ 2, 7, 1, true },
	{ 3, 0, 1, true },		/* there are no three */
	{ 3, 1, 1, false },
	{ 1000, 1, 1, false },
	{ 1000, 0, 0, true },
};

static struct endpoint *
open_endpoint(struct endpoint_table *table)
{
	struct service *service = endpoint_table_service(table, "imap");
	struct machine *machine = endpoint_table_machine(table, true, "dovecot", "d03");
	struct endpoint *e = endpoint_table_endpoint(table, service, machine);

	machine_put(&machine);
	service_put(&service);
	return e;
}

static void
verdicts_are_counted(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct endpoint *e = open_endpoint(table);

	(void)state;
	endpoint_set_health(e, HEALTH_DOWN, "");
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		atomic_store(&e->others_up, verdicts[i].up);
		atomic_store(&e->others_down, verdicts[i].down);
		if (quorum_agrees(e, verdicts[i].wanted) != verdicts[i].agrees)
			fail_msg("verdict %zu", i);
	}
	endpoint_put(&e);
	endpoint_table_free(&table);
}

static void
operators_and_agents_need_no_quorum(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct endpoint *e = open_endpoint(table);
	struct agent_word word = AGENT_WORD_NONE;

	(void)state;
	atomic_store(&e->others_up, 2);
	endpoint_set_admin(e, ADMIN_MAINTENANCE, "a new disk");
	assert_true(quorum_agrees(e, QUORUM_MAJORITY));
	endpoint_set_admin(e, ADMIN_READY, "");
	endpoint_set_health(e, HEALTH_DOWN, "");
	assert_false(quorum_agrees(e, QUORUM_MAJORITY));
	word.is_down = 1;
	word.why = "the agent says so";
	machine_obey_agent(e->machine, &word);
	assert_true(quorum_agrees(e, QUORUM_MAJORITY));
	endpoint_put(&e);
	endpoint_table_free(&table);
}

static void
nobody_is_replaced_before_others_were_heard(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct endpoint *e;

	(void)state;
	endpoint_table_share(table, true);
	e = open_endpoint(table);
	endpoint_set_health(e, HEALTH_DOWN, "");
	assert_false(quorum_agrees(e, QUORUM_MAJORITY));
	assert_true(quorum_agrees(e, QUORUM_NONE));
	endpoint_table_share(table, false);
	assert_true(quorum_agrees(e, QUORUM_MAJORITY));
	endpoint_put(&e);
	endpoint_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_counted),
		cmocka_unit_test(operators_and_agents_need_no_quorum),
		cmocka_unit_test(nobody_is_replaced_before_others_were_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
