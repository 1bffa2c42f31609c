/* SPDX-License-Identifier: BSD-2-Clause */
/* back_plan.h: the part of a dial's plan that is the same for all clients. */
#ifndef SESSION_BACK_PLAN_H
#define SESSION_BACK_PLAN_H

#include "balance/endpoint.h"
#include "balance/pool.h"
#include "session/back.h"

/* What the plan points to; outlives it. */
struct back_plan_tls {
	struct tls_back back;
	char name[ENDPOINT_HOST_MAX];
};

/*
 * Into a plan of zeros with order.proto: all but the deadline and what tells of a client.  `*next_source`
 * counts through the pool's source addresses.
 */
void back_plan_server(struct back_plan *plan, struct back_plan_tls *tls, const struct pool *pool,
    struct endpoint *endpoint, size_t *next_source);

#endif
