/* SPDX-License-Identifier: BSD-2-Clause */
/* dnsbl_test.c: a name server on loopback counts what it is asked, and says what it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access/dnsbl.h"

enum { PATIENCE_MS = 10000, TTL_MS = 300 * 1000 };
enum { HEADER = 12, FIXED = 4, MESSAGE_MAX = 512, FAILURES = 5, CLIENTS = 8 };
enum says { SAYS_LISTED, SAYS_NOTHING, SAYS_SERVFAIL };

struct server {
	struct loop_io io;
	struct loop *loop;
	int fd;
	struct address address;
	enum says says;
	int asked;
};

struct world {
	struct loop *loop;
	struct server servers[2];
	struct dnsbl *dnsbl;
	struct screen_memory *memory;
};

struct client {
	struct dnsbl_question question;
	struct loop *loop;
	struct dnsbl_answer answer;
	struct client *takes_along;	/* is cancelled when this one is answered */
	int count;
};

static void
on_query(struct loop_io *io, int events)
{
	static const uint8_t record[] = { 0xc0, HEADER, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 2 };
	struct server *server = loop_owner(io, struct server, io);
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	uint8_t m[MESSAGE_MAX];
	ssize_t n = recvfrom(server->fd, m, MESSAGE_MAX / 2, 0, (struct sockaddr *)&peer, &peer_len);
	size_t end = HEADER;

	(void)events;
	if (n < HEADER + FIXED)
		return;
	server->asked++;
	loop_stop(server->loop);
	if (server->says == SAYS_NOTHING)
		return;
	while (m[end] != 0)
		end += 1 + (size_t)m[end];
	end += 1 + FIXED;
	m[2] = 0x81;
	m[3] = server->says == SAYS_SERVFAIL ? 0x82 : 0x80;
	memset(m + 6, 0, 6);
	if (server->says == SAYS_LISTED) {
		m[7] = 1;
		memcpy(m + end, record, sizeof(record));
		end += sizeof(record);
	}
	assert_int_equal(sendto(server->fd, m, end, 0, (struct sockaddr *)&peer, peer_len), end);
}

static void
server_open(struct server *server, struct loop *loop)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	server->loop = loop;
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&in, &len), 0);
	server->address = (struct address){ .port = ntohs(in.sin_port) };
	server->address.addr = addr_from_sockaddr((struct sockaddr *)&in, len);
	loop_io_init(&server->io, server->fd, on_query);
	loop_io_watch(loop, &server->io, LOOP_READ);
}

static void
use_server(struct world *world, int i)
{
	struct address_list list = { &world->servers[i].address, 1 };

	dnsbl_use_nameservers(world->dnsbl, &list);
}

static void
world_open(struct world *world)
{
	*world = (struct world){ .loop = loop_new(0), .memory = screen_memory_new() };
	for (int i = 0; i < 2; i++)
		server_open(&world->servers[i], world->loop);
	world->dnsbl = dnsbl_new(world->loop);
	use_server(world, 0);
}

static void
world_close(struct world *world)
{
	dnsbl_free(&world->dnsbl);
	for (int i = 0; i < 2; i++) {
		loop_io_stop(world->loop, &world->servers[i].io);
		close(world->servers[i].fd);
	}
	screen_memory_free(&world->memory);
	loop_free(&world->loop);
}

static void
on_impatience(struct loop_timer *timer)
{
	(void)timer;
	abort();
}

static void
await(struct world *world, const int *count, int wanted)
{
	struct loop_timer watchdog;

	loop_timer_init(&watchdog, on_impatience);
	loop_timer_set(world->loop, &watchdog, loop_now(world->loop) + PATIENCE_MS);
	while (*count < wanted)
		loop_run(world->loop);
	loop_timer_stop(world->loop, &watchdog);
}

static void
on_answer(struct dnsbl_question *question, const struct dnsbl_answer *answer)
{
	struct client *client = loop_owner(question, struct client, question);

	client->answer = *answer;
	client->count++;
	if (client->takes_along != NULL)
		dnsbl_cancel(&client->takes_along->question);
	loop_stop(client->loop);
}

/* True: it has its answer. */
static bool
ask(struct world *world, struct client *client, const char *name)
{
	*client = (struct client){ .loop = world->loop };
	client->question.on_answer = on_answer;
	client->question.zone = client->question.called = strchr(name, '.') + 1;
	client->question.name = slice_of(name);
	return dnsbl_ask(world->dnsbl, world->memory, &client->question, &client->answer);
}

static void
one_question_is_for_all_who_ask(void **state)
{
	struct world world;
	struct client clients[CLIENTS];

	(void)state;
	world_open(&world);
	for (int i = 0; i < CLIENTS; i++)
		assert_false(ask(&world, &clients[i], "1.a.test"));
	clients[0].takes_along = &clients[1];
	dnsbl_cancel(&clients[2].question);
	await(&world, &clients[CLIENTS - 1].count, 1);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(clients[i].count, i != 1 && i != 2);
	assert_true(clients[0].answer.is_known);
	assert_int_equal(clients[0].answer.count, 1);
	assert_int_equal(clients[0].answer.addresses[0], 0x7f000002);
	assert_in_range(clients[0].answer.until, loop_now(world.loop) + TTL_MS - PATIENCE_MS,
	    loop_now(world.loop) + TTL_MS);
	assert_true(ask(&world, &clients[0], "1.a.test"));
	assert_int_equal(clients[0].answer.addresses[0], 0x7f000002);
	assert_int_equal(clients[0].answer.until, clients[3].answer.until);
	assert_int_equal(world.servers[0].asked, 1);
	assert_false(ask(&world, &clients[0], "2.a.test"));
	dnsbl_cancel(&clients[0].question);
	world_close(&world);
}

/* The answer comes though nobody waits, and is there the next time. */
static void
a_question_goes_on_without_those_who_asked(void **state)
{
	struct world world;
	struct client client, other;

	(void)state;
	world_open(&world);
	assert_false(ask(&world, &client, "1.a.test"));
	dnsbl_cancel(&client.question);
	assert_false(ask(&world, &other, "2.a.test"));
	await(&world, &other.count, 1);
	assert_true(ask(&world, &client, "1.a.test"));
	assert_int_equal(client.answer.count, 1);
	world_close(&world);
}

static void
other_name_servers_are_asked_anew(void **state)
{
	struct world world;
	struct client client;

	(void)state;
	world_open(&world);
	world.servers[0].says = SAYS_NOTHING;
	assert_false(ask(&world, &client, "1.a.test"));
	await(&world, &world.servers[0].asked, 1);
	use_server(&world, 1);
	await(&world, &client.count, 1);
	assert_int_equal(client.answer.count, 1);
	assert_int_equal(world.servers[1].asked, 1);
	world_close(&world);
}

/* It is asked one question at a time, others as ever; until it answers. */
static void
a_list_that_fails_keeps_nobody_waiting(void **state)
{
	static const char *const names[] = { "1.a.test", "2.a.test", "3.a.test", "4.a.test", "5.a.test" };
	struct world world;
	struct client probe, client, other;

	(void)state;
	world_open(&world);
	world.servers[0].says = SAYS_SERVFAIL;
	for (int i = 0; i < FAILURES; i++) {
		assert_false(ask(&world, &client, names[i]));
		await(&world, &client.count, 1);
		assert_false(client.answer.is_known);
	}
	assert_false(ask(&world, &probe, "6.a.test"));
	assert_true(ask(&world, &client, "7.a.test"));
	assert_false(client.answer.is_known);
	world.servers[0].says = SAYS_LISTED;
	assert_false(ask(&world, &other, "7.b.test"));
	await(&world, &other.count, 1);
	assert_true(other.answer.is_known);
	await(&world, &probe.count, 1);
	assert_true(probe.answer.is_known);
	assert_false(ask(&world, &probe, "8.a.test"));
	assert_false(ask(&world, &client, "9.a.test"));
	await(&world, &client.count, 1);
	await(&world, &probe.count, 1);
	assert_true(client.answer.is_known);
	world_close(&world);
}

/* Nor do those who left grow without bound. */
static void
only_so_many_go_on_without_those_who_asked(void **state)
{
	enum { MANY = 3000, KEPT = 1000 };
	struct world world;
	struct client client;

	(void)state;
	world_open(&world);
	world.servers[0].says = SAYS_NOTHING;
	for (int i = 0; i < MANY; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%d.a.test", i);
		assert_false(ask(&world, &client, name));
		dnsbl_cancel(&client.question);
	}
	assert_int_equal(dnsbl_count(world.dnsbl), KEPT);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_question_is_for_all_who_ask),
		cmocka_unit_test(a_question_goes_on_without_those_who_asked),
		cmocka_unit_test(other_name_servers_are_asked_anew),
		cmocka_unit_test(a_list_that_fails_keeps_nobody_waiting),
		cmocka_unit_test(only_so_many_go_on_without_those_who_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
