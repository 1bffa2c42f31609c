/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deviations.h: changes.c's: what operators have set at run time besides states and weights of servers; what
 * the configuration has won over; and where users were moved.  All but the last two are read from the things
 * themselves, so that nothing is told that does not hold; and those are set again behind a restart.
 */
#ifndef ADMIN_DEVIATIONS_H
#define ADMIN_DEVIATIONS_H

#include "admin/cockpit.h"
#include "admin/state_file.h"
#include "net/loop.h"

struct deviations;

/* A change as it is told; texts may be "". */
struct told_change {
	const char *kind, *subject, *what, *now, *in_file, *who, *why;
	int64_t when;			/* seconds since 1970; 0: from the beginning */
	bool yields;			/* deviations.c's: to another word of the configuration */
};

struct deviations *deviations_new(struct cockpit *cockpit);
void deviations_free(struct deviations **deviations);

/*
 * What is new was set by `who`; or NULL: by nobody, so that what holds no more was overruled.  True:
 * something is to be kept for a restart, or no more.
 */
bool deviations_look(struct deviations *deviations, const char *who);
/*
 * Fills in the settings that the state file is to have.  What is appended to the first list is set again in
 * the next look, as far as the configuration is still what it was; servers that have no address yet, later.
 */
void deviations_list(struct deviations *deviations, struct state_lists *lists);
/*
 * Where there is a cluster: what is set here of servers holds at all of its proxies, and what is set there
 * holds here; the timer, of a look, is due at once then.
 */
void deviations_share(struct deviations *deviations, struct loop_timer *look_timer);
void deviations_unshare(struct deviations *deviations);		/* fine where it is not shared */

/* Of those that are kept in numbers, kinds "overruled" and "move": the last hundred of each. */
void deviations_keep(struct deviations *deviations, const struct told_change *change);
void deviations_each(const struct deviations *deviations,
    void (*each)(const struct told_change *change, void *arg), void *arg);

#endif
