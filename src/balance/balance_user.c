/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance_user.c: weighted rendezvous hashing of users on server names: every
 * proxy finds the same server whatever the order of its file, and a server
 * that leaves moves its own users only.
 *
 * A server's hash h, a fraction of 1, is drawn anew for each user, and the smallest -log2(h) / weight wins.
 * The logarithm is one of integers: a libm's last bit may differ from machine to machine.  Two servers would
 * corrupt a mailbox, so neither a full endpoint nor one that was tried sends a user elsewhere: the caller
 * tries again there, and waits there.  Without a user all go to one server.
 */
#include "balance/balance.h"

#include <string.h>

#include "base/hash.h"

enum { FRACTION_BITS = 32, MANTISSA_BITS = 31 };

struct score {
	uint64_t distance;		/* -log2 of the hash */
	uint64_t weight;
};

/* -log2(h / 2^64) with FRACTION_BITS behind the point; h is not 0. */
static uint64_t
negative_log2(uint64_t h)
{
	uint64_t zeros = (uint64_t)__builtin_clzll(h);
	uint64_t mantissa = h << zeros >> (63 - MANTISSA_BITS);		/* 1 <= mantissa < 2 */
	uint64_t fraction = 0;

	/* log2 bit by bit: squaring doubles the logarithm, and what reaches 2 is a 1 before the point */
	for (int i = 0; i < FRACTION_BITS; i++) {
		uint64_t square = mantissa * mantissa >> MANTISSA_BITS;
		uint64_t bit = square >> (MANTISSA_BITS + 1);

		mantissa = square >> bit;
		fraction = fraction << 1 | bit;
	}
	return ((zeros + 1) << FRACTION_BITS) - fraction;
}

static bool
is_nearer(const struct score *a, const struct score *b)
{
	return a->distance * b->weight < b->distance * a->weight;
}

static bool
is_tie(const struct score *a, const struct score *b)
{
	return a->distance * b->weight == b->distance * a->weight;
}

static struct endpoint *
pick(const struct tier *tier, struct balance_state *state, const struct balance_key *key)
{
	struct endpoint *best = NULL;
	struct score best_score = { 0 };

	(void)state;
	for (size_t i = 0; i < tier->count; i++) {
		struct endpoint *e = tier->endpoints[i];
		uint64_t hash = hash_bytes(key->user.data, key->user.len, e->machine->hash);
		struct score score = { negative_log2(hash | 1), (uint64_t)endpoint_weight(e) };

		if (score.weight == 0 || (endpoint_is_down(e) && !key->down_too))
			continue;
		if (best == NULL || is_nearer(&score, &best_score) ||
		    (is_tie(&score, &best_score) && strcmp(e->server, best->server) < 0)) {
			best = e;
			best_score = score;
		}
	}
	return best;
}

const struct balancer balance_user = { .name = "user", .binds = true, .pick = pick };
