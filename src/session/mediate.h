/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mediate.h: sessions whose protocol stands between client and server: what
 * its mediator makes of the bytes is done here, another server is found when
 * it wishes for one, and a lost one is told to it.  Each may end the session.
 */
#ifndef SESSION_MEDIATE_H
#define SESSION_MEDIATE_H

#include "session/session.h"

void mediate_begin(struct session *s);		/* takes over from s->login, with a leg or without */
void mediate_front_event(struct session *s, enum stream_event event, struct slice data);
void mediate_on_reply_timeout(struct session *s);	/* the server is as good as lost */
void mediate_clear(struct session *s);			/* frees the mediator's state */
void mediate_end(struct session *s);			/* tells of the mail that ends with the session */
bool mediate_may_speak(const struct session *s);	/* the client is to speak */
bool mediate_is_quiet(const struct session *s);		/* between two transactions, with nothing begun */
bool mediate_server_owes(const struct session *s);	/* a reply, or to take what it was sent */
int mediate_reply_timeout(const struct session *s);	/* for what it owes now, in ms; 0: none */

#endif
