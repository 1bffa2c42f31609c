/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.h: which server a login goes to where users may be bound to
 * one: the auth source's word, the living binding, then the balancer.  A
 * source that decides is bound before the dial; where the server judges the
 * password, the binding is looked at, and made on the server's OK.
 */
#ifndef SESSION_PLACEMENT_H
#define SESSION_PLACEMENT_H

#include "session/session.h"

/* Routes, or ends in login_unavailable; may end the session. */
void placement_start(struct session *s);
/* No route was found.  True: since the server went down meanwhile, once more, as from placement_start. */
bool placement_anew(struct session *s);
/* The server took the login: binds the user where that is still to be done; goes on in login_succeed. */
void placement_confirm(struct session *s);
void placement_cancel(struct session *s);	/* what is under way stops; a lease goes back */

#endif
