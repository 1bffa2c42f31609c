/* SPDX-License-Identifier: BSD-2-Clause */
/* discovery_test.c: what a name server's changing answers make of pools. */
#include "../net/tape.h"

#include "../net/dns_message.h"
#include "pick.h"

#include "balance/discovery.h"
#include "balance/endpoint_room.h"
#include "balance/endpoint_table.h"
#include "balance/roster.h"
#include "base/xalloc.h"
#include "conf/conf.h"

enum { LIST_MAX = 320, NAME_LEN = 256 };

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
	.name = "root", .directives = root_directives, .size = BLOCK_SIZE(struct root),
};

/* What the name server has now: of any name but SRV's targets, which are h1.test and so on. */
struct zone {
	const char *ipv4, *ipv6;	/* words */
	unsigned ipv4_code, ipv6_code, srv_code;
	uint32_t ttl;
	struct { uint16_t numbers[3]; const char *target; } services[8];
	int service_count, many;	/* many: more than fit into a datagram */
};

struct world {
	struct loop *loop;
	struct loop_io io, listening, tcp;
	int fd, listening_fd, tcp_fd;
	struct address nameservers[2];	/* the same one */
	size_t nameserver_count;
	struct zone zone;
	int asked;			/* questions that came */
	int changes, settled;
	char last_name[NAME_LEN];
	struct endpoint_table *table;
	struct conf *conf;
	struct root *root;
};

static void
add_words(struct message *m, const char *words, uint32_t ttl)
{
	char *text = xstrdup(words), *rest = text, *word;

	while ((word = strsep(&rest, " ")) != NULL)
		message_address(m, NULL, word, ttl);
	xfree(text);
}

static void
add_many(struct message *m, int many)
{
	for (int i = 0; i < many; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		message_address(m, NULL, text, 300);
	}
}

static void
fill(struct message *m, const struct zone *zone, const char *name, unsigned type, bool is_tcp)
{
	char host[32] = "";

	message_set(m, 2, MESSAGE_ANSWER | (type == DNS_A ? zone->ipv4_code : type == DNS_AAAA ?
	    zone->ipv6_code : zone->srv_code));
	if (type == DNS_SRV && zone->srv_code == 0)
		for (int i = 0; i < zone->service_count; i++)
			message_service(m, zone->services[i].numbers, zone->services[i].target, 300);
	if (name[0] == 'h' && type == DNS_A) {
		snprintf(host, sizeof(host), "10.9.0.%c", name[1]);
		message_address(m, NULL, host, 300);
	} else if (name[0] != 'h' && type == DNS_A && zone->ipv4_code == 0) {
		add_many(m, is_tcp ? zone->many : 0);
		if (zone->many > 0 && !is_tcp)
			message_set(m, 2, MESSAGE_ANSWER | MESSAGE_TRUNCATED);
		if (zone->ipv4 != NULL)
			add_words(m, zone->ipv4, zone->ttl);
	} else if (name[0] != 'h' && type == DNS_AAAA && zone->ipv6 != NULL && zone->ipv6_code == 0) {
		add_words(m, zone->ipv6, zone->ttl);
	}
}

static void
answer(struct world *world, struct message *m, bool is_tcp)
{
	char *name = world->last_name;
	size_t at = MESSAGE_HEADER;

	name[0] = '\0';
	while (m->data[at] != 0) {
		snprintf(name + strlen(name), NAME_LEN - strlen(name), "%s%.*s", name[0] != '\0' ? "." : "",
		    m->data[at], (const char *)m->data + at + 1);
		at += 1 + (size_t)m->data[at];
	}
	fill(m, &world->zone, name, message_get(m, at + 1), is_tcp);
}

static void
on_question(struct loop_io *io, int events)
{
	struct world *world = loop_owner(io, struct world, io);
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct message m;
	ssize_t n;

	(void)events;
	while ((n = recvfrom(world->fd, m.data, sizeof(m.data), 0, (struct sockaddr *)&from, &len)) > 0) {
		m.len = (size_t)n;
		world->asked++;
		answer(world, &m, false);
		assert_int_equal(sendto(world->fd, m.data, m.len, 0, (struct sockaddr *)&from, len), m.len);
	}
	loop_stop(world->loop);
}

static void
on_tcp(struct loop_io *io, int events)
{
	struct world *world = loop_owner(io, struct world, tcp);
	uint8_t length[2];
	struct message m;
	ssize_t n;

	(void)events;
	if (recv(world->tcp_fd, length, sizeof(length), 0) <= 0) {
		loop_io_stop(world->loop, &world->tcp);
		close(world->tcp_fd);
		world->tcp_fd = -1;
		return;
	}
	n = recv(world->tcp_fd, m.data, sizeof(m.data), 0);
	assert_int_equal(n, length[0] << 8 | length[1]);
	m.len = (size_t)n;
	answer(world, &m, true);
	length[0] = (uint8_t)(m.len >> 8);
	length[1] = (uint8_t)m.len;
	assert_int_equal(send(world->tcp_fd, length, sizeof(length), 0), sizeof(length));
	assert_int_equal(send(world->tcp_fd, m.data, m.len, 0), (ssize_t)m.len);
}

static void
on_listening(struct loop_io *io, int events)
{
	struct world *world = loop_owner(io, struct world, listening);

	(void)events;
	assert_int_equal(world->tcp_fd, -1);
	world->tcp_fd = accept4(world->listening_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(world->tcp_fd >= 0);
	loop_io_init(&world->tcp, world->tcp_fd, on_tcp);
	loop_io_watch(world->loop, &world->tcp, LOOP_READ);
}

static void
on_change(void *owner)
{
	struct world *world = owner;

	for (size_t i = 0; i < world->root->pools.count; i++)
		pool_follow(world->root->pools.items[i]);
	world->changes++;
	loop_stop(world->loop);
}

static void
on_settled(void *owner)
{
	struct world *world = owner;

	world->settled++;
	loop_stop(world->loop);
}

static struct pool *
pool_at(const struct world *world, size_t i)
{
	assert_true(i < world->root->pools.count);
	return world->root->pools.items[i];
}

static struct discovery *
discovery_of(const struct world *world)
{
	return endpoint_table_discovery(world->table);
}

static void
commit(struct world *world)
{
	struct address_list nameservers = { world->nameservers, world->nameserver_count };

	discovery_commit(discovery_of(world), &world->root->pools, &nameservers);
}

static void
unload(struct conf *conf)
{
	struct root *root = conf_root(conf);

	for (size_t i = 0; i < root->pools.count; i++)
		pool_close(root->pools.items[i]);
	conf_free(&conf);
}

/* The first configuration, or a reload. */
static void
load(struct world *world, const char *text)
{
	struct conf_problems problems = { 0 };
	struct conf *before = world->conf;

	world->conf = conf_load_text("text", text, &root_block, &problems);
	conf_problems_print(&problems, stderr);
	assert_non_null(world->conf);
	world->root = conf_root(world->conf);
	for (size_t i = 0; i < world->root->pools.count; i++)
		assert_true(pool_open(pool_at(world, i), world->table, &problems));
	for (size_t i = 0; i < world->root->pools.count; i++)
		pool_commit(pool_at(world, i));
	commit(world);
	if (before != NULL)
		unload(before);
	endpoint_table_forget_unused(world->table);
}

/* A port that both are free at. */
static void
bind_both(struct world *world)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	world->listening_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(listen(world->listening_fd, 8), 0);	/* takes a port */
	assert_int_equal(getsockname(world->listening_fd, (struct sockaddr *)&in, &len), 0);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	world->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(world->fd, (struct sockaddr *)&in, len) != 0) {
		close(world->listening_fd);
		close(world->fd);
		bind_both(world);
		return;
	}
	assert_true(addr_parse(slice_of("127.0.0.1"), ntohs(in.sin_port), &world->nameservers[0].addr));
}

static void
world_open(struct world *world, const struct zone *zone, const char *text)
{
	*world = (struct world){ .loop = loop_new(LOOP_CONTROL), .zone = *zone, .nameserver_count = 1,
	    .tcp_fd = -1 };
	bind_both(world);
	world->nameservers[1] = world->nameservers[0];
	loop_io_init(&world->io, world->fd, on_question);
	loop_io_watch(world->loop, &world->io, LOOP_READ);
	loop_io_init(&world->listening, world->listening_fd, on_listening);
	loop_io_watch(world->loop, &world->listening, LOOP_READ);
	world->table = endpoint_table_new(1);
	discovery_start(discovery_of(world), world->loop, on_change, world);
	load(world, text);
}

static void
world_close(struct world *world)
{
	unload(world->conf);
	endpoint_table_free(&world->table);
	loop_io_stop(world->loop, &world->io);
	loop_io_stop(world->loop, &world->listening);
	if (world->tcp_fd >= 0)
		loop_io_stop(world->loop, &world->tcp);
	close(world->fd);
	close(world->listening_fd);
	if (world->tcp_fd >= 0)
		close(world->tcp_fd);
	loop_free(&world->loop);
}

/* Other name servers, so to speak: all is asked anew. */
static void
ask_anew(struct world *world)
{
	world->nameserver_count ^= 3;
	commit(world);
}

static void
await_change(struct world *world, const struct zone *zone)
{
	int before = world->changes;

	world->zone = *zone;
	ask_anew(world);
	await(world->loop, &world->changes, before + 1);
}

static void
await_settled(struct world *world)
{
	int before = world->settled;

	discovery_settle(discovery_of(world), on_settled, world);
	await(world->loop, &world->settled, before + 1);
}

/* "d03@10.0.0.1=10.0.0.1:143*2/0 ...": name, address, weight and the number of the tier, in order. */
static const char *
picture(const struct pool *pool)
{
	static char text[2048];
	struct roster *roster = service_roster(pool->service);
	struct buf out = { 0 };

	for (size_t i = 0; i < roster->tier_count; i++) {
		for (size_t j = 0; j < roster->tiers[i].count; j++) {
			struct endpoint *e = roster->tiers[i].endpoints[j];
			struct addr addr = endpoint_addr(e);
			char name[ADDR_TEXT_MAX] = "-";

			if (addr.sa.sa_family != AF_UNSPEC)
				addr_format(&addr, name);
			buf_printf(&out, "%s%s=%s*%d/%zu", buf_len(&out) > 0 ? " " : "", e->server, name,
			    endpoint_weight(e), i);
		}
	}
	roster_put(&roster);
	snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(buf_slice(&out)));
	buf_clear(&out);
	return text;
}

static const char named[] = "pool imap { balance leastconn; port 143; server d03 { address d03.test } }";

static void
the_first_address_stays_while_it_is_there(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct zone){ .ipv4 = "10.0.0.3 10.0.0.2", .ipv6 = "2001:db8::1", .ttl = 300 },
	    named);
	assert_string_equal(picture(pool_at(&world, 0)), "d03=-*1/0");
	await_settled(&world);
	assert_int_equal(world.changes, 1);	/* before it was settled */
	assert_string_equal(picture(pool_at(&world, 0)), "d03=10.0.0.2:143*1/0");
	/* others come and the order is another: nothing is said of that */
	world.zone = (struct zone){ .ipv4 = "10.0.0.1 10.0.0.2", .ipv6 = "2001:db8::1", .ttl = 300 };
	ask_anew(&world);
	wait_ms(world.loop, 50);
	assert_int_equal(world.changes, 1);
	await_change(&world,
	    &(struct zone){ .ipv4 = "10.0.0.4 10.0.0.1", .ipv6 = "2001:db8::1", .ttl = 300 });
	assert_string_equal(picture(pool_at(&world, 0)), "d03=10.0.0.1:143*1/0");
	await_change(&world, &(struct zone){ .ipv6 = "2001:db8::2 2001:db8::1", .ttl = 300 });
	assert_string_equal(picture(pool_at(&world, 0)), "d03=[2001:db8::1]:143*1/0");
	world_close(&world);
}

static void
another_address_is_another_machine(void **state)
{
	struct world world;
	struct endpoint *e;
	struct endpoint_facts facts;
	struct addr here;
	char host[ENDPOINT_HOST_MAX];

	(void)state;
	world_open(&world, &(struct zone){ .ipv4 = "10.0.0.1", .ttl = 300 }, named);
	await_settled(&world);
	e = pool_at(&world, 0)->endpoints[0];
	here = endpoint_addr(e);
	endpoint_learn(e, &here, slice_of("IDLE"), 0);
	endpoint_set_health(e, HEALTH_UP, "L7OK");
	e->counters[0].sessions = 7;
	await_change(&world, &(struct zone){ .ipv4 = "10.0.0.2", .ttl = 300 });
	assert_ptr_equal(pool_at(&world, 0)->endpoints[0], e);
	endpoint_read(e, &facts);
	assert_int_equal(facts.health.state, HEALTH_UNKNOWN);
	assert_int_equal(endpoint_capabilities_hash(e), 0);
	assert_int_equal(e->counters[0].sessions, 7);
	assert_string_equal(endpoint_host(e, host), "d03.test");
	world_close(&world);
}

static void
each_of_all_addresses_is_a_server(void **state)
{
	static const char text[] =
	    "farm far { server d03 { address d03.test:1143; resolve all; weight 4 }\n"
	    "  server d01 { address 10.0.1.1; backup yes } }\n"
	    "pool imap { balance leastconn; port 143; farm far }\n"
	    "pool pop3 { balance leastconn; port 110; farm far }";
	struct world world;
	struct endpoint *gone;

	(void)state;
	world_open(&world, &(struct zone){ .ipv4 = "10.0.0.2 10.0.0.1", .ttl = 300 }, text);
	assert_string_equal(picture(pool_at(&world, 1)), "d03=-*4/0 d01=10.0.1.1:110*1/1");
	await_settled(&world);
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d03@10.0.0.1=10.0.0.1:1143*4/0 "
	    "d03@10.0.0.2=10.0.0.2:1143*4/0 d01=10.0.1.1:143*1/1");
	assert_string_equal(picture(pool_at(&world, 1)),
	    "d03@10.0.0.1=10.0.0.1:1143*4/0 "
	    "d03@10.0.0.2=10.0.0.2:1143*4/0 d01=10.0.1.1:110*1/1");
	assert_ptr_equal(pool_at(&world, 0)->endpoints[0]->machine,
	    pool_at(&world, 1)->endpoints[0]->machine);
	assert_int_equal(world.asked, 2);	/* once for both pools */

	/* who leaves has its session, and is the same when it comes back meanwhile */
	gone = pool_at(&world, 0)->endpoints[1];
	assert_true(endpoint_take(gone));
	await_change(&world, &(struct zone){ .ipv4 = "10.0.0.1", .ttl = 300 });
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d03@10.0.0.1=10.0.0.1:1143*4/0 d01=10.0.1.1:143*1/1");
	assert_null(pool_find(pool_at(&world, 0), "d03@10.0.0.2"));
	endpoint_table_sweep(world.table, 0);
	await_change(&world, &(struct zone){ .ipv4 = "10.0.0.1 10.0.0.2", .ttl = 300 });
	assert_ptr_equal(pool_at(&world, 0)->endpoints[1], gone);
	endpoint_release(gone);
	world_close(&world);
}

static void
services_tell_ports_tiers_and_weights(void **state)
{
	static const char text[] =
	    "pool imap { balance leastconn; port 143; server d { srv _imap._tcp.test }\n"
	    "  server spare { address 10.0.1.1; backup yes } }";
	static const struct zone zone = {
		.services = {
			{ { 20, 0, 143 }, "h1.test" },
			{ { 20, 512, 143 }, "h2.test" },
			{ { 20, 1024, 143 }, "h3.test" },
			{ { 10, 7, 143 }, "h4.test" },
			{ { 10, 0, 2143 }, "h4.test" },
			{ { 10, 9, 143 }, "h5.test" },
		},
		.service_count = 6,
	};
	static const struct zone weight_3 = {
		.services = { { { 10, 3, 143 }, "h4.test" } }, .service_count = 1,
	};
	static const struct zone weight_2 = {
		.services = { { { 10, 2, 143 }, "h4.test" } }, .service_count = 1,
	};
	struct world world;
	char host[ENDPOINT_HOST_MAX];

	(void)state;
	world_open(&world, &zone, text);
	await_settled(&world);
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d@10.9.0.4:143=10.9.0.4:143*7/0 "
	    "d@10.9.0.4:2143=10.9.0.4:2143*1/0 d@10.9.0.5=10.9.0.5:143*9/0 "
	    "d@10.9.0.1=10.9.0.1:143*1/1 d@10.9.0.2=10.9.0.2:143*128/1 d@10.9.0.3=10.9.0.3:143*256/1 "
	    "spare=10.0.1.1:143*1/2");
	assert_string_equal(endpoint_host(pool_at(&world, 0)->endpoints[0], host), "test");
	/* a weight alone is news */
	await_change(&world, &weight_3);
	await_change(&world, &weight_2);
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d@10.9.0.4=10.9.0.4:143*2/0 spare=10.0.1.1:143*1/1");
	world_close(&world);
}

static const char all[] =
    "pool imap { balance leastconn; port 143; server d03 { address d03.test; resolve all } }";

static void
what_fails_takes_nothing_away(void **state)
{
	struct world world;
	int before;

	(void)state;
	world_open(&world, &(struct zone){ .ipv4 = "10.0.0.1", .ipv6 = "2001:db8::1", .ttl = 300 }, all);
	await_settled(&world);
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d03@10.0.0.1=10.0.0.1:143*1/0 "
	    "d03@2001:db8::1=[2001:db8::1]:143*1/0");
	/* one family fails: what misses of the other is gone all the same */
	await_change(&world, &(struct zone){ .ipv4 = "10.0.0.2", .ipv6_code = SERVFAIL, .ttl = 300 });
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d03@10.0.0.2=10.0.0.2:143*1/0 "
	    "d03@2001:db8::1=[2001:db8::1]:143*1/0");
	/* none such: that is asked once more in a second, though what was known lives for minutes */
	before = world.changes;
	world.zone = (struct zone){ .ipv4_code = NXDOMAIN, .ipv6_code = NXDOMAIN };
	ask_anew(&world);
	wait_ms(world.loop, 50);
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d03@10.0.0.2=10.0.0.2:143*1/0 "
	    "d03@2001:db8::1=[2001:db8::1]:143*1/0");
	assert_int_equal(world.changes, before);
	world.zone = (struct zone){ .ipv4 = "10.0.0.3", .ttl = 300 };
	await(world.loop, &world.changes, before + 1);
	assert_string_equal(picture(pool_at(&world, 0)), "d03@10.0.0.3=10.0.0.3:143*1/0");
	world_close(&world);
}

/* A name that cannot be resolved yet is there to be seen, gets nobody, and is asked for again. */
static void
who_is_not_found_yet_gets_nobody(void **state)
{
	static const char text[] =
	    "pool imap { balance leastconn; panic yes; port 143\n"
	    "  server d03 { address d03.test; resolve all } }";
	const struct balance_key anybody = { 0 };
	struct endpoint_facts facts;
	struct world world;

	(void)state;
	world_open(&world, &(struct zone){ .ipv4_code = SERVFAIL, .ipv6_code = SERVFAIL }, text);
	await_settled(&world);
	assert_int_equal(world.changes, 0);
	assert_string_equal(picture(pool_at(&world, 0)), "d03=-*1/0");
	endpoint_read(pool_at(&world, 0)->endpoints[0], &facts);
	assert_int_equal(facts.health.state, HEALTH_UNRESOLVED);
	assert_null(pick_of(pool_at(&world, 0), 0, &anybody));
	world.zone = (struct zone){ .ipv4 = "10.0.0.3", .ttl = 0 };
	await(world.loop, &world.changes, 1);
	assert_string_equal(picture(pool_at(&world, 0)), "d03@10.0.0.3=10.0.0.3:143*1/0");
	assert_non_null(pick_of(pool_at(&world, 0), 0, &anybody));
	/* a time to live of 0 is a second */
	world.zone = (struct zone){ .ipv4 = "10.0.0.4", .ttl = 300 };
	await(world.loop, &world.changes, 2);
	world_close(&world);
}

static void
a_reload_asks_for_other_names_only(void **state)
{
	struct world world;
	int asked;

	(void)state;
	world_open(&world, &(struct zone){ .ipv4 = "10.0.0.1 10.0.0.2", .ttl = 300 }, named);
	await_settled(&world);
	asked = world.asked;
	load(&world, named);
	assert_string_equal(picture(pool_at(&world, 0)), "d03=10.0.0.1:143*1/0");
	load(&world, all);	/* of the same answer */
	assert_string_equal(picture(pool_at(&world, 0)),
	    "d03@10.0.0.1=10.0.0.1:143*1/0 "
	    "d03@10.0.0.2=10.0.0.2:143*1/0");
	await_settled(&world);
	assert_int_equal(world.asked, asked);
	load(&world, "pool imap { balance leastconn; port 143; server d03 { address other.test } }");
	assert_string_equal(picture(pool_at(&world, 0)), "d03=-*1/0");
	await_settled(&world);
	assert_int_equal(world.asked, asked + 2);
	assert_string_equal(world.last_name, "other.test");
	assert_string_equal(picture(pool_at(&world, 0)), "d03=10.0.0.1:143*1/0");
	load(&world, "pool imap { balance leastconn; port 143; server d03 { address 10.0.0.9 } }");
	assert_string_equal(picture(pool_at(&world, 0)), "d03=10.0.0.9:143*1/0");
	assert_true(endpoint_weight(pool_at(&world, 0)->endpoints[0]) > 0);
	await_settled(&world);
	assert_int_equal(world.asked, asked + 2);
	world_close(&world);
}

/* What is beyond them is left out. */
static void
a_name_has_so_many_addresses_at_most(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &(struct zone){ .many = 100, .ttl = 300 }, all);
	await_settled(&world);
	assert_int_equal(pool_at(&world, 0)->endpoint_count, 100);
	await_change(&world, &(struct zone){ .many = LIST_MAX, .ttl = 300 });
	assert_int_equal(pool_at(&world, 0)->endpoint_count, DISCOVERY_MAX);
	await_change(&world, &(struct zone){ .many = 1, .ttl = 300 });
	assert_int_equal(pool_at(&world, 0)->endpoint_count, 1);
	world_close(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_address_stays_while_it_is_there),
		cmocka_unit_test(another_address_is_another_machine),
		cmocka_unit_test(each_of_all_addresses_is_a_server),
		cmocka_unit_test(services_tell_ports_tiers_and_weights),
		cmocka_unit_test(what_fails_takes_nothing_away),
		cmocka_unit_test(who_is_not_found_yet_gets_nobody),
		cmocka_unit_test(a_reload_asks_for_other_names_only),
		cmocka_unit_test(a_name_has_so_many_addresses_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
