/* SPDX-License-Identifier: BSD-2-Clause */
/* resolve_test.c: what a name server of all kinds, on loopback, makes of questions. */
#include "tape.h"

#include <signal.h>

#include "dns_message.h"
#include "net/resolve.h"

enum { PORT = 143, MANY = 300, BURST = 64, QUERY_MAX = 512 };

struct server {
	struct loop *loop;
	struct loop_io udp, listening, tcp;
	int udp_fd, listening_fd, tcp_fd;
	int asked, asked_by_tcp;
	struct address address;
};

/* What is answered to a name: nothing where there is no `fill`. */
struct entry {
	const char *name;
	enum dns_type type;		/* 0: of any */
	unsigned flags;			/* or-ed to those of an answer: the code, or truncated */
	void (*fill)(struct message *m, bool is_tcp);
};

static void
fill_nothing(struct message *m, bool is_tcp)
{
	(void)m;
	(void)is_tcp;
}

static void
fill_ipv4(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	message_address(m, NULL, "192.0.2.1", 300);
	message_address(m, NULL, "192.0.2.2", 200);
	message_address(m, NULL, "192.0.2.1", 100);
}

static void
fill_ipv6(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	message_address(m, NULL, "2001:db8::1", 600);
}

static void
fill_alias(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	message_alias(m, NULL, "b.test", 3600);
	message_alias(m, "b.test", "c.test", 20);
	message_address(m, "c.test", "192.0.2.3", 300);
}

static void
fill_other_id(struct message *m, bool is_tcp)
{
	m->data[0] ^= 1;
	fill_ipv4(m, is_tcp);
}

static void
fill_other_question(struct message *m, bool is_tcp)
{
	m->data[MESSAGE_HEADER + 1] ^= 1;
	fill_ipv4(m, is_tcp);
}

static void
fill_short(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	m->len = 3;
}

static void
fill_empty(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	m->len = 0;
}

static void
fill_garbage(struct message *m, bool is_tcp)
{
	fill_ipv4(m, is_tcp);
	m->len -= 2;
}

static void
fill_many(struct message *m, bool is_tcp)
{
	for (int i = 0; is_tcp && i < MANY; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		message_address(m, NULL, text, 300);
	}
	if (is_tcp)
		message_set(m, 2, MESSAGE_ANSWER);
}

static void
fill_service(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	message_service(m, (const uint16_t[]){ 50, 1, 1143 }, "both.test", 250);
	message_service(m, (const uint16_t[]){ 10, 5, 1143 }, "both.test", 250);
	message_service(m, (const uint16_t[]){ 50, 1, 1143 }, "both.test", 250);
	message_service(m, (const uint16_t[]){ 20, 7, 2143 }, "servfail.test", 250);
	message_service(m, (const uint16_t[]){ 30, 9, 3143 }, "alias.test", 250);
	message_service(m, (const uint16_t[]){ 40, 9, 3143 }, "", 250);
}

static void
fill_no_service(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	message_service(m, (const uint16_t[]){ 0, 0, 0 }, "", 250);
}

/* The last record is the authority's. */
static void
fill_authority(struct message *m, bool is_tcp)
{
	(void)is_tcp;
	message_begin(m, "test", DNS_SOA, 900);
	message_name(m, "ns.test");
	message_name(m, "ns.test");
	for (int i = 0; i < 5; i++) {
		message_number(m, 0);
		message_number(m, 150);
	}
	message_end(m);
	message_set(m, 6, message_get(m, 6) - 1);
	message_set(m, 8, 1);
}

static const struct entry entries[] = {
	/* name                 type      flags              fill */
	{ "both.test",          DNS_A,    0,                 fill_ipv4 },
	{ "both.test",          DNS_AAAA, 0,                 fill_ipv6 },
	{ "ipv4.test",          DNS_A,    0,                 fill_ipv4 },
	{ "ipv4.test",          DNS_AAAA, 0,                 fill_nothing },
	{ "half.test",          DNS_A,    0,                 fill_ipv4 },
	{ "half.test",          DNS_AAAA, SERVFAIL,          fill_nothing },
	{ "alias.test",         DNS_A,    0,                 fill_alias },
	{ "alias.test",         DNS_AAAA, 0,                 fill_nothing },
	{ "nodata.test",        0,        0,                 fill_nothing },
	{ "absent.test",        0,        NXDOMAIN,          fill_authority },
	{ "servfail.test",      0,        SERVFAIL,          fill_nothing },
	{ "refused.test",       0,        REFUSED,           fill_nothing },
	{ "garbage.test",       0,        0,                 fill_garbage },
	{ "short.test",         0,        0,                 fill_short },
	{ "empty.test",         0,        0,                 fill_empty },
	{ "other-id.test",      0,        0,                 fill_other_id },
	{ "other-question.test", 0,       0,                 fill_other_question },
	{ "silent.test",        0,        0,                 NULL },
	{ "many.test",          DNS_A,    MESSAGE_TRUNCATED, fill_many },
	{ "many.test",          DNS_AAAA, 0,                 fill_nothing },
	{ "_imap._tcp.test",    DNS_SRV,  0,                 fill_service },
	{ "_pop3._tcp.test",    DNS_SRV,  0,                 fill_no_service },
};

static const struct entry unknown = { "", 0, NXDOMAIN, fill_nothing };

static const struct entry *
find_entry(const char *name, unsigned type)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (strcmp(entries[i].name, name) == 0 && (entries[i].type == 0 || entries[i].type == type))
			return &entries[i];
	return &unknown;
}

/* Makes the query its answer; false: there is none. */
static bool
answer_query(struct message *m, bool is_tcp)
{
	char name[QUERY_MAX] = "";
	size_t at = MESSAGE_HEADER;
	const struct entry *entry;

	while (m->data[at] != 0) {
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%.*s",
		    name[0] != '\0' ? "." : "", m->data[at], (const char *)m->data + at + 1);
		at += 1 + (size_t)m->data[at];
	}
	entry = find_entry(name, message_get(m, at + 1));
	if (entry->fill == NULL)
		return false;
	message_set(m, 2, MESSAGE_ANSWER | entry->flags);
	entry->fill(m, is_tcp);
	return true;
}

static void
on_udp(struct loop_io *io, int events)
{
	struct server *server = loop_owner(io, struct server, udp);
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	struct message m;
	ssize_t n;

	(void)events;
	for (;;) {
		n = recvfrom(server->udp_fd, m.data, QUERY_MAX, 0, (struct sockaddr *)&from, &from_len);
		if (n < 0)
			break;
		m.len = (size_t)n;
		server->asked++;
		if (!answer_query(&m, false))
			continue;
		n = sendto(server->udp_fd, m.data, m.len, 0, (struct sockaddr *)&from, from_len);
		assert_int_equal(n, m.len);
	}
	loop_stop(server->loop);
}

static void
on_tcp(struct loop_io *io, int events)
{
	struct server *server = loop_owner(io, struct server, tcp);
	uint8_t length[2];
	struct message m;
	ssize_t n = recv(server->tcp_fd, length, sizeof(length), MSG_PEEK);

	(void)events;
	if (n <= 0) {
		loop_io_stop(server->loop, &server->tcp);
		close(server->tcp_fd);
		server->tcp_fd = -1;
		return;
	}
	assert_int_equal(recv(server->tcp_fd, length, sizeof(length), 0), sizeof(length));
	n = recv(server->tcp_fd, m.data, QUERY_MAX, 0);
	assert_int_equal(n, length[0] << 8 | length[1]);
	m.len = (size_t)n;
	server->asked_by_tcp++;
	assert_true(answer_query(&m, true));
	length[0] = (uint8_t)(m.len >> 8);
	length[1] = (uint8_t)m.len;
	assert_int_equal(send(server->tcp_fd, length, 1, 0), 1);
	assert_int_equal(send(server->tcp_fd, length + 1, 1, 0), 1);
	assert_int_equal(send(server->tcp_fd, m.data, m.len, 0), (ssize_t)m.len);
}

static void
on_listening(struct loop_io *io, int events)
{
	struct server *server = loop_owner(io, struct server, listening);

	(void)events;
	assert_int_equal(server->tcp_fd, -1);
	server->tcp_fd = accept4(server->listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(server->tcp_fd >= 0);
	loop_io_init(&server->tcp, server->tcp_fd, on_tcp);
	loop_io_watch(server->loop, &server->tcp, LOOP_READ);
}

static int
bind_local(int type, uint16_t *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	in.sin_port = htons(*port);
	if (bind(fd, (struct sockaddr *)&in, len) != 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static struct address
local_address(uint16_t port)
{
	struct address address = { .port = port };

	assert_true(addr_parse(slice_of("127.0.0.1"), port, &address.addr));
	return address;
}

static void
server_open(struct server *server, struct loop *loop)
{
	uint16_t port;

	*server = (struct server){ .loop = loop, .udp_fd = -1, .tcp_fd = -1 };
	do {	/* a port that both are free at */
		port = 0;
		server->listening_fd = bind_local(SOCK_STREAM, &port);
		assert_true(server->listening_fd >= 0);
		server->udp_fd = bind_local(SOCK_DGRAM, &port);
		if (server->udp_fd < 0)
			close(server->listening_fd);
	} while (server->udp_fd < 0);
	assert_int_equal(listen(server->listening_fd, 8), 0);
	server->address = local_address(port);
	loop_io_init(&server->udp, server->udp_fd, on_udp);
	loop_io_watch(loop, &server->udp, LOOP_READ);
	loop_io_init(&server->listening, server->listening_fd, on_listening);
	loop_io_watch(loop, &server->listening, LOOP_READ);
}

static void
server_close(struct server *server)
{
	loop_io_stop(server->loop, &server->udp);
	loop_io_stop(server->loop, &server->listening);
	loop_io_stop(server->loop, &server->tcp);
	close(server->udp_fd);
	close(server->listening_fd);
	if (server->tcp_fd >= 0)
		close(server->tcp_fd);
}

/* Who asks, and what was answered. */
struct asker {
	struct resolve_question question;
	struct loop *loop;
	struct resolver *again;		/* asks once more from within the answer */
	int count;
	struct resolve_result result;
	struct resolve_address addresses[RESOLVE_ADDRESSES_MAX];
	char text[512];
	char hosts[RESOLVE_ADDRESSES_MAX][32];
};

struct world {
	struct loop *loop;
	struct server server;
	struct resolver *resolver;
};

static void
on_answer(struct resolve_question *question, const struct resolve_result *result)
{
	struct asker *asker = loop_owner(question, struct asker, question);
	struct resolver *again = asker->again;

	asker->count++;
	asker->result = *result;
	snprintf(asker->text, sizeof(asker->text), "%s", result->text);
	for (size_t i = 0; i < result->count; i++) {
		asker->addresses[i] = result->addresses[i];
		snprintf(asker->hosts[i], sizeof(asker->hosts[i]), "%s", result->addresses[i].host);
	}
	asker->again = NULL;
	if (again != NULL)
		resolve_start(again, question);
	loop_stop(asker->loop);
}

static void
start(struct world *world, struct asker *asker, enum resolve_kind kind, const char *name)
{
	*asker = (struct asker){ .loop = world->loop };
	asker->question = (struct resolve_question){
		.kind = kind, .name = name, .port = PORT, .on_answer = on_answer
	};
	resolve_start(world->resolver, &asker->question);
	assert_int_equal(asker->count, 0);
}

static void
ask(struct world *world, struct asker *asker, enum resolve_kind kind, const char *name)
{
	start(world, asker, kind, name);
	await(world->loop, &asker->count, 1);
	assert_int_equal(asker->count, 1);
	assert_null(asker->question.lookup);
}

static const struct resolve_address *
find(const struct asker *asker, const char *text)
{
	for (size_t i = 0; i < asker->result.count; i++) {
		char out[ADDR_TEXT_MAX];

		if (strcmp(addr_format(&asker->addresses[i].addr, out), text) == 0)
			return &asker->addresses[i];
	}
	fail_msg("%s is not in the answer", text);
	return NULL;
}

static const char *
host_of(const struct asker *asker, const struct resolve_address *address)
{
	return asker->hosts[address - asker->addresses];
}

static void
world_open(struct world *world, const struct address_list *servers)
{
	struct address_list own = { &world->server.address, 1 };

	world->loop = loop_new(0);
	server_open(&world->server, world->loop);
	world->resolver = resolver_new(world->loop, servers != NULL ? servers : &own);
}

static void
world_close(struct world *world)
{
	resolver_free(&world->resolver);
	server_close(&world->server);
	loop_free(&world->loop);
}

static void
lists_are_asked_for_ipv4_alone(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	ask(&world, &asker, RESOLVE_IPV4, "both.test");
	assert_int_equal(asker.result.status, RESOLVE_OK);
	assert_int_equal(asker.result.count, 2);
	assert_int_equal(world.server.asked, 1);
	ask(&world, &asker, RESOLVE_IPV4, "absent.test");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	assert_int_equal(asker.result.absent_ttl, 150);
	ask(&world, &asker, RESOLVE_IPV4, "nodata.test");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	assert_int_equal(asker.result.absent_ttl, RESOLVE_TTL_FIXED);
	ask(&world, &asker, RESOLVE_IPV4, "refused.test");
	assert_int_equal(asker.result.status, RESOLVE_FAILED);
	/* neither the hosts file nor a number is an answer */
	ask(&world, &asker, RESOLVE_IPV4, "localhost");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	ask(&world, &asker, RESOLVE_IPV4, "192.0.2.1");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	world_close(&world);
}

static void
both_families_are_asked(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	ask(&world, &asker, RESOLVE_ADDRESS, "both.test");
	assert_int_equal(asker.result.status, RESOLVE_OK);
	assert_int_equal(asker.result.ipv4, RESOLVE_OK);
	assert_int_equal(asker.result.ipv6, RESOLVE_OK);
	assert_int_equal(asker.result.count, 3);
	assert_string_equal(asker.text, "");
	assert_int_equal(find(&asker, "192.0.2.1:143")->ttl, 100);
	assert_int_equal(find(&asker, "192.0.2.2:143")->ttl, 200);
	assert_int_equal(find(&asker, "[2001:db8::1]:143")->ttl, 600);
	assert_string_equal(host_of(&asker, find(&asker, "192.0.2.1:143")), "both.test");
	assert_int_equal(world.server.asked, 2);
	ask(&world, &asker, RESOLVE_ADDRESS, "both.test.");
	assert_int_equal(asker.result.count, 3);
	world_close(&world);
}

static void
one_family_is_an_answer(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	ask(&world, &asker, RESOLVE_ADDRESS, "ipv4.test");
	assert_int_equal(asker.result.status, RESOLVE_OK);
	assert_int_equal(asker.result.ipv6, RESOLVE_NOT_FOUND);
	assert_int_equal(asker.result.count, 2);
	ask(&world, &asker, RESOLVE_ADDRESS, "half.test");
	assert_int_equal(asker.result.status, RESOLVE_OK);
	assert_int_equal(asker.result.ipv4, RESOLVE_OK);
	assert_int_equal(asker.result.ipv6, RESOLVE_FAILED);
	assert_int_equal(asker.result.count, 2);
	assert_non_null(strstr(asker.text, "AAAA half.test: "));
	world_close(&world);
}

static void
aliases_lower_the_ttl(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	ask(&world, &asker, RESOLVE_ADDRESS, "alias.test");
	assert_int_equal(asker.result.count, 1);
	assert_int_equal(find(&asker, "192.0.2.3:143")->ttl, 20);
	world_close(&world);
}

static void
failures_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		enum resolve_status status;
		const char *text;
	} cases[] = {
		{ "unknown.test",  RESOLVE_NOT_FOUND, "A unknown.test: there is no such name" },
		{ "nodata.test",   RESOLVE_NOT_FOUND, "A nodata.test: the name has no such record" },
		{ "servfail.test", RESOLVE_FAILED,    "A servfail.test: the name servers" },
		{ "refused.test",  RESOLVE_FAILED,    "A refused.test: the name servers" },
		{ "garbage.test",  RESOLVE_FAILED,    "A garbage.test: the answer is garbage" },
	};
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(&world, &asker, RESOLVE_ADDRESS, cases[i].name);
		print_message("# %s: %s\n", resolve_status_text(asker.result.status), asker.text);
		assert_int_equal(asker.result.status, cases[i].status);
		assert_int_equal(asker.result.ipv4, cases[i].status);
		assert_int_equal(asker.result.ipv6, cases[i].status);
		assert_int_equal(asker.result.count, 0);
		assert_memory_equal(asker.text, cases[i].text, strlen(cases[i].text));
	}
	world_close(&world);
}

/* All at once: this takes c-ares' 6 s. */
static void
what_is_no_answer_is_waited_beyond(void **state)
{
	static const char *const names[] = {
		"silent.test", "short.test", "empty.test", "other-id.test", "other-question.test"
	};
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	struct world world;
	struct asker askers[COUNT];

	(void)state;
	world_open(&world, NULL);
	for (int i = 0; i < COUNT; i++)
		start(&world, &askers[i], RESOLVE_ADDRESS, names[i]);
	for (int i = 0; i < COUNT; i++) {
		await(world.loop, &askers[i].count, 1);
		assert_int_equal(askers[i].result.status, RESOLVE_TIMED_OUT);
		assert_int_equal(askers[i].result.count, 0);
		assert_non_null(strstr(askers[i].text, "no name server answered in time"));
	}
	assert_int_equal(world.server.asked, COUNT * 2 * 2);
	world_close(&world);
}

static void
truncated_answers_are_fetched_by_tcp_and_cut(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	for (int i = 1; i <= 2; i++) {
		ask(&world, &asker, RESOLVE_ADDRESS, "many.test");
		assert_int_equal(asker.result.status, RESOLVE_OK);
		assert_int_equal(world.server.asked_by_tcp, i);
		assert_int_equal(asker.result.count, RESOLVE_ADDRESSES_MAX);
		assert_true(asker.result.is_cut);
	}
	world_close(&world);
}

static void
services_lead_to_addresses(void **state)
{
	struct world world;
	struct asker asker;
	const struct resolve_address *address;

	(void)state;
	world_open(&world, NULL);
	ask(&world, &asker, RESOLVE_SRV, "_imap._tcp.test");
	assert_int_equal(asker.result.status, RESOLVE_OK);
	assert_int_equal(asker.result.ipv4, RESOLVE_FAILED);
	assert_non_null(strstr(asker.text, " servfail.test: "));
	assert_int_equal(asker.result.count, 4);
	address = find(&asker, "192.0.2.2:1143");
	assert_int_equal(address->priority, 10);
	assert_int_equal(address->weight, 5);
	assert_int_equal(address->ttl, 200);
	assert_string_equal(host_of(&asker, address), "both.test");
	assert_int_equal(find(&asker, "[2001:db8::1]:1143")->ttl, 250);
	address = find(&asker, "192.0.2.3:3143");
	assert_int_equal(address->priority, 30);
	assert_int_equal(address->ttl, 20);
	assert_string_equal(host_of(&asker, address), "alias.test");

	ask(&world, &asker, RESOLVE_SRV, "_pop3._tcp.test");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	assert_string_equal(asker.text, "SRV _pop3._tcp.test: there is no such service");
	ask(&world, &asker, RESOLVE_SRV, "servfail.test");
	assert_int_equal(asker.result.status, RESOLVE_FAILED);
	world_close(&world);
}

static void
some_names_need_no_server(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	ask(&world, &asker, RESOLVE_ADDRESS, "192.0.2.77");
	assert_int_equal(find(&asker, "192.0.2.77:143")->ttl, RESOLVE_TTL_FIXED);
	assert_int_equal(asker.result.ipv6, RESOLVE_NOT_FOUND);
	ask(&world, &asker, RESOLVE_ADDRESS, "2001:db8::77");
	assert_int_equal(asker.result.ipv4, RESOLVE_NOT_FOUND);
	find(&asker, "[2001:db8::77]:143");
	ask(&world, &asker, RESOLVE_ADDRESS, "localhost");
	assert_int_equal(asker.result.status, RESOLVE_OK);
	assert_int_equal(find(&asker, "127.0.0.1:143")->ttl, RESOLVE_TTL_FIXED);
	assert_int_equal(world.server.asked, 0);
	world_close(&world);
}

static void
odd_names_are_refused(void **state)
{
	char name[DNS_NAME_MAX + 3];
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[sizeof(name) - 1] = '\0';
	ask(&world, &asker, RESOLVE_ADDRESS, name);
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	ask(&world, &asker, RESOLVE_ADDRESS, "both test");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	ask(&world, &asker, RESOLVE_SRV, "");
	assert_int_equal(asker.result.status, RESOLVE_NOT_FOUND);
	assert_int_equal(world.server.asked, 0);
	world_close(&world);
}

static void
cancelled_questions_are_not_answered(void **state)
{
	static struct asker askers[MANY];
	struct world world;
	struct asker asked, over, later;

	(void)state;
	world_open(&world, NULL);
	start(&world, &over, RESOLVE_ADDRESS, "192.0.2.77");
	resolve_cancel(&over.question);
	resolve_cancel(&over.question);
	start(&world, &asked, RESOLVE_SRV, "_imap._tcp.test");
	resolve_cancel(&asked.question);
	assert_null(asked.question.lookup);
	ask(&world, &later, RESOLVE_ADDRESS, "both.test");
	turn_a_little(world.loop);
	assert_int_equal(asked.count + over.count, 0);
	assert_int_equal(world.server.asked, 3);	/* no target of the service was asked for */
	for (int i = 0; i < MANY; i++)
		start(&world, &askers[i], RESOLVE_ADDRESS, "both.test");
	for (int i = 0; i < MANY; i++)
		resolve_cancel(&askers[i].question);
	ask(&world, &later, RESOLVE_ADDRESS, "both.test");
	assert_int_equal(world.server.asked, 3 + BURST + 2);	/* nor what was still waiting */
	world_close(&world);
}

static void
freed_resolvers_forget_their_questions(void **state)
{
	struct world world;
	struct asker askers[BURST], over;

	(void)state;
	world_open(&world, NULL);
	for (int i = 0; i < BURST; i++)
		start(&world, &askers[i], RESOLVE_ADDRESS, "silent.test");
	start(&world, &over, RESOLVE_ADDRESS, "192.0.2.77");
	resolve_cancel(&askers[0].question);
	resolve_cancel(&askers[BURST - 1].question);
	await(world.loop, &world.server.asked, 1);
	resolver_free(&world.resolver);
	assert_null(world.resolver);
	assert_null(askers[1].question.lookup);
	turn_a_little(world.loop);
	for (int i = 0; i < BURST; i++)
		assert_int_equal(askers[i].count, 0);
	world_close(&world);
}

static void
answered_questions_may_ask_again(void **state)
{
	struct world world;
	struct asker asker;

	(void)state;
	world_open(&world, NULL);
	start(&world, &asker, RESOLVE_ADDRESS, "both.test");
	asker.again = world.resolver;
	await(world.loop, &asker.count, 2);
	assert_int_equal(asker.count, 2);
	assert_int_equal(asker.result.count, 3);
	world_close(&world);
}

static void
many_questions_are_asked_a_few_at_a_time(void **state)
{
	static struct asker askers[MANY];
	struct world world;

	(void)state;
	world_open(&world, NULL);
	for (int i = 0; i < MANY; i++)
		start(&world, &askers[i], RESOLVE_ADDRESS, "silent.test");
	await(world.loop, &world.server.asked, BURST);
	turn_a_little(world.loop);
	assert_int_equal(world.server.asked, BURST);
	for (int i = 0; i < MANY; i++)
		resolve_cancel(&askers[i].question);
	resolver_free(&world.resolver);
	world.resolver = resolver_new(world.loop, &(struct address_list){ &world.server.address, 1 });
	for (int i = 0; i < MANY; i++)
		start(&world, &askers[i], RESOLVE_ADDRESS, "both.test");
	for (int i = 0; i < MANY; i++) {
		await(world.loop, &askers[i].count, 1);
		assert_int_equal(askers[i].result.count, 3);
	}
	assert_int_equal(world.server.asked, BURST + 2 * MANY);
	world_close(&world);
}

static void
another_server_is_asked_where_one_is_closed(void **state)
{
	struct world world;
	struct asker asker;
	struct address servers[2];
	struct resolver *lone;
	uint16_t port = 0;
	int fd = bind_local(SOCK_DGRAM, &port);

	(void)state;
	close(fd);
	world_open(&world, NULL);
	resolver_free(&world.resolver);
	servers[0] = local_address(port);
	servers[1] = world.server.address;
	world.resolver = resolver_new(world.loop, &(struct address_list){ servers, 2 });
	ask(&world, &asker, RESOLVE_ADDRESS, "both.test");
	assert_int_equal(asker.result.count, 3);
	lone = world.resolver;
	world.resolver = resolver_new(world.loop, &(struct address_list){ servers, 1 });
	ask(&world, &asker, RESOLVE_ADDRESS, "both.test");
	assert_true(asker.result.status >= RESOLVE_FAILED);
	resolver_free(&lone);
	world_close(&world);
}

static void
statuses_have_texts(void **state)
{
	(void)state;
	for (int i = 0; i < RESOLVE_STATUS_COUNT; i++)
		assert_true(resolve_status_text((enum resolve_status)i)[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_are_asked),
		cmocka_unit_test(lists_are_asked_for_ipv4_alone),
		cmocka_unit_test(one_family_is_an_answer),
		cmocka_unit_test(aliases_lower_the_ttl),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(what_is_no_answer_is_waited_beyond),
		cmocka_unit_test(truncated_answers_are_fetched_by_tcp_and_cut),
		cmocka_unit_test(services_lead_to_addresses),
		cmocka_unit_test(some_names_need_no_server),
		cmocka_unit_test(odd_names_are_refused),
		cmocka_unit_test(cancelled_questions_are_not_answered),
		cmocka_unit_test(freed_resolvers_forget_their_questions),
		cmocka_unit_test(answered_questions_may_ask_again),
		cmocka_unit_test(many_questions_are_asked_a_few_at_a_time),
		cmocka_unit_test(another_server_is_asked_where_one_is_closed),
		cmocka_unit_test(statuses_have_texts),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
