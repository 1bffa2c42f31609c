/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quorum.h: do the proxies of a cluster agree that a server is down?  Each goes by its own checks; but users
 * who are bound there, and may have sessions there through other proxies, are bound elsewhere only where
 * enough of the proxies find it down (`check_quorum`).
 */
#ifndef BALANCE_QUORUM_H
#define BALANCE_QUORUM_H

#include "balance/endpoint.h"

/* Values of `check_quorum` that are no number of proxies: more than half of them; and, of this one alone. */
enum { QUORUM_MAJORITY = 0, QUORUM_NONE = 1 };

/* What is known, for a person: proxies whose checks say something of it, this one among them. */
struct quorum {
	int asked, down, needed;
	bool is_awaited;		/* the others were not heard of yet */
};

/*
 * Of an endpoint that is down here.  True also where that is the word of an operator or of the server's own
 * agent, and where nobody else is heard: alone, or without Redis for BOARD_LEASE_MS.  From any thread.
 */
bool quorum_agrees(const struct endpoint *e, int64_t wanted);
void quorum_read(const struct endpoint *e, int64_t wanted, struct quorum *out);

#endif
