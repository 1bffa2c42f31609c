/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.h: which server a leg goes to where users may be bound to one:
 * the auth source's word, the living binding, then the balancer.  A source
 * that decides is bound before the dial; where the server judges the
 * password, the binding is looked at, and made on the server's OK.  The leg
 * may be gone when these return.
 */
#ifndef SESSION_PLACEMENT_H
#define SESSION_PLACEMENT_H

#include "session/leg.h"

/* May users who are bound to it stay there?  NULL: no.  From any thread. */
bool placement_keeps(const struct pool *pool, const struct endpoint *endpoint);
/* Of one where they may not: are they to be bound elsewhere, or does only this proxy find it down? */
bool placement_may_replace(const struct pool *pool, const struct endpoint *endpoint);
void placement_start(struct leg *leg);	/* goes on in leg_route, or ends in leg_give_up */
/*
 * No route was found.  True: as the server is down, once more as from placement_start; where that has been
 * done, or the user stays bound there, once this server takes sessions, or another.
 */
bool placement_anew(struct leg *leg);
void placement_again(struct leg *leg);	/* as from placement_start; nothing is held any more */
/* The server took the login: binds the user where that is still to be done; goes on in leg_succeed. */
void placement_confirm(struct leg *leg);

#endif
