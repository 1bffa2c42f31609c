/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity_now.h: what control will ask of bindings, by tests that do not wait for it. */
#ifndef UNIT_STATE_AFFINITY_NOW_H
#define UNIT_STATE_AFFINITY_NOW_H

#include "state/affinity.h"

static inline void
on_answer_now(struct affinity_request *request, enum affinity_answer answer)
{
	*(enum affinity_answer *)request->owner = answer;
}

/* The user is bound to another server from now on; false: there was no binding. */
static inline bool
move_now(struct affinity *affinity, struct loop *loop, struct slice user, const char *to)
{
	enum affinity_answer answer = AFFINITY_LATER;
	struct affinity_request request = {
		.loop = loop, .user = user, .wanted = to, .deadline = loop_now(loop) + 1000,
		.on_answer = on_answer_now, .owner = &answer,
	};

	affinity_move(affinity, &request);
	affinity_cancel(&request);
	return answer != AFFINITY_UNBOUND;
}

/* The number of sessions that were kicked. */
static inline int
kick_now(struct affinity *affinity, struct loop *loop, struct slice user)
{
	enum affinity_answer answer = AFFINITY_LATER;
	struct affinity_request request = {
		.loop = loop, .user = user, .on_answer = on_answer_now, .owner = &answer,
	};

	affinity_kick(affinity, &request);
	return request.kicked;
}

#endif
