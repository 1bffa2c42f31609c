/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation.h: a snapshot with all that control opened for it: certificates,
 * pools, listeners, sockets.  It is prepared, where everything may fail and is
 * undone, and then committed, where nothing can.
 */
#ifndef DAEMON_GENERATION_H
#define DAEMON_GENERATION_H

#include "balance/endpoint_table.h"
#include "balance/pool.h"
#include "base/list.h"
#include "base/log.h"
#include "conf/conf.h"
#include "daemon/config.h"
#include "daemon/sockets.h"
#include "health/health.h"
#include "session/snapshot.h"
#include "session/worker.h"

/* What there is once, over all configurations.  Control's thread only. */
struct assets {
	struct loop *control;		/* NULL: files are tried, nothing is to run */
	struct thread_pool *hashing;	/* of passwords; its threads start when there is work */
	struct penalty *penalty;	/* what failed logins were counted */
	struct limiter *limiter;	/* and what else `limits` count */
	struct screen_memory *screened;
	struct country_tally *countries;	/* where clients came from */
	struct sharing *sharing;	/* NULL where there is no cluster */
	struct cluster *cluster;	/* of proxies, by the first configuration; NULL: there is none */
	struct cluster_members *members;	/* of the cluster */
	int threads;
	struct endpoint_table *endpoints;
	struct socket_table *sockets;	/* NULL: nothing is bound */
	struct health *health;		/* of the servers; NULL: nothing is to run */
	struct list generations;	/* committed and not yet forgotten by all workers */
	struct conf *started;		/* the first configuration, for what a reload cannot change */
	bool in_background;
};

struct generation {
	struct snapshot snapshot;
	struct list node;
	struct assets *assets;
	struct root *root;
	struct log_sink *sinks[LOG_STREAMS];	/* until they are used */
	struct gate_order *orders;
	size_t order_count;
};

void assets_init(struct assets *assets, int threads);
void assets_clear(struct assets *assets);	/* frees all generations too: no worker is left */

/*
 * Takes over the configuration and opens what it names, keeping by name what
 * `before` (or NULL) has.  NULL: the problems tell, conf is freed (unless it
 * is assets->started), and all is as it was before.  Blocks that are `broken`
 * come where files are only tried, and are left out.
 */
struct generation *generation_prepare(struct assets *assets, struct conf *conf,
    const struct generation *before, struct conf_problems *problems);
/* Says in the log which certificates expire soon. */
void generation_warn(const struct generation *generation);
void generation_undo(struct generation **generation);		/* instead of a commit */
/* Servers are those of this configuration and checked; no client comes to them before generation_serve. */
void generation_commit(struct generation *generation, const struct generation *before);
/* Its servers' names have other addresses; of the one that was committed last. */
void generation_follow(struct generation *generation);
/* An operator says that one of its servers is elsewhere: see members_move. */
void generation_move(struct generation *generation, const struct pool *pool, struct endpoint *e,
    const struct addr *addr, const char *why);
void generation_serve(struct generation *generation, struct worker **workers);

#endif
