/* SPDX-License-Identifier: BSD-2-Clause */
/* worker_test.c: gates through commits: who is accepted, under which settings, and when a worker is empty. */
#include "../base/counters.h"
#include "client.h"

#include "session/listener_kept.h"

/* A second configuration, as a reload would bring it. */
struct generation {
	struct snapshot snapshot;
	struct listener_settings settings;
	int unused;
};

static void
on_generation_unused(struct snapshot *snapshot)
{
	list_entry(snapshot, struct generation, snapshot)->unused++;
}

static void
generation_make(struct generation *g, const struct rig *rig, const char *hostname)
{
	memset(g, 0, sizeof(*g));
	g->snapshot = rig->snapshot;
	g->snapshot.workers = 1;
	g->snapshot.on_unused = on_generation_unused;
	g->snapshot.shares = xcalloc_aligned(sizeof(g->snapshot.shares[0]));
	g->settings = *rig->settings;
	g->settings.hostname = hostname;
}

/* Gate `socket` serves the generation from now on; fd -1: it is there already, or (no order) dropped. */
static void
commit(struct rig *rig, struct generation *g, int fd, bool has_order)
{
	struct worker_change *change = xcalloc(1, sizeof(*change));
	struct gate *gate;

	list_init(&change->gates);
	change->snapshot = &g->snapshot;
	if (has_order) {
		change->orders = xcalloc(1, sizeof(*change->orders));
		change->orders[0] = (struct gate_order){ .socket = 1, .settings = &g->settings };
		change->order_count = 1;
	}
	if (fd >= 0) {
		gate = xcalloc(1, sizeof(*gate));
		*gate = (struct gate){ .worker = rig->worker, .fd = fd, .socket = 1,
			.settings = &g->settings };
		list_append(&change->gates, &gate->node);
	}
	worker_commit(rig->worker, change);
	turn_a_little(rig->loop);
}

static int
open_socket(struct addr *addr)
{
	struct door door;
	struct loop *loop = loop_new(0);
	int fd;

	door_open(&door, loop);
	*addr = door.addr;
	loop_io_stop(loop, &door.io);
	fd = door.fd;
	loop_free(&loop);
	return fd;
}

/* Connects at once: the kernel does so without anybody who accepts. */
static void
connect_client(struct rig *rig, struct peer *client, const struct addr *addr)
{
	struct sockaddr_storage storage;
	socklen_t len = addr_to_sockaddr(addr, &storage);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&storage, len), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	peer_open(client, rig->loop, fd);
}

static void
expect_greeting(struct peer *client, const char *hostname)
{
	char text[128];

	snprintf(text, sizeof(text),
	    "* OK [CAPABILITY IMAP4rev1 SASL-IR ID IDLE AUTH=PLAIN AUTH=LOGIN] %s ready.\r\n", hostname);
	peer_expect(client, text);
}

/* rig_open's own configuration is given up for the first commit's. */
static void
open_worker(struct rig *rig, struct generation *g, struct addr *addr, int64_t max_connections)
{
	rig_open(rig, 1, "imap", "", "");
	generation_make(g, rig, "one.example.com");
	g->settings.max_connections = max_connections;
	commit(rig, g, open_socket(addr), true);
	assert_null(rig->snapshot.on_unused);
}

static void
close_worker(struct rig *rig, struct generation *g)
{
	worker_stop(rig->worker);
	while (rig->worker->snapshot != NULL)
		loop_run(rig->loop);
	turn_a_little(rig->loop);
	assert_int_equal(g->unused, 1);
	xfree(g->snapshot.shares);
	rig_close(rig);
}

static void
sessions_keep_the_settings_they_began_with(void **state)
{
	struct rig rig;
	struct generation first, second;
	struct peer old, new, *server;
	struct addr addr;

	(void)state;
	open_worker(&rig, &first, &addr, 0);
	connect_client(&rig, &old, &addr);
	expect_greeting(&old, "one.example.com");
	generation_make(&second, &rig, "two.example.com");
	commit(&rig, &second, -1, true);
	assert_int_equal(first.unused, 0);
	connect_client(&rig, &new, &addr);
	expect_greeting(&new, "two.example.com");
	/* a session that relays needs no settings any more */
	server = rig_log_in(&rig, &old);
	turn_a_little(rig.loop);
	assert_int_equal(first.unused, 1);
	peer_say(&old, "b NOOP\r\n");
	peer_expect(server, "b NOOP\r\n");
	peer_close(&old);
	peer_close(&new);
	xfree(first.snapshot.shares);
	close_worker(&rig, &second);
}

static void
who_waited_at_a_dropped_gate_is_served(void **state)
{
	struct rig rig;
	struct generation first, second;
	struct peer waiting;
	struct addr addr;

	(void)state;
	open_worker(&rig, &first, &addr, 0);
	generation_make(&second, &rig, "two.example.com");
	connect_client(&rig, &waiting, &addr);
	commit(&rig, &second, -1, false);
	expect_greeting(&waiting, "one.example.com");
	assert_true(list_is_empty(&rig.worker->gates));
	assert_int_equal(first.unused, 0);
	peer_close(&waiting);
	expect_all_gone(&rig);
	turn_a_little(rig.loop);
	assert_int_equal(first.unused, 1);
	xfree(first.snapshot.shares);
	close_worker(&rig, &second);
}

static void
who_is_too_many_waits(void **state)
{
	struct rig rig;
	struct generation g;
	struct peer first, second;
	struct addr addr;

	(void)state;
	open_worker(&rig, &g, &addr, 1);
	connect_client(&rig, &first, &addr);
	connect_client(&rig, &second, &addr);
	expect_greeting(&first, "one.example.com");
	for (int i = 0; i < 8; i++)
		turn_a_little(rig.loop);
	assert_int_equal(buf_len(&second.heard), 0);
	assert_int_equal(metric_of(&process_metrics, "sessions", worker_process(), 1), 1);
	peer_close(&first);
	expect_greeting(&second, "one.example.com");
	peer_close(&second);
	close_worker(&rig, &g);
}

static void
each_counter_of_a_listener_is_read_by_its_name(void **state)
{
	static const char *const names[] = { LISTENER_COUNTERS(COUNTER_NAME) };
	struct listener *l = listener_new("imap", 2);
	_Atomic uint64_t *const threads[] = { &l->counters[0].accepted, &l->counters[1].accepted };

	(void)state;
	expect_counters(&listener_metrics, l, threads, names, sizeof(names) / sizeof(names[0]));
	atomic_store(&l->connections, 3);
	assert_int_equal(metric_of(&listener_metrics, "connections", l, 2), 3);
	listener_put(&l);
}

static void
is_empty_when_drained(void **state)
{
	struct rig rig;
	struct generation g;
	struct peer client;
	struct addr addr;

	(void)state;
	open_worker(&rig, &g, &addr, 0);
	connect_client(&rig, &client, &addr);
	expect_greeting(&client, "one.example.com");
	worker_drain(rig.worker);
	turn_a_little(rig.loop);
	assert_int_equal(empties, 0);
	worker_finish(rig.worker);
	peer_expect(&client, "* BYE [UNAVAILABLE] Please connect again.\r\n");
	peer_expect_end(&client);
	peer_close(&client);
	await(rig.loop, &empties, 1);
	close_worker(&rig, &g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_keep_the_settings_they_began_with),
		cmocka_unit_test(who_waited_at_a_dropped_gate_is_served),
		cmocka_unit_test(who_is_too_many_waits),
		cmocka_unit_test(each_counter_of_a_listener_is_read_by_its_name),
		cmocka_unit_test(is_empty_when_drained),
	};

	return cmocka_run_group_tests(tests, quiet_log, end_log);
}
