/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h: a server of a farm over all configurations, known by the farm's
 * and its own name: what holds for all services on it.  Operators and agents
 * speak of machines, checks of endpoints; machine.c and endpoint_state.c fold
 * both into the few numbers that balancers read.  From any thread.
 */
#ifndef BALANCE_MACHINE_H
#define BALANCE_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* What an operator, or an agent, wants of a server or an endpoint; the stricter one counts. */
enum admin_state {
	ADMIN_READY,
	ADMIN_DRAIN,		/* no new sessions; users who are bound there stay */
	ADMIN_MAINTENANCE,	/* nobody: sessions are told to go, users are bound elsewhere */
	ADMIN_STATE_COUNT
};

enum { STANDING_WHY_MAX = 192, MACHINE_WEIGHT_MAX = 256 };

/* A fact with its history. */
struct standing {
	int state;
	int64_t since;			/* clock_ms; 0: from the beginning */
	char why[STANDING_WHY_MAX];	/* printable; "" where nobody said */
};

/* What an agent says; what it did not say stays. */
struct agent_word {
	int percent;			/* of the weight that is set; -1: not said */
	int weight;			/* instead of that; -1: not said */
	int max_connections;		/* at each endpoint; -1: not said; 0: no bound */
	int admin;			/* enum admin_state; -1: not said */
	int is_down;			/* 0 or 1; -1: not said */
	const char *why;
};
#define AGENT_WORD_NONE ((struct agent_word){ -1, -1, -1, -1, -1, "" })

struct machine {
	char *farm, *name;		/* constant; the pool's where it has servers of its own */
	uint64_t hash;			/* of the name, for rendezvous hashing: equal on every proxy */
	atomic_int references;
	pthread_mutex_t lock;		/* of all that follows, and of its endpoints' states */
	struct list endpoints;		/* struct endpoint, by machine_node */
	int weight;			/* 0 to MACHINE_WEIGHT_MAX */
	struct standing weighed;	/* by an operator: `state` is the weight; why "": as configured */
	int configured_weight;		/* -1: it never was */
	int configured_state;
	struct standing admin;		/* enum admin_state, an operator's */
	struct standing agent_admin;
	struct standing agent_down;	/* 1: the agent says that it is down */
	int agent_percent;		/* 100: as set */
	int agent_weight;		/* instead of weight and percentage; -1: it does not say */
	int agent_max_connections;	/* 0: no bound, or it does not say */
	atomic_bool agent_is_off;	/* an operator wants it not asked: health's */
	struct standing unasked;	/* the same, with why; why "": it is asked */
};

/* What is known of a machine at a moment. */
struct machine_facts {
	int weight, configured_weight, agent_percent, agent_weight, agent_max_connections;
	struct standing weighed, admin, agent_admin, agent_down, unasked;
};

struct machine *machine_new(const char *farm, const char *name);	/* one reference; weight 0 */
struct machine *machine_get(struct machine *machine);
void machine_put(struct machine **machine);

/* What the file says counts where it is new; else what was set since stays. */
void machine_configure(struct machine *machine, int weight, enum admin_state state);
void machine_set_weight(struct machine *machine, int weight);
/* The same by an operator, until the file has another one; why is not "". */
void machine_weigh(struct machine *machine, int weight, const char *why);
/* Why: for people; "" clears it.  False: it was so already, and nothing changed. */
bool machine_set_admin(struct machine *machine, enum admin_state state, const char *why);
/* Hashes heed no weight of an agent's; nothing outweighs a weight of 0 that was set. */
bool machine_obey_agent(struct machine *machine, const struct agent_word *word);
void machine_note_asked(struct machine *machine, bool is_on, const char *why);	/* health's */
bool machine_forget_agent(struct machine *machine);		/* as if it had never said a word */
void machine_read(struct machine *machine, struct machine_facts *out);

const char *admin_state_text(enum admin_state state);		/* "ready", "drain", "maintenance" */

/* For endpoint_state.c.  Sets what is new, under the lock; false: it was so. */
bool standing_set(struct standing *standing, int state, const char *why);

#endif
