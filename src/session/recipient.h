/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recipient.h: a recipient whom a relayed session asks its listener's lookup
 * sources about.  There is one such question at most, in its relay.
 */
#ifndef SESSION_RECIPIENT_H
#define SESSION_RECIPIENT_H

#include "auth/auth.h"
#include "proto/mediator.h"
#include "session/session.h"

struct recipient {
	struct session *session;
	struct snapshot *snapshot;		/* under which it is asked; one reference */
	const struct listener_settings *settings;	/* of it */
	bool is_first;				/* as in mediation */
	struct auth_request request;
	/* When all is said, and not where it is cancelled.  The recipient lives until the turn is over. */
	void (*on_answer)(struct recipient *recipient, const struct auth_answer *answer);

	struct auth_scene scene;
	char *address, *user, *mail, *command;
	struct loop_timer wait;
	struct auth_answer refusal;		/* that waits; with copies: */
	char *code, *reason, *why;
};

/* With the settings of the worker's snapshot of now.  on_answer may come before this returns. */
void recipient_ask(struct session *s, const struct listener_settings *settings, const struct mediation *m,
    void (*on_answer)(struct recipient *recipient, const struct auth_answer *answer));
void recipient_cancel(struct session *s);	/* fine where there is none */

/* Where the answer sends the mail, or why it cannot go there. */
const char *recipient_find_pool(const struct recipient *r, const struct auth_answer *answer,
    struct pool **pool);
/* Is the server at hand where this answer, which names the pool or leaves it to routes, sends a mail? */
bool recipient_is_at_hand(const struct session *s, const struct pool *pool, const struct auth_answer *answer);
bool recipient_is_of_pool(const struct endpoint *endpoint, const struct pool *pool);

#endif
