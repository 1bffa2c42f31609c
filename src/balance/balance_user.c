/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_user.c: users by a hash of their name, to meet on one server.  Two servers would corrupt a mailbox,
 * so neither a full endpoint nor one that was tried sends a user elsewhere: the caller tries again there, and
 * waits there.  Without a user all go to one server.
 */
#include "balance/balance.h"
#include "balance/rendezvous.h"

static bool
will_do(struct endpoint *e, void *arg)
{
	const struct balance_key *key = arg;

	return !endpoint_is_down(e) || (key->down_too && endpoint_takes_in_panic(e));
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct balance_key asked = *key;

	return rendezvous_pick(tier, state, key->user, will_do, &asked);
}

const struct balancer balance_user = {
	.name = "user", .binds = true, .hashes = true, .pick = pick, .new_state = rendezvous_new,
};
