/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_source.c: clients by a hash of their address, without its port: the same address goes to the same
 * server, through every proxy, unless that one is down, full or was tried: then to the next in its own order.
 * Clients without an address (unix sockets) are one.
 *
 * hash_balance_factor bounds a server that is hot: while it has that many percent of the average of the
 * connections, by weight, and this session would be one more, the next in order has it.
 */
#include "balance/balance.h"
#include "balance/rendezvous.h"

enum { PERCENT = 100 };

struct question {
	const struct balance_key *key;
	int64_t factor;			/* percent; 0: no bound */
	int64_t connections, weight;	/* of all who are up, with this session */
};

static struct slice
bytes_of(const struct addr *client)
{
	const struct in6_addr *in6;

	if (client != NULL && client->sa.sa_family == AF_INET)
		return slice_make((const char *)&client->in.sin_addr, sizeof(client->in.sin_addr));
	if (client == NULL || client->sa.sa_family != AF_INET6)
		return slice_of("");
	in6 = &client->in6.sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(in6))
		return slice_make((const char *)&in6->s6_addr[12], 4);
	return slice_make((const char *)in6, sizeof(*in6));
}

static void
add_up(const struct tier *tier, struct question *question)
{
	question->factor = tier->roster->hash_balance_factor;
	question->connections = 1;
	for (size_t i = 0; i < tier->count && question->factor > 0; i++) {
		struct endpoint *e = tier->endpoints[i];

		if (endpoint_is_down(e) && !question->key->down_too)
			continue;
		if (endpoint_weight(e) == 0)
			continue;
		question->connections += endpoint_load(e).connections;
		question->weight += endpoint_weight(e);
	}
}

static bool
will_do(struct endpoint *e, void *arg)
{
	const struct question *question = arg;
	int64_t bound = question->factor * question->connections * endpoint_weight(e);

	if (!endpoint_is_usable(e, question->key))
		return false;
	/* connections < factor percent of the average by weight, multiplied by all that would divide */
	return question->factor == 0 ||
	    endpoint_load(e).connections * PERCENT * question->weight < bound;
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct question question = { .key = key };
	struct slice bytes = bytes_of(key->client);
	struct endpoint *e;

	add_up(tier, &question);
	e = rendezvous_pick(tier, state, bytes, will_do, &question);
	if (e == NULL && question.factor > 0) {
		question.factor = 0;	/* who is below the bound was tried or is full: better than none */
		e = rendezvous_pick(tier, state, bytes, will_do, &question);
	}
	return e;
}

const struct balancer balance_source = {
	.name = "source", .hashes = true, .pick = pick, .new_state = rendezvous_new,
};
