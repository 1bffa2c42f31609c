/* SPDX-License-Identifier: BSD-2-Clause */
/* pool_fixture.h: a pool of servers d00, d01 ... with the weights given, opened without a configuration. */
#ifndef T_UNIT_BALANCE_POOL_FIXTURE_H
#define T_UNIT_BALANCE_POOL_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "pick.h"

#include "balance/balance.h"
#include "balance/endpoint_table.h"

enum { FIXTURE_SERVERS = 16, FIXTURE_THREADS = 8 };

struct fixture {
	struct endpoint_table *table;
	struct pool pool;
	struct server servers[FIXTURE_SERVERS];
	void *items[FIXTURE_SERVERS];
	char names[FIXTURE_SERVERS][4];
};

static const struct balance_key any_user;	/* no user, nothing tried */

static inline void
fixture_open(struct fixture *f, int balancer, const int *weights, size_t count)
{
	*f = (struct fixture){ .table = endpoint_table_new(FIXTURE_THREADS) };
	f->pool.conf.title = "imap";
	f->pool.options.balance = balancer;
	f->pool.servers.items = f->items;
	f->pool.servers.count = count;
	for (size_t i = 0; i < count; i++) {
		snprintf(f->names[i], sizeof(f->names[i]), "d%02u", (unsigned)i % 100);
		f->items[i] = &f->servers[i];
		f->servers[i].conf.title = f->names[i];
		f->servers[i].weight = weights[i];
	}
	pool_open(&f->pool, f->table, NULL);
	pool_commit(&f->pool);
}

static inline void
fixture_close(struct fixture *f)
{
	pool_close(&f->pool);
	endpoint_table_free(&f->table);
}

/* The number of the server that is picked; -1: none. */
static inline int
fixture_pick(const struct fixture *f, int worker, const struct balance_key *key)
{
	const struct endpoint *e = pick_of(&f->pool, worker, key);

	for (size_t i = 0; i < f->pool.endpoint_count; i++)
		if (f->pool.endpoints[i] == e)
			return (int)i;
	return -1;
}

#endif
