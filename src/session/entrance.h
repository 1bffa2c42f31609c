/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entrance.h: what a client must pass before it is greeted, one check after the other, in the order of the
 * table in entrance.c: who is banned, who may come from there, how many, and who talks too early.  To check
 * something more takes a file and a row there.
 */
#ifndef SESSION_ENTRANCE_H
#define SESSION_ENTRANCE_H

#include "session/session.h"

enum entrance_verdict {
	ENTRANCE_PASS,
	ENTRANCE_WAIT,		/* it calls entrance_go_on later, unless the session has ended */
	ENTRANCE_GONE		/* it has ended the session */
};

/*
 * The client's address is known (behind a PROXY header, where one must come first): once.  session_begin
 * comes at once or later, unless the session has ended.  Nothing was said to it yet, and TLS is not up.
 */
void entrance_begin(struct session *s);
/* A check that let it wait lets it pass. */
void entrance_go_on(struct session *s);
/*
 * A trusted peer has told of another client, who is checked now; may end the session, or leave it in
 * FRONT_SCREEN until front_resume.
 */
void entrance_retold(struct session *s);

#endif
