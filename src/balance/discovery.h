/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * discovery.h: the addresses of servers that are known by names, asked for
 * again and again, and kept over all configurations: a name that stays has
 * its last answer.  No answer, and one that there is no such name, takes
 * nothing away.  Control's thread only.
 */
#ifndef BALANCE_DISCOVERY_H
#define BALANCE_DISCOVERY_H

#include "balance/pool.h"
#include "net/resolve.h"

enum {
	DISCOVERY_MAX = RESOLVE_ADDRESSES_MAX,	/* addresses of one server */
	DISCOVERY_SETTLE_MAX_MS = 3000
};

struct discovery;

struct found {
	struct addr addr;		/* port 0: none was written */
	uint16_t priority, weight;	/* of the service; 0 for an address */
};

/* What is known of one server's name. */
struct findings {
	/* Each once, by priority, then IPv4 before IPv6, then the lower first: equal on every proxy. */
	const struct found *items;
	size_t count;			/* 0: nothing was found yet */
	size_t first;			/* the one of `resolve first`: it stays while it is among them */
	bool is_new;			/* since pools were told last */
};

struct discovery *discovery_new(void);		/* asks nobody before discovery_start */
void discovery_free(struct discovery **discovery);	/* before its loop */

/*
 * From now on what is committed is asked for.  on_change(owner): for one server or more, findings are new;
 * never from within a call of these functions.
 */
void discovery_start(struct discovery *discovery, struct loop *loop, void (*on_change)(void *owner),
    void *owner);
/* These pools' servers are asked for, and no others; without name servers, those of the system. */
void discovery_commit(struct discovery *discovery, const struct conf_list *pools,
    const struct address_list *nameservers);
/*
 * on_settled(owner), once, never before this returns: when for each server there was an answer or a failure,
 * or after DISCOVERY_SETTLE_MAX_MS.
 */
void discovery_settle(struct discovery *discovery, void (*on_settled)(void *owner), void *owner);

/* Of a server of the pool, or its farm; NULL: it has no name, or nobody asked for this one yet. */
const struct findings *discovery_find(const struct discovery *discovery, const struct pool *pool,
    const struct server *server);

#endif
