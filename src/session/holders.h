/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holders.h: how many of a listener's connections one address has, closely enough to notice one that has a
 * large part: in a fixed number of cells, of which an address has two, and shares each with others.  It is
 * never told too few, and seldom too many.  From any thread.
 */
#ifndef SESSION_HOLDERS_H
#define SESSION_HOLDERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum { HOLDERS_ROWS = 2, HOLDERS_CELLS = 256 };
/* Who has as many as that, and more than this part of all, is told of. */
enum { HOLDERS_LEAST = 100, HOLDERS_PART = 5 };

struct holders {			/* zero at first */
	atomic_int cells[HOLDERS_ROWS][HOLDERS_CELLS];
	atomic_bool is_told[HOLDERS_CELLS];	/* by the cell of the first row */
};

struct holder {				/* a connection; zero at first */
	uint8_t cells[HOLDERS_ROWS];
	bool is_inside;
};

/* How many it has now, this one too; an IPv6 address is its /64.  seed: the same for all of `holders`. */
int holders_enter(struct holders *holders, struct holder *holder, const struct addr *client, uint64_t seed);
void holders_leave(struct holders *holders, struct holder *holder);	/* fine where it never entered */
/* Is it to be told of, among so many connections?  Once an address. */
bool holders_notice(struct holders *holders, const struct holder *holder, int has, int of);

#endif
