/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tarpit.h: what `limits` has against a session whose client errs, where mail is taken: how much is borne,
 * and replies that are late.  Who waits costs a timer.
 */
#ifndef SESSION_TARPIT_H
#define SESSION_TARPIT_H

#include "proto/manners.h"
#include "session/session.h"

/*
 * Sets what is borne of the client as it is known now, and by the stress there is; what it has done stays.
 * hard_errors of `limits` stand in for the listener's max_errors; where they are 0, only if `is_relayed`.
 * Before relay_start.
 */
void tarpit_set(const struct session *s, struct manners *manners, bool is_relayed);
int tarpit_min_data_rate(const struct session *s);	/* octets a second; 0: none.  Likewise */

/* on_time comes once, later, unless the session has ended. */
void tarpit_wait(struct session *s, int ms, void (*on_time)(struct session *s));
bool tarpit_holds(const struct session *s);
void tarpit_free(struct session *s);	/* nothing comes any more */

#endif
