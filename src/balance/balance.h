/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance.h: what every balancer is given and gives.  One small file each
 * and one row in BALANCERS; pick takes nothing, it only chooses.
 */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include <stdbool.h>

#include "balance/endpoint.h"
#include "balance/pool.h"
#include "balance/roster.h"

/* What the directive `balance` may say; balancer `x` is balance_x. */
#define BALANCERS(row) \
	row(roundrobin), \
	row(leastconn), \
	row(source), \
	row(user), \
	row(random), \
	row(first)

#define BALANCER_INDEX(name) BALANCER_##name
enum { BALANCERS(BALANCER_INDEX) };	/* pool_options.balance */

struct balance_state;		/* a worker's memory of one tier; only the balancer knows what is in it */

/* What a choice may depend on. */
struct balance_key {
	struct slice user;				/* canonical; empty where there is none */
	const struct addr *client;			/* NULL: there is none */
	const struct endpoint *const *tried;		/* not these again */
	int tried_count;
	bool full_too;					/* to wait there: an endpoint without room will do */
	bool alive_only;				/* not who is dead by its window, nor to wait there */
	bool down_too;					/* nobody is up, and the pool panics */
	/* Can it do what the client was promised?  NULL: nothing was promised.  From any thread. */
	bool (*keeps_promise)(struct endpoint *e, void *promise);
	void *promise;
};

struct balancer {
	const char *name;
	bool binds;		/* a user belongs on one server: pool.is_bound */
	bool hashes;		/* goes by weights as set, not by shares: the same on every proxy */
	/* NULL: no endpoint is usable.  `state` is what new_state gave, or NULL.  Gives no reference. */
	struct endpoint *(*pick)(const struct tier *tier, struct balance_state *state,
	    const struct balance_key *key);
	/* One block of memory, which the roster xfrees.  NULL: keeps none. */
	struct balance_state *(*new_state)(const struct tier *tier, int worker);
};

extern const struct balancer balance_roundrobin, balance_leastconn, balance_source, balance_user,
    balance_random, balance_first;

#endif
