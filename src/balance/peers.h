/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers.h: what the proxies of a cluster tell each other of servers: how many
 * connections they have to each endpoint, which counts for leastconn and
 * max_connections, and whether their checks find it up.  Up to two seconds
 * old.  On control's loop.
 */
#ifndef BALANCE_PEERS_H
#define BALANCE_PEERS_H

#include "balance/endpoint_table.h"
#include "state/cluster.h"

struct peers;

/* Both outlive it. */
struct peers *peers_new(struct cluster *cluster, struct endpoint_table *table);
void peers_free(struct peers **peers);		/* nobody else is counted any more */
size_t peers_count(const struct peers *peers);	/* of other proxies */

/* What another proxy says of an endpoint. */
struct peer_word {
	const char *proxy;
	struct slice endpoint;
	int connections;
	enum health_state health;
	struct slice why;		/* printable */
	bool has_voice;			/* its health counts: a proxy of two processes has one */
};
typedef void peers_visit(const struct peer_word *word, void *arg);
void peers_each(const struct peers *peers, peers_visit *visit, void *arg);

#endif
