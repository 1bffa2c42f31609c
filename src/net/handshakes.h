/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handshakes.h: TLS handshakes of clients take turns on their loop.  One costs as much as a thousand relayed
 * lines, and when thousands of clients come at once nobody else would be served until all have theirs.  So a
 * turn of the loop has a budget for them: 2 ms, or where the rest takes longer as much as that, up to 10 ms.
 * Within it nobody waits.  Beyond it those that are begun go on first, then the oldest.
 */
#ifndef NET_HANDSHAKES_H
#define NET_HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

/* One that may have to wait.  Embedded in its owner, zero before. */
struct handshake {
	struct list node;
	int64_t since;			/* loop_now: it waits; 0: it does not */
	int64_t waited_ms;		/* for the turns that have come */
	void (*on_turn)(struct handshake *handshake);	/* its next step is to be taken */
};

/* May it take a step now?  If not, on_turn comes in a later turn, unless handshake_leave is called. */
bool handshake_may_go(struct loop *loop, struct handshake *handshake, bool is_begun);
void handshake_took(struct loop *loop, int64_t us);	/* a step */
void handshake_leave(struct handshake *handshake);	/* fine also when it does not wait */

/* Of all loops, from any thread. */
int handshakes_waiting(void);
uint64_t handshakes_paced(void);	/* had to wait so far */
int64_t handshakes_longest_ms(void);	/* the longest wait since its one reader has asked last */

#endif
