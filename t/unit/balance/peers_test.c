/* SPDX-License-Identifier: BSD-2-Clause */
/* peers_test.c: proxies count each other's connections, and see each other's checks, through a real Redis. */
#include "../state/shared_rig.h"

#include "balance/balance.h"
#include "balance/endpoint_room.h"
#include "balance/peers.h"
#include "state/board.h"

#ifdef HAVE_HIREDIS
struct side {
	struct endpoint_table *table;
	struct endpoint *endpoint;
	struct peers *peers;
};

struct test {
	struct rig *rig;
	struct side sides[PROXIES];
	int side, connections, down;	/* what is awaited */
	int words;
};

static void
open_side(struct side *side, struct cluster *cluster)
{
	struct service *service;
	struct machine *machine;

	side->table = endpoint_table_new(1);
	service = endpoint_table_service(side->table, "imap");
	machine = endpoint_table_machine(side->table, true, "dovecot", "d03");
	side->endpoint = endpoint_table_endpoint(side->table, service, machine);
	machine_put(&machine);
	service_put(&service);
	side->peers = peers_new(cluster, side->table);
}

static void
close_side(struct side *side)
{
	peers_free(&side->peers);
	endpoint_put(&side->endpoint);
	endpoint_table_free(&side->table);
}

static struct test
begin(void **state)
{
	struct test test = { .rig = *state };

	for (int i = 0; i < PROXIES; i++)
		open_side(&test.sides[i], test.rig->clusters[i]);
	return test;
}

static bool
is_seen(void *arg)
{
	const struct test *test = arg;
	const struct endpoint *e = test->sides[test->side].endpoint;

	return atomic_load(&e->others) == test->connections && atomic_load(&e->others_down) == test->down;
}

static void
await_others(struct test *test, int side, int connections, int down)
{
	test->side = side;
	test->connections = connections;
	test->down = down;
	await_that(test->rig, is_seen, test);
}

static void
note_word(const struct peer_word *word, void *arg)
{
	assert_string_equal(word->proxy, "lb1");
	assert_true(slice_equals(word->endpoint, "imap/d03"));
	assert_int_equal(word->health, HEALTH_DOWN);
	assert_true(slice_equals(word->why, "no answer"));
	++*(int *)arg;
}

static void
others_connections_count(void **state)
{
	struct test test = begin(state);
	struct endpoint *here = test.sides[1].endpoint, *there = test.sides[0].endpoint;

	endpoint_set_max_connections(here, 4);
	for (int i = 0; i < 3; i++)
		assert_true(endpoint_take(there));
	await_others(&test, 1, 3, 0);
	assert_int_equal(endpoint_load(here).connections, 3);
	assert_true(endpoint_take(here));
	assert_false(endpoint_has_room(here));
	assert_false(endpoint_take(here));
	await_others(&test, 0, 1, 0);
	endpoint_release(there);
	await_others(&test, 1, 2, 0);
	assert_true(endpoint_take(here));
	/* who has gone is not counted */
	for (int i = 0; i < 2; i++)
		endpoint_release(there);
	for (int i = 0; i < 2; i++)
		endpoint_release(here);
	assert_int_equal(peers_count(test.sides[1].peers), 1);
	close_side(&test.sides[0]);
	await_others(&test, 1, 0, 0);
	close_side(&test.sides[1]);
}

static void
others_checks_are_seen(void **state)
{
	struct test test = begin(state);

	endpoint_set_health(test.sides[0].endpoint, HEALTH_DOWN, "no answer");
	await_others(&test, 1, 0, 1);
	assert_false(endpoint_is_down(test.sides[1].endpoint));
	peers_each(test.sides[1].peers, note_word, &test.words);
	assert_int_equal(test.words, 1);
	endpoint_set_health(test.sides[0].endpoint, HEALTH_UP, "");
	await_others(&test, 1, 0, 0);
	for (int i = 0; i < PROXIES; i++)
		close_side(&test.sides[i]);
}

/* Another process, with a sheet of its own. */
struct stranger {
	struct cluster *cluster;
	struct board *board;
	const char *sheet;
};

static void
write_strange(void *owner, struct buf *sheet)
{
	buf_append_text(sheet, ((const struct stranger *)owner)->sheet);
}

static void
hear_nothing(void *owner)
{
	(void)owner;
}

static void
stranger_come(struct stranger *stranger, struct rig *rig, const char *name, const char *sheet)
{
	stranger->cluster = join_as(rig, name);
	stranger->sheet = sheet;
	stranger->board = board_new(&(struct board_settings){ .cluster = stranger->cluster,
	    .name = "servers", .write = write_strange, .on_read = hear_nothing, .owner = stranger });
}

static void
stranger_go(struct stranger *stranger, struct rig *rig)
{
	board_free(&stranger->board);
	cluster_leave(stranger->cluster, rig->loop);
	cluster_free(&stranger->cluster);
}

static void
note_newer(const struct peer_word *word, void *arg)
{
	if (strcmp(word->proxy, "lb9") != 0)
		return;
	assert_true(slice_equals(word->endpoint, "imap/d03"));
	assert_int_equal(word->health, HEALTH_UNKNOWN);
	assert_true(slice_equals(word->why, "half up"));
	++*(int *)arg;
}

/* A health that is not known here, and a line that is none of an endpoint. */
static void
what_a_newer_release_says_is_read_as_far_as_it_is_known(void **state)
{
	struct test test = begin(state);
	struct stranger newer;

	stranger_come(&newer, test.rig, "lb9", "load imap 5\nimap/d03 3 9 half up\n\n");
	await_others(&test, 1, 3, 0);
	peers_each(test.sides[1].peers, note_newer, &test.words);
	assert_int_equal(test.words, 1);
	stranger_go(&newer, test.rig);
	for (int i = 0; i < PROXIES; i++)
		close_side(&test.sides[i]);
}

static void
note_unreadable(const struct peer_word *word, void *arg)
{
	if (strcmp(word->proxy, "lb9") != 0)
		return;
	assert_int_equal(word->why.len, 0);
	++*(int *)arg;
}

static void
a_reason_that_cannot_be_read_hides_nothing_else(void **state)
{
	struct test test = begin(state);
	struct stranger other;

	stranger_come(&other, test.rig, "lb9", "imap/d03 3 2 it said: \xe9\n");
	await_others(&test, 1, 3, 1);
	peers_each(test.sides[1].peers, note_unreadable, &test.words);
	assert_int_equal(test.words, 1);
	stranger_go(&other, test.rig);
	for (int i = 0; i < PROXIES; i++)
		close_side(&test.sides[i]);
}

static bool
is_up_for_one(void *arg)
{
	const struct endpoint *e = arg;

	return atomic_load(&e->others_up) == 1;
}

/* As after a restart, or while another process takes over. */
static void
two_processes_of_a_proxy_have_one_voice(void **state)
{
	static const char down[] = "imap/d03 7 2 no answer\n", up[] = "imap/d03 7 1 \n";
	struct test test = begin(state);
	struct stranger before;

	stranger_come(&before, test.rig, "lb2", down);
	/* for the proxy itself the other one is nobody else; but its connections count */
	await_others(&test, 1, 7, 0);
	endpoint_set_health(test.sides[1].endpoint, HEALTH_UP, "");
	await_that(test.rig, is_up_for_one, test.sides[0].endpoint);
	await_others(&test, 0, 7, 0);
	endpoint_set_health(test.sides[1].endpoint, HEALTH_DOWN, "no answer");
	await_others(&test, 0, 7, 1);
	/* nobody is moved because of two proxies that have one name */
	before.sheet = up;
	await_that(test.rig, is_up_for_one, test.sides[1].endpoint);
	stranger_go(&before, test.rig);
	for (int i = 0; i < PROXIES; i++)
		close_side(&test.sides[i]);
}

/* Whoever finds a server down awaits the others' words first, and is told when they have come. */
static void
others_are_awaited(void **state)
{
	struct test test = begin(state);
	struct endpoint *here = test.sides[1].endpoint;
	unsigned changes = service_changes(here->service);

	assert_true(atomic_load(&here->awaits_others));
	endpoint_set_health(here, HEALTH_DOWN, "no answer");
	endpoint_set_health(test.sides[0].endpoint, HEALTH_UNRESOLVED, "no address");
	await_others(&test, 1, 0, 1);
	assert_false(atomic_load(&here->awaits_others));
	assert_true(service_changes(here->service) != changes);
	for (int i = 0; i < PROXIES; i++)
		close_side(&test.sides[i]);
}

/* One that comes later, by a reload, knows at once what the others have said before. */
static void
a_later_endpoint_knows_the_others(void **state)
{
	struct test test = begin(state);
	struct endpoint *there = test.sides[0].endpoint;
	struct service *service;
	struct endpoint *first = test.sides[1].endpoint, *later;
	struct machine *machine;

	service = endpoint_table_service(test.sides[0].table, "pop3");
	machine = endpoint_table_machine(test.sides[0].table, true, "dovecot", "d03");
	later = endpoint_table_endpoint(test.sides[0].table, service, machine);
	assert_true(endpoint_take(later));
	assert_true(endpoint_take(there));
	await_others(&test, 1, 1, 0);
	service_put(&service);
	machine_put(&machine);
	service = endpoint_table_service(test.sides[1].table, "pop3");
	machine = endpoint_table_machine(test.sides[1].table, true, "dovecot", "d03");
	test.sides[1].endpoint = endpoint_table_endpoint(test.sides[1].table, service, machine);
	assert_true(atomic_load(&test.sides[1].endpoint->awaits_others));
	await_others(&test, 1, 1, 0);
	service_put(&service);
	machine_put(&machine);
	endpoint_release(later);
	endpoint_release(there);
	endpoint_put(&later);
	endpoint_put(&first);
	for (int i = 0; i < PROXIES; i++)
		close_side(&test.sides[i]);
}
#endif

int
main(void)
{
#ifdef HAVE_HIREDIS
	const struct CMUnitTest tests[] = {
		REDIS_TEST(others_connections_count),
		REDIS_TEST(others_checks_are_seen),
		REDIS_TEST(what_a_newer_release_says_is_read_as_far_as_it_is_known),
		REDIS_TEST(a_reason_that_cannot_be_read_hides_nothing_else),
		REDIS_TEST(two_processes_of_a_proxy_have_one_voice),
		REDIS_TEST(others_are_awaited),
		REDIS_TEST(a_later_endpoint_knows_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
#else
	puts("1..0 # SKIP built without hiredis");
	return 0;
#endif
}
