/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.h: a server as one pool reaches it ("imap/d03"): its load, its
 * queue, what it is known to do.  Endpoints live outside the snapshots, are
 * counted, and are known by pool and server name, so that a reload keeps
 * them.  Everything here may be called from any thread.
 */
#ifndef BALANCE_ENDPOINT_H
#define BALANCE_ENDPOINT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "balance/service.h"
#include "base/addr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/metric.h"
#include "net/waiter.h"

struct balance_key;

/* To count something more takes a row here. */
#define ENDPOINT_COUNTERS(row) \
	row(sessions, "Tries that the server took; a binding may have sent the session elsewhere then.") \
	row(connect_failures, "Tries that could not connect.") \
	row(timeouts, "Tries that the server took too long for.") \
	row(tls_failures, "Tries that failed in the TLS handshake.") \
	row(dialogue_failures, "Tries that the server broke off, or was out of protocol in.") \
	row(refused, "Logins that the server refused.") \
	row(put_off, "Tries that the server put off for later.") \
	row(own_faults, "Tries that failed since files, ports or memory are short here.")

/* One worker's share, see tally.h: cache lines of its own, added up by whoever reads. */
struct endpoint_counters {
	_Alignas(64) struct {
		ENDPOINT_COUNTERS(METRIC_FIELD)
	};
};

struct endpoint {
	char *name;			/* "imap/d03" */
	char *server;			/* "d03" */
	struct service *service;	/* one reference */
	uint64_t server_hash;		/* of the name, for rendezvous hashing: equal on every proxy */
	bool is_adhoc;			/* of no pool, see adhoc.h */
	atomic_int references;
	atomic_int weight;		/* 0: takes no new sessions */
	atomic_bool is_down;		/* what its health says; nobody is sent there */
	atomic_int connections;		/* sessions that took it, those still dialling too */
	atomic_int max_connections;	/* 0: no bound */
	struct waiter_list queue;	/* who waits for one of max_connections */
	pthread_mutex_t lock;		/* of the next three; also held to give room and to join the queue */
	struct addr addr;
	struct buf capabilities;
	unsigned mechanisms;
	_Atomic uint64_t capabilities_hash;	/* of both; 0: nothing was learned yet */
	struct endpoint_counters counters[];	/* one a worker */
};

extern const struct metric_table endpoint_metrics;	/* of struct endpoint */

/* A moment's load, read once.  Who waits in the queue counts as a connection. */
struct load {
	int connections, weight;
};

/* One reference; it has one of its own to the service. */
struct endpoint *endpoint_new(struct service *service, const char *server, int threads);
struct endpoint *endpoint_get(struct endpoint *e);
void endpoint_put(struct endpoint **e);		/* frees the last one's */

void endpoint_set_addr(struct endpoint *e, const struct addr *addr);	/* another: nothing is known of it */
struct addr endpoint_addr(struct endpoint *e);
void endpoint_set_weight(struct endpoint *e, int weight);
void endpoint_set_max_connections(struct endpoint *e, int max);	/* more room goes to those who wait first */

void endpoint_set_down(struct endpoint *e, bool is_down);
bool endpoint_is_down(const struct endpoint *e);

struct load endpoint_load(struct endpoint *e);
int endpoint_weight(const struct endpoint *e);		/* 0: takes no new sessions */
/* Takes new sessions, is not full and not among those the key says were tried. */
bool endpoint_is_usable(const struct endpoint *e, const struct balance_key *key);

/* One more connection, which holds a reference of its own; false: full, take nothing. */
bool endpoint_take(struct endpoint *e);
/*
 * The same, or joins the queue at once, so that no room is missed in between: false: *slot waits, and
 * on_wake(owner), on this loop, owns a connection.  Whoever waits has a reference to `e` meanwhile.
 */
bool endpoint_take_or_wait(struct endpoint *e, struct loop *loop, void (*on_wake)(void *owner), void *owner,
    struct waiter **slot);
/* Gives a connection and its reference back: to the oldest in the queue, where somebody waits. */
void endpoint_release(struct endpoint *e);

/* What a dial to there saw before its login, mechanisms as bits; cheap where it is what was known. */
void endpoint_learn(struct endpoint *e, const struct addr *there, struct slice capabilities,
    unsigned mechanisms);
uint64_t endpoint_capabilities_hash(const struct endpoint *e);
unsigned endpoint_capabilities(struct endpoint *e, struct buf *out);	/* appends; gives the mechanisms */

#endif
