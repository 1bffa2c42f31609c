/* SPDX-License-Identifier: BSD-2-Clause */
/* login.h: from complete credentials to a server that took them.  Each of these may end the session. */
#ifndef SESSION_LOGIN_H
#define SESSION_LOGIN_H

#include "session/session.h"

void login_begin(struct session *s);		/* the credentials in the dialogue are complete */
void login_skip(struct session *s);		/* a protocol without logins: straight to a server */
void login_cancel(struct session *s);		/* everything under way stops; nothing is said */

/* For placement.c. */
void login_on_routed(struct route *route, struct endpoint *endpoint, void *owner);	/* a route_callback */
void login_succeed(struct session *s);		/* the server took it, the user is bound: relays */
void login_unavailable(struct session *s, const char *why);	/* the client is told, and may stay */

#endif
