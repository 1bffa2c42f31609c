/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login.h: a session until it relays: its dialogue, its credentials, and what
 * its auth source says to them.  Each function may end the session.
 */
#ifndef SESSION_LOGIN_H
#define SESSION_LOGIN_H

#include "auth/auth.h"
#include "proto/command.h"
#include "proto/manners.h"
#include "session/guard.h"
#include "session/offer.h"
#include "session/session.h"

/* What is needed until the login succeeded, and wiped then. */
struct login {
	struct session *session;
	struct dialogue dialogue;
	struct offer *offer;
	struct auth_request auth;
	struct auth_scene scene;
	struct guard *guard;			/* of `limits`; NULL: no login was watched yet */
	struct loop_timer delay;		/* the auth source wants the login to wait, or its refusal */
	char *user;				/* canonical name claimed, or the auth source's for it */
	int64_t begun_at;			/* loop_now of the credentials at hand */
	int64_t idle_since;			/* loop_now: since then it is the client who is to act */
	struct manners manners;			/* bad commands and wrong guesses */
	struct addr checked;			/* the client that the entrance has let pass */
	int tries;				/* logins begun */
	uint8_t step;				/* enum step: of a command whose reply is late */
	bool is_refused;			/* the refusal that waits is one, and no temporary failure */
	bool is_noted;				/* that it failed, in the log */
	bool is_guess;				/* its credentials were wrong */
	bool has_words;				/* to a temporary failure, of the auth source's */
	bool ends_session;			/* the auth source's failure */
	bool is_repeatable;			/* another server would take it without the client */
};

struct login *login_new(struct session *s);
void login_begin(struct session *s);		/* the credentials in the dialogue are complete */
void login_respond(struct session *s);		/* the client has answered the auth source's challenge */
void login_skip(struct session *s);		/* a protocol without logins: straight to a server */
void login_late(struct session *s);		/* the session is about to end over its login_timeout */
void login_cancel(struct session *s);		/* everything under way stops; nothing is said */
void login_free(struct login **login, struct loop *loop);	/* wiped now, freed when the turn is over */

#endif
