/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_filter.h: a protocol that looks on while bytes are passed.  One that speaks itself: mediator.h. */
#ifndef PROTO_RELAY_FILTER_H
#define PROTO_RELAY_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* What a filter sees of the moment, or-ed; blind, it sees nothing any more, and no other bit is set. */
enum filter_look {
	FILTER_BOUNDARY = 1,	/* our last words may follow what the server sent */
	FILTER_QUIET = 2,	/* nothing under way: idle, to be ended first */
	FILTER_OWED = 4,	/* the client has asked, and has no answer yet */
	FILTER_BLIND = 8
};

/* Looks at passing bytes in place, once logged in; one per session, from the first relayed byte. */
struct relay_filter {
	size_t size;					/* of the state */
	void (*init)(void *state);
	/* Bytes of the client, in any chunking.  False: they must not be passed on. */
	bool (*client)(void *state, struct slice data);
	void (*server)(void *state, struct slice data);	/* NULL: of no interest */
	unsigned (*look)(const void *state);		/* enum filter_look */
};

#endif
