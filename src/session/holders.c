/* SPDX-License-Identifier: BSD-2-Clause */
/* holders.c: a count-min sketch whose counts fall as well. */
#include "session/holders.h"

#include "base/hash.h"

static uint64_t
hash_client(const struct addr *client, uint64_t seed)
{
	enum { NETWORK = 8 };	/* octets of an IPv6 address that are not the host's */

	if (client->sa.sa_family == AF_INET)
		return hash_bytes(&client->in.sin_addr, sizeof(client->in.sin_addr), seed);
	return hash_bytes(&client->in6.sin6_addr, NETWORK, seed);
}

int
holders_enter(struct holders *holders, struct holder *holder, const struct addr *client, uint64_t seed)
{
	uint64_t hash = hash_client(client, seed);
	int least = INT32_MAX;

	for (int i = 0; i < HOLDERS_ROWS; i++, hash >>= 8) {
		int count;

		holder->cells[i] = (uint8_t)hash;
		count = 1 + atomic_fetch_add_explicit(&holders->cells[i][holder->cells[i]], 1,
		    memory_order_relaxed);
		least = count < least ? count : least;
	}
	holder->is_inside = true;
	return least;
}

void
holders_leave(struct holders *holders, struct holder *holder)
{
	for (int i = 0; i < HOLDERS_ROWS && holder->is_inside; i++)
		atomic_fetch_sub_explicit(&holders->cells[i][holder->cells[i]], 1, memory_order_relaxed);
	holder->is_inside = false;
}

bool
holders_notice(struct holders *holders, const struct holder *holder, int has, int of)
{
	if (has < HOLDERS_LEAST || has <= of / HOLDERS_PART)
		return false;
	return !atomic_exchange_explicit(&holders->is_told[holder->cells[0]], true, memory_order_relaxed);
}
