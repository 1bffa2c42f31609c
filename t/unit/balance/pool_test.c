/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_test.c: the rows of farms and pools, and which endpoints a reload keeps, makes and forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "balance/adhoc.h"
#include "balance/balance.h"
#include "balance/endpoint_room.h"
#include "balance/endpoint_table.h"
#include "balance/roster.h"
#include "conf/conf.h"

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

/* A configuration with the table that lives longer. */
struct loaded {
	struct conf *conf;
	struct root *root;
	struct conf_problems problems;
};

static void
load(struct loaded *l, const char *text)
{
	*l = (struct loaded){ 0 };
	l->conf = conf_load_text("text", text, &root_block, &l->problems);
	conf_problems_print(&l->problems, stderr);
	assert_non_null(l->conf);
	l->root = conf_root(l->conf);
}

static struct pool *
pool_at(const struct loaded *l, size_t i)
{
	assert_true(i < l->root->pools.count);
	return l->root->pools.items[i];
}

static bool
open_pool(struct loaded *l, struct endpoint_table *table)
{
	return pool_open(pool_at(l, 0), table, &l->problems);
}

static void
unload(struct loaded *l)
{
	struct endpoint_table *table = pool_at(l, 0)->table;

	for (size_t i = 0; i < l->root->pools.count; i++)
		pool_close(l->root->pools.items[i]);
	if (table != NULL)
		endpoint_table_forget_unused(table);
	conf_problems_clear(&l->problems);
	conf_free(&l->conf);
}

static char *
text_of(const struct conf_problems *problems)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	conf_problems_print(problems, out);
	fclose(out);
	return text;
}

static void
must_refuse(const char *text, const char *why)
{
	struct conf_problems problems = { 0 };
	struct conf *conf = conf_load_text("text", text, &root_block, &problems);
	char *said = text_of(&problems);

	if (conf != NULL || strstr(said, why) == NULL)
		fail_msg("%s was %s: %s", text, conf != NULL ? "taken" : "refused", said);
	assert_int_equal(problems.count, 1);
	free(said);
	conf_problems_clear(&problems);
}

static void
has_defaults(void **state)
{
	struct loaded l;
	const struct pool *pool;
	const struct pool_options *options;
	const struct server *server;

	(void)state;
	load(&l, "pool imap { server b1 { address 192.0.2.1 } }");
	pool = pool_at(&l, 0);
	options = &pool->options;
	server = pool_servers(pool)->items[0];
	assert_null(pool->farm);
	assert_false(conf_is_set(&pool->conf, "protocol"));
	assert_false(conf_is_set(&pool->conf, "port"));
	assert_false(conf_is_set(&pool->conf, "balance"));
	assert_false(conf_is_set(&pool->conf, "login"));
	assert_int_equal(options->forward, FORWARD_AUTO);
	assert_int_equal(options->server_tls->mode, SERVER_TLS_OFF);
	assert_true(options->server_tls->verify);
	assert_null(options->server_tls->ca);
	assert_int_equal(options->source.count, 0);
	assert_int_equal(options->connect_timeout.ms, 5000);
	assert_int_equal(options->login_timeout.ms, 30000);
	assert_int_equal(options->retries, 3);
	assert_int_equal(options->max_connections, 0);
	assert_string_equal(server->conf.title, "b1");
	assert_int_equal(server->weight, 1);
	unload(&l);
}

static void
words_mean_what_they_name(void **state)
{
	static const struct {
		const char *word;
		const struct balancer *balancer;
	} words[] = {
		{ "roundrobin", &balance_roundrobin },
		{ "leastconn", &balance_leastconn },
		{ "source", &balance_source },
		{ "user", &balance_user },
		{ "random", &balance_random },
		{ "first", &balance_first },
	};
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded l;
	char text[100];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(text, sizeof(text), "pool imap { balance %s; server b1 { address ::1 } }",
		    words[i].word);
		load(&l, text);
		assert_true(open_pool(&l, table));
		assert_ptr_equal(pool_at(&l, 0)->balancer, words[i].balancer);
		assert_string_equal(pool_at(&l, 0)->balancer->name, words[i].word);
		assert_int_equal(pool_at(&l, 0)->is_bound, words[i].balancer == &balance_user);
		unload(&l);
	}
	endpoint_table_free(&table);
}

static void
inherits_from_its_farm(void **state)
{
	struct loaded l;
	const struct pool *imap, *pop3;

	(void)state;
	load(&l, "pool imap { farm far; retries 7 }\n"
		 "pool pop3 { farm far; server_tls starttls }\n"
		 "default pool { queue_timeout 2s }\n"
		 "farm far { balance user; login none; forward id\n"
		 "  server_tls implicit { verify no; name mail }\n"
		 "  source 192.0.2.8 2001:db8::8; connect_timeout 1s; login_timeout 9s; retries 0\n"
		 "  max_connections 50; server d01 { address ::1 }; server d02 { address ::2 } }");
	imap = pool_at(&l, 0);
	pop3 = pool_at(&l, 1);
	assert_ptr_equal(pool_servers(imap), &imap->farm->servers);
	assert_int_equal(pool_servers(pop3)->count, 2);
	assert_int_equal(imap->servers.count, 0);
	assert_int_equal(imap->options.balance, BALANCER_user);
	assert_int_equal(imap->options.login, LOGIN_NONE);
	assert_int_equal(imap->options.forward, FORWARD_ID);
	assert_int_equal(imap->options.server_tls->mode, SERVER_TLS_IMPLICIT);
	assert_false(imap->options.server_tls->verify);
	assert_int_equal(pop3->options.server_tls->mode, SERVER_TLS_STARTTLS);
	assert_true(pop3->options.server_tls->verify);
	assert_int_equal(imap->options.source.count, 2);
	assert_int_equal(imap->options.retries, 7);
	assert_int_equal(pop3->options.retries, 0);
	assert_int_equal(pop3->options.connect_timeout.ms, 1000);
	assert_int_equal(pop3->options.login_timeout.ms, 9000);
	assert_int_equal(pop3->options.queue_timeout.ms, 2000);
	assert_int_equal(pop3->options.max_connections, 50);
	unload(&l);
}

static void
a_servers_name_has_a_bound(void **state)
{
	enum { MOST = 255 };
	char name[MOST + 2], text[MOST + 100];
	struct loaded l;

	(void)state;
	memset(name, 'd', sizeof(name));
	name[MOST] = '\0';
	snprintf(text, sizeof(text), "pool imap {\n server %s { address ::1 } }", name);
	load(&l, text);
	unload(&l);
	name[MOST] = 'd';
	name[MOST + 1] = '\0';
	snprintf(text, sizeof(text), "pool imap {\n server %s { address ::1 } }", name);
	must_refuse(text, "text:2:9: the name of a server has at most 255 octets");
	name[MOST - 55] = '\0';	/* with room for "@" and an address */
	snprintf(text, sizeof(text), "pool imap {\n server %s { srv _imap._tcp.test } }", name);
	must_refuse(text, "text:2:9: the name of a server has at most 199 octets");
}

static void
refuses_what_makes_no_sense(void **state)
{
	(void)state;
	must_refuse("farm far { retries 1 }", "farm far needs a server");
	must_refuse("farm far { server d01 { address ::1 } }\n"
		    "pool imap { farm far; server d02 { address ::2 } }",
	    "text:2:13: pool imap has servers of its own, so that it cannot use farm far");
	must_refuse("pool imap { server d01 { weight 1 } }", "server d01 needs address");
	must_refuse("pool imap { server d01 { address ::1; srv _imap._tcp.test } }",
	    "text:1:39: srv has no meaning with address");
	must_refuse("pool imap { server d01 { address ::1; resolve first } }",
	    "text:1:39: resolve has no meaning without a name as address");
	must_refuse("pool imap { server d01 { srv _imap._tcp.test; agent 127.0.0.1:9 } }",
	    "text:1:47: agent tells of one server: with srv each address is another");
	must_refuse("pool imap { server d01 { address a.test; resolve all; agent 127.0.0.1:9 } }",
	    "text:1:55: agent tells of one server: with resolve all each address is another");
	must_refuse("pool imap { server d01 { srv _imap._tcp.test; resolve all } }",
	    "text:1:47: resolve has no meaning with srv");
	must_refuse("pool imap { server d01 { srv _imap._tcp.test; weight 2 } }",
	    "text:1:47: weight has no meaning with srv");
	must_refuse("pool imap { server d01 { srv [a] } }",
	    "text:1:26: [a] is no name that can be asked for");
	must_refuse("pool imap { server d01 { address d01.test; resolve all }\n"
		    "  server d01@::1 { address ::2 } }",
	    "text:2:10: d01@::1 is how an address of server d01 would be named");
	must_refuse("pool imap { server d01 { address * } }", "text:1:34: ");
	must_refuse("pool imap { server d01 { address ::1 }; server d01 { address ::2 } }", "d01");
	must_refuse("pool imap { server d01 { address ::1; weight 257 } }", "0 to 256");
	must_refuse("pool imap { source ::1 [::1]:1; server d01 { address ::1 } }", "has a port");
	must_refuse("pool imap { port 0; server d01 { address ::1 } }", "1 to 65535");
	must_refuse("pool imap { connect_timeout 0s; server d01 { address ::1 } }", "100ms to 5m");
	must_refuse("pool imap { server_tls off { name x }; server d01 { address ::1 } }",
	    "name has no meaning with server_tls off");
	must_refuse("pool imap { server_tls off { pin AAAA }; server d01 { address ::1 } }",
	    "pin has no meaning with server_tls off");
	must_refuse("pool imap { server_tls starttls { verify no; ca x.pem }; server d01 { address ::1 } }",
	    "ca has no meaning with verify no");
	must_refuse("pool imap { login master; server d01 { address ::1 } }",
	    "text:1:13: login master needs master_user and master_password_file");
	must_refuse("pool imap { login master; master_user m; server d01 { address ::1 } }",
	    "login master needs master_user and master_password_file");
	must_refuse("pool imap { login trusted; master_user m; server d01 { address ::1 } }",
	    "text:1:28: master_user has no meaning without login master");
	must_refuse("pool imap { login password; master_password_file /m; server d01 { address ::1 } }",
	    "text:1:29: master_password_file has no meaning without login master or trusted");
	must_refuse("farm far { affinity 8d; server d01 { address ::1 } }", "0s to 7d");
	must_refuse("pool imap { hash_balance_factor 99; server d01 { address ::1 } }",
	    "text:1:13: hash_balance_factor: 99 is neither 0 nor 100 to 1000");
	must_refuse("farm far { hash_balance_factor 1; server d01 { address ::1 } }\npool imap { farm far }",
	    "text:1:12: hash_balance_factor: 1 is neither 0 nor 100 to 1000");
	must_refuse("pool imap { hash_balance_factor 1001; server d01 { address ::1 } }", "0 to 1000");
}

static void
an_agent_has_a_port_and_is_sent_nothing_without(void **state)
{
	(void)state;
	must_refuse("pool x { server a { address ::1; agent_send \"hi\\n\" } }",
	    "text:1:34: agent_send has no meaning without agent");
	must_refuse("pool x { server a { address ::1; agent 192.0.2.1 } }",
	    "text:1:40: agent: 192.0.2.1 lacks a port");
	must_refuse("pool x { server a { address ::1; agent 192.0.2.1:1; agent_interval 999ms } }",
	    "999ms is outside 1s to 1d");
}

/* What a farm says of `login` may be unsaid by a pool, and affinity by the farm. */
static void
masters_and_affinity_are_inherited(void **state)
{
	struct loaded l;

	(void)state;
	load(&l, "farm far { affinity 15m; balance user; login master; master_user m\n"
		 "  master_password_file /m; server d01 { address ::1 } }\n"
		 "pool imap { farm far }\npool sieve { farm far; login password }\n"
		 "farm near { affinity none; server d01 { address ::1 } }\n"
		 "pool pop3 { farm near; balance leastconn }");
	assert_int_equal(pool_at(&l, 0)->options.login, LOGIN_MASTER);
	assert_string_equal(pool_at(&l, 0)->options.master_user, "m");
	assert_string_equal(pool_at(&l, 0)->options.master_password_file, "/m");
	assert_int_equal(pool_at(&l, 0)->farm->affinity.ms, 15 * 60 * 1000);
	assert_int_equal(pool_at(&l, 1)->options.login, LOGIN_PASSWORD);
	assert_int_equal(pool_at(&l, 2)->farm->affinity.ms, 0);
	unload(&l);
}

static void
the_masters_password_is_read_from_its_file(void **state)
{
	static const char shape[] = "pool imap { balance user; login master; master_user m\n"
				    "  master_password_file %s; server d01 { address ::1 } }";
	struct endpoint_table *table = endpoint_table_new(1);
	char path[] = "/tmp/gatepost-secret.XXXXXX", text[256], *said;
	int fd = mkstemp(path);
	struct loaded l;

	(void)state;
	assert_true(fd >= 0);
	snprintf(text, sizeof(text), shape, path);
	load(&l, text);
	assert_false(open_pool(&l, table));	/* empty */
	said = text_of(&l.problems);
	assert_non_null(strstr(said, "text:2:24: "));
	assert_non_null(strstr(said, path));
	free(said);
	assert_null(pool_at(&l, 0)->endpoints);
	unload(&l);
	assert_true(dprintf(fd, "s3cret word\n") > 0);
	load(&l, text);
	assert_true(open_pool(&l, table));
	assert_string_equal(pool_at(&l, 0)->master_password, "s3cret word");
	unload(&l);
	unlink(path);
	close(fd);
	load(&l, text);
	assert_false(open_pool(&l, table));
	unload(&l);
	endpoint_table_free(&table);
}

static void
all_files_that_cannot_be_opened_are_named(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded l;
	char *said;

	(void)state;
	load(&l, "pool imap { login master; master_user m; master_password_file /nonexistent/master\n"
		 "  server_tls implicit { ca /nonexistent/ca.pem }; server d01 { address ::1 } }");
	assert_false(open_pool(&l, table));
	said = text_of(&l.problems);
	assert_non_null(strstr(said, "text:1:63: /nonexistent/master: "));
	assert_non_null(strstr(said, "text:2:28: /nonexistent/ca.pem: "));
	free(said);
	unload(&l);
	endpoint_table_free(&table);
}

static const char *
addr_of(struct endpoint *e)
{
	static char text[ADDR_TEXT_MAX];	/* of the latest call */
	struct addr addr = endpoint_addr(e);

	return addr_format(&addr, text);
}

static void
commit_sets_addresses_weights_and_bounds(void **state)
{
	struct endpoint_table *table = endpoint_table_new(2);
	struct loaded l;
	struct pool *pool;

	(void)state;
	load(&l, "pool imap { balance source; port 1143; max_connections 9; panic yes\n"
		 "  hash_balance_factor 150\n"
		 "  server d01 { address 192.0.2.1; weight 4 }\n"
		 "  server d02 { address [::1]:2143; weight 0 } }");
	pool = pool_at(&l, 0);
	assert_true(open_pool(&l, table));
	assert_int_equal(pool->endpoint_count, 2);
	assert_int_equal(endpoint_weight(pool->endpoints[0]), 0);
	pool_commit(pool);
	assert_string_equal(pool->endpoints[0]->name, "imap/d01");
	assert_string_equal(addr_of(pool->endpoints[0]), "192.0.2.1:1143");
	assert_string_equal(addr_of(pool->endpoints[1]), "[::1]:2143");
	assert_int_equal(endpoint_weight(pool->endpoints[0]), 4);
	assert_int_equal(endpoint_weight(pool->endpoints[1]), 0);
	assert_int_equal(atomic_load(&pool->endpoints[1]->max_connections), 9);
	assert_int_equal(pool->service->roster->hash_balance_factor, 150);
	assert_true(pool->service->roster->may_panic);
	unload(&l);
	endpoint_table_free(&table);
}

static void
a_reload_keeps_endpoints(void **state)
{
	struct endpoint_table *table = endpoint_table_new(2);
	struct loaded old, now;
	struct endpoint *d01, *d02;
	struct addr here;

	(void)state;
	load(&old, "pool imap { balance roundrobin; port 143; max_connections 1\n"
		   "  server d01 { address 192.0.2.1 }; server d02 { address 192.0.2.2 } }");
	assert_true(open_pool(&old, table));
	pool_commit(pool_at(&old, 0));
	d01 = pool_at(&old, 0)->endpoints[0];
	d02 = pool_at(&old, 0)->endpoints[1];
	assert_true(endpoint_take(d01));
	assert_true(endpoint_take(d02));
	here = endpoint_addr(d01);
	endpoint_learn(d01, &here, slice_of("IDLE"), 0);

	load(&now, "pool imap { balance user; port 143; max_connections 2\n"
		   "  server d03 { address 192.0.2.3 }; server d01 { address 192.0.2.9; weight 8 } }");
	assert_true(open_pool(&now, table));
	assert_ptr_equal(pool_at(&now, 0)->endpoints[1], d01);
	assert_string_equal(addr_of(d01), "192.0.2.1:143");	/* nothing changed before the commit */
	assert_int_equal(endpoint_weight(d01), 1);
	assert_false(endpoint_take(d01));
	pool_commit(pool_at(&now, 0));
	unload(&old);
	assert_string_equal(addr_of(d01), "192.0.2.9:143");
	assert_int_equal(endpoint_weight(d01), 8);
	assert_int_equal(endpoint_capabilities_hash(d01), 0);	/* it is another machine */
	assert_int_equal(endpoint_load(d01).connections, 1);
	assert_int_equal(endpoint_load(d02).connections, 1);	/* gone from the file, not from its session */
	endpoint_release(d01);
	unload(&now);

	/* who is still used when it comes back is the same; the others were forgotten */
	load(&now, "pool imap { port 143; server d02 { address ::1 }; server d01 { address ::1 } }");
	assert_true(open_pool(&now, table));
	assert_ptr_equal(pool_at(&now, 0)->endpoints[0], d02);
	assert_int_equal(endpoint_capabilities_hash(pool_at(&now, 0)->endpoints[1]), 0);
	endpoint_release(d02);
	unload(&now);
	endpoint_table_free(&table);
}

/* Its sessions know it by the era they came in, wherever they are: the server may have left the pool. */
static void
a_dropped_pool_has_its_sessions_leave(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded old, now;
	struct endpoint *imap, *pop3;
	unsigned imap_era, pop3_era;

	(void)state;
	load(&old, "default pool { balance user; close_spread 7s }\n"
		   "farm f { server d01 { address ::1 } }\n"
		   "pool imap { port 143; farm f }\npool pop3 { port 110; farm f }");
	assert_true(open_pool(&old, table));
	assert_true(pool_open(pool_at(&old, 1), table, &old.problems));
	pool_commit(pool_at(&old, 0));
	pool_commit(pool_at(&old, 1));
	imap = endpoint_get(pool_at(&old, 0)->endpoints[0]);
	pop3 = endpoint_get(pool_at(&old, 1)->endpoints[0]);
	imap_era = pool_at(&old, 0)->era;
	pop3_era = pool_at(&old, 1)->era;
	assert_int_equal(service_era(pop3->service), pop3_era);
	assert_int_equal(service_close_spread(pop3->service), 7000);
	pool_drop(pool_at(&old, 1));
	assert_int_not_equal(service_era(pop3->service), pop3_era);
	assert_int_equal(service_era(imap->service), imap_era);
	unload(&old);
	/* back again while a session lives, which goes all the same */
	load(&now, "pool pop3 { balance user; port 110; close_spread 9s; server d02 { address ::3 } }");
	assert_true(open_pool(&now, table));
	assert_ptr_equal(pool_at(&now, 0)->service, pop3->service);
	assert_int_equal(service_close_spread(pop3->service), 7000);
	pool_commit(pool_at(&now, 0));
	assert_int_not_equal(service_era(pop3->service), pop3_era);
	assert_int_equal(service_era(pop3->service), pool_at(&now, 0)->era);
	assert_int_equal(service_close_spread(pop3->service), 9000);
	endpoint_put(&imap);
	endpoint_put(&pop3);
	unload(&now);
	endpoint_table_free(&table);
}

/* The service lives on with its ad-hoc endpoints, and is forgotten with the last of them. */
static void
a_reload_keeps_adhoc_endpoints(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded old, now;
	struct endpoint *e, *again;
	struct addr addr;

	(void)state;
	assert_true(addr_parse(slice_of("192.0.2.7"), 143, &addr));
	load(&old, "pool imap { balance user; port 143; server d01 { address ::1 } }");
	assert_true(open_pool(&old, table));
	e = pool_adhoc(pool_at(&old, 0), &addr);
	assert_string_equal(e->name, "imap/192.0.2.7:143");
	service_set_era(pool_at(&old, 0)->service, 7);
	unload(&old);
	load(&now, "pool imap { balance user; port 143; server d02 { address ::2 } }");
	assert_true(open_pool(&now, table));
	again = pool_adhoc(pool_at(&now, 0), &addr);
	assert_ptr_equal(again, e);
	assert_ptr_equal(pool_at(&now, 0)->service, e->service);
	pool_commit(pool_at(&now, 0));
	assert_null(pool_find(pool_at(&now, 0), e->server));
	unload(&now);
	endpoint_put(&e);
	endpoint_put(&again);
	endpoint_table_sweep(table, 0);
	endpoint_table_sweep(table, ADHOC_KEPT_MS - 1);
	load(&now, "pool imap { balance user; port 143; server d02 { address ::2 } }");
	assert_true(open_pool(&now, table));
	assert_int_equal(pool_at(&now, 0)->era, 7);
	unload(&now);
	endpoint_table_sweep(table, ADHOC_KEPT_MS);
	load(&now, "pool imap { balance user; port 143; server d02 { address ::2 } }");
	assert_true(open_pool(&now, table));
	assert_int_equal(pool_at(&now, 0)->era, 0);
	unload(&now);
	endpoint_table_free(&table);
}

static void
pools_of_a_farm_have_endpoints_of_their_own(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded l;
	struct pool *imap, *pop3;

	(void)state;
	load(&l, "farm far { balance user; server d01 { address ::1 } }\n"
		 "pool imap { farm far; port 143 }\npool pop3 { farm far; port 110 }");
	imap = pool_at(&l, 0);
	pop3 = pool_at(&l, 1);
	assert_true(pool_open(imap, table, &l.problems));
	assert_true(pool_open(pop3, table, &l.problems));
	pool_commit(imap);
	pool_commit(pop3);
	assert_ptr_not_equal(imap->endpoints[0], pop3->endpoints[0]);
	assert_int_equal(imap->endpoints[0]->machine->hash, pop3->endpoints[0]->machine->hash);
	assert_string_equal(addr_of(imap->endpoints[0]), "[::1]:143");
	assert_string_equal(addr_of(pop3->endpoints[0]), "[::1]:110");
	unload(&l);
	endpoint_table_free(&table);
}

static void
bad_tls_is_told_at_its_directive(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded l;
	char *said;

	(void)state;
	load(&l, "pool imap { server d01 { address ::1 }; server_tls implicit { verify no\n"
		 "  certificate /nonexistent/proxy.pem\n"
		 "  pin AAAA } }");
	assert_false(open_pool(&l, table));
	assert_int_equal(l.problems.count, 2);
	said = text_of(&l.problems);
	assert_non_null(strstr(said, "text:2:15: /nonexistent/proxy.pem: "));
	assert_non_null(strstr(said, "text:3:7: pin: AAAA is no SHA-256 in base64"));
	free(said);
	unload(&l);
	endpoint_table_free(&table);
}

static void
a_failed_open_changes_nothing(void **state)
{
	struct endpoint_table *table = endpoint_table_new(1);
	struct loaded old, now;
	struct endpoint *d01;
	char *said;

	(void)state;
	load(&old, "pool imap { balance leastconn; port 143; server d01 { address 192.0.2.1 } }");
	assert_true(open_pool(&old, table));
	pool_commit(pool_at(&old, 0));
	d01 = pool_at(&old, 0)->endpoints[0];

	load(&now, "pool imap { balance user\n  server_tls starttls { ca /nonexistent/ca.pem }\n"
		   "  server d01 { address 192.0.2.2; weight 9 }; server d02 { address 192.0.2.3 } }");
	assert_false(open_pool(&now, table));
	assert_int_equal(now.problems.count, 1);
	said = text_of(&now.problems);
	assert_non_null(strstr(said, "text:2:"));
	assert_non_null(strstr(said, "/nonexistent/ca.pem"));
	free(said);
	unload(&now);
	assert_string_equal(addr_of(d01), "192.0.2.1:143");
	assert_int_equal(endpoint_weight(d01), 1);
	unload(&old);
	endpoint_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(words_mean_what_they_name),
		cmocka_unit_test(inherits_from_its_farm),
		cmocka_unit_test(a_servers_name_has_a_bound),
		cmocka_unit_test(refuses_what_makes_no_sense),
		cmocka_unit_test(commit_sets_addresses_weights_and_bounds),
		cmocka_unit_test(a_reload_keeps_endpoints),
		cmocka_unit_test(an_agent_has_a_port_and_is_sent_nothing_without),
		cmocka_unit_test(masters_and_affinity_are_inherited),
		cmocka_unit_test(the_masters_password_is_read_from_its_file),
		cmocka_unit_test(all_files_that_cannot_be_opened_are_named),
		cmocka_unit_test(a_dropped_pool_has_its_sessions_leave),
		cmocka_unit_test(a_reload_keeps_adhoc_endpoints),
		cmocka_unit_test(pools_of_a_farm_have_endpoints_of_their_own),
		cmocka_unit_test(bad_tls_is_told_at_its_directive),
		cmocka_unit_test(a_failed_open_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
