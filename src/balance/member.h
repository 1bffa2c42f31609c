/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member.h: as what a pool reaches its servers: one endpoint for each, or one
 * for each address where a name has many.  What is known of names is
 * discovery.h's.  Control's thread only.
 */
#ifndef BALANCE_MEMBER_H
#define BALANCE_MEMBER_H

#include "base/addr.h"

struct endpoint;
struct pool;
struct roster;
struct server;

struct member {
	const struct server *server;
	struct addr addr;		/* AF_UNSPEC: none was found yet; it stands for those to come */
	int weight, tier;
};

/* Fills the pool's endpoints and members, one reference each; its table and service are there. */
void members_open(struct pool *pool);
struct roster *members_roster(const struct pool *pool);
void members_commit(const struct pool *pool);	/* addresses, weights and bounds take effect */
/* An operator's address for one of them, until its file or DNS has another; why is not "". */
void members_move(const struct pool *pool, struct endpoint *e, const struct addr *addr, const char *why);
void members_close(struct pool *pool);

#endif
