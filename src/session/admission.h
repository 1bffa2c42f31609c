/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admission.h: the limits of a session's client and user: how many there are at once, and how often they do
 * what costs something.  Counted by the limits' block, over all workers and listeners that name it.  Whoever
 * is exempt, or a trusted peer that speaks for itself, always may; of who comes by a unix socket only the
 * user is counted.  On the session's own thread.
 */
#ifndef SESSION_ADMISSION_H
#define SESSION_ADMISSION_H

#include "session/entrance.h"

struct admission;

/* Rows of entrance.c.  They end the session of one client too many. */
enum entrance_verdict admission_begin(struct session *s);
enum entrance_verdict admission_retold(struct session *s);
/*
 * What `access` has found since may have given the session other limits: they hold from now on.  It stays
 * among the connections it was counted with.
 */
void admission_follow(struct session *s);

/* One more of what a rate bounds: false: it is refused, and did not count. */
bool admission_takes_tls(const struct session *s);		/* a full handshake is over */
bool admission_takes_login(const struct session *s);
bool admission_takes_mail(const struct session *s);		/* also once it relays */
bool admission_takes_recipient(const struct session *s);
/* Would the next handshake be refused? */
bool admission_is_tls_spent(const struct session *s);

/* The session is this user's from now on, unless there are too many: false. */
bool admission_takes_user(struct session *s, const char *user);
void admission_leave_user(struct session *s);		/* it is not, after all; fine where it never was */
void admission_free(struct session *s);			/* the session has ended: it counts no longer */

#endif
