/* SPDX-License-Identifier: BSD-2-Clause */
/* crowd.h: a roster of up to a thousand servers d000, d001 ..., without a pool. */
#ifndef T_UNIT_BALANCE_CROWD_H
#define T_UNIT_BALANCE_CROWD_H

#include <stdio.h>

#include "balance/balance.h"
#include "balance/endpoint_room.h"
#include "base/xalloc.h"

enum { CROWD_MAX = 1000, CROWD_THREADS = 4 };

struct crowd {
	struct service *service;
	struct endpoint *endpoints[CROWD_MAX];
	struct roster *roster;
	size_t count;
};

static const struct balance_key any_key;		/* no user, nothing tried */

static inline struct endpoint *
crowd_endpoint(struct service *service, const char *name, int weight)
{
	struct machine *machine = machine_new("far", name);
	struct endpoint *e = endpoint_new(service, machine, 1);

	machine_set_weight(machine, weight);
	machine_put(&machine);
	return e;
}

/* weights NULL: each has 1. */
static inline struct crowd *
crowd_new(const struct balancer *balancer, const int *weights, size_t count)
{
	struct crowd *crowd = xcalloc(1, sizeof(*crowd));
	struct roster_member members[CROWD_MAX];

	crowd->service = service_new("imap");
	crowd->count = count;
	for (size_t i = 0; i < count; i++) {
		char name[24];

		snprintf(name, sizeof(name), "d%03zu", i);
		crowd->endpoints[i] = crowd_endpoint(crowd->service, name, weights != NULL ? weights[i] : 1);
		members[i] = (struct roster_member){ crowd->endpoints[i], 0 };
	}
	crowd->roster = roster_new(balancer, members, count, CROWD_THREADS);
	return crowd;
}

static inline void
crowd_free(struct crowd **crowd)
{
	struct crowd *gone = *crowd;

	*crowd = NULL;
	roster_put(&gone->roster);
	for (size_t i = 0; i < gone->count; i++) {
		while (endpoint_load(gone->endpoints[i]).connections > 0)
			endpoint_release(gone->endpoints[i]);
		endpoint_put(&gone->endpoints[i]);
	}
	service_put(&gone->service);
	xfree(gone);
}

static inline struct machine *
crowd_machine(const struct crowd *crowd, size_t i)
{
	return crowd->endpoints[i]->machine;
}

static inline int
crowd_index(const struct crowd *crowd, const struct endpoint *e)
{
	for (size_t i = 0; i < crowd->count; i++)
		if (crowd->endpoints[i] == e)
			return (int)i;
	return -1;
}

/* The number of the server that is picked; -1: none. */
static inline int
crowd_pick(const struct crowd *crowd, int worker, const struct balance_key *key)
{
	struct endpoint *e = roster_pick(crowd->roster, worker, key);
	int picked = crowd_index(crowd, e);

	endpoint_put(&e);
	return picked;
}

/* Picks and takes a connection there, as a session would; -1: none. */
static inline int
crowd_take(const struct crowd *crowd, int worker, const struct balance_key *key)
{
	int picked = crowd_pick(crowd, worker, key);

	if (picked >= 0)
		endpoint_take(crowd->endpoints[picked]);
	return picked;
}

static inline void
crowd_bound(const struct crowd *crowd, size_t i, int max)
{
	endpoint_set_max_connections(crowd->endpoints[i], max);
}

/* One place, and it is taken. */
static inline void
crowd_fill(const struct crowd *crowd, size_t i)
{
	crowd_bound(crowd, i, 1);
	endpoint_take(crowd->endpoints[i]);
}

static inline void
crowd_down(const struct crowd *crowd, size_t i)
{
	endpoint_set_health(crowd->endpoints[i], HEALTH_DOWN, "");
}

static inline void
crowd_up(const struct crowd *crowd, size_t i)
{
	endpoint_set_health(crowd->endpoints[i], HEALTH_UP, "");
}

static inline void
crowd_agent(const struct crowd *crowd, size_t i, int percent)
{
	struct agent_word word = AGENT_WORD_NONE;

	word.percent = percent;
	machine_obey_agent(crowd_machine(crowd, i), &word);
}

/* Came up so long ago that `percent` of its slow start are over. */
static inline void
crowd_ramp(const struct crowd *crowd, size_t i, int percent)
{
	enum { RAMP_MS = 1000000 };	/* no test takes a hundredth of it */
	struct endpoint *e = crowd->endpoints[i];

	endpoint_set_slow_start(e, RAMP_MS);
	crowd_down(crowd, i);
	crowd_up(crowd, i);
	e->ramp_from -= RAMP_MS / 100 * percent;
	endpoint_ramp(e);
}

/* `promise` is the one endpoint that can do it. */
static inline bool
crowd_keeps_promise(struct endpoint *e, void *promise)
{
	return e == promise;
}

/* How far off what chance should bring to `fair` is: the square, in variances (25: five deviations). */
static inline double
off_by(double count, double fair)
{
	return (count - fair) * (count - fair) / fair;
}

#endif
