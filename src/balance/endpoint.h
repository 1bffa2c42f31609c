/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.h: a server as one pool reaches it ("imap/d03"): its load, its queue, what it is known to do.
 * Endpoints live outside the snapshots, are counted, and are known by pool and server name, so that a reload
 * keeps them.  Everything here may be called from any thread.
 */
#ifndef BALANCE_ENDPOINT_H
#define BALANCE_ENDPOINT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "balance/endpoint_counters.h"
#include "balance/endpoint_state.h"
#include "balance/leaving.h"
#include "balance/machine.h"
#include "balance/service.h"
#include "balance/window.h"
#include "base/addr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/metric.h"
#include "net/waiter.h"

struct balance_key;

/* Of each unit of a weight; balancers that hash go by the weight, the others by the share. */
enum { ENDPOINT_SHARE_ONE = 256, ENDPOINT_SHARE_MAX = MACHINE_WEIGHT_MAX * ENDPOINT_SHARE_ONE };

struct endpoint_others {
	int connections, up, down;
	bool is_read;			/* they were added up once */
};

enum { ENDPOINT_SUFFERERS = 8 };	/* more than it takes to be dead to tries */

/* Of the tries of sessions, the last that came to nothing; its words are for people. */
enum { ENDPOINT_WHY_MAX = 160 };
struct endpoint_failure {
	int64_t at;			/* clock_ms; 0: there was none */
	const char *what;		/* "connection lost" */
	char why[ENDPOINT_WHY_MAX];	/* "reset while logging in"; or "" */
	int in_row;			/* failures, not refusals, since the last success */
};

struct endpoint {
	char *name;			/* "imap/d03" */
	const char *server;		/* "d03", the machine's */
	struct service *service;	/* one reference */
	struct machine *machine;	/* one reference */
	bool is_adhoc;			/* of no pool, see adhoc.h */
	atomic_int references;
	atomic_int weight;		/* as set; 0 where an operator or an agent wants nobody new */
	atomic_int share;		/* the same by slow start and agent: ENDPOINT_SHARE_ONE a unit */
	atomic_int flags;		/* enum endpoint_flag */
	atomic_uint era;		/* sessions that came in an earlier one are to go */
	atomic_int connections;		/* sessions that took it, those still dialling too */
	atomic_int others;		/* connections of the cluster's other proxies, as last heard */
	atomic_int others_up, others_down;	/* how many of these have found it so */
	atomic_bool awaits_others;	/* it is shared with them, and they were not heard of yet */
	atomic_int max_connections;	/* the smaller of its pool's and its agent's; 0: no bound */
	atomic_int dialling;		/* of these: whose try has no outcome yet */
	atomic_int dial_bound;		/* of those; see window_bound */
	atomic_int error_limit;		/* see endpoint_set_observed */
	atomic_int errors;		/* in a row */
	atomic_bool is_suspected;	/* health has not been told yet */
	struct waiter_list queue;	/* who waits for room here, and nowhere else */
	pthread_mutex_t lock;		/* up to the capabilities; also to give room and to join the queue */
	struct window window;
	struct endpoint_failure failure;
	uint64_t sufferers[ENDPOINT_SUFFERERS];	/* who was put off since the last success */
	unsigned next_sufferer;
	struct addr addr;
	char *host;			/* whose address it is; NULL: it has no name */
	struct buf capabilities;
	unsigned mechanisms;
	_Atomic uint64_t capabilities_hash;	/* of both; 0: nothing was learned yet */
	atomic_int certificate_days;	/* the server's is good for, as checks see it; -1: none was seen */
	atomic_bool is_checked;		/* checks see what it can do, so that sessions need not tell */
	atomic_bool checks_are_off;	/* an operator wants none: health's */
	struct list machine_node;	/* under the machine's lock, as what follows: endpoint_state.c's */
	struct standing health, admin;
	int passed, wanted;
	bool stays_when_down;		/* its sessions do: `on_down keep` */
	int configured_max;		/* of max_connections: its pool's */
	struct standing bounded;	/* by an operator: `state` is the bound; why "": as configured */
	struct standing unchecked;	/* checks_are_off, with why; why "": they are not */
	int slow_start_ms, ramp_ms;	/* of recoveries to come, and of the one under way (0: none) */
	int64_t ramp_from;		/* clock_ms */
	struct endpoint_history history;
	_Atomic uint64_t checks, failed_checks;	/* control's to count */
	struct endpoint_others sum;	/* control's, while it adds up; see peers.h */
	struct standing moved;		/* control's: by an operator; why "": to where its file or DNS says */
	struct addr configured_addr;	/* control's: where that is */
	struct leaving leaving;
	struct endpoint_counters counters[];	/* one a worker */
};

extern const struct metric_table endpoint_metrics;	/* of struct endpoint */

/* A moment's load, of all proxies, read once.  Who waits in its queue counts as a connection. */
struct load {
	int connections, share;
};

/* One reference; it has its own to service and machine. */
struct endpoint *endpoint_new(struct service *service, struct machine *machine, int threads);
struct endpoint *endpoint_get(struct endpoint *e);
struct endpoint *endpoint_get_living(struct endpoint *e);	/* NULL: its last reference was put */
void endpoint_put(struct endpoint **e);		/* frees the last one's */

void endpoint_set_addr(struct endpoint *e, const struct addr *addr);	/* another: nothing is known of it */
struct addr endpoint_addr(struct endpoint *e);
enum { ENDPOINT_HOST_MAX = 256 };
void endpoint_set_host(struct endpoint *e, const char *host);	/* NULL: it has no name */
/* The name that its certificate should bear: the host's, or else the address; returns out. */
const char *endpoint_host(struct endpoint *e, char out[ENDPOINT_HOST_MAX]);

bool endpoint_is_down(const struct endpoint *e);	/* or in maintenance: its users go elsewhere */
bool endpoint_takes_in_panic(const struct endpoint *e);	/* it has an address, whatever its health */
bool endpoint_is_dead(const struct endpoint *e);	/* by its window: nobody may try it now */
bool endpoint_is_held(const struct endpoint *e);	/* likewise, or nobody more than do now */
bool endpoint_is_in_maintenance(const struct endpoint *e);
unsigned endpoint_era(const struct endpoint *e);	/* see endpoint_send_away */
bool endpoint_has_room(const struct endpoint *e);	/* to be taken, and to dial */

struct load endpoint_load(struct endpoint *e);
int endpoint_weight(const struct endpoint *e);		/* 0: takes no new sessions */
/* Takes new sessions, is not full, was not tried and keeps what was promised: as the key says. */
bool endpoint_is_usable(struct endpoint *e, const struct balance_key *key);

/* What a dial to there saw before its login, mechanisms as bits; cheap where it is what was known. */
void endpoint_learn(struct endpoint *e, const struct addr *there, struct slice capabilities,
    unsigned mechanisms);
uint64_t endpoint_capabilities_hash(const struct endpoint *e);
unsigned endpoint_capabilities(struct endpoint *e, struct buf *out);	/* appends; gives the mechanisms */

#endif
