/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * departure.h: sessions whose server is to be left over some time though it is up (balance/leaving.h): when
 * each is told to go, quiet ones first, and that users who were bound there are bound elsewhere when they
 * come back.  On the worker's own thread.
 */
#ifndef SESSION_DEPARTURE_H
#define SESSION_DEPARTURE_H

#include "session/session.h"

struct affinity_binding;

/* Orders have come or ended: sessions get their times, or may stay. */
void departure_review(struct worker *worker);
/* A server has taken the session: relay->leave_at is set where it is to leave that one later. */
void departure_come(struct session *s);
/* Is the user of this binding to be bound elsewhere, if there is anywhere else?  From any thread. */
bool departure_is_due(struct endpoint *bound, struct slice key, const struct affinity_binding *binding,
    int64_t now);

/* One worker's sessions at one endpoint that has more than its share, as they are counted and chosen. */
struct departure_part {
	struct endpoint *endpoint;
	bool is_bound;			/* a user belongs on one server in its pool */
	double share;			/* where it is: of the strays' users so many are chosen, 0 to 1 */
	unsigned quota;			/* else: so many sessions */
	unsigned strays;		/* sessions that the balancer would have elsewhere; or all */
	unsigned quiet;			/* of the strays */
	unsigned chosen;
};

/* Counts; with a spread, tells the chosen ones too, over that time in ms from now on. */
void departure_choose(struct worker *worker, struct departure_part *part, const int64_t *spread_ms);

#endif
