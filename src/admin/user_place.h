/* SPDX-License-Identifier: BSD-2-Clause */
/* user_place.h: where a user belongs, of whom nothing is known but the name: no auth source is asked. */
#ifndef ADMIN_USER_PLACE_H
#define ADMIN_USER_PLACE_H

#include "admin/cockpit.h"
#include "balance/endpoint.h"
#include "balance/pool.h"
#include "state/affinity.h"

/*
 * The first of the listeners' pools, of one protocol or (NULL) of any, whose users belong on one server;
 * NULL: there is none.
 */
struct pool *user_pool(const struct root *root, const char *canonical, const char *protocol);
/* That of a farm's services which comes first; NULL: none. */
struct pool *user_pool_of_farm(const struct root *root, const struct farm *farm);
/* May a user stay bound there? */
bool user_may_stay(const struct pool *pool, const struct endpoint *e);
/*
 * By binding (NULL: not bound), or else by the hash: one reference, or NULL where no server is usable.  That
 * of the binding may be down, where logins wait for it (see placement_may_replace).
 */
struct endpoint *user_endpoint(const struct pool *pool, struct slice key,
    const struct affinity_binding *binding);

#endif
