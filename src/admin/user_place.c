/* SPDX-License-Identifier: BSD-2-Clause */
/* user_place.c: as a login is placed, but nothing is written and nobody waits. */
#include "admin/user_place.h"

#include <string.h>
#include <time.h>

#include "balance/balance.h"
#include "base/clock.h"
#include "proto/proto.h"
#include "session/departure.h"
#include "session/listener_settings.h"
#include "session/placement.h"
#include "session/route_rule.h"

static bool
binds(const struct pool *pool)
{
	return pool->is_bound || (pool->farm != NULL && pool->farm->bindings != NULL);
}

struct pool *
user_pool(const struct root *root, const char *canonical, const char *protocol)
{
	const struct addr nobody = { .sa.sa_family = AF_UNSPEC };

	for (size_t i = 0; i < root->listeners.count; i++) {
		const struct listener_settings *l = root->listeners.items[i];
		struct condition_subject subject = {
			.client = &nobody, .listener = l->conf.title, .user = slice_of(canonical),
			.geo = root->geo, .now = time(NULL),
		};
		struct pool *pool = route_rule_find(&l->route, &subject, l->pool);

		if (pool != NULL && binds(pool) &&
		    (protocol == NULL || strcmp(l->proto->name, protocol) == 0))
			return pool;
	}
	return NULL;
}

struct pool *
user_pool_of_farm(const struct root *root, const struct farm *farm)
{
	for (size_t i = 0; i < root->pools.count; i++) {
		struct pool *pool = root->pools.items[i];

		if (pool->farm == farm)
			return pool;
	}
	return NULL;
}

bool
user_may_stay(const struct pool *pool, const struct endpoint *e)
{
	return placement_keeps(pool, e);
}

struct endpoint *
user_endpoint(const struct pool *pool, struct slice key, const struct affinity_binding *binding)
{
	const struct balance_key by_user = { .user = key, .full_too = true };
	struct endpoint *e = binding != NULL ? pool_find(pool, binding->server) : NULL, *other;

	if (e != NULL && user_may_stay(pool, e) && !departure_is_due(e, key, binding, clock_ms()))
		return e;
	if (e != NULL && !user_may_stay(pool, e) && !placement_may_replace(pool, e))
		return e;
	other = pool_pick(pool, ROSTER_TO_LOOK, &by_user);
	/* one that is to be left, and is up, is better than none */
	if (other == NULL && e != NULL && user_may_stay(pool, e))
		return e;
	endpoint_put(&e);
	return other;
}
