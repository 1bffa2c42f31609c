/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_state.h: whether an endpoint takes sessions, and why: its health
 * and what an operator wants of it and of its machine, kept apart, each with
 * since when and why.  Setters may be called from any thread; what balancers
 * read of the outcome is in endpoint.h.
 */
#ifndef BALANCE_ENDPOINT_STATE_H
#define BALANCE_ENDPOINT_STATE_H

#include "balance/machine.h"

struct endpoint;

enum health_state {
	HEALTH_UNKNOWN,		/* not checked, or not yet: takes sessions */
	HEALTH_UP,
	HEALTH_DOWN,
	HEALTH_UNRESOLVED,	/* no address is known for its name */
	HEALTH_STATE_COUNT
};

/* What endpoint.h's `flags` say, or-ed; each of them means that no new session is sent there. */
enum endpoint_flag {
	ENDPOINT_DOWN = 1,		/* by its health, its agent, or without an address */
	ENDPOINT_MAINTENANCE = 2,
	ENDPOINT_UNRESOLVED = 4		/* not even in panic */
};

/* How often and how long it was down. */
struct endpoint_history {
	int64_t changed_at;		/* since it is as it is: clock_ms; 0: from the beginning */
	int64_t down_since;		/* clock_ms; 0: it is not down */
	int64_t down_ms;		/* all in all, but for what goes on since then */
	int64_t downs;
};

/* As a person would be told; see machine_facts for its server's. */
struct endpoint_facts {
	struct standing health;		/* enum health_state */
	int passed, wanted;		/* of the checks that another state takes; wanted 0: it is stable */
	struct standing admin;		/* of this endpoint alone */
	struct standing bounded;	/* likewise: its connections, by an operator; see endpoint.h */
	struct standing unchecked;	/* an operator wants no checks; why "": they go on */
	int slow_start_percent;		/* 100: has its whole share */
	struct endpoint_history history;
};

/* False: it was so.  `why` is the check's result, say. */
bool endpoint_set_health(struct endpoint *e, enum health_state state, const char *why);
void endpoint_set_progress(struct endpoint *e, int passed, int wanted);	/* towards the other state */
bool endpoint_set_admin(struct endpoint *e, enum admin_state state, const char *why);
void endpoint_note_checked(struct endpoint *e, bool is_on, const char *why);	/* health's */
/*
 * The slow start, 0: none, of recoveries from now on: of those from down or maintenance, by whoever's word,
 * to sessions again.  The end of a drain is none, but a slow start waits for it.
 */
void endpoint_set_slow_start(struct endpoint *e, int ms);
/* Whether sessions go when it goes down, as they do when it comes into maintenance: endpoint_send_away. */
void endpoint_set_on_down(struct endpoint *e, bool sends_away);
/* Takes a step of the slow start, if one is under way; false: none is, and none can begin.  Cheap. */
bool endpoint_ramp(struct endpoint *e);
void endpoint_read(struct endpoint *e, struct endpoint_facts *out);

/* Begins an era: the sessions of those before are to go. */
void endpoint_send_away(struct endpoint *e);
void endpoint_tell_away_locked(struct endpoint *e);	/* leaving.c's: its order is another one */

/* Who sees to it that they go, and that nobody dials where all is in vain: told of each that goes down. */
struct away_observer {
	/* From any thread, under the machine's lock: it posts a message, and asks the endpoint nothing. */
	void (*on_away)(struct endpoint *e, void *owner);
	void *owner;
};

/* Before the first thread starts, and again only when the last one has ended; NULL: nobody observes. */
void endpoint_observe_away(const struct away_observer *observer);

const char *health_state_text(enum health_state state);		/* "up", "unresolved" */

/*
 * machine.c's: under the machine's lock, the numbers that balancers read are made anew.  Who waits for an
 * endpoint hears of it, for the order of locks see service.h; who waits for one that is down chooses anew.
 */
void endpoint_refresh_locked(struct endpoint *e);

#endif
