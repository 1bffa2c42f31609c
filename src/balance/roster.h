/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * roster.h: the endpoints of a service at a moment, in tiers: those of a
 * later tier are backups of all before.  Constant and counted, so that it can
 * be replaced at any time: by a reload, or when names resolve anew.
 */
#ifndef BALANCE_ROSTER_H
#define BALANCE_ROSTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct balance_key;
struct balance_state;
struct balancer;
struct endpoint;
struct roster;

/* What a balancer chooses from. */
struct tier {
	const struct roster *roster;		/* that it is of */
	struct endpoint **endpoints;		/* in the order of the file */
	size_t count;
	struct balance_state **states;		/* one a worker; NULL: the balancer keeps none */
};

struct roster {
	atomic_int references;
	int threads;
	bool may_panic;				/* without anybody who is up, health does not count */
	int hash_balance_factor;		/* percent; 0: no bound */
	const struct balancer *balancer;
	struct endpoint **endpoints;		/* one reference each; one tier after the other */
	size_t count;
	struct tier *tiers;			/* each has an endpoint, the first is tried first */
	size_t tier_count;
};

struct roster_member {
	struct endpoint *endpoint;
	int tier;				/* any number; lower ones first */
};

/* One reference, and one of its own to each endpoint. */
struct roster *roster_new(const struct balancer *balancer, const struct roster_member *members, size_t count,
    int threads);
struct roster *roster_get(struct roster *roster);
void roster_put(struct roster **roster);

/* Nobody with a share is up; who picks there all the same says so: down_too. */
bool tier_is_down(const struct tier *tier);

bool roster_has(const struct roster *roster, const struct endpoint *e);
/* These give one reference to the endpoint, or NULL. */
struct endpoint *roster_find(const struct roster *roster, const char *server);	/* by its name */
/*
 * The first tier that has somebody who is up, not dead and was not tried decides, unless it is full.
 * ROSTER_TO_LOOK instead of a worker: who just asks, from any thread, and takes nobody's turn.
 */
enum { ROSTER_TO_LOOK = -1 };
struct endpoint *roster_pick(const struct roster *roster, int worker, const struct balance_key *key);
/* Nobody is up, and then health does not count. */
bool roster_panics(const struct roster *roster);
/*
 * May roster_pick choose this one for the key, whether it is full or not?  One that is down is asked for only
 * where the roster panics.  From any thread.
 */
bool roster_may_pick(const struct roster *roster, struct endpoint *e, const struct balance_key *key);

#endif
