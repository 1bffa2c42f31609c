/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health.h: which endpoints are up: all those of the configuration at hand
 * are checked, each by the blocks `check` of its pool, and what comes of it
 * is set at the endpoint (endpoint_state.h); and their servers' agents are
 * asked (agents.h).  On control's loop alone.
 */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "balance/pool.h"
#include "health/watch.h"

struct health;

/* Of the configuration at hand. */
struct health_view {
	const struct conf_list *pools;		/* struct pool, committed */
	const struct conf_list *listeners;	/* struct listener_settings */
	const char *hostname;			/* ours, in greetings */
	bool tells_events;			/* changes are events of the log, too */
};

struct health *health_new(struct loop *loop);
void health_free(struct health **health);

/*
 * Checks the endpoints that these pools have now, and no others: after a commit, and when a roster has
 * changed.  Who was checked before keeps what is known.  The view stays until the next call is over.
 */
void health_commit(struct health *health, const struct health_view *view);

/*
 * on_settled(owner), once, never before this returns: when every endpoint is known to be up or down, or, at
 * the latest, when a silent one would be, within SETTLE_MAX_MS.
 */
enum { HEALTH_SETTLE_MAX_MS = 5000 };
void health_settle(struct health *health, void (*on_settled)(void *owner), void *owner);

void health_suspect(struct health *health, struct endpoint *e);	/* sessions fail there: checks are due soon */
/* Operators': a state until checks say otherwise; false: no address is known. */
bool health_force(struct health *health, struct endpoint *e, enum health_state state, const char *why);
bool health_can_check(const struct health *health, const struct endpoint *e);	/* its pool has checks */
void health_set_checked(struct health *health, struct endpoint *e, bool is_on, const char *why);
bool health_has_agent(const struct health *health, struct machine *machine);
/* What came of the last question to it (agent.h); NULL: there is none, or an operator wants it not asked. */
const struct agent_result *health_agent_result(const struct health *health, struct machine *machine);
/* Its agent. */
void health_set_asked(struct health *health, struct machine *machine, bool is_on, const char *why);
/* The check `i` of an endpoint, in the order of its pool's blocks; NULL: there is none such. */
const struct watch *health_watch(const struct health *health, const struct endpoint *e, size_t i);

#endif
