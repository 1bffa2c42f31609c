/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doorman.h: what `access` of a session's listener says to it: at its connect, when TLS is up, and when its
 * user is known, or it is clear that there will be none.  Trusted peers that speak for themselves are let in.
 */
#ifndef SESSION_DOORMAN_H
#define SESSION_DOORMAN_H

#include "session/entrance.h"

struct condition_subject;

/* Rows of entrance.c: by the address alone. */
enum entrance_verdict doorman_begin(struct session *s);
/* False: it may not come; it was told, where it hears, and the session has ended. */
bool doorman_knows_tls(struct session *s);	/* TLS is up, for a session that was greeted or not */
bool doorman_knows_all(struct session *s);	/* no user will be known; TLS is up, or there is none */
/* Of the user who has logged in: NULL: he may come; or what the client is told. */
const char *doorman_refuses(struct session *s, const char *user);

/* For routes: what is known of the session; `now` is wall-clock time. */
void doorman_describe(const struct session *s, struct condition_subject *subject);

#endif
