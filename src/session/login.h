/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.h: a session until it relays: its dialogue, its credentials, its way
 * to a server that took them.  Each function may end the session.
 */
#ifndef SESSION_LOGIN_H
#define SESSION_LOGIN_H

#include "auth/auth.h"
#include "proto/command.h"
#include "session/back_plan.h"
#include "session/offer.h"
#include "session/route.h"
#include "session/session.h"
#include "state/affinity.h"

/* What is needed until the login succeeded, and wiped then. */
struct login {
	struct session *session;
	struct dialogue dialogue;
	struct buf in;				/* the client's bytes not consumed yet */
	struct offer *offer;
	struct auth_request auth;
	struct loop_timer delay;		/* the auth source wants the login to wait */
	struct pool *pool;			/* where it goes: the answer's or the listener's */
	struct addr host;			/* an address the answer gave, with has_host */
	char *server;				/* a server's name that it gave; or NULL */
	struct credentials back;		/* what the server is shown */
	struct slice key;			/* what of the mailbox's name decides on the server */
	struct affinity_request binding;
	uint64_t replaces;			/* generation of a binding whose server is gone; 0: none */
	struct route route;
	struct back_plan plan;
	struct back_plan_tls tls;
	char *user;				/* canonical name claimed, or the auth source's for it */
	char *mailbox;				/* canonical name there: several users may share one */
	int errors, tries;			/* bad commands and wrong guesses; logins begun */
	bool has_host, is_judged_by_server, is_redirected, is_placed_anew;
	bool is_running;			/* commands are being run: no second run within */
	bool is_repeatable;			/* another server would take it without the client */
	bool is_handed_over;			/* the dialogue is over: the mediator is next */
	bool client_closed;			/* it sent its FIN behind what it pipelined */
};

struct login *login_new(struct session *s);
void login_begin(struct session *s);		/* the credentials in the dialogue are complete */
void login_respond(struct session *s);		/* the client has answered the auth source's challenge */
void login_skip(struct session *s);		/* a protocol without logins: straight to a server */
void login_cancel(struct session *s);		/* everything under way stops; nothing is said */
void login_free(struct login **login, struct loop *loop);	/* wiped now, freed when the turn is over */

/* For placement.c. */
void login_on_routed(struct route *route, struct endpoint *endpoint, void *owner);	/* a route_callback */
void login_succeed(struct session *s);		/* the server took it, the user is bound: relays */
void login_unavailable(struct session *s, const char *why);	/* the client is told, and may stay */

#endif
