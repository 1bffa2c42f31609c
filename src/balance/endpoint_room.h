/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_room.h: connections to an endpoint are taken, given back and handed on to who waits.  From any
 * thread.
 */
#ifndef BALANCE_ENDPOINT_ROOM_H
#define BALANCE_ENDPOINT_ROOM_H

#include <stdbool.h>

struct endpoint;
struct loop;
struct waiter;
struct waiter_duty;

/*
 * One more connection, which holds a reference of its own, and dials until endpoint_report; false: full, take
 * nothing.
 */
bool endpoint_take(struct endpoint *e);
/*
 * The same, or joins the queue at once, so that no room is missed in between: false: *slot waits, and who is
 * woken owns a connection, the gift.  Whoever waits has a reference to `e` meanwhile.
 */
bool endpoint_take_or_wait(struct endpoint *e, struct loop *loop, const struct waiter_duty *duty,
    void *owner, struct waiter **slot);
/* Gives a connection and its reference back: to the oldest in its queue, else to that of its service's. */
void endpoint_release(struct endpoint *e);
void endpoint_give_up(struct endpoint *e);	/* the same for one whose try has no outcome */
/* There may be more room: lets in who waits for it.  Under the lock. */
void endpoint_let_in_locked(struct endpoint *e);
void endpoint_let_in(struct endpoint *e);	/* there may be more room: it goes to those who wait first */

void endpoint_set_max_connections(struct endpoint *e, int max);	/* its pool's; then endpoint_let_in */
/* The same by an operator, until its pool has another one; why is not "". */
void endpoint_bound(struct endpoint *e, int max, const char *why);

#endif
